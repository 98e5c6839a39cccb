/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_PROCESS_H
#define INTERLOCK_PROCESS_H

/*
 * Process: a program, or a function of this one, that runs beside it in a process of its own.
 *
 *     il_process *sort = NULL;
 *     il_process_opts opts = { .in = IL_PIPE, .out = IL_PIPE };
 *     int status = il_process_start((const char *[]){ "sort", "-n", NULL }, &opts, &sort);
 *     if (!status) status = il_process_write(sort, "3\n1\n2\n", 6, IL_FOREVER, NULL);
 *     il_process_close_in(sort);
 *     if (!status) status = il_process_read(sort, 1, line, sizeof line, il_after(IL_SEC(1)), &size);
 *     if (!status) status = il_process_wait(sort, IL_FOREVER, &exit);
 *     il_process_free(sort);
 *
 *     il_process *walker = NULL;
 *     status = il_process_call(walk, &from, sizeof from, sizeof found, NULL, &walker);
 *     if (!status) status = il_process_get(walker, il_after(IL_SEC(10)), &found);
 *     il_process_free(walker);
 *
 * States: running, ended (il_process_wait has said so, and nothing is left of it in the system).
 * Any thread or fiber may start one, at any time: it costs the same from a large program full of
 * threads as from a small one. A waiting fiber parks; a thread of the library, started at the
 * first wait and gone a second after the last, watches for all. SIGCHLD is not touched; a program
 * that ignores it, or reaps every child with wait(-1), takes the exits away (-ECHILD).
 *
 * The child gets descriptors 0, 1 and 2 and no other. No signal is blocked in it, none is caught;
 * those that this program ignores it ignores too. All its signals go through a pidfd, or to its
 * group while its number cannot be another's.
 *
 * Linux 5.9 or later; earlier ones answer -ENOSYS.
 */

#include <interlock/future.h>
#include <interlock/self.h>
#include <interlock/status.h>
#include <interlock/time.h>

IL__BEGIN

typedef struct il_process il_process;

/* Where a descriptor of the child comes from, beside 0 (inherited) and a descriptor of ours. */
enum {
    IL_PIPE = -1, /* a pipe; the other end is read or written here */
    IL_NULL = -2, /* /dev/null */
    IL_SAME = -3  /* .err only: where .out goes */
};

/* All zero is each default; NULL means all defaults. */
typedef struct il_process_opts {
    const char *name;       /* copied; NULL: argv[0] without its folders */
    const char *const *env; /* "NAME=value" ..., NULL at the end; NULL: this program's */
    const char *directory;  /* NULL: this program's */
    int in, out, err; /* 0: inherited; above: that descriptor, borrowed for the call; IL_... */
    bool group;       /* a process group of its own, which ends with it: when the process has
                               ended, whoever is left in the group is killed */
    bool session;     /* the same, and without the terminal: a session of its own */
    bool daemon;      /* it is killed when this program ends, by SIGKILL too. (A process that
                               main started: also if main's thread ends before the program) */
} il_process_opts;

typedef struct il_exit {
    int code;             /* 0 to 255 */
    int signal;           /* that ended it, or 0; then code is 0 as well */
    bool core;            /* and left a core file */
    int64_t cpu_time;     /* nanoseconds, of it and of those children that it has waited for */
    uint64_t peak_memory; /* bytes resident at most, it or one of those children; at least what this
                            program had resident when it started it, since Linux counts so */
    il_time started, ended; /* ended: when it was noticed */
} il_exit;

typedef struct il_process_info {
    long pid;
    char name[48];  /* cut */
    il_state state; /* IL_RUNNING, IL_DONE (exit code 0), IL_FAILED */
    bool daemon;
    il_time since;
} il_process_info;

/* Start a program. argv[0] is looked for along PATH unless there is a slash in it; argv ends with
 * NULL. Copies everything. Waits (the thread, some 100 microseconds) until the program runs, so that
 * what keeps it from running is a status here: -ENOENT (no such program, or directory), -EACCES,
 * -ENOEXEC, -EAGAIN, -EMFILE, -ENOMEM, ... with words (il_last_error). -EINVAL: argv is empty. */
IL_API int il_process_start(const char *const *argv, const il_process_opts *opts,
                            il_process **out_process);

/* Start fn(in, out) in a process of its own, as its main thread. Copies in_size bytes of *in; out_size
 * bytes come back. It is this program without its threads, its memory and its open files: made by a
 * zygote, this program executed once more and stopped before main, so that a program full of threads
 * may do it at any time and what it has in memory is not copied. So what `fn` finds is what the loader
 * has made: statics as they are written, libraries with their constructors run, but of main nothing.
 * Environment and directory are as of this call; limits, niceness and mask are as of the zygote, which
 * is made at the first call (that takes as long as this program takes to start, some milliseconds)
 * and is gone a second after the last of its children. No signal is ignored in it.
 *
 * From here on it is a process like any other. Its exit code is 0, or 1 when the function failed. When
 * the function returns, streams are flushed, nothing of atexit runs, and its threads are gone. .name
 * (NULL: this program's) is what ps shows of it, cut to 15 characters. Waits (the thread) until it is
 * made. 0; as il_process_start; -ENOEXEC: `fn` is in no library. */
IL_API int il_process_call(il_fn *fn, const void *in, size_t in_size, size_t out_size,
                           const il_process_opts *opts, il_process **out_process);

/* Wait for its end and for what its function returned: that status, and *out unless out is NULL or it
 * is a failure. -EOWNERDEAD: it ended before its function did: crashed, killed, or by exit(). As
 * il_future_get, the error with its words, place and causes goes with it (il_last_error).
 * -EAGAIN, -ETIMEDOUT, -ECANCELED: it runs. -EINVAL: it is a program. Again is fine: same answer. */
IL_API int il_process_get(il_process *process, il_time until, void *out);

/* Why its function failed, or how it died. .pid: which process. Failed: the words, place and causes that the
 * function noted. Died (-EOWNERDEAD): .signal is what killed it, 0 if it exited; and if it crashed,
 * .cause has the places in the module of its function, innermost first, for addr2line. NULL while it
 * runs, if it succeeded, and for a program. Borrowed from the process. */
IL_API const il_error *il_process_error(il_process *process);

/* Wait for the end of all, of any, or of the first that fails (exit code not 0, or a signal), as
 * il_futures_wait. NULLs among them are passed over. What each came to, il_process_wait or
 * il_process_get say afterwards without waiting. 0 also for count 0; -EAGAIN, -ETIMEDOUT, -ECANCELED,
 * -ENOMEM. To wait for a process and for something else: IL_EXITED (select.h). */
IL_API int il_process_wait_many(il_process *const *processes, size_t count, il_wait_for wait_for,
                                il_time until);

/* Wait for its end. 0: *out_exit (may be NULL) says how it ended; again and by several is fine.
 * -EAGAIN, -ETIMEDOUT, -ECANCELED: it runs. -ECHILD: it ended, but somebody else took the exit. */
IL_API int il_process_wait(il_process *process, il_time until, il_exit *out_exit);

/* Send a signal: to its group if it has its own, else to it. 0, -ESRCH (it has ended), -EINVAL, -EPERM
 * (it runs as another user). Never waits. */
IL_API int il_process_signal(il_process *process, int signal);

/* End it: SIGTERM, and if it has not ended `grace` nanoseconds later, SIGKILL, to its group if it has
 * its own. Waits until it has ended; a cancellation shortens the grace to nothing. Ended before is
 * success. 0, or -EPERM, -ECHILD. */
IL_API int il_process_terminate(il_process *process, int64_t grace, il_exit *out_exit);

/* Read what there is of its output (which: 1) or its errors (2), as soon as there is something.
 * *out_size: how much; 0 is the end. One reader a pipe at a time. 0, -EAGAIN, -ETIMEDOUT, -ECANCELED;
 * -EINVAL: it is not a pipe. */
IL_API int il_process_read(il_process *process, int which, void *buffer, size_t size, il_time until,
                           size_t *out_size);

/* Write all of it to its input. Waits for room. -EPIPE (it reads no more; no SIGPIPE is raised) and as
 * above; *out_size (may be NULL), also then: how much was written. One writer at a time. */
IL_API int il_process_write(il_process *process, const void *data, size_t size, il_time until,
                            size_t *out_size);

/* No more input: it reads the end. Again is nothing. */
IL_API void il_process_close_in(il_process *process);

/* For a loop of one's own. The pidfd, readable when il_process_wait would not wait; our end of the
 * pipe at 0, 1 or 2, non-blocking, or -1. Borrowed. */
IL_API int il_process_fd(const il_process *process);
IL_API int il_process_pipe(const il_process *process, int which);

IL_API long il_process_id(const il_process *process);
IL_API void il_process_describe(const il_process *process, il_process_info *out_info);

/* Those that were started here and not freed. Writes up to `capacity`; returns how many there are. */
IL_API size_t il_process_list(il_process_info *out_infos, size_t capacity);

/* Release it. One that runs is killed first, with its group, and waited for: no zombie, whatever
 * happened. Nobody may be using it. NULL is fine. */
IL_API void il_process_free(il_process *process);

IL__END

#endif
