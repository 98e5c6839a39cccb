/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_THREAD_H
#define INTERLOCK_THREAD_H

/*
 * Thread: one kernel thread, by hand. For work that blocks in foreign code, or that must be alone;
 * everything else is better off in an executor.
 *
 *     static int run(void *in, void *out);
 *
 *     il_thread thread = { 0 };
 *     int status = il_thread_start(&thread, run, &job, NULL, &(il_thread_opts){ .name = "reader" });
 *     if (!status) status = il_thread_join(&thread, IL_FOREVER);
 *
 * States: new (all zero), starting, runnable, running, blocked, then done, failed or canceled; never
 * backwards. A thread object is started once. It is the caller's memory and must outlive the
 * thread: join it first. A daemon's is static, or never freed. To make one's own kind of thread,
 * embed il_thread in a struct and find the struct again with IL_CONTAINER(il_thread_self(), ...).
 *
 * Threads that the library did not start may use everything in it; they need no registration.
 *
 * At exit of the process, daemons are cancelled and given il_thread_grace() to end; those that
 * are still alive are named to the handler of il_on_unobserved and left alone, and so is a thread
 * that nobody joined.
 */

#include <interlock/executor.h>
#include <interlock/self.h>
#include <interlock/status.h>

IL__BEGIN

typedef struct il_thread {
    uint64_t il__private[64];
} il_thread;

/* The struct of `type` whose `member` is at `pointer`. */
#define IL_CONTAINER(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

typedef struct il_thread_opts {
    const char *name;  /* copied, any length; the kernel gets the first 15 bytes, cut between
                          characters of UTF-8; NULL: "thread" */
    size_t stack_size; /* bytes; 0: the system's (8 MiB as a rule) */
    bool daemon;       /* the process may end while it runs */
} il_thread_opts;

/* Start fn(in, out) in a new thread. Borrows in and out until it has ended. 0; -EALREADY (started
 * before), -EAGAIN (the system has no more threads), -ENOMEM, -EINVAL (stack too small). */
IL_API int il_thread_start(il_thread *thread, il_fn *fn, void *in, void *out,
                           const il_thread_opts *opts);

/* Wait for its end. Returns what fn returned, the second time too; -EDEADLK: itself; -EINVAL: not
 * started; -EAGAIN, -ETIMEDOUT, -ECANCELED: still running (il_thread_state tells). Any thread or
 * fiber, several at once. */
IL_API int il_thread_join(il_thread *thread, il_time until);

/* Ask it to stop: its waits return -ECANCELED, il_cancelled() is true in it. 0, -EALREADY (ended),
 * -EINVAL (not started). Never waits, kills nothing. */
IL_API int il_thread_cancel(il_thread *thread);

IL_API il_state il_thread_state(const il_thread *thread);

/* Why it failed, or NULL. Borrowed from the thread object. */
IL_API const il_error *il_thread_error(const il_thread *thread);

/* What il_self() would say in it. -EINVAL: not started; -ESRCH: it has ended. */
IL_API int il_thread_describe(const il_thread *thread, il_info *out_info);

/* The thread object of the current thread, or NULL in main, in a foreign thread, in a fiber. */
IL_API il_thread *il_thread_self(void);

/* Rename the current thread. Copies. 0 or -ENOMEM. */
IL_API int il_thread_rename(const char *name);

/* Threads that live: main, started here, and foreign ones that have used the library. Writes up to
 * `capacity` of them (a consistent snapshot: no thread twice, none that had ended) and returns how
 * many there are. */
IL_API size_t il_thread_list(il_info *out_infos, size_t capacity);

/* How long exit waits for cancelled daemons, nanoseconds; returns the value before. At first
 * 100 ms. */
IL_API int64_t il_thread_grace(int64_t duration);

IL__END

#endif
