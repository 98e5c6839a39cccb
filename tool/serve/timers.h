/* SPDX-License-Identifier: MIT */
#ifndef TOOL_SERVE_TIMERS_H
#define TOOL_SERVE_TIMERS_H

/*
 * What is due next, of thousands: a binary heap of timers that live in their owners.
 */

#include <stdbool.h>
#include <stddef.h>

#include <interlock.h>

struct timer {
    il_time due;
    size_t place; /* in the heap, from 1; 0: not in it */
};

struct timers {
    struct timer **heap; /* [1] is due first */
    size_t count, room;
};

/* Not in it yet. False: no memory. */
bool timers_add(struct timers *timers, struct timer *timer);

/* Fine when it is not in it. */
void timers_remove(struct timers *timers, struct timer *timer);

/* The one that is due first, NULL: there is none. */
struct timer *timers_first(const struct timers *timers);

void timers_free(struct timers *timers);

#endif
