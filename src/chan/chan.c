/* SPDX-License-Identifier: MIT */
/*
 * Channels. Everything in il_chan is guarded by the gate; bit CLOSED of its word is the state. In
 * the gate's list stand those who wait to send, to receive, and for the work to be done; `mode` says
 * which, and after the claim what came of it.
 *
 * Items are handed over, not announced: who sends while a receiver waits copies the item to where
 * the receiver wants it, and who makes room moves the item of the first waiting sender in. So one
 * who is woken has what it waited for, whatever befalls it by then, and the claim alone decides
 * between that and its deadline or cancellation. Nothing is lost to one that gives up, and nobody
 * overtakes those who wait.
 *
 * Invariants, whenever the gate is not locked, but for those who have lost their wait and are about
 * to leave:
 *  - a receiver waits only if nothing is inside and no sender waits, or only itself does (a select
 *    of both);
 *  - a sender waits only if as many are inside as there may be;
 *  - nobody waits to send or to receive at a closed channel.
 *
 * Unlocking is the last access of a send or receive to the channel, but for a receive that gives
 * memory back, and what it has received it has not told anybody yet.
 */

#include <interlock/chan.h>

#include <errno.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "chan/buffer.h"
#include "chan/elsewhere.h"
#include "sync/who.h"
#include "wait/choice.h"

#define CLOSED (UINT64_C(1) << IL__GATE_SHIFT)
#define ELSEWHERE (UINT64_C(2) << IL__GATE_SHIFT) /* and closed: see elsewhere.h */

enum {
    SENDS = 1, /* waiter.mode: what it waits for... */
    RECEIVES = 2,
    JOINS = 4,
    PASSED = 8, /* ... and what came of it */
    REFUSED = 16,

    FIRST_ROOM = 16, /* slots of an unbounded channel that has items */
    BATCH = 64,      /* items moved under one lock */
    LINE = 64,
};

struct il_chan {
    il__gate gate; /* first: tests look at it. Guards: */
    il__buffer buffer;
    size_t unfinished; /* sent, and not done yet */

    /* Set at init; and so, in another cache line: */
    size_t capacity;
    union {
        il__compare *compare;
        const il__chan_ops *ops; /* of one that is elsewhere; buffer.bytes is where */
    };
    const char *name;
};

_Static_assert(sizeof(void *) != 8 || offsetof(il_chan, capacity) == LINE, "what is written");
_Static_assert(sizeof(void *) != 8 || sizeof(il_chan) == 88, "chan.h says how large it is");

/* --- Elsewhere ----------------------------------------------------------------------------- */

int il__chan_elsewhere_new(const il__chan_ops *ops, void *there, size_t item_size, size_t capacity,
                           const char *name, il_chan **out_chan)
{
    il_chan *chan = il__alloc(sizeof *chan);
    if (!chan) return -ENOMEM;
    *chan = (il_chan){
        .gate = { .word = CLOSED | ELSEWHERE },
        .buffer = { .bytes = there, .item_size = (uint32_t)item_size },
        .capacity = capacity,
        .ops = ops,
        .name = name,
    };
    *out_chan = chan;
    return 0;
}

void il__chan_elsewhere_free(il_chan *chan)
{
    il__free(chan);
}

static bool is_elsewhere(const il_chan *chan)
{
    return il__load(&chan->gate.word) & ELSEWHERE; /* set at init */
}

static void *there(const il_chan *chan)
{
    return chan->buffer.bytes;
}

void *il__chan_there(const il_chan *chan, const il__chan_ops *ops)
{
    return is_elsewhere(chan) && chan->ops == ops ? there(chan) : NULL;
}

/* --- Life ---------------------------------------------------------------------------------- */

/* Where the slots of a bounded channel begin, in its own memory. */
enum { SLOTS_AT = (sizeof(il_chan) + 15) & ~15 };

int il_chan_new(size_t item_size, const il_chan_opts *opts, il_chan **out_chan)
{
    static const il_chan_opts defaults;
    if (!opts) opts = &defaults;
    if (opts->order != IL_FIFO && !opts->capacity) return -EINVAL;
    if (opts->order == IL_PRIORITY && !opts->compare) return -EINVAL;
    if (item_size > UINT32_MAX) return -EINVAL;

    il__buffer buffer = {
        .item_size = (uint32_t)item_size,
        .order = opts->order,
    };
    size_t size = 0;
    if (opts->capacity && opts->capacity != IL_UNBOUNDED) {
        buffer.room = opts->capacity;
        size = il__buffer_size(&buffer, buffer.room);
        if (!size) return -ENOMEM;
    }
    /* Of a rendezvous little is written: it need not have a cache line of its own. */
    il_chan *chan =
        opts->capacity ? il__aligned_alloc(LINE, SLOTS_AT + size) : il__alloc(sizeof *chan);
    if (!chan) return -ENOMEM;
    if (size) buffer.bytes = (unsigned char *)chan + SLOTS_AT;
    *chan = (il_chan){
        .buffer = buffer,
        .capacity = opts->capacity,
        .compare = opts->compare,
        .name = opts->name ? opts->name : "",
    };
    *out_chan = chan;
    return 0;
}

static _Noreturn void freed_too_early(il_chan *chan, const void *place)
{
    char who[80], here[160];
    il__fatal("channel %p \"%s\" freed at %s by %s, but %u wait at it", (void *)chan, chan->name,
              il__place(place, here, sizeof here), il__who(il__self(), who, sizeof who),
              il__gate_count(&chan->gate));
}

void il_chan_free(il_chan *chan)
{
    if (!chan) return;
    if (is_elsewhere(chan)) {
        chan->ops->free(there(chan));
        return;
    }
    uint64_t word = il__gate_lock(&chan->gate); /* the last sender has let go of it */
    if (chan->gate.waiters) {
        il__gate_unlock(&chan->gate, word);
        freed_too_early(chan, __builtin_return_address(0));
    }
    if (chan->capacity == IL_UNBOUNDED) il__free(chan->buffer.bytes);
    il__free(chan);
}

/* --- Under the lock ------------------------------------------------------------------------ */

/* `word` is what locking returned. It is not read from the gate again: a load from a line that was
 * just written by a locked instruction waits for it, and costs as much. */

/* Take the first who waits for one of `modes` off the list, claimed; NULL: nobody does. */
static il__waiter *claim(il_chan *chan, uint32_t modes)
{
    il__gate *gate = &chan->gate;
    for (il__waiter *waiter = gate->waiters; waiter;) {
        il__waiter *next = waiter->next == gate->waiters ? NULL : waiter->next;
        if (waiter->mode & modes && il__gate_take(gate, waiter)) return waiter;
        waiter = next;
    }
    return NULL;
}

/* A claimed one is to be told `outcome`, after those in *chain. Returns where the next one goes. */
static il__waiter **tell(il__waiter **chain, il__waiter *waiter, uint32_t outcome)
{
    waiter->mode = outcome;
    waiter->next = NULL;
    *chain = waiter;
    return &waiter->next;
}

/* Send one item now: to a receiver that waits, else into the buffer. *chain: where those who are to
 * be told are linked. 0, -EPIPE; -EAGAIN: there is no room; -ENOMEM: there are no slots for it. */
static inline int give(il_chan *chan, uint64_t word, const void *item, il__waiter ***chain)
{
    il__buffer *buffer = &chan->buffer;
    if (word & CLOSED) return -EPIPE;
    il__waiter *receiver = chan->gate.waiters ? claim(chan, RECEIVES) : NULL;
    if (receiver) {
        if (receiver->item) il__item_copy(receiver->item, item, buffer->item_size);
        *chain = tell(*chain, receiver, PASSED);
    } else if (buffer->count < buffer->room) {
        il__buffer_push(buffer, item, chan->compare);
    } else {
        return chan->capacity == IL_UNBOUNDED ? -ENOMEM : -EAGAIN;
    }
    chan->unfinished++;
    return 0;
}

/* The first waiting sender has sent its item, to `out_item` or into the buffer. */
static inline bool take_from_sender(il_chan *chan, void *out_item, il__waiter ***chain)
{
    il__waiter *sender = chan->gate.waiters ? claim(chan, SENDS) : NULL;
    if (!sender) return false;
    if (chan->capacity) il__buffer_push(&chan->buffer, sender->item, chan->compare);
    else if (out_item) il__item_copy(out_item, sender->item, chan->buffer.item_size);
    *chain = tell(*chain, sender, PASSED);
    chan->unfinished++;
    return true;
}

/* Receive one item now. 0, -EPIPE; -EAGAIN: there is none. */
static inline int take(il_chan *chan, uint64_t word, void *out_item, il__waiter ***chain)
{
    if (chan->buffer.count) {
        il__buffer_pop(&chan->buffer, out_item, chan->compare);
        take_from_sender(chan, NULL, chain);
        return 0;
    }
    if (take_from_sender(chan, out_item, chain)) return 0;
    return word & CLOSED ? -EPIPE : -EAGAIN;
}

/* --- Waiting ------------------------------------------------------------------------------- */

static int outcome_of(const il__waiter *waiter)
{
    return waiter->mode == REFUSED ? -EPIPE : 0;
}

/* Locked before, unlocked after. */
static int wait(il_chan *chan, uint64_t word, uint32_t mode, const void *item, il_time until)
{
    const char *what = mode == SENDS      ? "channel (send)"
                       : mode == RECEIVES ? "channel (receive)"
                                          : "channel (join)";
    if (until == IL_NOW) {
        il__gate_unlock(&chan->gate, word);
        return -EAGAIN;
    }
    il__agent *self = il__self();
    il__waiter waiter = { .agent = self, .mode = mode, .item = (void *)(uintptr_t)item };
    il__wait_begin(self, what, chan, IL__CANCELS);
    il__gate_add(&chan->gate, &waiter);
    il__gate_unlock(&chan->gate, word);

    int status = il__wait(self, until);
    if (!status) return outcome_of(&waiter);
    il__gate_leave(&chan->gate, &waiter);
    return status;
}

/* --- Memory of an unbounded channel ---------------------------------------------------------- */

/* Move to `room` slots; the gate is not locked before and after. The allocator is called without
 * the lock, so it is looked again whether the channel still is as it was: if not, nothing is done. */
static int resize(il_chan *chan, size_t from, size_t room)
{
    size_t size = il__buffer_size(&chan->buffer, room);
    void *bytes = size ? il__alloc(size) : NULL;
    if (!bytes) return -ENOMEM;
    uint64_t word = il__gate_lock(&chan->gate);
    if (chan->buffer.room == from && chan->buffer.count <= room)
        bytes = il__buffer_move(&chan->buffer, bytes, room);
    il__gate_unlock(&chan->gate, word);
    il__free(bytes);
    return 0;
}

static int grow(il_chan *chan, size_t room)
{
    return resize(chan, room, room ? 2 * room : FIRST_ROOM);
}

/* A quarter full: half the room is enough. Without memory for that it stays as it is. */
static inline bool too_roomy(const il_chan *chan)
{
    return chan->capacity == IL_UNBOUNDED && chan->buffer.room > FIRST_ROOM &&
           chan->buffer.count < chan->buffer.room / 4;
}

/* --- Send and receive ------------------------------------------------------------------------ */

int il_chan_send(il_chan *chan, const void *item, il_time until)
{
    il__waiter *woken = NULL, **chain = &woken;
    for (;;) {
        uint64_t word = il__gate_lock(&chan->gate);
        int status = give(chan, word, item, &chain);
        if (status == -EAGAIN) return wait(chan, word, SENDS, item, until);
        size_t room = chan->buffer.room;
        il__gate_unlock(&chan->gate, word);
        if (woken) il__deliver(woken->agent);
        if (il__unlikely(status == -EPIPE) && is_elsewhere(chan))
            return chan->ops->send(there(chan), item, until);
        if (status != -ENOMEM) return status;
        status = grow(chan, room);
        if (status) return status;
    }
}

int il_chan_recv(il_chan *chan, void *out_item, il_time until)
{
    il__waiter *woken = NULL, **chain = &woken;
    uint64_t word = il__gate_lock(&chan->gate);
    int status = take(chan, word, out_item, &chain);
    if (status == -EAGAIN) return wait(chan, word, RECEIVES, out_item, until);
    bool roomy = too_roomy(chan);
    size_t room = chan->buffer.room;
    il__gate_unlock(&chan->gate, word);
    if (woken) il__deliver(woken->agent);
    if (il__unlikely(roomy)) resize(chan, room, room / 2);
    if (il__unlikely(status == -EPIPE) && is_elsewhere(chan))
        return chan->ops->receive(there(chan), out_item, until);
    return status;
}

static const void *item_at(il_chan *chan, const void *items, size_t index)
{
    return items ? (const char *)items + index * chan->buffer.item_size : NULL;
}

/* Send what can be sent now. Locked before, unlocked after; -EAGAIN: still locked. */
static int send_some(il_chan *chan, uint64_t word, const void *items, size_t count, size_t *sent)
{
    il__waiter *woken = NULL, **chain = &woken;
    int status = 0;
    size_t most = count - *sent < BATCH ? count : *sent + BATCH;
    while (*sent < most && !(status = give(chan, word, item_at(chan, items, *sent), &chain)))
        ++*sent;
    if (status == -EAGAIN && !woken) return status;
    size_t room = chan->buffer.room;
    il__gate_unlock(&chan->gate, word);
    il__deliver_all(woken);
    if (status == -ENOMEM) return grow(chan, room);
    return status == -EAGAIN ? 0 : status;
}

/* One by one: whoever waits there is woken at the first. */
static int send_elsewhere(il_chan *chan, const void *items, size_t count, il_time until,
                          size_t *sent)
{
    int status = 0;
    while (*sent < count) {
        status = chan->ops->send(there(chan), item_at(chan, items, *sent), until);
        if (status) break;
        ++*sent;
    }
    return status;
}

int il_chan_send_many(il_chan *chan, const void *items, size_t count, il_time until,
                      size_t *out_sent)
{
    size_t sent = 0;
    int status = 0;
    while (!status && sent < count) {
        uint64_t word = il__gate_lock(&chan->gate);
        status = send_some(chan, word, items, count, &sent);
        if (status == -EPIPE && is_elsewhere(chan)) {
            status = send_elsewhere(chan, items, count, until, &sent);
            break;
        }
        if (status != -EAGAIN) continue;
        status = wait(chan, word, SENDS, item_at(chan, items, sent), until);
        if (!status) sent++;
    }
    if (out_sent) *out_sent = sent;
    return status;
}

static void *place_of(il_chan *chan, void *out_items, size_t index)
{
    return out_items ? (char *)out_items + index * chan->buffer.item_size : NULL;
}

/* Receive what is there. As send_some. */
static int receive_some(il_chan *chan, uint64_t word, void *out_items, size_t max, size_t *got)
{
    il__waiter *woken = NULL, **chain = &woken;
    size_t had = *got, most = max - had < BATCH ? max : had + BATCH;
    int status = 0;
    while (*got < most && !(status = take(chan, word, place_of(chan, out_items, *got), &chain)))
        ++*got;
    if (status == -EAGAIN && *got == 0) return status;
    bool roomy = too_roomy(chan);
    size_t room = chan->buffer.room;
    il__gate_unlock(&chan->gate, word);
    il__deliver_all(woken);
    if (roomy) resize(chan, room, room / 2);
    return status;
}

static int receive_elsewhere(il_chan *chan, void *out_items, size_t max, il_time until, size_t *got)
{
    int status = 0;
    while (*got < max) {
        status =
            chan->ops->receive(there(chan), place_of(chan, out_items, *got), *got ? IL_NOW : until);
        if (status) break;
        ++*got;
    }
    return status;
}

int il_chan_recv_many(il_chan *chan, void *out_items, size_t max, il_time until, size_t *out_got)
{
    size_t got = 0;
    int status = 0;
    while (!status && got < max) {
        uint64_t word = il__gate_lock(&chan->gate);
        status = receive_some(chan, word, out_items, max, &got);
        if (status == -EPIPE && is_elsewhere(chan)) {
            status = receive_elsewhere(chan, out_items, max, until, &got);
            break;
        }
        if (status != -EAGAIN || got) continue;
        status = wait(chan, word, RECEIVES, out_items, until);
        if (!status) got = 1;
    }
    if (status && !got) return status;
    *out_got = got;
    return 0;
}

/* --- Close, and what is left to do ------------------------------------------------------------- */

void il_chan_close(il_chan *chan)
{
    il__waiter *woken = NULL, **chain = &woken, *waiter;
    if (is_elsewhere(chan)) {
        chan->ops->close(there(chan));
        return;
    }
    uint64_t word = il__gate_lock(&chan->gate);
    while ((waiter = claim(chan, SENDS | RECEIVES))) chain = tell(chain, waiter, REFUSED);
    il__gate_unlock(&chan->gate, word | CLOSED);
    il__deliver_all(woken);
}

bool il_chan_closed(const il_chan *chan)
{
    if (is_elsewhere(chan)) return chan->ops->closed(there(chan));
    return il__load_acquire(&chan->gate.word) & CLOSED; /* pairs with the release in close */
}

size_t il_chan_length(const il_chan *chan)
{
    return is_elsewhere(chan) ? chan->ops->length(there(chan)) : il__load(&chan->buffer.count);
}

size_t il_chan_capacity(const il_chan *chan)
{
    return chan->capacity;
}

static _Noreturn void done_too_often(il_chan *chan, const void *place)
{
    char who[80], here[160];
    il__fatal("channel %p \"%s\": il_chan_done at %s by %s, but no item is left that is not done",
              (void *)chan, chan->name, il__place(place, here, sizeof here),
              il__who(il__self(), who, sizeof who));
}

void il_chan_done(il_chan *chan)
{
    il__waiter *woken = NULL, **chain = &woken, *waiter;
    uint64_t word = il__gate_lock(&chan->gate);
    if (il__unlikely(!chan->unfinished)) {
        il__gate_unlock(&chan->gate, word);
        if (!is_elsewhere(chan)) done_too_often(chan, __builtin_return_address(0));
        chan->ops->done(there(chan), __builtin_return_address(0));
        return;
    }
    if (!--chan->unfinished)
        while ((waiter = claim(chan, JOINS))) chain = tell(chain, waiter, PASSED);
    il__gate_unlock(&chan->gate, word);
    il__deliver_all(woken);
}

int il_chan_join(il_chan *chan, il_time until)
{
    uint64_t word = il__gate_lock(&chan->gate);
    if (chan->unfinished) return wait(chan, word, JOINS, NULL, until);
    il__gate_unlock(&chan->gate, word);
    return is_elsewhere(chan) ? chan->ops->join(there(chan), until) : 0;
}

/* --- Select ------------------------------------------------------------------------------------ */

static il__gate *gate_of(const il_case *what)
{
    return &((il_chan *)what->il__on)->gate;
}

static int outcome(il_case *what)
{
    return outcome_of(&what->il__waiter);
}

static bool has_company(const il_chan *chan)
{
    return il__load_acquire(&chan->gate.word) & (CLOSED | IL__GATE_WAITERS);
}

static bool may_receive(const il_case *what)
{
    const il_chan *chan = what->il__on;
    return il__load(&chan->buffer.count) || has_company(chan);
}

static int take_case(il_case *what, il__waiter **woken)
{
    if (is_elsewhere(what->il__on)) return -EINVAL; /* it has no gate here to wait at */
    return take(what->il__on, il__gate_state(gate_of(what)), what->il__item, &woken);
}

const il__choice il__choice_recv = {
    .gate = gate_of,
    .promising = may_receive,
    .take = take_case,
    .outcome = outcome,
    .mode = RECEIVES,
};

static bool may_send(const il_case *what)
{
    const il_chan *chan = what->il__on;
    return il__load(&chan->buffer.count) < chan->capacity || has_company(chan);
}

static int give_case(il_case *what, il__waiter **woken)
{
    if (is_elsewhere(what->il__on)) return -EINVAL;
    return give(what->il__on, il__gate_state(gate_of(what)), what->il__item, &woken);
}

static int grow_case(il_case *what)
{
    il_chan *chan = what->il__on;
    uint64_t word = il__gate_lock(&chan->gate);
    size_t count = chan->buffer.count, room = chan->buffer.room;
    il__gate_unlock(&chan->gate, word);
    return count < room ? 0 : grow(chan, room);
}

const il__choice il__choice_send = {
    .gate = gate_of,
    .promising = may_send,
    .take = give_case,
    .make_room = grow_case,
    .outcome = outcome,
    .mode = SENDS,
};
