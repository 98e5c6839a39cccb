/* SPDX-License-Identifier: MIT */
/*
 * Worker processes. what=processes: tiny tasks through il_submit, in batches. processes-chunked: il_map
 * with its own chunks over the same items; processes-shared: the same with arrays in shared memory.
 * processes-memory: a map over arrays of many megabytes there. as=threads: the same by il_threads.
 */

#include "il_batch.h"

static void map_batch(int64_t *in, int64_t *out, int64_t count)
{
    bench_must(il_map(pool, task, in, out, (size_t)count, NULL), "map");
}

static int64_t *shared_array(size_t size)
{
    int64_t *array = il_shared_alloc(size);
    if (!array) bench_die("no shared memory");
    memset(array, 1, size);
    return array;
}

/* The same items in shared memory: what is copied to get them there is not the map's. */
static void shared_batches(batch_job *job)
{
    size_t size = (size_t)job->batch * sizeof(int64_t);
    int64_t *in = shared_array(size), *out = shared_array(size), time = 0, sum = 0;

    for (int64_t i = -1; i < job->n / job->batch; i++) {
        for (int64_t k = 0; k < job->batch; k++) in[k] = k;
        int64_t begin = bench_now();
        map_batch(in, out, job->batch);
        if (i >= 0) time += bench_now() - begin;
        for (int64_t k = 0; k < job->batch; k++) sum += out[k] - in[k];
    }
    bench_expect(job->line, sum, job->n + job->batch);
    job->value = (double)time / (double)job->n;
    il_shared_free(in);
    il_shared_free(out);
}

/* n bytes in and as many out, five times after a warm-up. */
static void measure_memory(const char *variant, int64_t n, int workers)
{
    size_t count = (size_t)n / sizeof(int64_t);
    int64_t *in = shared_array((size_t)n), *out = shared_array((size_t)n), times[5];
    uint64_t sum = 0;

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

int main(int argc, char **argv)
{
    batch_job job = batch_asked(argv);
    const char *as = bench_word(argv, "as"), *variant = as ? as : "interlock";

    open_pool(!as || strcmp(as, "threads") != 0, &job);
    if (batch_is(&job, "processes-memory")) {
        measure_memory(variant, job.n, job.workers);
    } else {
        if (batch_is(&job, "processes-shared")) shared_batches(&job);
        else batch_measure(&job, batch_is(&job, "processes-chunked") ? map_batch : submit_batch);
        batch_line(&job, variant);
    }
    close_pool();
    return argc == 0;
}
