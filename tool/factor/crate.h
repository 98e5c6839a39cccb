/* SPDX-License-Identifier: MIT */
#ifndef TOOL_FACTOR_CRATE_H
#define TOOL_FACTOR_CRATE_H

/*
 * A block (block.h) packed for a task in another process: everything it needs, and room for all that
 * comes of it, in one piece each. What does not fit stays here: its block is run when it comes back.
 */

#include "factor/block.h"

#define CRATE_TEXT ((size_t)4 << 10)
#define CRATE_OUTPUT ((size_t)64 << 10)
#define CRATE_NUMBERS 512 /* random ones a crate */

struct crate_in {
    struct block *block; /* ours; means nothing in the task */
    struct manner manner;
    uint64_t first, count;
    bool stays; /* too large: do nothing */
    size_t size;
    char text[CRATE_TEXT];
};

struct crate_out {
    bool done; /* else it did not fit */
    uint64_t numbers;
    il_time took;
    size_t output, complaints, places; /* bytes of each, one after the other */
    char bytes[CRATE_OUTPUT];
};

void crate_pack(struct crate_in *crate, struct block *block);

/* The task: a struct crate_in to a struct crate_out. */
int crate_run(void *in, void *out);

/* Put into the block what came back. 0 or -ENOMEM. */
int crate_unpack(const struct crate_out *crate, struct block *block);

#endif
