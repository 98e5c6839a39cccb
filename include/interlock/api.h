/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_API_H
#define INTERLOCK_API_H

/*
 * What every public header needs: which symbols leave the library, and the three words of the
 * compiler that C11 and C++17 both lack. Nothing here is meant to be used by a program.
 *
 * Names that begin with `il__` are shared inside the library only. They show in public headers
 * where an inline function or a zero-initialised object needs them; they may change at any time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IL_API __attribute__((visibility("default")))
#define IL__PRINTF(words, first) __attribute__((format(printf, words, first)))
#define IL__LIKELY(x) __builtin_expect(!!(x), 1)

#ifdef __cplusplus
#define IL__BEGIN extern "C" {
#define IL__END }
#else
#define IL__BEGIN
#define IL__END
#endif

IL__BEGIN

struct il__agent;
struct il__gate;

/* One thread or fiber in one list of those who wait; src/wait/wait.h tells the rest. */
typedef struct il__waiter {
    struct il__agent *agent;
    uint32_t index;                 /* what a claim through this waiter reports */
    uint32_t mode;                  /* the primitive's: how much, shared or not; what came of it */
    void *item;                     /* the primitive's: what changes hands */
    struct il__gate *gate;          /* in whose list; NULL: in none. Guarded by the gate */
    struct il__waiter *next, *prev; /* in that list, a ring */
} il__waiter;

/* What every small lock is made of: one word of state and those who wait for it to change.
 * All zero is ready to use. src/wait/gate.h tells the rest. */
typedef struct il__gate {
    uint64_t word;
    struct il__waiter *waiters;
} il__gate;

/* What can stand in a run queue: the head of a fiber, a task, a fork. */
typedef struct il__job {
    struct il__job *next;
    int kind;
} il__job;

IL__END

#endif
