/* SPDX-License-Identifier: MIT */
/*
 * Broadcast: one ring, a cursor a subscriber.
 *
 * Items are numbered from 0 and never renumbered: item n lies in slot n % capacity until item
 * n + capacity takes its place. `head` is the number of the next. What a subscriber that does not
 * block lost, and when it was let go, need not be noted when it happens: its cursor stands still
 * meanwhile, so both follow from the numbers when it next comes. So a send looks at nobody but the
 * slowest of those that block, whose place is kept (`limit`), and at those that wait.
 *
 * Those that wait are handed their item by the sender, and senders that wait are relieved of theirs
 * by the receiver that makes room: who is claimed has been served. Nobody passes a waiting sender.
 *
 * The lock of the one gate guards everything here, the subscribers' fields and the senders' list
 * too. Receivers of all subscribers wait in one list: a send serves them all, as a rule.
 */

#include <interlock/broadcast.h>

#include <errno.h>
#include <string.h>

#include "base/fatal.h"
#include "base/list.h"
#include "base/memory.h"
#include "chan/buffer.h"
#include "wait/choice.h"

enum {
    CAPACITY = 64,
    SERVED = 1, /* waiter.mode: what came of it */
    REFUSED = 2,
};

struct il_broadcast {
    il__gate gate;    /* receivers that wait, of all subscribers; guards: */
    il__gate senders; /* that wait: only its list is used */
    uint64_t head;
    uint64_t limit;   /* head may not pass it; UINT64_MAX while nobody blocks */
    unsigned slowest; /* how many of those that block stand at limit - capacity */
    bool closed;
    unsigned refs;     /* the owner's, and one a subscriber */
    il__list blocking; /* subscribers that block */

    const char *name; /* set at init, as is the rest */
    size_t item_size, capacity;
    unsigned char ring[];
};

struct il_subscriber {
    il_broadcast *broadcast; /* set at init; the rest is guarded by its gate */
    il_lag lag;
    int status;     /* 0; -EPIPE: closed; -EOVERFLOW: let go */
    uint64_t start; /* first item that is for it */
    uint64_t next;  /* next to be received; what the ring has passed meanwhile is lost */
    uint64_t end;   /* once it has a status: the first item that is not for it */
    uint64_t received;
    il__link link; /* in broadcast->blocking */
};

/* A receiver waits with a case, also when it is not in a select: that says at which subscriber. */
static il_subscriber *subscriber_of(il__waiter *waiter)
{
    return il__of((void *)waiter, il_case, il__waiter)->il__on;
}

/* A claimed one is to be told `outcome`, after those in *chain. Returns where the next one goes. */
static il__waiter **tell(il__waiter **chain, il__waiter *waiter, uint32_t outcome)
{
    waiter->mode = outcome;
    waiter->next = NULL;
    *chain = waiter;
    return &waiter->next;
}

static int outcome_of(const il__waiter *waiter)
{
    return waiter->mode == REFUSED ? -EPIPE : 0;
}

static void *slot(il_broadcast *broadcast, uint64_t number)
{
    return broadcast->ring + number % broadcast->capacity * broadcast->item_size;
}

static uint64_t oldest(const il_broadcast *broadcast)
{
    return broadcast->head > broadcast->capacity ? broadcast->head - broadcast->capacity : 0;
}

/* --- The slowest of those that block ---------------------------------------------------------- */

static void consider(il_broadcast *broadcast, const il_subscriber *subscriber)
{
    uint64_t limit = subscriber->next + broadcast->capacity;
    if (limit < broadcast->limit) {
        broadcast->limit = limit;
        broadcast->slowest = 0;
    }
    if (limit == broadcast->limit) broadcast->slowest++;
}

static void find_slowest(il_broadcast *broadcast)
{
    broadcast->limit = UINT64_MAX;
    il__link *link = il__list_first(&broadcast->blocking);
    for (; link; link = il__list_next(link)) consider(broadcast, il__of(link, il_subscriber, link));
}

/* The subscriber is about to stand elsewhere, or to block no more. True: it was the last of the
 * slowest, so they are to be found anew when it has moved. */
static bool leaves_slowest(il_subscriber *subscriber)
{
    il_broadcast *broadcast = subscriber->broadcast;
    return il__linked(&subscriber->link) &&
           subscriber->next + broadcast->capacity == broadcast->limit && !--broadcast->slowest;
}

static void received(il_subscriber *subscriber, uint64_t first, size_t count)
{
    bool last = leaves_slowest(subscriber);
    subscriber->next = first + count;
    subscriber->received += count;
    if (last) find_slowest(subscriber->broadcast);
}

/* --- Sending ----------------------------------------------------------------------------------- */

/* Hand an item to those who wait for one: to the first of each subscriber. */
static void hand_out(il_broadcast *broadcast, uint64_t number, const void *item,
                     il__waiter ***chain)
{
    il__gate *gate = &broadcast->gate;
    for (il__waiter *waiter = gate->waiters, *next; waiter; waiter = next) {
        il_subscriber *subscriber = subscriber_of(waiter);
        next = waiter->next == gate->waiters ? NULL : waiter->next;
        if (subscriber->next > number) continue; /* another was before it */
        if (!il__gate_take(gate, waiter)) continue;
        il__item_copy(waiter->item, item, broadcast->item_size);
        received(subscriber, number, 1);
        *chain = tell(*chain, waiter, SERVED);
    }
}

/* Send one item. There is room. */
static void publish(il_broadcast *broadcast, const void *item, il__waiter ***chain)
{
    uint64_t number = broadcast->head++;
    il__item_copy(slot(broadcast, number), item, broadcast->item_size);
    if (broadcast->gate.waiters) hand_out(broadcast, number, item, chain);
}

/* There may be room: take the items of senders that wait. */
static void let_in(il_broadcast *broadcast, il__waiter ***chain)
{
    il__waiter *waiter;
    while (broadcast->head < broadcast->limit && (waiter = il__gate_claim(&broadcast->senders))) {
        publish(broadcast, waiter->item, chain);
        *chain = tell(*chain, waiter, SERVED);
    }
}

static void leave(il_broadcast *broadcast, il__gate *list, il__waiter *waiter)
{
    uint64_t word = il__gate_lock(&broadcast->gate);
    il__gate_remove(list, waiter);
    il__gate_unlock(&broadcast->gate, word);
}

int il_broadcast_send(il_broadcast *broadcast, const void *item, il_time until)
{
    il__agent *self = il__self();
    il__waiter sender = { .agent = self, .item = (void *)(uintptr_t)item };
    il__waiter *woken = NULL, **chain = &woken;
    uint64_t word = il__gate_lock(&broadcast->gate);
    if (broadcast->closed) {
        il__gate_unlock(&broadcast->gate, word);
        return -EPIPE;
    }
    if (broadcast->head < broadcast->limit) {
        publish(broadcast, item, &chain);
        il__gate_unlock(&broadcast->gate, word);
        il__deliver_all(woken);
        return 0;
    }
    if (until == IL_NOW) {
        il__gate_unlock(&broadcast->gate, word);
        return -EAGAIN;
    }
    il__wait_begin(self, "broadcast (send)", broadcast, IL__CANCELS);
    il__gate_add(&broadcast->senders, &sender);
    il__gate_unlock(&broadcast->gate, word);

    int status = il__wait(self, until);
    if (!status) return outcome_of(&sender);
    leave(broadcast, &broadcast->senders, &sender);
    return status;
}

/* --- Receiving --------------------------------------------------------------------------------- */

/* If it asked for that, it is let go from the moment at which it lagged by more than the ring; what
 * is for it ends there. It has not moved since. */
static void notice_lag(il_subscriber *subscriber)
{
    il_broadcast *broadcast = subscriber->broadcast;
    if (subscriber->lag != IL_LAG_DISCONNECT || subscriber->status) return;
    if (broadcast->head - subscriber->next <= broadcast->capacity) return;
    subscriber->status = -EOVERFLOW;
    subscriber->end = subscriber->next + broadcast->capacity;
}

/* What the ring holds for it: the first, and how many. */
static size_t waiting(il_subscriber *subscriber, uint64_t *out_first)
{
    il_broadcast *broadcast = subscriber->broadcast;
    notice_lag(subscriber);
    uint64_t end = subscriber->status ? subscriber->end : broadcast->head;
    uint64_t first = oldest(broadcast);
    if (first < subscriber->next) first = subscriber->next;
    *out_first = first;
    return first < end ? (size_t)(end - first) : 0;
}

/* Take up to `count` that are there. Returns how many. */
static size_t take(il_subscriber *subscriber, unsigned char *out_items, size_t count)
{
    il_broadcast *broadcast = subscriber->broadcast;
    uint64_t first;
    size_t there = waiting(subscriber, &first);
    if (count > there) count = there;
    for (size_t i = 0; i < count; i++) {
        il__item_copy(out_items, slot(broadcast, first + i), broadcast->item_size);
        out_items += broadcast->item_size;
    }
    if (count) received(subscriber, first, count);
    return count;
}

/* Nothing is there: why nothing will come, or 0. */
static int ended(const il_subscriber *subscriber)
{
    if (subscriber->status) return subscriber->status;
    return subscriber->broadcast->closed ? -EPIPE : 0;
}

static void unlock_and_let_in(il_broadcast *broadcast, uint64_t word)
{
    il__waiter *woken = NULL, **chain = &woken;
    if (il__unlikely(broadcast->senders.waiters != NULL)) let_in(broadcast, &chain);
    il__gate_unlock(&broadcast->gate, word);
    il__deliver_all(woken);
}

/* Take what is there; nothing: wait until one is handed over. *out_count is how many, if 0. */
static int receive(il_subscriber *subscriber, void *out_items, size_t count, il_time until,
                   size_t *out_count)
{
    il_broadcast *broadcast = subscriber->broadcast;
    il__agent *self = il__self();
    il_case what = { .il__on = subscriber, .il__waiter = { .agent = self, .item = out_items } };

    uint64_t word = il__gate_lock(&broadcast->gate);
    size_t taken = take(subscriber, out_items, count);
    int status = taken ? 0 : ended(subscriber);
    if (!taken && !status && until == IL_NOW) status = -EAGAIN;
    if (taken || status) {
        unlock_and_let_in(broadcast, word);
        *out_count = taken;
        return status;
    }
    il__wait_begin(self, "broadcast (receive)", broadcast, IL__CANCELS);
    il__gate_add(&broadcast->gate, &what.il__waiter);
    il__gate_unlock(&broadcast->gate, word);

    status = il__wait(self, until);
    *out_count = 1;
    if (!status) return outcome_of(&what.il__waiter);
    leave(broadcast, &broadcast->gate, &what.il__waiter);
    return status;
}

int il_subscriber_recv(il_subscriber *subscriber, void *out_item, il_time until)
{
    size_t count;
    return receive(subscriber, out_item, 1, until, &count);
}

int il_subscriber_recv_many(il_subscriber *subscriber, void *out_items, size_t max, il_time until,
                            size_t *out_got)
{
    unsigned char *items = out_items;
    size_t first = 0, more = 0;
    int status = max ? receive(subscriber, items, max, until, &first) : 0;
    if (status) return status;
    if (first == 1 && max > 1) /* it may have been handed over; others may have come since */
        receive(subscriber, items + subscriber->broadcast->item_size, max - 1, IL_NOW, &more);
    *out_got = first + more;
    return 0;
}

uint64_t il_subscriber_lost(il_subscriber *subscriber)
{
    il_broadcast *broadcast = subscriber->broadcast;
    uint64_t first, word = il__gate_lock(&broadcast->gate);
    size_t there = waiting(subscriber, &first);
    uint64_t end = subscriber->status == -EPIPE ? subscriber->end : broadcast->head;
    uint64_t lost = end - subscriber->start - subscriber->received - there;
    il__gate_unlock(&broadcast->gate, word);
    return lost;
}

size_t il_subscriber_waiting(il_subscriber *subscriber)
{
    il_broadcast *broadcast = subscriber->broadcast;
    uint64_t first, word = il__gate_lock(&broadcast->gate);
    size_t there = waiting(subscriber, &first);
    il__gate_unlock(&broadcast->gate, word);
    return there;
}

/* --- Beginning and end ------------------------------------------------------------------------- */

int il_broadcast_new(size_t item_size, const il_broadcast_opts *opts, il_broadcast **out_broadcast)
{
    size_t capacity = opts && opts->capacity ? opts->capacity : CAPACITY, bytes;
    if (__builtin_mul_overflow(capacity, item_size, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(il_broadcast), &bytes))
        return -EINVAL;
    il_broadcast *broadcast = il__alloc(bytes);
    if (!broadcast) return -ENOMEM;
    *broadcast = (il_broadcast){
        .limit = UINT64_MAX,
        .refs = 1,
        .name = opts && opts->name ? opts->name : "",
        .item_size = item_size,
        .capacity = capacity,
    };
    *out_broadcast = broadcast;
    return 0;
}

int il_broadcast_subscribe(il_broadcast *broadcast, const il_subscriber_opts *opts,
                           il_subscriber **out_subscriber)
{
    il_subscriber *subscriber = il__alloc(sizeof *subscriber);
    if (!subscriber) return -ENOMEM;

    uint64_t word = il__gate_lock(&broadcast->gate);
    bool closed = broadcast->closed;
    *subscriber = (il_subscriber){
        .broadcast = broadcast,
        .lag = opts ? opts->lag : IL_LAG_BLOCK,
        .start = broadcast->head,
        .next = broadcast->head,
    };
    if (!closed) broadcast->refs++;
    if (!closed && subscriber->lag == IL_LAG_BLOCK) {
        il__list_append(&broadcast->blocking, &subscriber->link);
        consider(broadcast, subscriber);
    }
    il__gate_unlock(&broadcast->gate, word);
    if (closed) {
        il__free(subscriber);
        return -EPIPE;
    }
    *out_subscriber = subscriber;
    return 0;
}

/* Receivers of this one, or (NULL) of all, get -EPIPE. */
static void dismiss(il_broadcast *broadcast, const il_subscriber *subscriber, il__waiter ***chain)
{
    il__gate *gate = &broadcast->gate;
    for (il__waiter *waiter = gate->waiters, *next; waiter; waiter = next) {
        next = waiter->next == gate->waiters ? NULL : waiter->next;
        if (subscriber && subscriber_of(waiter) != subscriber) continue;
        if (il__gate_take(gate, waiter)) *chain = tell(*chain, waiter, REFUSED);
    }
}

static void close_locked(il_broadcast *broadcast, il__waiter ***chain)
{
    il__waiter *sender;
    broadcast->closed = true;
    while ((sender = il__gate_claim(&broadcast->senders))) *chain = tell(*chain, sender, REFUSED);
    dismiss(broadcast, NULL, chain);
}

void il_broadcast_close(il_broadcast *broadcast)
{
    il__waiter *woken = NULL, **chain = &woken;
    uint64_t word = il__gate_lock(&broadcast->gate);
    close_locked(broadcast, &chain);
    il__gate_unlock(&broadcast->gate, word);
    il__deliver_all(woken);
}

/* Unlock, and release with the last reference. */
static void unref_and_unlock(il_broadcast *broadcast, uint64_t word)
{
    bool last = !--broadcast->refs;
    il__gate_unlock(&broadcast->gate, word);
    if (last) il__free(broadcast);
}

void il_broadcast_free(il_broadcast *broadcast)
{
    il__waiter *woken = NULL, **chain = &woken;
    if (!broadcast) return;
    uint64_t word = il__gate_lock(&broadcast->gate);
    if (broadcast->senders.waiters)
        il__fatal("broadcast \"%s\" at %p freed while somebody waits to send", broadcast->name,
                  (void *)broadcast);
    close_locked(broadcast, &chain);
    unref_and_unlock(broadcast, word);
    il__deliver_all(woken);
}

/* Nothing more is for it. */
static void unsubscribe(il_subscriber *subscriber, il__waiter ***chain)
{
    il_broadcast *broadcast = subscriber->broadcast;
    bool last = leaves_slowest(subscriber);
    if (il__linked(&subscriber->link)) il__list_remove(&broadcast->blocking, &subscriber->link);
    if (last) find_slowest(broadcast);
    notice_lag(subscriber);
    if (!subscriber->status) {
        subscriber->status = -EPIPE;
        subscriber->end = broadcast->head;
    }
    dismiss(broadcast, subscriber, chain);
    let_in(broadcast, chain);
}

void il_subscriber_close(il_subscriber *subscriber)
{
    il_broadcast *broadcast = subscriber->broadcast;
    il__waiter *woken = NULL, **chain = &woken;
    uint64_t word = il__gate_lock(&broadcast->gate);
    unsubscribe(subscriber, &chain);
    il__gate_unlock(&broadcast->gate, word);
    il__deliver_all(woken);
}

static bool is_waited_at(il_subscriber *subscriber)
{
    il__waiter *first = subscriber->broadcast->gate.waiters, *waiter = first;
    if (first) do
            if (subscriber_of(waiter) == subscriber) return true;
        while ((waiter = waiter->next) != first);
    return false;
}

void il_subscriber_free(il_subscriber *subscriber)
{
    il__waiter *woken = NULL, **chain = &woken;
    if (!subscriber) return;
    il_broadcast *broadcast = subscriber->broadcast;
    uint64_t word = il__gate_lock(&broadcast->gate);
    if (is_waited_at(subscriber))
        il__fatal("subscriber %p of broadcast \"%s\" freed while somebody waits to receive",
                  (void *)subscriber, broadcast->name);
    unsubscribe(subscriber, &chain);
    unref_and_unlock(broadcast, word);
    il__deliver_all(woken);
    il__free(subscriber);
}

/* --- Select ------------------------------------------------------------------------------------ */

static il__gate *gate_of(const il_case *what)
{
    return &((il_subscriber *)what->il__on)->broadcast->gate;
}

static int take_case(il_case *what, il__waiter **woken)
{
    il_subscriber *subscriber = what->il__on;
    size_t taken = take(subscriber, what->il__item, 1);
    int status = taken ? 0 : ended(subscriber);
    if (taken) let_in(subscriber->broadcast, &woken);
    return taken || status ? status : -EAGAIN;
}

static int outcome(il_case *what)
{
    return outcome_of(&what->il__waiter);
}

const il__choice il__choice_hear = {
    .gate = gate_of,
    .take = take_case,
    .outcome = outcome,
};
