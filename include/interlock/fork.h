/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_FORK_H
#define INTERLOCK_FORK_H

/*
 * Fork and join: divide and conquer inside a pool, at the price of a few instructions when nobody
 * steals.
 *
 *     static int fib(void *in, void *out)
 *     {
 *         long n = *(long *)in, a, b, n1 = n - 1, n2 = n - 2;
 *         if (n < 2) { *(long *)out = n; return 0; }
 *
 *         il_fork left;
 *         il_fork_start(&left, fib, &n1, &a);
 *         fib(&n2, &b);
 *         il_fork_join(&left);
 *         *(long *)out = a + b;
 *         return 0;
 *     }
 *
 * A fork may run on another worker from its start to its join. If no worker came for it, the join
 * calls it like any function; if one did, the join waits for it. Every fork is joined, before the
 * function that declared it returns. Joins in the opposite order of starts are the cheap ones; any
 * order is right. A fork belongs to the scope that is current where it starts, and is joined before
 * that is closed. Outside a pool a fork runs when it is joined.
 *
 * The deque follows Faxen's Wool (Wool - a work stealing library, 2008) and van Dijk and van de
 * Pol's Lace (Lace: non-blocking split deque for work-stealing, 2014): only the older part of it
 * can be stolen from, so that the owner's part needs no fence and no atomic instruction.
 */

#include <interlock/executor.h>

IL__BEGIN

/* A fork in progress; on the stack, no initialisation. Fields are the library's. */
typedef struct il_fork {
    il_fn *fn;
    void *in, *out;
    /* Set only when it leaves the owner's hands: */
    il__job job;
    int status;
    bool local;                      /* never was in the deque: full, or not in a pool */
    void *cancel, *scope, *executor; /* where it belongs */
    void *note;                      /* the error that it ended with */
    uint64_t parent;                 /* id of who started it */
    il__gate done;
} il_fork;

/* The owner's end of a deque; the thieves' end is in src/sched/deque.h. Atomic only because several
 * fibers in turn are the owner. */
typedef struct il__deque {
    il_fork **top;   /* owner only: the first free slot */
    il_fork **split; /* owner only: slots below it can be stolen */
    il_fork **limit; /* a start at or above it takes the slow way: the end of the array, or the
                        beginning when a thief asks for work */
} il__deque;

IL_API void il__fork_start_slow(il_fork *fork);
IL_API int il__fork_join_slow(il_fork *fork);

/* The deque of the current worker. A fiber may have moved to another worker since the last call,
 * so neither the value nor the address of the thread-local may be kept: asm volatile, or a call. */
#if defined(__x86_64__) && defined(__linux__) && !defined(__ILP32__)
static inline il__deque *il__deque_here(void)
{
    il__deque *deque;
    __asm__ volatile("movq il__here@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=r"(deque));
    return deque;
}
#else
IL_API il__deque *il__deque_here(void);
#endif

/* Let fn(in, out) run beside what follows. Borrows in, out and *fork until the join. Never waits. */
static inline void il_fork_start(il_fork *fork, il_fn *fn, void *in, void *out)
{
    il__deque *deque = il__deque_here();
    il_fork **top = __atomic_load_n(&deque->top, __ATOMIC_RELAXED);

    fork->fn = fn;
    fork->in = in;
    fork->out = out;
    if (IL__LIKELY(top < __atomic_load_n(&deque->limit, __ATOMIC_RELAXED))) {
        __atomic_store_n(top, fork, __ATOMIC_RELAXED);
        __atomic_store_n(&deque->top, top + 1, __ATOMIC_RELAXED);
    } else {
        il__fork_start_slow(fork);
    }
}

/* Run it, or wait for whoever runs it. Returns what fn returned. */
static inline int il_fork_join(il_fork *fork)
{
    il__deque *deque = il__deque_here();
    il_fork **top = __atomic_load_n(&deque->top, __ATOMIC_RELAXED);

    if (IL__LIKELY(top > __atomic_load_n(&deque->split, __ATOMIC_RELAXED) &&
                   __atomic_load_n(top - 1, __ATOMIC_RELAXED) == fork)) {
        __atomic_store_n(&deque->top, top - 1, __ATOMIC_RELAXED);
        return fork->fn(fork->in, fork->out);
    }
    return il__fork_join_slow(fork);
}

IL__END

#endif
