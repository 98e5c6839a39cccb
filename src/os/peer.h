/* SPDX-License-Identifier: MIT */
#ifndef IL_OS_PEER_H
#define IL_OS_PEER_H

/* Is another process, not our child, still the one that it was? */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* When it started, in ticks of the system; 0: there is none, or it cannot be known. A number that
 * another process has taken over has another start. */
uint64_t il__peer_started(pid_t pid);

/* A descriptor that becomes readable when the process ends that has this number and start. -ESRCH: it
 * has ended; -EMFILE, -ENOMEM, -ENOSYS, ...: it cannot be had. */
int il__peer_open(pid_t pid, uint64_t started);

/* Has the process of such a descriptor ended? */
bool il__peer_ended(int descriptor);

#endif
