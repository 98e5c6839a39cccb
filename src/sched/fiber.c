/* SPDX-License-Identifier: MIT */
/*
 * Fibers: how they park and yield, and the loop in which each begins.
 *
 * Whatever is to happen to a fiber that stops running must wait until its stack is no longer in use:
 * so the one that is switched to does it (`after`). All of `worker` here is its own thread's.
 * After any switch the fiber may be on another worker: it asks itself which (fiber->worker).
 */

#include "sched/fiber.h"

#include <errno.h>

#include "base/fatal.h"
#include "base/probe.h"
#include "base/sanitize.h"
#include "os/clock.h"
#include "sched/pool.h"

/* Every so many switches a worker looks beyond its own queue, however full that is. */
enum { FAIRNESS = 64, STACK_CACHE = 32, PATIENCE = 1024 };

static void loop(void *arg);

/* --- Stacks -------------------------------------------------------------------------------- */

static il__fiber *take_stack(il__worker *worker)
{
    if (!worker->stacks)
        worker->stacks = il__stacks_get(&worker->pool->stacks, STACK_CACHE, &worker->stack_count);
    il__fiber *fiber = worker->stacks;
    if (!fiber) return NULL;
    worker->stacks = (il__fiber *)fiber->job.next;
    worker->stack_count--;
    il__prefetch(worker->stacks);
    return fiber;
}

static void put_stack(il__worker *worker, il__fiber *fiber)
{
    fiber->job.next = (il__job *)worker->stacks;
    worker->stacks = fiber;
    if (++worker->stack_count < 2 * STACK_CACHE) return;

    il__fiber *last = fiber;
    for (int i = 1; i < STACK_CACHE; i++) last = (il__fiber *)last->job.next;
    worker->stacks = (il__fiber *)last->job.next;
    worker->stack_count -= STACK_CACHE;
    il__stacks_put(&worker->pool->stacks, fiber, last, STACK_CACHE);
}

/* A fiber that is a loop: one that was left, and goes on where it was, or a new one. */
static il__fiber *take_loop(il__worker *worker)
{
    il__fiber *fiber = take_stack(worker);
    if (!fiber) return NULL;
    fiber->worker = worker;
    if (fiber->is_loop) return fiber;
    fiber->is_loop = true;
    fiber->pool = worker->pool;
    fiber->agent.ops = &il__fiber_ops; /* the rest is zero, as its pages were */
    il__context_make(&fiber->context, fiber->context.low, fiber->context.size, loop, fiber);
    return fiber;
}

bool il__worker_ensure_spare(il__worker *worker)
{
    if (il__unlikely(!worker->spare)) worker->spare = take_loop(worker);
    return worker->spare;
}

/* --- Switching ----------------------------------------------------------------------------- */

/* `from` has stopped running on this worker: do what it asked for. */
static void see_to_previous(il__worker *worker)
{
    il__fiber *from = worker->previous;
    il__after after = worker->after;
    worker->after = IL__NOTHING;
    il__tsan_receive(worker); /* its thread at its start, which set up thread-locals */
    /* What the tasks of a loop share is shared without locks: each sees what the others did. */
    if (worker->pool->idler) il__tsan_receive(&worker->native);

    if (after == IL__REQUEUE) {
        il__worker_push(worker, &from->job);
        il__pool_announce(worker->pool); /* what runs instead of it may run for long */
    } else if (after == IL__RELEASE) {
        put_stack(worker, from);
    } else if (after == IL__COMMIT) {
        uint32_t word = il__load(&from->agent.word);
        while ((word & IL__PHASE) != IL__WOKEN)
            if (il__cas_weak(&from->agent.word, &word, word | IL__PARKED)) return;
        il__worker_push(worker, &from->job); /* woken before it was parked */
        il__pool_announce(worker->pool);     /* this worker may have a long job before it */
    }
}

/* Run `to` on this worker instead of `from`. Returns when `from` runs again. */
static void switch_to(il__worker *worker, il__fiber *from, il__fiber *to, il__after after)
{
    worker->previous = from;
    worker->after = after;
    il__store(&worker->current, to);
    to->worker = worker;
    il__self_set(&to->agent);
    il__tsan_hand_over(&worker->native); /* received at the end of the thread, and only there */
    if (after == IL__RELEASE) il__tsan_hand_over(from); /* received by who gives its memory back */
    il__context_switch(&from->context, &to->context, false);
    see_to_previous(from->worker);
}

/* Stop running `fiber`; its worker goes on with the next job, or as the spare loop. errno is the
 * fiber's: it goes with it. */
static void switch_away(il__fiber *fiber, il__after after)
{
    il__worker *worker = fiber->worker;
    il__fiber *to = NULL;
    int saved_errno = *worker->errno_at;

    if ((worker->tick + 1) % FAIRNESS) { /* else il__worker_next counts it, and sees to the rest */
        worker->tick++;
        il__job *job = il__worker_next_own(worker);
        if (job && job->kind == IL__FIBER) to = (il__fiber *)job;
        else worker->handoff = job;
    }
    if (to) {
        il__worker_mind_timers(worker);
    } else {
        to = worker->spare;
        worker->spare = NULL;
    }
    switch_to(worker, fiber, to, after);
    *fiber->worker->errno_at = saved_errno;
}

static void park(il__agent *self, il_time until)
{
    il__fiber *fiber = il__fiber_of(self);
    il__worker *worker = fiber->worker;
    if ((il__load(&self->word) & IL__PHASE) == IL__WOKEN) return;

    il__fiber_settle(self);
    if (!self->since) il__store(&self->since, il__now_coarse());
    if (until != IL_FOREVER) il__timer_set(fiber->pool, fiber, until);
    il__bump(&worker->parked);
    switch_away(fiber, IL__COMMIT);
    if (until != IL_FOREVER) il__timer_clear(fiber->pool, fiber);
}

static void unpark(il__agent *agent)
{
    il__fiber *fiber = il__fiber_of(agent);
    il__pool_ready(fiber->pool, &fiber->job);
}

static void yield(il__agent *self)
{
    il__fiber *fiber = il__fiber_of(self);
    il__worker *worker = fiber->worker;
    il__fiber_settle(self);
    /* Alone here: every now and then the loop looks for others all the same. */
    if (il__queue_empty(&worker->queue) && (worker->tick + 1) % FAIRNESS) worker->tick++;
    else switch_away(fiber, IL__REQUEUE);
}

/* Its forks become jobs like any other: see the invariants of the deque. */
void il__fiber_settle(il__agent *agent)
{
    il__worker *worker = il__fiber_of(agent)->worker;
    if (worker->deque.owner.top == worker->deque.slots) return;
    il__deque_empty_out(&worker->deque, il__fork_leave, agent);
}

static bool runs_now(il__pool *pool, const il__agent *agent)
{
    for (unsigned i = 0; i < pool->executor.workers; i++) {
        il__fiber *fiber = il__load(&pool->workers[i].current);
        if (fiber && &fiber->agent == agent) return true; /* an address, and no more */
    }
    return false;
}

/* An owner that runs on another worker is about to give back, sooner than a switch there and back
 * would take; whoever else is in the queue here may well want the same lock. One that does not run
 * needs a worker; ours, if this has nothing else to do. */
static unsigned patience(il__agent *self, const il__agent *owner)
{
    il__worker *worker = il__fiber_of(self)->worker;
    il__pool *pool = worker->pool;
    if (worker->alone) return 0;
    if (runs_now(pool, owner)) return PATIENCE;
    return il__queue_empty(&worker->queue) ? PATIENCE / 4 : 0;
}

const il__agent_ops il__fiber_ops = {
    .park = park,
    .unpark = unpark,
    .yield = yield,
    .settle = il__fiber_settle,
    .patience = patience,
};

/* --- The loop ------------------------------------------------------------------------------ */

/* Go on with a fiber that was parked. This loop becomes the spare, or rests in the cache. */
static void resume(il__fiber *self, il__fiber *fiber)
{
    il__worker *worker = self->worker;
    bool has_spare = worker->spare;
    if (!has_spare) worker->spare = self;
    switch_to(worker, self, fiber, has_spare ? IL__RELEASE : IL__NOTHING);
}

/* The agent is as good as new for the next task. */
static void renew(il__agent *agent, uint64_t parent)
{
    agent->id = 0;
    il__store(&agent->parent, parent);
    il__store(&agent->since, 0);
    il__store(&agent->waits, 0);
}

static void run_task(il__fiber *self, il__task *task)
{
    bool able = il__worker_ensure_spare(self->worker);
    il__tsan_receive(task);
    renew(&self->agent, task->parent);
    il__bump(&self->worker->started);
    if (il__unlikely(task->counted)) il__sub(&self->pool->waiting, 1);
    if (able) il__task_run(task);
    else il__task_refuse(task, -ENOMEM);
}

static void run_fork(il__fiber *self, il_fork *fork)
{
    bool able = il__worker_ensure_spare(self->worker);
    renew(&self->agent, fork->parent);
    if (able) il__fork_run(fork);
    else il__fork_refuse(fork, -ENOMEM);
}

/* Back to the thread's own stack, for good when the pool stops; else il__worker_run goes on here. */
static void leave(il__fiber *self)
{
    il__worker *worker = self->worker;
    il__tsan_hand_over(&worker->native);
    il__context_switch(&self->context, &worker->native, il__load(&worker->pool->stopping));
    il__tsan_receive(worker);
}

static void loop(void *arg)
{
    il__fiber *self = arg;
    see_to_previous(self->worker);
    for (;;) {
        il__worker *worker = self->worker;
        il__job *job = worker->handoff;
        if (job) worker->handoff = NULL;
        else job = il__worker_next(worker);
        if (!job) {
            leave(self);
            continue;
        }
        il__probe(IL__PROBE_RUN, job);
        il__worker_mind_timers(worker);
        if (job->kind == IL__FIBER) {
            resume(self, (il__fiber *)job);
            continue;
        }
        if (job->kind == IL__TASK) {
            run_task(self, (il__task *)job);
            il__pool_task_ended(self->worker);
        } else {
            run_fork(self, il__of((void *)job, il_fork, job));
        }
        worker = self->worker;
        /* When a stolen fork was joined before those above it, the deque is empty further up. */
        if (il__unlikely(worker->deque.owner.top != worker->deque.slots)) {
            ptrdiff_t left = il__deque_left(&worker->deque);
            if (left) il__fatal("a task ended without joining %td of its forks", left);
        }
    }
}

void il__worker_run(il__worker *worker)
{
    il__fiber *first = worker->current; /* the loop that left */
    il__agent *thread = il__self();
    if (!first) {
        first = worker->spare;
        worker->spare = NULL;
    }
    worker->errno_at = &errno;
    il__store(&worker->current, first);
    il__context_adopt(&worker->native);
    il__self_set(&first->agent);
    il__tsan_hand_over(worker);
    il__context_switch(&worker->native, &first->context, false);
    il__tsan_receive(&worker->native);
    il__self_set(thread);
}
