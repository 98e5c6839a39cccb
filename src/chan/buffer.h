/* SPDX-License-Identifier: MIT */
#ifndef IL_CHAN_BUFFER_H
#define IL_CHAN_BUFFER_H

/*
 * The items inside a channel, and which of them comes out first. Knows nothing of waiting; guarded
 * by the channel's gate.
 *
 *     FIFO      a ring: `count` items from the slot `head` on
 *     LIFO      slots 0 to count - 1
 *     PRIORITY  a binary heap in the slots; behind the last slot lies a number for each, by which
 *               those that compare equal keep the order in which they came
 */

#include <interlock/chan.h>

#include <string.h>

#include "base/atomic.h"

typedef struct il__buffer {
    unsigned char *bytes; /* `room` slots of item_size bytes */
    size_t room;
    size_t count; /* atomic: it is read without the lock as a hint */
    union {
        size_t head;     /* FIFO: the slot of the oldest item */
        uint64_t number; /* PRIORITY: of the next item */
    };
    uint32_t item_size;
    il_order order;
} il__buffer;

typedef int il__compare(const void *a, const void *b);

/* Most items are a pointer or a number. */
static inline void il__item_copy(void *to, const void *from, size_t size)
{
    if (size == sizeof(uint64_t)) memcpy(to, from, sizeof(uint64_t));
    else if (size) memcpy(to, from, size);
}

/* Bytes that `room` slots take; 0: more than there can be. */
size_t il__buffer_size(const il__buffer *buffer, size_t room);

static inline void *il__slot(const il__buffer *buffer, size_t index)
{
    return buffer->bytes + index * buffer->item_size;
}

/* For the orders that are no ring. */
void il__buffer_push_ordered(il__buffer *buffer, const void *item, il__compare *compare);
void il__buffer_pop_ordered(il__buffer *buffer, void *out_item, il__compare *compare);

/* There is room. `compare` is that of the channel. */
static inline void il__buffer_push(il__buffer *buffer, const void *item, il__compare *compare)
{
    if (il__unlikely(buffer->order != IL_FIFO)) {
        il__buffer_push_ordered(buffer, item, compare);
        return;
    }
    size_t at = buffer->head + buffer->count;
    if (at >= buffer->room) at -= buffer->room;
    il__item_copy(il__slot(buffer, at), item, buffer->item_size);
    il__store(&buffer->count, buffer->count + 1);
}

/* There is an item. out_item NULL: it is dropped. */
static inline void il__buffer_pop(il__buffer *buffer, void *out_item, il__compare *compare)
{
    if (il__unlikely(buffer->order != IL_FIFO)) {
        il__buffer_pop_ordered(buffer, out_item, compare);
        return;
    }
    if (out_item) il__item_copy(out_item, il__slot(buffer, buffer->head), buffer->item_size);
    buffer->head = buffer->head + 1 == buffer->room ? 0 : buffer->head + 1;
    il__store(&buffer->count, buffer->count - 1);
}

/* Move into `room` slots at `bytes`, no fewer than there are items. Returns the old bytes. */
void *il__buffer_move(il__buffer *buffer, void *bytes, size_t room);

#endif
