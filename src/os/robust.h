/* SPDX-License-Identifier: MIT */
#ifndef IL_OS_ROBUST_H
#define IL_OS_ROBUST_H

/*
 * A lock in memory that processes share. When a holder is killed the kernel lets go of it on its
 * behalf (the list of robust futexes that each thread keeps), and the next holder is told. For a few
 * instructions only: who waits for it sleeps as a thread.
 */

#include <pthread.h>
#include <stdbool.h>

typedef struct il__robust {
    pthread_mutex_t mutex;
} il__robust;

void il__robust_init(il__robust *lock);

/* Lock. True: its last holder died with it, and may have left half of what it did. */
bool il__robust_lock(il__robust *lock);

/* What it left is repaired. Until then whoever comes next is told as well. */
void il__robust_repaired(il__robust *lock);
void il__robust_unlock(il__robust *lock);

#endif
