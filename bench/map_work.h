/* SPDX-License-Identifier: MIT */
#ifndef MAP_WORK_H
#define MAP_WORK_H

/*
 * The map lines as far as they do not run in parallel: what is done for an item, and how a map is
 * timed. `map` has very many items of a few instructions; `map-uneven` has fewer whose cost grows
 * from the first to the last, and one in 512 that costs a hundred times as much.
 */

#include "bench.h"

/* A function for an item, called through a pointer by whoever takes one. */
typedef int item_fn(void *in, void *out);

static inline uint64_t mix(uint64_t x) /* the finaliser of splitmix64 (Steele, Lea, Flood, 2014) */
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static int tiny_item(void *in, void *out)
{
    *(uint64_t *)out = mix(*(uint64_t *)in);
    return 0;
}

/* in: how often to mix. */
static int uneven_item(void *in, void *out)
{
    uint64_t x = *(uint64_t *)in;

    for (uint64_t left = x; left; left--) x = mix(x);
    *(uint64_t *)out = x;
    return 0;
}

typedef struct map_job {
    const char *line;
    int64_t n;
    int workers;
    item_fn *fn; /* set through memory: a peer that takes a pointer cannot see what it points to */
    uint64_t *in, *out;
} map_job;

static inline map_job map_asked(char **argv)
{
    const char *line = bench_word(argv, "what");
    map_job job = { line ? line : "map",
                    bench_number(argv, "n", 100000),
                    (int)bench_number(argv, "workers", 1),
                    tiny_item,
                    NULL,
                    NULL };
    int uneven = !strcmp(job.line, "map-uneven");

    if (uneven) job.fn = uneven_item;
    __asm__ volatile("" : "+r"(job.fn));
    job.in = (uint64_t *)bench_array((size_t)job.n, sizeof *job.in);
    job.out = (uint64_t *)bench_array((size_t)job.n, sizeof *job.out);
    for (int64_t i = 0; i < job.n; i++) {
        uint64_t cost = (uint64_t)(200 * i / job.n + 1);

        job.in[i] = !uneven ? (uint64_t)i : mix((uint64_t)i) % 512 ? cost : cost * 100;
    }
    return job;
}

typedef void map_fn(const map_job *job);

/* The same map five times after a warm-up; the median. */
static inline void map_measure(map_job *job, const char *variant, map_fn *run)
{
    int64_t times[5];
    uint64_t sum = 0;

    run(job);
    for (int i = 0; i < 5; i++) {
        memset(job->out, 0, (size_t)job->n * sizeof *job->out);
        times[i] = bench_now();
        run(job);
        times[i] = bench_now() - times[i];
    }
    for (int64_t i = 0; i < job->n; i++) sum = sum * 31 + job->out[i];
    free(job->in);
    free(job->out);
    bench_line(job->line, variant, job->workers, (double)bench_median(times, 5) / (double)job->n,
               "ns", (int64_t)(sum >> 1));
}

#endif
