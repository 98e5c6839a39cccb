/* SPDX-License-Identifier: MIT */
#ifndef IL_OS_SPIN_H
#define IL_OS_SPIN_H

/*
 * A lock for a few instructions, in one word. Unlocking is a plain store, which is why it spins
 * instead of sleeping on a futex. Who holds one never waits, never switches and calls no foreign
 * code. If its holder was preempted, the others spin a little, then give their CPU away, then
 * sleep for ever longer moments, so that a holder of lower priority gets to run as well.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

typedef struct il__spin {
    uint32_t held;
} il__spin;

/* Pass a moment; `round` counts up from 0 at each failed try. */
void il__relax(unsigned round);

static inline void il__pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

static inline bool il__spin_try(il__spin *spin)
{
    return !il__load(&spin->held) && !il__swap_acquire(&spin->held, 1);
}

static inline void il__spin_lock(il__spin *spin)
{
    for (unsigned round = 0; !il__spin_try(spin); round++) il__relax(round);
}

static inline void il__spin_unlock(il__spin *spin)
{
    il__store_release(&spin->held, 0); /* pairs with the acquire of the next il__spin_try */
}

#endif
