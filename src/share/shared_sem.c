/* SPDX-License-Identifier: MIT */
/*
 * Semaphores between processes. The count, and how much of it each member has, are guarded by the
 * semaphore's own ledger, and so is `waiting`. To wait and to pass on is as in shared_chan.c.
 */

#include <interlock/shared_sem.h>

#include <errno.h>

#include <interlock/status.h>

#include "share/arena.h"

typedef struct shared {
    il__object object; /* first */
    il__ledger ledger;
    uint64_t max, tell_deaths; /* set at init; 0: no bound */
    uint64_t count;
    uint64_t inherited; /* of count: what came back from dead holders, and was not said yet */
    uint64_t held[IL__MEMBERS];
    il__crowd waiters;
} shared;

struct il_shared_sem {
    il__opened opened; /* first */
    unsigned waiting;
};

static shared *shared_of(const il_shared_sem *sem)
{
    return (shared *)sem->opened.object;
}

static uint32_t take_waiter(shared *all)
{
    uint32_t index = il__crowd_first(&all->waiters);
    if (index != IL__NOBODY) il__crowd_set(&all->ledger, &all->waiters, index, false);
    return index;
}

static int try(const il_shared_sem *sem)
{
    shared *all = shared_of(sem);
    il__ledger *ledger = &all->ledger;
    uint64_t *held = &all->held[sem->opened.arena->index];
    if (!all->count) return -EAGAIN;
    il__set(ledger, &all->count, all->count - 1);
    il__set(ledger, held, *held + 1);
    if (!all->inherited) return 0;
    il__set(ledger, &all->inherited, all->inherited - 1);
    return all->tell_deaths ? -EOWNERDEAD : 0;
}

static int wait_in(il_shared_sem *sem, il_time until)
{
    il_arena *arena = sem->opened.arena;
    shared *all = shared_of(sem);
    il__crowd_set(&all->ledger, &all->waiters, arena->index, true);
    sem->waiting++;
    uint32_t heard = il__bell_heard(arena);
    il__ledger_unlock(&all->ledger);
    int status = il__bell_wait(arena, heard, "shared semaphore", sem, until);
    il__ledger_lock(&all->ledger);
    if (!--sem->waiting) il__crowd_set(&all->ledger, &all->waiters, arena->index, false);
    return status;
}

int il_shared_sem_acquire(il_shared_sem *sem, il_time until)
{
    il_arena *arena = sem->opened.arena;
    shared *all = shared_of(sem);
    int status = il__arena_check(arena), waited = 0;
    uint32_t next = IL__NOBODY;
    if (status) return status;
    il__ledger_lock(&all->ledger);
    while ((status = try(sem)) == -EAGAIN && !waited && until != IL_NOW) {
        waited = wait_in(sem, until);
        if (waited == -ECANCELED) break;
    }
    if (status == -EAGAIN && all->count) next = take_waiter(all);
    il__ledger_unlock(&all->ledger);
    il__bell_ring(arena, next);
    if (status != -EAGAIN) return status;
    if (until == IL_NOW) il__peers_watch(arena); /* one of them may have it, and die */
    return waited ? waited : status;
}

int il_shared_sem_release(il_shared_sem *sem)
{
    il_arena *arena = sem->opened.arena;
    shared *all = shared_of(sem);
    uint64_t *held = &all->held[arena->index];
    uint32_t next = IL__NOBODY;
    int status = il__arena_check(arena);
    if (status) return status;
    il__ledger_lock(&all->ledger);
    if (all->max && all->count >= all->max) status = -EOVERFLOW;
    if (!status) {
        il__set(&all->ledger, &all->count, all->count + 1);
        if (*held) il__set(&all->ledger, held, *held - 1);
        next = take_waiter(all);
    }
    il__ledger_unlock(&all->ledger);
    il__bell_ring(arena, next);
    return status;
}

unsigned il_shared_sem_value(const il_shared_sem *sem)
{
    return (unsigned)il__load(&shared_of(sem)->count);
}

/* --- Life ------------------------------------------------------------------------------------------ */

static void bury(il__arena_head *head, il__object *object, uint32_t index)
{
    shared *all = (shared *)object;
    (void)head;
    il__ledger_lock(&all->ledger);
    uint64_t held = all->held[index]; /* now, that it is repaired */
    if (held) {
        il__set(&all->ledger, &all->count, all->count + held);
        il__set(&all->ledger, &all->inherited, all->inherited + held);
        il__set(&all->ledger, &all->held[index], 0);
    }
    il__crowd_set(&all->ledger, &all->waiters, index, false);
    il__ledger_unlock(&all->ledger);
}

const il__class il__sem_class = { .size = sizeof(il_shared_sem), .bury = bury };

static void fill(il__object *object, const void *arg)
{
    shared *all = (shared *)object;
    const shared *wanted = arg;
    il__object first = *object;
    *all = *wanted;
    all->object = first;
    il__ledger_init(&all->ledger);
}

int il_shared_sem_new(il_arena *arena, unsigned count, const il_shared_sem_opts *opts,
                      il_shared_sem **out_sem)
{
    static const il_shared_sem_opts defaults;
    if (!opts) opts = &defaults;
    if (opts->max && count > opts->max) return -EINVAL;
    shared wanted = { .max = opts->max, .tell_deaths = opts->tell_deaths, .count = count };
    il__making making = { .kind = IL__SEM, .size = sizeof(shared), .fill = fill, .arg = &wanted };
    il__opened *opened = NULL;
    int status = il__object_new(arena, &making, &opened);
    if (!status) *out_sem = (il_shared_sem *)opened;
    return status;
}

il_handle il_shared_sem_handle(const il_shared_sem *sem)
{
    return il__object_handle(sem->opened.arena, sem->opened.object);
}

int il_shared_sem_open(const il_handle *handle, il_shared_sem **out_sem)
{
    il__opened *opened = NULL;
    int status = il__object_open(handle, IL__SEM, &opened);
    if (!status) *out_sem = (il_shared_sem *)opened;
    return status;
}

void il_shared_sem_free(il_shared_sem *sem)
{
    if (sem) il__object_free(&sem->opened);
}
