/* SPDX-License-Identifier: MIT */
#ifndef TOOL_FETCH_REPORT_H
#define TOOL_FETCH_REPORT_H

/*
 * What became of the files: a line on standard error about each that failed; on standard output a
 * line of the times, or an object of JSON, about each that is over.
 */

#include "fetch/fetch.h"

struct report {
    const struct fetch_options *options;
    size_t done, kept, failed;
    int64_t bytes; /* that came, also those that had to be thrown away */
    il_time began;
    bool headed;      /* the head of the table of times is written */
    int write_status; /* standard output: the first failure */
};

/* A file is over. `out` NULL: it never ran, `words` say why. Otherwise `words` NULL: it is there. */
void report_file(struct report *report, const struct fetch_file *file, const struct fetch_out *out,
                 const char *words);

/* A line about all of them, where one is wanted. `left`: files that nothing became of. */
void report_end(const struct report *report, size_t left);

#endif
