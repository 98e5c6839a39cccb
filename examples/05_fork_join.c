/* SPDX-License-Identifier: MIT */
/*
 * Fork and join: divide and conquer. A fork costs a few instructions when no other worker comes
 * for it, so that it may be used far down; below some size a plain loop is still better.
 */
#include <interlock.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 200000, SMALL = 64 };

typedef struct span {
    unsigned *first, *end;
} span;

static void insertion_sort(span part)
{
    for (unsigned *i = part.first; i < part.end; i++) {
        unsigned value = *i, *at = i;
        for (; at > part.first && at[-1] > value; at--) *at = at[-1];
        *at = value;
    }
}

/* Hoare's partition: what is below the pivot goes to the left. Returns where the right begins. */
static unsigned *split(span part)
{
    unsigned pivot = part.first[(part.end - part.first) / 2];
    unsigned *left = part.first - 1, *right = part.end;
    for (;;) {
        while (*++left < pivot) {}
        while (*--right > pivot) {}
        if (left >= right) return right + 1;
        unsigned swapped = *left;
        *left = *right;
        *right = swapped;
    }
}

/* The two halves touch nothing in common, so they may run at the same time. */
static int quicksort(void *in, void *out)
{
    span part = *(span *)in;
    if (part.end - part.first <= SMALL) {
        insertion_sort(part);
        return 0;
    }
    unsigned *middle = split(part);
    span left = { part.first, middle }, right = { middle, part.end };

    il_fork other;
    il_fork_start(&other, quicksort, &left, NULL); /* perhaps on another worker */
    quicksort(&right, NULL);
    return il_fork_join(&other); /* before `left` and `other` go out of scope */
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

int main(void)
{
    unsigned *numbers = malloc(COUNT * sizeof *numbers), state = 1;
    unsigned long before = 0, after = 0, disorder = 0;
    span all = { numbers, numbers + COUNT };
    il_executor *pool = NULL;
    il_future *future = NULL;
    if (!numbers) return 1;
    for (int i = 0; i < COUNT; i++) before += numbers[i] = next_random(&state);

    /* Forks live inside a pool: the first call is a task. */
    int status = il_threads_new(NULL, &pool);
    if (!status) status = il_submit(pool, quicksort, &all, sizeof all, 0, NULL, &future);
    if (!status) status = il_future_get(future, IL_FOREVER, NULL);
    il_future_free(future);
    il_executor_free(pool);

    for (int i = 0; i < COUNT; i++) after += numbers[i];
    for (int i = 1; i < COUNT; i++) disorder += numbers[i - 1] > numbers[i];
    printf("%s: %d numbers, least %u, greatest %u, %lu out of order\n", il_strerror(status), COUNT,
           numbers[0], numbers[COUNT - 1], disorder);
    free(numbers);
    return !(status == 0 && disorder == 0 && before == after);
}
