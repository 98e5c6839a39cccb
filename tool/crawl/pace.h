/* SPDX-License-Identifier: MIT */
#ifndef TOOL_CRAWL_PACE_H
#define TOOL_CRAWL_PACE_H

/*
 * How fast one host is asked. A state machine that knows no clock: every moment is told to it.
 *
 * States: free (no gap between two requests; how many are under way grows by one with each good
 * answer, up to the limit), paced (a gap between two starts, learnt), paused (nothing starts before
 * `next`), given up (the host answers nothing but "later").
 *
 * What a host allows is learnt from the answers 429 and 503. Such an answer ends a cycle. The good
 * answers of the cycle, divided by its length and the pause that the host asked for, are the rate that
 * it really gave us: that, less a tenth, is the new rate. A first burst of five that is followed by a
 * second's pause gives 4.5 a second, whatever kind of window the host counts in. Faster is tried
 * rarely: five per cent after a hundred good answers, and each time that was wrong, twice as many.
 * Answers to requests that had been sent before the cycle ended say nothing new.
 */

#include <stdbool.h>
#include <stdint.h>

#include <interlock.h>

struct pace {
    /* set at init */
    unsigned most;     /* under way at once */
    int64_t least_gap; /* between two starts, asked for by the host; 0: none */

    unsigned width;     /* under way at once, for now */
    unsigned under_way; /* now */
    int64_t gap;        /* between two starts, learnt; 0: none */
    il_time next;       /* no start before */
    il_time began;      /* the cycle; 0: nothing has started yet */
    il_time limited_at; /* the last cycle ended; 0: never */
    unsigned good;      /* answers of this cycle */
    unsigned steady;    /* good answers since the gap changed */
    unsigned patience;  /* good answers before a shorter gap is tried */
    unsigned barren;    /* cycles in a row without a good answer */
    bool bold;          /* the pause was long, so the rate may be far too low */
    bool given_up;
};

void pace_init(struct pace *pace, unsigned most);

/* The host wants so much time between two requests, one at a time (Crawl-delay). */
void pace_delay(struct pace *pace, int64_t gap);

/* When the next request may start; in the past: now. IL_FOREVER: not before one has ended. */
il_time pace_when(const struct pace *pace);

void pace_start(struct pace *pace, il_time now);

/* A request that started at `started` ended with an answer; or with none, which slows the host down a
 * little. */
void pace_good(struct pace *pace, il_time started);
void pace_failed(struct pace *pace, il_time now);

/* A request that started at `started` was answered "later", in `retry_after` nanoseconds (negative:
 * it did not say when). */
void pace_limited(struct pace *pace, il_time started, il_time now, int64_t retry_after);

#endif
