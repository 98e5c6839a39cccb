/* SPDX-License-Identifier: MIT */
#ifndef IL_TASK_EXECUTOR_H
#define IL_TASK_EXECUTOR_H

/* What every executor is, whatever runs its tasks. */

#include <interlock/executor.h>

#include "task/task.h"

typedef struct il__executor_ops {
    const char *kind;
    /* Run it, now or later, exactly once: il__task_run or, if it cannot run any more,
     * il__task_refuse. Returns 0, or why not: then nothing will happen to it. */
    int (*start)(il_executor *executor, il__task *task);
    int (*close)(il_executor *executor, il_time until);
    void (*free)(il_executor *executor);
    void (*describe)(il_executor *executor, il_executor_info *out_info);
    bool orphaned; /* its workers are in the process that forked this one: nothing will end */
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

#endif
