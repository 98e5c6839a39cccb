/* SPDX-License-Identifier: MIT */
#ifndef IL_SCHED_POOL_H
#define IL_SCHED_POOL_H

/*
 * The pool: workers, and what they share. README.md tells how it goes together.
 */

#include <pthread.h>

#include "os/fence.h"
#include "sched/deque.h"
#include "sched/fiber.h"
#include "sched/queue.h"
#include "sched/stacks.h"
#include "task/executor.h"
#include "wait/gate.h"

/* What the fiber that ran before wants done once its stack is no longer in use. */
typedef enum il__after {
    IL__NOTHING,
    IL__COMMIT,  /* it parks: say so, or let it go on if it was woken meanwhile */
    IL__REQUEUE, /* it yields: to the end of the queue */
    IL__RELEASE, /* it was a loop too many: to the stack cache */
} il__after;

struct il__worker {
    il__split_deque deque; /* first: il__deque_here() points here */

    /* Its own thread only: */
    il__pool *pool;
    unsigned index;
    bool alone;          /* the pool has no other: nobody steals */
    il__fiber *current;  /* runs; atomic, others may look */
    il__fiber *spare;    /* a loop to go on with when `current` parks; set while a task runs */
    il__fiber *previous; /* ran before, and what it wants */
    il__after after;
    il__job *handoff; /* for the loop that is switched to */
    unsigned tick;    /* others may look: it changes as long as the worker gets on */
    int *errno_at;    /* the thread's errno: a fiber takes its value along */
    uint64_t random;
    il__fiber *stacks; /* free, linked by job.next */
    unsigned stack_count;
    void *signal_stack; /* of overflow.c */
    il__context native; /* the thread's own stack */
    pthread_t thread;
    bool joinable;
    uint32_t ready; /* futex: 1 when it runs, or cannot, as status says */
    int status;

    il__queue queue; /* runnable; see queue.h */

    _Alignas(64) uint32_t wake; /* futex: 1 when it is to wake up */
    bool asleep;                /* in pool->sleepers; guarded by pool->idle */
    il__worker *next_asleep;

    /* Counters, written by its own thread, read by anyone: */
    uint64_t begun, ended; /* tasks entered here, tasks finished here */
    uint64_t started, parked, stolen;
    long kernel_id;
};

/* Jobs from outside, or that did not fit into a queue. As long as a cache line: workers look at one
 * class without disturbing those who fill another. */
typedef struct il__inbox {
    il__job *first, *last;
    unsigned queued; /* atomic: how many, a hint to who does not hold the lock */
    char apart[44];
} il__inbox;

enum { IL__NORMAL, IL__URGENT, IL__LAZY, IL__CLASSES };

/* How the only worker of a pool idles, if it does so in its own way (src/loop). All but `wake` are
 * called by the worker's thread on the stack of its scheduler, where nobody may wait. */
typedef struct il__idler {
    const char *kind; /* of executor */
    /* Wait until woken or `until`, and see to what happens meanwhile; may return early. False: leave
     * il__worker_run, to be called again or never. */
    bool (*sleep)(il__pool *pool, il_time until);
    /* In passing, while there are jobs: see to what has happened. False: as above. */
    bool (*poll)(il__pool *pool);
    /* Any thread: end that sleep, or the next one. */
    void (*wake)(il__pool *pool);
    /* The pool goes, and its worker has ended: let go of all but its memory. */
    void (*end)(il__pool *pool);
    /* In the child of a fork: right then (no lock is to be taken); and when it is freed there, with its
     * memory. */
    void (*orphan)(il__pool *pool);
    void (*free_orphan)(il__pool *pool);
} il__idler;

struct il__pool {
    il_executor executor;   /* first */
    const il__idler *idler; /* NULL: threads, which sleep on their futex; set at init */
    il_threads_opts opts;   /* set at init */
    char name[32];
    il__worker *workers; /* as many as executor.workers */
    il__stacks stacks;
    il__pool *next_pool; /* in the list of pools; guarded by its lock */

    /* All that entering a task from outside writes to, in one cache line: */
    _Alignas(64) il__spin inbox_lock; /* guards inbox and begun */
    uint32_t visitors;                /* atomic: threads from outside that still touch the pool */
    uint64_t begun;                   /* tasks entered from outside */
    unsigned waiting; /* atomic: those of them that have not started, if there is a queue_limit */
    il__inbox inbox[IL__CLASSES];

    _Alignas(64) il__spin timers_lock; /* guards timers */
    il__heap timers;
    il_time next_timer; /* atomic: key of the top, or IL_FOREVER */

    _Alignas(64) il__spin idle; /* guards sleepers, asleep */
    il__worker *sleepers;
    uint32_t sleeping;    /* atomic: how many sleep */
    uint32_t searching;   /* atomic: how many look for work */
    il__worker *keeper;   /* atomic: the sleeper that watches next_timer, or NULL */
    il_time keeper_until; /* atomic: until when it sleeps */
    uint32_t stopping;    /* atomic: workers end */
    il__gate quiet;       /* who waits in close */
};

extern const il__agent_ops il__fiber_ops;

/* Make a pool in zeroed memory of il__aligned_zalloc, with no worker running yet. Whatever it returns,
 * il__pool_destroy is what comes in the end, and frees that memory. */
int il__pool_init(il__pool *pool, const il__executor_ops *ops, const il_threads_opts *opts,
                  unsigned workers);
/* Start the threads that are its workers. */
int il__pool_start(il__pool *pool);
void il__pool_destroy(il__pool *pool);

/* Be the worker until it leaves: in a thread of its own, or one that is lent. */
void il__worker_be(il__worker *worker);

/* The executor that a pool is. */
int il__pool_enter(il_executor *executor, il__task *task);
int il__pool_close(il_executor *executor, il_time until);
void il__pool_free(il_executor *executor);
void il__pool_describe(il_executor *executor, il_executor_info *out_info);

/* No more input from outside. */
void il__pool_shut(il__pool *pool);
/* No task is under way. */
bool il__pool_is_quiet(il__pool *pool);

/* A task of this worker's has ended. */
void il__pool_task_ended(il__worker *worker);

/* The worker that the current fiber runs on, or NULL on a thread that is none. */
il__worker *il__worker_here(void);

void il__worker_set_here(il__worker *worker);

/* Make a job runnable: on the current worker if it is one of this pool, else through the inbox. */
void il__pool_ready(il__pool *pool, il__job *job);

/* Add it to the inbox; who does so announces it. The second form: its lock is held. */
void il__pool_append(il__pool *pool, int class, il__job *job);
void il__pool_append_locked(il__pool *pool, int class, il__job *job);

/* Make its sleep, or the next one, end. */
void il__worker_wake(il__worker *worker);

/* Is there anything for its only worker to do? */
bool il__pool_has_work(il__pool *pool);

/* Wake a sleeper if there is one and fewer search than there are `jobs` to find. */
void il__pool_wake_one(il__pool *pool, unsigned jobs);

/* Work became visible to others: wake a sleeper for it, if need be. */
static inline void il__pool_announce(il__pool *pool)
{
    il__fence_light(); /* pairs with the heavy fence of one who goes to sleep */
    if (il__unlikely(il__load(&pool->sleeping)) && !il__load(&pool->searching))
        il__pool_wake_one(pool, 1);
}

/* The same by a thread that is no worker of the pool: pairs with pass_on in worker.c, too. It wakes
 * as many as there are jobs, instead of leaving that to the first that wakes up: the kernel likes to
 * put a thread where it was woken from, and the CPU of this one will be free when it waits. */
static inline void il__pool_announce_from_outside(il__pool *pool)
{
    il__fence_full();
    if (il__likely(!il__load(&pool->sleeping))) return;
    unsigned searching = il__load(&pool->searching);
    unsigned queued = il__load(&pool->inbox[IL__NORMAL].queued);
    if (!searching || searching < queued) il__pool_wake_one(pool, queued ? queued : 1);
}

/* Timers: a fiber's wait ends at `until`. */
void il__timer_set(il__pool *pool, il__fiber *fiber, il_time until);
void il__timer_clear(il__pool *pool, il__fiber *fiber);
/* Wake those whose time has come. */
void il__timers_expire(il__pool *pool);
/* Wake a sleeper to watch them, if nobody does. */
void il__timers_find_keeper(il__pool *pool);

/* The next job for this worker; sleeps while there is none; NULL: it is to leave. */
il__job *il__worker_next(il__worker *worker);
/* An urgent job, or the first of its own queue; NULL: neither. */
il__job *il__worker_next_urgent(il__worker *worker);
static inline il__job *il__worker_next_own(il__worker *worker)
{
    if (il__unlikely(il__load(&worker->pool->inbox[IL__URGENT].queued)))
        return il__worker_next_urgent(worker);
    return il__queue_pop(&worker->queue, worker->alone);
}
/* Push to its own queue, or to the inbox when that is full. */
void il__worker_push(il__worker *worker, il__job *job);
/* Before it begins a job: no timer may go unwatched while somebody sleeps. */
static inline void il__worker_mind_timers(il__worker *worker)
{
    il__pool *pool = worker->pool;
    if (il__unlikely(il__load(&pool->next_timer) != IL_FOREVER)) il__timers_find_keeper(pool);
}

/* fiber.c: the loop, and moving between stacks. */
bool il__worker_ensure_spare(il__worker *worker);
void il__worker_run(il__worker *worker); /* on the thread's own stack, until it leaves */
void il__fiber_settle(il__agent *agent);

/* fork.c: run a fork that has left its owner; let go of one. */
void il__fork_run(il_fork *fork);
void il__fork_refuse(il_fork *fork, int status);
void il__fork_leave(il_fork *fork, void *agent);

/* overflow.c: name the fiber whose stack overflowed. The thread gets a signal stack; afterwards it
 * has the one again that it had. */
void il__overflow_watch(void);
void *il__overflow_stack_new(void);
void il__overflow_stack_free(void *memory);

/* orphan.c: we are in the child of a fork, without the pool's workers. */
void il__pool_orphan(il__pool *pool);

/* pools.c is the list of pools, for il_fiber_list. */
void il__pools_add(il__pool *pool);
void il__pools_remove(il__pool *pool);

#endif
