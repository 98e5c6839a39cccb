/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_CHAN_H
#define INTERLOCK_CHAN_H

/*
 * Channel: items of one size go in on one side and come out on the other. Queue, mailbox and
 * rendezvous are this one type.
 *
 *     il_chan *orders = NULL;
 *     int status = il_chan_new(sizeof(order), &(il_chan_opts){ .capacity = 16 }, &orders);
 *
 *     il_chan_send(orders, &next, IL_FOREVER);             // here; waits while 16 are inside
 *     while (!il_chan_recv(orders, &next, IL_FOREVER))     // there, until it is closed and empty
 *         cook(&next);
 *
 * States: open, closed (il_chan_close: nothing more goes in, what is inside comes out), freed. Any
 * number of threads and fibers may send, receive and close at the same time. Every item that was
 * sent is received exactly once, by one receiver; a send that failed sent nothing. Between one
 * sender and one receiver a first-in-first-out channel keeps the order; those who wait are served
 * in the order in which they came.
 *
 * Items are copied, as by memcpy: send pointers if what they point to should change hands. An item
 * may have size 0: then only the number counts, and `item` is NULL. In the channel an item is
 * aligned as by malloc.
 *
 * To wait at several channels, or at channels and other things, see select.h.
 */

#include <interlock/api.h>
#include <interlock/time.h>

IL__BEGIN

typedef struct il_chan il_chan;

/* How many it holds: .capacity of a channel that grows and shrinks, and is never full. */
#define IL_UNBOUNDED SIZE_MAX

/* What comes out first. */
typedef enum il_order {
    IL_FIFO,    /* the oldest: a queue */
    IL_LIFO,    /* the newest: a stack */
    IL_PRIORITY /* the smallest by .compare; of equal ones the oldest */
} il_order;

typedef struct il_chan_opts {
    size_t capacity; /* items it holds. 0: none, a sender waits until its item is received
                        (rendezvous); or IL_UNBOUNDED */
    il_order order;  /* of the items inside; 0: IL_FIFO */
    int (*compare)(const void *a, const void *b); /* for IL_PRIORITY: as for qsort. Called with
                        the channel locked: it may not wait, nor use a channel */
    const char *name; /* for messages; borrowed as long as the channel; NULL: "" */
} il_chan_opts;

/* Gives a channel for items of `item_size` bytes. Copies the options; NULL: a rendezvous. It takes
 * 88 bytes, and the room for .capacity items at once, so that sending never lacks memory; that of
 * an unbounded one comes and goes with the items inside.
 * 0, -ENOMEM, -EINVAL (IL_PRIORITY without .compare; an order where nothing is held; items of 4 GiB or
 * more). */
IL_API int il_chan_new(size_t item_size, const il_chan_opts *opts, il_chan **out_chan);

/* Send one item. Waits for room (rendezvous: for a receiver), a fiber by switching, a thread by
 * sleeping. Copies the bytes of *item; the caller keeps its buffer. Returns 0; -EPIPE (closed,
 * maybe while it waited), -EAGAIN, -ETIMEDOUT or -ECANCELED, and, unbounded, -ENOMEM: then nothing
 * was sent. */
IL_API int il_chan_send(il_chan *chan, const void *item, il_time until);

/* Receive one item into *out_item (NULL: it is dropped). Waits for one. Returns 0; -EPIPE: closed
 * and empty; -EAGAIN, -ETIMEDOUT or -ECANCELED: nothing was received, *out_item is as before. */
IL_API int il_chan_recv(il_chan *chan, void *out_item, il_time until);

/* Send `count` items from an array, in this order, though others' may come between. Waits as often
 * as there is no room. *out_sent (may be NULL), also on failure: how many were sent, the first
 * ones. 0: all of them; else as il_chan_send, the others were not sent. */
IL_API int il_chan_send_many(il_chan *chan, const void *items, size_t count, il_time until,
                             size_t *out_sent);

/* Receive up to `max` items into an array: waits for one, then takes what else is there. *out_got:
 * how many, at least one if 0 is returned and `max` is not 0. Else as il_chan_recv, untouched. */
IL_API int il_chan_recv_many(il_chan *chan, void *out_items, size_t max, il_time until,
                             size_t *out_got);

/* Let nothing more in. Those who wait to send get -EPIPE, and their items were not sent; receivers
 * get what is inside, then -EPIPE. Never waits; again is fine. */
IL_API void il_chan_close(il_chan *chan);

/* How many items are inside, those of waiting senders not counted; what it holds at most
 * (IL_UNBOUNDED: no limit); was it closed? Snapshots: the first is out of date as soon as it
 * returns. To send or receive only if that is possible at once, use IL_NOW. */
IL_API size_t il_chan_length(const il_chan *chan);
IL_API size_t il_chan_capacity(const il_chan *chan);
IL_API bool il_chan_closed(const il_chan *chan);

/* A queue of work: whoever has received an item says so when the work on it is done, and il_chan_join
 * waits until that has been said of every item sent so far (those of waiting senders are not sent
 * yet). Once more than there were items is il_fatal. Never waits. Who uses neither need not care. */
IL_API void il_chan_done(il_chan *chan);

/* Wait for that. 0, -EAGAIN, -ETIMEDOUT, -ECANCELED. Closing does not end this wait. */
IL_API int il_chan_join(il_chan *chan, il_time until);

/* Release the channel; what is still inside is lost. NULL is fine. Nobody may wait at it: that is
 * il_fatal. Nobody may use it any more; but of the last item sent it is enough that it was
 * received: its sender may still be on the way back out of il_chan_send. */
IL_API void il_chan_free(il_chan *chan);

IL__END

#endif
