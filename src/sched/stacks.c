/* SPDX-License-Identifier: MIT */
/*
 * Stacks in slabs. The first slab is small, so that a pool of a few tasks reserves little; each
 * further one is twice as large up to SLAB_MOST. Each stack gets its guard when it is cut.
 *
 * When more than KEEP stacks are free, those that come back give their memory to the system at
 * once, all but the page with the fiber in it.
 */

#include "sched/stacks.h"

#include "base/memory.h"
#include "base/sanitize.h"
#include "os/pages.h"

#ifdef IL_VALGRIND
#include <valgrind/valgrind.h>
#endif

enum { DEFAULT_SIZE = 256 * 1024, SMALLEST = 16 * 1024, SLAB_FIRST = 8, SLAB_MOST = 256, KEEP = 1024 };
enum { COLOURS = 16, COLOUR_STEP = 128 };
enum { GUARD = 64 * 1024 }; /* addresses only; a frame larger than it could step over it */

struct il__slab {
    il__slab *next;
    char *memory;
    size_t count, used; /* stacks it has room for, stacks cut so far */
};

void il__stacks_init(il__stacks *stacks, size_t stack_size)
{
    size_t page = il__page_size();
    if (!stack_size) stack_size = DEFAULT_SIZE;
    if (stack_size < SMALLEST) stack_size = SMALLEST;
#if IL_ASAN || IL_TSAN
    stack_size *= 4; /* instrumented frames are larger */
#endif
    *stacks = (il__stacks){ .stack_size = ((stack_size + page - 1) & ~(page - 1)) + GUARD };
}

/* Where a fiber lies. If all lay at the same place of their page, those of a thousand would compete
 * for a few sets of the caches; so neighbours lie a little lower each. */
static il__fiber *fiber_at(const il__stacks *stacks, const il__slab *slab, size_t index)
{
    char *top = slab->memory + (index + 1) * stacks->stack_size;
    return (il__fiber *)(void *)(top - sizeof(il__fiber) - index % COLOURS * COLOUR_STEP);
}

static il__slab *new_slab(il__stacks *stacks)
{
    size_t count = stacks->slabs ? stacks->slabs->count * 2 : SLAB_FIRST;
    if (count > SLAB_MOST) count = SLAB_MOST;
    il__slab *slab = il__alloc(sizeof *slab);
    if (!slab) return NULL;
    *slab = (il__slab){
        .next = stacks->slabs,
        .memory = il__pages_map(count * stacks->stack_size),
        .count = count,
    };
    if (!slab->memory) {
        il__free(slab);
        return NULL;
    }
    stacks->slabs = slab;
    return slab;
}

/* Cut the next stack from the newest slab. */
static il__fiber *cut(il__stacks *stacks)
{
    il__slab *slab = stacks->slabs;
    if (!slab || slab->used == slab->count) slab = new_slab(stacks);
    if (!slab) return NULL;

    char *low = slab->memory + slab->used * stacks->stack_size;
    if (!il__pages_guard(low, GUARD)) return NULL;
    il__fiber *fiber = fiber_at(stacks, slab, slab->used++);
    *fiber = (il__fiber){ .job.kind = IL__FIBER };
    fiber->context.low = low + GUARD;
    fiber->context.size = (size_t)((char *)fiber - fiber->context.low);
#ifdef IL_VALGRIND
    (void)VALGRIND_STACK_REGISTER(fiber->context.low, (char *)fiber);
#endif
    return fiber;
}

il__fiber *il__stacks_get(il__stacks *stacks)
{
    if (il__refused()) return NULL;
    il__spin_lock(&stacks->lock);
    il__fiber *fiber = stacks->free;
    if (fiber) {
        stacks->free = (il__fiber *)fiber->job.next;
        il__prefetch(stacks->free);
        stacks->free_count--;
    } else {
        fiber = cut(stacks);
    }
    il__spin_unlock(&stacks->lock);
    return fiber;
}

static void release_memory(il__fiber *fiber)
{
    size_t page = il__page_size();
    char *end = (char *)((size_t)fiber & ~(page - 1));
    fiber->is_loop = false;
    if (end > fiber->context.low) il__pages_release(fiber->context.low, (size_t)(end - fiber->context.low));
}

void il__stacks_put(il__stacks *stacks, il__fiber *first, il__fiber *last, size_t count)
{
    if (il__load(&stacks->free_count) > KEEP)
        for (il__fiber *fiber = first;; fiber = (il__fiber *)fiber->job.next) {
            release_memory(fiber);
            if (fiber == last) break;
        }
    il__spin_lock(&stacks->lock);
    last->job.next = (il__job *)stacks->free;
    stacks->free = first;
    il__store(&stacks->free_count, stacks->free_count + count);
    il__spin_unlock(&stacks->lock);
}

void il__stacks_visit(il__stacks *stacks, void (*visit)(il__fiber *, void *arg), void *arg)
{
    il__spin_lock(&stacks->lock);
    for (il__slab *slab = stacks->slabs; slab; slab = slab->next)
        for (size_t i = 0; i < slab->used; i++) visit(fiber_at(stacks, slab, i), arg);
    il__spin_unlock(&stacks->lock);
}

void il__stacks_destroy(il__stacks *stacks)
{
    while (stacks->slabs) {
        il__slab *slab = stacks->slabs;
        stacks->slabs = slab->next;
        for (size_t i = 0; i < slab->used; i++) il__context_drop(&fiber_at(stacks, slab, i)->context);
        il__pages_unmap(slab->memory, slab->count * stacks->stack_size);
        il__free(slab);
    }
}

size_t il__fiber_stack_used(const il__fiber *fiber)
{
    size_t page = il__page_size();
    char *end = (char *)(((size_t)fiber + page - 1) & ~(page - 1));
    return il__pages_used_from_end(fiber->context.low, (size_t)(end - fiber->context.low));
}

bool il__stacks_in_guard(const il__fiber *fiber, const void *address)
{
    const char *guard_end = fiber->context.low;
    return (const char *)address < guard_end && (const char *)address >= guard_end - GUARD;
}
