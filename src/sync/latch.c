/* SPDX-License-Identifier: MIT */
/*
 * Latch. `count` stays what it was at the start; the gate's state is how much has been counted
 * down. So the last count_down opens the latch and lets go of it in one and the same store: with
 * nobody waiting by compare-and-swap, else by unlocking the gate. Whoever sees the latch open may
 * free it.
 */

#include <interlock/latch.h>

#include <errno.h>

#include "base/fatal.h"
#include "sync/who.h"
#include "wait/choice.h"

static inline uint64_t counted(uint64_t word)
{
    return word >> IL__GATE_SHIFT;
}

static _Noreturn void too_far(il_latch *latch, uint64_t n, uint64_t left, const void *place)
{
    char who[80], here[160];
    il__fatal("latch %p counted down by %llu at %s by %s, but only %llu are left", (void *)latch,
              (unsigned long long)n, il__place(place, here, sizeof here),
              il__who(il__self(), who, sizeof who), (unsigned long long)left);
}

/* What is left after n more. */
static inline uint64_t left_after(il_latch *latch, uint64_t word, uint64_t n, const void *place)
{
    uint64_t left = latch->count - counted(word);
    if (il__unlikely(n > left)) too_far(latch, n, left, place);
    return left - n;
}

/* Somebody waits, or is about to. */
static void count_down_slow(il_latch *latch, uint64_t n, const void *place)
{
    uint64_t word = il__gate_lock(&latch->gate);
    bool opens = !left_after(latch, word, n, place);
    il__waiter *chain = opens ? il__gate_claim_all(&latch->gate) : NULL;
    /* release: pairs with il_latch_open */
    il__gate_unlock(&latch->gate, word + (n << IL__GATE_SHIFT));
    il__deliver_all(chain);
}

void il_latch_count_down(il_latch *latch, uint32_t n)
{
    const void *place = __builtin_return_address(0);
    uint64_t word = il__load(&latch->gate.word);
    if (!n) return;
    while (!(word & IL__GATE_LOCKED)) {
        if (!left_after(latch, word, n, place) && word & IL__GATE_WAITERS) break;
        /* release: pairs with il_latch_open */
        if (il__cas_weak(&latch->gate.word, &word, word + ((uint64_t)n << IL__GATE_SHIFT))) return;
    }
    count_down_slow(latch, n, place);
}

bool il_latch_open(const il_latch *latch)
{
    /* acquire: pairs with every count_down, as they are one chain of swaps */
    return counted(il__load_acquire(&latch->gate.word)) >= latch->count;
}

static int wait(il_latch *latch, il__cancels cancels, il_time until)
{
    if (il_latch_open(latch)) return 0;
    uint64_t word = il__gate_lock(&latch->gate);
    if (counted(word) < latch->count)
        return il__gate_wait(&latch->gate, word, "latch", latch, 0, cancels, until);
    il__gate_unlock(&latch->gate, word);
    return 0;
}

void il_latch_wait(il_latch *latch)
{
    wait(latch, IL__PLAIN, IL_FOREVER);
}

int il_latch_wait_until(il_latch *latch, il_time until)
{
    return wait(latch, IL__CANCELS, until);
}

/* --- Select ---------------------------------------------------------------------------------- */

static il__gate *gate_of(const il_case *what)
{
    return &((il_latch *)what->il__on)->gate;
}

static bool promising(const il_case *what)
{
    return il_latch_open(what->il__on);
}

static int take(il_case *what, il__waiter **woken)
{
    (void)woken;
    const il_latch *latch = what->il__on;
    return counted(il__gate_state(&latch->gate)) < latch->count ? -EAGAIN : 0;
}

const il__choice il__choice_open = { .gate = gate_of, .promising = promising, .take = take };
