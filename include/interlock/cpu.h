/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_CPU_H
#define INTERLOCK_CPU_H

/*
 * How many CPUs there are, and how many of them are ours. In a container the two differ, and a
 * pool of the first size is slower than one of the second.
 */

#include <interlock/api.h>

IL__BEGIN

typedef struct il_cpus {
    int online;   /* running in the machine */
    int affinity; /* this process may run on (sched_getaffinity) */
    double quota; /* CPU seconds a second that the cgroup allows, 0.0 when it sets no limit */
    int usable;   /* the smaller of affinity and quota rounded up; at least 1 */
} il_cpus;

/* Counts afresh at each call, since affinity and quota change. Fills *out_cpus unless it is NULL
 * and returns .usable. Never waits, never fails: what cannot be read sets no limit. */
IL_API int il_cpu_count(il_cpus *out_cpus);

IL__END

#endif
