/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_STATUS_H
#define INTERLOCK_STATUS_H

/*
 * Status and error.
 *
 * A call that can fail returns a *status*: 0, or a negative errno, by value; nothing hides in a
 * global. These are the ones that the library itself returns, and what each means everywhere:
 *
 *   -EACCES      no right to it; the other side has another key
 *   -EAGAIN      it would have to wait, and the deadline was IL_NOW; or no room for more
 *   -EALREADY    done before, and it can be done only once
 *   -EBADMSG     the same job gave two different results
 *   -EBUSY       in use: somebody still waits, runs or holds
 *   -ECANCELED   the task, its scope or its future was cancelled
 *   -EDEADLK     it would wait for itself
 *   -EINVAL      an argument that can never be right
 *   -EMSGSIZE    a message above the limit
 *   -ENOBUFS     more than the buffer holds
 *   -ENODATA     it ended before all of it had come
 *   -ENOENT      there is nothing of that name
 *   -ENOEXEC     a worker process cannot find the function: other program, other library
 *   -ENOMEM      no memory
 *   -EOVERFLOW   more than the maximum: what a bounded semaphore was given, what a subscriber lagged
 *   -EOWNERDEAD  the process that ran it died
 *   -EPERM       not the owner
 *   -EPIPE       those it waits for will not come: dropped promise, broken barrier, closed channel
 *   -EPROTO      a stream that ends within a message, or in which something else is spoken
 *   -ESHUTDOWN   the executor is closed
 *   -ESTALE      somebody has changed it since it was read
 *   -ETIMEDOUT   the deadline passed
 *
 * Where a system call is behind it (processes, sockets, names, files) its own come out too:
 * -ECONNREFUSED, -ENOENT, -EMFILE...
 *
 * A task may return any of these and any other negative number; it comes out where its future,
 * scope or thread is waited for, unchanged.
 *
 * A status alone says what; an *error* also says in which words, where in the source and because
 * of what. A function that fails notes it in passing:
 *
 *     if (!file) return il_fail(-ENOENT, "no such image: %s", path);
 *
 * The note stays with the task until its next note or its end. When the task's status is the one
 * noted, the note goes with it to whoever waits for the task: il_future_error(),
 * il_scope_error(), il_thread_error(). If that one fails in turn with the same status, the note
 * it received becomes the cause of its own.
 */

#include <interlock/api.h>

IL__BEGIN

/* An error: immutable, valid as long as the object that it was asked of. */
typedef struct il_error {
    int status;
    const char *message, *file;   /* never NULL; file is "" when the place is not known */
    int line;                     /* 0 when the place is not known */
    int signal;                   /* that ended the process, or 0 */
    long pid;                     /* of the process that failed, or 0: this one */
    const char *task;             /* name of the task that failed, or "" */
    const struct il_error *cause; /* what made it fail, or NULL */
} il_error;

/* The meaning of a status in a few words ("the deadline passed"). Never NULL, never freed,
 * never waits. Any thread or fiber. */
IL_API const char *il_strerror(int status);

/* Note why the current task is about to fail; returns `status`, so that it can be returned at
 * once. Copies the words (printf format). Never waits and never fails: without memory the note
 * carries il_strerror(status) instead of the words. The macro adds the place. */
IL_API int il_fail(int status, const char *format, ...) IL__PRINTF(2, 3);
IL_API int il_fail_at(const char *file, int line, int status, const char *format, ...)
    IL__PRINTF(4, 5);
#define il_fail(...) il_fail_at(__FILE__, __LINE__, __VA_ARGS__)

/* Add words to a failure on its way up: what was noted with the same status, by whomever, becomes
 * the cause.
 *
 *     int status = read_header(file);                 // noted "short file"
 *     if (status) return il_explain(status, "image %s", path);
 *
 * Otherwise as il_fail. */
IL_API int il_explain(int status, const char *format, ...) IL__PRINTF(2, 3);
IL_API int il_explain_at(const char *file, int line, int status, const char *format, ...)
    IL__PRINTF(4, 5);
#define il_explain(...) il_explain_at(__FILE__, __LINE__, __VA_ARGS__)

/* The last note of the current task (its own, or one received with a status it waited for), or
 * NULL. It may be that of an earlier failure that was dealt with: compare its status. Borrowed: valid
 * until the next note or the end of the task. */
IL_API const il_error *il_last_error(void);

/* Write an error and its causes as one line of text, snprintf-like:
 *
 *     loading site: no such image: a.png (fetch.c:31, task "fetch 7"): No such file or directory
 *
 * Returns the length that the whole line has; at most size - 1 bytes and a 0 are written. */
IL_API size_t il_error_format(const il_error *error, char *buffer, size_t size);

/*
 * A bug in the caller (unlocking a lock that it does not hold) is not a status: nobody would look
 * at it. It goes to the fatal handler, with one line that names the object and its owner. The
 * default handler writes the line to standard error; if a handler returns, the process aborts.
 */
typedef void il_fatal_fn(const char *message);

/* Put `handler` (NULL: the default) in place; returns the one before. Any thread. */
IL_API il_fatal_fn *il_on_fatal(il_fatal_fn *handler);

/* A failure that nobody looked at: a future that failed and was freed unasked outside any scope.
 * (In a scope it becomes the status of il_scope_close.) The default handler does nothing.
 * The error is borrowed for the call. `handler` NULL restores the default. */
typedef void il_unobserved_fn(const il_error *error);
IL_API il_unobserved_fn *il_on_unobserved(il_unobserved_fn *handler);

IL__END

#endif
