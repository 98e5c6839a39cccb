/* SPDX-License-Identifier: MIT */
#ifndef IL_BASE_HEAP_H
#define IL_BASE_HEAP_H

/*
 * Pairing heap, intrusive: the entry with the smallest key first. Nothing is allocated, so that
 * setting a deadline cannot fail. Insert O(1), take and remove O(log n) amortised.
 * Fredman, Sedgewick, Sleator, Tarjan: The pairing heap (1986). Guarded by whatever guards it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct il__heap_node {
    struct il__heap_node *child, *sibling;
    struct il__heap_node *before; /* the parent of a first child, else the elder sibling */
    int64_t key;
    bool inside;
} il__heap_node;

typedef struct il__heap {
    il__heap_node *top; /* smallest key, NULL when empty */
} il__heap;

void il__heap_insert(il__heap *heap, il__heap_node *node, int64_t key);
void il__heap_remove(il__heap *heap, il__heap_node *node);

#endif
