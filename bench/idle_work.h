/* SPDX-License-Identifier: MIT */
#ifndef IDLE_WORK_H
#define IDLE_WORK_H

/*
 * The idle line as far as it is not about a pool: the CPU time that this process uses in a second
 * in which nobody asks anything of it, from 100 ms after the last task on.
 */

#include "bench.h"

static inline void idle_measure(char **argv, const char *variant)
{
    int workers = (int)bench_number(argv, "workers", 1);
    int64_t duration = bench_number(argv, "ms", 1000) * 1000000, used;

    bench_sleep(100000000);
    used = bench_cpu_time();
    bench_sleep(duration);
    used = bench_cpu_time() - used;
    bench_line("idle", variant, workers, (double)used * 1e6 / (double)duration, "us/s", 1);
}

#endif
