/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_RWLOCK_H
#define INTERLOCK_RWLOCK_H

/*
 * Readers-writer lock: many may read, or one may write.
 *
 *     static il_rwlock lock;
 *
 *     il_rwlock_lock_shared(&lock);        // beside other readers
 *     il_rwlock_unlock_shared(&lock);
 *     il_rwlock_lock(&lock);               // alone
 *     il_rwlock_unlock(&lock);
 *
 * Between threads, fibers, and both. Fair: neither readers nor writers starve; whoever comes after
 * a waiting writer waits behind it, so a reader must not take it a second time. The writer is
 * known: il_rwlock_unlock by another is il_fatal, and so is unlock_shared when nobody reads. Worth
 * it when reading takes long; for short sections a mutex is faster.
 */

#include <interlock/api.h>
#include <interlock/time.h>

IL__BEGIN

typedef struct il_rwlock {
    il__gate gate;
    uint64_t writer; /* who, while one writes */
} il_rwlock;

/* The writer's side. _until: 0, -EAGAIN, -ETIMEDOUT, -ECANCELED, -EDEADLK (it is ours already). */
IL_API void il_rwlock_lock(il_rwlock *lock);
IL_API int il_rwlock_lock_until(il_rwlock *lock, il_time until);
IL_API void il_rwlock_unlock(il_rwlock *lock);

/* The readers' side. _until: 0, -EAGAIN, -ETIMEDOUT, -ECANCELED, -EDEADLK (we write). */
IL_API void il_rwlock_lock_shared(il_rwlock *lock);
IL_API int il_rwlock_lock_shared_until(il_rwlock *lock, il_time until);
IL_API void il_rwlock_unlock_shared(il_rwlock *lock);

IL__END

#endif
