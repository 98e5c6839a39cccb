/* SPDX-License-Identifier: MIT */
/*
 * Channels between processes. All that is in `shared` is guarded by its ledger, and so are the counts
 * and holds of each process's own end; order: the ledger of the arena's head first.
 *
 * An item lies in a slot from being sent to being done: in the queue, or held by a member. Slots hang
 * together by numbers, 0 is none. To receive is to write the holder's number into the slot and take it
 * out of the queue, in one step of the ledger: so there is no moment at which an item is in neither.
 *
 * Who waits is in one of the crowds, as a process. Whoever makes an item or room takes one member out
 * and rings it, and all that wait there look again. Who goes away without what it waited for rings
 * the next, since it may have been the one who was rung. See bell.c for those who die.
 */

#include <interlock/shared_chan.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "chan/elsewhere.h"
#include "os/spin.h"
#include "share/arena.h"
#include "wait/agent.h"

enum { CAPACITY = 64, ATTEMPTS = 16, NAME = 32, SPINS = 160 };
enum { RECEIVERS, SENDERS, JOINERS, CROWDS };

struct slot {
    uint64_t next;     /* in the queue or the list of free ones */
    uint64_t holder;   /* index of a member, plus one; 0: nobody */
    uint64_t number;   /* of the item: which was sent first */
    uint64_t attempts; /* to deliver it */
    unsigned char item[];
};

typedef struct shared {
    il__object object; /* first */
    il__ledger ledger;

    /* Set at init. */
    uint64_t item_size, capacity, stride, attempts;
    uint64_t at_most_once;
    char name[NAME];

    uint64_t closed;
    uint64_t first, last, free;             /* slots */
    uint64_t inside;                        /* items in the queue */
    uint64_t sent, done, dropped, returned; /* so far */
    il__crowd crowds[CROWDS];
    _Alignas(16) unsigned char slots[];
} shared;

/* An item that this process has received. */
struct hold {
    uint64_t agent, slot;
};

/* Our end. */
struct end {
    il__opened opened; /* first */
    il_chan *chan;
    unsigned waiting[CROWDS];
    struct hold *holds; /* as many as the capacity, the oldest first */
    size_t held;
};

static shared *shared_of(const struct end *end)
{
    return (shared *)end->opened.object;
}

static struct slot *slot_at(shared *all, uint64_t number)
{
    return (struct slot *)(void *)(all->slots + (number - 1) * all->stride);
}

static uint64_t unfinished(const shared *all)
{
    return all->sent - all->done - all->dropped;
}

/* --- Slots; the ledger is locked ----------------------------------------------------------------- */

static void append(shared *all, uint64_t number)
{
    il__ledger *ledger = &all->ledger;
    il__set(ledger, &slot_at(all, number)->next, 0);
    il__set(ledger, all->last ? &slot_at(all, all->last)->next : &all->first, number);
    il__set(ledger, &all->last, number);
    il__set(ledger, &all->inside, all->inside + 1);
}

static void prepend(shared *all, uint64_t number)
{
    il__ledger *ledger = &all->ledger;
    il__set(ledger, &slot_at(all, number)->next, all->first);
    if (!all->first) il__set(ledger, &all->last, number);
    il__set(ledger, &all->first, number);
    il__set(ledger, &all->inside, all->inside + 1);
}

static uint64_t take_first(shared *all)
{
    il__ledger *ledger = &all->ledger;
    uint64_t number = all->first, next = slot_at(all, number)->next;
    il__set(ledger, &all->first, next);
    if (!next) il__set(ledger, &all->last, 0);
    il__set(ledger, &all->inside, all->inside - 1);
    return number;
}

static uint64_t take_free(shared *all)
{
    uint64_t number = all->free;
    il__set(&all->ledger, &all->free, slot_at(all, number)->next);
    return number;
}

static void make_free(shared *all, uint64_t number)
{
    struct slot *slot = slot_at(all, number);
    il__set(&all->ledger, &slot->holder, 0);
    il__set(&all->ledger, &slot->next, all->free);
    il__set(&all->ledger, &all->free, number);
}

/* --- Telling others -------------------------------------------------------------------------------- */

static void tell_one(shared *all, int which, il__crowd *told)
{
    uint32_t index = il__crowd_first(&all->crowds[which]);
    if (index == IL__NOBODY) return;
    il__crowd_set(&all->ledger, &all->crowds[which], index, false);
    told->bits[index / 64] |= UINT64_C(1) << index % 64;
}

static void tell_all(shared *all, int which, il__crowd *told)
{
    for (uint32_t i = 0; i < IL__MEMBERS / 64; i++) {
        uint64_t *bits = &all->crowds[which].bits[i];
        told->bits[i] |= *bits;
        if (*bits) il__set(&all->ledger, bits, 0);
    }
}

/* An item is done or dropped: there is room, and maybe nothing left to do. */
static void tell_of_room(shared *all, il__crowd *told)
{
    tell_one(all, SENDERS, told);
    if (!unfinished(all)) tell_all(all, JOINERS, told);
    if (all->closed) tell_all(all, RECEIVERS, told);
}

static void unlock(struct end *end, const il__crowd *told)
{
    il__ledger_unlock(&shared_of(end)->ledger);
    il__bell_ring_all(end->opened.arena, told);
}

/* Wait for a change; locked before and after. */
static int wait_in(struct end *end, int which, il_time until)
{
    static const char *const words[CROWDS] = {
        "shared channel (receive)",
        "shared channel (send)",
        "shared channel (join)",
    };
    il_arena *arena = end->opened.arena;
    shared *all = shared_of(end);
    il__crowd_set(&all->ledger, &all->crowds[which], arena->index, true);
    end->waiting[which]++;
    uint32_t heard = il__bell_heard(arena);
    il__ledger_unlock(&all->ledger);
    int status = il__bell_wait(arena, heard, words[which], end->chan, until);
    il__ledger_lock(&all->ledger);
    if (!--end->waiting[which])
        il__crowd_set(&all->ledger, &all->crowds[which], arena->index, false);
    return status;
}

/* --- The verbs -------------------------------------------------------------------------------------- */

static int try_send(struct end *end, const void *item, il__crowd *told)
{
    shared *all = shared_of(end);
    if (all->closed) return -EPIPE;
    if (!all->free) return -EAGAIN;
    uint64_t number = take_free(all);
    struct slot *slot = slot_at(all, number);
    slot->number = all->sent; /* what is in a free slot is nobody's */
    slot->attempts = 0;
    if (all->item_size) memcpy(slot->item, item, all->item_size);
    append(all, number);
    il__set(&all->ledger, &all->sent, all->sent + 1);
    tell_one(all, RECEIVERS, told);
    return 0;
}

static void hold(struct end *end, uint64_t number)
{
    shared *all = shared_of(end);
    struct slot *slot = slot_at(all, number);
    il__set(&all->ledger, &slot->holder, end->opened.arena->index + 1);
    il__set(&all->ledger, &slot->attempts, slot->attempts + 1);
    end->holds[end->held++] = (struct hold){ il__agent_id(il__self()), number };
}

/* Nothing is inside. Will anything come? */
static bool is_over(const struct end *end)
{
    const shared *all = shared_of(end);
    return all->closed && unfinished(all) == end->held;
}

static int try_receive(struct end *end, void *out_item, il__crowd *told)
{
    shared *all = shared_of(end);
    if (!all->inside) return is_over(end) ? -EPIPE : -EAGAIN;
    uint64_t number = take_first(all);
    if (out_item && all->item_size) memcpy(out_item, slot_at(all, number)->item, all->item_size);
    if (!all->at_most_once) {
        hold(end, number);
        return 0;
    }
    make_free(all, number);
    il__set(&all->ledger, &all->done, all->done + 1);
    tell_of_room(all, told);
    return 0;
}

static int try_join(struct end *end, void *unused, il__crowd *told)
{
    (void)unused, (void)told;
    return unfinished(shared_of(end)) ? -EAGAIN : 0;
}

/* We go without: whoever rang us may have meant one who takes. */
static void pass_on(struct end *end, int which, il__crowd *told)
{
    shared *all = shared_of(end);
    if (which == RECEIVERS && all->inside) tell_one(all, RECEIVERS, told);
    if (which == SENDERS && all->free) tell_one(all, SENDERS, told);
}

static int try(struct end *end, int which, void *item, il__crowd *told)
{
    if (which == SENDERS) return try_send(end, item, told);
    if (which == RECEIVERS) return try_receive(end, item, told);
    return try_join(end, item, told);
}

static bool is_promising(const struct end *end, int which)
{
    const shared *all = shared_of(end);
    if (il__load(&all->closed)) return true;
    return which == RECEIVERS ? il__load(&all->inside) != 0 : il__load(&all->free) != 0;
}

/* Look out for a moment without the lock: what comes by then need not be told. Locked before and after. */
static void look_out(const struct end *end, int which)
{
    if (which == JOINERS || !il__may_look_out(end->opened.arena)) return;
    il__ledger_unlock(&shared_of(end)->ledger);
    for (int i = 0; i < SPINS && !is_promising(end, which); i++) il__pause();
    il__ledger_lock(&shared_of(end)->ledger);
}

/* One more try when the time is up: it may have been told just then. */
static int try_until(struct end *end, int which, void *item, il_time until, il__crowd *told,
                     int *waited)
{
    int status;
    while ((status = try(end, which, item, told)) == -EAGAIN && !*waited) {
        *waited = wait_in(end, which, until);
        if (*waited == -ECANCELED) break;
    }
    return status;
}

/* Do it, waiting if need be. */
static int act(struct end *end, int which, void *item, il_time until)
{
    int status = il__arena_check(end->opened.arena), waited = 0;
    if (status) return status;
    il__crowd told = { 0 };
    il__ledger_lock(&shared_of(end)->ledger);
    status = try(end, which, item, &told);
    if (status == -EAGAIN && until != IL_NOW) {
        look_out(end, which);
        status = try_until(end, which, item, until, &told, &waited);
    }
    if (status == -EAGAIN) pass_on(end, which, &told);
    unlock(end, &told);
    if (status != -EAGAIN) return status;
    if (until == IL_NOW) il__peers_watch(end->opened.arena); /* one of them may hold it, and die */
    return waited ? waited : status;
}

static int send(void *there, const void *item, il_time until)
{
    return act(there, SENDERS, (void *)(uintptr_t)item, until);
}

static int receive(void *there, void *out_item, il_time until)
{
    return act(there, RECEIVERS, out_item, until);
}

static int join(void *there, il_time until)
{
    return act(there, JOINERS, NULL, until);
}

static _Noreturn void not_ours(const struct end *end)
{
    il__fatal(
        "shared channel %p \"%s\": it was opened by the process that this one was forked from",
        (void *)end->chan, shared_of(end)->name);
}

static void close(void *there)
{
    struct end *end = there;
    shared *all = shared_of(end);
    il__crowd told = { 0 };
    if (il__arena_check(end->opened.arena)) not_ours(end);
    il__ledger_lock(&all->ledger);
    if (!all->closed) il__set(&all->ledger, &all->closed, 1);
    tell_all(all, RECEIVERS, &told);
    tell_all(all, SENDERS, &told);
    unlock(end, &told);
}

static bool closed(void *there)
{
    return il__load(&shared_of(there)->closed);
}

static size_t length(void *there)
{
    return il__load(&shared_of(there)->inside);
}

static _Noreturn void done_too_often(const struct end *end, const void *place)
{
    char here[160];
    il__fatal(
        "shared channel %p \"%s\": il_chan_done at %s, but this process has no item of it that is "
        "not done",
        (void *)end->chan, shared_of(end)->name, il__place(place, here, sizeof here));
}

/* The oldest of this task, or of this process. */
static uint64_t take_hold(struct end *end)
{
    uint64_t self = il__agent_id(il__self());
    size_t at = 0;
    while (at < end->held && end->holds[at].agent != self) at++;
    if (at == end->held) at = 0;
    uint64_t number = end->holds[at].slot;
    memmove(&end->holds[at], &end->holds[at + 1], (--end->held - at) * sizeof *end->holds);
    return number;
}

static void done(void *there, const void *place)
{
    struct end *end = there;
    shared *all = shared_of(end);
    il__crowd told = { 0 };
    if (il__arena_check(end->opened.arena)) not_ours(end);
    if (all->at_most_once) return;
    il__ledger_lock(&all->ledger);
    if (!end->held) {
        il__ledger_unlock(&all->ledger);
        done_too_often(end, place);
    }
    make_free(all, take_hold(end));
    il__set(&all->ledger, &all->done, all->done + 1);
    tell_of_room(all, &told);
    unlock(end, &told);
}

/* --- Deaths ---------------------------------------------------------------------------------------- */

/* Of the slots that a member holds, that with the latest item; 0: it holds none. */
static uint64_t latest_held(shared *all, uint32_t index)
{
    uint64_t found = 0;
    for (uint64_t i = 1; i <= all->capacity; i++) {
        if (slot_at(all, i)->holder != index + 1) continue;
        if (!found || slot_at(all, i)->number > slot_at(all, found)->number) found = i;
    }
    return found;
}

static void give_back(shared *all, uint64_t number)
{
    struct slot *slot = slot_at(all, number);
    if (slot->attempts >= all->attempts) {
        make_free(all, number);
        il__set(&all->ledger, &all->dropped, all->dropped + 1);
        return;
    }
    il__set(&all->ledger, &slot->holder, 0);
    il__set(&all->ledger, &all->returned, all->returned + 1);
    prepend(all, number);
}

/* What it held comes first again, in the order in which it was sent. */
static void bury(il__arena_head *head, il__object *object, uint32_t index)
{
    shared *all = (shared *)object;
    uint64_t number;
    (void)head;
    il__ledger_lock(&all->ledger);
    while ((number = latest_held(all, index))) {
        give_back(all, number);
        il__ledger_commit(&all->ledger);
    }
    for (int i = 0; i < CROWDS; i++) il__crowd_set(&all->ledger, &all->crowds[i], index, false);
    il__ledger_unlock(&all->ledger);
}

/* --- Life ------------------------------------------------------------------------------------------ */

static void free_end(void *there)
{
    il__object_free(there);
}

static const il__chan_ops ops = {
    .send = send,
    .receive = receive,
    .close = close,
    .closed = closed,
    .length = length,
    .done = done,
    .join = join,
    .free = free_end,
};

static int prepare(il__opened *opened)
{
    struct end *end = (struct end *)opened;
    const shared *all = shared_of(end);
    end->holds = il__alloc(all->capacity * sizeof *end->holds);
    if (!end->holds) return -ENOMEM;
    return il__chan_elsewhere_new(&ops, end, all->item_size, all->capacity, all->name, &end->chan);
}

static void release(il__opened *opened)
{
    struct end *end = (struct end *)opened;
    il__free(end->holds);
    il__chan_elsewhere_free(end->chan);
}

const il__class il__chan_class = {
    .size = sizeof(struct end),
    .prepare = prepare,
    .release = release,
    .bury = bury,
};

static void fill(il__object *object, const void *arg)
{
    shared *all = (shared *)object;
    const shared *wanted = arg;
    il__object first = *object;
    memcpy(all, wanted, sizeof *all);
    all->object = first;
    il__ledger_init(&all->ledger);
    for (uint64_t i = 1; i <= all->capacity; i++) {
        slot_at(all, i)->next = i < all->capacity ? i + 1 : 0;
        slot_at(all, i)->holder = 0;
    }
    all->free = 1;
}

int il_shared_chan_new(il_arena *arena, size_t item_size, const il_shared_chan_opts *opts,
                       il_chan **out_chan)
{
    static const il_shared_chan_opts defaults;
    if (!opts) opts = &defaults;
    shared wanted = {
        .item_size = item_size,
        .capacity = opts->capacity ? opts->capacity : CAPACITY,
        .attempts = opts->attempts == UINT_MAX ? UINT64_MAX
                    : opts->attempts           ? opts->attempts
                                               : ATTEMPTS,
        .at_most_once = opts->at_most_once,
    };
    if (item_size > UINT32_MAX || wanted.capacity > UINT32_MAX) return -EINVAL;
    wanted.stride = (sizeof(struct slot) + item_size + 15) & ~UINT64_C(15);
    if (wanted.capacity > arena->size / wanted.stride) return -ENOMEM;
    if (opts->name) snprintf(wanted.name, sizeof wanted.name, "%s", opts->name);

    il__making making = {
        .kind = IL__CHAN,
        .size = sizeof(shared) + wanted.capacity * wanted.stride,
        .fill = fill,
        .arg = &wanted,
    };
    il__opened *opened = NULL;
    int status = il__object_new(arena, &making, &opened);
    if (!status) *out_chan = ((struct end *)opened)->chan;
    return status;
}

int il_shared_chan_open(const il_handle *handle, il_chan **out_chan)
{
    il__opened *opened = NULL;
    int status = il__object_open(handle, IL__CHAN, &opened);
    if (!status) *out_chan = ((struct end *)opened)->chan;
    return status;
}

static struct end *end_of(const il_chan *chan)
{
    struct end *end = il__chan_there(chan, &ops);
    if (!end) il__fatal("channel %p is not shared between processes", (const void *)chan);
    return end;
}

il_handle il_shared_chan_handle(const il_chan *chan)
{
    const struct end *end = end_of(chan);
    return il__object_handle(end->opened.arena, end->opened.object);
}

void il_shared_chan_describe(const il_chan *chan, il_shared_chan_info *out_info)
{
    shared *all = shared_of(end_of(chan));
    il__ledger_lock(&all->ledger);
    *out_info = (il_shared_chan_info){
        .inside = all->inside,
        .held = unfinished(all) - all->inside,
        .sent = (unsigned long)all->sent,
        .done = (unsigned long)all->done,
        .returned = (unsigned long)all->returned,
        .dropped = (unsigned long)all->dropped,
        .repairs = (unsigned long)all->ledger.repairs,
    };
    il__ledger_unlock(&all->ledger);
}

/* --- For tests --------------------------------------------------------------------------------------- */

bool il__shared_chan_sound(const il_chan *chan)
{
    shared *all = shared_of(end_of(chan));
    il__ledger_lock(&all->ledger);
    uint64_t inside = 0, free = 0, held = 0, last = 0;
    for (uint64_t i = all->first; i && inside <= all->capacity; i = slot_at(all, i)->next, inside++)
        last = slot_at(all, i)->holder ? UINT64_MAX : i;
    for (uint64_t i = all->free; i && free <= all->capacity; i = slot_at(all, i)->next) free++;
    for (uint64_t i = 1; i <= all->capacity; i++) held += slot_at(all, i)->holder != 0;
    bool sound = inside == all->inside && last == all->last && inside + held == unfinished(all) &&
                 inside + held + free == all->capacity;
    il__ledger_unlock(&all->ledger);
    return sound;
}
