/* SPDX-License-Identifier: MIT */
/*
 * Generators: do two trees have the same leaves, from left to right, whatever their shapes? Each is
 * walked by a recursion that yields leaf by leaf, and the two walks go side by side, as far as
 * they agree: no list is made, and after the first difference nobody walks on.
 */
#include <errno.h>
#include <interlock.h>
#include <stdbool.h>
#include <stdio.h>

enum { LEAVES = 1000 };

/* A tree over the leaves first..last: `tilt` says where each node is cut in two. */
struct tree {
    long first, last, tilt;
    long odd_one_out; /* this leaf is another; -1: none */
    long visited;
    bool left_early;
};

static int walk(struct tree *tree, long first, long last, il_generator *generator)
{
    if (first == last) {
        long leaf = first == tree->odd_one_out ? -1 : first;
        tree->visited++;
        return il_generator_yield(generator, &leaf);
    }
    long cut = first + (last - first) * tree->tilt / 100;
    int status = walk(tree, first, cut, generator);
    return status ? status : walk(tree, cut + 1, last, generator);
}

static int leaves(void *in, void *out)
{
    struct tree *tree = in;
    int status = walk(tree, tree->first, tree->last, out);
    tree->left_early = status == -ECANCELED; /* here it would free what it has */
    return status;
}

/* 0: the same, 1: not; or a failure. */
static int compare(il_executor *pool, struct tree *a, struct tree *b)
{
    il_generator *of_a = NULL, *of_b = NULL;
    long x = 0, y = 0;
    int at_a = 0, at_b = 0;
    int status = il_generator_new(pool, leaves, a, sizeof(long), NULL, &of_a);
    if (!status) status = il_generator_new(pool, leaves, b, sizeof(long), NULL, &of_b);
    while (!status && !at_a && !at_b && x == y) {
        at_a = il_generator_next(of_a, &x, IL_FOREVER); /* 0, or -EPIPE at the end */
        at_b = il_generator_next(of_b, &y, IL_FOREVER);
    }
    il_generator_free(of_a); /* if it is not at its end: its yield returns -ECANCELED */
    il_generator_free(of_b);
    return status ? status : at_a != at_b || x != y;
}

int main(void)
{
    struct tree even = { 0, LEAVES - 1, 50, -1, 0, false };
    struct tree tilted = { 0, LEAVES - 1, 90, -1, 0, false };
    struct tree other = { 0, LEAVES - 1, 20, 10, 0, false };
    il_executor *pool = NULL;
    if (il_threads_new(NULL, &pool)) return 1;

    int first = compare(pool, &even, &tilted);
    printf("even and tilted: %s, %ld leaves seen\n", first ? "different" : "the same",
           even.visited);
    int second = compare(pool, &tilted, &other);
    printf("tilted and other: %s, %ld leaves of it seen, left early: %s\n",
           second ? "different" : "the same", other.visited, other.left_early ? "yes" : "no");
    il_executor_free(pool);
    return first != 0 || second != 1 || even.visited != LEAVES || other.visited != 11 ||
           !other.left_early;
}
