/* SPDX-License-Identifier: MIT */
#ifndef IL_SCHED_QUEUE_H
#define IL_SCHED_QUEUE_H

/*
 * A worker's run queue: a ring, first in first out. Its worker pushes and pops, others take half of
 * it at once. Pushing needs no locked instruction; popping is a compare-and-swap, since a thief
 * may want the same job. (The shape is that of the run queues of the Go scheduler.)
 *
 *     head   where the next job is taken; moved by compare-and-swap of owner and thieves
 *     tail   where the next job goes; owner only
 */

#include <interlock/api.h>

#include "base/atomic.h"

enum { IL__QUEUE_SIZE = 1024 };

typedef struct il__queue {
    _Alignas(64) uint32_t head;
    _Alignas(64) uint32_t tail;
    il__job *slots[IL__QUEUE_SIZE];
} il__queue;

/* Owner: how many more it takes. */
static inline uint32_t il__queue_room(il__queue *queue)
{
    /* acquire: pairs with the thief's swap: slot was read */
    return IL__QUEUE_SIZE - (queue->tail - il__load_acquire(&queue->head));
}

/* Owner. False when it is full. */
static inline bool il__queue_push(il__queue *queue, il__job *job)
{
    uint32_t tail = queue->tail;
    if (!il__queue_room(queue)) return false;
    il__store(&queue->slots[tail % IL__QUEUE_SIZE], job);
    il__store_release(&queue->tail, tail + 1); /* pairs with the acquire in il__queue_steal */
    return true;
}

/* The job that will be popped next. A swap holds up all loads that come after it, so that a miss
 * costs its full time unless it was begun before. */
static inline void il__queue_prefetch(const il__job *job)
{
    enum { LINE = 64 };
    for (int i = 0; i < 3; i++) il__prefetch((const char *)job + i * LINE);
}

/* Owner. NULL when it is empty. `alone`: there are no thieves. */
static inline il__job *il__queue_pop(il__queue *queue, bool alone)
{
    uint32_t head = il__load(&queue->head);
    while (head != queue->tail) {
        il__job *job = il__load(&queue->slots[head % IL__QUEUE_SIZE]);
        if (alone) il__store(&queue->head, head + 1);
        else if (!il__cas_weak(&queue->head, &head, head + 1)) continue;
        il__queue_prefetch(il__load(&queue->slots[(head + 1) % IL__QUEUE_SIZE]));
        return job;
    }
    return NULL;
}

static inline bool il__queue_empty(il__queue *queue)
{
    return il__load_acquire(&queue->head) == il__load_acquire(&queue->tail);
}

/* Take up to `most` jobs, but not more than half (rounded up), into jobs[]; returns how many. Owner
 * or thief. */
static inline uint32_t il__queue_steal(il__queue *queue, il__job **jobs, uint32_t most)
{
    uint32_t head = il__load_acquire(&queue->head);
    for (;;) {
        uint32_t count = il__load_acquire(&queue->tail) - head;
        if (count > IL__QUEUE_SIZE) { /* head is out of date */
            head = il__load_acquire(&queue->head);
            continue;
        }
        count -= count / 2;
        if (count > most) count = most;
        if (!count) return 0;
        for (uint32_t i = 0; i < count; i++)
            jobs[i] = il__load(&queue->slots[(head + i) % IL__QUEUE_SIZE]);
        if (il__cas(&queue->head, &head, head + count)) return count;
    }
}

#endif
