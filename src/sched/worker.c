/* SPDX-License-Identifier: MIT */
/*
 * Where a worker finds its next job, and how it sleeps when there is none.
 *
 * The order: its own queue; timers; the inbox; other workers (half of a queue, or a fork); then a
 * short search in a circle; then sleep. Every now and then timers are seen to, and the queue is
 * filled up from the inbox, however full it is, so that a busy queue does not starve them.
 *
 * Nobody sleeps beside work. Who makes work visible looks at `sleeping` and `searching` after a
 * light fence; who goes to sleep stops searching, says that it sleeps, and looks for work once
 * more after a heavy fence. So either the one sees a sleeper and wakes it, or the other sees the
 * work. A searcher that finds something wakes the next, if it was the last that searched: work
 * that came in a bunch is met by one worker more at a time, not by all at once.
 */

#include "base/probe.h"
#include "os/futex.h"
#include "os/thread.h"
#include "sched/pool.h"

enum {
    FAIRNESS = 64,
    SEARCHES = 256, /* some 20 microseconds */
    COURTESY = 32,
    BATCH = 32,
    HESITATION = 256 /* 3 microseconds */
};

/* --- Making jobs runnable -------------------------------------------------------------------- */

void il__pool_append_locked(il__pool *pool, int class, il__job *job)
{
    il__inbox *inbox = &pool->inbox[class];
    job->next = NULL;
    if (inbox->last) inbox->last->next = job;
    else inbox->first = job;
    inbox->last = job;
    il__store(&inbox->queued, inbox->queued + 1);
}

void il__pool_append(il__pool *pool, int class, il__job *job)
{
    il__spin_lock(&pool->inbox_lock);
    il__pool_append_locked(pool, class, job);
    il__spin_unlock(&pool->inbox_lock);
}

/* The queue is full: half of it goes to the inbox, where everybody can have it, and the job. */
static __attribute__((noinline)) void overflow(il__worker *worker, il__job *job)
{
    il__pool *pool = worker->pool;
    il__job *jobs[BATCH];
    il__spin_lock(&pool->inbox_lock);
    for (uint32_t moved = 0, count = 1; count && moved < IL__QUEUE_SIZE / 2; moved += count) {
        count = il__queue_steal(&worker->queue, jobs, BATCH);
        for (uint32_t i = 0; i < count; i++) il__pool_append_locked(pool, IL__NORMAL, jobs[i]);
    }
    il__pool_append_locked(pool, IL__NORMAL, job);
    il__spin_unlock(&pool->inbox_lock);
}

void il__worker_push(il__worker *worker, il__job *job)
{
    if (il__unlikely(!il__queue_push(&worker->queue, job))) overflow(worker, job);
}

void il__pool_ready(il__pool *pool, il__job *job)
{
    il__worker *worker = il__worker_here();
    if (worker && worker->pool == pool) {
        il__worker_push(worker, job);
        il__pool_announce(pool);
        return;
    }
    /* From the append on the job may run, end, and be the last before the pool is freed. */
    il__add(&pool->visitors, 1);
    il__pool_append(pool, IL__NORMAL, job);
    il__pool_announce_from_outside(pool);
    il__sub(&pool->visitors, 1);
}

/* --- Finding jobs ---------------------------------------------------------------------------- */

/* The first job of a class, off the inbox; NULL: there is none. Locked. */
static il__job *take_first(il__pool *pool, int class)
{
    il__inbox *inbox = &pool->inbox[class];
    il__job *job = inbox->first;
    if (!job) return NULL;
    inbox->first = job->next;
    if (!inbox->first) inbox->last = NULL;
    il__prefetch(inbox->first);
    il__store(&inbox->queued, inbox->queued - 1);
    return job;
}

/* A worker's fair share of the normal jobs. Locked. */
static unsigned fair_share(il__pool *pool)
{
    unsigned share = pool->inbox[IL__NORMAL].queued / pool->executor.workers;
    return share < BATCH ? share : BATCH;
}

/* Move up to `count` normal jobs to the end of its own queue, in their order. Locked. Only the
 * normal class is taken ahead: the others are a matter of order. */
static void take_ahead(il__worker *worker, unsigned count)
{
    uint32_t room = il__queue_room(&worker->queue);
    if (count > room) count = room;
    for (il__job *job; count && (job = take_first(worker->pool, IL__NORMAL)); count--)
        il__queue_push(&worker->queue, job);
}

/* Take the first job of a class, and of the normal one a fair share of what follows. */
static il__job *take_from_inbox(il__worker *worker, int class)
{
    il__pool *pool = worker->pool;
    if (!il__load(&pool->inbox[class].queued)) return NULL;

    il__spin_lock(&pool->inbox_lock);
    unsigned share = fair_share(pool);
    il__job *job = take_first(pool, class);
    if (class == IL__NORMAL && share > 1) take_ahead(worker, share - 1);
    il__spin_unlock(&pool->inbox_lock);
    return job;
}

/* A queue that is never empty must not keep the inbox waiting; nor may what stands in the inbox
 * overtake what was taken from there before. So it goes to the end of the queue. */
static void refill(il__worker *worker)
{
    il__pool *pool = worker->pool;
    if (!il__load(&pool->inbox[IL__NORMAL].queued)) return;
    il__spin_lock(&pool->inbox_lock);
    unsigned share = fair_share(pool);
    take_ahead(worker, share ? share : 1);
    il__spin_unlock(&pool->inbox_lock);
}

static unsigned next_random(il__worker *worker)
{
    worker->random ^= worker->random << 13; /* xorshift, Marsaglia 2003 */
    worker->random ^= worker->random >> 7;
    worker->random ^= worker->random << 17;
    return (unsigned)(worker->random >> 32);
}

/* A job alone that its own worker takes while we look is most likely one half of a conversation, woken
 * by the other, which waits by now: it had better stay where it is. */
static bool is_left_lying(il__queue *queue)
{
    uint32_t head = il__load_acquire(&queue->head);
    uint32_t count = il__load_acquire(&queue->tail) - head;
    if (count != 1) return count;
    for (int i = 0; i < HESITATION; i++) il__pause();
    return il__load_acquire(&queue->head) == head;
}

/* Rob one other worker: half of its queue, or its oldest public fork. */
static il__job *rob(il__worker *worker, il__worker *victim)
{
    il__job *jobs[BATCH];
    il__probe(IL__PROBE_STEAL, victim);
    bool some = is_left_lying(&victim->queue);
    uint32_t count = some ? il__queue_steal(&victim->queue, jobs, BATCH) : 0;
    if (count) {
        for (uint32_t i = 1; i < count; i++) il__worker_push(worker, jobs[i]);
        il__store(&worker->stolen, worker->stolen + count);
        return jobs[0];
    }
    il_fork *fork = il__deque_steal(&victim->deque);
    if (!fork) return NULL;
    il__bump(&worker->stolen);
    return &fork->job;
}

static il__job *steal(il__worker *worker)
{
    il__pool *pool = worker->pool;
    unsigned count = pool->executor.workers, first = next_random(worker) % count;
    for (unsigned i = 0; i < count; i++) {
        il__worker *victim = &pool->workers[(first + i) % count];
        il__job *job = victim == worker ? NULL : rob(worker, victim);
        if (job) return job;
    }
    return NULL;
}

il__job *il__worker_next_urgent(il__worker *worker)
{
    il__job *job = take_from_inbox(worker, IL__URGENT);
    return job ? job : il__queue_pop(&worker->queue, worker->alone);
}

static il__job *find(il__worker *worker)
{
    il__timers_expire(worker->pool);
    il__job *job = il__worker_next_own(worker);
    if (!job) job = take_from_inbox(worker, IL__NORMAL);
    if (!job) job = steal(worker);
    if (!job) job = take_from_inbox(worker, IL__LAZY);
    return job;
}

/* --- Sleeping -------------------------------------------------------------------------------- */

static void fall_asleep(il__worker *worker)
{
    il__pool *pool = worker->pool;
    il__spin_lock(&pool->idle);
    worker->asleep = true;
    worker->next_asleep = pool->sleepers;
    pool->sleepers = worker;
    il__store_seq(&pool->sleeping, pool->sleeping + 1);
    il__spin_unlock(&pool->idle);
}

/* Take the worker out of the sleepers; false if whoever woke it has done so. */
static bool get_up(il__worker *worker)
{
    il__pool *pool = worker->pool;
    il__spin_lock(&pool->idle);
    bool was_asleep = worker->asleep;
    if (was_asleep) {
        il__worker **at = &pool->sleepers;
        while (*at != worker) at = &(*at)->next_asleep;
        *at = worker->next_asleep;
        worker->asleep = false;
        il__store_seq(&pool->sleeping, pool->sleeping - 1);
    }
    il__spin_unlock(&pool->idle);
    return was_asleep;
}

void il__worker_wake(il__worker *worker)
{
    il__pool *pool = worker->pool;
    if (pool->idler) {
        pool->idler->wake(pool);
        return;
    }
    il__store_seq(&worker->wake, 1);
    il__futex_wake(&worker->wake, 1);
}

void il__pool_wake_one(il__pool *pool, unsigned jobs)
{
    il__spin_lock(&pool->idle);
    il__worker *worker = il__load(&pool->searching) < jobs ? pool->sleepers : NULL;
    if (worker) {
        pool->sleepers = worker->next_asleep;
        worker->asleep = false;
        il__store_seq(&pool->sleeping, pool->sleeping - 1);
        il__add(&pool->searching, 1); /* on its behalf: nobody need wake another meanwhile */
    }
    il__spin_unlock(&pool->idle);
    if (worker) il__worker_wake(worker);
}

static bool any_queued(il__pool *pool)
{
    bool found = false;
    for (int i = 0; i < IL__CLASSES; i++) found |= il__load_seq(&pool->inbox[i].queued) != 0;
    return found;
}

/* Is anything visible? Asks for what is not. */
static bool any_work(il__worker *worker)
{
    il__pool *pool = worker->pool;
    bool found = any_queued(pool) || il__load(&pool->stopping);
    found |= il__load(&pool->next_timer) <= il_now();
    for (unsigned i = 0; i < pool->executor.workers; i++) {
        il__worker *other = &pool->workers[i];
        if (other == worker) continue;
        found |= !il__queue_empty(&other->queue) || il__deque_has_public(&other->deque);
        il__deque_ask(&other->deque);
    }
    return found;
}

bool il__pool_has_work(il__pool *pool)
{
    return !il__queue_empty(&pool->workers->queue) || any_work(pool->workers);
}

/* If nobody watches the timers, this worker does. */
static bool become_keeper(il__worker *worker)
{
    il__pool *pool = worker->pool;
    il__worker *nobody = NULL;
    if (!il__cas(&pool->keeper, &nobody, worker)) return false;
    il__store_seq(&pool->keeper_until, il__load_seq(&pool->next_timer));
    return true;
}

/* What the keeper said before the fence may be out of date: a timer that was set since either saw a
 * keeper, and woke it, or is seen here. */
static il_time keep_until(il__pool *pool)
{
    il_time until = il__load_seq(&pool->next_timer);
    il__store_seq(&pool->keeper_until, until);
    return until;
}

/* False: it is to leave. */
static bool sleep_now(il__worker *worker, il_time until)
{
    il__pool *pool = worker->pool;
    if (pool->idler) return pool->idler->sleep(pool, until);
    while (!il__load_acquire(&worker->wake))
        if (il__futex_wait(&worker->wake, 0, until)) break;
    return true;
}

/* False: it is to leave. */
static bool sleep_until_work(il__worker *worker)
{
    il__pool *pool = worker->pool;
    bool stays = true;
    il__probe(IL__PROBE_SLEEP, worker);
    fall_asleep(worker);
    bool keeper = become_keeper(worker);
    /* Pairs with the light ones in il__pool_announce and il__timer_set, which are of this very thread
     * if it is the only one, and with the full ones of those outside. */
    if (worker->alone) il__fence_full();
    else il__fence_heavy();
    il_time until = keeper ? keep_until(pool) : IL_FOREVER;
    if (!any_work(worker)) stays = sleep_now(worker, until);

    if (keeper) {
        il__store_seq(&pool->keeper_until, 0);
        il__store_seq(&pool->keeper, NULL);
    }
    if (get_up(worker)) il__add(&pool->searching, 1); /* else whoever woke it has counted it */
    il__store(&worker->wake, 0);
    return stays;
}

/* Look around for a while. The worker is counted as searching. Now and then it lets go of the CPU:
 * the thread that would bring work may have none but this. */
static il__job *search(il__worker *worker)
{
    for (int i = 1; i <= SEARCHES; i++) {
        il__job *job = find(worker);
        if (job) return job;
        if (i % COURTESY) il__pause();
        else il__thread_yield();
    }
    return NULL;
}

/* The last that searched has found something: there may be more, which nobody was woken for because
 * somebody searched. If all others sleep, nothing but what comes from outside can be news, and who
 * is outside has fenced: then a look will tell. */
static void pass_on(il__worker *worker)
{
    il__pool *pool = worker->pool;
    bool only_one = il__load_seq(&pool->sleeping) == pool->executor.workers - 1;
    if (only_one && il__queue_empty(&worker->queue) && !any_queued(pool)) return;
    il__pool_announce(pool);
}

/* An idler does not search: it is told of whatever there is to find. */
static il__job *idle(il__worker *worker)
{
    il__pool *pool = worker->pool;
    il__job *job = NULL;
    for (bool stays = true; !job && stays && !il__load(&pool->stopping);) {
        if (il__stacks_trim(&pool->stacks)) continue;
        stays = sleep_until_work(worker);
        if (stays) job = find(worker);
        il__sub(&pool->searching, 1);
    }
    return job;
}

il__job *il__worker_next(il__worker *worker)
{
    il__pool *pool = worker->pool;
    il__job *job;

    if (++worker->tick % FAIRNESS == 0) {
        if (pool->idler && !pool->idler->poll(pool)) return NULL;
        il__timers_expire(pool);
        job = il__worker_next_own(worker); /* first, so that there is room for one more */
        refill(worker);
        if (job) return job;
    }
    if ((job = find(worker))) return job;
    if (pool->idler) return idle(worker);

    il__add(&pool->searching, 1);
    while (!(job = search(worker)) && !il__load(&pool->stopping)) {
        if (il__stacks_trim(&pool->stacks)) continue;
        il__sub(&pool->searching, 1);
        sleep_until_work(worker);
    }
    if (il__sub(&pool->searching, 1) == 1 && job) pass_on(worker);
    return job;
}
