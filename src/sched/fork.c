/* SPDX-License-Identifier: MIT */
/*
 * Fork and join, where the inline part gives up: no pool, a full deque, a thief that asks, a fork
 * that somebody else has.
 *
 * A fork leaves its owner's hands when it is made public or when its fiber parks. From then on it
 * needs what a task has (where it belongs, a gate to be waited for at), and gets it: leave(). Then it
 * either comes back to its owner, who runs it in place, or is run by a worker, whose unlocking of
 * `done` is its last access.
 */

#include <interlock/fork.h>

#include "base/atomic.h"
#include "base/sanitize.h"
#include "sched/pool.h"
#include "task/scope.h"

#define DONE (UINT64_C(1) << IL__GATE_SHIFT)

static il__deque nowhere; /* of threads that are no workers: nothing can be started there */

__attribute__((used, visibility("default"))) __thread il__deque *il__here = &nowhere;

#if !defined(__x86_64__) || defined(__ILP32__)
__attribute__((noinline)) il__deque *il__deque_here(void)
{
    __asm__ volatile("");
    return il__here;
}
#endif

il__worker *il__worker_here(void)
{
    il__deque *deque = il__deque_here();
    return deque == &nowhere ? NULL : (il__worker *)deque;
}

__attribute__((noinline)) void il__worker_set_here(il__worker *worker)
{
    __asm__ volatile("");
    il__here = worker ? &worker->deque.owner : &nowhere;
}

/* It becomes visible to others. */
static void make_visible(il_fork *fork, il__agent *agent)
{
    if (agent->cancel) il__cancel_enter(agent->cancel, agent);
    fork->local = false;
    fork->status = 0;
    fork->job = (il__job){ .kind = IL__FORK };
    fork->cancel = agent->cancel;
    fork->scope = agent->scope;
    fork->executor = agent->executor;
    fork->note = NULL;
    fork->parent = il__agent_id(agent);
    fork->done = (il__gate){ 0 };
    il__tsan_hand_over(fork);
}

static void make_public(il_fork *fork, void *agent)
{
    make_visible(fork, agent);
}

void il__fork_leave(il_fork *fork, void *agent)
{
    il__worker *worker = il__fiber_of(agent)->worker;
    make_visible(fork, agent);
    il__worker_push(worker, &fork->job);
    il__pool_announce(worker->pool);
}

void il__fork_start_slow(il_fork *fork)
{
    il__worker *worker = il__worker_here();
    fork->local = true;
    if (!worker || worker->deque.owner.top == worker->deque.end) return;

    fork->local = false;
    il__store(worker->deque.owner.top, fork);
    worker->deque.owner.top++;
    il__deque_share(&worker->deque, make_public, il__self());
    il__pool_announce(worker->pool);
}

int il__fork_join_slow(il_fork *fork)
{
    il__worker *worker = il__worker_here();
    if (worker && il__deque_take(&worker->deque, fork)) return fork->fn(fork->in, fork->out);
    if (fork->local) return fork->fn(fork->in, fork->out);

    uint64_t word = il__gate_lock(&fork->done);
    if (word & DONE) il__gate_unlock(&fork->done, word);
    else il__gate_wait(&fork->done, word, "fork", fork, 0, IL__PLAIN, IL_FOREVER);
    if (fork->note) il__agent_note(il__self(), fork->note);
    return fork->status;
}

static void end(il_fork *fork, int status, il__error *note)
{
    il__gate_lock(&fork->done);
    fork->status = status;
    fork->note = note;
    il__waiter *waiter = il__gate_claim(&fork->done);
    il__agent *joiner = waiter ? waiter->agent : NULL;
    il__gate_unlock(&fork->done, DONE);
    if (joiner) il__deliver(joiner);
}

void il__fork_run(il_fork *fork)
{
    il__frame frame;
    il__tsan_receive(fork);
    il__task task = { .executor = fork->executor, .scope = fork->scope };
    il__cancel_init(&task.cancel, fork->cancel, 0);

    il__frame_enter(&frame, &task);
    int status = fork->fn(fork->in, fork->out);
    il__error *note = status < 0 ? il__frame_error(&frame, status) : NULL;
    il__frame_leave(&frame);
    end(fork, status, note);
}

void il__fork_refuse(il_fork *fork, int status)
{
    end(fork, status, il__error_plain(status, "", NULL));
}
