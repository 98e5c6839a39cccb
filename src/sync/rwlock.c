/* SPDX-License-Identifier: MIT */
/*
 * Readers-writer lock.
 *
 *     bits    name      meaning
 *     0, 1              the gate's
 *     2       WRITER    one writes
 *     3..63   readers   so many read
 *
 * Fair by order: the lock is handed to those who wait in the order in which they came, readers
 * that stand together at once, and nobody passes a waiter. `writer` is the address of the one who
 * writes, set before or by the store that makes it so, cleared before the lock is given back.
 *
 * Invariant, whenever the gate is not locked: the first waiter cannot be let in, or has given up
 * and is about to leave. So whoever unlocks, and whoever leaves, lets in.
 */

#include <interlock/rwlock.h>

#include <errno.h>

#include "base/fatal.h"
#include "sync/who.h"
#include "wait/choice.h"

#define WRITER (UINT64_C(1) << IL__GATE_SHIFT)
#define READER (UINT64_C(2) << IL__GATE_SHIFT)

enum { READS, WRITES }; /* waiter.mode */

static inline uint64_t word_of(il__agent *agent)
{
    return (uint64_t)(uintptr_t)agent;
}

static bool writes(const il_rwlock *lock, il__agent *self)
{
    return il__load(&lock->writer) == word_of(self);
}

/* What one of that mode adds to the word, or 0 if it cannot be let in now. */
static uint64_t entry(uint64_t word, uint32_t mode)
{
    if (mode == READS) return word & WRITER ? 0 : READER;
    return word < WRITER ? WRITER : 0;
}

/* Let in those who come first; unlock. */
static void let_in(il_rwlock *lock, uint64_t word)
{
    il__gate *gate = &lock->gate;
    il__waiter *chain = NULL, **end = &chain, *first;
    uint64_t added;
    word &= ~IL__GATE_BITS;
    while ((first = gate->waiters) && (added = entry(word, first->mode))) {
        if (!il__gate_take(gate, first)) continue;
        if (first->mode == WRITES) il__store(&lock->writer, word_of(first->agent));
        word += added;
        *end = first;
        end = &first->next;
    }
    *end = NULL;
    il__gate_unlock(gate, word); /* release: pairs with the acquire of who comes next */
    il__deliver_all(chain);
}

static int lock_as(il_rwlock *lock, uint32_t mode, il__cancels cancels, il_time until)
{
    il__gate *gate = &lock->gate;
    uint64_t added, word = il__load(&gate->word);
    while (!(word & IL__GATE_BITS) && (added = entry(word, mode)))
        /* acquire: pairs with the release in unlock */
        if (il__cas_weak(&gate->word, &word, word + added)) return 0;

    if (writes(lock, il__self())) return -EDEADLK;
    word = il__gate_lock(gate);
    if (!gate->waiters && (added = entry(word & ~IL__GATE_BITS, mode))) {
        il__gate_unlock(gate, word + added);
        return 0;
    }
    const char *what = mode == READS ? "rwlock (shared)" : "rwlock";
    int status = il__gate_wait(gate, word, what, lock, mode, cancels, until);
    /* It may have held up those behind it. */
    if (status < 0 && status != -EAGAIN) let_in(lock, il__gate_lock(gate));
    return status;
}

static int lock_writing(il_rwlock *lock, il__cancels cancels, il_time until)
{
    int status = lock_as(lock, WRITES, cancels, until);
    if (!status) il__store(&lock->writer, word_of(il__self()));
    return status;
}

static _Noreturn void misused(il_rwlock *lock, const char *words, const void *place)
{
    char who[80], holder[80], here[160];
    il__agent *writer = (il__agent *)(uintptr_t)il__load(&lock->writer);
    il__fatal("rwlock %p %s at %s by %s; its writer is %s", (void *)lock, words,
              il__place(place, here, sizeof here), il__who(il__self(), who, sizeof who),
              il__who(writer, holder, sizeof holder));
}

void il_rwlock_lock(il_rwlock *lock)
{
    if (lock_writing(lock, IL__PLAIN, IL_FOREVER))
        misused(lock, "locked, though its own already,", __builtin_return_address(0));
}

int il_rwlock_lock_until(il_rwlock *lock, il_time until)
{
    return lock_writing(lock, IL__CANCELS, until);
}

void il_rwlock_unlock(il_rwlock *lock)
{
    if (!writes(lock, il__self()))
        misused(lock, "unlocked, though not its own,", __builtin_return_address(0));
    il__store(&lock->writer, 0);

    uint64_t word = WRITER;
    /* release: pairs with the acquire in lock_as */
    if (!il__cas(&lock->gate.word, &word, 0)) let_in(lock, il__gate_lock(&lock->gate) & ~WRITER);
}

void il_rwlock_lock_shared(il_rwlock *lock)
{
    if (lock_as(lock, READS, IL__PLAIN, IL_FOREVER))
        misused(lock, "locked shared, though its own already,", __builtin_return_address(0));
}

int il_rwlock_lock_shared_until(il_rwlock *lock, il_time until)
{
    return lock_as(lock, READS, IL__CANCELS, until);
}

void il_rwlock_unlock_shared(il_rwlock *lock)
{
    uint64_t word = il__load(&lock->gate.word);
    for (;;) {
        if (word < READER)
            misused(lock, "unlocked shared, though nobody reads,", __builtin_return_address(0));
        bool last = word < 2 * READER;
        if (word & IL__GATE_LOCKED || (last && word & IL__GATE_WAITERS)) break;
        /* release: pairs with the acquire in lock_as */
        if (il__cas_weak(&lock->gate.word, &word, word - READER)) return;
    }
    let_in(lock, il__gate_lock(&lock->gate) - READER);
}

/* --- Select ---------------------------------------------------------------------------------- */

static il__gate *gate_of(const il_case *what)
{
    return &((il_rwlock *)what->il__on)->gate;
}

static int take_as(il_case *what, uint32_t mode)
{
    il__gate *gate = gate_of(what);
    uint64_t state = il__gate_state(gate), added = entry(state, mode);
    if (writes(what->il__on, il__self())) return -EDEADLK;
    if (gate->waiters || !added) return -EAGAIN;
    il__gate_become(gate, state + added);
    return 0;
}

static int take_reading(il_case *what, il__waiter **woken)
{
    (void)woken;
    return take_as(what, READS);
}

static int take_writing(il_case *what, il__waiter **woken)
{
    (void)woken;
    return take_as(what, WRITES);
}

static void taken_writing(il_case *what, const void *place)
{
    (void)place;
    il__store(&((il_rwlock *)what->il__on)->writer, word_of(il__self()));
}

static void leave(il_case *what)
{
    il__gate *gate = gate_of(what);
    uint64_t word = il__gate_lock(gate);
    il__gate_remove(gate, &what->il__waiter);
    let_in(what->il__on, word);
}

const il__choice il__choice_read = {
    .gate = gate_of,
    .take = take_reading,
    .leave = leave,
    .mode = READS,
};

const il__choice il__choice_write = {
    .gate = gate_of,
    .take = take_writing,
    .taken = taken_writing,
    .leave = leave,
    .mode = WRITES,
};
