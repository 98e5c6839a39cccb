/* SPDX-License-Identifier: MIT */
/*
 * Running one task: the agent becomes the task's, the function is called, its outcome goes to its
 * future or its scope.
 */

#include "task/task.h"

#include <errno.h>
#include <string.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "base/sanitize.h"
#include "task/executor.h"
#include "task/future.h"
#include "task/scope.h"

void il__task_undo(il__task *task)
{
    if (task->scope) il__scope_leave(task->scope);
}

static inline void enter(il__frame *frame, il__agent *self, il__task *task)
{
    /* Forks of the task around this one, which runs in place, are not of this one. */
    if (il__unlikely(self->task != NULL) && self->ops->settle) self->ops->settle(self);
    frame->agent = self;
    frame->cancel = self->cancel;
    frame->note = self->note;
    frame->executor = self->executor;
    frame->scope = self->scope;
    frame->task = self->task;
    frame->name = self->name;
    frame->held = self->held;
    self->note = NULL;
    il__store(&self->cancel, &task->cancel);
    self->executor = task->executor;
    self->scope = task->scope;
    task->around = self->task;
    il__store(&self->task, task);
    il__store(&self->name, task->name);
}

static _Noreturn void left_locked(const il__agent *self, unsigned count)
{
    il__fatal("task \"%s\" ended and still holds %u mutexes", self->name ? self->name : "", count);
}

static _Noreturn void left_open(const il__agent *self)
{
    il__fatal("task \"%s\" ended and left a scope open", self->name ? self->name : "");
}

static inline void leave(il__frame *frame)
{
    il__agent *self = frame->agent;
    if (il__unlikely(self->held != frame->held)) left_locked(self, self->held - frame->held);
    if (il__unlikely(self->scope != ((il__task *)self->task)->scope)) left_open(self);

    il__cancel_leave(self->cancel);
    il__agent_reset(self);
    il__store(&self->cancel, frame->cancel);
    self->note = frame->note;
    self->executor = frame->executor;
    self->scope = frame->scope;
    il__store(&self->task, frame->task);
    il__store(&self->name, frame->name);
}

void il__frame_enter(il__frame *frame, il__task *task)
{
    enter(frame, il__self(), task);
}

void il__frame_leave(il__frame *frame)
{
    leave(frame);
}

il__error *il__frame_error(il__frame *frame, int status)
{
    il__agent *self = frame->agent;
    il__error *note = self->note;
    if (!note || note->public.status != status)
        return il__error_plain(status, self->name ? self->name : "", NULL);
    self->note = NULL;
    il__store(&note->fresh, false); /* it travels: see il_fail_at */
    return note;
}

static int call(il__task *task)
{
    int status = il__cancel_status(&task->cancel);
    if (status) return status;
    do status = task->fn(task->in, task->out);
    while (il__unlikely(status < 0) && task->retries-- && !il__cancel_status(&task->cancel));

    /* A failure because of a deadline or a cancellation is reported as that. */
    int cancelled = il__unlikely(status < 0) ? il__cancel_status(&task->cancel) : 0;
    return cancelled ? cancelled : status;
}

/* Tell the future or the scope; let go of the task. */
void il__task_end(il__task *task, int status, il__error *error)
{
    il_scope *scope = task->scope;
    if (task->future) {
        il_future *future = task->future;
        il__future_complete(future, status, error);
        il__future_unref(future);
    } else {
        il__task_free(task);
        if (il__unlikely(status < 0)) il__scope_fail(scope, status, error);
    }
    if (scope) il__scope_leave(scope);
}

static inline void run(il__task *task, il__agent *self)
{
    il__frame frame;
    if (task->future && !il__future_begin(task->future)) { /* cancelled: done already */
        il_scope *scope = task->scope;
        il__future_unref(task->future);
        if (scope) il__scope_leave(scope);
        return;
    }
    enter(&frame, self, task);
    int status = call(task);
    il__error *error = il__unlikely(status < 0) ? il__frame_error(&frame, status) : NULL;
    leave(&frame);
    il__task_end(task, status, error);
}

/* In place, inside a task that has locals of its own. Apart: a fiber that waits is to be small. */
static __attribute__((noinline)) void run_with_locals_aside(il__task *task, il__agent *self)
{
    void *aside[IL__MAX_LOCALS];
    memcpy(aside, self->locals, sizeof aside);
    memset(self->locals, 0, sizeof aside);
    self->has_locals = false;
    run(task, self);
    memcpy(self->locals, aside, sizeof aside);
    self->has_locals = true;
}

void il__task_run(il__task *task)
{
    il__agent *self = il__self();
    if (il__unlikely(self->has_locals)) run_with_locals_aside(task, self);
    else run(task, self);
}

void il__task_refuse(il__task *task, int status)
{
    if (task->future && !il__future_begin(task->future)) {
        il__task_run(task);
        return;
    }
    il__task_end(task, status, il__error_plain(status, task->name ? task->name : "", NULL));
}

/* Spare tasks of a worker thread. Only workers keep them, since only they know when they end. */
enum { CACHED = 8192 }; /* of some 200 bytes each */

typedef struct task_cache {
    bool open;
    unsigned count;
    il__task *first; /* linked by job.next */
} task_cache;

static __thread task_cache own;

static __attribute__((noinline)) task_cache *cache_here(void)
{
    __asm__ volatile(""); /* not to be merged across a switch */
    return &own;
}

il__task *il__task_alloc(void)
{
    task_cache *cache = cache_here();
    il__task *task = cache->first;
    if (!task) return il__alloc(sizeof *task);
    cache->first = (il__task *)task->job.next;
    cache->count--;
    return task;
}

void il__task_free(il__task *task)
{
    task_cache *cache = cache_here();
    if (!cache->open || cache->count == CACHED) {
        il__free(task);
        return;
    }
    task->job.next = (il__job *)cache->first;
    cache->first = task;
    cache->count++;
}

void il__task_cache_open(void)
{
#if !IL_ASAN && !IL_TSAN && !defined(IL_FAULT) /* there each is to be an allocation of its own */
    cache_here()->open = true;
#endif
}

void il__task_cache_close(void)
{
    task_cache *cache = cache_here();
    if (!cache->open) return;
    cache->open = false;
    while (cache->first) {
        il__task *task = cache->first;
        cache->first = (il__task *)task->job.next;
        il__free(task);
    }
}
