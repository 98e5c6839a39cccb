/* SPDX-License-Identifier: MIT */
#ifndef IL_CHAN_ELSEWHERE_H
#define IL_CHAN_ELSEWHERE_H

/*
 * A channel whose items are not here, but behind the same verbs. To the code of ordinary channels it
 * is a closed and empty one, so that they never look whether they are one: only who is about to say
 * -EPIPE, or finds nothing to be done, asks.
 */

#include <interlock/chan.h>

typedef struct il__chan_ops {
    int (*send)(void *there, const void *item, il_time until);
    int (*receive)(void *there, void *out_item, il_time until);
    void (*close)(void *there);
    bool (*closed)(void *there);
    size_t (*length)(void *there);
    void (*done)(void *there, const void *place);
    int (*join)(void *there, il_time until);
    void (*free)(void *there); /* and il__chan_elsewhere_free, if it was the last time */
} il__chan_ops;

/* 0 or -ENOMEM. Borrows ops and name. */
int il__chan_elsewhere_new(const il__chan_ops *ops, void *there, size_t item_size, size_t capacity,
                           const char *name, il_chan **out_chan);
void il__chan_elsewhere_free(il_chan *chan);

/* What stands behind it, if it is one of these; else NULL. */
void *il__chan_there(const il_chan *chan, const il__chan_ops *ops);

#endif
