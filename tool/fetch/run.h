/* SPDX-License-Identifier: MIT */
#ifndef TOOL_FETCH_RUN_H
#define TOOL_FETCH_RUN_H

/*
 * Getting the files: which one when, on which executor, and what becomes of what failed.
 */

#include "fetch/list.h"
#include "fetch/report.h"

/* Does it all. 0 or a negative errno: it could not go on. What became of each file is in the report. A
 * signal ends it early, within a second. */
int fetch_run(const struct fetch_options *options, struct fetch_list *list, struct report *report);

/* The signal that ended it, to be raised when all is put away; 0: none came. */
int fetch_stopped(void);

#endif
