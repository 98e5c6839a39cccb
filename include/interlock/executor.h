/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_EXECUTOR_H
#define INTERLOCK_EXECUTOR_H

/*
 * Executor: where tasks run.
 *
 * A task is an ordinary function, `int fn(void *in, void *out)`. It returns a status (0 or
 * negative) and writes its result to *out. The same function runs on any executor:
 *
 *     il_executor *pool = NULL;
 *     int status = il_threads_new(NULL, &pool);       // or il_inline_new(&pool)
 *     if (!status) status = il_map(pool, square, in, out, 1000, NULL);
 *     il_executor_free(pool);
 *
 * States: open, closing (il_executor_close was called: no more input), freed. Any thread or fiber
 * may submit, also a task of the same executor. An executor outlives the scopes that use it.
 *
 * Waiting inside a task is always allowed: the task parks, and its worker goes on with others. A
 * pool of one worker runs tasks that wait for tasks that wait for tasks, to any depth.
 *
 * The process may end at any moment, by whomever, whatever a pool is doing; handlers of atexit() may
 * still use it. Under ASan what its parked tasks hold is then no leak.
 *
 * The child of a fork() has no workers. There a pool of the parent's refuses tasks (-ESHUTDOWN), its
 * unfinished futures and scopes fail with -EPIPE, and it may be freed; new pools work, and so does
 * whatever else no other thread was using when the process forked. A task may fork, but in the child
 * it must not return: there it ends by exec, exit or _exit.
 */

#include <interlock/api.h>
#include <interlock/time.h>

IL__BEGIN

/* A task. `in` is never written by the library; `out` is NULL when nothing is returned. */
typedef int il_fn(void *in, void *out);

typedef struct il_executor il_executor;
typedef struct il_future il_future;

/* All zero is each default; NULL means all defaults. */
typedef struct il_threads_opts {
    unsigned workers;  /* threads; 0: il_cpu_count(). More than CPUs is right for blocking work */
    size_t stack_size; /* bytes a fiber, in whole pages, used only when touched; 0: 256 KiB */
    const char *name;  /* copied; threads are called "name/0", "name/1"...; NULL: "pool" */
    unsigned queue_limit; /* tasks accepted from outside and not yet started; beyond it il_submit
                             is -EAGAIN; 0: no limit. Tasks of the pool itself are never refused */
    int (*on_worker_start)(void *arg); /* first on each worker; a failure fails il_threads_new */
    void (*on_worker_end)(void *arg);  /* last on each worker */
    void *arg;                         /* of both; borrowed as long as the executor lives */
} il_threads_opts;

typedef struct il_task_opts {
    il_time deadline; /* absolute; the task is cancelled then, its result is -ETIMEDOUT; 0: none */
    const char *name; /* borrowed: a literal, or memory that outlives the executor */
    unsigned retries; /* after a failure run it again so many times at most; 0: never. Not when it
                         was cancelled or its deadline passed */
    int priority;     /* > 0: before the others that have not started, < 0: when there is nothing
                         else; order within a class is first in, first out */
} il_task_opts;

/* Gives an executor that runs each task at once, on the stack of whoever submits it. For tests,
 * for debugging, and to have something to compare with. 0 or -ENOMEM. */
IL_API int il_inline_new(il_executor **out_executor);

/* Gives a pool of threads that share their work by stealing. Copies the options. Returns 0,
 * -ENOMEM, -EAGAIN (no more threads), -EINVAL, or the failure of .on_worker_start. */
IL_API int il_threads_new(const il_threads_opts *opts, il_executor **out_executor);

/* Take no more input from outside (il_submit is -ESHUTDOWN; what runs may still submit and fork)
 * and wait for the rest. 0; -ETIMEDOUT, -EAGAIN or -ECANCELED: some still run, call it again.
 * Inside a task of the same executor: -EDEADLK. */
IL_API int il_executor_close(il_executor *executor, il_time until);

/* Cancel what is left, join it, release. What has not started never runs: its future is
 * -ECANCELED. Waits for what runs, and for tasks that belong to a scope: cancelling those is the
 * scope's business. NULL is fine. Inside a task of the same executor: il_fatal. */
IL_API void il_executor_free(il_executor *executor);

/* Run fn(copy of in, out) and give a future for its result. Copies in_size bytes of *in (NULL
 * when 0); *out has out_size bytes, zeroed (NULL when 0), and lives in the future. The task
 * belongs to the scope that is current here, which does not end before it. out_future NULL: not
 * wanted. Never waits (inline: runs it first). Any thread or fiber.
 * Returns 0, -ENOMEM, -EAGAIN (queue_limit), -ESHUTDOWN, -ECANCELED (the scope was cancelled) or
 * -EINVAL; unless 0, nothing will run and *out_future is untouched. */
IL_API int il_submit(il_executor *executor, il_fn *fn, const void *in, size_t in_size,
                     size_t out_size, const il_task_opts *opts, il_future **out_future);

typedef struct il_executor_info {
    const char *kind;      /* "inline", "threads", "processes", "loop" */
    const char *name;      /* valid as long as the executor */
    unsigned workers;      /* that run tasks; 0: the caller does */
    unsigned long started; /* tasks begun so far */
    unsigned long parked;  /* times a task had to wait and gave up its worker */
    unsigned long stolen;  /* tasks and forks that moved between workers */
} il_executor_info;

/* A snapshot; each figure is right, the set of them was never all true at one moment. */
IL_API void il_executor_describe(il_executor *executor, il_executor_info *out_info);

IL__END

#endif
