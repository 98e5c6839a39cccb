/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_RMUTEX_H
#define INTERLOCK_RMUTEX_H

/*
 * Re-entrant mutex: its holder may lock it again; it is free after as many unlocks.
 *
 *     static il_rmutex mutex;
 *
 *     il_rmutex_lock(&mutex);    // depth 1
 *     il_rmutex_lock(&mutex);    // depth 2: no wait
 *     il_rmutex_unlock(&mutex);
 *     il_rmutex_unlock(&mutex);
 *
 * Otherwise as il_mutex. A condition waits with a plain mutex only.
 */

#include <interlock/mutex.h>

IL__BEGIN

typedef struct il_rmutex {
    il_mutex mutex;
    uint32_t depth; /* guarded by mutex */
    uint64_t owner; /* il_info.id of the holder; the holder writes, anybody may read */
} il_rmutex;

IL_API void il_rmutex_lock(il_rmutex *rmutex);

/* 0, -EAGAIN, -ETIMEDOUT, -ECANCELED. */
IL_API int il_rmutex_lock_until(il_rmutex *rmutex, il_time until);

/* il_fatal when the caller does not hold it. */
IL_API void il_rmutex_unlock(il_rmutex *rmutex);

/* How often the current task or thread has locked it; 0: somebody else has it, or nobody. */
IL_API unsigned il_rmutex_depth(const il_rmutex *rmutex);

/* For diagnosis, out of date as soon as they return: who holds it (il_info.id, 0: nobody), and how
 * many wait. */
IL_API uint64_t il_rmutex_owner(const il_rmutex *rmutex);
IL_API unsigned il_rmutex_waiters(il_rmutex *rmutex);

IL__END

#endif
