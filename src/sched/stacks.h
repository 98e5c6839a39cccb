/* SPDX-License-Identifier: MIT */
#ifndef IL_SCHED_STACKS_H
#define IL_SCHED_STACKS_H

/*
 * The stacks of a pool: cut from slabs of reserved memory, each with a guard at its low end. Freed
 * ones are kept for the next fiber; all go when the pool goes.
 */

#include "sched/fiber.h"

typedef struct il__stacks {
    size_t stack_size; /* whole, with guard and fiber; set at init */
    il__spin lock;     /* guards the rest */
    il__slab *slabs;   /* newest first */
    il__fiber *free;   /* linked by job.next */
    size_t free_count; /* atomic */
    il__slab *bare;    /* those with free stacks that have no memory */
} il__stacks;

/* stack_size 0: the default. */
void il__stacks_init(il__stacks *stacks, size_t stack_size);
void il__stacks_destroy(il__stacks *stacks);

/* Fibers with a stack that has nothing on it, at least one and at most `most`, linked by job.next;
 * NULL without memory. */
il__fiber *il__stacks_get(il__stacks *stacks, unsigned most, unsigned *out_count);

/* Give back a chain of `count` fibers linked by job.next. */
void il__stacks_put(il__stacks *stacks, il__fiber *first, il__fiber *last, size_t count);

/* Give the memory of some free stacks back if there are many. False: there are few. */
bool il__stacks_trim(il__stacks *stacks);

/* Call visit for every fiber that there is, free ones too; the lock is held. */
void il__stacks_visit(il__stacks *stacks, void (*visit)(il__fiber *, void *arg), void *arg);

/* The most that its fiber has used of it so far, in whole pages, as far as memory tells. */
size_t il__fiber_stack_used(const il__fiber *fiber);

/* Is the address in the guard of this fiber's stack? Safe in a signal handler. */
bool il__stacks_in_guard(const il__fiber *fiber, const void *address);

#endif
