/* SPDX-License-Identifier: MIT */
/*
 * The robust mutex of POSIX. It sleeps as soon as it finds the lock taken, which costs more than what
 * it protects takes; so try for a moment first.
 */

#include "os/robust.h"

#include <errno.h>

#include "base/fatal.h"
#include "os/spin.h"

enum { TRIES = 60, PAUSES = 8 };

void il__robust_init(il__robust *lock)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&lock->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

bool il__robust_lock(il__robust *lock)
{
    int status = pthread_mutex_trylock(&lock->mutex);
    for (int i = 0; status == EBUSY && i < TRIES; i++) {
        for (int k = 0; k < PAUSES; k++) il__pause();
        status = pthread_mutex_trylock(&lock->mutex);
    }
    if (status == EBUSY) status = pthread_mutex_lock(&lock->mutex);
    if (status && status != EOWNERDEAD)
        il__fatal("a lock in shared memory is broken (status %d): somebody wrote over it", status);
    return status == EOWNERDEAD;
}

void il__robust_repaired(il__robust *lock)
{
    pthread_mutex_consistent(&lock->mutex);
}

void il__robust_unlock(il__robust *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}
