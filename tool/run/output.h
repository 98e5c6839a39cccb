/* SPDX-License-Identifier: MIT */
#ifndef TOOL_RUN_OUTPUT_H
#define TOOL_RUN_OUTPUT_H

/*
 * What the jobs write: whole lines, as they come, those of different jobs never in each other's
 * middle. With --keep-order one job speaks at a time, the first that is not over, and what the others
 * say is held meanwhile; when more than a bound is held, they are not read, and so wait.
 */

#include "run/job.h"

struct output {
    bool keep_order, tag, json;

    struct job *speaks; /* keep_order: whose turn it is; or NULL */
    size_t held;        /* bytes of those whose turn it is not */
    bool plain_errors;  /* stderr has failed: nobody is told any more */
    int status;         /* of standard output, a negative errno */
};

enum { OUTPUT_HELD = 32 << 20 };

/* May it speak now? */
bool output_hears(const struct output *output, const struct job *job);

/* Read some of a job's output (which: 0) or errors (1), and write what may be written: 1; 0: there is
 * nothing at present; -1: it is at its end. */
int output_read(struct output *output, struct job *job, int which);

/* Is enough held, so that this one should not be read? */
bool output_is_full(const struct output *output, const struct job *job);

/* Write whole lines of what it has said; `all`: the rest too, with an end of line. */
void output_write(struct output *output, struct job *job, bool all);

/* It is this one's turn: what it has said so far is written. */
void output_give_turn(struct output *output, struct job *job);

/* It is over: --json's object about it. */
void output_report(struct output *output, struct job *job);

#endif
