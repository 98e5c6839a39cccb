/* SPDX-License-Identifier: MIT */
#ifndef IL_PROC_CALL_H
#define IL_PROC_CALL_H

/*
 * What program, zygote and child say to each other for il_process_call.
 *
 * All that the child needs lies in a block of shared memory, and so does what it answers: the program
 * writes the first part before the child is made, the child the second, and the program reads that
 * when the child has ended. No lock; what the program reads it uses as values.
 */

#include <stdbool.h>

#include "proc/module.h"

enum { IL__CALL_NAME = 48, IL__CALL_WORDS = 600, IL__CALL_FILE = 120, IL__CALL_DEPTH = 32 };

typedef struct il__call {
    /* Of the program. */
    il__module module;
    uint64_t offset;
    uint64_t in_size, in_at, out_at; /* offsets in the block */
    uint64_t env_at;                 /* strings, each with its 0, then an empty one */
    uint64_t env_count;
    char name[IL__CALL_NAME];

    /* Of the child. */
    uint32_t done; /* atomic: what follows is there */
    int32_t status, line;
    char words[IL__CALL_WORDS], cause[IL__CALL_WORDS], file[IL__CALL_FILE];
    uint32_t depth; /* atomic: how many follow, after a crash */
    uint64_t crashed_at[IL__CALL_DEPTH];
} il__call;

/* Through the zygote's socket, with the descriptors block, directory and 0, 1 and 2 of the child. */
typedef struct il__call_order {
    uint64_t size; /* of the block */
    int64_t program;
    bool group, session, daemon;
} il__call_order;

/* Back, with the pidfd of the child. */
typedef struct il__call_answer {
    int64_t pid; /* or -errno */
} il__call_answer;

/* Be the zygote that makes the children of `program`. */
_Noreturn void il__called_serve(int control, long program);

#endif
