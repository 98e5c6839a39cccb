/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_BROADCAST_H
#define INTERLOCK_BROADCAST_H

/*
 * Broadcast: publish and subscribe. Each subscriber sees each item that is sent after it subscribed,
 * in the order in which they were sent. (A channel is the other thing: its receivers compete, and
 * each item goes to one of them.)
 *
 *     il_broadcast *prices = NULL;
 *     il_subscriber *screen = NULL;
 *     int status = il_broadcast_new(sizeof(price), NULL, &prices);
 *     if (!status)
 *         status = il_broadcast_subscribe(
 *             prices, &(il_subscriber_opts){ .lag = IL_LAG_DROP_OLDEST }, &screen);
 *
 *     il_broadcast_send(prices, &price, IL_FOREVER);           // by anyone
 *     while (!il_subscriber_recv(screen, &price, IL_FOREVER))  // by anyone else
 *         draw(&price);
 *
 * An item is stored once, in a ring of .capacity items, whatever the number of subscribers; each has
 * a cursor of its own into it. What happens when one lags behind by the whole ring is its own choice:
 * it blocks the senders, loses the oldest, or is let go. At any moment and whatever it chose,
 *
 *     items received + items that wait for it + il_subscriber_lost() = items sent since it subscribed
 *
 * until it is closed. Threads and fibers, any number of each, may send to one broadcast and receive
 * from one subscriber; receivers of the same subscriber share its items. An item sent while nobody
 * subscribes goes to nobody. A subscriber can stand in an il_select: IL_HEAR(subscriber, out_item).
 */

#include <interlock/api.h>
#include <interlock/time.h>

IL__BEGIN

typedef struct il_broadcast il_broadcast;
typedef struct il_subscriber il_subscriber;

typedef struct il_broadcast_opts {
    size_t capacity;  /* items that a subscriber may lag behind; 0: 64 */
    const char *name; /* borrowed as long as the broadcast */
} il_broadcast_opts;

/* What a subscriber wants when the ring is full of what it has not received. */
typedef enum il_lag {
    IL_LAG_BLOCK,       /* everything: senders wait for it */
    IL_LAG_DROP_OLDEST, /* the newest: it loses the oldest, and can ask how many */
    IL_LAG_DISCONNECT   /* to be told: it is let go. It still receives what the ring holds of what
                           came before, then -EOVERFLOW */
} il_lag;

typedef struct il_subscriber_opts {
    il_lag lag;
} il_subscriber_opts;

/* Gives a broadcast of items of `item_size` bytes. 0, -ENOMEM or -EINVAL (more bytes than there are
 * addresses). */
IL_API int il_broadcast_new(size_t item_size, const il_broadcast_opts *opts,
                            il_broadcast **out_broadcast);

/* Send one item to all. Waits for room while a subscriber that blocks lags by the whole ring; who
 * waits is served first in, first out. Copies the bytes of *item. Any thread or fiber.
 * Returns 0, -EPIPE (closed), -EAGAIN, -ETIMEDOUT or -ECANCELED; unless 0, nobody gets it. */
IL_API int il_broadcast_send(il_broadcast *broadcast, const void *item, il_time until);

/* Subscribe to what is sent from now on. opts NULL: IL_LAG_BLOCK. Never waits. 0 or -ENOMEM; -EPIPE:
 * closed. */
IL_API int il_broadcast_subscribe(il_broadcast *broadcast, const il_subscriber_opts *opts,
                                  il_subscriber **out_subscriber);

/* No more input. Senders that wait get -EPIPE; subscribers drain what the ring holds for them, then
 * get -EPIPE. Never waits; again is fine. */
IL_API void il_broadcast_close(il_broadcast *broadcast);

/* Close it and let go of it. Subscribers go on to drain it, and the memory goes with the last of
 * them. il_fatal when a sender waits. NULL is fine. */
IL_API void il_broadcast_free(il_broadcast *broadcast);

/* Receive the oldest item that it has not received. Waits while there is none; who waits is served
 * first in, first out. Copies to *out_item. Any thread or fiber.
 * Returns 0; -EPIPE (the broadcast or the subscriber is closed, and drained); -EOVERFLOW (it was let
 * go because it lagged, and is drained); -EAGAIN, -ETIMEDOUT or -ECANCELED; unless 0, nothing was
 * received. */
IL_API int il_subscriber_recv(il_subscriber *subscriber, void *out_item, il_time until);

/* Receive up to `max` items into an array: waits for one, then takes what else is there. *out_got:
 * how many, at least one if 0 is returned and `max` is not 0. Else as il_subscriber_recv, untouched. */
IL_API int il_subscriber_recv_many(il_subscriber *subscriber, void *out_items, size_t max,
                                   il_time until, size_t *out_got);

/* How many items were sent since it subscribed that it did not receive and never will. Of one that
 * was let go they grow in number with each send. Never waits. */
IL_API uint64_t il_subscriber_lost(il_subscriber *subscriber);

/* How many items wait for it; out of date as soon as it returns. */
IL_API size_t il_subscriber_waiting(il_subscriber *subscriber);

/* Unsubscribe: nothing that is sent from now on is for it, and it blocks nobody. It may drain what
 * the ring still holds for it; receivers that wait get -EPIPE. Never waits; again is fine. */
IL_API void il_subscriber_close(il_subscriber *subscriber);

/* Unsubscribe and release. il_fatal when a receiver waits. NULL is fine. */
IL_API void il_subscriber_free(il_subscriber *subscriber);

IL__END

#endif
