/* SPDX-License-Identifier: MIT */
#ifndef LINEAR_H
#define LINEAR_H

/*
 * Is a history linearizable? A history is what was seen of some calls from outside: when each began,
 * when it returned, and what. It is linearizable if each call can be given one moment between its
 * begin and its end, such that the calls, one after the other at these moments, make a run of the
 * sequential model. (Herlihy, Wing: Linearizability, 1990.)
 *
 * The search goes forward: of the calls that are left, any may be next that began before all others
 * that are left had ended, if the model allows it. A state of the search is the set of calls that
 * have had their moment and the state of the model; one that has been tried is not tried again.
 * (Wing, Gong: Testing and verifying concurrent objects, 1993; the memory of states is Lowe's,
 * Testing for linearizability, 2017.) So it is exact, and with few members at a time also quick:
 * with m members that make n calls each there are at most (n + 1)^m such sets.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CALLS = 64, MAX_STATE = 64 };

/* What the fields but the first four mean is up to the model. */
struct call {
    uint64_t begin,
        end; /* unique tickets; end 0: it has not returned, and may have happened or not */
    int member;
    int what;
    long key, value, expected; /* in */
    long result;               /* out */
};

struct model {
    size_t state_size; /* bytes, at most MAX_STATE; all zero at first, and without padding */
    /* May the call happen in this state, with this result? Then change the state. */
    bool (*step)(void *state, const struct call *call);
    void (*describe)(const struct call *call, char *words, size_t size);
};

/* One state of the search. */
struct node {
    uint64_t done; /* bit i: call i has had its moment */
    unsigned char state[MAX_STATE];
};

struct search {
    const struct model *model;
    const struct call *calls;
    int count;
    uint64_t returned; /* bit i: call i has returned, so it must have had its moment */
    struct node *seen; /* a hash table; done 0 is never entered, and means free */
    size_t room, used;
};

static inline void *linear_memory(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory) abort();
    return memory;
}

static inline size_t node_hash(const struct node *node)
{
    const unsigned char *bytes = (const unsigned char *)node;
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < sizeof *node; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return (size_t)(hash ^ hash >> 32);
}

/* The place of a node in the table: it, or a free one. */
static inline struct node *seen_at(const struct search *search, const struct node *node)
{
    for (size_t i = node_hash(node);; i++) {
        struct node *at = &search->seen[i & (search->room - 1)];
        if (!at->done || !memcmp(at, node, sizeof *node)) return at;
    }
}

static inline void make_room_for_one(struct search *search)
{
    struct node *old = search->seen;
    size_t room = search->room;
    if (2 * (search->used + 1) <= room) return;
    search->room = room ? 2 * room : 256;
    search->seen = linear_memory(search->room, sizeof *old);
    for (size_t i = 0; i < room; i++)
        if (old[i].done) *seen_at(search, &old[i]) = old[i];
    free(old);
}

static inline bool seen_before(struct search *search, const struct node *node)
{
    if (!node->done) return false; /* the first: it cannot come again */
    make_room_for_one(search);
    struct node *at = seen_at(search, node);
    if (at->done) return true;
    *at = *node;
    search->used++;
    return false;
}

/* The end of the first call that is left to end. */
static inline uint64_t first_end(const struct search *search, uint64_t done)
{
    uint64_t first = UINT64_MAX;
    for (int i = 0; i < search->count; i++) {
        uint64_t end = search->calls[i].end;
        if (!(done >> i & 1) && end && end < first) first = end;
    }
    return first;
}

static inline bool explore(struct search *search, const struct node *node)
{
    if (!(search->returned & ~node->done)) return true;
    if (seen_before(search, node)) return false;
    uint64_t before = first_end(search, node->done);
    for (int i = 0; i < search->count; i++) {
        const struct call *call = &search->calls[i];
        if (node->done >> i & 1 || call->begin > before) continue;
        struct node next = *node;
        next.done |= UINT64_C(1) << i;
        if (search->model->step(next.state, call) && explore(search, &next)) return true;
    }
    return false;
}

static inline bool is_linearizable(const struct model *model, const struct call *calls, int count)
{
    struct search search = { .model = model, .calls = calls, .count = count };
    struct node start;
    memset(&start, 0, sizeof start);
    if (count > MAX_CALLS || model->state_size > MAX_STATE) abort();
    for (int i = 0; i < count; i++)
        if (calls[i].end) search.returned |= UINT64_C(1) << i;
    bool found = explore(&search, &start);
    free(search.seen);
    return found;
}

/* --- For people ------------------------------------------------------------------------------ */

static inline int order_of_begin(const void *a, const void *b)
{
    uint64_t x = ((const struct call *)a)->begin, y = ((const struct call *)b)->begin;
    return (x > y) - (x < y);
}

/* One line a call, in the order of their begins. */
static inline void print_history(const struct model *model, const struct call *calls, int count)
{
    struct call sorted[MAX_CALLS];
    char words[100];
    memcpy(sorted, calls, (size_t)count * sizeof *calls);
    qsort(sorted, (size_t)count, sizeof *sorted, order_of_begin);
    for (int i = 0; i < count; i++) {
        model->describe(&sorted[i], words, sizeof words);
        fprintf(stderr, "%6llu..%-6llu member %d  %s\n", (unsigned long long)sorted[i].begin,
                (unsigned long long)sorted[i].end, sorted[i].member, words);
    }
}

#endif
