/* SPDX-License-Identifier: MIT */
#ifndef IL_PROC_WATCHER_H
#define IL_PROC_WATCHER_H

/*
 * Waiting for a descriptor. One thread watches for the whole program: started at the first wait,
 * gone when there has been nothing to watch for a second.
 */

#include "wait/gate.h"

typedef struct il__watch {
    il__gate gate;   /* state: READY, it was seen and nobody was there to be told */
    int fd;          /* set before the first wait, open until the close */
    uint32_t events; /* EPOLLIN or EPOLLOUT; set with it */
    uint32_t slot;   /* 0: not known to the watcher; this and `armed` are guarded by its lock */
    bool armed;      /* the watcher will tell */
    bool lasting;    /* what was seen once stays so (a process has ended); set with the others */
} il__watch;

/* Wait until the descriptor may be ready. 0 (try it, it need not be), -ETIMEDOUT, -ECANCELED,
 * -EAGAIN (no thread), -ENOMEM, -EMFILE. */
int il__watch_wait(il__watch *watch, const char *what, const void *on, il__cancels cancels,
                   il_time until);

/* The same without waiting: from now on the watcher opens the gate when it is ready. */
int il__watch_arm(il__watch *watch);
bool il__watch_is_armed(const il__watch *watch);

/* The gate is open. Locked or not. */
bool il__watch_is_ready(const il__watch *watch);

/* Have a waiter, whose wait has begun, told when the descriptor may be ready; it waits in the gate of
 * the watch. 0; -EALREADY: it is, the waiter was not put in; or as above. */
int il__watch_tell(il__watch *watch, il__waiter *waiter);

/* Forget it; before the descriptor is closed. Again, or never watched, is nothing. */
void il__watch_close(il__watch *watch);

/* Call fn(arg) on the thread that watches, and wait for it. With `keep` that thread goes on until
 * as many il__watcher_release: it is the parent of daemons. 0, -EAGAIN, -ENOMEM, -EMFILE. */
int il__watcher_call(void (*fn)(void *arg), void *arg, bool keep);
void il__watcher_release(void);

/* To be called on that thread whenever it has had nothing to do for a while, before it ends. One for
 * the program. */
void il__watcher_at_rest(void (*fn)(void));

/* Is there that thread? For tests. */
bool il__watcher_runs(void);

#endif
