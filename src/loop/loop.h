/* SPDX-License-Identifier: MIT */
#ifndef IL_LOOP_LOOP_H
#define IL_LOOP_LOOP_H

/*
 * The loop: a pool of one worker that sleeps in libuv. README.md tells how they go together.
 *
 * How a callback wakes a fiber: as everything does. The fiber waits at an il__gate (il__gate_wait),
 * the callback changes the state under the gate's lock, claims who waits, unlocks, and delivers.
 */

#include <uv.h>

#include <interlock/loop.h>
#include <interlock/timer.h>

#include "sched/pool.h"

typedef struct il__loop {
    il__pool pool; /* first */
    bool manual;   /* set at init */
    uv_loop_t uv;  /* the loop's thread only, as is what follows */

    uv_async_t nudge; /* but for this: any thread sends */

    /* Deadlines of fibers, to the microsecond, where libuv counts milliseconds. */
    int alarm_fd;
    uv_poll_t alarm;
    il_time alarm_at; /* it is set to; IL_FOREVER: to nothing */
    bool alarm_rang;  /* and is to be set again, or it goes on ringing */

    il__cancel callbacks; /* of nobody's: their waits show that they could be broken off */

    /* Timers, in timer.c: */
    il__gate turn; /* guards the next two */
    il__heap timers;
    il_timer *fires;    /* its callback runs; NULL: none does */
    il_time next_timer; /* atomic: key of the top, or IL_FOREVER */

    /* When driven by hand: */
    uint32_t driven; /* atomic, futex: 1 while a thread does */
    uint32_t stop;   /* atomic */
    il_time until;   /* the driver's */

    struct il__loop *next_left; /* in the child of a fork, freed */
} il__loop;

/* The loop that an executor is; NULL: it is none, or one of the process that forked this one. */
il__loop *il__loop_of(il_executor *executor);

/* The loop that runs here; NULL: none. */
il__loop *il__loop_here(void);

/* Any thread: end its sleep, or the next one. */
void il__loop_wake(il__loop *loop);

/* Call those whose time has come; let go of all. Both as callbacks are called. */
void il__timers_fire(il__loop *loop);
void il__timers_drop(il__loop *loop);

/* Call fn(arg) on the loop's thread, where libuv may be used, and wait for it. Not broken off by a
 * cancellation. fn may wait. Returns what it returned, or -ENOMEM, -ESHUTDOWN. */
int il__loop_run_here(il_executor *loop, int (*fn)(void *arg), void *arg);

#endif
