/* SPDX-License-Identifier: MIT */
#ifndef IL_SCHED_SWITCH_H
#define IL_SCHED_SWITCH_H

/*
 * Stacks to run on, and the switch between two of them. AddressSanitizer and ThreadSanitizer are told
 * of each switch, from here and only from here: this file is compiled without them, since what
 * they count at the entry of a function must not be counted off on another stack.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/sanitize.h"

typedef struct il__context {
    void *sp;  /* saved while it does not run */
    char *low; /* the usable part of the stack */
    size_t size;
    void *tsan; /* ThreadSanitizer's idea of it */
    void *asan; /* AddressSanitizer's, saved while it does not run */
} il__context;

/* Make a context that will call entry(arg) at the top of [low, low + size) when first switched to;
 * entry never returns. It may have run before, and have been left for good. */
void il__context_make(il__context *context, char *low, size_t size, void (*entry)(void *),
                      void *arg);

/* The context of the current thread's own stack, to switch away from and back to. */
void il__context_adopt(il__context *context);

/* Push what must be preserved, keep the stack pointer in *save, take `sp`, pop, return. */
void il__switch_stacks(void **save, void *sp);

/* Run `to`. Returns when somebody switches back, possibly in another thread; never, if for_good. */
#if IL_ASAN || IL_TSAN
void il__context_switch(il__context *from, il__context *to, bool for_good);
#else
static inline void il__context_switch(il__context *from, il__context *to, bool for_good)
{
    (void)for_good;
    il__switch_stacks(&from->sp, to->sp);
}
#endif

/* What a context holds beyond its stack. */
void il__context_drop(il__context *context);

#endif
