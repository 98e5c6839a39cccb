/* SPDX-License-Identifier: MIT */
#ifndef BATCH_WORK_H
#define BATCH_WORK_H

/*
 * The lines that start tasks which do next to nothing: start, start-future, start-wait from inside
 * a pool, submit, submit-one, submit-cold from outside. They differ in how a batch is started and
 * ended, which each variant supplies; what a task does, the timing and the check are here.
 *
 * A batch of one is a round trip. With a pause before each batch, long enough for the pool to go
 * to sleep, the median of the batches is reported instead of their mean.
 */

#include "bench.h"

/* Do task(in[i], &out[i]) for each i < count, and return when all have ended. */
typedef void batch_fn(int64_t *in, int64_t *out, int64_t count);

typedef struct batch_job {
    const char *line;
    int64_t n, batch, pause;
    int workers;
    double value; /* nanoseconds a task */
} batch_job;

/* What a task does. */
static inline int64_t batch_task(int64_t in)
{
    return in + 1;
}

static inline batch_job batch_asked(char **argv)
{
    const char *line = bench_word(argv, "what");
    int64_t batch = bench_number(argv, "batch", 1000);
    int64_t n = bench_number(argv, "n", 100000) / batch * batch;
    batch_job job = { line ? line : "start",
                      n,
                      batch,
                      bench_number(argv, "pause", 0),
                      (int)bench_number(argv, "workers", 1),
                      0 };

    if (n < batch) bench_die("n is smaller than a batch");
    return job;
}

static inline int batch_is(const batch_job *job, const char *line)
{
    return !strcmp(job->line, line);
}

static inline void batch_measure(batch_job *job, batch_fn *run)
{
    int64_t *in = (int64_t *)bench_array((size_t)job->batch, sizeof *in);
    int64_t *out = (int64_t *)bench_array((size_t)job->batch, sizeof *out);
    int64_t batches = job->n / job->batch, sum = 0, total = 0;
    int64_t *times = (int64_t *)bench_array((size_t)batches, sizeof *times);

    for (int64_t i = -1; i < batches; i++) { /* the first one warms up */
        for (int64_t k = 0; k < job->batch; k++) in[k] = i * job->batch + k;
        if (job->pause) bench_sleep(job->pause);

        int64_t start = bench_now();
        run(in, out, job->batch);
        int64_t time = bench_now() - start;

        for (int64_t k = 0; k < job->batch; k++) sum += out[k] - in[k];
        if (i >= 0) total += times[i] = time;
    }
    bench_expect(job->line, sum, job->n + job->batch);
    job->value = job->pause ? (double)bench_median(times, (size_t)batches) / (double)job->batch
                            : (double)total / (double)job->n;
    free(in);
    free(out);
    free(times);
}

static inline void batch_line(const batch_job *job, const char *variant)
{
    bench_line(job->line, variant, job->workers, job->value, "ns", 1);
}

#endif
