/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_EVENT_H
#define INTERLOCK_EVENT_H

/*
 * Event: a flag to wait for.
 *
 *     static il_event ready;                       // manual: stays set until cleared
 *     static il_event turn = { .automatic = true }; // lets one waiter through, then is clear again
 *
 *     il_event_wait(&ready);      // here
 *     il_event_set(&ready);       // there
 */

#include <interlock/api.h>
#include <interlock/time.h>

IL__BEGIN

typedef struct il_event {
    il__gate gate;
    bool automatic; /* set before use */
} il_event;

/* Set: manual wakes all who wait and whoever comes; automatic wakes one, or lets the next through. */
IL_API void il_event_set(il_event *event);
IL_API void il_event_clear(il_event *event);
IL_API bool il_event_is_set(const il_event *event);

/* Wait until it is set. _until: 0, -EAGAIN, -ETIMEDOUT, -ECANCELED. */
IL_API void il_event_wait(il_event *event);
IL_API int il_event_wait_until(il_event *event, il_time until);

IL__END

#endif
