/* SPDX-License-Identifier: MIT */
#ifndef IL_TASK_EXECUTOR_H
#define IL_TASK_EXECUTOR_H

/* What every executor is, whatever runs its tasks. */

#include <errno.h>

#include <interlock/executor.h>

#include "task/scope.h"
#include "task/task.h"

typedef struct il__executor_ops {
    const char *kind;
    /* Run it, now or later, exactly once: il__task_run or, if it cannot run any more,
     * il__task_refuse. Returns 0, or why not: then nothing will happen to it. */
    int (*start)(il_executor *executor, il__task *task);
    int (*close)(il_executor *executor, il_time until);
    void (*free)(il_executor *executor);
    void (*describe)(il_executor *executor, il_executor_info *out_info);
} il__executor_ops;

struct il_executor {
    const il__executor_ops *ops;
    unsigned workers;  /* that run tasks at a time, at least 1 */
    uint32_t closing;  /* atomic */
    il__cancel cancel; /* the parent of tasks that belong to no scope */
};

/* Runs tasks where they are started: for scopes without an executor. */
il_executor *il__in_place(void);

void il__executor_init(il_executor *executor, const il__executor_ops *ops, unsigned workers);

/* Fill in a task of the current agent's in `scope` and enter that. Fails with -ECANCELED when the
 * scope was cancelled. */
static inline int il__task_init(il__task *task, il_executor *executor, il_scope *scope, il_fn *fn,
                                void *in, void *out, const il_task_opts *opts)
{
    static const il_task_opts defaults;
    if (!opts) opts = &defaults;
    if (scope && il__cancel_status(&scope->cancel)) return -ECANCELED;

    task->job = (il__job){ .kind = IL__TASK };
    task->fn = fn;
    task->in = in;
    task->out = out;
    task->executor = executor;
    task->scope = scope;
    task->future = NULL;
    task->name = opts->name;
    task->parent = il__agent_id(il__self());
    task->priority = (int8_t)((opts->priority > 0) - (opts->priority < 0));
    task->counted = false;
    task->retries = opts->retries;
    il__cancel_init(&task->cancel, scope ? &scope->cancel : &executor->cancel, opts->deadline);
    if (scope) il__scope_enter(scope);
    return 0;
}

#endif
