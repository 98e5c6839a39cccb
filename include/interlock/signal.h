/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_SIGNAL_H
#define INTERLOCK_SIGNAL_H

/*
 * Signal: what the system, a user or another process tells this one, as values to wait for.
 *
 *     il_signal *signal = NULL;
 *     int number, status = il_signal_open(loop, (int[]){ SIGHUP, SIGUSR1 }, 2, &signal);
 *     while (!status && !(status = il_signal_wait(signal, IL_FOREVER, &number)))
 *         if (number == SIGHUP) read_configuration();
 *     il_signal_free(signal);
 *
 * From il_signal_open on the process catches these signals, and each comes to everyone who has opened
 * it; after the last il_signal_free the system does with it what it does by default. What came while
 * nobody waited is kept, up to 16 of them; more are dropped, as the system itself counts no
 * signals either. (SIGKILL and SIGSTOP cannot be caught, and faults are not for this.)
 *
 * Any thread or fiber may open, wait and free; all of them before the loop is freed. A loop that
 * nobody drives (.manual) catches nothing until somebody does.
 */

#include <interlock/chan.h>
#include <interlock/executor.h>
#include <interlock/scope.h>
#include <interlock/time.h>

IL__BEGIN

typedef struct il_signal il_signal;

/* Catch the signals with these numbers, on this loop. Copies the numbers. 0, -ENOMEM, -EINVAL: not a
 * loop, no numbers, or one that cannot be caught. */
IL_API int il_signal_open(il_executor *loop, const int *numbers, size_t count,
                          il_signal **out_signal);

/* The same for callbacks (loop.h): call fn(number, arg) on the loop for each. Borrows arg. */
typedef void il_signal_fn(int number, void *arg);
IL_API int il_signal_on(il_executor *loop, const int *numbers, size_t count, il_signal_fn *fn,
                        void *arg, il_signal **out_signal);

/* Wait for one. 0, -EAGAIN, -ETIMEDOUT, -ECANCELED; -EPIPE: this one is for callbacks. */
IL_API int il_signal_wait(il_signal *signal, il_time until, int *out_number);

/* Where they come, a channel of int, for il_select. Borrowed. NULL: this one is for callbacks. */
IL_API il_chan *il_signal_chan(il_signal *signal);

/* Catch no more. No call of fn begins any more; on another thread one may be under way until this
 * returns. Nobody waits for one. NULL is fine. */
IL_API void il_signal_free(il_signal *signal);

/* Ctrl-C: the first SIGINT or SIGTERM cancels `scope`, and with it whatever runs in it, so that the
 * program ends in good order; a second one ends it at once, even if the loop is held. scope NULL: the
 * tasks of the loop that are in no scope of others, for good: those that are submitted later are
 * cancelled, too. Borrows the scope. One at a time in a process: -EBUSY. */
IL_API int il_signal_interrupt(il_executor *loop, il_scope *scope, il_signal **out_signal);

IL__END

#endif
