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

#include "base/sanitize.h"
#include "sched/pool.h"

/* A call to be made on a loop's thread, as a callback. */
typedef struct il__post {
    void (*fn)(struct il__post *post);
    struct il__post *next;
} il__post;

/* A manual loop: nobody has it, a thread runs its posts, a thread drives it. */
enum { IL__ALONE, IL__VISITED, IL__DRIVEN };

typedef struct il__loop {
    il__pool pool; /* first */
    bool manual;   /* set at init */
    uv_loop_t uv;  /* the loop's thread only, as is what follows */

    uv_async_t nudge; /* but for this: any thread sends */

    unsigned due;   /* tasks of the loop that were woken in libuv's last turn, to read or write, and
                       have not run yet; poll.c counts. Relaxed, for TSan, as is the next: tasks */
    il_time polled; /* when that turn ended */
    void *scratch;  /* of follow.c, made when needed */

    /* Deadlines of fibers, to the microsecond, where libuv counts milliseconds. */
    int alarm_fd;
    uv_poll_t alarm;
    il_time alarm_at; /* it is set to; IL_FOREVER: to nothing */
    bool alarm_rang;  /* and is to be set again, or it goes on ringing */

    il__spin posts_lock; /* guards the two that follow, as is said at il__loop_post */
    il__post *first_post, *last_post;

    il__cancel callbacks; /* of nobody's: their waits show that they could be broken off */

    uint64_t rounds;              /* written by its thread, read by anyone */
    struct il__watch_over *watch; /* hold.c; NULL: there is no limit. Set at init */

    /* Timers, in timer.c: */
    il__gate turn; /* guards the next two */
    il__heap timers;
    il_timer *fires;    /* its callback runs; NULL: none does */
    il_time next_timer; /* atomic: key of the top, or IL_FOREVER */

    /* When driven by hand: */
    uint32_t driven;    /* atomic, futex: whose it is */
    uint32_t stop;      /* atomic */
    il_time until;      /* the driver's; IL_FOREVER where there is none */
    il_future *awaited; /* a task of the loop's that the driver awaits, or NULL */

    struct il__loop *next_left; /* in the child of a fork, freed */
} il__loop;

/* The loop that an executor is; NULL: it is none, or one of the process that forked this one. */
il__loop *il__loop_of(il_executor *executor);

/* The loop that runs here; NULL: none. */
il__loop *il__loop_here(void);

/* Tasks of a loop call libuv one after the other, on one thread: for TSan, to which fibers are
 * threads. Around each call of a task's. */
static inline void il__loop_enter_uv(il__loop *loop)
{
    il__tsan_receive(&loop->uv);
}
static inline void il__loop_leave_uv(il__loop *loop)
{
    il__tsan_hand_over(&loop->uv);
}

/* Any thread: end its sleep, or the next one. */
void il__loop_wake(il__loop *loop);

/* hold.c. Watch over a loop that is made, whose worker does not run yet; cease to, before it ends. */
int il__hold_watch(il__loop *loop, const il_loop_opts *opts);
void il__hold_unwatch(il__loop *loop);
void il__hold_orphan(il__loop *loop);
/* It begins to be driven; looks at its descriptors; has. */
void il__hold_begin(il__loop *loop);
void il__hold_look(il__loop *loop);
void il__hold_looked(il__loop *loop);
void il__hold_describe(il__loop *loop, il_loop_info *out_info);

/* Call those whose time has come; let go of all. Both as callbacks are called. */
void il__timers_fire(il__loop *loop);
void il__timers_drop(il__loop *loop);

/* Have post->fn(post) called on the loop's thread, where libuv may be used; it must not wait. Any
 * thread; neither waits nor fails. In order. The post is the loop's until it is called. For a manual
 * loop that nobody drives it is called here and now. */
void il__loop_post(il__loop *loop, il__post *post);

/* Call fn(arg) in that way, and wait for it, plainly. On the loop itself it is a plain call. Works until
 * the loop is freed, closed or not. (In the child of a fork neither does anything; then false.) */
bool il__loop_visit(il__loop *loop, void (*fn)(void *arg), void *arg);

#endif
