/* SPDX-License-Identifier: MIT */
#ifndef IL_SCHED_FIBER_H
#define IL_SCHED_FIBER_H

/*
 * Fiber: a stack, and the agent that runs on it. It lies at the top of its own stack, so that a
 * fiber that waits costs one page if its frames fit in the rest of it.
 *
 * A fiber begins as the scheduler loop of a worker and calls tasks as plain functions. When a task
 * waits, the loop below it stays with it; when the task ends, its fiber is a loop again, on
 * whatever worker it has come to. States:
 *
 *     loop      it is its worker's scheduler; runs, or is the worker's spare
 *     task      it runs a task, or is parked in one, or is in a run queue
 *     free      in a stack cache: a loop at rest, as it was left
 */

#include "base/heap.h"
#include "sched/switch.h"
#include "task/task.h"

typedef struct il__worker il__worker;
typedef struct il__pool il__pool;
typedef struct il__slab il__slab;

/* What is used at each switch comes first: with the two lines of the agent, four cache lines. */
typedef struct il__fiber {
    il__job job; /* first; kind IL__FIBER; next: in a queue or a cache */
    il__pool *pool;
    il__worker *worker; /* it runs on, or ran on last; set by whoever resumes it */
    il__context context;
    bool is_loop; /* a loop rests on its stack */
    _Alignas(64) il__agent agent;
    il__slab *slab; /* that its stack is cut from, and where; set at init */
    size_t index;
    il__heap_node timer; /* guarded by the pool's timers */
} il__fiber;

static inline il__fiber *il__fiber_of(il__agent *agent)
{
    return il__of((void *)agent, il__fiber, agent);
}

#endif
