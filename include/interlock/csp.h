/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_CSP_H
#define INTERLOCK_CSP_H

/*
 * CSP: a program as a network of processes that share nothing and talk through channels (Hoare,
 * Communicating sequential processes, 1978). A process is a task; parallel is a scope, alternation is
 * il_select, and what is left is here.
 *
 *     int status = il_par(pool, IL_PROCESS(produce, numbers),
 *                               IL_PROCESS(filter, &(struct pipe){ numbers, primes }),
 *                               IL_PROCESS(print, primes));
 *
 * Alternation: the first case that is ready, in the order of the array, is a priority; il_select_fair
 * has none; IL_WHEN(condition, ...) is a guard; IL_AFTER(...) a deadline; IL_NOW a default.
 *
 * Poison ends a network: a process that is done closes the ends it holds, those it reads from too.
 * Its neighbours then find -EPIPE in their next send or receive, are done as well, and do the same.
 * So the network ends wherever the end began, in both directions, once what was sent before has
 * been received:
 *
 *     static int filter(void *in, void *out)
 *     {
 *         struct pipe *self = in;
 *         long n;
 *         int status;
 *         while (!(status = il_chan_recv(self->from, &n, IL_FOREVER)))
 *             if (is_prime(n) && (status = il_chan_send(self->to, &n, IL_FOREVER))) break;
 *         return il_poison(status, self->from, self->to);
 *     }
 *
 * (examples/25_network.c; examples/21_sieve.c is one of a thousand processes.)
 */

#include <interlock/chan.h>
#include <interlock/scope.h>

IL__BEGIN

typedef struct il_csp_process {
    il_fn *fn;
    void *in, *out;
} il_csp_process;

/* A process of a function and its `in`; one that also has an `out` is written { fn, in, out }. */
#define IL_PROCESS(fn, in) ((il_csp_process){ (fn), (in), NULL })

/* Run all of them at once, each as a task of `executor` (a pool; NULL: that of the current scope or
 * task), in a scope of their own, and wait until the last has ended. Borrows the array and what it
 * points to for the call. The first that fails cancels the others.
 * Returns 0 or that failure, with its note; as il_scope_close. */
IL_API int il_par_many(il_executor *executor, const il_csp_process *processes, size_t count);
#define il_par(executor, ...)                                                                      \
    il_par_many((executor), (const il_csp_process[]){ __VA_ARGS__ },                               \
                sizeof((const il_csp_process[]){ __VA_ARGS__ }) / sizeof(il_csp_process))

/* Run them one after the other, in place. Returns 0, or the status of the first that failed, after
 * which none is begun; -ECANCELED: the current task was asked to stop between two of them. */
IL_API int il_seq_many(const il_csp_process *processes, size_t count);
#define il_seq(...)                                                                                \
    il_seq_many((const il_csp_process[]){ __VA_ARGS__ },                                           \
                sizeof((const il_csp_process[]){ __VA_ARGS__ }) / sizeof(il_csp_process))

/* Close the channels (NULL is passed over) and return `status`; but -EPIPE, which is how poison
 * arrives, becomes 0: the process has ended as it should. Never waits. */
IL_API int il_poison_many(int status, il_chan *const *ends, size_t count);
#define il_poison(status, ...)                                                                     \
    il_poison_many((status), (il_chan *const[]){ __VA_ARGS__ },                                    \
                   sizeof((il_chan *const[]){ __VA_ARGS__ }) / sizeof(il_chan *))

IL__END

#endif
