/* SPDX-License-Identifier: MIT */
/*
 * Memory of an arena in pieces. Pieces lie one behind the other, each knows the size of the one before
 * it, and no two free ones are neighbours. Free ones hang in a list for each power of two. To take
 * one: the first of a few in the list of its own size that is large enough, else the first of the
 * next list that is not empty, all of which are. Both take and give touch a bounded number of words,
 * so that the ledger has room for them.
 *
 * What belongs to a piece lies in its head, none of it in its bytes: whoever has taken a piece may
 * write to the bytes at once, and it can still be put back.
 */

#include <interlock/status.h>

#include "base/fatal.h"
#include "share/arena.h"

enum { HEAD = sizeof(il__piece), UNIT = 32, LEAST = HEAD + UNIT, LOOKS = 16 };
#define USED UINT64_C(1)

_Static_assert(HEAD == UNIT, "blocks are aligned as by malloc");

static il__piece *at(const il__arena_head *head, uint64_t place)
{
    return (il__piece *)(void *)((char *)(size_t)head + place);
}

static uint64_t size_of(const il__piece *piece)
{
    return piece->size & ~USED;
}

static unsigned bin_of(uint64_t size)
{
    return 63u - (unsigned)__builtin_clzll(size);
}

static void enlist(il__arena_head *head, uint64_t place, uint64_t size)
{
    il__ledger *ledger = &head->ledger;
    uint64_t *bin = &head->bins[bin_of(size)];
    il__piece *piece = at(head, place), *first = il__at(head, *bin);
    il__set(ledger, &piece->size, size);
    il__set(ledger, &piece->next, *bin);
    il__set(ledger, &piece->previous, 0);
    if (first) il__set(ledger, &first->previous, place);
    il__set(ledger, bin, place);
}

static void delist(il__arena_head *head, uint64_t place)
{
    il__ledger *ledger = &head->ledger;
    il__piece *piece = at(head, place), *next = il__at(head, piece->next);
    il__piece *previous = il__at(head, piece->previous);
    if (next) il__set(ledger, &next->previous, piece->previous);
    il__set(ledger, previous ? &previous->next : &head->bins[bin_of(piece->size)], piece->next);
}

void il__pieces_init(il__arena_head *head, uint64_t place)
{
    uint64_t size = (head->size - place) / UNIT * UNIT - HEAD;
    il__piece *end = at(head, place + size); /* in use for ever, so that nobody looks behind it */
    at(head, place)->before = 0;
    *end = (il__piece){ .size = HEAD | USED, .before = size };
    enlist(head, place, size);
}

static uint64_t find(const il__arena_head *head, uint64_t size)
{
    unsigned bin = bin_of(size);
    uint64_t place = head->bins[bin];
    for (int i = 0; place && i < LOOKS; i++, place = at(head, place)->next)
        if (at(head, place)->size >= size) return place;
    while (++bin < IL__BINS)
        if (head->bins[bin]) return head->bins[bin];
    return 0;
}

/* Put the piece into use with `size` bytes of it; the rest is a piece of its own if it is worth it. */
static void divide(il__arena_head *head, uint64_t place, uint64_t size, uint64_t holder)
{
    il__ledger *ledger = &head->ledger;
    il__piece *piece = at(head, place);
    uint64_t all = piece->size, rest = all - size;
    if (rest < LEAST) {
        size = all;
    } else {
        il__set(ledger, &at(head, place + size)->before, size);
        il__set(ledger, &at(head, place + all)->before, rest);
        enlist(head, place + size, rest);
    }
    il__set(ledger, &piece->size, size | USED);
    il__set(ledger, &piece->holder, holder);
    il__set(ledger, &head->used, head->used + size);
    il__set(ledger, &head->blocks, head->blocks + 1);
    if (head->used > head->peak) il__set(ledger, &head->peak, head->used);
}

uint64_t il__piece_take(il__arena_head *head, uint64_t size, uint64_t holder)
{
    if (size > head->size) return 0;
    uint64_t whole = (size + HEAD + UNIT - 1) / UNIT * UNIT;
    if (whole < LEAST) whole = LEAST;
    uint64_t place = find(head, whole);
    if (!place) return 0;
    delist(head, place);
    divide(head, place, whole, holder);
    return place + HEAD;
}

void il__piece_give(il__arena_head *head, uint64_t place)
{
    il__ledger *ledger = &head->ledger;
    place -= HEAD;
    const il__piece *piece = at(head, place);
    uint64_t size = size_of(piece);
    il__set(ledger, &head->used, head->used - size);
    il__set(ledger, &head->blocks, head->blocks - 1);

    const il__piece *after = at(head, place + size);
    if (!(after->size & USED)) {
        delist(head, place + size);
        size += after->size;
    }
    if (piece->before && !(at(head, place - piece->before)->size & USED)) {
        place -= piece->before;
        size += at(head, place)->size;
        delist(head, place);
    }
    enlist(head, place, size);
    il__set(ledger, &at(head, place + size)->before, size);
}

static uint64_t first_place(const il__arena_head *head)
{
    return (sizeof *head + UNIT - 1) / UNIT * UNIT;
}

static bool is_end(const il__piece *piece)
{
    return piece->size == (HEAD | USED);
}

/* A head can be told from other bytes by its neighbours, nearly always. */
il__piece *il__piece_of(il__arena_head *head, uint64_t place)
{
    if (place % UNIT || place < first_place(head) + HEAD || place >= head->size) return NULL;
    il__piece *piece = at(head, place - HEAD);
    uint64_t size = size_of(piece);
    if (!(piece->size & USED) || size < LEAST || size > head->size - place) return NULL;
    return at(head, place - HEAD + size)->before == size ? piece : NULL;
}

void il__pieces_visit(il__arena_head *head,
                      bool (*visit)(il__arena_head *head, uint64_t place, void *arg), void *arg)
{
    uint64_t place = first_place(head);
    while (!is_end(at(head, place))) {
        uint64_t next = place + size_of(at(head, place));
        if (at(head, place)->size & USED && visit(head, place + HEAD, arg)) {
            /* It may have grown into the next one, which may have been free. */
            if (!is_end(at(head, next)) && !(at(head, next)->size & USED))
                next += size_of(at(head, next));
        }
        place = next;
    }
}

uint64_t il__pieces_largest(const il__arena_head *head)
{
    uint64_t largest = HEAD;
    unsigned bin = IL__BINS;
    while (bin-- && !head->bins[bin]) {}
    if (bin >= IL__BINS) return 0;
    for (uint64_t place = head->bins[bin]; place; place = at(head, place)->next)
        if (at(head, place)->size > largest) largest = at(head, place)->size;
    return largest - HEAD;
}

static uint64_t count_free(const il__arena_head *head)
{
    uint64_t count = 0;
    for (unsigned bin = 0; bin < IL__BINS; bin++) {
        uint64_t previous = 0;
        for (uint64_t place = head->bins[bin]; place; place = at(head, place)->next) {
            const il__piece *piece = at(head, place);
            if (piece->size & USED || bin_of(piece->size) != bin) return UINT64_MAX;
            if (piece->previous != previous) return UINT64_MAX;
            previous = place;
            count++;
        }
    }
    return count;
}

bool il__pieces_sound(const il__arena_head *head)
{
    uint64_t place = first_place(head), before = 0, used = 0, blocks = 0, free = 0;
    bool was_free = false;
    for (const il__piece *piece; !is_end(piece = at(head, place)); place += before) {
        bool is_free = !(piece->size & USED);
        if (piece->before != before || (is_free && was_free) || !size_of(piece)) return false;
        before = size_of(piece);
        was_free = is_free;
        used += is_free ? 0 : before;
        blocks += !is_free;
        free += is_free;
    }
    return at(head, place)->before == before && used == head->used && blocks == head->blocks &&
           free == count_free(head);
}
