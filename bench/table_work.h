/* SPDX-License-Identifier: MIT */
#ifndef TABLE_WORK_H
#define TABLE_WORK_H

/*
 * The table lines as far as they do not look up: numbers of eight bytes as keys and as values, in a
 * table that holds half of them at the start. Of a hundred calls ninety get, five add, five remove,
 * each a random key. A variant supplies the table, and how `workers` of them run.
 *
 * What must be right at the end whatever the order was: each value that is got belongs to its key,
 * and as many keys are in the table as were added (an add says whether it was new) less those that
 * were taken out. Each worker draws from its own sequence, which is the same for everybody.
 */

#include "bench.h"

#include <stdbool.h>

typedef struct table_job {
    int64_t keys, calls; /* calls of each worker */
    int workers;
} table_job;

typedef struct table_worker {
    table_job *job;
    int index;
    int64_t added, wrong;
    char apart[96]; /* no two in a cache line */
} table_worker;

static table_job the_job;
static table_worker table_workers[64];

/* What a variant supplies. */
static bool table_get(uint64_t key, uint64_t *value);
static bool table_add(uint64_t key, uint64_t value); /* true: the key was not there */
static bool table_remove(uint64_t key);              /* true: the key was there */
static int64_t table_count(void);

/* Call table_run(&table_workers[i]) for each worker at the same time; returns the nanoseconds. */
static int64_t table_run_all(void);

static inline uint64_t table_draw(uint64_t *state) /* SplitMix64 */
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline uint64_t table_value(uint64_t key)
{
    return ~key * 3;
}

static inline void table_run(table_worker *me)
{
    uint64_t state = (uint64_t)me->index + 1, keys = (uint64_t)me->job->keys;
    int64_t added = 0, wrong = 0;

    for (int64_t i = me->job->calls; i; i--) {
        uint64_t draw = table_draw(&state), what = draw % 100, value = 0;
        uint64_t key = (draw >> 32) * keys >> 32;

        if (what < 90) wrong += table_get(key, &value) && value != table_value(key);
        else if (what < 95) added += table_add(key, table_value(key));
        else added -= table_remove(key);
    }
    me->added = added;
    me->wrong = wrong;
}

/* Three times after a warm-up; the median. */
static inline void table_measure(char **argv, const char *variant)
{
    int64_t times[3], right;

    the_job.keys = bench_number(argv, "keys", 100000);
    the_job.calls = bench_number(argv, "n", 1000000);
    the_job.workers = (int)bench_number(argv, "workers", 1);
    if (the_job.workers > 64) bench_die("at most 64 workers");
    for (int64_t key = 0; key < the_job.keys; key += 2) {
        table_add((uint64_t)key, table_value((uint64_t)key));
    }
    right = table_count();
    bench_expect("table", right, (the_job.keys + 1) / 2);
    for (int round = -1; round < 3; round++) {
        int64_t time, wrong = 0;

        for (int i = 0; i < the_job.workers; i++) {
            table_workers[i].job = &the_job;
            table_workers[i].index = 64 * (round + 1) + i;
        }
        time = table_run_all();
        for (int i = 0; i < the_job.workers; i++) {
            right += table_workers[i].added;
            wrong += table_workers[i].wrong;
        }
        bench_expect("table", wrong, 0);
        bench_expect("table", table_count(), right);
        if (round >= 0) times[round] = time;
    }
    bench_line("table", variant, the_job.workers,
               (double)(the_job.calls * the_job.workers) * 1e3 / (double)bench_median(times, 3),
               "Mop/s", 1);
}

#endif
