/* SPDX-License-Identifier: MIT */
#ifndef LOOP_WORK_H
#define LOOP_WORK_H

/*
 * The lines of a loop. A thread outside wakes the loop, waits until the loop has answered by a store,
 * a little longer, so that the loop sleeps again, and so on; the time is from before the wake-up to
 * the answer, the median of all. And timers: each is set to a time of its own in the next second,
 * nearly all are taken back, as timeouts are; then those that are left ring.
 */

#include "bench.h"

enum { PAUSE_NS = 20000 };

static int64_t loop_answered; /* atomic: rounds */

static inline void loop_answer(void)
{
    __atomic_fetch_add(&loop_answered, 1, __ATOMIC_RELEASE);
}

static inline void loop_wake_line(const char *variant, int64_t n, void (*wake)(void *), void *arg)
{
    int64_t *times = (int64_t *)bench_array((size_t)n, sizeof *times);
    for (int64_t i = -100; i < n; i++) {
        int64_t rest = bench_now() + PAUSE_NS;
        while (bench_now() < rest) continue;
        int64_t before = __atomic_load_n(&loop_answered, __ATOMIC_ACQUIRE), start = bench_now();
        wake(arg);
        while (__atomic_load_n(&loop_answered, __ATOMIC_ACQUIRE) == before) continue;
        if (i >= 0) times[i] = bench_now() - start;
    }
    qsort(times, (size_t)n, sizeof *times, bench_order);
    bench_line("loop-wake", variant, 1, (double)times[n / 2] / 1e3, "us", 1);
    free(times);
}

/* Where in its second the i-th timer is due, in nanoseconds: all over it. */
static inline int64_t loop_due(int64_t i)
{
    return (int64_t)((uint64_t)i * UINT64_C(0x9e3779b97f4a7c15) % 1000000000u);
}

/* One in so many rings, the rest is taken back. */
enum { LOOP_RINGS = 100 };

#endif
