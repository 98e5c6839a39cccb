/* SPDX-License-Identifier: MIT */
/*
 * Cancellations and deadlines: a parcel that is to stop is taken out of the queue or withdrawn; if it
 * runs, its worker is told, and killed when the grace is over.
 */

#include "proc/pool.h"

static void stop(il__crew *crew, il__process *process, unsigned number, int status, il_time now)
{
    il__parcel *parcel = il__slot_withdraw(process, number);
    if (parcel) {
        il__crew_finish(crew, parcel, status);
        return;
    }
    parcel = process->parcels[number];
    il__slot *slot = &process->lane->slots[number];
    if (parcel->kill_at == IL_FOREVER) {
        parcel->kill_at = now + crew->opts.grace;
        il__store_release(&slot->cancel, 1); /* before the signal */
        il__crew_order(crew, process, IL__ORDER_SIGNAL);
    } else if (now >= parcel->kill_at && !process->killed) {
        process->killed = true;
        il__crew_order(crew, process, IL__ORDER_KILL);
    }
    if (!process->killed) il__crew_watch(crew, parcel->kill_at);
}

static void look_through_queue(il__crew *crew)
{
    for (int i = 0; i < IL__PRIORITIES; i++) {
        il__parcels kept = { .first = NULL };
        il__parcel *parcel;
        while ((parcel = il__parcels_take(&crew->queues[i]))) {
            int recalled = il__load(&parcel->recalled);
            if (recalled) il__crew_finish(crew, parcel, recalled);
            else il__parcels_append(&kept, parcel);
        }
        crew->queues[i] = kept;
    }
}

void il__crew_look(il__crew *crew)
{
    il_time now = il_now();
    crew->next_timer = crew->retry_at;
    if (il__swap(&crew->recalls, 0)) look_through_queue(crew);
    for (unsigned i = 0; i < crew->executor.workers; i++) {
        il__process *process = &crew->processes[i];
        for (unsigned k = 0; process->held && k < IL__SLOTS; k++) {
            il__parcel *parcel = process->parcels[k];
            if (!parcel || il__load_acquire(&process->lane->slots[k].state) == IL__DONE) continue;
            int status = il__parcel_why_stop(parcel, now);
            if (status) stop(crew, process, k, status, now);
            else il__crew_watch(crew, parcel->deadline);
        }
    }
}
