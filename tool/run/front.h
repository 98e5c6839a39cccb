/* SPDX-License-Identifier: MIT */
#ifndef TOOL_RUN_FRONT_H
#define TOOL_RUN_FRONT_H

/*
 * Two processes: the one that the user started, which waits, and the runner behind it, which does
 * everything. Why: run/front.c.
 */

#include <stdbool.h>

/* The runner's descriptors to watch. */
struct front {
    int signals; /* a signalfd: SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT */
    int gone;    /* a pidfd: readable when the process that the user started has been killed */
};

/* Splits. In the runner it returns true. In front of it, it returns false when the runner has ended,
 * with *out_end how the command is to end; or the process ends by the signal that ended the run. */
bool front_split(struct front *front, int *out_end);

/* Descriptors 0, 1 and 2 that are closed are opened, so that no file is taken for them; writing to
 * them fails all the same. */
void front_open_missing(void);

/* Was the command started with this signal ignored? */
bool front_ignores(int number);

/* The runner ends the run like this: by a signal, so that the front ends by it too. */
_Noreturn void front_end_by(int number);

#endif
