/* SPDX-License-Identifier: MIT */
/*
 * Waiting. See wait.h for the protocol and agent.h for the word.
 *
 * A wait and a cancellation may cross: the wait publishes WAITING and then looks at the status of
 * its node; the cancellation sets that status and then looks at the word. Both steps are
 * sequentially consistent, so one of them sees the other; if both do, the claim decides.
 */

#include "wait/wait.h"

#include <errno.h>

#include "base/probe.h"

void il__wait_begin(il__agent *self, const char *what, const void *on, il__cancels cancels)
{
    uint32_t word = IL__WAITING;
    if (cancels && self->cancel) {
        word |= IL__CANCELLABLE;
        il__cancel_enter(self->cancel, self);
    }
    il__store(&self->what, what);
    il__store(&self->on, on);
    /* A cancellation that does not see this must be seen by il__wait; else the lock of the list that
     * the waiter is put into is order enough. */
    if (word & IL__CANCELLABLE) il__store_seq(&self->word, word);
    else il__store(&self->word, word);
}

int il__wait(il__agent *self, il_time until)
{
    il__cancel *node = self->cancel;
    bool cancellable = il__load(&self->word) & IL__CANCELLABLE;
    bool bounded = cancellable && node->deadline < until;

    if (cancellable && il__load_seq(&node->status) && il__claim(self, IL__BY_CANCEL))
        il__or(&self->word, IL__WOKEN);

    il__probe(IL__PROBE_WAIT, self);
    il__store(&self->waits, self->waits + 1);
    self->ops->park(self, bounded ? node->deadline : until);
    il__probe(IL__PROBE_WOKEN, self);

    /* acquire: pairs with the winner's il__deliver */
    uint32_t reason = il__load_acquire(&self->word) >> IL__REASON;
    il__store(&self->word, IL__IDLE);
    il__store(&self->what, NULL);

    if (reason == IL__BY_CANCEL) return -ECANCELED;
    if (reason != IL__BY_DEADLINE) return (int)reason;
    if (!bounded) return -ETIMEDOUT;
    il__cancel_expire(node, il_now());
    return -ECANCELED;
}

bool il__claim(il__agent *agent, uint32_t reason)
{
    uint32_t word = il__load_seq(&agent->word); /* the canceller's second step: see above */
    do {
        if ((word & IL__PHASE) != IL__WAITING) return false;
        if (reason == IL__BY_CANCEL && !(word & IL__CANCELLABLE)) return false;
    } while (!il__cas_weak(&agent->word, &word,
                           IL__CLAIMED | (word & IL__PARKED) | reason << IL__REASON));
    return true;
}

void il__deliver(il__agent *agent)
{
    const il__agent_ops *ops = agent->ops;
    il__probe(IL__PROBE_WAKE, agent);
    /* release: pairs with the acquire in il__wait. After it only a parked agent is still there. Of
     * one that is parked and claimed nobody else changes the word. */
    uint32_t word = il__load(&agent->word);
    if (word & IL__PARKED) il__store_release(&agent->word, word | IL__WOKEN);
    else word = il__or(&agent->word, IL__WOKEN);
    if (word & IL__PARKED) ops->unpark(agent);
}

__attribute__((noinline)) int *il_errno(void)
{
    /* __errno_location is declared const, so a compiler may use an answer from before a switch;
     * this call it cannot see through, il__wait above included. */
    __asm__ volatile("");
    return &errno;
}

int il_sleep(il_time until)
{
    il__agent *self = il__self();
    if (until <= IL_NOW) return 0;
    il__wait_begin(self, "sleep", NULL, IL__CANCELS);
    int status = il__wait(self, until);
    return status == -ETIMEDOUT ? 0 : status;
}

void il_yield(void)
{
    il__agent *self = il__self();
    self->ops->yield(self);
}
