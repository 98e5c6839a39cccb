/* SPDX-License-Identifier: MIT */
/* Claims about il__heap. */

#include "check.h"

#include "base/heap.h"

enum { NODES = 500, ROUNDS = 20000 };

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void zero_is_an_empty_heap(void **state)
{
    (void)state;
    il__heap heap = { 0 };
    il__heap_node node = { 0 };
    assert_null(heap.top);
    assert_false(node.inside);
    il__heap_insert(&heap, &node, 7);
    assert_ptr_equal(heap.top, &node);
    assert_true(node.inside);
    il__heap_remove(&heap, &node);
    assert_null(heap.top);
    assert_false(node.inside);
}

static void keys_come_out_in_order(void **state)
{
    (void)state;
    static il__heap_node nodes[NODES];
    il__heap heap = { 0 };
    uint64_t seed = 1;
    int64_t last = INT64_MIN;
    for (int i = 0; i < NODES; i++)
        il__heap_insert(&heap, &nodes[i], (int64_t)(next_random(&seed) % 100) - 50);
    for (int i = 0; i < NODES; i++) {
        il__heap_node *top = heap.top;
        assert_non_null(top);
        assert_true(top->key >= last);
        last = top->key;
        il__heap_remove(&heap, top);
    }
    assert_null(heap.top);
}

static void extreme_keys_are_ordered_too(void **state)
{
    (void)state;
    il__heap_node low, high, middle;
    il__heap heap = { 0 };
    il__heap_insert(&heap, &high, INT64_MAX);
    il__heap_insert(&heap, &low, INT64_MIN);
    il__heap_insert(&heap, &middle, 0);
    assert_ptr_equal(heap.top, &low);
    il__heap_remove(&heap, &low);
    assert_ptr_equal(heap.top, &middle);
    il__heap_remove(&heap, &middle);
    assert_ptr_equal(heap.top, &high);
}

static int64_t smallest(const il__heap_node *nodes)
{
    int64_t key = INT64_MAX;
    for (int i = 0; i < NODES; i++)
        if (nodes[i].inside && nodes[i].key < key) key = nodes[i].key;
    return key;
}

/* Against the obvious way to find the smallest key, whatever is inserted and removed from anywhere. */
static void any_node_can_be_removed(void **state)
{
    (void)state;
    static il__heap_node nodes[NODES];
    il__heap heap = { 0 };
    uint64_t seed = 42;
    int inside = 0;
    for (int round = 0; round < ROUNDS; round++) {
        il__heap_node *node = &nodes[next_random(&seed) % NODES];
        if (next_random(&seed) % 4 == 0 && heap.top) node = heap.top;
        if (node->inside) il__heap_remove(&heap, node), inside--;
        else il__heap_insert(&heap, node, (int64_t)(next_random(&seed) % 1000)), inside++;
        assert_int_equal(heap.top != NULL, inside != 0);
        if (heap.top) assert_int_equal(heap.top->key, smallest(nodes));
    }
    while (heap.top) il__heap_remove(&heap, heap.top), inside--;
    assert_int_equal(inside, 0);
}

/* A million nodes in the worst order: removing the first melds all the rest, in a loop. */
static void many_nodes_do_not_cost_stack(void **state)
{
    (void)state;
    enum { MANY = 1000000 };
    il__heap_node *nodes = calloc(MANY, sizeof *nodes);
    il__heap heap = { 0 };
    assert_non_null(nodes);
    for (int i = 0; i < MANY; i++) il__heap_insert(&heap, &nodes[i], i);
    for (int i = 0; i < 1000; i++) {
        assert_ptr_equal(heap.top, &nodes[i]);
        il__heap_remove(&heap, heap.top);
    }
    free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_is_an_empty_heap),        cmocka_unit_test(keys_come_out_in_order),
        cmocka_unit_test(extreme_keys_are_ordered_too), cmocka_unit_test(any_node_can_be_removed),
        cmocka_unit_test(many_nodes_do_not_cost_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
