/* SPDX-License-Identifier: MIT */
#ifndef IL_TASK_EXECUTOR_H
#define IL_TASK_EXECUTOR_H

/* What every executor is, whatever runs its tasks. */

#include <errno.h>

#include <interlock/executor.h>
#include <interlock/map.h>

#include "task/scope.h"
#include "task/task.h"

/* Work for an executor whose workers do not see our memory: `count` items, one after the other. */
typedef struct il__parcel il__parcel;
struct il__parcel {
    il_fn *fn;
    il__apply *apply; /* the loop that calls it; NULL: our own */
    const char *name, *in;
    char *out;
    size_t in_size, out_size, count;
    unsigned retries; /* of each item */
    int8_t priority;
    bool stop;          /* at the first failure */
    bool each;          /* tell of each item that fails */
    il_time deadline;   /* IL_FOREVER: none */
    il__cancel *cancel; /* stop it when this has a status, or NULL */

    /* It is about to be started: false when it is over already, and nobody's. NULL: go on. */
    bool (*begin)(il__parcel *parcel);
    /* An item has failed; takes the error. Unless `each`, the executor may tell of the first of
     * several only. */
    void (*failed)(il__parcel *parcel, size_t index, int status, il__error *error);
    /* It is over, and no longer the executor's: items [0, from) have run. 0, or why the others have
     * not. Both are called on a thread of the executor's, and may not wait. */
    void (*done)(il__parcel *parcel, int status);

    /* The executor's, once posted. */
    size_t from;
    int64_t took; /* nanoseconds that its items ran, so far */
    il__parcel *next;
    int recalled; /* atomic: a status, or 0 */
    bool waits;   /* in the queue */
    il_time kill_at;
};

typedef struct il__executor_ops {
    const char *kind;
    /* Run it, now or later, exactly once: il__task_run or, if it cannot run any more,
     * il__task_refuse. Returns 0, or why not: then nothing will happen to it. */
    int (*start)(il_executor *executor, il__task *task);
    int (*close)(il_executor *executor, il_time until);
    void (*free)(il_executor *executor);
    /* What is not the same for all. */
    void (*describe)(il_executor *executor, il_executor_info *out_info);
    /* NULL both where tasks see our memory. Otherwise only tasks of il_submit are started, and maps
     * are posted as parcels. Recall: end it soon, with -ECANCELED; it is then done as ever. */
    int (*post)(il_executor *executor, il__parcel *parcel);
    void (*recall)(il_executor *executor, il__parcel *parcel);
} il__executor_ops;

struct il_executor {
    const il__executor_ops *ops;
    const char *name; /* of a pool; NULL: the caller runs its tasks */
    unsigned workers; /* that run tasks at a time, at least 1 */
    /* Items of a map under way, unless that says otherwise: as many, or more where tasks wait. */
    unsigned at_once;
    uint32_t closing;  /* atomic */
    il__cancel cancel; /* the parent of tasks that belong to no scope */
};

/* il_map for an executor of parcels. */
int il__map_parcels(il_executor *executor, il__apply *apply, il_fn *fn, const void *in,
                    size_t in_size, void *out, size_t out_size, size_t count,
                    const il_map_opts *opts);

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
