/* SPDX-License-Identifier: MIT */
/*
 * Running the items of a slot.
 *
 * What lies in the parent's ordinary memory comes in windows: so many items as a block has room for are
 * fetched, run and delivered, and `base` says with which item the window begins. Should we die,
 * the parent finds in the block what was run and not delivered; what was delivered twice is
 * the same both times.
 */

#include "proc/items.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "os/shared.h"

enum {
    LOOK = 20,      /* microseconds between two looks whether to stop, about */
    LONGEST = 4096, /* items between them at the most */
};

/* --- Failures --------------------------------------------------------------------------------- */

void il__words_write(char *words, size_t size, const il_error *error, int32_t *out_line)
{
    memset(words, 0, size);
    size_t most = size / 2, used = 0;
    used += (size_t)snprintf(words, most, "%s", error->message);
    if (used >= most) used = most - 1;
    used++;
    size_t left = size - used - 1;
    used += (size_t)snprintf(words + used, left / 2, "%.120s", error->file) + 1;
    if (error->cause && used < size) il_error_format(error->cause, words + used, size - used);
    *out_line = error->line;
}

void il__items_fail(il__slot *slot, uint64_t index, int status, il__frame *frame)
{
    if (slot->failed_at < slot->count) return;
    il__error *error = il__frame_error(frame, status);
    il__words_write(slot->words, sizeof slot->words, &error->public, &slot->line);
    slot->status = status;
    il__store_release(&slot->failed_at, index); /* after the words: we may die in between */
    il__error_unref(error);
}

/* --- Items ------------------------------------------------------------------------------------ */

/* Where an item is. A number, since what has no size is NULL, which may not even be added 0 to. */
static uintptr_t item_at(const il__items *items, const il__where *place, char *first,
                         uint64_t index, size_t size)
{
    if (place->where == IL__AFAR) index -= items->base;
    return size ? (uintptr_t)first + index * size : 0;
}

/* Run [from, to), or up to the first failure; returns how far it came. Which item runs must be known
 * at any moment, since it may be the last. */
static uint64_t run_stretch(const il__items *items, uint64_t from, uint64_t to, int *out_status)
{
    il__slot *slot = items->slot;
    uintptr_t in = item_at(items, &slot->in, items->in, from, slot->in_size);
    uintptr_t out = item_at(items, &slot->out, items->out, from, slot->out_size);
    size_t *left = il__slot_begin(slot, from, to);
    items->apply(items->fn, (char *)in, slot->in_size, (char *)out, // NOLINT: see item_at
                 slot->out_size, left, out_status);
    return to - *left;
}

/* An item has failed: try it again as often as it may be. Its last status. */
static int try_again(const il__items *items, uint64_t at, int status)
{
    uint32_t left = items->slot->retries;
    for (; left && status < 0 && !il__cancel_status(items->node); left--) {
        status = 0;
        run_stretch(items, at, at + 1, &status);
    }
    int cancelled = status < 0 ? il__cancel_status(items->node) : 0;
    return cancelled ? cancelled : status;
}

/* Item `at` has failed. False: that was the last one to be run. */
static bool go_on_after(il__items *items, uint64_t at, int status)
{
    il__slot *slot = items->slot;
    status = try_again(items, at, status);
    if (slot->count > 1 && status < 0 && status == il__cancel_status(items->node)) {
        slot->stopped = status; /* the echo of a cancellation is no failure of its own */
        return false;
    }
    if (status < 0) il__items_fail(slot, at, status, items->frame);
    il__slot_begin(slot, at + 1, at + 1);
    return status >= 0 || !slot->stop;
}

/* Run [at, to) in stretches that are made to take about LOOK; between them we look whether to stop.
 * False: something did. */
static bool run_to(il__items *items, uint64_t at, uint64_t to)
{
    il__slot *slot = items->slot;
    il_time begun = il_now();
    while (at < to) {
        slot->stopped = il__cancel_status(items->node);
        if (slot->stopped) return false;
        int status = 0;
        uint64_t end = to - at < items->length ? to : at + items->length;
        at = run_stretch(items, at, end, &status);
        if (il__unlikely(status < 0)) {
            if (!go_on_after(items, at, status)) return false;
            at++;
            continue;
        }
        if (at == to) break;
        il_time now = il_now();
        if (now - begun > IL_US(LOOK)) items->length = items->length / 2 + 1;
        else if (items->length < LONGEST) items->length *= 2;
        begun = now;
    }
    return true;
}

/* --- Windows ---------------------------------------------------------------------------------- */

/* The program may be gone, and its number another's. */
static bool parent_lives(const il__items *items)
{
    struct pollfd parent = { .fd = items->parent_fd, .events = POLLIN };
    return poll(&parent, 1, 0) == 0;
}

/* Both come: fn may look at what is in the array that it writes to. */
static int fetch(const il__items *items, uint64_t count)
{
    const il__slot *slot = items->slot;
    uint64_t at = items->base;
    int status = 0;
    if (slot->in.where == IL__AFAR && slot->in_size)
        status = il__afar_read(items->parent, items->afar->in + at * slot->in_size, items->in,
                               count * slot->in_size);
    if (!status && slot->out.where == IL__AFAR && slot->out_size)
        status = il__afar_read(items->parent, items->afar->out + at * slot->out_size, items->out,
                               count * slot->out_size);
    return status;
}

/* Up to the item that is next; which is where the next window begins. */
static int deliver(il__items *items)
{
    il__slot *slot = items->slot;
    const il__afar *afar = items->afar;
    uint64_t at = il__slot_at(slot);
    if (at < items->base || at > afar->count) return -EFAULT; /* a task has written over the slot */
    if (slot->out.where == IL__AFAR && afar->out_size && at > items->base) {
        if (!parent_lives(items)) return -ESRCH;
        int status =
            il__afar_write(items->parent, items->out, afar->out + items->base * afar->out_size,
                           (at - items->base) * afar->out_size);
        if (status) return status;
    }
    items->base = at;
    il__store_release(&slot->base, at); /* after it was written; pairs with take_window */
    return 0;
}

static void run_windows(il__items *items)
{
    il__slot *slot = items->slot;
    bool going = true;
    int status = 0;
    while (going && !status && items->base < slot->count) {
        uint64_t left = slot->count - items->base;
        uint64_t count = left < slot->window ? left : slot->window;
        status = fetch(items, count);
        if (status) break;
        going = run_to(items, items->base, items->base + count);
        status = deliver(items);
    }
    if (status) slot->stopped = IL__UNREACHED;
}

void il__items_run(il__items *items)
{
    il__slot *slot = items->slot;
    items->base = 0;
    items->length = 1;
    if (slot->in.where == IL__AFAR || slot->out.where == IL__AFAR) run_windows(items);
    else run_to(items, 0, slot->count);
}
