/* SPDX-License-Identifier: MIT */
/*
 * Condition. The gate has no state, only waiters. A waiter is in the list before it gives the mutex
 * back, so no notify that follows the unlock can miss it; whoever notifies without the mutex does
 * not care which comes first. Lock order: the mutex is held while the gate is locked, never the
 * other way round.
 *
 * A notify that has claimed a waiter counts: its wait returns 0, whatever befalls it while it takes
 * the mutex again, which is a plain wait and cannot be cancelled. So no notify is lost to a waiter
 * that gives up.
 */

#include <interlock/cond.h>

#include <errno.h>

#include "sync/mutex.h"
#include "wait/gate.h"

static int wait_at(il_cond *cond, il_mutex *mutex, il__cancels cancels, il_time until,
                   const void *place)
{
    il__agent *self = il__self();
    il__waiter waiter = { .agent = self };
    if (!il_mutex_held(mutex)) return -EPERM;
    if (until == IL_NOW) return -EAGAIN;

    uint64_t word = il__gate_lock(&cond->gate);
    il__wait_begin(self, "condition", cond, cancels);
    il__gate_add(&cond->gate, &waiter);
    il__gate_unlock(&cond->gate, word);
    il__mutex_unlock_held(mutex, self);

    int status = il__wait(self, until);
    if (status) il__gate_leave(&cond->gate, &waiter);
    il__mutex_lock_at(mutex, IL__PLAIN, IL_FOREVER, place);
    return status;
}

int il_cond_wait(il_cond *cond, il_mutex *mutex)
{
    return wait_at(cond, mutex, IL__PLAIN, IL_FOREVER, __builtin_return_address(0));
}

int il_cond_wait_until(il_cond *cond, il_mutex *mutex, il_time until)
{
    return wait_at(cond, mutex, IL__CANCELS, until, __builtin_return_address(0));
}

int il_cond_wait_for(il_cond *cond, il_mutex *mutex, bool (*holds)(void *arg), void *arg,
                     il_time until)
{
    if (!il_mutex_held(mutex)) return -EPERM;
    while (!holds(arg)) {
        int status = wait_at(cond, mutex, IL__CANCELS, until, __builtin_return_address(0));
        /* It may have come true on the way back to the mutex. */
        if (status) return holds(arg) ? 0 : status;
    }
    return 0;
}

/* Claim up to `count` waiters, the first first. */
static il__waiter *claim(il__gate *gate, unsigned count, unsigned *out_claimed)
{
    il__waiter *chain = NULL, **end = &chain, *waiter;
    unsigned claimed = 0;
    for (; claimed < count && (waiter = il__gate_claim(gate)); claimed++) {
        *end = waiter;
        end = &waiter->next;
    }
    *end = NULL;
    *out_claimed = claimed;
    return chain;
}

unsigned il_cond_notify(il_cond *cond, unsigned count)
{
    unsigned claimed;
    /* Nobody waits: whoever was in the list before this notify is seen, since it came there with
     * the mutex held and we have had the mutex, or something like it, since. */
    if (!il__load_acquire(&cond->gate.word)) return 0;
    uint64_t word = il__gate_lock(&cond->gate);
    il__waiter *chain = claim(&cond->gate, count, &claimed);
    il__gate_unlock(&cond->gate, word);
    il__deliver_all(chain);
    return claimed;
}

unsigned il_cond_notify_all(il_cond *cond)
{
    return il_cond_notify(cond, UINT32_MAX);
}
