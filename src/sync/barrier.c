/* SPDX-License-Identifier: MIT */
/*
 * Barrier.
 *
 *     bits    name      meaning
 *     0, 1              the gate's
 *     2       BROKEN    whoever comes gets -EPIPE
 *     3..63   arrived   so many of this meeting wait
 *
 * Those who have arrived are in the list. The last to come claims all of them, which ends the
 * meeting and makes room for the next at once; while the action runs they hold still. What came of
 * the meeting is written into each waiter between its claim and its delivery, so that none needs
 * to look at the barrier again: it may be gone.
 *
 * One that cannot be claimed has given up already. Who finds that out takes it off the list and
 * breaks the barrier for it; otherwise it does so itself. Being in the list still is what tells
 * the one from the other, so that a meeting is broken once and a later one, after a reset, never.
 */

#include <interlock/barrier.h>

#include <errno.h>

#include "wait/gate.h"

#define BROKEN (UINT64_C(1) << IL__GATE_SHIFT)
#define ONE (UINT64_C(2) << IL__GATE_SHIFT)

enum { MET, BROKE }; /* waiter.mode: what came of the meeting */

static inline uint64_t arrived(uint64_t word)
{
    return word / ONE;
}

static uint64_t length(const il__waiter *chain)
{
    uint64_t count = 0;
    for (; chain; chain = chain->next) count++;
    return count;
}

/* End the meeting for those in the chain. */
static void dismiss(il__waiter *chain, uint32_t outcome)
{
    for (il__waiter *waiter = chain; waiter; waiter = waiter->next) waiter->mode = outcome;
    il__deliver_all(chain);
}

/* Send all away and unlock. */
static void dissolve(il_barrier *barrier, uint64_t state)
{
    il__waiter *chain = il__gate_claim_all(&barrier->gate);
    il__gate_unlock(&barrier->gate, state);
    dismiss(chain, BROKE);
}

/* We are the last to come; locked. */
static int meet(il_barrier *barrier, uint64_t word)
{
    void (*action)(void *) = barrier->action;
    void *arg = barrier->arg;
    il__waiter *chain = il__gate_claim_all(&barrier->gate);
    if (length(chain) < arrived(word)) {
        il__gate_unlock(&barrier->gate, BROKEN);
        dismiss(chain, BROKE);
        return -EPIPE;
    }
    il__gate_unlock(&barrier->gate, 0);
    if (action) action(arg);
    dismiss(chain, MET);
    return IL_SERIAL;
}

static int wait(il_barrier *barrier, il__cancels cancels, il_time until)
{
    il__gate *gate = &barrier->gate;
    il__waiter self = { .agent = il__self() };

    uint64_t word = il__gate_lock(gate);
    if (word & BROKEN) {
        il__gate_unlock(gate, word);
        return -EPIPE;
    }
    if (arrived(word) + 1 >= barrier->parties) return meet(barrier, word);
    if (until == IL_NOW) {
        dissolve(barrier, BROKEN);
        return -EAGAIN;
    }
    il__wait_begin(self.agent, "barrier", barrier, cancels);
    il__gate_add(gate, &self);
    il__gate_unlock(gate, word + ONE);

    int status = il__wait(self.agent, until);
    if (!status) return self.mode == MET ? 0 : -EPIPE;
    word = il__gate_lock(gate);
    if (il__gate_remove(gate, &self)) dissolve(barrier, BROKEN);
    else il__gate_unlock(gate, word);
    return status;
}

int il_barrier_wait(il_barrier *barrier)
{
    return wait(barrier, IL__PLAIN, IL_FOREVER);
}

int il_barrier_wait_until(il_barrier *barrier, il_time until)
{
    return wait(barrier, IL__CANCELS, until);
}

void il_barrier_abort(il_barrier *barrier)
{
    il__gate_lock(&barrier->gate);
    dissolve(barrier, BROKEN);
}

void il_barrier_reset(il_barrier *barrier)
{
    il__gate_lock(&barrier->gate);
    dissolve(barrier, 0);
}

unsigned il_barrier_waiting(il_barrier *barrier)
{
    return (unsigned)arrived(il__load(&barrier->gate.word));
}

bool il_barrier_broken(il_barrier *barrier)
{
    return il__load(&barrier->gate.word) & BROKEN;
}
