/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_PROCESSES_H
#define INTERLOCK_PROCESSES_H

/*
 * The processes executor: tasks run in worker processes, which survive neither a crash nor a kill,
 * while the pool does. A worker that dies costs one task: that one fails with -EOWNERDEAD, and its
 * error names the signal or the exit code, the process, its peak memory and its last words on
 * standard error. The others go on, on a new worker.
 *
 *     il_executor *pool = NULL;
 *     int status = il_processes_new(NULL, &pool);
 *     if (!status) status = il_map(pool, risky, in, out, 1000, NULL);
 *     il_executor_free(pool);
 *
 * Submit, map, futures, deadlines and errors are those of every executor. What differs:
 *
 * - Input and output cross as bytes. A pointer in them means nothing in the worker, unless it points
 *   into a mapped region; so il_go, which passes by reference, and il_future_then are -EINVAL here.
 * - The function must be in the program or in a shared library that it has loaded, else the task
 *   is -ENOEXEC. Static variables are the worker's own, as they were when the program started.
 * - A deadline and a cancellation end a running task for good: first il_cancelled() is true there
 *   and its waits are -ECANCELED; after .grace the worker is killed, and whatever it has started.
 * - A worker is a plain process of one thread, which may use all of the library, a pool of threads of
 *   its own too. Standard input is empty; standard output is the program's; what is written to
 *   standard error is passed on to the program's.
 *
 * Workers are made by executing the program once more, to a point before main: of the program's own
 * code only constructors run there, those of its libraries and of C++ statics; one that makes a pool
 * itself is as far as they get. So a pool may be made at any time, whatever
 * threads there are. When the program ends, for whatever reason, so do its workers and what they
 * have started; nothing is left in any file system. A child of fork may not use the pool: -EPERM.
 */

#include <interlock/executor.h>

IL__BEGIN

/* All zero is each default; NULL means all defaults. */
typedef struct il_processes_opts {
    unsigned workers; /* processes; 0: il_cpu_count() */
    const char *name; /* copied; processes are called "name/0"...; NULL: "pool" */
    unsigned
        queue_limit; /* tasks accepted and not yet started; beyond it il_submit is -EAGAIN; 0: no
                             limit */
    int (*on_worker_start)(void *arg); /* first in each worker, also in those that replace others;
                                          a failure or a crash fails il_processes_new */
    const void *arg;                   /* the bytes that it gets a copy of, */
    size_t arg_size;                   /* or NULL when 0 */
    int64_t grace;    /* nanoseconds that a task gets to end by itself once it is cancelled; 0:
                               100 ms */
    size_t memory;    /* bytes that a worker may allocate beyond what it starts with: then malloc
                               fails there; 0: no limit */
    int64_t cpu_time; /* nanoseconds of CPU time a task (or a chunk of a map) may use: then its
                               worker is killed by SIGXCPU; 0: no limit */
    unsigned recycle_tasks; /* tasks after which a worker is replaced by a fresh one; 0: never */
    size_t recycle_size;    /* resident bytes above which it is, between tasks; 0: never */
} il_processes_opts;

/* Gives a pool of worker processes, all of them started. Copies the options. Waits for the workers
 * and their .on_worker_start. Returns 0, -ENOMEM, -EAGAIN (no more processes), -EMFILE, -EINVAL,
 * -ENOEXEC (the program cannot be executed again, or .on_worker_start is in no module), the failure
 * of .on_worker_start, or -EOWNERDEAD when it crashed: noted with words. */
IL_API int il_processes_new(const il_processes_opts *opts, il_executor **out_executor);

/* Memory that maps on processes do not copy: when the arrays of an il_map lie in it, workers
 * see them where they are. Zero at first. NULL: no memory. Any thread or fiber; other executors may
 * use it as any memory. Not visible to programs that this one starts. */
IL_API void *il_shared_alloc(size_t size);

/* Release it, from its first byte on. No map may be using it. NULL is fine. */
IL_API void il_shared_free(void *memory);

IL__END

#endif
