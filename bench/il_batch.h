/* SPDX-License-Identifier: MIT */
#ifndef IL_BATCH_H
#define IL_BATCH_H

/* A batch of tasks by il_submit, then il_future_get of each: to threads and to processes. */

#include "batch_work.h"
#include <interlock.h>

static il_executor *pool;
static il_future **futures;

static int task(void *in, void *out)
{
    *(int64_t *)out = batch_task(*(int64_t *)in);
    return 0;
}

static inline void submit_batch(int64_t *in, int64_t *out, int64_t count)
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

/* The pool, and room for a future each. */
static inline void open_pool(int processes, const batch_job *job)
{
    unsigned workers = (unsigned)job->workers;
    futures = (il_future **)bench_array((size_t)job->batch, sizeof *futures);
    bench_must(processes ? il_processes_new(&(il_processes_opts){ .workers = workers }, &pool)
                         : il_threads_new(&(il_threads_opts){ .workers = workers }, &pool),
               "pool");
}

static inline void close_pool(void)
{
    il_executor_free(pool);
    free(futures);
}

#endif
