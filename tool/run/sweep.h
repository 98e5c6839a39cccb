/* SPDX-License-Identifier: MIT */
#ifndef TOOL_RUN_SWEEP_H
#define TOOL_RUN_SWEEP_H

/*
 * Nothing left behind: ending whatever descends from this process, or carries the mark of a job.
 * Both see what has left the job's process group (setsid), the first also what has left its parents
 * (this process is a subreaper), the second what was not told by its environment.
 */

#include <stdint.h>
#include <sys/types.h>

/* From now on, orphans below come to this process. */
void sweep_adopt_orphans(void);

/* Kill all descendants, however many times they fork meanwhile, and reap them. */
void sweep_descendants(void);

/* Kill those with this "NAME=value" in their environment, and those below `root` (0: nobody). */
void sweep_job(const char *mark, pid_t root);

/* Reap children that are nobody's: orphans that came and ended. `is_ours` tells which are not. */
void sweep_zombies(int (*is_ours)(pid_t pid, void *arg), void *arg);

/* Call see(pid, process group, bytes resident, arg) for each process there is. */
void sweep_look(void (*see)(pid_t pid, pid_t group, uint64_t resident, void *arg), void *arg);

#endif
