/* SPDX-License-Identifier: MIT */
/* Timers in a binary heap: the place of each is kept in it, so that any can be taken out. */

#include "serve/timers.h"

#include <stdlib.h>

static void put(struct timers *timers, size_t place, struct timer *timer)
{
    timers->heap[place] = timer;
    timer->place = place;
}

static void rise(struct timers *timers, size_t place, struct timer *timer)
{
    for (; place > 1 && timers->heap[place / 2]->due > timer->due; place /= 2)
        put(timers, place, timers->heap[place / 2]);
    put(timers, place, timer);
}

static void sink(struct timers *timers, size_t place, struct timer *timer)
{
    for (size_t child; (child = 2 * place) <= timers->count; place = child) {
        if (child < timers->count && timers->heap[child + 1]->due < timers->heap[child]->due)
            child++;
        if (timers->heap[child]->due >= timer->due) break;
        put(timers, place, timers->heap[child]);
    }
    put(timers, place, timer);
}

bool timers_add(struct timers *timers, struct timer *timer)
{
    if (timers->count + 1 >= timers->room) {
        size_t room = timers->room ? 2 * timers->room : 64;
        struct timer **heap = realloc(timers->heap, room * sizeof(struct timer *));
        if (!heap) return false;
        timers->heap = heap;
        timers->room = room;
    }
    rise(timers, ++timers->count, timer);
    return true;
}

void timers_remove(struct timers *timers, struct timer *timer)
{
    size_t place = timer->place;

    if (!place) return;
    timer->place = 0;
    struct timer *last = timers->heap[timers->count--];
    if (last == timer) return;
    if (place > 1 && timers->heap[place / 2]->due > last->due) rise(timers, place, last);
    else sink(timers, place, last);
}

struct timer *timers_first(const struct timers *timers)
{
    return timers->count ? timers->heap[1] : NULL;
}

void timers_free(struct timers *timers)
{
    free(timers->heap);
}
