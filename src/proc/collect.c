/* SPDX-License-Identifier: MIT */
/* Parcels on their way back: out of slots of lanes. */

#include <errno.h>
#include <string.h>

#include "proc/pool.h"

enum { KEPT_BLOCK = 32 << 20 /* bytes; a larger one goes back to the system after use */ };

static il__error *error_of(const il__process *process, const il__parcel *parcel,
                           const il__slot *slot, int status)
{
    char words[IL__SLOT_WORDS + 2] = { 0 }; /* a copy: it may change under us */
    memcpy(words, slot->words, IL__SLOT_WORDS);
    const char *file = words + strlen(words) + 1;
    if (file > words + IL__SLOT_WORDS) file = words + IL__SLOT_WORDS;
    const char *cause = file + strlen(file) + 1;
    if (cause > words + IL__SLOT_WORDS) cause = words + IL__SLOT_WORDS;
    return il__error_elsewhere(status, process->pid, 0, parcel->name ? parcel->name : "", file,
                               slot->line, words, cause);
}

/* What the worker has not delivered itself: all of them, or those of the window. */
static void take_window(const il__process *process, unsigned number, il__parcel *parcel, size_t ran)
{
    size_t base = il__load_acquire(&process->lane->slots[number].base); /* pairs with deliver */
    size_t held = base < ran ? ran - base : 0;
    if (held > process->windows[number]) held = process->windows[number];
    if (!process->results[number] || !held) return;
    memcpy(parcel->out + (parcel->from + ran - held) * parcel->out_size, process->results[number],
           held * parcel->out_size);
}

bool il__slot_take_results(il__process *process, unsigned number, il__parcel *parcel, size_t ran)
{
    il__slot *slot = &process->lane->slots[number];
    size_t failed_at = il__load_acquire(&slot->failed_at); /* pairs with note_failure */
    size_t base = parcel->from;
    int status = slot->status < 0 ? slot->status : -EBADMSG;
    take_window(process, number, parcel, ran);
    parcel->from = base + ran;
    if (failed_at >= parcel->count - base) return false;
    parcel->failed(parcel, base + failed_at, status, error_of(process, parcel, slot, status));
    return true;
}

il__parcel *il__slot_release(il__process *process, unsigned number)
{
    il__parcel *parcel = process->parcels[number];
    process->parcels[number] = NULL;
    process->free[process->free_count++] = (unsigned char)number;
    process->held--;
    return parcel;
}

il__parcel *il__slot_withdraw(il__process *process, unsigned number)
{
    uint32_t posted = IL__POSTED;
    if (!il__cas(&process->lane->slots[number].state, &posted, IL__FREE)) return NULL;
    return il__slot_release(process, number);
}

size_t il__slot_items_run(const il__slot *slot, const il__parcel *parcel)
{
    size_t at = il__slot_at(slot), items = parcel->count - parcel->from;
    return at < items ? at : items;
}

void il__crew_take_done(il__crew *crew, il__process *process, unsigned number)
{
    il__slot *slot = &process->lane->slots[number];
    il__parcel *parcel = process->parcels[number];
    bool failed = il__slot_take_results(process, number, parcel, il__slot_items_run(slot, parcel));
    int64_t took = slot->took > 0 ? slot->took : 1;
    int stopped = slot->stopped;
    parcel->took += took;
    crew->usual = crew->usual ? crew->usual + (took - crew->usual) / 8 : took;
    if (crew->usual < 1) crew->usual = 1;
    if (process->blocks[number].size > KEPT_BLOCK) il__block_free(&process->blocks[number]);
    il__slot_release(process, number);
    il__store(&slot->state, IL__FREE);
    if (parcel->from == parcel->count || (failed && parcel->stop)) {
        il__crew_finish(crew, parcel, 0);
        return;
    }
    int status = il__parcel_why_stop(parcel, il_now());
    bool unreached = stopped == IL__UNREACHED && process->afar[number];
    if (unreached) process->reaches = false;
    if (!status && (unreached || (failed && parcel->each && !stopped)))
        il__parcels_put_back(il__crew_queue_of(crew, parcel), parcel); /* the rest of it */
    else il__crew_finish(crew, parcel, status ? status : stopped < 0 ? stopped : -ECANCELED);
}

bool il__crew_collect(il__crew *crew)
{
    bool found = false;
    for (unsigned i = 0; i < crew->executor.workers; i++) {
        il__process *process = &crew->processes[i];
        if (!process->held) continue;
        uint32_t finished = il__load_acquire(&process->lane->finished); /* pairs with hand_back */
        for (; process->collected != finished; process->collected++) {
            unsigned number = process->lane->ended[process->collected % IL__QUEUE] % IL__SLOTS;
            if (!process->parcels[number] ||
                il__load_acquire(&process->lane->slots[number].state) != IL__DONE)
                continue; /* only a worker that writes where it should not */
            il__crew_take_done(crew, process, number);
            found = true;
        }
    }
    return found;
}
