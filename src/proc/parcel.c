/* SPDX-License-Identifier: MIT */
/*
 * Parcels on their way: from the queue into slots of lanes, back with their results, or out of the
 * slots of a worker that died.
 *
 * How many a worker gets ahead depends on how long they take (`usual`): so many that it is busy for
 * TARGET without us. What turns out to wait behind a long one is withdrawn for a worker that has
 * nothing to do (`balance`): a slot that is still POSTED is ours again by one compare-and-swap.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/futex.h"
#include "os/shared.h"
#include "proc/pool.h"

enum {
    TARGET = 300,          /* microseconds of work that a worker has ahead */
    LONG = 2,              /* milliseconds: of longer ones it has none ahead */
    KEPT_BLOCK = 32 << 20, /* bytes; a larger one goes back to the system after use */
};

/* --- Queues ----------------------------------------------------------------------------------- */

void il__parcels_append(il__parcels *parcels, il__parcel *parcel)
{
    parcel->next = NULL;
    if (parcels->first) parcels->last->next = parcel;
    else parcels->first = parcel;
    parcels->last = parcel;
}

il__parcel *il__parcels_take(il__parcels *parcels)
{
    il__parcel *parcel = parcels->first;
    if (parcel) parcels->first = parcel->next;
    return parcel;
}

void il__parcels_put_back(il__parcels *parcels, il__parcel *parcel)
{
    parcel->next = parcels->first;
    if (!parcels->first) parcels->last = parcel;
    parcels->first = parcel;
}

static il__parcels *queue_of(il__crew *crew, const il__parcel *parcel)
{
    return &crew->queues[parcel->priority > 0 ? 0 : parcel->priority < 0 ? 2 : 1];
}

static il__parcel *take_next(il__crew *crew)
{
    il__parcel *parcel = NULL;
    for (int i = 0; !parcel && i < IL__PRIORITIES; i++) parcel = il__parcels_take(&crew->queues[i]);
    return parcel;
}

static bool anything_waits(const il__crew *crew)
{
    return crew->queues[0].first || crew->queues[1].first || crew->queues[2].first;
}

/* --- Ends ------------------------------------------------------------------------------------- */

static void finish(il__crew *crew, il__parcel *parcel, int status)
{
    parcel->done(parcel, status);
    il__crew_ended(crew);
}

/* Why it is to stop, or 0. */
static int why_stop(il__parcel *parcel, il_time now)
{
    int status = il__load(&parcel->recalled);
    if (!status && parcel->cancel) {
        if (parcel->deadline <= now) il__cancel_expire(parcel->cancel, now);
        status = il__load_acquire(&parcel->cancel->status);
        if (!status && parcel->cancel->parent)
            status = il__load_acquire(&parcel->cancel->parent->status);
    }
    return status ? status : parcel->deadline <= now ? -ETIMEDOUT : 0;
}

static void watch(il__crew *crew, il_time when)
{
    if (when < crew->next_timer) crew->next_timer = when;
}

/* --- Mail ------------------------------------------------------------------------------------- */

int il__crew_send_mail(il__process *process, il__mail *mail, int descriptor)
{
    int status =
        il__message_send(process->socket, mail, sizeof *mail, &descriptor, descriptor >= 0);
    if (!status) il__store_seq(&process->lane->mail, ++process->mail); /* pairs with read_mail */
    return status;
}

void il__wake_worker(il__process *process)
{
    /* What it is to see was stored before, in sequentially consistent order. */
    if (il__likely(!il__load_seq(&process->lane->asleep))) return;
    il__add(&process->lane->wake, 1);
    il__futex_wake_across(&process->lane->wake, 1);
}

static int tell_region(il__process *process, const il__region *region)
{
    for (size_t i = 0; i < process->region_count; i++)
        if (process->regions[i] == region->number) return 0;
    if (process->region_count == process->region_room) {
        size_t room = process->region_room ? 2 * process->region_room : 16;
        uint32_t *grown = il__realloc(process->regions, room * sizeof *grown);
        if (!grown) return -ENOMEM;
        process->regions = grown;
        process->region_room = room;
    }
    il__mail mail = {
        .kind = IL__MAIL_REGION,
        .number = region->number,
        .size = region->size,
        .where = (uintptr_t)region->memory,
    };
    int status = il__crew_send_mail(process, &mail, region->descriptor);
    if (!status) process->regions[process->region_count++] = region->number;
    return status;
}

/* Have workers let go of regions that were freed: until then their memory is not. */
static void forget_regions(il__crew *crew)
{
    uint32_t freed = il__regions_freed();
    if (freed == crew->regions_freed) return;
    crew->regions_freed = freed;
    for (unsigned k = 0; k < crew->executor.workers; k++) {
        il__process *process = &crew->processes[k];
        for (size_t i = process->region_count; i-- > 0;) {
            if (il__region_lives(process->regions[i])) continue;
            il__mail mail = { .kind = IL__MAIL_FORGET, .number = process->regions[i] };
            if (il__crew_send_mail(process, &mail, -1)) continue;
            process->regions[i] = process->regions[--process->region_count];
        }
        if (process->state != IL__ABSENT) il__wake_worker(process);
    }
}

void il__crew_tell_modules(il__crew *crew, il__process *process)
{
    while (process->modules_told < crew->module_count) {
        il__mail mail = {
            .kind = IL__MAIL_MODULE,
            .number = process->modules_told,
            .module = crew->modules[process->modules_told],
        };
        if (il__crew_send_mail(process, &mail, -1)) return;
        process->modules_told++;
    }
}

/* --- Blocks ----------------------------------------------------------------------------------- */

static void free_block(il__block *block)
{
    if (block->memory) il__shared_unmap(block->memory, block->size);
    *block = (il__block){ .memory = NULL };
}

void il__blocks_free(il__process *process)
{
    for (unsigned i = 0; i < IL__SLOTS; i++) free_block(&process->blocks[i]);
}

/* See that the slot has a block of that size which the worker knows. */
static int provide_block(il__crew *crew, il__process *process, unsigned slot, size_t size)
{
    il__block *block = &process->blocks[slot];
    if (block->size >= size) return 0;
    size_t room = 1 << 16;
    while (room < size && room < (size_t)1 << 62) room *= 2;
    void *memory;
    int descriptor;
    int status = il__shared_new("interlock", room, &memory, &descriptor);
    if (status) return status;
    il__mail mail = {
        .kind = IL__MAIL_BLOCK,
        .number = ++crew->block_number,
        .slot = slot,
        .size = room,
    };
    status = il__crew_send_mail(process, &mail, descriptor);
    close(descriptor);
    if (status) {
        il__shared_unmap(memory, room);
        return status;
    }
    free_block(block);
    *block = (il__block){ memory, room, mail.number };
    return 0;
}

/* --- Into a slot ------------------------------------------------------------------------------ */

/* Where the bytes of a parcel go, or are. */
struct stowage {
    il__region in, out; /* .memory NULL: in none */
    size_t items, in_bytes, out_bytes, out_at;
};

static size_t round_up(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

static struct stowage plan(const il__parcel *parcel)
{
    struct stowage plan = { .items = parcel->count - parcel->from };
    size_t in = plan.items * parcel->in_size, out = plan.items * parcel->out_size;
    if (!il__region_of(parcel->in, in, &plan.in)) plan.in_bytes = in;
    if (!il__region_of(parcel->out, out, &plan.out)) plan.out_bytes = out;
    plan.out_at = round_up(plan.in_bytes);
    return plan;
}

static void stow(il__process *process, unsigned number, il__parcel *parcel,
                 const struct stowage *plan)
{
    il__slot *slot = &process->lane->slots[number];
    const char *in = parcel->in + parcel->from * parcel->in_size;
    char *out = parcel->out + parcel->from * parcel->out_size;
    bool fits = plan->out_at + plan->out_bytes <= IL__SLOT_BYTES;
    char *room = fits ? (char *)slot->bytes : process->blocks[number].memory;
    uint32_t where = fits ? IL__IN_SLOT : IL__IN_BLOCK;

    slot->in = (il__where){ .where = where };
    slot->out = (il__where){ .where = where, .at = plan->out_at };
    if (plan->in.memory)
        slot->in = (il__where){ IL__IN_REGION, plan->in.number, (uint64_t)(in - plan->in.memory) };
    else if (plan->in_bytes) memcpy(room, in, plan->in_bytes);
    if (plan->out.memory)
        slot->out =
            (il__where){ IL__IN_REGION, plan->out.number, (uint64_t)(out - plan->out.memory) };
    else if (plan->out_bytes) memcpy(room + plan->out_at, out, plan->out_bytes);
    process->results[number] = plan->out_bytes ? room + plan->out_at : NULL;
}

static int prepare(il__crew *crew, il__process *process, unsigned number,
                   const struct stowage *plan)
{
    int status = 0;
    il__crew_tell_modules(crew, process);
    if (plan->in.memory) status = tell_region(process, &plan->in);
    if (!status && plan->out.memory) status = tell_region(process, &plan->out);
    if (!status && plan->out_at + plan->out_bytes > IL__SLOT_BYTES)
        status = provide_block(crew, process, number, plan->out_at + plan->out_bytes);
    if (!status && process->modules_told < crew->module_count) status = -EAGAIN;
    return status;
}

/* Give it to that worker: 0; -EAGAIN: not now; or why it cannot be. */
static int post(il__crew *crew, il__process *process, il__parcel *parcel)
{
    uint32_t module;
    uint64_t offset;
    int status = il__crew_find_function(crew, parcel->fn, &module, &offset);
    if (status) return status;

    il__lane *lane = process->lane;
    unsigned number = process->free[process->free_count - 1];
    if (process->posted - il__load_acquire(&lane->read) >= IL__QUEUE) return -EAGAIN;
    il__slot *slot = &lane->slots[number];
    struct stowage stowage = plan(parcel);
    status = prepare(crew, process, number, &stowage);
    if (status) return status;
    stow(process, number, parcel, &stowage);
    slot->module = module;
    slot->offset = offset;
    slot->count = stowage.items;
    slot->in_size = parcel->in_size;
    slot->out_size = parcel->out_size;
    slot->retries = parcel->retries;
    slot->deadline = parcel->deadline == IL_FOREVER ? 0 : parcel->deadline;
    slot->stop = parcel->stop || parcel->each;
    slot->at = 0;
    slot->failed_at = stowage.items;
    il__store(&slot->cancel, 0);
    slot->name[0] = 0;
    if (parcel->name) snprintf(slot->name, sizeof slot->name, "%s", parcel->name);

    process->free_count--;
    process->held++;
    process->parcels[number] = parcel;
    parcel->kill_at = IL_FOREVER;
    watch(crew, parcel->deadline);
    il__store_release(&slot->state, IL__POSTED); /* pairs with the swap in run, of the worker */
    lane->queue[process->posted % IL__QUEUE] = (unsigned char)number;
    il__store_seq(&lane->posted, ++process->posted); /* pairs with the acquire there */
    return 0;
}

static unsigned depth(const il__crew *crew)
{
    if (!crew->usual) return 2;
    if (crew->usual > IL_MS(LONG)) return 1;
    int64_t more = IL_US(TARGET) / crew->usual + 2;
    return more < IL__SLOTS ? (unsigned)more : IL__SLOTS;
}

static il__process *least_busy(il__crew *crew, unsigned most)
{
    il__process *best = NULL;
    for (unsigned i = 0; i < crew->executor.workers; i++) {
        il__process *process = &crew->processes[i];
        if (process->state != IL__READY || process->killed || process->held >= most) continue;
        if (!best || process->held < best->held) best = process;
    }
    return best;
}

static void refuse(il__crew *crew, il__parcel *parcel, int status)
{
    if (status == -ENOEXEC)
        parcel->failed(
            parcel, parcel->from, status,
            il__error_elsewhere(status, 0, 0, parcel->name ? parcel->name : "", "", 0,
                                "the function is neither in the program nor in a library "
                                "that it has loaded",
                                ""));
    finish(crew, parcel, status);
}

/* Has it come to be started? Else it was seen to. */
static bool begin(il__crew *crew, il__parcel *parcel, il_time now)
{
    if (parcel->waits) {
        parcel->waits = false;
        if (crew->opts.queue_limit && parcel->cancel) il__sub(&crew->waiting, 1);
        if (parcel->begin && !parcel->begin(parcel)) {
            il__crew_ended(crew);
            return false;
        }
        il__bump(&crew->started);
    }
    int status = why_stop(parcel, now);
    if (status) finish(crew, parcel, status);
    return !status;
}

/* Withdraw a slot that the worker has not begun. */
static il__parcel *withdraw(il__process *process, unsigned number)
{
    uint32_t posted = IL__POSTED;
    if (!il__cas(&process->lane->slots[number].state, &posted, IL__FREE)) return NULL;
    il__parcel *parcel = process->parcels[number];
    process->parcels[number] = NULL;
    process->free[process->free_count++] = (unsigned char)number;
    process->held--;
    return parcel;
}

/* One that waits behind another, for a worker that has nothing. */
static il__parcel *find_stuck(il__crew *crew)
{
    il__parcel *parcel = NULL;
    for (unsigned i = 0; !parcel && i < crew->executor.workers; i++) {
        il__process *process = &crew->processes[i];
        if (process->state != IL__READY || process->held < 2) continue;
        for (unsigned k = 0; !parcel && k < IL__SLOTS; k++)
            if (process->parcels[k]) parcel = withdraw(process, k);
    }
    return parcel;
}

bool il__crew_balance(il__crew *crew)
{
    il__process *idle = least_busy(crew, 1);
    il__parcel *parcel = idle && !anything_waits(crew) ? find_stuck(crew) : NULL;
    if (parcel) il__parcels_put_back(queue_of(crew, parcel), parcel);
    return parcel;
}

void il__crew_fill(il__crew *crew)
{
    forget_regions(crew);
    if (!anything_waits(crew)) return;
    unsigned most = depth(crew);
    il_time now = il_now();
    il__process *process;
    while ((process = least_busy(crew, most))) {
        il__parcel *parcel = take_next(crew);
        if (!parcel) break;
        if (!begin(crew, parcel, now)) continue;
        int status = post(crew, process, parcel);
        if (status == -EPIPE || status == -ECONNRESET) { /* it is dead; we are about to be told */
            process->killed = true;
            il__parcels_put_back(queue_of(crew, parcel), parcel);
            continue;
        }
        if (status == -EAGAIN) {
            il__parcels_put_back(queue_of(crew, parcel), parcel);
            watch(crew, now + IL_MS(1));
            break;
        }
        if (status) refuse(crew, parcel, status);
        else if (process->held == 1) il__wake_worker(process); /* at once; the others below */
    }
    for (unsigned i = 0; i < crew->executor.workers; i++)
        if (crew->processes[i].held) il__wake_worker(&crew->processes[i]);
}

/* --- Out of a slot ---------------------------------------------------------------------------- */

static il__error *error_of(const il__process *process, const il__parcel *parcel,
                           const il__slot *slot, int status)
{
    char words[IL__SLOT_WORDS + 2] = { 0 }; /* a copy: it may change under us */
    memcpy(words, slot->words, IL__SLOT_WORDS);
    const char *file = words + strlen(words) + 1;
    if (file > words + IL__SLOT_WORDS) file = words + IL__SLOT_WORDS;
    const char *cause = file + strlen(file) + 1;
    if (cause > words + IL__SLOT_WORDS) cause = words + IL__SLOT_WORDS;
    return il__error_elsewhere(status, process->pid, 0, parcel->name ? parcel->name : "", file,
                               slot->line, words, cause);
}

/* Take the results of the items that ran, and the first failure among them. True: there was one. */
static bool take_results(il__process *process, unsigned number, il__parcel *parcel, size_t ran)
{
    il__slot *slot = &process->lane->slots[number];
    size_t failed_at = il__load_acquire(&slot->failed_at); /* pairs with note_failure */
    size_t base = parcel->from;
    int status = slot->status < 0 ? slot->status : -EBADMSG;
    if (process->results[number] && ran)
        memcpy(parcel->out + base * parcel->out_size, process->results[number],
               ran * parcel->out_size);
    parcel->from = base + ran;
    if (failed_at >= parcel->count - base) return false;
    parcel->failed(parcel, base + failed_at, status, error_of(process, parcel, slot, status));
    return true;
}

static il__parcel *release_slot(il__process *process, unsigned number)
{
    il__parcel *parcel = process->parcels[number];
    process->parcels[number] = NULL;
    process->free[process->free_count++] = (unsigned char)number;
    process->held--;
    return parcel;
}

static size_t items_run(const il__slot *slot, const il__parcel *parcel)
{
    size_t at = il__load(&slot->at), items = parcel->count - parcel->from;
    return at < items ? at : items;
}

static void take_done(il__crew *crew, il__process *process, unsigned number)
{
    il__slot *slot = &process->lane->slots[number];
    il__parcel *parcel = process->parcels[number];
    bool failed = take_results(process, number, parcel, items_run(slot, parcel));
    int64_t took = slot->took > 0 ? slot->took : 1;
    int stopped = slot->stopped;
    parcel->took += took;
    crew->usual = crew->usual ? crew->usual + (took - crew->usual) / 8 : took;
    if (crew->usual < 1) crew->usual = 1;
    if (process->blocks[number].size > KEPT_BLOCK) free_block(&process->blocks[number]);
    release_slot(process, number);
    il__store(&slot->state, IL__FREE);
    if (parcel->from == parcel->count || (failed && parcel->stop)) {
        finish(crew, parcel, 0);
        return;
    }
    int status = why_stop(parcel, il_now());
    if (!status && failed && parcel->each && !stopped)
        il__parcels_put_back(queue_of(crew, parcel), parcel); /* the rest of it */
    else finish(crew, parcel, status ? status : stopped < 0 ? stopped : -ECANCELED);
}

bool il__crew_collect(il__crew *crew)
{
    bool found = false;
    for (unsigned i = 0; i < crew->executor.workers; i++) {
        il__process *process = &crew->processes[i];
        if (!process->held) continue;
        uint32_t finished = il__load_acquire(&process->lane->finished); /* pairs with hand_back */
        for (; process->collected != finished; process->collected++) {
            unsigned number = process->lane->ended[process->collected % IL__QUEUE] % IL__SLOTS;
            if (!process->parcels[number] ||
                il__load_acquire(&process->lane->slots[number].state) != IL__DONE)
                continue; /* only a worker that writes where it should not */
            take_done(crew, process, number);
            found = true;
        }
    }
    return found;
}

/* --- Stopping --------------------------------------------------------------------------------- */

static void stop(il__crew *crew, il__process *process, unsigned number, int status, il_time now)
{
    il__parcel *parcel = withdraw(process, number);
    if (parcel) {
        finish(crew, parcel, status);
        return;
    }
    parcel = process->parcels[number];
    il__slot *slot = &process->lane->slots[number];
    if (parcel->kill_at == IL_FOREVER) {
        parcel->kill_at = now + crew->opts.grace;
        il__store_release(&slot->cancel, 1); /* before the signal */
        il__crew_order(crew, process, IL__ORDER_SIGNAL);
    } else if (now >= parcel->kill_at && !process->killed) {
        process->killed = true;
        il__crew_order(crew, process, IL__ORDER_KILL);
    }
    if (!process->killed) watch(crew, parcel->kill_at);
}

static void look_through_queue(il__crew *crew)
{
    for (int i = 0; i < IL__PRIORITIES; i++) {
        il__parcels kept = { .first = NULL };
        il__parcel *parcel;
        while ((parcel = il__parcels_take(&crew->queues[i]))) {
            int recalled = il__load(&parcel->recalled);
            if (recalled) finish(crew, parcel, recalled);
            else il__parcels_append(&kept, parcel);
        }
        crew->queues[i] = kept;
    }
}

void il__crew_look(il__crew *crew)
{
    il_time now = il_now();
    crew->next_timer = crew->retry_at;
    if (il__swap(&crew->recalls, 0)) look_through_queue(crew);
    for (unsigned i = 0; i < crew->executor.workers; i++) {
        il__process *process = &crew->processes[i];
        for (unsigned k = 0; process->held && k < IL__SLOTS; k++) {
            il__parcel *parcel = process->parcels[k];
            if (!parcel || il__load_acquire(&process->lane->slots[k].state) == IL__DONE) continue;
            int status = why_stop(parcel, now);
            if (status) stop(crew, process, k, status, now);
            else watch(crew, parcel->deadline);
        }
    }
}

/* --- Death ------------------------------------------------------------------------------------ */

/* Lines on standard error, newlines and all, as a piece of one line. */
static void quote(char *room, size_t size, const il__process *process)
{
    size_t at = 0;
    if (size) room[0] = 0;
    for (size_t i = 0; i < process->word_count && at + 2 < size; i++) {
        unsigned char c = (unsigned char)process->last_words[i];
        bool last = i + 1 == process->word_count;
        if (c == '\n' && last) break;
        if (c == '\n') {
            room[at++] = ' ';
            room[at++] = '/';
            c = ' ';
        }
        if (at + 1 < size) room[at++] = c < ' ' ? '?' : (char)c;
    }
    if (size) room[at < size ? at : size - 1] = 0;
}

static il__error *error_of_death(const il__process *process, const il__parcel *parcel, int status,
                                 int64_t peak)
{
    char words[IL__LAST_WORDS * 2], said[IL__LAST_WORDS + 256], how[128];
    int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (signal == SIGXCPU) snprintf(how, sizeof how, "used up its CPU time and was killed");
    else if (signal)
        snprintf(how, sizeof how, "was killed by signal %d (%s)", signal, strsignal(signal));
    else snprintf(how, sizeof how, "exited with %d", WEXITSTATUS(status));
    quote(said, sizeof said, process);
    snprintf(words, sizeof words, "worker process %ld %s, peak memory %.1f MiB%s%s",
             (long)process->pid, how, (double)peak / (1 << 20),
             *said ? ", last words: " : ", without a word", said);
    return il__error_elsewhere(-EOWNERDEAD, process->pid, signal,
                               parcel && parcel->name ? parcel->name : "", "", 0, words, "");
}

/* The one that was running. */
static void fail_victim(il__crew *crew, il__process *process, unsigned number, int wait_status,
                        int64_t peak)
{
    il__slot *slot = &process->lane->slots[number];
    il__parcel *parcel = process->parcels[number];
    bool failed = take_results(process, number, parcel, items_run(slot, parcel));
    release_slot(process, number);
    int status = why_stop(parcel, il_now());
    if (status || parcel->from == parcel->count || (failed && parcel->stop)) {
        finish(crew, parcel, status);
        return;
    }
    if (parcel->retries) {
        parcel->retries--;
        il__parcels_put_back(queue_of(crew, parcel), parcel);
        return;
    }
    parcel->failed(parcel, parcel->from, -EOWNERDEAD,
                   error_of_death(process, parcel, wait_status, peak));
    parcel->from++;
    if (parcel->from == parcel->count || parcel->stop) finish(crew, parcel, 0);
    else il__parcels_put_back(queue_of(crew, parcel), parcel);
}

void il__crew_settle(il__crew *crew, il__process *process, int wait_status, int64_t peak)
{
    for (unsigned k = 0; process->held && k < IL__SLOTS; k++) {
        il__parcel *parcel = process->parcels[k];
        if (!parcel) continue;
        if (il__load_acquire(&process->lane->slots[k].state) == IL__DONE) {
            take_done(crew, process, k);
            continue;
        }
        parcel = withdraw(process, k);
        if (parcel) il__parcels_put_back(queue_of(crew, parcel), parcel);
        else fail_victim(crew, process, k, wait_status, peak);
    }
    if (process->state != IL__STARTING) return;
    il__error_unref(crew->start_error);
    crew->start_error = error_of_death(process, NULL, wait_status, peak);
    crew->start_status = -EOWNERDEAD;
}

void il__crew_give_up(il__crew *crew)
{
    il__parcel *parcel;
    while ((parcel = take_next(crew))) {
        if (!begin(crew, parcel, il_now())) continue;
        if (crew->start_error)
            parcel->failed(parcel, parcel->from, crew->start_status,
                           il__error_ref(crew->start_error));
        finish(crew, parcel, crew->start_status);
    }
}
