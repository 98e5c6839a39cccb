/* SPDX-License-Identifier: MIT */
#ifndef TOOL_CHOOSE_JOBS_H
#define TOOL_CHOOSE_JOBS_H

/*
 * The jobs that `interlock choose` measures. A new one is a row in jobs.c, or in jobs_net.c if it
 * speaks HTTP: that is the other program's (apart.c).
 */

#include <interlock.h>
#include <jansson.h>

/* An executor to try, and how many at once: workers, or on a loop tasks. */
struct trial {
    const char *on;
    unsigned at_once;
};

struct job_kind {
    const char *name;    /* "fetch-10" is a part of the job "fetch" */
    const char *summary; /* what it does, for a person */
    /* Make the input: fills *job and gives a description of it. 0 or a negative errno. */
    int (*open)(const struct job_kind *kind, il_job *job, json_t **out_input);
    void (*close)(il_job *job);
    void (*leave)(il_executor *executor); /* before an executor is freed that it ran on; or NULL */
    const struct trial *trials; /* ends with .on NULL; NULL: as many workers as there are CPUs, and
                                   fewer, and ten */
    int64_t long_run;           /* il_choose_opts */
    int (*apart)(int argc, char **argv); /* instead of all that: `choose` in the other program */
};

extern const struct job_kind job_kinds[]; /* ends with .name NULL; all of them are the default */

#endif
