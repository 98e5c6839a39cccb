/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_FUTURE_H
#define INTERLOCK_FUTURE_H

/*
 * Future: the result of a task, before and after it is there.
 *
 *     il_future *future = NULL;
 *     long n = 12, square = 0;
 *     int status = il_submit(pool, fn, &n, sizeof n, sizeof square, NULL, &future);
 *     if (!status) status = il_future_get(future, IL_FOREVER, &square);
 *     il_future_free(future);
 *
 * States: pending, running, then done exactly once, whatever races. A promise is a future that is
 * completed by hand. Any thread or fiber may use a future, several at once, until it is freed.
 */

#include <interlock/executor.h>
#include <interlock/status.h>

IL__BEGIN

/* Wait for the result. Returns the task's own status and copies the result (out_size bytes of
 * il_submit) to *out unless out is NULL or the status is not 0; -EAGAIN, -ETIMEDOUT or -ECANCELED
 * (of the caller) when it is not there yet: il_future_done() tells the two apart. -EDEADLK: the
 * task waits for its own future. May be called again: same answer. */
IL_API int il_future_get(il_future *future, il_time until, void *out);

/* Is it done? Never waits. */
IL_API bool il_future_done(il_future *future);

/* Ask the task to stop. Not begun: it never runs, and the future is done with -ECANCELED. Running:
 * its waits return -ECANCELED and il_cancelled() is true in it; the future is done when it
 * returns, with -ECANCELED if it gave that or any other failure up because of it. A promise: done
 * with -ECANCELED. Never waits. Returns 0, or -EALREADY when it was done. */
IL_API int il_future_cancel(il_future *future);

/* Call callback(future, arg) once when it is done: by whoever completes it, or here and now if it
 * is done already; in the order they were added. A callback must not wait long: it holds up the
 * task that completed the future. The future is not freed during the call. 0 or -ENOMEM. */
IL_API int il_future_on_done(il_future *future, void (*callback)(il_future *, void *arg),
                             void *arg);

/* Why it failed: NULL while it is not done and when it did not fail. Borrowed from the future. */
IL_API const il_error *il_future_error(il_future *future);

typedef enum il_wait_for {
    IL_ALL,        /* every future is done */
    IL_ANY,        /* at least one is */
    IL_FIRST_ERROR /* one has failed, or all are done */
} il_wait_for;

/* Wait for some of many. NULLs among them are passed over; one may stand there twice. 0 when it
 * came true (also for count 0), -EAGAIN, -ETIMEDOUT, -ECANCELED, -ENOMEM. Says nothing of their
 * results. */
IL_API int il_futures_wait(il_future **futures, size_t count, il_wait_for, il_time until);

/* Take futures one by one as they are done: waits until one of them is, gives its index, and puts
 * NULL in its place, which hands it back to the caller: each is given once.
 *
 *     size_t i;
 *     while (!il_futures_next(futures, count, IL_FOREVER, &done, &i)) { ...; il_future_free(done); }
 *
 * 0, -EPIPE (none is left), -EAGAIN, -ETIMEDOUT, -ECANCELED, -ENOMEM. */
IL_API int il_futures_next(il_future **futures, size_t count, il_time until, il_future **out_future,
                           size_t *out_index);

/* What to do with the outcome of another task. Exactly one of .then and .rescue runs, then
 * .finally; each may be NULL. */
typedef struct il_chain {
    il_fn *then;   /* succeeded: in is its result */
    il_fn *rescue; /* failed: in is the il_error; its status and out replace the failure. NULL: the
                      failure goes on unchanged */
    void (*finally)(void *arg); /* in either case */
    void *arg;
    size_t out_size;
} il_chain;

/* Give a future for what `chain` makes of `future`; it runs on `executor` once that is done, so that
 * executor outlives it. The chain belongs to the current scope, which does not end before it.
 * Copies *chain; keeps `future` alive by itself. 0, -ENOMEM, -ESHUTDOWN. */
IL_API int il_future_then(il_future *future, il_executor *executor, const il_chain *chain,
                          il_future **out_future);

/* Let go of a future; the task goes on. NULL is fine. */
IL_API void il_future_free(il_future *future);

/* Promise: a future completed by hand. Gives a future of out_size bytes that belongs to no task.
 * Free it twice if producer and consumer are two: il_future_ref() adds an owner. */
IL_API int il_promise_new(size_t out_size, il_future **out_future);
IL_API il_future *il_future_ref(il_future *future);

/* Complete it: with a copy of the result (NULL: zeroes), or with a failure (status < 0; the words
 * as in il_fail, NULL for none). 0, or -EALREADY: it was done, nothing changed. Never waits. */
IL_API int il_promise_set(il_future *promise, const void *out);
IL_API int il_promise_fail(il_future *promise, int status, const char *message);

/* The producer goes away: waiters get -EPIPE if nothing was set. Frees like il_future_free. */
IL_API void il_promise_drop(il_future *promise);

IL__END

#endif
