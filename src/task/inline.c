/* SPDX-License-Identifier: MIT */
/*
 * The inline executor: a task runs where it is started, on the stack of whoever starts it. All it
 * keeps is a count of tasks in progress (state of the gate), since several threads may use one.
 */

#include <errno.h>

#include "base/memory.h"
#include "os/spin.h"
#include "task/executor.h"
#include "wait/gate.h"

typedef struct inline_executor {
    il_executor executor; /* first */
    il__gate running;     /* state: tasks in progress */
    unsigned long started;
} inline_executor;

enum { ONE = 1 << IL__GATE_SHIFT };

/* A task that runs in place inside another is cancelled with it: the other one cannot go on before
 * this has ended. Nobody knows the node yet. */
static void obey_what_is_around(il__task *task)
{
    il__agent *self = il__self();
    if (!self->task || !self->cancel || task->scope != self->scope) return;
    il__cancel_enter(self->cancel, self);
    il__cancel_init(&task->cancel, self->cancel, task->cancel.deadline);
}

static int start(il_executor *executor, il__task *task)
{
    inline_executor *here = (inline_executor *)executor;
    uint64_t word = il__gate_lock(&here->running);
    bool closed = il__load(&executor->closing) && il__self()->executor != executor;
    il__gate_unlock(&here->running, closed ? word : word + ONE);
    if (closed) return -ESHUTDOWN;

    il__add(&here->started, 1);
    obey_what_is_around(task);
    il__task_run(task);

    word = il__gate_lock(&here->running);
    il__waiter *waiters = word < 2 * ONE ? il__gate_claim_all(&here->running) : NULL;
    il__gate_unlock(&here->running, word - ONE);
    il__deliver_all(waiters);
    return 0;
}

static int wait_for_idle(il_executor *executor, il__cancels cancels, il_time until)
{
    inline_executor *here = (inline_executor *)executor;
    for (;;) {
        uint64_t word = il__gate_lock(&here->running);
        if (word < ONE) {
            il__gate_unlock(&here->running, word);
            return 0;
        }
        int status = il__gate_wait(&here->running, word, "executor", executor, 0, cancels, until);
        if (status) return status;
    }
}

static int close(il_executor *executor, il_time until)
{
    il__store(&executor->closing, 1);
    return wait_for_idle(executor, IL__CANCELS, until);
}

static void free_inline(il_executor *executor)
{
    il__store(&executor->closing, 1);
    il__cancel_fire(&executor->cancel, -ECANCELED);
    wait_for_idle(executor, IL__PLAIN, IL_FOREVER);
    il__free(executor);
}

static void describe(il_executor *executor, il_executor_info *out_info)
{
    out_info->started = il__load(&((inline_executor *)executor)->started);
}

static const il__executor_ops ops = {
    .kind = "inline",
    .start = start,
    .close = close,
    .free = free_inline,
    .describe = describe,
};

static inline_executor in_place = {
    .executor = { .ops = &ops, .workers = 1, .at_once = 1, .cancel = { .deadline = IL_FOREVER } },
};

il_executor *il__in_place(void)
{
    return &in_place.executor;
}

int il_inline_new(il_executor **out_executor)
{
    inline_executor *made = il__zalloc(sizeof *made);
    if (!made) return -ENOMEM;
    il__executor_init(&made->executor, &ops, 1);
    *out_executor = &made->executor;
    return 0;
}
