/* SPDX-License-Identifier: MIT */
/*
 * Pairing heap. Melding makes the larger of two roots the first child of the smaller; removing a
 * root melds its children in pairs, left to right, then the pairs, right to left, in a loop: depth
 * on the stack of a fiber is not to grow with the number of timers.
 */

#include "base/heap.h"

static il__heap_node *meld(il__heap_node *a, il__heap_node *b)
{
    if (!a) return b;
    if (!b) return a;
    if (b->key < a->key) {
        il__heap_node *swap = a;
        a = b;
        b = swap;
    }
    b->before = a;
    b->sibling = a->child;
    if (a->child) a->child->before = b;
    a->child = b;
    a->sibling = a->before = NULL;
    return a;
}

/* One heap of a chain of siblings. */
static il__heap_node *meld_all(il__heap_node *first)
{
    il__heap_node *pairs = NULL;
    while (first) {
        il__heap_node *a = first, *b = a->sibling;
        first = b ? b->sibling : NULL;
        a->sibling = NULL;
        if (b) b->sibling = NULL;
        a = meld(a, b);
        a->sibling = pairs;
        pairs = a;
    }
    il__heap_node *top = NULL;
    while (pairs) {
        il__heap_node *next = pairs->sibling;
        pairs->sibling = NULL;
        top = meld(top, pairs);
        pairs = next;
    }
    if (top) top->before = NULL;
    return top;
}

void il__heap_insert(il__heap *heap, il__heap_node *node, int64_t key)
{
    *node = (il__heap_node){ .key = key, .inside = true };
    heap->top = meld(heap->top, node);
}

void il__heap_remove(il__heap *heap, il__heap_node *node)
{
    il__heap_node *children = meld_all(node->child);
    if (node == heap->top) {
        heap->top = children;
    } else {
        if (node->before->child == node) node->before->child = node->sibling;
        else node->before->sibling = node->sibling;
        if (node->sibling) node->sibling->before = node->before;
        heap->top = meld(heap->top, children);
    }
    *node = (il__heap_node){ 0 };
}
