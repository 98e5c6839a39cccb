/* SPDX-License-Identifier: MIT */
/*
 * Start and end of a task with Interlock, from inside the pool:
 *   start         il_go in a scope, never waits
 *   start-future  il_submit, then il_future_get, never waits
 *   start-wait    il_go, waits once: all of the batch are parked before they are woken
 */

#include "batch_work.h"
#include <interlock.h>

static il_executor *pool;
static il_future **futures;
static il_latch arrived;
static il_event gate;

static int task(void *in, void *out)
{
    *(int64_t *)out = batch_task(*(int64_t *)in);
    return 0;
}

static int waiting_task(void *in, void *out)
{
    il_latch_count_down(&arrived, 1);
    il_event_wait(&gate);
    return task(in, out);
}

static void go_batch(int64_t *in, int64_t *out, int64_t count)
{
    il_scope *scope = NULL;

    bench_must(il_scope_open(NULL, &scope), "scope");
    for (int64_t i = 0; i < count; i++) bench_must(il_go(scope, task, &in[i], &out[i]), "go");
    bench_must(il_scope_close(scope), "tasks");
}

static void waiting_batch(int64_t *in, int64_t *out, int64_t count)
{
    il_scope *scope = NULL;

    arrived = (il_latch){ .count = (uint32_t)count };
    il_event_clear(&gate);
    bench_must(il_scope_open(NULL, &scope), "scope");
    for (int64_t i = 0; i < count; i++) {
        bench_must(il_go(scope, waiting_task, &in[i], &out[i]), "go");
    }
    il_latch_wait(&arrived);
    il_event_set(&gate);
    bench_must(il_scope_close(scope), "tasks");
}

static void future_batch(int64_t *in, int64_t *out, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        bench_must(il_submit(pool, task, &in[i], sizeof *in, sizeof *out, NULL, &futures[i]),
                   "submit");
    }
    for (int64_t i = 0; i < count; i++) {
        bench_must(il_future_get(futures[i], IL_FOREVER, &out[i]), "task");
        il_future_free(futures[i]);
    }
}

static int root(void *in, void *out)
{
    batch_job *job = *(batch_job **)in;

    batch_measure(job, batch_is(job, "start-wait")     ? waiting_batch
                       : batch_is(job, "start-future") ? future_batch
                                                       : go_batch);
    return 0;
}

int main(int argc, char **argv)
{
    batch_job job = batch_asked(argv), *pointer = &job;
    il_future *future = NULL;

    futures = bench_array((size_t)job.batch, sizeof(il_future *));
    bench_must(il_threads_new(&(il_threads_opts){ .workers = (unsigned)job.workers }, &pool),
               "pool");
    bench_must(il_submit(pool, root, &pointer, sizeof pointer, 0, NULL, &future), "submit");
    bench_must(il_future_get(future, IL_FOREVER, NULL), "root task");
    il_future_free(future);
    il_executor_free(pool);
    free(futures);
    batch_line(&job, "interlock");
    return argc == 0;
}
