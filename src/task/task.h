/* SPDX-License-Identifier: MIT */
#ifndef IL_TASK_TASK_H
#define IL_TASK_TASK_H

/*
 * Task: a function to be called once, on behalf of a scope or a future.
 *
 * Who makes one enters it into its scope; whoever ends it (il__task_run, il__task_refuse) tells
 * its future or its scope, takes it out of the scope, and frees it. An executor owns it in between.
 */

#include <interlock/executor.h>
#include <interlock/future.h>
#include <interlock/scope.h>

#include "wait/wait.h"

enum { IL__FIBER, IL__TASK, IL__FORK }; /* il__job.kind */

/* In the order of use: a task that never waits touches two cache lines of it. */
typedef struct il__task {
    il__job job; /* first; next is the queue's */
    il_fn *fn;
    void *in, *out;
    il_executor *executor;
    il_scope *scope;         /* it is counted there; NULL: in none */
    il_future *future;       /* that it is part of; NULL: started by il_go */
    const char *name;        /* or NULL */
    uint64_t parent;         /* id of who made it */
    struct il__task *around; /* while it runs: the task in which it runs in place, or NULL */
    int8_t priority;         /* its sign is what counts */
    bool counted;            /* the executor's own; false at first */
    unsigned retries;
    il__cancel cancel;
} il__task;

/* Undo il__task_init (executor.h), for a task that was never started. */
void il__task_undo(il__task *task);

/* Call it, on the current agent, and end it. */
void il__task_run(il__task *task);

/* End it with a status, without running it. */
void il__task_refuse(il__task *task, int status);

/* End one that ran elsewhere, if its future has begun; takes the error. */
void il__task_end(il__task *task, int status, il__error *error);

/* What surrounds a task while it runs on an agent. */
typedef struct il__frame {
    il__agent *agent;
    il__cancel *cancel;
    il__error *note;
    void *executor, *scope, *task;
    const char *name;
    uint32_t held;
} il__frame;

/* The agent is the task's between these two. It has no locals before. */
void il__frame_enter(il__frame *frame, il__task *task);
void il__frame_leave(il__frame *frame);

/* The error of a task that returned `status` < 0: the agent's note if that is what it noted, else
 * one without words. The caller's. */
il__error *il__frame_error(il__frame *frame, int status);

/* Memory for tasks of il_go. A worker keeps a few at hand. */
il__task *il__task_alloc(void);
void il__task_free(il__task *task);
void il__task_cache_open(void);  /* at the start of a worker thread */
void il__task_cache_close(void); /* at its end */

#endif
