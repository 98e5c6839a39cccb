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

typedef struct il__buffer {
    unsigned char *bytes; /* `room` slots of item_size bytes */
    size_t item_size;
    size_t room;
    size_t count; /* atomic: it is read without the lock as a hint */
    union {
        size_t head;     /* FIFO: the slot of the oldest item */
        uint64_t number; /* PRIORITY: of the next item */
    };
    int (*compare)(const void *a, const void *b);
    il_order order;
} il__buffer;

/* Most items are a pointer or a number. */
static inline void il__item_copy(void *to, const void *from, size_t size)
{
    if (size == sizeof(uint64_t)) memcpy(to, from, sizeof(uint64_t));
    else if (size) memcpy(to, from, size);
}

/* Bytes that `room` slots take; 0: more than there can be. */
size_t il__buffer_size(const il__buffer *buffer, size_t room);

/* There is room. */
void il__buffer_push(il__buffer *buffer, const void *item);

/* There is an item. out_item NULL: it is dropped. */
void il__buffer_pop(il__buffer *buffer, void *out_item);

/* Move into `room` slots at `bytes`, no fewer than there are items. Returns the old bytes. */
void *il__buffer_move(il__buffer *buffer, void *bytes, size_t room);

#endif
