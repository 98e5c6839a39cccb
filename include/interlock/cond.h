/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_COND_H
#define INTERLOCK_COND_H

/*
 * Condition: wait, under a mutex, until what it guards has changed.
 *
 *     il_mutex_lock(&mutex);
 *     while (!items) il_cond_wait(&more, &mutex);
 *     items--;
 *     il_mutex_unlock(&mutex);
 *
 * Waiting gives the mutex back and takes it again before it returns, also when it returns
 * -ETIMEDOUT or -ECANCELED. First to wait is first to be woken. No wake-ups out of nowhere, but
 * another may have been quicker: wait in a loop, or use il_cond_wait_for.
 */

#include <interlock/mutex.h>

IL__BEGIN

typedef struct il_cond {
    il__gate gate;
} il_cond;

/* Wait for a notify. The mutex must be held: -EPERM. Returns 0 otherwise; cannot be cancelled. */
IL_API int il_cond_wait(il_cond *cond, il_mutex *mutex);

/* 0, -EPERM, -EAGAIN, -ETIMEDOUT or -ECANCELED; the mutex is held in any case (but for -EPERM). */
IL_API int il_cond_wait_until(il_cond *cond, il_mutex *mutex, il_time until);

/* Wait until holds(arg) is true; it is called with the mutex held. As above; 0: it is true. */
IL_API int il_cond_wait_for(il_cond *cond, il_mutex *mutex, bool (*holds)(void *arg), void *arg,
                            il_time until);

/* Wake up to `count` waiters. With or without the mutex. Returns how many it woke. */
IL_API unsigned il_cond_notify(il_cond *cond, unsigned count);
IL_API unsigned il_cond_notify_all(il_cond *cond);

IL__END

#endif
