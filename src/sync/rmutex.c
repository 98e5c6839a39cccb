/* SPDX-License-Identifier: MIT */
/*
 * Re-entrant mutex: a mutex and how often. `depth` and `owner` are written by the holder; `owner`,
 * an id and not an address, may be read by anybody, also when the holder has long ended.
 */

#include <interlock/rmutex.h>

#include "base/fatal.h"
#include "sync/mutex.h"
#include "sync/who.h"
#include "wait/gate.h"

static int lock_at(il_rmutex *rmutex, il__cancels cancels, il_time until, const void *place)
{
    if (il_mutex_held(&rmutex->mutex)) {
        if (rmutex->depth == UINT32_MAX)
            il__fatal("re-entrant mutex %p locked too often", (void *)rmutex);
        rmutex->depth++;
        return 0;
    }
    int status = il__mutex_lock_at(&rmutex->mutex, cancels, until, place);
    if (status) return status;
    rmutex->depth = 1;
    il__store(&rmutex->owner, il__agent_id(il__self()));
    return 0;
}

void il_rmutex_lock(il_rmutex *rmutex)
{
    lock_at(rmutex, IL__PLAIN, IL_FOREVER, __builtin_return_address(0));
}

int il_rmutex_lock_until(il_rmutex *rmutex, il_time until)
{
    return lock_at(rmutex, IL__CANCELS, until, __builtin_return_address(0));
}

static _Noreturn void not_ours(il_rmutex *rmutex, const void *place)
{
    char who[80], holder[80], here[160];
    il__fatal("re-entrant mutex %p unlocked at %s by %s, but held by %s", (void *)rmutex,
              il__place(place, here, sizeof here), il__who(il__self(), who, sizeof who),
              il__who(il__mutex_owner(&rmutex->mutex), holder, sizeof holder));
}

void il_rmutex_unlock(il_rmutex *rmutex)
{
    if (!il_mutex_held(&rmutex->mutex)) not_ours(rmutex, __builtin_return_address(0));
    if (--rmutex->depth) return;
    il__store(&rmutex->owner, 0);
    il__mutex_unlock_held(&rmutex->mutex, il__self());
}

unsigned il_rmutex_depth(const il_rmutex *rmutex)
{
    return il_mutex_held(&rmutex->mutex) ? rmutex->depth : 0;
}

uint64_t il_rmutex_owner(const il_rmutex *rmutex)
{
    return il__load(&rmutex->owner);
}

unsigned il_rmutex_waiters(il_rmutex *rmutex)
{
    return il__gate_count(&rmutex->mutex.gate);
}
