/* SPDX-License-Identifier: MIT */
#ifndef IL_TASK_FUTURE_H
#define IL_TASK_FUTURE_H

/* The future as its task sees it. */

#include <interlock/future.h>

#include "task/task.h"
#include "wait/gate.h"

typedef struct il__callback il__callback;

typedef enum il__future_state { IL__PENDING, IL__RUNNING, IL__COMPLETED } il__future_state;

struct il_future {
    il__task task;    /* fn NULL: a promise */
    il__gate gate;    /* state: 1 when done; guards callbacks */
    unsigned refs;    /* atomic: the user's, the task's, a scope's */
    int state;        /* atomic il__future_state: decides who completes it */
    int status;       /* set before done */
    bool observed;    /* atomic: somebody looked at the outcome */
    unsigned forks;   /* il__forks when it was made */
    il__error *error; /* set before done */
    il__callback *first_callback, *last_callback;
    il_future *source;      /* of a chain: the future it follows, with a reference; or NULL */
    il_future *next_failed; /* in il_scope.failed */
    size_t out_size, in_size;
    _Alignas(16) unsigned char bytes[]; /* the result, then the copy of the input */
};

/* A future with room for result and input, one reference, pending. */
il_future *il__future_new(size_t out_size, size_t in_size);

/* The task may begin: true exactly once, and not after a cancel. */
bool il__future_begin(il_future *future);

/* The outcome is there: takes the error. The caller has a reference, since whoever is woken may drop
 * the others. Only by the one who made `state` IL__COMPLETED, or who runs
 * it. */
void il__future_complete(il_future *future, int status, il__error *error);

/* Not done, and it will not be: its task stayed in the process that forked this one. */
bool il__future_orphaned(const il_future *future);

/* Wait until it is done: 0, -EAGAIN, -ETIMEDOUT, -ECANCELED, -EPIPE (orphaned). */
int il__future_wait(il_future *future, il_time until);

void il__future_unref(il_future *future);

#endif
