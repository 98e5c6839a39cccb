/* SPDX-License-Identifier: MIT */
#ifndef IL_WAIT_GATE_H
#define IL_WAIT_GATE_H

/*
 * Gate: one word of state and the list of those who wait for it to change. Every primitive of
 * `sync`, and futures and scopes too, is a gate and a policy.
 *
 *     bit     name      meaning
 *     0       LOCKED    somebody works on the word and the list; nobody else changes either
 *     1       WAITERS   the list is not empty
 *     2..63   -         the primitive's own state
 *
 * The lock being a bit of the word has a reason: one store both changes the state and unlocks. So
 * the last access of one who lets others through is the access that lets them through, and they may
 * free the gate at once. (nsync does it this way.)
 *
 * Fast paths change the word by compare-and-swap from a value without LOCKED to another.
 */

#include "base/probe.h"
#include "base/sanitize.h"
#include "wait/wait.h"

#define IL__GATE_LOCKED UINT64_C(1)
#define IL__GATE_WAITERS UINT64_C(2)
#define IL__GATE_BITS UINT64_C(3)
enum { IL__GATE_SHIFT = 2 };

uint64_t il__gate_lock_busy(il__gate *gate);

static inline uint64_t il__gate_lock_here(il__gate *gate)
{
    il__probe(IL__PROBE_GATE, gate);
    uint64_t word = il__load(&gate->word);
    /* acquire: pairs with the release in il__gate_unlock_here */
    if (il__likely(!(word & IL__GATE_LOCKED) &&
                   il__cas(&gate->word, &word, word | IL__GATE_LOCKED)))
        return word;
    return il__gate_lock_busy(gate);
}

static inline void il__gate_unlock_here(il__gate *gate, uint64_t state)
{
    state &= ~IL__GATE_BITS;
    if (gate->waiters) state |= IL__GATE_WAITERS;
    il__store_release(&gate->word, state); /* the last access: see above */
}

/* Inline, but for TSan: what it does not instrument must not lock unseen. */
#if IL_TSAN
uint64_t il__gate_lock(il__gate *gate);
void il__gate_unlock(il__gate *gate, uint64_t state);
#else
/* Lock; returns the word without LOCKED. For a few instructions only. */
static inline uint64_t il__gate_lock(il__gate *gate)
{
    return il__gate_lock_here(gate);
}

/* Make the word `state` (its two lowest bits are seen to) and unlock. */
static inline void il__gate_unlock(il__gate *gate, uint64_t state)
{
    il__gate_unlock_here(gate, state);
}
#endif

/* Take the first waiter that can be claimed off the list, claimed; NULL if there is none. Locked. */
il__waiter *il__gate_claim(il__gate *gate);

/* Take this one of the list off it, claimed; false: it had lost its wait, and is off as well. Locked.
 * For those who choose: the first waiter is gate->waiters. */
bool il__gate_take(il__gate *gate, il__waiter *waiter);

/* Claim the waiters one by one into a chain linked by `next`; deliver to such a chain, unlocked. */
il__waiter *il__gate_claim_all(il__gate *gate);
void il__deliver_all(il__waiter *chain);

/* Add at the end, or in front. Locked, and after il__wait_begin. */
void il__gate_add(il__gate *gate, il__waiter *waiter);
void il__gate_add_first(il__gate *gate, il__waiter *waiter);

/* Leave the list, unless one was taken from it: was one still in it? Locked. */
bool il__gate_remove(il__gate *gate, il__waiter *waiter);

/* The same, unlocked before and after. */
void il__gate_leave(il__gate *gate, il__waiter *waiter);

/* How many wait. Unlocked; for diagnosis and tests. */
unsigned il__gate_count(il__gate *gate);

/* The whole of a simple wait: gate is locked; wait at its end with `mode`; unlock to `state`.
 * Returns 0 when claimed, or -ETIMEDOUT or -ECANCELED, off the list either way. Unlocked. */
int il__gate_wait(il__gate *gate, uint64_t state, const char *what, const void *on, uint32_t mode,
                  il__cancels cancels, il_time until);

#endif
