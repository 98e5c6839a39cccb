/* SPDX-License-Identifier: MIT */
/*
 * Submit with Interlock, from a thread outside the pool: il_submit of a batch, then il_future_get
 * of each. A batch of one is a round trip.
 */

#include "batch_work.h"
#include <interlock.h>

static il_executor *pool;
static il_future **futures;

static int task(void *in, void *out)
{
    *(int64_t *)out = batch_task(*(int64_t *)in);
    return 0;
}

static void submit_batch(int64_t *in, int64_t *out, int64_t count)
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

int main(int argc, char **argv)
{
    batch_job job = batch_asked(argv);

    futures = bench_array((size_t)job.batch, sizeof(il_future *));
    bench_must(il_threads_new(&(il_threads_opts){ .workers = (unsigned)job.workers }, &pool),
               "pool");
    batch_measure(&job, submit_batch);
    il_executor_free(pool);
    free(futures);
    batch_line(&job, "interlock");
    return argc == 0;
}
