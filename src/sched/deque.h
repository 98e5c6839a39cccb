/* SPDX-License-Identifier: MIT */
#ifndef IL_SCHED_DEQUE_H
#define IL_SCHED_DEQUE_H

/*
 * The split deque of forks. fork.h has the owner's end; here is the rest.
 *
 *     slots   [ stolen | public ........ | private ...... | free ]
 *             0        ^tail             ^split           ^top
 *
 * Thieves take at `tail`, by compare-and-swap of `range`, which holds both and an epoch. The owner
 * pushes and pops at `top` with plain loads and stores, as long as top stays above split. Moving
 * split up (giving work away) and down (taking it back) changes `range`, too.
 *
 *     range   bits 32..63 epoch, 16..31 tail, 0..15 split
 *
 * A thief that finds nothing public asks: it sets the owner's `limit` to the beginning, so that the
 * next il_fork_start takes the slow way, and there gives half of what is private.
 *
 * Invariants:
 *  - The deque holds forks of the fiber that runs on its worker now, and of no other: a fiber that
 *    parks moves its forks to the run queue (il__deque_empty_out).
 *  - Everything below a stolen fork is stolen.
 *  - A thief reads the slot before its swap. Whenever the owner takes public forks back, and so may
 *    use their slots again, the epoch is another, and the swap of whoever read before fails.
 */

#include <interlock/fork.h>

#include "base/atomic.h"

enum { IL__DEQUE_SLOTS = 8192 };

typedef struct il__split_deque {
    il__deque owner; /* first: what il__deque_here() gives */
    il_fork **slots, **end;
    _Alignas(64) uint64_t range; /* atomic: tail in the high half, split in the low one */
} il__split_deque;

static inline uint32_t il__range_tail(uint64_t range)
{
    return (uint32_t)(range >> 16) & 0xffff;
}

static inline uint32_t il__range_split(uint64_t range)
{
    return (uint32_t)range & 0xffff;
}

/* The range after `range` in which nothing is public and tail and split are `index`. */
static inline uint64_t il__range_closed(uint64_t range, uint32_t index)
{
    return ((range >> 32) + 1) << 32 | (uint64_t)index << 16 | index;
}

/* False without memory. */
bool il__deque_init(il__split_deque *deque);
void il__deque_destroy(il__split_deque *deque);

/* Owner: make half of the private forks public, calling leave(fork, arg) for each before. */
void il__deque_share(il__split_deque *deque, void (*leave)(il_fork *, void *), void *arg);

/* Owner: take everything that is not stolen out, oldest first, calling leave for each. */
void il__deque_empty_out(il__split_deque *deque, void (*leave)(il_fork *, void *), void *arg);

/* Owner: take `fork` out, wherever it is; false if it is not there (any more). */
bool il__deque_take(il__split_deque *deque, il_fork *fork);

/* Owner: how many are left that are not stolen; if none, begin again at the bottom. */
ptrdiff_t il__deque_left(il__split_deque *deque);

/* Thief: the oldest public fork, or NULL. */
il_fork *il__deque_steal(il__split_deque *deque);

/* Thief: is there something public? If not, ask for it. */
bool il__deque_has_public(il__split_deque *deque);
void il__deque_ask(il__split_deque *deque);

#endif
