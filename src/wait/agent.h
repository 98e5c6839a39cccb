/* SPDX-License-Identifier: MIT */
#ifndef IL_WAIT_AGENT_H
#define IL_WAIT_AGENT_H

/*
 * Agent: whoever can wait, a thread or a fiber. (The C++ standard's word, "execution agent".) No
 * primitive knows which it is: it parks through `ops`.
 *
 * The word says how its wait stands:
 *
 *     bits    name         meaning
 *     0..1    phase        IDLE      it runs and has not begun to wait
 *                          WAITING   it waits; whoever makes this CLAIMED has won
 *                          CLAIMED   somebody has won and is still busy on its behalf
 *                          WOKEN     it may go on
 *     2       PARKED       it has stopped running: who makes it WOKEN must unpark it
 *     3       CANCELLABLE  a cancellation may claim it
 *     4..31   reason       what the winner claimed it with
 *
 *     IDLE -> WAITING -> CLAIMED -> WOKEN -> IDLE
 *
 * The owner makes the first and the last step and sets PARKED; the winner makes the middle two.
 *
 * Invariant: whoever may claim an agent has found it in a list (of a gate, of timers, of a
 * cancellation tree) and claims it while holding that list's lock; an agent leaves every list
 * before its wait returns. So no claimer ever holds a pointer to a wait that is over, and the
 * word needs no counter against A-B-A.
 */

#include <interlock/self.h>
#include <interlock/status.h>

#include "base/atomic.h"
#include "base/error.h"
#include "wait/cancel.h"

enum {
    IL__IDLE = 0,
    IL__WAITING = 1,
    IL__CLAIMED = 2,
    IL__WOKEN = 3,
    IL__PHASE = 3,
    IL__PARKED = 4,
    IL__CANCELLABLE = 8,
    IL__REASON = 4, /* shift */

    IL__MAX_LOCALS = 16,
};

/* Reasons beyond the indices of waiters. */
#define IL__BY_DEADLINE 0xffffffeu
#define IL__BY_CANCEL 0xfffffffu

typedef struct il__agent_ops {
    /* Stop running until the word is WOKEN; errno is then as before. At the deadline claim oneself,
     * IL__BY_DEADLINE. */
    void (*park)(il__agent *self, il_time until);
    /* The word has become WOKEN and was PARKED: let it run. The agent may be gone on return. */
    void (*unpark)(il__agent *agent);
    void (*yield)(il__agent *self);
    /* Let go of what only this thread can see (forks): the surroundings change. NULL: nothing. */
    void (*settle)(il__agent *self);
    /* How many pauses of the CPU may it spend on a lock that `owner` holds before it parks? `owner`
     * is an address and may be gone. NULL: none. */
    unsigned (*patience)(il__agent *self, const il__agent *owner);
} il__agent_ops;

struct il__agent {
    _Alignas(16) uint32_t word; /* atomic; the table above. A mutex keeps bits below the address */
    uint32_t held;              /* mutexes held; owner only */
    const il__agent_ops *ops;   /* set at init */
    il__cancel *cancel;         /* the innermost node that its waits obey, or NULL; owner writes */
    il__error *note;            /* last error noted; owner only */
    void *executor;             /* the il_executor whose task it runs, or NULL; owner only */
    void *scope;                /* the current il_scope, or NULL; owner only */
    void *task;                 /* the innermost il__task it runs, or NULL; owner only */
    const char *name;           /* of the task; owner writes, anyone reads: valid while it runs */
    const char *what;           /* what it waits for, or NULL; atomic */
    const void *on;             /* the address of that; atomic */
    uint64_t waits;             /* times it parked; owner writes */
    uint64_t id;                /* 0: nobody asked yet; atomic */
    uint64_t parent;            /* id of who started it, 0: unknown */
    il_time since;              /* start, or the first wait if nobody looked at the clock before */
    bool has_locals;            /* some of locals are not NULL; owner only */
    uint16_t locks;        /* mutexes ever taken, modulo 2^16; owner only, as is what follows */
    uint16_t met, backoff; /* what it has learned of busy ones: see sync/mutex.c */
    void *locals[IL__MAX_LOCALS]; /* owner only */
};

extern __thread il__agent *il__me __attribute__((visibility("hidden")));

/* Make the current thread, which the library did not start, an agent. */
il__agent *il__agent_adopt(void);

/* The current agent. Read anew each time (a fiber may have moved to another thread) by an asm that
 * the compiler cannot merge with an earlier one, or by a call. A fast path that wants no call in it
 * asks il__self_or_null: NULL may be a thread that the library did not start. */
#if defined(__x86_64__) && !defined(__ILP32__)
static inline il__agent *il__self_or_null(void)
{
    il__agent *me;
    __asm__ volatile("movq il__me@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=r"(me));
    return me;
}

static inline il__agent *il__self(void)
{
    il__agent *me = il__self_or_null();
    return il__likely(me != NULL) ? me : il__agent_adopt();
}

/* Who the current thread is from now on; NULL: nobody, at its end. */
static inline void il__self_set(il__agent *agent)
{
    uintptr_t offset;
    __asm__ volatile("movq il__me@gottpoff(%%rip), %0\n\tmovq %1, %%fs:(%0)"
                     : "=&r"(offset)
                     : "r"(agent)
                     : "memory");
}
#else
#define il__self_or_null il__self
il__agent *il__self(void);
void il__self_set(il__agent *agent);
#endif

/* Its id, given at the first call. */
uint64_t il__agent_id_new(il__agent *agent);
static inline uint64_t il__agent_id(il__agent *agent)
{
    uint64_t id = il__load(&agent->id);
    return il__likely(id != 0) ? id : il__agent_id_new(agent);
}

static inline void il__agent_init(il__agent *agent, const il__agent_ops *ops)
{
    *agent = (il__agent){ .ops = ops };
}

/* Forget what belonged to the task that has ended: notes, locals, name. */
void il__agent_reset(il__agent *agent);

/* Take over a note: the agent's from now on. */
void il__agent_note(il__agent *agent, il__error *error);

/* What anyone may know of it. */
void il__agent_describe(il__agent *agent, il_info *out_info);

#endif
