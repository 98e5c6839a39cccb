/* SPDX-License-Identifier: MIT */
/*
 * Ring, stack and stable heap over the same array of slots. In the heap a hole wanders instead of an
 * item: the item that looks for its place is compared where it is, and copied once.
 */

#include "chan/buffer.h"

/* Numbers lie behind the slots of items, at the next multiple of their own size. */
static size_t numbers_at(const il__buffer *buffer, size_t room)
{
    return (room * buffer->item_size + sizeof(uint64_t) - 1) & ~(sizeof(uint64_t) - 1);
}

static uint64_t *numbers(const il__buffer *buffer)
{
    return (uint64_t *)(void *)(buffer->bytes + numbers_at(buffer, buffer->room));
}

size_t il__buffer_size(const il__buffer *buffer, size_t room)
{
    size_t each = buffer->item_size + (buffer->order == IL_PRIORITY ? sizeof(uint64_t) : 0);
    if (each && room > (PTRDIFF_MAX - sizeof(uint64_t)) / each) return 0;
    return room * each + sizeof(uint64_t); /* with what the numbers are rounded up by */
}

/* --- The heap ------------------------------------------------------------------------------ */

/* Does an item come before the one in a slot? */
static bool before(const il__buffer *buffer, il__compare *compare, const void *item,
                   uint64_t number, size_t index)
{
    int order = compare(item, il__slot(buffer, index));
    return order ? order < 0 : number < numbers(buffer)[index];
}

static void fill(il__buffer *buffer, size_t hole, const void *item, uint64_t number)
{
    il__item_copy(il__slot(buffer, hole), item, buffer->item_size);
    numbers(buffer)[hole] = number;
}

static void fill_from(il__buffer *buffer, size_t hole, size_t index)
{
    fill(buffer, hole, il__slot(buffer, index), numbers(buffer)[index]);
}

static void push_by_priority(il__buffer *buffer, il__compare *compare, const void *item)
{
    uint64_t number = buffer->number++;
    size_t hole = buffer->count;
    for (; hole; hole = (hole - 1) / 2) {
        size_t parent = (hole - 1) / 2;
        if (!before(buffer, compare, item, number, parent)) break;
        fill_from(buffer, hole, parent);
    }
    fill(buffer, hole, item, number);
}

/* The first has gone: the last looks for a place from the top. */
static void close_gap(il__buffer *buffer, il__compare *compare)
{
    size_t last = buffer->count, hole = 0, child;
    const void *item = il__slot(buffer, last);
    uint64_t number = numbers(buffer)[last];
    for (; (child = 2 * hole + 1) < last; hole = child) {
        size_t other = child + 1;
        if (other < last &&
            before(buffer, compare, il__slot(buffer, other), numbers(buffer)[other], child))
            child = other;
        if (before(buffer, compare, item, number, child)) break;
        fill_from(buffer, hole, child);
    }
    if (hole != last) fill(buffer, hole, item, number);
}

/* --- Heap and stack ----------------------------------------------------------------------------- */

void il__buffer_push_ordered(il__buffer *buffer, const void *item, il__compare *compare)
{
    if (buffer->order == IL_PRIORITY) push_by_priority(buffer, compare, item);
    else il__item_copy(il__slot(buffer, buffer->count), item, buffer->item_size);
    il__store(&buffer->count, buffer->count + 1);
}

void il__buffer_pop_ordered(il__buffer *buffer, void *out_item, il__compare *compare)
{
    size_t left = buffer->count - 1, from = buffer->order == IL_LIFO ? left : 0;
    if (out_item) il__item_copy(out_item, il__slot(buffer, from), buffer->item_size);
    il__store(&buffer->count, left);
    if (buffer->order == IL_PRIORITY) close_gap(buffer, compare);
}

void *il__buffer_move(il__buffer *buffer, void *bytes, size_t room)
{
    unsigned char *old = buffer->bytes, *new = bytes;
    size_t size = buffer->item_size, first = buffer->count; /* before the ring wraps */
    size_t head = buffer->order == IL_FIFO ? buffer->head : 0;
    if (first > buffer->room - head) first = buffer->room - head;
    if (first && size) memcpy(new, old + head * size, first * size);
    if (first < buffer->count && size)
        memcpy(new + first *size, old, (buffer->count - first) * size);
    if (buffer->order == IL_PRIORITY && buffer->count)
        memcpy(new + numbers_at(buffer, room), numbers(buffer), buffer->count * sizeof(uint64_t));
    if (buffer->order == IL_FIFO) buffer->head = 0;
    buffer->bytes = bytes;
    buffer->room = room;
    return old;
}
