/* SPDX-License-Identifier: MIT */
#ifndef TOOL_EXECUTORS_H
#define TOOL_EXECUTORS_H

/*
 * The executors that --on names. A new one is a row in executors.c.
 */

#include <interlock.h>

struct executor_kind {
    const char *name;
    int (*make)(unsigned workers, il_executor **out_executor); /* workers 0: its default */
    bool scales; /* more than one worker makes sense */
    bool apart;  /* tasks see copies of what they are given, not our memory */
};

extern const struct executor_kind executor_kinds[]; /* ends with .name NULL */

const struct executor_kind *executor_find(const char *name);

/* For an option parser: --on NAME. 0, or EINVAL when there is no such executor: that was said. */
int executor_option(const char *name, const struct executor_kind **out_kind);

#define WORKERS_MAX 4096

#endif
