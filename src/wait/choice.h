/* SPDX-License-Identifier: MIT */
#ifndef IL_WAIT_CHOICE_H
#define IL_WAIT_CHOICE_H

/*
 * What a primitive tells il_select of itself: one constant table a kind of case, in the primitive's
 * own file. So the select knows no primitive, and a primitive nothing of selects.
 *
 * A select locks the gates of all its cases, in the order of their addresses, and looks at each once
 * more (`take`). If none is to be had it puts a waiter of `mode` into each list, unlocks, and waits.
 * Whoever then claims one of the waiters must hand over what it stands for, since a select that is
 * woken does not try again. Nobody else holds two gates.
 */

#include <interlock/select.h>

#include "wait/gate.h"

typedef struct il__choice {
    il__gate *(*gate)(const il_case *what);

    /* Without the lock: could it be had? False only if it could not at some moment since the call.
     * NULL: look under the lock. */
    bool (*promising)(const il_case *what);

    /* The gate is locked. Do what the case stands for, and return what came of it; or -EAGAIN: it
     * would have to wait, nothing was done. *woken: who must be delivered to after unlocking, linked
     * by `next`; it is NULL before. A new state is put into the word by il__gate_become. */
    int (*take)(il_case *what, il__waiter **woken);

    /* Unlocked: `take` gave -ENOMEM. Get memory: 0, take again. NULL: it never gives that. */
    int (*make_room)(il_case *what);

    /* What came of it when the waiter was claimed and handed what it waited for. NULL: 0. */
    int (*outcome)(il_case *what);

    /* Unlocked, after it was taken or handed over with status 0: what else the owner of it has to
     * note. NULL: nothing. */
    void (*taken)(il_case *what, const void *place);

    /* Unlocked: the waiter leaves the list, as another was claimed. NULL: il__gate_leave. */
    void (*leave)(il_case *what);

    uint32_t mode; /* of the waiter */
} il__choice;

extern const il__choice il__choice_recv, il__choice_send, il__choice_hear;
extern const il__choice il__choice_done, il__choice_empty, il__choice_ended, il__choice_exited;
extern const il__choice il__choice_acquire, il__choice_lock, il__choice_set, il__choice_open;
extern const il__choice il__choice_read, il__choice_write;
extern const il__choice il__choice_readable, il__choice_writable;

/* The state of a gate that is locked, and a new one. */
static inline uint64_t il__gate_state(const il__gate *gate)
{
    return il__load(&gate->word) & ~IL__GATE_BITS;
}

static inline void il__gate_become(il__gate *gate, uint64_t state)
{
    il__store(&gate->word, state | (il__load(&gate->word) & IL__GATE_BITS));
}

#endif
