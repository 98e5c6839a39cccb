/* SPDX-License-Identifier: MIT */
/*
 * Waiting for some of many futures: one wait, a waiter in each gate. The first claim wins; then the
 * waiters leave the other gates.
 */

#include <errno.h>

#include "base/memory.h"
#include "task/future.h"

enum { NONE = -1, FEW = 16 };

typedef bool matches_fn(il_future *future);

static bool has_failed(il_future *future)
{
    return future->status < 0;
}

static bool is_any(il_future *future)
{
    (void)future;
    return true;
}

/* The index of the first that is done and matches; *out_left: how many are not done. */
static ptrdiff_t find(il_future **futures, size_t count, matches_fn *matches, size_t *out_left)
{
    ptrdiff_t found = NONE;
    *out_left = 0;
    for (size_t i = 0; i < count; i++) {
        if (!futures[i]) continue;
        if (!il_future_done(futures[i])) ++*out_left;
        else if (found == NONE && matches(futures[i])) found = (ptrdiff_t)i;
    }
    return found;
}

/* Wait until one more is done than when `left` were not. */
static int wait_for_one(il_future **futures, size_t count, size_t left, il__waiter *waiters,
                        il_time until)
{
    il__agent *self = il__self();
    int status = 0;
    if (until == IL_NOW) return -EAGAIN;
    for (size_t i = 0; i < count; i++)
        if (futures[i] && il__unlikely(il__future_orphaned(futures[i])))
            return il__future_wait(futures[i], until);

    il__wait_begin(self, "futures", futures, IL__CANCELS);
    for (size_t i = 0; i < count; i++) {
        waiters[i] = (il__waiter){ .agent = self, .index = 0 };
        if (!futures[i] || il_future_done(futures[i])) continue;
        uint64_t word = il__gate_lock(&futures[i]->gate);
        bool done = word >> IL__GATE_SHIFT;
        if (!done) il__gate_add(&futures[i]->gate, &waiters[i]);
        il__gate_unlock(&futures[i]->gate, word);
        if (!done) left--;
    }
    /* One is done already that was not when they were counted: claim oneself. */
    if (left && il__claim(self, 0)) il__or(&self->word, IL__WOKEN);
    status = il__wait(self, until);
    for (size_t i = 0; i < count; i++)
        if (waiters[i].agent && futures[i]) il__gate_leave(&futures[i]->gate, &waiters[i]);
    return status;
}

/* Wait until one matches, or none is left: 0 and its index, or NONE. */
static int wait_until(il_future **futures, size_t count, matches_fn *matches, il_time until,
                      ptrdiff_t *out_found)
{
    il__waiter few[FEW], *waiters = few;
    size_t left;
    int status = 0;

    *out_found = find(futures, count, matches, &left);
    if (*out_found != NONE || !left) return 0;
    if (until == IL_NOW) return -EAGAIN;
    if (count > FEW && !(waiters = il__alloc(count * sizeof *waiters))) return -ENOMEM;
    while (*out_found == NONE && left && !status) {
        for (size_t i = 0; i < count; i++) waiters[i].agent = NULL;
        status = wait_for_one(futures, count, left, waiters, until);
        *out_found = find(futures, count, matches, &left);
        if (*out_found != NONE || !left) status = 0;
    }
    if (waiters != few) il__free(waiters);
    return status;
}

static int wait_for_all(il_future **futures, size_t count, il_time until)
{
    for (size_t i = 0; i < count; i++) {
        int status = futures[i] ? il__future_wait(futures[i], until) : 0;
        if (status) return status;
    }
    return 0;
}

int il_futures_wait(il_future **futures, size_t count, il_wait_for wait_for, il_time until)
{
    ptrdiff_t found;
    if (wait_for == IL_ALL) return wait_for_all(futures, count, until);
    return wait_until(futures, count, wait_for == IL_ANY ? is_any : has_failed, until, &found);
}

int il_futures_next(il_future **futures, size_t count, il_time until, il_future **out_future,
                    size_t *out_index)
{
    ptrdiff_t found;
    int status = wait_until(futures, count, is_any, until, &found);
    if (status) return status;
    if (found == NONE) return -EPIPE;
    *out_future = futures[found];
    if (out_index) *out_index = (size_t)found;
    futures[found] = NULL;
    return 0;
}
