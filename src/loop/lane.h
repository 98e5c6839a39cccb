/* SPDX-License-Identifier: MIT */
#ifndef IL_LOOP_LANE_H
#define IL_LOOP_LANE_H

/*
 * Lane: threads for system calls that block and have no other form. One for names and one for files,
 * so that neither holds up the other. Threads start when an errand finds none idle, up to a limit, and
 * end when there was nothing to do for a second.
 *
 * An errand is on the heap. It is shared by who waits for it and the lane; whoever is the last lets go of
 * it. Who gives up leaves the call to itself, so an errand has whatever the call touches: a copy of
 * the name, a buffer of its own.
 */

#include "base/list.h"
#include "wait/gate.h"

typedef struct il__lane {
    unsigned most; /* threads; set at init. The rest is guarded by one lock of all lanes */
    unsigned threads, idle;
    long owner;       /* process: a fork has none of the threads */
    il__list errands; /* that no thread has taken */
} il__lane;

typedef struct il__errand {
    il__link link; /* while it waits for a thread; guarded by the lanes' lock */
    il__gate gate; /* state: DONE, LEFT */
    void (*run)(struct il__errand *errand);     /* on the lane's thread */
    void (*release)(struct il__errand *errand); /* by the last; frees it */
    il__lane *lane;
} il__errand;

extern il__lane il__lane_names, il__lane_files;

/* Hand it over. 0; else it stays the caller's: -EAGAIN or -ENOMEM, there is no thread at all. */
int il__lane_start(il__lane *lane, il__errand *errand);

/* Wait for its end: 0, it has run and is the caller's, to be released. -EAGAIN, -ETIMEDOUT, -ECANCELED:
 * it is no longer the caller's. */
int il__lane_wait(il__errand *errand, const char *what, const void *on, il_time until);

#endif
