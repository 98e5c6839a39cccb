/* SPDX-License-Identifier: MIT */
/*
 * Once.
 *
 *     bits    name      meaning
 *     0, 1              the gate's
 *     2       DONE      it has succeeded; never changes again
 *     3       RUNNING   `runner` is at it
 *
 * When the runner fails, it hands RUNNING to the first who waits, so that exactly one tries again
 * and a newcomer does not. What a waiter was woken for is written into it between its claim and
 * its delivery.
 */

#include <interlock/once.h>

#include <errno.h>

#include "wait/gate.h"

#define DONE (UINT64_C(1) << IL__GATE_SHIFT)
#define RUNNING (UINT64_C(2) << IL__GATE_SHIFT)

enum { IT_IS_DONE, YOUR_TURN }; /* waiter.mode */

static inline uint64_t word_of(il__agent *agent)
{
    return (uint64_t)(uintptr_t)agent;
}

bool il_once_done(const il_once *once)
{
    return il__load_acquire(&once->gate.word) & DONE; /* pairs with the release in succeed */
}

static void succeed(il_once *once)
{
    il__gate_lock(&once->gate);
    il__waiter *chain = il__gate_claim_all(&once->gate); /* their mode is IT_IS_DONE */
    il__gate_unlock(&once->gate, DONE);
    il__deliver_all(chain);
}

static void fail(il_once *once)
{
    il__gate_lock(&once->gate);
    il__waiter *next = il__gate_claim(&once->gate);
    il__store(&once->runner, next ? word_of(next->agent) : 0);
    il__gate_unlock(&once->gate, next ? RUNNING : 0);
    if (!next) return;
    next->mode = YOUR_TURN;
    il__deliver(next->agent);
}

static int run(il_once *once, int (*fn)(void *arg), void *arg)
{
    int status = fn(arg);
    if (status) fail(once);
    else succeed(once);
    return status;
}

/* Wait for the runner; locked. */
static int wait(il_once *once, il__waiter *self, uint64_t word, il__cancels cancels, il_time until)
{
    il__wait_begin(self->agent, "once", once, cancels);
    il__gate_add(&once->gate, self);
    il__gate_unlock(&once->gate, word);
    int status = il__wait(self->agent, until);
    if (status) il__gate_leave(&once->gate, self);
    return status;
}

static int run_until(il_once *once, int (*fn)(void *arg), void *arg, il__cancels cancels,
                     il_time until)
{
    if (il_once_done(once)) return 0;
    il__waiter self = { .agent = il__self(), .mode = IT_IS_DONE };
    if (il__load(&once->runner) == word_of(self.agent)) return -EDEADLK;

    uint64_t word = il__gate_lock(&once->gate);
    if (word & RUNNING && until != IL_NOW) {
        int status = wait(once, &self, word, cancels, until);
        if (status) return status;
        return self.mode == YOUR_TURN ? run(once, fn, arg) : 0;
    }
    bool ours = !(word & (DONE | RUNNING));
    if (ours) il__store(&once->runner, word_of(self.agent));
    il__gate_unlock(&once->gate, ours ? word | RUNNING : word);
    if (ours) return run(once, fn, arg);
    return word & DONE ? 0 : -EAGAIN;
}

int il_once_run(il_once *once, int (*fn)(void *arg), void *arg)
{
    return run_until(once, fn, arg, IL__PLAIN, IL_FOREVER);
}

int il_once_run_until(il_once *once, int (*fn)(void *arg), void *arg, il_time until)
{
    return run_until(once, fn, arg, IL__CANCELS, until);
}
