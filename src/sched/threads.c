/* SPDX-License-Identifier: MIT */
/*
 * The threads executor: making a pool, entering tasks, closing, ending.
 *
 * How it knows that it is quiet: tasks are counted where they enter (`begun`, by each worker, and of
 * the pool for those from outside) and where they end (`ended`), in counters that only grow and
 * that only one thread writes. If the sum of `ended`, read first, equals the sum of `begun`, read
 * afterwards, then at the moment in between no task was under way.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <interlock/cpu.h>

#include "base/memory.h"
#include "base/sanitize.h"
#include "os/futex.h"
#include "os/thread.h"
#include "sched/pool.h"
#include "wait/thread_agent.h"

enum { MOST_WORKERS = 4096 };

static il__pool *pool_of(il_executor *executor)
{
    return (il__pool *)executor;
}

/* --- Entering and ending tasks --------------------------------------------------------------- */

static int class_of(const il__task *task)
{
    return task->priority > 0 ? IL__URGENT : task->priority < 0 ? IL__LAZY : IL__NORMAL;
}

static int start_from_outside(il__pool *pool, il__task *task)
{
    unsigned limit = pool->opts.queue_limit;
    int status = 0;

    il__tsan_hand_over(task);
    il__add(&pool->visitors, 1); /* see il__pool_ready */
    il__spin_lock(&pool->inbox_lock);
    if (il__load(&pool->executor.closing)) status = -ESHUTDOWN;
    else if (limit && il__load(&pool->waiting) >= limit) status = -EAGAIN;
    if (!status) {
        task->counted = limit != 0;
        if (limit) il__add(&pool->waiting, 1);
        il__store_release(&pool->begun, pool->begun + 1); /* pairs with is_quiet */
        il__pool_append_locked(pool, class_of(task), &task->job);
    }
    il__spin_unlock(&pool->inbox_lock);
    if (!status) il__pool_announce_from_outside(pool);
    il__sub(&pool->visitors, 1);
    return status;
}

int il__pool_enter(il_executor *executor, il__task *task)
{
    il__pool *pool = pool_of(executor);
    il__worker *worker = il__worker_here();
    if (!worker || worker->pool != pool) return start_from_outside(pool, task);

    il__tsan_hand_over(task);
    il__store_release(&worker->begun, worker->begun + 1); /* pairs with is_quiet */
    if (task->priority) il__pool_append(pool, class_of(task), &task->job);
    else il__worker_push(worker, &task->job);
    il__pool_announce(pool);
    return 0;
}

bool il__pool_is_quiet(il__pool *pool)
{
    uint64_t ended = 0, begun = 0;
    for (unsigned i = 0; i < pool->executor.workers; i++)
        ended += il__load_seq(&pool->workers[i].ended);
    for (unsigned i = 0; i < pool->executor.workers; i++)
        begun += il__load_acquire(&pool->workers[i].begun);
    return ended == begun + il__load_acquire(&pool->begun);
}

void il__pool_task_ended(il__worker *worker)
{
    il__pool *pool = worker->pool;
    il__tsan_hand_over(pool);
    il__store_release(&worker->ended, worker->ended + 1); /* pairs with is_quiet */
    il__fence_light(); /* pairs with the heavy one in close: one of us sees that it is quiet */
    if (il__likely(!il__load(&pool->executor.closing))) return;
    /* Two workers may end the last two tasks at once, and one of them has to see both: a swap is
     * ordered before the loads in is_quiet, a plain store is not. */
    (void)il__swap(&worker->ended, worker->ended);
    if (!il__pool_is_quiet(pool)) return;
    uint64_t word = il__gate_lock(&pool->quiet);
    il__waiter *waiters = il__gate_claim_all(&pool->quiet);
    il__gate_unlock(&pool->quiet, word);
    il__tsan_hand_over(pool); /* destroy: this was our last access on behalf of that task */
    il__deliver_all(waiters);
}

void il__pool_shut(il__pool *pool)
{
    il__spin_lock(&pool->inbox_lock); /* who enters from outside has either counted or sees this */
    il__store_seq(&pool->executor.closing, 1);
    il__spin_unlock(&pool->inbox_lock);
}

static int wait_until_quiet(il__pool *pool, il__cancels cancels, il_time until)
{
    il__pool_shut(pool);
    for (;;) {
        uint64_t word = il__gate_lock(&pool->quiet);
        il__fence_heavy();
        if (il__pool_is_quiet(pool)) {
            il__gate_unlock(&pool->quiet, word);
            il__tsan_receive(pool);
            return 0;
        }
        int status = il__gate_wait(&pool->quiet, word, "executor", pool, 0, cancels, until);
        if (status) return status;
    }
}

int il__pool_close(il_executor *executor, il_time until)
{
    return wait_until_quiet(pool_of(executor), IL__CANCELS, until);
}

/* --- Workers --------------------------------------------------------------------------------- */

void il__worker_be(il__worker *worker)
{
    il__store(&worker->kernel_id, il__thread_kernel_id());
    il__tsan_in_turn(&errno, sizeof errno);
    il__task_cache_open();
    il__worker_set_here(worker);
    il__worker_run(worker);
    il__worker_set_here(NULL);
    il__task_cache_close();
}

static void name_thread(const il__worker *worker)
{
    char name[64];
    const char *pool = worker->pool->name;
    if (worker->pool->idler) snprintf(name, sizeof name, "%s", pool); /* it has but one */
    else snprintf(name, sizeof name, "%s/%u", pool, worker->index);
    il__thread_agent_rename(name);
}

static void *work(void *arg)
{
    il__worker *worker = arg;
    const il_threads_opts *opts = &worker->pool->opts;

    name_thread(worker);
    il__store(&worker->kernel_id, il__thread_kernel_id());
    worker->signal_stack = il__overflow_stack_new();
    worker->status = worker->signal_stack ? 0 : -ENOMEM;
    if (worker->signal_stack && opts->on_worker_start)
        worker->status = opts->on_worker_start(opts->arg);
    bool able = !worker->status;
    il__store_release(&worker->ready, 1); /* pairs with the acquire in start_worker */
    il__futex_wake(&worker->ready, 1);

    if (able) {
        il__worker_be(worker);
        if (opts->on_worker_end) opts->on_worker_end(opts->arg);
    }
    il__overflow_stack_free(worker->signal_stack);
    return NULL;
}

/* All workers are prepared before the first one starts and looks at the others. */
static int prepare_worker(il__pool *pool, unsigned index)
{
    il__worker *worker = &pool->workers[index];
    worker->pool = pool;
    worker->index = index;
    worker->alone = pool->executor.workers == 1;
    worker->random = (index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return il__deque_init(&worker->deque) && il__worker_ensure_spare(worker) ? 0 : -ENOMEM;
}

static int start_worker(il__pool *pool, unsigned index)
{
    il__worker *worker = &pool->workers[index];
    int status = il__thread_create(&worker->thread, 0, false, work, worker);
    if (status) return status;
    worker->joinable = true;
    while (!il__load_acquire(&worker->ready)) il__futex_wait(&worker->ready, 0, IL_FOREVER);
    return worker->status;
}

/* --- The pool -------------------------------------------------------------------------------- */

void il__pool_destroy(il__pool *pool)
{
    for (unsigned round = 0; il__load_seq(&pool->visitors); round++) il__relax(round);
    il__store_seq(&pool->stopping, 1);
    for (unsigned i = 0; i < pool->executor.workers; i++) {
        il__worker *worker = &pool->workers[i];
        if (worker->joinable) il__worker_wake(worker);
    }
    for (unsigned i = 0; i < pool->executor.workers; i++)
        if (pool->workers[i].joinable) pthread_join(pool->workers[i].thread, NULL);
    il__tsan_receive(pool);
    il__pools_remove(pool);
    if (pool->idler) pool->idler->end(pool);
    for (unsigned i = 0; i < pool->executor.workers; i++)
        il__deque_destroy(&pool->workers[i].deque);
    il__stacks_destroy(&pool->stacks);
    il__free(pool->workers);
    il__free(pool);
}

void il__pool_free(il_executor *executor)
{
    il__pool *pool = pool_of(executor);
    il__cancel_fire(&executor->cancel, -ECANCELED);
    wait_until_quiet(pool, IL__PLAIN, IL_FOREVER);
    il__pool_destroy(pool);
}

void il__pool_describe(il_executor *executor, il_executor_info *out_info)
{
    il__pool *pool = pool_of(executor);
    for (unsigned i = 0; i < executor->workers; i++) {
        out_info->started += il__load(&pool->workers[i].started);
        out_info->parked += il__load(&pool->workers[i].parked);
        out_info->stolen += il__load(&pool->workers[i].stolen);
    }
}

static const il__executor_ops ops = {
    .kind = "threads",
    .start = il__pool_enter,
    .close = il__pool_close,
    .free = il__pool_free,
    .describe = il__pool_describe,
};

int il__pool_init(il__pool *pool, const il__executor_ops *executor_ops, const il_threads_opts *opts,
                  unsigned workers)
{
    il__fence_init();
    il__overflow_watch();
    il__executor_init(&pool->executor, executor_ops, 0);
    pool->opts = *opts;
    snprintf(pool->name, sizeof pool->name, "%s", opts->name ? opts->name : "pool");
    pool->executor.name = pool->name;
    pool->next_timer = IL_FOREVER;
    il__stacks_init(&pool->stacks, opts->stack_size);
    il__pools_add(pool);

    pool->workers = il__aligned_zalloc(64, workers * sizeof *pool->workers);
    if (!pool->workers) return -ENOMEM;
    pool->executor.workers = pool->executor.at_once = workers;
    int status = 0;
    for (unsigned i = 0; !status && i < workers; i++) status = prepare_worker(pool, i);
    return status;
}

int il__pool_start(il__pool *pool)
{
    int status = 0;
    for (unsigned i = 0; !status && i < pool->executor.workers; i++) status = start_worker(pool, i);
    return status;
}

int il_threads_new(const il_threads_opts *opts, il_executor **out_executor)
{
    static const il_threads_opts defaults;
    if (!opts) opts = &defaults;
    unsigned workers = opts->workers ? opts->workers : (unsigned)il_cpu_count(NULL);
    if (workers > MOST_WORKERS) return -EINVAL;

    il__pool *pool = il__aligned_zalloc(64, sizeof *pool);
    if (!pool) return -ENOMEM;
    int status = il__pool_init(pool, &ops, opts, workers);
    if (!status) status = il__pool_start(pool);
    if (status) {
        il__pool_destroy(pool);
        return status;
    }
    *out_executor = &pool->executor;
    return 0;
}
