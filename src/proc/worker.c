/* SPDX-License-Identifier: MIT */
/*
 * A worker: one process, one thread, which takes slots of its lane one by one. It trusts what the
 * parent wrote, and depends on nothing else that could be gone: when its parent, the zygote, dies,
 * the kernel kills it.
 *
 * A cancellation comes as SIGURG (which nobody else means anything by). The handler does for the
 * task on this thread what il__cancel_fire does from another: sets the status of its nodes, and
 * claims its wait. It takes no lock; the nodes are those of scopes open on this thread, innermost
 * first, so they live.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/sanitize.h"
#include "os/clock.h"
#include "os/futex.h"
#include "os/pages.h"
#include "os/shared.h"
#include "os/spin.h"
#include "os/thread.h"
#include "proc/items.h"
#include "proc/lane.h"
#include "task/task.h"
#include "wait/thread_agent.h"

enum {
    SPINS = 100,
    LOOK_AT_SIZE = 1, /* milliseconds between two looks at our size */
    PIECE = 2 << 20,  /* bytes of a region that are touched at once */
};

struct mapped {
    void *memory;
    size_t size;
    uint32_t number;
    bool *filled; /* of a region: which PIECEs have been touched; NULL: not known */
};

static struct worker {
    il__worker_setup setup;
    pthread_t thread;
    il__agent *agent;
    il__slot *volatile running;
    uint32_t mail_seen;
    struct {
        il__module module;
        uintptr_t base; /* 0: not looked for yet */
        int status;
        bool looked;
    } * modules;
    uint32_t module_count;
    struct mapped blocks[IL__SLOTS];
    struct mapped *regions;
    uint32_t region_count;
    uint32_t tasks;
    il_time looked;
    bool has_timer;
    timer_t timer;
} me;

/* --- Mail ------------------------------------------------------------------------------------ */

static void *grow(void *memory, size_t count, size_t size)
{
    void *grown = il__realloc(memory, count * size);
    if (!grown) _exit(ENOMEM);
    return grown;
}

static void keep_module(const il__mail *mail)
{
    me.modules = grow(me.modules, mail->number + 1, sizeof *me.modules);
    memset(&me.modules[mail->number], 0, sizeof *me.modules);
    me.modules[mail->number].module = mail->module;
    me.module_count = mail->number + 1;
}

static void keep_block(const il__mail *mail, int descriptor)
{
    struct mapped *block = &me.blocks[mail->slot % IL__SLOTS];
    if (block->memory) il__shared_unmap(block->memory, block->size);
    *block = (struct mapped){
        .memory = il__shared_map(descriptor, mail->size, NULL),
        .size = mail->size,
        .number = mail->number,
    };
}

static void keep_region(const il__mail *mail, int descriptor)
{
    me.regions = grow(me.regions, me.region_count + 1, sizeof *me.regions);
    void *memory = il__shared_map(descriptor, mail->size, (void *)(uintptr_t)mail->where);
    me.regions[me.region_count++] = (struct mapped){
        .memory = memory,
        .size = mail->size,
        .number = mail->number,
        .filled = il__zalloc(mail->size / PIECE + 1),
    };
}

static void forget_region(const il__mail *mail)
{
    for (uint32_t i = 0; i < me.region_count; i++) {
        if (me.regions[i].number != mail->number) continue;
        if (me.regions[i].memory) il__shared_unmap(me.regions[i].memory, me.regions[i].size);
        il__free(me.regions[i].filled);
        me.regions[i] = me.regions[--me.region_count];
        return;
    }
}

static void read_mail(void)
{
    uint32_t sent =
        il__load_acquire(&me.setup.lane->mail); /* pairs with the release in send_mail */
    while (me.mail_seen != sent) {
        il__mail mail;
        int descriptor;
        int length = il__message_receive(me.setup.socket, &mail, sizeof mail, &descriptor, 1);
        if (length != (int)sizeof mail) _exit(EPROTO);
        if (mail.kind == IL__MAIL_MODULE) keep_module(&mail);
        if (mail.kind == IL__MAIL_BLOCK) keep_block(&mail, descriptor);
        if (mail.kind == IL__MAIL_REGION) keep_region(&mail, descriptor);
        if (mail.kind == IL__MAIL_FORGET) forget_region(&mail);
        if (descriptor >= 0) close(descriptor);
        me.mail_seen++;
    }
}

static struct mapped *find_region(uint32_t number)
{
    for (uint32_t i = 0; i < me.region_count; i++)
        if (me.regions[i].number == number && me.regions[i].memory) return &me.regions[i];
    return NULL;
}

static void *find_place(const il__slot *slot, const il__where *place)
{
    if (place->where == IL__IN_SLOT) return (char *)slot->bytes + place->at;
    if (place->where == IL__IN_BLOCK || place->where == IL__AFAR) {
        struct mapped *block = &me.blocks[slot - me.setup.lane->slots];
        return block->memory ? (char *)block->memory + place->at : NULL;
    }
    struct mapped *region = find_region(place->region);
    return region ? (char *)region->memory + place->at : NULL;
}

/* --- Cancellation ---------------------------------------------------------------------------- */

static void cancel_here(int status)
{
    for (il__cancel *node = il__load(&me.agent->cancel); node; node = node->parent) {
        int none = 0;
        il__cas(&node->status, &none, status);
    }
    if (il__claim(me.agent, IL__BY_CANCEL)) il__or(&me.agent->word, IL__WOKEN);
}

static void on_cancel(int signal)
{
    int saved = errno;
    if (!pthread_equal(pthread_self(), me.thread)) {
        pthread_kill(me.thread, signal); /* a thread that the task has started */
    } else {
        il__slot *slot = me.running;
        if (slot && il__load(&slot->cancel)) cancel_here(-ECANCELED);
    }
    errno = saved;
}

/* --- Running --------------------------------------------------------------------------------- */

static int find_function(uint32_t number, uint64_t offset, il_fn **out_fn)
{
    if (number >= me.module_count) return il_fail(-ENOEXEC, "the task names no known module");
    if (!me.modules[number].looked) {
        me.modules[number].status =
            il__module_find(&me.modules[number].module, &me.modules[number].base);
        me.modules[number].looked = !me.modules[number].status;
    }
    if (me.modules[number].status) return me.modules[number].status;
    *out_fn = (il_fn *)(me.modules[number].base + offset); // NOLINT: an address made of a number
    return 0;
}

/* The pages of a region are there already, but not in our tables: let the kernel fill in those of a
 * piece at once rather than one fault each. Once: later it would cost and do nothing. As if to read: then
 * they come sixteen at a time, and may be written all the same, since nobody keeps book of that. */
static void prefault(const il__where *place, uint64_t size)
{
#ifdef MADV_POPULATE_READ
    struct mapped *region = place->where == IL__IN_REGION ? find_region(place->region) : NULL;
    if (!region || !region->filled || size < PIECE / 64) return;
    for (size_t piece = place->at / PIECE; piece <= (place->at + size - 1) / PIECE; piece++) {
        size_t from = piece * PIECE, left = region->size - from;
        if (region->filled[piece]) continue;
        region->filled[piece] = true;
        madvise((char *)region->memory + from, left < PIECE ? left : PIECE, MADV_POPULATE_READ);
    }
#else
    (void)place, (void)size;
#endif
}

static void limit_cpu(int64_t nanoseconds)
{
    struct itimerspec when = {
        .it_value = { nanoseconds / IL_SEC(1), nanoseconds % IL_SEC(1) },
    };
    if (me.has_timer) timer_settime(me.timer, 0, &when, NULL);
}

/* The loop of the map, which lies near the function. */
static il__apply *find_loop(const il__slot *slot)
{
    il_fn *found = NULL;
    if (slot->apply_module == IL__NO_MODULE ||
        find_function(slot->apply_module, slot->apply_offset, &found))
        return il__apply_here;
    return (il__apply *)(void (*)(void))found;
}

static void run_slot(il__slot *slot)
{
    il__frame frame;
    il__task task = { .name = *slot->name ? slot->name : NULL };
    il_time begin = il_now();

    read_mail();
    il__cancel_init(&task.cancel, NULL, slot->deadline);
    slot->failed_at = slot->count;
    slot->stopped = 0;
    il__frame_enter(&frame, &task);
    me.running = slot;
    __asm__ volatile("" ::: "memory");
    if (il__load_acquire(&slot->cancel)) cancel_here(-ECANCELED); /* it may have been set before */

    il__items items = {
        .slot = slot,
        .in = slot->in_size ? find_place(slot, &slot->in) : (char *)slot->bytes,
        .out = slot->out_size ? find_place(slot, &slot->out) : (char *)slot->bytes,
        .node = &task.cancel,
        .frame = &frame,
        .afar = &il__lane_afar(me.setup.lane)[slot - me.setup.lane->slots],
        .parent = me.setup.parent,
        .parent_fd = me.setup.parent_fd,
    };
    int status = find_function(slot->module, slot->offset, &items.fn);
    items.apply = find_loop(slot);
    if (!status && (!items.in || !items.out))
        status = il_fail(-ENOMEM, "a worker could not map %llu bytes",
                         (unsigned long long)(slot->count * (slot->in_size + slot->out_size)));
    if (status) {
        il__items_fail(slot, 0, status, &frame);
        il__slot_begin(slot, 0, 0);
        slot->stopped = status;
    } else {
        prefault(&slot->in, slot->count * slot->in_size);
        prefault(&slot->out, slot->count * slot->out_size);
        if (me.setup.board->cpu_time) limit_cpu(me.setup.board->cpu_time);
        il__items_run(&items);
        if (me.setup.board->cpu_time) limit_cpu(0);
    }
    me.running = NULL;
    __asm__ volatile("" ::: "memory");
    il__frame_leave(&frame);
    slot->took = il_now() - begin;
}

/* --- The loop -------------------------------------------------------------------------------- */

static void tell_parent(void)
{
    /* Who sleeps says so, then looks; we made it visible, then look whether anybody sleeps. All of it
     * is sequentially consistent, so one sees the other. */
    if (il__likely(!il__load_seq(&me.setup.board->asleep))) return;
    if (!il__swap(&me.setup.board->asleep, 0)) return;
    uint64_t one = 1;
    ssize_t written = write(me.setup.event, &one, sizeof one);
    (void)written; /* it fails when the counter is full: then it is told already */
}

static void hand_back(il__lane *lane, il__slot *slot)
{
    lane->ended[lane->finished % IL__QUEUE] = (unsigned char)(slot - lane->slots);
    il__store_release(&slot->state, IL__DONE); /* pairs with collect */
    il__store_seq(&lane->finished,
                  lane->finished + 1); /* pairs with collect, and see tell_parent */
    tell_parent();
}

static bool is_too_big(void)
{
    uint64_t most = me.setup.board->recycle_size;
    il_time now = most ? il__now_coarse() : 0;
    if (!most || now - me.looked < IL_MS(LOOK_AT_SIZE)) return false;
    me.looked = now;
    char words[64] = "";
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, words, sizeof words - 1);
    if (file >= 0) close(file);
    unsigned long long pages = 0;
    return length > 0 && sscanf(words, "%*s %llu", &pages) == 1 && pages * il__page_size() > most;
}

static bool should_leave(void)
{
    uint32_t most = me.setup.board->recycle_tasks;
    return (most && me.tasks >= most) || is_too_big();
}

static _Noreturn void leave(void)
{
    fflush(NULL);
    _exit(0);
}

static void go_to_sleep(il__lane *lane)
{
    for (int i = 0; i < SPINS; i++) {
        if (il__load(&lane->posted) != lane->read) return;
        il__pause();
    }
    fflush(NULL);
    uint32_t wake = il__load(&lane->wake);
    il__store_seq(&lane->asleep, 1); /* then look once more: see wake_worker */
    if (il__load_seq(&lane->posted) == lane->read && il__load_seq(&lane->mail) == me.mail_seen &&
        !il__load_seq(&lane->leave))
        il__futex_wait_across(&lane->wake, wake, IL_FOREVER);
    il__store(&lane->asleep, 0);
}

static _Noreturn void run(il__lane *lane)
{
    for (;;) {
        uint32_t posted = il__load_acquire(&lane->posted); /* pairs with the release in post */
        if (posted == lane->read) {
            if (il__load(&lane->leave)) leave();
            if (il__load(&lane->mail) != me.mail_seen) read_mail();
            else go_to_sleep(lane);
            continue;
        }
        il__slot *slot = &lane->slots[lane->queue[lane->read % IL__QUEUE] % IL__SLOTS];
        uint32_t expected = IL__POSTED;
        bool mine = il__cas(&slot->state, &expected, IL__TAKEN);
        il__store_release(&lane->read, lane->read + 1);
        if (!mine) continue; /* withdrawn */
        run_slot(slot);
        me.tasks += (uint32_t)slot->count;
        bool last = should_leave();
        hand_back(lane, slot);
        if (last) leave();
    }
}

/* --- Start ----------------------------------------------------------------------------------- */

/* Private memory that can be written: what malloc takes. */
static void limit_memory(uint64_t bytes)
{
#if !IL_ASAN && !IL_TSAN /* their shadow is private memory, terabytes of it */
    char words[128] = "";
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, words, sizeof words - 1);
    unsigned long long pages = 0;
    if (file >= 0) close(file);
    if (length > 0) sscanf(words, "%*s %*s %*s %*s %*s %llu", &pages);
    rlim_t most = (rlim_t)(pages * il__page_size() + bytes);
    setrlimit(RLIMIT_DATA, &(struct rlimit){ most, most });
#else
    (void)bytes;
#endif
}

static void prepare_signals(void)
{
    struct sigaction cancel = { .sa_handler = on_cancel, .sa_flags = SA_RESTART };
    sigset_t none;
    sigemptyset(&none);
    sigaction(SIGURG, &cancel, NULL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int run_initialiser(void)
{
    il_fn *found = NULL;
    il__frame frame;
    il__task task = { .name = "on_worker_start" };
    il__board *board = me.setup.board;
    il__lane *lane = me.setup.lane;
    if (!board->has_start) return 0;

    read_mail();
    il__cancel_init(&task.cancel, NULL, 0);
    il__frame_enter(&frame, &task);
    int status = find_function(0, board->start_offset, &found);
    int (*start)(void *) = (int (*)(void *))(void (*)(void))found;
    if (!status && start) status = start(board->arg_size ? board->arg : NULL);
    if (status < 0) {
        int32_t line;
        il__error *error = il__frame_error(&frame, status);
        il__words_write(lane->ready_words, sizeof lane->ready_words, &error->public, &line);
        il__error_unref(error);
    }
    il__frame_leave(&frame);
    return status < 0 ? status : 0;
}

/* Does the kernel let us copy from and to the program's memory? As a rule, unless we were told to be
 * somebody else, or processes may only debug what is below them. */
static bool reaches_parent(void)
{
    uint64_t there = me.setup.board->here;
    il__board board;
    return !il__afar_read(me.setup.parent, there, &board, sizeof board) && board.here == there;
}

_Noreturn void il__worker_main(const il__worker_setup *setup)
{
    char name[48];
    il__thread_agent *thread = il__thread_agent_here();
    me.setup = *setup;
    me.thread = pthread_self();
    me.agent = il__self();
    thread->kernel_id = il__thread_kernel_id(); /* that of the zygote, before */
    snprintf(name, sizeof name, "%s/%u", setup->board->name, setup->index);
    il__thread_agent_rename(name);
    snprintf(thread->name, sizeof thread->name, "main");
    prepare_signals();
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGXCPU };
    if (setup->board->cpu_time)
        me.has_timer = !timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &me.timer);
    if (setup->board->memory) limit_memory(setup->board->memory);

    il__lane *lane = setup->lane;
    mprotect(il__lane_afar(lane), il__page_size(), PROT_READ);
    lane->ready_status = run_initialiser();
    lane->reaches = reaches_parent();
    il__store_seq(&lane->ready, 1); /* pairs with look_for_ready, and see tell_parent */
    tell_parent();
    if (lane->ready_status) leave();
    run(lane);
}
