/* SPDX-License-Identifier: MIT */
/* Parcels that wait: queues by priority; how one begins and ends. */

#include "proc/pool.h"

void il__parcels_append(il__parcels *parcels, il__parcel *parcel)
{
    parcel->next = NULL;
    if (parcels->first) parcels->last->next = parcel;
    else parcels->first = parcel;
    parcels->last = parcel;
}

il__parcel *il__parcels_take(il__parcels *parcels)
{
    il__parcel *parcel = parcels->first;
    if (parcel) parcels->first = parcel->next;
    return parcel;
}

void il__parcels_put_back(il__parcels *parcels, il__parcel *parcel)
{
    parcel->next = parcels->first;
    if (!parcels->first) parcels->last = parcel;
    parcels->first = parcel;
}

il__parcels *il__crew_queue_of(il__crew *crew, const il__parcel *parcel)
{
    return &crew->queues[parcel->priority > 0 ? 0 : parcel->priority < 0 ? 2 : 1];
}

il__parcel *il__crew_take_next(il__crew *crew)
{
    il__parcel *parcel = NULL;
    for (int i = 0; !parcel && i < IL__PRIORITIES; i++) parcel = il__parcels_take(&crew->queues[i]);
    return parcel;
}

bool il__crew_has_waiting(const il__crew *crew)
{
    return crew->queues[0].first || crew->queues[1].first || crew->queues[2].first;
}

/* --- Beginning and end ------------------------------------------------------------------------ */

void il__crew_finish(il__crew *crew, il__parcel *parcel, int status)
{
    parcel->done(parcel, status);
    il__crew_ended(crew);
}

int il__parcel_why_stop(il__parcel *parcel, il_time now)
{
    int status = il__load(&parcel->recalled);
    if (!status && parcel->cancel) {
        if (parcel->deadline <= now) il__cancel_expire(parcel->cancel, now);
        status = il__load_acquire(&parcel->cancel->status);
        if (!status && parcel->cancel->parent)
            status = il__load_acquire(&parcel->cancel->parent->status);
    }
    return status ? status : parcel->deadline <= now ? -ETIMEDOUT : 0;
}

void il__crew_watch(il__crew *crew, il_time when)
{
    if (when < crew->next_timer) crew->next_timer = when;
}

bool il__crew_begin(il__crew *crew, il__parcel *parcel, il_time now)
{
    if (parcel->waits) {
        parcel->waits = false;
        if (crew->opts.queue_limit && parcel->cancel) il__sub(&crew->waiting, 1);
        if (parcel->begin && !parcel->begin(parcel)) {
            il__crew_ended(crew);
            return false;
        }
        il__bump(&crew->started);
    }
    int status = il__parcel_why_stop(parcel, now);
    if (status) il__crew_finish(crew, parcel, status);
    return !status;
}
