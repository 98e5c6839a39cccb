/* SPDX-License-Identifier: MIT */
/* The gate: its lock, its list. Guarded by the LOCKED bit: gate->waiters and every waiter in it. */

#include "wait/gate.h"

#include <errno.h>

#include "os/spin.h"

enum { LOOKS = 24, PAUSES = 64 }; /* under a microsecond each */

/* Each look takes the cache line away from the holder, who could else lock several times in a row at
 * a tenth of the price: so look rarely. (Growing from one pause made four senders and four receivers
 * on two workers half as fast as this.) */
static void pass_a_moment(unsigned round)
{
    if (round >= LOOKS) il__relax(round);
    else
        for (unsigned i = 0; i < PAUSES; i++) il__pause();
}

uint64_t il__gate_lock_busy(il__gate *gate)
{
    for (unsigned round = 0;; round++) {
        pass_a_moment(round);
        uint64_t word = il__load(&gate->word);
        /* acquire: pairs with the release in il__gate_unlock_here */
        if (!(word & IL__GATE_LOCKED) && il__cas(&gate->word, &word, word | IL__GATE_LOCKED))
            return word;
    }
}

#if IL_TSAN
uint64_t il__gate_lock(il__gate *gate)
{
    return il__gate_lock_here(gate);
}

void il__gate_unlock(il__gate *gate, uint64_t state)
{
    il__gate_unlock_here(gate, state);
}
#endif

static void add(il__gate *gate, il__waiter *waiter)
{
    il__waiter *first = gate->waiters;
    waiter->gate = gate;
    if (!first) {
        gate->waiters = waiter->next = waiter->prev = waiter;
        return;
    }
    waiter->next = first;
    waiter->prev = first->prev;
    first->prev->next = waiter;
    first->prev = waiter;
}

void il__gate_add(il__gate *gate, il__waiter *waiter)
{
    add(gate, waiter);
}

void il__gate_add_first(il__gate *gate, il__waiter *waiter)
{
    add(gate, waiter);
    gate->waiters = waiter;
}

static void take_off(il__gate *gate, il__waiter *waiter)
{
    if (waiter->next == waiter) {
        gate->waiters = NULL;
    } else {
        waiter->next->prev = waiter->prev;
        waiter->prev->next = waiter->next;
        if (gate->waiters == waiter) gate->waiters = waiter->next;
    }
    waiter->gate = NULL;
}

bool il__gate_take(il__gate *gate, il__waiter *waiter)
{
    /* One that cannot be claimed has lost its wait and is on its way to leave: it finds itself
     * taken off, which saves it the way back. */
    bool won = il__claim(waiter->agent, waiter->index);
    take_off(gate, waiter);
    return won;
}

il__waiter *il__gate_claim(il__gate *gate)
{
    for (il__waiter *waiter; (waiter = gate->waiters);)
        if (il__gate_take(gate, waiter)) return waiter;
    return NULL;
}

/* Each waiter and each agent is on a stack of its own: begin to fetch the next agent, and the waiter
 * after that, whose address is known by then. */
static inline void prefetch_after(const il__waiter *waiter)
{
    il__prefetch(waiter->next->agent);
    il__prefetch(waiter->next->next);
}

il__waiter *il__gate_claim_all(il__gate *gate)
{
    il__waiter *chain = NULL, **end = &chain;
    for (il__waiter *waiter; (waiter = gate->waiters);) {
        prefetch_after(waiter);
        if (!il__gate_take(gate, waiter)) continue;
        *end = waiter;
        end = &waiter->next;
    }
    *end = NULL;
    return chain;
}

void il__deliver_all(il__waiter *chain)
{
    while (chain) {
        il__agent *agent = chain->agent;
        if (chain->next) prefetch_after(chain);
        chain = chain->next;
        il__deliver(agent);
    }
}

bool il__gate_remove(il__gate *gate, il__waiter *waiter)
{
    if (!waiter->gate) return false;
    take_off(gate, waiter);
    return true;
}

void il__gate_leave(il__gate *gate, il__waiter *waiter)
{
    uint64_t word = il__gate_lock(gate);
    il__gate_remove(gate, waiter);
    il__gate_unlock(gate, word);
}

unsigned il__gate_count(il__gate *gate)
{
    unsigned count = 0;
    uint64_t word = il__gate_lock(gate);
    il__waiter *first = gate->waiters, *waiter = first;
    if (first) do
            count++;
        while ((waiter = waiter->next) != first);
    il__gate_unlock(gate, word);
    return count;
}

int il__gate_wait(il__gate *gate, uint64_t state, const char *what, const void *on, uint32_t mode,
                  il__cancels cancels, il_time until)
{
    il__agent *self = il__self();
    il__waiter waiter = { .agent = self, .mode = mode };

    if (until == IL_NOW) {
        il__gate_unlock(gate, state);
        return -EAGAIN;
    }
    il__wait_begin(self, what, on, cancels);
    il__gate_add(gate, &waiter);
    il__gate_unlock(gate, state);

    int status = il__wait(self, until);
    if (status < 0) il__gate_leave(gate, &waiter);
    return status;
}
