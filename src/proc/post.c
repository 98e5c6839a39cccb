/* SPDX-License-Identifier: MIT */
/*
 * Parcels on their way to workers: into slots of lanes.
 *
 * How many a worker gets ahead depends on how long they take (`usual`): so many that it is busy for
 * TARGET without us. What turns out to wait behind a long one is withdrawn for a worker that has
 * nothing to do (`balance`): a slot that is still POSTED is ours again by one compare-and-swap.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proc/pool.h"

enum {
    TARGET = 300,       /* microseconds of work that a worker has ahead */
    LONG = 2,           /* milliseconds: of longer ones it has none ahead */
    WINDOW = 256 << 10, /* bytes */
};

/* --- One -------------------------------------------------------------------------------------- */

/* Where the bytes of a parcel go, or are. */
struct stowage {
    il__region in, out; /* .memory NULL: in none */
    size_t items, window;
    size_t in_bytes, out_bytes, out_at; /* of a window */
    uint32_t where;
};

static size_t round_up(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

/* So many items at a time that the window stays in the cache. */
static size_t choose_window(size_t items, size_t item)
{
    size_t window = WINDOW / item;
    return window < 1 ? 1 : window < items ? window : items;
}

static struct stowage plan(const il__process *process, const il__parcel *parcel)
{
    struct stowage plan = { .items = parcel->count - parcel->from, .where = IL__IN_SLOT };
    size_t in = parcel->in_size, out = parcel->out_size;
    if (il__region_of(parcel->in, plan.items * in, &plan.in)) in = 0;
    if (il__region_of(parcel->out, plan.items * out, &plan.out)) out = 0;
    plan.window = plan.items;
    if (round_up(plan.items * in) + plan.items * out > IL__SLOT_BYTES) {
        bool reaches = process->reaches && process->pid; /* see wait_for_death */
        plan.where = reaches ? IL__AFAR : IL__IN_BLOCK;
        if (reaches) plan.window = choose_window(plan.items, in + out);
    }
    plan.in_bytes = plan.window * in;
    plan.out_bytes = plan.window * out;
    plan.out_at = round_up(plan.in_bytes);
    return plan;
}

static void stow(il__process *process, unsigned number, il__parcel *parcel,
                 const struct stowage *plan)
{
    il__slot *slot = &process->lane->slots[number];
    const char *in = parcel->in + parcel->from * parcel->in_size;
    char *out = parcel->out + parcel->from * parcel->out_size;
    char *room = plan->where == IL__IN_SLOT ? (char *)slot->bytes : process->blocks[number].memory;

    slot->in = (il__where){ .where = plan->where };
    slot->out = (il__where){ .where = plan->where, .at = plan->out_at };
    if (plan->in.memory)
        slot->in = (il__where){ IL__IN_REGION, plan->in.number, (uint64_t)(in - plan->in.memory) };
    if (plan->out.memory)
        slot->out =
            (il__where){ IL__IN_REGION, plan->out.number, (uint64_t)(out - plan->out.memory) };
    il__lane_afar(process->lane)[number] = (il__afar){
        .in = (uintptr_t)in,
        .out = (uintptr_t)out,
        .count = plan->items,
        .out_size = parcel->out_size,
    };
    if (plan->where != IL__AFAR && plan->in_bytes) memcpy(room, in, plan->in_bytes);
    if (plan->where != IL__AFAR && plan->out_bytes)
        memcpy(room + plan->out_at, out, plan->out_bytes);
    process->results[number] = plan->out_bytes ? room + plan->out_at : NULL;
    process->windows[number] = plan->window;
    process->afar[number] = plan->where == IL__AFAR;
}

static int prepare(il__crew *crew, il__process *process, unsigned number,
                   const struct stowage *plan)
{
    int status = 0;
    il__crew_tell_modules(crew, process);
    if (plan->in.memory) status = il__tell_region(process, &plan->in);
    if (!status && plan->out.memory) status = il__tell_region(process, &plan->out);
    if (!status && plan->where != IL__IN_SLOT)
        status = il__block_provide(crew, process, number, plan->out_at + plan->out_bytes);
    if (!status && process->modules_told < crew->module_count) status = -EAGAIN;
    return status;
}

/* Give it to that worker: 0; -EAGAIN: not now; or why it cannot be. */
static int post(il__crew *crew, il__process *process, il__parcel *parcel)
{
    uint32_t module, apply_module;
    uint64_t offset, apply_offset = 0;
    int status = il__crew_find_function(crew, parcel->fn, &module, &offset);
    if (status) return status;
    il_fn *loop = (il_fn *)(void (*)(void))parcel->apply;
    if (!loop || il__crew_find_function(crew, loop, &apply_module, &apply_offset))
        apply_module = IL__NO_MODULE;

    il__lane *lane = process->lane;
    unsigned number = process->free[process->free_count - 1];
    if (process->posted - il__load_acquire(&lane->read) >= IL__QUEUE) return -EAGAIN;
    il__slot *slot = &lane->slots[number];
    struct stowage stowage = plan(process, parcel);
    status = prepare(crew, process, number, &stowage);
    if (status) return status;
    stow(process, number, parcel, &stowage);
    slot->module = module;
    slot->offset = offset;
    slot->apply_module = apply_module;
    slot->apply_offset = apply_offset;
    slot->count = stowage.items;
    slot->window = stowage.window;
    slot->in_size = parcel->in_size;
    slot->out_size = parcel->out_size;
    slot->retries = parcel->retries;
    slot->deadline = parcel->deadline == IL_FOREVER ? 0 : parcel->deadline;
    slot->stop = parcel->stop || parcel->each;
    slot->base = 0;
    il__slot_begin(slot, 0, 0);
    slot->failed_at = stowage.items;
    il__store(&slot->cancel, 0);
    slot->name[0] = 0;
    if (parcel->name) snprintf(slot->name, sizeof slot->name, "%s", parcel->name);

    process->free_count--;
    process->held++;
    process->parcels[number] = parcel;
    parcel->kill_at = IL_FOREVER;
    il__crew_watch(crew, parcel->deadline);
    il__store_release(&slot->state, IL__POSTED); /* pairs with the swap in run, of the worker */
    lane->queue[process->posted % IL__QUEUE] = (unsigned char)number;
    il__store_seq(&lane->posted, ++process->posted); /* pairs with the acquire there */
    return 0;
}

/* --- For whom --------------------------------------------------------------------------------- */

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
    il__crew_finish(crew, parcel, status);
}

/* One that waits behind another, for a worker that has nothing. */
static il__parcel *find_stuck(il__crew *crew)
{
    il__parcel *parcel = NULL;
    for (unsigned i = 0; !parcel && i < crew->executor.workers; i++) {
        il__process *process = &crew->processes[i];
        if (process->state != IL__READY || process->held < 2) continue;
        for (unsigned k = 0; !parcel && k < IL__SLOTS; k++)
            if (process->parcels[k]) parcel = il__slot_withdraw(process, k);
    }
    return parcel;
}

bool il__crew_balance(il__crew *crew)
{
    il__process *idle = least_busy(crew, 1);
    il__parcel *parcel = idle && !il__crew_has_waiting(crew) ? find_stuck(crew) : NULL;
    if (parcel) il__parcels_put_back(il__crew_queue_of(crew, parcel), parcel);
    return parcel;
}

void il__crew_fill(il__crew *crew)
{
    il__crew_forget_regions(crew);
    if (!il__crew_has_waiting(crew)) return;
    unsigned most = depth(crew);
    il_time now = il_now();
    il__process *process;
    while ((process = least_busy(crew, most))) {
        il__parcel *parcel = il__crew_take_next(crew);
        if (!parcel) break;
        if (!il__crew_begin(crew, parcel, now)) continue;
        int status = post(crew, process, parcel);
        if (status == -EPIPE || status == -ECONNRESET) { /* it is dead; we are about to be told */
            process->killed = true;
            il__parcels_put_back(il__crew_queue_of(crew, parcel), parcel);
            continue;
        }
        if (status == -EAGAIN) {
            il__parcels_put_back(il__crew_queue_of(crew, parcel), parcel);
            il__crew_watch(crew, now + IL_MS(1));
            break;
        }
        if (status) refuse(crew, parcel, status);
        else if (process->held == 1) il__wake_worker(process); /* at once; the others below */
    }
    for (unsigned i = 0; i < crew->executor.workers; i++)
        if (crew->processes[i].held) il__wake_worker(&crew->processes[i]);
}
