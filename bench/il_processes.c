/* SPDX-License-Identifier: MIT */
/*
 * Worker processes. what=processes: tiny tasks through il_submit, in batches. processes-chunked: il_map
 * with its own chunks over the same items. processes-memory: a map over arrays of many megabytes in
 * shared memory. processes-start: a pool of workers, made and freed. as=threads: the same by il_threads.
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

static void map_batch(int64_t *in, int64_t *out, int64_t count)
{
    bench_must(il_map(pool, task, in, out, (size_t)count, NULL), "map");
}

static int make(int threads, unsigned workers)
{
    return threads ? il_threads_new(&(il_threads_opts){ .workers = workers }, &pool)
                   : il_processes_new(&(il_processes_opts){ .workers = workers }, &pool);
}

/* n bytes in and as many out, five times after a warm-up. */
static void measure_memory(const char *variant, int64_t n, int workers)
{
    size_t count = (size_t)n / sizeof(int64_t);
    int64_t *in = il_shared_alloc((size_t)n), *out = il_shared_alloc((size_t)n), times[5];
    uint64_t sum = 0;
    if (!in || !out) bench_die("no shared memory");
    for (size_t i = 0; i < count; i++) in[i] = (int64_t)i;
    for (int i = -1; i < 5; i++) {
        int64_t begin = bench_now();
        map_batch(in, out, (int64_t)count);
        if (i >= 0) times[i] = bench_now() - begin;
    }
    for (size_t i = 0; i < count; i++) sum = sum * 31 + (uint64_t)out[i];
    bench_line("processes-memory", variant, workers, (double)bench_median(times, 5) / 1e6, "ms",
               (int64_t)(sum >> 1));
    il_shared_free(in);
    il_shared_free(out);
}

static void measure_start(const char *variant, int threads, int64_t n, int workers)
{
    int64_t *times = bench_array((size_t)n, sizeof *times);
    for (int64_t i = 0; i < n; i++) {
        int64_t begin = bench_now();
        bench_must(make(threads, (unsigned)workers), "pool");
        times[i] = bench_now() - begin;
        il_executor_free(pool);
    }
    bench_line("processes-start", variant, workers, (double)bench_median(times, (size_t)n) / 1e6,
               "ms", 1);
    free(times);
}

int main(int argc, char **argv)
{
    batch_job job = batch_asked(argv);
    const char *as = bench_word(argv, "as"), *variant = as ? as : "interlock";
    int threads = as && !strcmp(as, "threads");

    if (!strcmp(job.line, "processes-start")) {
        measure_start(variant, threads, job.n, job.workers);
        return 0;
    }
    futures = bench_array((size_t)job.batch, sizeof(il_future *));
    bench_must(make(threads, (unsigned)job.workers), "pool");
    if (!strcmp(job.line, "processes-memory")) {
        measure_memory(variant, job.n, job.workers);
    } else {
        batch_measure(&job, strcmp(job.line, "processes") ? map_batch : submit_batch);
        batch_line(&job, variant);
    }
    il_executor_free(pool);
    free(futures);
    return argc == 0;
}
