/* SPDX-License-Identifier: MIT */
/*
 * Stacks in slabs. The first slab is small, so that a pool of a few tasks reserves little; each
 * further one is twice as large up to SLAB_MOST. Each stack gets its guard when it is cut.
 *
 * Free stacks keep their memory, and the loop that rests on them, for the next fiber. A worker that
 * has nothing to do gives back the memory of those beyond KEEP, some at a time.
 */

#include "sched/stacks.h"

#include "base/memory.h"
#include "base/sanitize.h"
#include "os/pages.h"

#ifdef IL_VALGRIND
#include <valgrind/valgrind.h>
#endif

enum {
    DEFAULT_SIZE = 256 * 1024,
    SMALLEST = 16 * 1024,
    SLAB_FIRST = 8,
    SLAB_MOST = 256,
    KEEP = 1024,
    TRIM = 64
};
enum { COLOURS = 20, COLOUR_STEP = 128 };
enum { GUARD = 64 * 1024 }; /* addresses only; a frame larger than it could step over it */

struct il__slab {
    il__slab *next;
    char *memory;
    size_t count, used;  /* stacks it has room for, stacks cut so far */
    il__slab *next_bare; /* in the list of slabs that have bare stacks */
    size_t bare_count;
    uint16_t bare[SLAB_MOST]; /* indices of stacks that are free and have no memory */
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

static char *low_end(const il__stacks *stacks, const il__slab *slab, size_t index)
{
    return slab->memory + index * stacks->stack_size + GUARD;
}

/* Lay a fiber on a stack that has nothing on it: its pages are zero, which says the rest. */
static il__fiber *lay(const il__stacks *stacks, il__slab *slab, size_t index)
{
    il__fiber *fiber = fiber_at(stacks, slab, index);
    fiber->job.kind = IL__FIBER;
    fiber->slab = slab;
    fiber->index = index;
    fiber->context.low = low_end(stacks, slab, index);
    fiber->context.size = (size_t)((char *)fiber - fiber->context.low);
    return fiber;
}

/* Cut the next stack from the newest slab. */
static il__fiber *cut(il__stacks *stacks)
{
    il__slab *slab = stacks->slabs;
    if (!slab || slab->used == slab->count) slab = new_slab(stacks);
    if (!slab) return NULL;

    char *guard = slab->memory + slab->used * stacks->stack_size;
    if (!il__pages_guard(guard, GUARD)) return NULL;
    il__fiber *fiber = lay(stacks, slab, slab->used++);
#ifdef IL_VALGRIND
    (void)VALGRIND_STACK_REGISTER(fiber->context.low, (char *)fiber);
#endif
    il__asan_root(fiber->context.low, fiber->context.size);
    return fiber;
}

/* Take a stack whose memory was given back. */
static il__fiber *reuse_bare(il__stacks *stacks)
{
    il__slab *slab = stacks->bare;
    if (!slab) return NULL;
    size_t index = slab->bare[--slab->bare_count];
    if (!slab->bare_count) stacks->bare = slab->next_bare;
    return lay(stacks, slab, index);
}

static il__fiber *take_free(il__stacks *stacks)
{
    il__fiber *fiber = stacks->free;
    if (!fiber) return NULL;
    stacks->free = (il__fiber *)fiber->job.next;
    il__prefetch(stacks->free);
    il__store(&stacks->free_count, stacks->free_count - 1);
    return fiber;
}

il__fiber *il__stacks_get(il__stacks *stacks, unsigned most, unsigned *out_count)
{
    if (il__refused()) return NULL;
    il__spin_lock(&stacks->lock);
    il__tsan_receive(stacks);
    il__fiber *fiber = take_free(stacks), *last = fiber;
    unsigned count = 1;
    for (; last && count < most && stacks->free; count++) last = take_free(stacks);
    if (last) last->job.next = NULL; /* they are linked as they were */
    if (!fiber) fiber = reuse_bare(stacks);
    if (!fiber) fiber = cut(stacks);
    il__tsan_hand_over(stacks);
    il__spin_unlock(&stacks->lock);
    *out_count = count;
    return fiber;
}

void il__stacks_put(il__stacks *stacks, il__fiber *first, il__fiber *last, size_t count)
{
    il__spin_lock(&stacks->lock);
    last->job.next = (il__job *)stacks->free;
    stacks->free = first;
    il__tsan_hand_over(stacks);
    il__store(&stacks->free_count, stacks->free_count + count);
    il__spin_unlock(&stacks->lock);
}

/* Give the memory back, the fiber's own page too. What is left is a number in its slab. */
static void strip(il__stacks *stacks, il__fiber *fiber)
{
    il__slab *slab = fiber->slab;
    size_t index = fiber->index;
    il__tsan_receive(fiber);
    il__context_drop(&fiber->context);
    il__pages_release(low_end(stacks, slab, index), stacks->stack_size - GUARD);

    il__spin_lock(&stacks->lock);
    if (!slab->bare_count) {
        slab->next_bare = stacks->bare;
        stacks->bare = slab;
    }
    slab->bare[slab->bare_count++] = (uint16_t)index;
    il__tsan_hand_over(stacks);
    il__spin_unlock(&stacks->lock);
}

bool il__stacks_trim(il__stacks *stacks)
{
    il__fiber *chain = NULL;
    if (il__likely(il__load(&stacks->free_count) <= KEEP)) return false;

    il__spin_lock(&stacks->lock);
    for (int i = 0; i < TRIM && stacks->free_count > KEEP; i++) {
        il__fiber *fiber = take_free(stacks);
        fiber->job.next = (il__job *)chain;
        chain = fiber;
    }
    il__spin_unlock(&stacks->lock);
    while (chain) {
        il__fiber *fiber = chain;
        chain = (il__fiber *)chain->job.next;
        strip(stacks, fiber);
    }
    return true;
}

void il__stacks_visit(il__stacks *stacks, void (*visit)(il__fiber *, void *arg), void *arg)
{
    il__spin_lock(&stacks->lock);
    il__tsan_receive(stacks);
    for (il__slab *slab = stacks->slabs; slab; slab = slab->next)
        for (size_t i = 0; i < slab->used; i++) visit(fiber_at(stacks, slab, i), arg);
    il__spin_unlock(&stacks->lock);
}

void il__stacks_destroy(il__stacks *stacks)
{
    while (stacks->slabs) {
        il__slab *slab = stacks->slabs;
        stacks->slabs = slab->next;
        for (size_t i = 0; i < slab->used; i++) {
            il__fiber *fiber = fiber_at(stacks, slab, i);
            il__context_drop(&fiber->context);
            il__asan_unroot(low_end(stacks, slab, i),
                            (size_t)((char *)fiber - low_end(stacks, slab, i)));
        }
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
