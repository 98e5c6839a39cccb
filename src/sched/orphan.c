/* SPDX-License-Identifier: MIT */
/*
 * A pool in the child of a fork: all of its memory, none of its workers. What is asked of it there is
 * refused in so many words, since it would wait for ever.
 *
 * If it was a task that forked, the child is the thread of a worker on the stack of that task. It may
 * go on as any thread may: from now on it waits in the kernel. But it may not return to the
 * worker's loop, where the tasks of the parent would run a second time; so a job that ends it
 * lies in wait there.
 */

#include <errno.h>

#include <interlock/fork.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "sched/pool.h"
#include "task/future.h"
#include "task/scope.h"
#include "wait/thread_agent.h"

static int refuse(il_executor *executor, il__task *task)
{
    (void)task;
    return il_fail(-ESHUTDOWN,
                   "the workers of pool \"%s\" stayed in the process that forked this one",
                   ((il__pool *)executor)->name);
}

static int close_orphan(il_executor *executor, il_time until)
{
    (void)until;
    return refuse(executor, NULL);
}

static void free_orphan(il_executor *executor)
{
    il__pool *pool = (il__pool *)executor;
    for (unsigned i = 0; i < executor->workers; i++) il__deque_destroy(&pool->workers[i].deque);
    il__stacks_destroy(&pool->stacks);
    il__free(pool->workers);
    if (pool->idler) pool->idler->free_orphan(pool);
    else il__free(pool);
}

static void describe(il_executor *executor, il_executor_info *out_info)
{
    /* All that was counted is the parent's. */
    const il__pool *pool = (il__pool *)executor;
    if (pool->idler) out_info->kind = pool->idler->kind;
}

static const il__executor_ops ops = {
    .kind = "threads",
    .start = refuse,
    .close = close_orphan,
    .free = free_orphan,
    .describe = describe,
};

static int end_child(void *in, void *out)
{
    (void)in, (void)out;
    il__fatal("a task that forked returned in the child: end that by exec, exit or _exit");
}

static il_fork last_job = { .fn = end_child, .job = { .kind = IL__FORK } };

/* What a task touches when it ends may have been locked by a thread that is not here. */
static void free_locks(il__task *task)
{
    for (; task; task = task->around) {
        if (task->future) task->future->gate = (il__gate){ 0 };
        if (!task->scope) continue;
        task->scope->gate.waiters = NULL;
        task->scope->gate.word &= ~IL__GATE_BITS;
    }
}

/* The current thread was a worker of it. */
static void leave_worker(il__worker *worker)
{
    il__agent *self = il__self();
    free_locks(self->task);
    if (self->ops == &il__fiber_ops) self->ops = il__thread_agent_here()->agent.ops;
    worker->handoff = &last_job.job;
}

/* Whatever its locks guard is of no use any more, and they may be held by threads that are not here. */
void il__pool_orphan(il__pool *pool)
{
    il__worker *here = il__worker_here();
    pool->executor.ops = &ops;
    pool->executor.cancel.lock = (il__spin){ 0 };
    pool->inbox_lock = pool->timers_lock = pool->idle = pool->stacks.lock = (il__spin){ 0 };
    pool->quiet = (il__gate){ 0 };
    if (pool->idler) pool->idler->orphan(pool);
    if (here && here->pool == pool) leave_worker(here);
}
