/* SPDX-License-Identifier: MIT */
/*
 * Functions as processes: each walker carries its process in a struct of its own, all are joined at
 * once, and one that falls does not take the others, or us, with it: a crash and an error look
 * different. The last one is a daemon: it would walk for ever, and is gone when this program is.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WALKERS = 4, FALLS = 1, LOST = 2 };

typedef struct route {
    unsigned seed;
    int number, steps;
} route;

typedef struct walker {
    il_process *process;
    route route;
    long far;
} walker;

/* A random walk on a line, in a process of its own: how far from home it comes. */
static int walk(void *in, void *out)
{
    route *way = in;
    long at = 0, farthest = 0;
    for (int i = 0; i < way->steps; i++) {
        at += rand_r(&way->seed) & 1024 ? 1 : -1;
        if (labs(at) > farthest) farthest = labs(at);
        if (i == 1000 && way->number == FALLS) abort();
        if (i == 1000 && way->number == LOST) return il_fail(-ENOENT, "no path at %ld", at);
    }
    *(long *)out = farthest;
    return 0;
}

static int walk_for_ever(void *in, void *out)
{
    while (pause()) continue;
    return 0;
}

static int start(walker *one, int number)
{
    char name[16];
    snprintf(name, sizeof name, "walker %d", number); /* as ps shows it */
    one->route = (route){ .seed = (unsigned)number + 1, .number = number, .steps = 100000 };
    return il_process_call(walk, &one->route, sizeof one->route, sizeof one->far,
                           &(il_process_opts){ .name = name }, &one->process);
}

int main(void)
{
    const int expected[WALKERS] = { 0, -EOWNERDEAD, -ENOENT, 0 };
    walker walkers[WALKERS] = { 0 };
    il_process *processes[WALKERS] = { NULL }, *daemon = NULL;
    int status = 0, wrong = 0;

    for (int i = 0; i < WALKERS && !status; i++) {
        status = start(&walkers[i], i);
        processes[i] = walkers[i].process;
    }
    if (!status) status = il_process_wait_many(processes, WALKERS, IL_ALL, il_after(IL_SEC(60)));
    for (int i = 0; i < WALKERS && !status; i++) {
        int one = il_process_get(walkers[i].process, IL_NOW, &walkers[i].far);
        char line[300] = "";
        if (one < 0) il_error_format(il_process_error(walkers[i].process), line, sizeof line);
        else snprintf(line, sizeof line, "came %ld steps from home", walkers[i].far);
        printf("walker %d: %s\n", i, line);
        wrong += one != expected[i];
        il_process_free(walkers[i].process);
    }
    if (!status)
        status = il_process_call(walk_for_ever, NULL, 0, 0, &(il_process_opts){ .daemon = true },
                                 &daemon);
    return status || wrong; /* the daemon dies with us */
}
