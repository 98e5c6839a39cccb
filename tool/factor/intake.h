/* SPDX-License-Identifier: MIT */
#ifndef TOOL_FACTOR_INTAKE_H
#define TOOL_FACTOR_INTAKE_H

/*
 * Where the numbers of `interlock factor` come from: the command line, standard input, or the
 * repeatable random sequence; cut into blocks.
 *
 * A block is as large as its numbers are cheap: sizes start small, so that first results come at
 * once, and follow the time that blocks took. From standard input whatever is there becomes a
 * block; nobody who types a number waits for a block to fill.
 */

#include "factor/block.h"

struct intake {
    const struct manner *manner;

    /* Words of the command line; NULL: standard input or random. */
    char **words;
    int word, words_count;

    /* Random. */
    uint64_t next, count;

    /* Standard input: bytes from `start` to `end` were read and belong to no block yet. */
    char *input;
    size_t start, end;
    bool ended, waits, skipping;
    int status; /* why it ended early, negative errno */

    /* Of the next block, in bytes of text or in random numbers. */
    size_t size, least, most;

    uint64_t taken, total; /* for the progress line: in the unit of `size`; total 0: not known */
};

/* Set the fields that say where from (manner, and words or count), then: 0 or -ENOMEM. */
int intake_open(struct intake *intake);

/* Fill a block: 1, 0 at the end, IL_STREAM_IDLE, or -ENOMEM; as il_stream.source. */
int intake_fill(struct intake *intake, struct block *block);

/* A block is done; learn from the time it took. */
void intake_learn(struct intake *intake, const struct block *block);

void intake_close(struct intake *intake);

#endif
