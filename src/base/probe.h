/* SPDX-License-Identifier: MIT */
#ifndef IL_BASE_PROBE_H
#define IL_BASE_PROBE_H

/*
 * Probes: the points of a wait and of a schedule at which somebody may want to look or, in a test,
 * to step in. Off, a probe is one load and one branch never taken; there is none on a path that does
 * not wait.
 */

#include "base/atomic.h"

typedef enum il__probe_point {
    IL__PROBE_WAIT,   /* object: the agent, which is about to park */
    IL__PROBE_WOKEN,  /* the agent, back from its park */
    IL__PROBE_WAKE,   /* the agent, claimed, about to be let go on */
    IL__PROBE_GATE,   /* the gate, about to be locked by one who waits or wakes */
    IL__PROBE_CANCEL, /* the cancellation node, about to fire */
    IL__PROBE_RUN,    /* the job, about to run on a worker */
    IL__PROBE_STEAL,  /* the worker that is robbed */
    IL__PROBE_SLEEP,  /* the worker, about to sleep */
} il__probe_point;

typedef void il__probe_fn(il__probe_point point, const void *object);

extern il__probe_fn *il__probe_listener; /* atomic; NULL: nobody listens */

static inline void il__probe(il__probe_point point, const void *object)
{
    il__probe_fn *listener = il__load_acquire(&il__probe_listener);
    if (il__unlikely(listener != 0)) listener(point, object);
}

#endif
