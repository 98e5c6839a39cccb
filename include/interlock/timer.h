/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_TIMER_H
#define INTERLOCK_TIMER_H

/*
 * Timer: a call at a time, or every so often, on a loop.
 *
 *     il_timer *heart = NULL;
 *     int status = il_timer_start(loop, il_after(IL_MS(100)), IL_MS(100), beat, &sensor, &heart);
 *     ...
 *     il_timer_free(heart);     // no call runs or comes any more
 *
 * A task that is to wait just sleeps (il_sleep); a timer is for those who want to be called. The call
 * is a callback of the loop's (loop.h): it does not wait, and starts a task where there is something to
 * wait for. A million timers on one loop are practical.
 *
 * A periodic timer does not drift: call number k is due at first + k * period, however late the calls
 * before it came. Beats that the loop was too busy for are not made up for: they are missed, and the
 * next call says how many.
 *
 * States: set; ended (one-shot: called; stopped; its callback said so). Any thread or fiber, and the
 * callback itself, may set it again, stop it, and free it. A timer does not keep a loop from closing;
 * it goes on until the loop is freed. Before that its owner frees it; one without an owner goes then.
 */

#include <interlock/executor.h>
#include <interlock/time.h>

IL__BEGIN

typedef struct il_timer il_timer;

typedef struct il_beat {
    uint64_t number; /* k, from 0 */
    uint64_t missed; /* beats before this one that there was no call for, since the last call */
    il_time due;     /* first + k * period */
} il_beat;

/* Called by the loop. 0: go on; negative: the timer has ended. */
typedef int il_timer_fn(const il_beat *beat, void *arg);

/* Call fn(beat, arg) at `first` (a time that has passed: soon), then every `period` nanoseconds; 0:
 * just once. Borrows arg. out_timer NULL: not wanted; it is released when it ends. Never waits.
 * 0, -ENOMEM, -EINVAL (not a loop, or period < 0), -ESHUTDOWN (the loop is closing, and the caller is
 * not on it); unless 0, there will be no call. */
IL_API int il_timer_start(il_executor *loop, il_time first, int64_t period, il_timer_fn *fn,
                          void *arg, il_timer **out_timer);

/* The same timer anew, ended or not: beats count from 0. Never waits. 0, or
 * -ESHUTDOWN or -EINVAL as above: then it is as it was. */
IL_API int il_timer_set(il_timer *timer, il_time first, int64_t period);

/* No call begins any more; one that runs on another thread goes on. Never waits. 0; -EALREADY: it had
 * ended. */
IL_API int il_timer_stop(il_timer *timer);

/* Stop it, wait for a call that runs right now on another thread, release it. Called by its own
 * callback it does not wait. NULL is fine. */
IL_API void il_timer_free(il_timer *timer);

IL__END

#endif
