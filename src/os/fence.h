/* SPDX-License-Identifier: MIT */
#ifndef IL_OS_FENCE_H
#define IL_OS_FENCE_H

/*
 * A fence of which one side is free. Two threads each write a word and then read the other's; at
 * least one must see the other's write. Where one side does this all the time and the other hardly
 * ever, the frequent side says il__fence_light(), which is nothing but a word to the compiler, and
 * the rare side il__fence_heavy(), which makes the kernel run a full fence on every CPU that runs
 * a thread of ours (membarrier). Without that call both are full fences.
 *
 * Dice, Huang, Yang: Asymmetric Dekker synchronization (2001).
 */

#include <stdbool.h>

#include "base/atomic.h"
#include "base/sanitize.h"

extern bool il__fence_asymmetric; /* set once, before a second thread can be concerned */

static inline void il__fence_light(void)
{
#if IL_TSAN
    static unsigned char fence;
    (void)il__swap(&fence, 0);
#else
    if (il__likely(il__load(&il__fence_asymmetric))) __atomic_signal_fence(__ATOMIC_SEQ_CST);
    else __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

void il__fence_heavy(void);

/* For who is neither: pairs with all three. */
static inline void il__fence_full(void)
{
#if IL_TSAN
    il__fence_light();
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* Ask the kernel whether it can. Again is fine; called whenever a pool is made. */
void il__fence_init(void);

#endif
