/* SPDX-License-Identifier: MIT */
#ifndef IL_OS_SPAWN_H
#define IL_OS_SPAWN_H

/* Starting a program as a child, signalling and reaping it through its pidfd. Linux 5.9 or later. */

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

typedef struct il__spawn {
    char *const *paths; /* tried in turn, ends with NULL */
    char *const *argv;
    char *const *env;
    const char *directory; /* NULL: where we are */
    int fds[3];            /* become 0, 1 and 2; the rest is closed in the child */
    bool group;            /* a process group of its own */
    bool session;          /* a session of its own, which is a group too */
    bool daemon;           /* SIGKILL when the thread that starts it ends */
} il__spawn;

/* 0 once the program runs (gives pid and pidfd, which is close-on-exec); else a negative errno and
 * *out_step names what failed. Nothing of ours crosses but the three descriptors: no signal is
 * blocked in it or caught, those that we ignore it ignores too. */
int il__spawn_start(const il__spawn *spawn, pid_t *out_pid, int *out_pidfd, const char **out_step);

typedef struct il__ended {
    int code, signal; /* one of them; the other is 0 */
    bool core;
    struct rusage usage; /* its own and that of the children that it waited for */
} il__ended;

/* Has it ended? It stays a zombie, so that its number is still its own. */
bool il__spawn_has_ended(int pidfd);

/* Reap it: 0, -EAGAIN (it runs), or -ECHILD (somebody else did). */
int il__spawn_reap(int pidfd, il__ended *out_ended);

/* To the process alone, never to another that got its number. 0, -ESRCH, -EPERM, -EINVAL. */
int il__spawn_signal(int pidfd, int number);

#endif
