/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_LOOP_H
#define INTERLOCK_LOOP_H

/*
 * Loop: an executor of one thread, which sleeps where descriptors are watched (libuv).
 *
 *     il_executor *loop = NULL;
 *     int status = il_loop_new(NULL, &loop);
 *     if (!status) status = il_map(loop, download, urls, pages, 1000, NULL);   // 1000 at once
 *     il_executor_free(loop);
 *
 * Its tasks are fibers, as a pool's are, and wait for whatever those wait for: futures, channels,
 * locks, processes, select. What a loop adds is that a task which waits for a socket or a timer costs
 * no thread, and that no two of its tasks run at the same moment: between two waits a task has what
 * they share to itself. In return none may hold the thread for long, by computing or by a system
 * call that blocks: that holds up all the others. (.hold_limit tells of it.)
 *
 * States: open; closing (il_executor_close: no more input); closed (nothing is left); freed. Any
 * thread or fiber may submit to it, wait for its tasks, and stop it. Several loops use several CPUs.
 *
 * A loop has a thread of its own, unless .manual is set: then it runs while some thread calls
 * il_loop_run, il_loop_run_until, il_executor_close or il_executor_free, and whatever is submitted
 * waits for that.
 *
 * Callbacks. A callback of libuv's (il_loop_uv) runs on the loop's thread between two tasks. It may
 * do all that does not wait: start tasks, set events, send and receive with IL_NOW, complete promises. A
 * plain lock that another thread holds keeps it waiting as it would keep any thread, so a lock that
 * tasks of the same loop hold while they wait must not be taken there. Any other wait is a bug, and
 * told as one (il_on_fatal): start a task, which may wait.
 *
 * In the child of a fork() a loop is like any executor (executor.h): freed, and nothing else.
 */

#include <interlock/executor.h>
#include <interlock/time.h>

IL__BEGIN

struct uv_loop_s;

/* A task or a callback that holds its loop: told once, while it does. Borrowed for the call. */
typedef struct il_hold {
    const char *loop; /* its name */
    const char *task; /* the name of the task, "" if it has none; "callback" */
    il_fn *fn;        /* what the task runs; NULL: a callback, or it could not be found out */
    il_time since;    /* it has held the loop at least since then */
    size_t depth;     /* how many places there are; 0: the thread did not answer */
    const char *const *places; /* where it is, called from where, ...: "function+0x1a (program)" */
} il_hold;

enum { IL_LAGS = 24 };

/* All zero is each default; NULL means all defaults. */
typedef struct il_loop_opts {
    const char *name;     /* copied; its thread is called so; NULL: "loop" */
    size_t stack_size;    /* bytes a fiber, in whole pages, used only when touched; 0: 256 KiB */
    unsigned queue_limit; /* as in il_threads_opts */
    bool manual;          /* no thread of its own: il_loop_run */
    int64_t
        hold_limit; /* nanoseconds; what holds the loop longer is told while it does; 0: is not */
    void (*on_hold)(const il_hold *hold, void *arg); /* by a thread of its own; may be NULL */
    void *arg; /* of on_hold; borrowed as long as the loop lives */
} il_loop_opts;

/* What a loop has done. All but rounds only if it has a .hold_limit. */
typedef struct il_loop_info {
    uint64_t rounds; /* times it looked at its descriptors */
    uint64_t holds;  /* longer than .hold_limit */
    int64_t longest; /* nanoseconds between two looks, not counting sleep, at most */
    uint64_t
        lag[IL_LAGS]; /* how often that was less than 1, 2, 4... microseconds, and not of the class
                              before; the last: more */
} il_loop_info;

/* Gives a loop. Copies the options. 0, -ENOMEM, -EMFILE, -ENFILE, -EAGAIN (no more threads). */
IL_API int il_loop_new(const il_loop_opts *opts, il_executor **out_executor);

/* Run a manual loop on this thread, until il_loop_stop, or it is closed. IL_NOW: only what is ready,
 * and of very much a part. The thread is the loop's meanwhile. 0: stopped, or closed (il_loop_closed
 * tells); -ETIMEDOUT, -EAGAIN: `until` passed, what is left goes on when it is run again. -EBUSY: it
 * runs already; one with a thread of its own always does. -EINVAL: not a loop, or called by a task:
 * only a thread can do this. */
IL_API int il_loop_run(il_executor *loop, il_time until);

/* The same until the future is done: 0. -ECANCELED: il_loop_stop came first. Also -ENOMEM, and
 * -ESHUTDOWN (it is closing). */
IL_API int il_loop_run_until(il_executor *loop, il_future *future, il_time until);

/* Let il_loop_run return soon, after the task that runs now, or a few more; if it does not run, the
 * next one. Any thread or fiber, at any time. 0, or -EINVAL: not a manual loop. */
IL_API int il_loop_stop(il_executor *loop);

/* Was it closed, and is nothing left to run? */
IL_API bool il_loop_closed(il_executor *loop);

/* A snapshot. 0, or -EINVAL: not a loop. */
IL_API int il_loop_describe(il_executor *loop, il_loop_info *out_info);

/* The loop that the caller runs on, as a task or a callback; NULL: none. */
IL_API il_executor *il_loop_here(void);

/* The uv_loop_t inside, for libraries that live on one: to be used on the loop's own thread only
 * (il_loop_call). They do not run or close it. Handles that are still open when the loop is freed are
 * closed by that, without a call to their owner. NULL: not a loop. */
IL_API struct uv_loop_s *il_loop_uv(il_executor *loop);

/* Run fn(in, out) as a task of the loop and wait for it: from a pool that needs I/O done, from any
 * thread; on the loop itself it is a plain call. Borrows both. At `until`, or when the caller is
 * cancelled, the task is cancelled, and its end waited for. A thread that calls a manual loop that
 * nobody runs does so meanwhile. Returns the status of fn, or -ETIMEDOUT, -EAGAIN (IL_NOW, and not called
 * on the loop), -ECANCELED, -ENOMEM, -ESHUTDOWN, -EINVAL (not a loop, or one that stayed in the process
 * that forked this one). */
IL_API int il_loop_call(il_executor *loop, il_fn *fn, void *in, void *out, il_time until);

IL__END

#endif
