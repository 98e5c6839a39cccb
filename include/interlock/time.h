/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_TIME_H
#define INTERLOCK_TIME_H

/*
 * Time: absolute, monotonic, in nanoseconds.
 *
 * Whatever can wait takes an absolute deadline, so that a series of waits shares one:
 *
 *     il_time until = il_after(IL_SEC(2));
 *     if (!status) status = il_future_get(a, until, &x);
 *     if (!status) status = il_future_get(b, until, &y);
 *
 * IL_NOW never waits (-EAGAIN instead), IL_FOREVER has no deadline.
 */

#include <interlock/api.h>

IL__BEGIN

typedef int64_t il_time;

#define IL_NOW ((il_time)0)
#define IL_FOREVER INT64_MAX

/* Durations, in nanoseconds. */
#define IL_US(n) ((int64_t)(n)*1000)
#define IL_MS(n) ((int64_t)(n)*1000000)
#define IL_SEC(n) ((int64_t)(n)*1000000000)

/* The time now (CLOCK_MONOTONIC). Never waits. */
IL_API il_time il_now(void);

/* `duration` nanoseconds from now; no overflow: at the far end it is IL_FOREVER. */
IL_API il_time il_after(int64_t duration);

/* Wait until then. Parks the task, not the thread. Returns 0, or -ECANCELED if the task was
 * cancelled first. */
IL_API int il_sleep(il_time until);

IL__END

#endif
