/* SPDX-License-Identifier: MIT */
#ifndef IL_SYNC_MUTEX_H
#define IL_SYNC_MUTEX_H

/* The mutex as other primitives use it: the same, on behalf of a call at `place`. */

#include <interlock/mutex.h>

#include "wait/wait.h"

/* 0, -EAGAIN, -ETIMEDOUT, -ECANCELED (if it may be), -EDEADLK. */
int il__mutex_lock_at(il_mutex *mutex, il__cancels cancels, il_time until, const void *place);

/* The mutex is held. */
void il__mutex_unlock_held(il_mutex *mutex, il__agent *self);

/* Who holds it, or NULL. May be out of date, unless it is the caller or the mutex cannot change. */
il__agent *il__mutex_owner(const il_mutex *mutex);

#endif
