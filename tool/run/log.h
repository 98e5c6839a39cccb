/* SPDX-License-Identifier: MIT */
#ifndef TOOL_RUN_LOG_H
#define TOOL_RUN_LOG_H

/*
 * The log of `interlock run`: one JSON line a job, written when it is over, by one write. It is
 * locked as long as a job of the run that writes it may run.
 */

#include <stdbool.h>

#include "run/job.h"

struct run_log {
    int fd;           /* -1: there is none */
    const char *path; /* borrowed */
    struct known *known;
    size_t known_count;
    int status; /* of writing, a negative errno: set once */
};

/* Open it, wait for the lock, and with `resume` learn what was done. 0 or EINVAL: said why. */
int run_log_open(struct run_log *log, const char *path, bool resume);

/* Was this done in an earlier run? Each success there counts for one job here. */
bool run_log_knows(struct run_log *log, const struct job *job);

/* The line about a job that is over. */
void run_log_add(struct run_log *log, const struct job *job);

/* What the log, and --json, say of a job; without the braces. */
void job_as_json(const struct job *job, struct text *out);

/* Force it to the disk, and close it. */
void run_log_close(struct run_log *log);

/* Free what was learnt. */
void run_log_forget(struct run_log *log);

#endif
