/* SPDX-License-Identifier: MIT */
#ifndef IL_SHARE_LEDGER_H
#define IL_SHARE_LEDGER_H

/*
 * Ledger: a lock in shared memory together with a record of what its holder has changed so far. A
 * process may be killed at any instruction; if that is while it holds the lock, the next one to lock
 * finds the old values in the record and puts them back. So what happens between lock and unlock
 * happens whole or not at all, and what it works on may be written as any other code, as long as:
 *
 *  - every word that others read is changed by il__set, under the lock;
 *  - bytes that are written otherwise lie where nobody looks before the commit, and where no word is
 *    that il__set might have to put back.
 *
 * The order matters only to the kill, which falls between two instructions of one thread: so it is
 * enough to keep the compiler from changing it. What other processes see is ordered by the lock.
 */

#include <stdint.h>

#include "base/atomic.h"
#include "os/robust.h"

enum { IL__LEDGER = 96 }; /* words that may be changed at once */

typedef struct il__ledger {
    il__robust lock;
    uint64_t count;   /* entries that are valid; 0: nothing is half done */
    uint64_t repairs; /* how often a holder died in the middle */
    struct il__entry {
        int64_t at; /* from the ledger's address, which is another in each process */
        uint64_t old;
    } entries[IL__LEDGER];
} il__ledger;

void il__ledger_init(il__ledger *ledger);

/* Lock; first undo what a dead holder left half done. */
void il__ledger_lock(il__ledger *ledger);

/* Change a word near the ledger, in the same mapping. */
void il__set(il__ledger *ledger, uint64_t *word, uint64_t value);

/* From here on what was done is done. */
void il__ledger_commit(il__ledger *ledger);

/* Commit and unlock. */
void il__ledger_unlock(il__ledger *ledger);

#ifdef IL_FAULT
/* Called, if not NULL, before each step of a change: for tests that die there. */
extern void (*il__ledger_step)(void);
#endif

#endif
