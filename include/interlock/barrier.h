/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_BARRIER_H
#define INTERLOCK_BARRIER_H

/*
 * Barrier: so many parties meet, then go on together, again and again.
 *
 *     static il_barrier barrier = { .parties = 3 };
 *
 *     int status = il_barrier_wait(&barrier);
 *     if (status == IL_SERIAL) ...;       // one party of each meeting
 *
 * Whole, or broken: when one party gives up (deadline, cancelled, il_barrier_abort) those who wait
 * and those who come get -EPIPE, since who they wait for will not come, until il_barrier_reset.
 */

#include <interlock/api.h>
#include <interlock/time.h>

IL__BEGIN

#define IL_SERIAL 1

typedef struct il_barrier {
    il__gate gate;
    uint32_t parties;          /* set before use; 0 and 1 never wait */
    void (*action)(void *arg); /* called by the last to come, before any goes on; may be NULL */
    void *arg;
} il_barrier;

/* Wait for the others. IL_SERIAL for the last to come, 0 for the rest, -EPIPE: broken.
 * _until also: -ETIMEDOUT, -EAGAIN, -ECANCELED, which break it. */
IL_API int il_barrier_wait(il_barrier *barrier);
IL_API int il_barrier_wait_until(il_barrier *barrier, il_time until);

/* Break it; make it whole again (who waits now gets -EPIPE). */
IL_API void il_barrier_abort(il_barrier *barrier);
IL_API void il_barrier_reset(il_barrier *barrier);

/* How many wait now; is it broken? */
IL_API unsigned il_barrier_waiting(il_barrier *barrier);
IL_API bool il_barrier_broken(il_barrier *barrier);

IL__END

#endif
