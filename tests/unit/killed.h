/* SPDX-License-Identifier: MIT */
#ifndef KILLED_H
#define KILLED_H

/* Dying in the middle of an operation on shared memory: at each step of it in turn. */

#include "check.h"
#include "share/ledger.h"

/* Run act(arg) in a child of fork. Returns its exit status, or minus the signal. */
UNUSED static int in_a_child(int (*act)(void *arg), void *arg)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (!child) _exit(act(arg));
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static long steps_left; /* in the child that is to be killed */

UNUSED static void die_at_the_last_step(void)
{
    if (!--steps_left) kill(getpid(), SIGKILL);
}

struct killed {
    int (*prepare)(void *arg); /* before any step counts; NULL: nothing */
    int (*act)(void *arg);
    void *arg;
    long step;
};

UNUSED static int act_and_die(void *arg)
{
    struct killed *killed = arg;
    if (killed->prepare && killed->prepare(killed->arg)) return 99;
    steps_left = killed->step;
    il__ledger_step = die_at_the_last_step;
    return killed->act(killed->arg);
}

/* Have act(arg) done again and again, killed at its first step, its second, ... until one comes to its
 * end; after each, look(arg) must be 0. Returns how many steps there were; fails with what look said. */
UNUSED static long killed_at_each_step(int (*prepare)(void *arg), int (*act)(void *arg),
                                       int (*look)(void *arg), void *arg)
{
    struct killed killed = { prepare, act, arg, 1 };
    for (;; killed.step++) {
        int status = in_a_child(act_and_die, &killed);
        if (status > 0) fail_msg("step %ld: the child returned %d", killed.step, status);
        int line = look(arg);
        if (line) fail_msg("killed at step %ld: line %d", killed.step, line);
        if (!status) return killed.step;
    }
}

#endif
