/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_SHARED_SEM_H
#define INTERLOCK_SHARED_SEM_H

/*
 * A semaphore between processes, in an arena: so many at a time, of all processes together.
 *
 *     il_shared_sem_new(arena, 2, NULL, &licences);
 *     il_handle handle = il_shared_sem_handle(licences);     // bytes: into the input of a task
 *
 *     il_shared_sem_open(&handle, &licences);                // in another process
 *     if (!il_shared_sem_acquire(licences, il_after(IL_SEC(5)))) {
 *         run_the_compiler();
 *         il_shared_sem_release(licences);
 *     }
 *
 * What a process has taken comes back when it ends or lets go of the semaphore, however that
 * happens. Where it matters that a holder has died in the middle (the semaphore guards something
 * that may now be half done), .tell_deaths says so to whoever gets what it had. Who waits the longest need
 * not be served first.
 */

#include <interlock/arena.h>

IL__BEGIN

typedef struct il_shared_sem il_shared_sem;

/* All zero is each default; NULL means all defaults. */
typedef struct il_shared_sem_opts {
    unsigned max;     /* releasing beyond it is -EOVERFLOW; 0: no bound */
    bool tell_deaths; /* who takes what came back from a dead holder is told: -EOWNERDEAD */
} il_shared_sem_opts;

/* Gives a semaphore in an arena, which it keeps open, with `count` to take. 0, -ENOMEM, -EINVAL (more
 * than .max). */
IL_API int il_shared_sem_new(il_arena *arena, unsigned count, const il_shared_sem_opts *opts,
                             il_shared_sem **out_sem);

/* Names it to others; opens it here: as il_shared_chan_handle and il_shared_chan_open. */
IL_API il_handle il_shared_sem_handle(const il_shared_sem *sem);
IL_API int il_shared_sem_open(const il_handle *handle, il_shared_sem **out_sem);

/* Let go of it, as often as it was made or opened here. NULL is fine. */
IL_API void il_shared_sem_free(il_shared_sem *sem);

/* Take one, wait for it if need be. 0; -EOWNERDEAD: taken too, and its last holder died with it;
 * -EAGAIN, -ETIMEDOUT, -ECANCELED, -EPERM (it was opened by the process that this one was forked
 * from): not taken. */
IL_API int il_shared_sem_acquire(il_shared_sem *sem, il_time until);

/* Give one back; also a process that has none may. Never waits. 0, -EOVERFLOW, -EPERM. */
IL_API int il_shared_sem_release(il_shared_sem *sem);

/* How many could be taken; out of date as soon as it returns. */
IL_API unsigned il_shared_sem_value(const il_shared_sem *sem);

IL__END

#endif
