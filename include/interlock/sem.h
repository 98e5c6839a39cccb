/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_SEM_H
#define INTERLOCK_SEM_H

/*
 * Semaphore: so many at a time. Dijkstra took the word from the railway (EWD 35, 1962).
 *
 *     static il_sem seats = { .count = 4 };             // or bounded: { .count = 4, .max = 4 }
 *
 *     il_sem_acquire(&seats);
 *     dine();
 *     il_sem_release(&seats);
 *
 * First come, first served: one that wants many is not overtaken by those that want one. Anybody
 * may release. With .max set, releasing beyond it is -EOVERFLOW and changes nothing. All zero is an
 * unbounded semaphore with nothing to take.
 */

#include <interlock/api.h>
#include <interlock/time.h>

IL__BEGIN

typedef struct il_sem {
    uint32_t count; /* set before use, then the library's */
    uint32_t max;   /* 0: no bound */
    il__gate gate;
} il_sem;

/* Take one, wait for it if need be. _until: 0, -EAGAIN, -ETIMEDOUT, -ECANCELED. */
IL_API void il_sem_acquire(il_sem *sem);
IL_API int il_sem_acquire_until(il_sem *sem, il_time until);

/* Take n at once or none. As above; -EINVAL: more than .max. */
IL_API int il_sem_acquire_many(il_sem *sem, uint32_t n, il_time until);

/* Give one, or n, back. Never waits. 0 or -EOVERFLOW. */
IL_API int il_sem_release(il_sem *sem);
IL_API int il_sem_release_many(il_sem *sem, uint32_t n);

/* How many could be taken; out of date as soon as it returns. */
IL_API uint32_t il_sem_value(il_sem *sem);

IL__END

#endif
