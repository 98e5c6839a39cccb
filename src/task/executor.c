/* SPDX-License-Identifier: MIT */
/* What all executors share: submitting. */

#include "task/executor.h"

#include <errno.h>
#include <string.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "task/future.h"
#include "task/scope.h"

void il__executor_init(il_executor *executor, const il__executor_ops *ops, unsigned workers)
{
    *executor = (il_executor){ .ops = ops, .workers = workers, .at_once = workers };
    il__cancel_init(&executor->cancel, NULL, 0);
}

/* Is this a task of that executor, or does it run in place inside one? */
static bool is_inside(il_executor *executor)
{
    const il__task *task = il__self()->task;
    while (task && task->executor != executor) task = task->around;
    return task;
}

int il_executor_close(il_executor *executor, il_time until)
{
    if (is_inside(executor))
        return il_fail(-EDEADLK, "an executor cannot be closed by a task of its own");
    return executor->ops->close(executor, until);
}

void il_executor_free(il_executor *executor)
{
    if (!executor) return;
    if (is_inside(executor))
        il__fatal("il_executor_free called by a task that runs on that executor (%s)",
                  executor->ops->kind);
    executor->ops->free(executor);
}

void il_executor_describe(il_executor *executor, il_executor_info *out_info)
{
    *out_info = (il_executor_info){
        .kind = executor->ops->kind,
        .name = executor->name ? executor->name : executor->ops->kind,
        .workers = executor->name ? executor->workers : 0,
    };
    executor->ops->describe(executor, out_info);
}

int il_submit(il_executor *executor, il_fn *fn, const void *in, size_t in_size, size_t out_size,
              const il_task_opts *opts, il_future **out_future)
{
    if (!executor || !fn || (in_size && !in)) return -EINVAL;
    il_future *future = il__future_new(out_size, in_size);
    if (!future) return -ENOMEM;

    unsigned char *copy = future->bytes + ((out_size + 15) & ~(size_t)15);
    if (in_size) memcpy(copy, in, in_size);
    il__task *task = &future->task;
    int status = il__task_init(task, executor, il__self()->scope, fn, in_size ? copy : NULL,
                               out_size ? future->bytes : NULL, opts);
    if (status) goto free_future;
    task->future = future;

    if (out_future) il_future_ref(future);
    status = executor->ops->start(executor, task);
    if (status) goto undo;
    if (out_future) *out_future = future;
    return 0;

undo:
    if (out_future) il__future_unref(future);
    il__task_undo(task);
free_future:
    il__future_unref(future);
    return status;
}
