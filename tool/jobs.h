/* SPDX-License-Identifier: MIT */
#ifndef TOOL_JOBS_H
#define TOOL_JOBS_H

/*
 * The jobs that `interlock choose` measures. A new one is a row in jobs.c.
 */

#include <interlock.h>
#include <jansson.h>

struct job_kind {
    const char *name;
    const char *summary; /* what it does, for a person */
    /* Make the input: fills *job and gives a description of it. 0 or -ENOMEM. */
    int (*open)(il_job *job, json_t **out_input);
    void (*close)(il_job *job);
};

extern const struct job_kind job_kinds[]; /* ends with .name NULL; the first is the default */

const struct job_kind *job_find(const char *name);

#endif
