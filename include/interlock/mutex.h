/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_MUTEX_H
#define INTERLOCK_MUTEX_H

/*
 * Mutex: one holder at a time.
 *
 *     static il_mutex mutex;            // all zero is ready to use
 *
 *     il_mutex_lock(&mutex);
 *     total += n;
 *     il_mutex_unlock(&mutex);
 *
 * Between threads, fibers, and both. The task or thread that locked it unlocks it, on whatever
 * worker it is by then, also after a wait. A newcomer may overtake sleepers, which is what makes it
 * fast; a sleeper that was overtaken for a millisecond is handed the lock. It may be freed as soon
 * as nobody will lock it again. Unlocking what one does not hold is il_fatal, so is locking it
 * twice, both with the places.
 */

#include <interlock/api.h>
#include <interlock/time.h>

IL__BEGIN

typedef struct il_mutex {
    il__gate gate;
    const void *place; /* where the holder locked it: a return address, for diagnosis */
} il_mutex;

/* Wait until it is ours. Cannot be cancelled. */
IL_API void il_mutex_lock(il_mutex *mutex);

/* The same until a deadline. 0; -EAGAIN, -ETIMEDOUT, -ECANCELED: not locked; -EDEADLK: it is ours
 * already. */
IL_API int il_mutex_lock_until(il_mutex *mutex, il_time until);

/* Give it back. Never waits. */
IL_API void il_mutex_unlock(il_mutex *mutex);

/* Does the current task or thread hold it? */
IL_API bool il_mutex_held(const il_mutex *mutex);

IL__END

#endif
