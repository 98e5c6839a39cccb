/* SPDX-License-Identifier: MIT */
/*
 * The thread that watches descriptors for all who wait for one.
 *
 * `lock` guards everything here, and `slot` and `armed` of each watch; it is held over system calls
 * that do not wait, never over a wait. Order: lock, then a gate's. A gate is opened under it, whoever
 * waited is let go on after it.
 *
 * A watch is registered with epoll once and armed for one event at a time, so that one that nobody
 * waits for costs nothing. What epoll reports is the number of a slot and its generation, not an
 * address: an event that was fetched just before a watch was closed finds another generation.
 *
 * The lock is a pthread mutex: the thread stays unknown to the library, so it is in no list of
 * threads, and starting a thread is too long for a spin lock.
 */

#include "proc/watcher.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <interlock/latch.h>

#include "base/memory.h"
#include "os/thread.h"

#define READY (UINT64_C(1) << IL__GATE_SHIFT)

enum { BATCH = 64, FIRST_SLOTS = 64 };
#ifdef IL_TEST
enum { LINGER_MS = 50 }; /* so that a test can wait for it */
#else
enum { LINGER_MS = 1000 };
#endif

struct slot {
    il__watch *watch;    /* NULL: free */
    uint32_t generation; /* changes when it becomes free */
    uint32_t next_free;
};

struct request {
    void (*fn)(void *arg);
    void *arg;
    il_latch done;
    struct request *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    bool runs;
    pid_t owner;        /* a fork has its own */
    int epoll, nudge;   /* -1 or 0 before the first thread: see open_descriptors */
    struct slot *slots; /* the first is never used */
    uint32_t count, free;
    unsigned armed, kept;
    struct request *requests;
    void (*at_rest)(void);
} watcher;

/* --- The thread ------------------------------------------------------------------------------ */

/* Open the watch's gate; gives those to be let go on. */
static il__waiter *open_gate(il__watch *watch)
{
    il__store(&watch->armed, false);
    watcher.armed--;
    uint64_t word = il__gate_lock(&watch->gate);
    il__waiter *chain = il__gate_claim_all(&watch->gate);
    il__gate_unlock(&watch->gate, chain && !watch->lasting ? word : word | READY);
    return chain;
}

static void see(uint64_t data)
{
    uint32_t at = (uint32_t)data;
    il__waiter *chain = NULL;

    pthread_mutex_lock(&lock);
    struct slot *slot = &watcher.slots[at];
    if (slot->watch && slot->generation == data >> 32 && slot->watch->armed)
        chain = open_gate(slot->watch);
    pthread_mutex_unlock(&lock);
    il__deliver_all(chain);
}

static void answer_requests(void)
{
    uint64_t count;
    if (read(watcher.nudge, &count, sizeof count) < 0) return; /* another round took it */
    pthread_mutex_lock(&lock);
    struct request *request = watcher.requests;
    watcher.requests = NULL;
    pthread_mutex_unlock(&lock);
    while (request) {
        struct request *next = request->next;
        request->fn(request->arg);
        il_latch_count_down(&request->done, 1);
        request = next;
    }
}

static bool has_work(void)
{
    return watcher.armed || watcher.kept || watcher.requests;
}

/* Nothing to do for long enough: may it end? Then it has. */
static bool ends(void)
{
    pthread_mutex_lock(&lock);
    void (*at_rest)(void) = has_work() ? NULL : watcher.at_rest;
    pthread_mutex_unlock(&lock);
    if (at_rest) at_rest();

    pthread_mutex_lock(&lock);
    bool end = !has_work();
    if (end) watcher.runs = false;
    pthread_mutex_unlock(&lock);
    return end;
}

static bool is_idle(void)
{
    pthread_mutex_lock(&lock);
    bool idle = !has_work();
    pthread_mutex_unlock(&lock);
    return idle;
}

static void *run(void *arg)
{
    struct epoll_event events[BATCH];
    int epoll = (int)(intptr_t)arg;

    il__thread_set_name("il-watcher");
    for (;;) {
        int count = epoll_wait(epoll, events, BATCH, is_idle() ? LINGER_MS : -1);
        if (!count && ends()) return NULL;
        for (int i = 0; i < count; i++) {
            if (events[i].data.u64) see(events[i].data.u64);
            else answer_requests();
        }
    }
}

/* --- Those who ask, with the lock held ------------------------------------------------------- */

static void nudge(void)
{
    uint64_t one = 1;
    if (write(watcher.nudge, &one, sizeof one) < 0) return; /* it is full: nudged already */
}

static int open_descriptors(void)
{
    struct epoll_event event = { .events = EPOLLIN };

    if (il__refused()) return -EMFILE;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int eventfd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll < 0 || eventfd_ < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, eventfd_, &event)) {
        int failed = errno;
        if (epoll >= 0) close(epoll);
        if (eventfd_ >= 0) close(eventfd_);
        return -failed;
    }
    watcher.epoll = epoll;
    watcher.nudge = eventfd_;
    watcher.owner = getpid();
    return 0;
}

/* A child of fork() has neither the thread nor a right to the descriptors. */
static void forget_parent(void)
{
    close(watcher.epoll);
    close(watcher.nudge);
    for (uint32_t i = 1; i < watcher.count; i++) watcher.slots[i].watch = NULL;
    il__free(watcher.slots);
    watcher.slots = NULL;
    watcher.count = watcher.free = watcher.armed = watcher.kept = 0;
    watcher.requests = NULL;
    watcher.runs = false;
    watcher.owner = 0;
}

static int ensure_thread(void)
{
    if (watcher.owner && watcher.owner != getpid()) forget_parent();
    int status = watcher.owner ? 0 : open_descriptors();
    if (status || watcher.runs) return status;
    pthread_t thread;
    status = il__thread_create(&thread, 0, true, run, (void *)(intptr_t)watcher.epoll);
    watcher.runs = !status;
    return status;
}

static int grow(void)
{
    uint32_t count = watcher.count ? watcher.count * 2 : FIRST_SLOTS;
    struct slot *slots = il__realloc(watcher.slots, count * sizeof *slots);
    if (!slots) return -ENOMEM;
    for (uint32_t i = watcher.count; i < count; i++)
        slots[i] = (struct slot){ .generation = 1, .next_free = i + 1 < count ? i + 1 : 0 };
    watcher.free = watcher.count ? watcher.count : 1;
    watcher.slots = slots;
    watcher.count = count;
    return 0;
}

static uint64_t name_of(uint32_t slot)
{
    return (uint64_t)watcher.slots[slot].generation << 32 | slot;
}

/* Make it known to epoll, or arm it again. */
static int arm(il__watch *watch)
{
    struct epoll_event event = { .events = watch->events | EPOLLONESHOT };
    bool known = watch->slot;

    if (!known) {
        int status = watcher.free ? 0 : grow();
        if (status) return status;
        watch->slot = watcher.free;
    }
    event.data.u64 = name_of(watch->slot);
    if (epoll_ctl(watcher.epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd, &event)) {
        if (!known) watch->slot = 0;
        return -errno;
    }
    if (!known) {
        struct slot *slot = &watcher.slots[watch->slot];
        watcher.free = slot->next_free;
        slot->watch = watch;
    }
    il__store(&watch->armed, true);
    watcher.armed++;
    return 0;
}

/* --- Waiting --------------------------------------------------------------------------------- */

int il__watch_arm(il__watch *watch)
{
    pthread_mutex_lock(&lock);
    int status = ensure_thread();
    if (!status && !watch->armed) status = arm(watch);
    pthread_mutex_unlock(&lock);
    return status;
}

/* Lock its gate, armed or READY. Of several who wait, one may arm it, another be told and go, and a
 * third come in between: so what was armed before the lock is looked at once more. */
static int lock_armed(il__watch *watch, uint64_t *out_word)
{
    for (;;) {
        int status = il__watch_arm(watch);
        if (status) return status;
        *out_word = il__gate_lock(&watch->gate);
        /* Whoever opens the gate disarms first: seen armed here, the gate will be opened after this. */
        if (*out_word & READY || il__load(&watch->armed)) return 0;
        il__gate_unlock(&watch->gate, *out_word);
    }
}

int il__watch_wait(il__watch *watch, const char *what, const void *on, il__cancels cancels,
                   il_time until)
{
    uint64_t word;
    int status = lock_armed(watch, &word);
    if (status) return status;
    if (!(word & READY)) return il__gate_wait(&watch->gate, word, what, on, 0, cancels, until);
    il__gate_unlock(&watch->gate, watch->lasting ? word : word & ~READY);
    return 0;
}

bool il__watch_is_armed(const il__watch *watch)
{
    return il__load(&watch->armed);
}

bool il__watch_is_ready(const il__watch *watch)
{
    return il__load(&watch->gate.word) & READY;
}

int il__watch_tell(il__watch *watch, il__waiter *waiter)
{
    uint64_t word;
    int status = lock_armed(watch, &word);
    if (status) return status;
    if (word & READY) status = -EALREADY;
    else il__gate_add(&watch->gate, waiter);
    il__gate_unlock(&watch->gate, watch->lasting ? word : word & ~READY);
    return status;
}

void il__watch_close(il__watch *watch)
{
    pthread_mutex_lock(&lock);
    if (watch->slot && watcher.owner == getpid()) {
        struct slot *slot = &watcher.slots[watch->slot];
        epoll_ctl(watcher.epoll, EPOLL_CTL_DEL, watch->fd, NULL);
        slot->watch = NULL;
        slot->generation++;
        slot->next_free = watcher.free;
        watcher.free = watch->slot;
        if (watch->armed && !--watcher.armed) nudge(); /* to see that it is idle */
    }
    watch->slot = 0;
    il__store(&watch->armed, false);
    pthread_mutex_unlock(&lock);
}

int il__watcher_call(void (*fn)(void *arg), void *arg, bool keep)
{
    struct request request = { .fn = fn, .arg = arg, .done = { .count = 1 } };

    pthread_mutex_lock(&lock);
    int status = ensure_thread();
    if (!status) {
        watcher.kept += keep;
        request.next = watcher.requests;
        watcher.requests = &request;
        nudge();
    }
    pthread_mutex_unlock(&lock);
    if (!status) il_latch_wait(&request.done);
    return status;
}

void il__watcher_release(void)
{
    pthread_mutex_lock(&lock);
    if (!--watcher.kept) nudge();
    pthread_mutex_unlock(&lock);
}

void il__watcher_at_rest(void (*fn)(void))
{
    pthread_mutex_lock(&lock);
    watcher.at_rest = fn;
    pthread_mutex_unlock(&lock);
}

bool il__watcher_runs(void)
{
    pthread_mutex_lock(&lock);
    bool runs = watcher.runs;
    pthread_mutex_unlock(&lock);
    return runs;
}
