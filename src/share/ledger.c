/* SPDX-License-Identifier: MIT */
/*
 * The ledger: an undo record of one word at a time.
 *
 *     entry written -> count + 1 -> word changed -> ... -> count = 0 -> unlocked
 *
 * Whatever the step before which its writer is killed: the entries below `count` hold the value that
 * their words had when the lock was taken, the oldest first, so putting them back from the last to
 * the first restores them all. Doing it twice is as good as once, so that the one who repairs may be
 * killed as well. After count = 0 everything has happened.
 *
 * Tried instead: two copies of the state and a word that says which is valid, which needs the state
 * to be small; and a record of what is to be done (redo), where code that reads what it has just
 * changed has to look into the record first.
 */

#include "share/ledger.h"

#include "base/fatal.h"

#ifdef IL_FAULT
void (*il__ledger_step)(void);
#define STEP()                                                                                     \
    do {                                                                                           \
        if (il__ledger_step) il__ledger_step();                                                    \
    } while (0)
#else
#define STEP() (void)0
#endif

/* The compiler may not move stores across. The kill sees them in the order of the program. */
#define KEEP_ORDER() __atomic_signal_fence(__ATOMIC_SEQ_CST)

void il__ledger_init(il__ledger *ledger)
{
    il__robust_init(&ledger->lock);
    ledger->count = 0;
    ledger->repairs = 0;
}

static void undo(il__ledger *ledger)
{
    uint64_t count = il__load(&ledger->count);
    if (count > IL__LEDGER) il__fatal("shared memory is broken: somebody wrote over a ledger");
    while (count--) {
        const struct il__entry *entry = &ledger->entries[count];
        il__store((uint64_t *)(void *)((char *)ledger + entry->at), entry->old);
        STEP();
    }
    KEEP_ORDER();
    il__store(&ledger->count, 0);
    STEP();
}

void il__ledger_lock(il__ledger *ledger)
{
    if (il__likely(!il__robust_lock(&ledger->lock))) return;
    undo(ledger);
    il__store(&ledger->repairs, ledger->repairs + 1);
    il__robust_repaired(&ledger->lock);
}

void il__set(il__ledger *ledger, uint64_t *word, uint64_t value)
{
    uint64_t count = ledger->count;
    if (il__unlikely(count == IL__LEDGER)) il__fatal("a ledger is full");
    STEP();
    ledger->entries[count] = (struct il__entry){ (char *)word - (char *)ledger, *word };
    KEEP_ORDER();
    il__store(&ledger->count, count + 1);
    KEEP_ORDER();
    STEP();
    il__store(word, value);
    STEP();
}

void il__ledger_commit(il__ledger *ledger)
{
    KEEP_ORDER();
    il__store(&ledger->count, 0);
    KEEP_ORDER();
    STEP();
}

void il__ledger_unlock(il__ledger *ledger)
{
    il__ledger_commit(ledger);
    il__robust_unlock(&ledger->lock);
}
