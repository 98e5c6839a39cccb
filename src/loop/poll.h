/* SPDX-License-Identifier: MIT */
#ifndef IL_LOOP_POLL_H
#define IL_LOOP_POLL_H

/*
 * A descriptor on a loop, to be waited for: readable (IL__IN) or writable (IL__OUT). What is read and
 * written goes by plain system calls of whoever wants it, on any thread; the loop does nothing but
 * tell when it is worth trying. So nothing of a call that gave up is left anywhere, and no
 * request outlives its waiter.
 *
 * Each way is a gate, with this state:
 *
 *     bit     name    meaning
 *     2       READY   it may be ready: try before you wait
 *     3       ARMED   the loop watches it, or has been asked to
 *     4       SHUT    nobody is to wait any more
 *     5       TRYING  who was woken by the last event has not tried yet
 *
 * Who finds it neither READY nor SHUT waits, after it has made sure that it is ARMED. Reading stays
 * armed: as long as every event finds somebody who waits, none costs more than the read itself.
 * An event that finds nobody makes it READY and is the last: it is armed again by who tries and has
 * to wait. One such event is passed over while somebody is TRYING.
 */

#include "loop/loop.h"
#include "wait/gate.h"

typedef enum il__way { IL__IN, IL__OUT } il__way;

typedef struct il__poll {
    il__gate gate[2];
    il__loop *loop; /* set at init */
    int fd;         /* set at init */
    int status;     /* atomic: why the loop cannot watch it, or 0 */

    /* Where callbacks look instead of a wait of ours, or NULL; the loop's thread. */
    void (*tell)(struct il__poll *poll, il__way way);

    il__post post; /* to arm it from elsewhere */
    bool posted;   /* atomic */

    /* The loop's thread: */
    uv_poll_t handle;
    bool opened; /* the handle */
    int events;  /* of libuv's, that it is watched for */
    void (*released)(struct il__poll *poll);
} il__poll;

#define IL__POLL_READY (UINT64_C(1) << IL__GATE_SHIFT)
#define IL__POLL_ARMED (UINT64_C(2) << IL__GATE_SHIFT)
#define IL__POLL_SHUT (UINT64_C(4) << IL__GATE_SHIFT)
#define IL__POLL_TRYING (UINT64_C(8) << IL__GATE_SHIFT)

/* The mode of a waiter that tries as soon as it is woken: a select only hears of it. */
enum { IL__POLL_TRIES = 1 };

/* In zeroed memory. The descriptor does not block; it is the poll's from now on. */
void il__poll_init(il__poll *poll, il__loop *loop, int fd);

/* May trying be worth it? No: it would have to wait. */
static inline bool il__poll_promising(const il__poll *poll, il__way way)
{
    return il__load(&poll->gate[way].word) & (IL__POLL_READY | IL__POLL_SHUT);
}

static inline bool il__poll_is_shut(const il__poll *poll, il__way way)
{
    return il__load_acquire(&poll->gate[way].word) & IL__POLL_SHUT;
}

/* It was tried, and there is nothing more for now. */
void il__poll_exhausted(il__poll *poll, il__way way);

/* It was tried, and there may be more. */
void il__poll_more(il__poll *poll, il__way way);

/* Wait until it is worth a try: 0. -EAGAIN, -ETIMEDOUT, -ECANCELED; -EPIPE: it is shut; -ENOMEM and
 * the like: the loop cannot watch it. One may wait each way, or for IL__IN several. */
int il__poll_wait(il__poll *poll, il__way way, const char *what, const void *on, il_time until);

/* Have the loop watch it, if it does not; READY, or whoever waits is woken, when it is worth a try. */
void il__poll_arm(il__poll *poll, il__way way);

/* Have it watched no longer. The loop's thread. */
void il__poll_disarm(il__poll *poll, il__way way);

/* Let go of all who wait one way, for good. */
void il__poll_shut(il__poll *poll, il__way way);

/* Close the descriptor; when the loop knows nothing of the poll any more it calls `released`, soon. It
 * is not used by anybody. */
void il__poll_close(il__poll *poll, void (*released)(il__poll *poll));

#endif
