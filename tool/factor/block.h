/* SPDX-License-Identifier: MIT */
#ifndef TOOL_FACTOR_BLOCK_H
#define TOOL_FACTOR_BLOCK_H

/*
 * A block of numbers on its way through the executor: as text, or as a piece of the repeatable
 * random sequence, and then as the lines to print. The task does all of it: reading the digits,
 * factoring, writing the lines.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

/* How numbers are written and factored; the same for all blocks. */
struct manner {
    bool trial, json;
    bool spaces; /* words of text end with white space; otherwise with a NUL */
    bool random; /* numbers of the sequence below, not text */
    uint64_t seed, low, high;
};

/* A word that is no number: its line goes to standard error before the byte of the output at which
 * it would have stood. */
struct complaint {
    size_t at;    /* in output */
    size_t words; /* in complaints: a string */
};

struct bytes {
    char *data;
    size_t size, room;
};

struct block {
    const struct manner *manner;
    struct bytes text;     /* words, each followed by white space or a NUL */
    uint64_t first, count; /* of the random sequence */

    struct bytes output;
    struct bytes complaints; /* strings */
    struct bytes places;     /* struct complaint */
    uint64_t numbers;        /* words found */
    il_time took;

    struct block *next_free, *next_made;
};

/* The task; in is a struct block **. 0 or -ENOMEM. */
int block_run(void *in, void *out);

void block_free(struct block *block);

/* Room for `more` bytes behind those that are there. 0 or -ENOMEM. */
int bytes_reserve(struct bytes *bytes, size_t more);

/* Number `index` of the repeatable sequence: SplitMix64 from `seed`, low + x mod
 * (high - low + 1). */
uint64_t random_number(uint64_t seed, uint64_t index, uint64_t low, uint64_t high);

#endif
