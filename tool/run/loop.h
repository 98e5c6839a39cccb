/* SPDX-License-Identifier: MIT */
#ifndef TOOL_RUN_LOOP_H
#define TOOL_RUN_LOOP_H

/* Running the jobs of `interlock run`, to the last or to a halt. */

#include "run/front.h"
#include "run/input.h"
#include "run/job.h"
#include "run/log.h"
#include "run/output.h"

enum halt { HALT_NEVER, HALT_SOON, HALT_NOW };

struct runner {
    /* Set by the options. */
    unsigned slots, retries;
    int64_t timeout; /* nanoseconds, 0: none */
    uint64_t memory; /* bytes, 0: no limit */
    enum halt halt;
    unsigned halt_after; /* so many failures */
    bool tag, bar;

    struct template *template;
    struct input input;
    struct graph graph;
    struct run_log log;
    struct output output;
    struct front front;

    /* What came of it. */
    unsigned done, failed, skipped, known, not_started;
    bool halted;
    struct text report; /* a line for each job that was not done */
    int status;         /* why it could not go on, a negative errno; 0: it could */
};

/* Name those that were not done, and count. */
void run_loop_report(const struct runner *runner);

/* Run them. Does not return when a signal ends the run. */
void run_loop(struct runner *runner);

#endif
