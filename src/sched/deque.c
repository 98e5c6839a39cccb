/* SPDX-License-Identifier: MIT */
/* The slow half of the split deque: see deque.h. */

#include "sched/deque.h"

#include "base/memory.h"
#include "os/pages.h"

bool il__deque_init(il__split_deque *deque)
{
    size_t size = IL__DEQUE_SLOTS * sizeof(il_fork *);
    deque->slots = il__pages_map(size);
    if (!deque->slots) return false;
    deque->end = deque->slots + IL__DEQUE_SLOTS;
    deque->owner = (il__deque){ .top = deque->slots, .split = deque->slots, .limit = deque->end };
    return true;
}

void il__deque_destroy(il__split_deque *deque)
{
    if (deque->slots) il__pages_unmap(deque->slots, IL__DEQUE_SLOTS * sizeof(il_fork *));
}

void il__deque_share(il__split_deque *deque, void (*leave)(il_fork *, void *), void *arg)
{
    il_fork **split = deque->owner.split;
    ptrdiff_t count = (deque->owner.top - split + 1) / 2;
    il__store(&deque->owner.limit, deque->end);
    if (!count) return;
    for (ptrdiff_t i = 0; i < count; i++) leave(split[i], arg);
    deque->owner.split = split + count;
    il__add(&deque->range, (uint64_t)count); /* release: pairs with the thief's acquire */
}

/* Owner: nothing is public any more; returns the index of the first that is not stolen. */
static uint32_t withdraw(il__split_deque *deque)
{
    uint64_t range = il__load(&deque->range);
    uint32_t tail;
    do tail = il__range_tail(range);
    while (!il__cas_weak(&deque->range, &range, il__range_closed(range, tail)));
    deque->owner.split = deque->slots + tail;
    return tail;
}

/* Owner: it is empty and nothing is public: begin again at the bottom. */
static void restart(il__split_deque *deque)
{
    il__store(&deque->range, il__range_closed(il__load(&deque->range), 0)); /* no thief can swap */
    deque->owner.top = deque->owner.split = deque->slots;
}

void il__deque_empty_out(il__split_deque *deque, void (*leave)(il_fork *, void *), void *arg)
{
    if (deque->owner.top == deque->slots) return;
    for (il_fork **slot = deque->slots + withdraw(deque); slot < deque->owner.top; slot++)
        leave(*slot, arg);
    restart(deque);
}

bool il__deque_take(il__split_deque *deque, il_fork *fork)
{
    if (deque->owner.top == deque->slots) return false;
    il_fork **from = deque->slots + withdraw(deque), **slot = deque->owner.top;
    while (slot > from && slot[-1] != fork) slot--;
    if (slot == from) {
        if (deque->owner.top == from) restart(deque);
        return false;
    }
    for (; slot < deque->owner.top; slot++) slot[-1] = slot[0]; /* joined out of order */
    deque->owner.top--;
    if (deque->owner.top == from) restart(deque);
    return true;
}

ptrdiff_t il__deque_left(il__split_deque *deque)
{
    ptrdiff_t left = deque->owner.top - (deque->slots + withdraw(deque));
    if (!left) restart(deque);
    return left;
}

il_fork *il__deque_steal(il__split_deque *deque)
{
    uint64_t range = il__load_acquire(&deque->range); /* pairs with the add in il__deque_share */
    il_fork *fork;
    do {
        uint32_t tail = il__range_tail(range);
        if (tail >= il__range_split(range)) return NULL;
        fork = il__load(&deque->slots[tail]);
    } while (!il__cas_weak(&deque->range, &range, range + (UINT64_C(1) << 16)));
    return fork;
}

bool il__deque_has_public(il__split_deque *deque)
{
    uint64_t range = il__load_acquire(&deque->range);
    return il__range_tail(range) < il__range_split(range);
}

void il__deque_ask(il__split_deque *deque)
{
    if (il__load(&deque->owner.limit) != deque->slots) il__store(&deque->owner.limit, deque->slots);
}
