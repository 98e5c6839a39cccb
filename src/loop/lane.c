/* SPDX-License-Identifier: MIT */
/*
 * Lanes: threads that do nothing but block.
 *
 * `lock` guards all lanes and the link of each errand; a gate's lock is taken under it by nobody. Bits
 * of an errand's gate: DONE, it has run; LEFT, nobody waits for it any more. Whoever sets the second
 * of the two releases it. One that is left before a thread took it never runs: a lane full of calls
 * that hang does not pile up more of them.
 *
 * Threads are the kernel's, unknown to the library, as the watcher's is (proc/watcher.c). libuv has
 * such threads too, four for everything; not used, since two names that hang would leave two for all
 * other names and files, and since they cannot be waited for outside a loop.
 */

#include "loop/lane.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "os/thread.h"

#define DONE (UINT64_C(1) << IL__GATE_SHIFT)
#define LEFT (UINT64_C(2) << IL__GATE_SHIFT)

enum { LINGER = 1, STACK = 256 << 10 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER; /* errands, on CLOCK_REALTIME */

il__lane il__lane_names = { .most = 16 };
il__lane il__lane_files = { .most = 4 };

/* --- The threads ----------------------------------------------------------------------------- */

static void run(il__errand *errand)
{
    errand->run(errand);
    uint64_t word = il__gate_lock(&errand->gate);
    il__waiter *waiter = il__gate_claim(&errand->gate);
    il__gate_unlock(&errand->gate, word | DONE); /* its last access, unless it was left */
    if (waiter) il__deliver(waiter->agent);
    if (word & LEFT) errand->release(errand);
}

/* The next errand; NULL: there was none for long enough. Locked. */
static il__errand *next(il__lane *lane)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LINGER;
    int late = 0;
    lane->idle++;
    while (!il__list_first(&lane->errands) && !late)
        late = pthread_cond_timedwait(&more, &lock, &until);
    lane->idle--;
    il__link *link = il__list_take(&lane->errands);
    return link ? il__of(link, il__errand, link) : NULL;
}

static void *be_a_thread(void *arg)
{
    il__lane *lane = arg;
    il__thread_set_name(lane == &il__lane_names ? "il-names" : "il-files");
    pthread_mutex_lock(&lock);
    for (il__errand *errand; (errand = next(lane));) {
        pthread_mutex_unlock(&lock);
        run(errand);
        pthread_mutex_lock(&lock);
    }
    lane->threads--;
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* --- Those who ask --------------------------------------------------------------------------- */

static void forget_parent(il__lane *lane)
{
    if (lane->owner == getpid()) return;
    lane->owner = getpid();
    lane->threads = lane->idle = 0;
    lane->errands = (il__list){ 0 };
}

static size_t length(const il__list *list)
{
    size_t count = 0;
    for (il__link *link = il__list_first(list); link; link = il__list_next(link)) count++;
    return count;
}

/* A thread for one errand more, if that needs one. */
static int ensure_thread(il__lane *lane)
{
    if (lane->idle > length(&lane->errands) || lane->threads == lane->most) return 0;
    pthread_t thread;
    int status = il__thread_create(&thread, STACK, true, be_a_thread, lane);
    if (!status) lane->threads++;
    return lane->threads ? 0 : status; /* one that is busy will come to it */
}

int il__lane_start(il__lane *lane, il__errand *errand)
{
    errand->lane = lane;
    pthread_mutex_lock(&lock);
    forget_parent(lane);
    int status = ensure_thread(lane);
    if (!status) {
        il__list_append(&lane->errands, &errand->link);
        pthread_cond_broadcast(&more);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

/* Nobody waits any more. */
static void leave(il__errand *errand)
{
    pthread_mutex_lock(&lock);
    bool waits = il__linked(&errand->link);
    if (waits) il__list_remove(&errand->lane->errands, &errand->link);
    pthread_mutex_unlock(&lock);
    uint64_t word = il__gate_lock(&errand->gate);
    il__gate_unlock(&errand->gate, word | LEFT);
    if (waits || word & DONE) errand->release(errand);
}

int il__lane_wait(il__errand *errand, const char *what, const void *on, il_time until)
{
    uint64_t word = il__gate_lock(&errand->gate);
    if (word & DONE) {
        il__gate_unlock(&errand->gate, word);
        return 0;
    }
    int status = il__gate_wait(&errand->gate, word, what, on, 0, IL__CANCELS, until);
    if (status) leave(errand);
    return status;
}
