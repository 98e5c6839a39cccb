/* SPDX-License-Identifier: MIT */
/*
 * Event: bit SET of the gate's word. A set event has no waiters. An automatic event hands its one
 * "set" to a waiter that it has claimed, so that one that gives up at the same time cannot lose
 * it: the claim decides, and if nobody can be claimed the event stays set.
 *
 * Setting an event that is set already is still a write: whoever takes that "set" must see what
 * this setter did before, too.
 */

#include <interlock/event.h>

#include <errno.h>

#include "wait/choice.h"

#define SET (UINT64_C(1) << IL__GATE_SHIFT)

void il_event_set(il_event *event)
{
    uint64_t word = il__load(&event->gate.word);
    /* release: pairs with the acquire in take. The last access, if nobody waits. */
    while (!(word & IL__GATE_BITS))
        if (il__cas_weak(&event->gate.word, &word, word | SET)) return;

    il__gate_lock(&event->gate);
    bool automatic = event->automatic;
    il__waiter *chain = automatic ? il__gate_claim(&event->gate) : il__gate_claim_all(&event->gate);
    if (automatic && chain) chain->next = NULL;
    il__gate_unlock(&event->gate, automatic && chain ? 0 : SET);
    il__deliver_all(chain);
}

void il_event_clear(il_event *event)
{
    uint64_t word = il__gate_lock(&event->gate);
    il__gate_unlock(&event->gate, word & ~SET);
}

bool il_event_is_set(const il_event *event)
{
    return il__load_acquire(&event->gate.word) & SET;
}

/* Pass if it is set; automatic: and clear it. */
static bool take(il_event *event)
{
    /* acquire, also in the swap: pairs with the release in il_event_set */
    uint64_t word = il__load_acquire(&event->gate.word);
    if (!event->automatic) return word & SET;
    while (word & SET && !(word & IL__GATE_LOCKED))
        if (il__cas_weak(&event->gate.word, &word, word & ~SET)) return true;
    return false;
}

static int wait(il_event *event, il__cancels cancels, il_time until)
{
    if (take(event)) return 0;
    uint64_t word = il__gate_lock(&event->gate);
    if (!(word & SET)) return il__gate_wait(&event->gate, word, "event", event, 0, cancels, until);
    il__gate_unlock(&event->gate, event->automatic ? word & ~SET : word);
    return 0;
}

void il_event_wait(il_event *event)
{
    wait(event, IL__PLAIN, IL_FOREVER);
}

int il_event_wait_until(il_event *event, il_time until)
{
    return wait(event, IL__CANCELS, until);
}

/* --- Select ---------------------------------------------------------------------------------- */

static il__gate *gate_of(const il_case *what)
{
    return &((il_event *)what->il__on)->gate;
}

static bool promising(const il_case *what)
{
    return il_event_is_set(what->il__on);
}

static int take_case(il_case *what, il__waiter **woken)
{
    (void)woken;
    const il_event *event = what->il__on;
    uint64_t state = il__gate_state(&event->gate);
    if (!(state & SET)) return -EAGAIN;
    if (event->automatic) il__gate_become(gate_of(what), state & ~SET);
    return 0;
}

const il__choice il__choice_set = { .gate = gate_of, .promising = promising, .take = take_case };
