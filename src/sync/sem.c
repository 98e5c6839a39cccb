/* SPDX-License-Identifier: MIT */
/*
 * Semaphore. `count` stays what it was at the start; the gate's state is how much was given back
 * less how much was taken since, a signed number, so that both are one compare-and-swap.
 *
 * Fair: units are handed to waiters in the order in which they came, and taken on their behalf
 * before they wake. A waiter's `mode` is how many it wants. Nobody takes past a waiter.
 *
 * Invariant, whenever the gate is not locked: the first waiter wants more than there is, or has
 * given up and is about to leave. So whoever gives back, and whoever leaves, hands out.
 */

#include <interlock/sem.h>

#include <errno.h>

#include "base/fatal.h"
#include "wait/choice.h"

static inline uint64_t value_of(const il_sem *sem, uint64_t word)
{
    return sem->count + (uint64_t)((int64_t)word >> IL__GATE_SHIFT);
}

static inline uint64_t units(uint64_t n)
{
    return n << IL__GATE_SHIFT;
}

/* Hand out what there is to those who come first; unlock. */
static void hand_out(il_sem *sem, uint64_t word)
{
    il__gate *gate = &sem->gate;
    il__waiter *chain = NULL, **end = &chain, *first;
    while ((first = gate->waiters) && first->mode <= value_of(sem, word)) {
        if (!il__gate_take(gate, first)) continue;
        word -= units(first->mode);
        *end = first;
        end = &first->next;
    }
    *end = NULL;
    il__gate_unlock(gate, word); /* release: pairs with the acquire of who takes next */
    il__deliver_all(chain);
}

static int acquire(il_sem *sem, uint32_t n, il__cancels cancels, il_time until)
{
    il__gate *gate = &sem->gate;
    uint64_t word = il__load(&gate->word);
    /* acquire: pairs with the release in il_sem_release_many */
    while (!(word & IL__GATE_BITS) && value_of(sem, word) >= n)
        if (il__cas_weak(&gate->word, &word, word - units(n))) return 0;

    word = il__gate_lock(gate);
    if (!gate->waiters && value_of(sem, word) >= n) {
        il__gate_unlock(gate, word - units(n));
        return 0;
    }
    int status = il__gate_wait(gate, word, "semaphore", sem, n, cancels, until);
    /* It may have held up those behind it, who want less. */
    if (status < 0 && status != -EAGAIN) hand_out(sem, il__gate_lock(gate));
    return status;
}

void il_sem_acquire(il_sem *sem)
{
    acquire(sem, 1, IL__PLAIN, IL_FOREVER);
}

int il_sem_acquire_until(il_sem *sem, il_time until)
{
    return acquire(sem, 1, IL__CANCELS, until);
}

int il_sem_acquire_many(il_sem *sem, uint32_t n, il_time until)
{
    if (sem->max && n > sem->max) return -EINVAL;
    return n ? acquire(sem, n, IL__CANCELS, until) : 0;
}

static bool has_room(const il_sem *sem, uint64_t word, uint32_t n)
{
    return value_of(sem, word) + n <= (sem->max ? sem->max : UINT32_MAX);
}

static int too_many(il_sem *sem, uint32_t n, const void *place)
{
    char here[160];
    return (il_fail)(-EOVERFLOW, "semaphore %p given %u at %s: it has %u of at most %u",
                     (void *)sem, n, il__place(place, here, sizeof here), il_sem_value(sem),
                     sem->max ? sem->max : UINT32_MAX);
}

static int release(il_sem *sem, uint32_t n, const void *place)
{
    uint64_t word = il__load(&sem->gate.word);
    while (!(word & IL__GATE_BITS) && has_room(sem, word, n))
        /* release: pairs with the acquire in acquire. The last access, if nobody waits. */
        if (il__cas_weak(&sem->gate.word, &word, word + units(n))) return 0;

    word = il__gate_lock(&sem->gate);
    if (!has_room(sem, word, n)) {
        il__gate_unlock(&sem->gate, word);
        return too_many(sem, n, place);
    }
    hand_out(sem, word + units(n));
    return 0;
}

int il_sem_release(il_sem *sem)
{
    return release(sem, 1, __builtin_return_address(0));
}

int il_sem_release_many(il_sem *sem, uint32_t n)
{
    return release(sem, n, __builtin_return_address(0));
}

uint32_t il_sem_value(il_sem *sem)
{
    return (uint32_t)value_of(sem, il__load(&sem->gate.word));
}

/* --- Select ---------------------------------------------------------------------------------- */

static il__gate *gate_of(const il_case *what)
{
    return &((il_sem *)what->il__on)->gate;
}

static bool promising(const il_case *what)
{
    return il_sem_value(what->il__on);
}

static int take(il_case *what, il__waiter **woken)
{
    (void)woken;
    il__gate *gate = gate_of(what);
    uint64_t state = il__gate_state(gate);
    if (gate->waiters || !value_of(what->il__on, state)) return -EAGAIN;
    il__gate_become(gate, state - units(1));
    return 0;
}

/* It wants one, so it holds up nobody when it leaves. */
const il__choice il__choice_acquire = {
    .gate = gate_of,
    .promising = promising,
    .take = take,
    .mode = 1,
};
