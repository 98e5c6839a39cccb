/* SPDX-License-Identifier: MIT */
#ifndef TOOL_RUN_JOB_H
#define TOOL_RUN_JOB_H

/*
 * A job of `interlock run`, and the graph of those that wait for others.
 *
 *     WAITS -> READY -> RUNS -> DONE, FAILED
 *                        |  ^
 *                       PAUSES (before it is tried again)
 *     SKIPPED: one that it waits for was not done.   KNOWN: done in an earlier run, says the log.
 */

#include <interlock.h>

#include "run/template.h"
#include "text.h"

enum job_state {
    JOB_WAITS,
    JOB_READY,
    JOB_RUNS,
    JOB_PAUSES,
    JOB_DONE,
    JOB_FAILED,
    JOB_SKIPPED,
    JOB_KNOWN
};

/* Why it is being ended before its time. */
enum verdict { NO_VERDICT, TIMED_OUT, TOO_LARGE, HALTED, INTERRUPTED };

struct job {
    unsigned number; /* from 1 */
    enum job_state state;
    char *name; /* NULL: it has none */
    char *tag;  /* --tag: its arguments; NULL */
    struct command_line line;
    struct job *next;        /* in the queue it is in */
    struct job *speaks_next; /* --keep-order: whose turn comes after */

    /* Of the graph. */
    struct job **dependents;
    unsigned dependents_count, waits_for;
    const struct job *blame; /* SKIPPED: because of this one */

    /* While it runs. */
    il_process *process;
    unsigned slot, tries;
    enum verdict verdict;
    il_time deadline, kill_at, again_at; /* IL_FOREVER: never */
    struct text said[2];                 /* not yet written of its output and errors */
    bool muted[2];                       /* not read at present */

    /* Of the last try. */
    double started; /* seconds since 1970 */
    il_exit exit;
    int status; /* it could not be started: a negative errno */
};

bool job_is_over(const struct job *job);

struct job *job_new(unsigned number);
void job_free(struct job *job);

/* "exit code 1", "SIGSEGV", "ran longer than --timeout". */
void job_reason(const struct job *job, struct text *out);

/* The name of a signal, "SIGKILL". */
const char *signal_name(int number, char buffer[16]);

/* Jobs that are named, and wait for each other. */
struct graph {
    struct job **jobs;
    unsigned count;
    char **after; /* of each, what it waits for: names with blanks between, or NULL */
};

/* "NAME: COMMAND" or "NAME after NAME...: COMMAND"; `where` begins what is said. 0 or EINVAL. */
int graph_add(struct graph *graph, const char *where, const char *text);

/* Let the last one wait for these as well. 0 or EINVAL. */
int graph_after(struct graph *graph, const char *names);

/* The lines of a file; empty ones and those with # first are none. 0 or EINVAL. */
int graph_read(struct graph *graph, const char *path);

/* Who waits for whom; says so if one is not there or they wait in a circle. 0 or EINVAL. */
int graph_link(struct graph *graph);
void graph_free(struct graph *graph); /* not the jobs */

#endif
