/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_SHARED_CHAN_H
#define INTERLOCK_SHARED_CHAN_H

/*
 * A channel between processes: an il_chan, with the same verbs, whose items lie in an arena.
 *
 *     il_shared_chan_new(arena, sizeof(job), &(il_shared_chan_opts){ .capacity = 64 }, &jobs);
 *     il_handle handle = il_shared_chan_handle(jobs);        // bytes: into the input of a task
 *
 *     il_shared_chan_open(&handle, &jobs);                   // in another process
 *     while (!il_chan_recv(jobs, &next, IL_FOREVER)) {       // until it is closed and all is done
 *         work(&next);
 *         il_chan_done(jobs);                                // only now the channel forgets it
 *     }
 *     il_chan_free(jobs);
 *
 * What differs from a channel within one process:
 *
 * - An item that was received stays in the channel until il_chan_done. If the process that received it
 *   ends before that, or lets go of the channel, the item comes first again, and whoever receives
 *   it next sees it once more: at least once, not exactly once. il_chan_done means the oldest item
 *   that this task has received and that is not done, or if it has none, the oldest of its process;
 *   without any it is il_fatal. With .at_most_once none of that: an item is gone once it is received.
 * - So .capacity counts items inside and items that are worked on.
 * - When the channel is closed, il_chan_recv returns -EPIPE when nothing is inside and no other process
 *   works on an item that it might still leave behind.
 * - First in, first out; .order is no choice, and neither is a rendezvous. Who waits the longest need not
 *   be served first.
 * - -EPERM: it was opened by the process that this one was forked from; il_fatal where nothing is
 *   returned. No il_select: such a case is -EINVAL.
 * - il_chan_free lets go of it here, as often as it was made or opened here. Its memory is given back
 *   when no process has it open any more: so keep it open until others have opened it.
 *
 * Any process may be killed at any instruction: a send or receive that it was in the middle of has
 * happened or not, and nobody waits for it for ever.
 */

#include <interlock/arena.h>
#include <interlock/chan.h>

IL__BEGIN

/* All zero is each default; NULL means all defaults. */
typedef struct il_shared_chan_opts {
    size_t capacity;   /* items inside and worked on; 0: 64 */
    unsigned attempts; /* how often an item is delivered at most. One whose receivers have died
                          that often is dropped, and counted: it may be what kills them. 0: 16;
                          UINT_MAX: no limit */
    bool at_most_once; /* an item is done when it is received */
    const char *name;  /* for messages; cut after 31 bytes; NULL: "" */
} il_shared_chan_opts;

typedef struct il_shared_chan_info {
    size_t inside, held;             /* items inside; received and not done */
    unsigned long sent, done;        /* items, so far */
    unsigned long returned, dropped; /* deliveries taken back; items that had no attempt left */
    unsigned long repairs;           /* times that a process ended in the middle of an operation */
} il_shared_chan_info;

/* Gives a channel in an arena, which it keeps open. 0, -ENOMEM (no room in the arena), -EINVAL. */
IL_API int il_shared_chan_new(il_arena *arena, size_t item_size, const il_shared_chan_opts *opts,
                              il_chan **out_chan);

/* Names it to others. */
IL_API il_handle il_shared_chan_handle(const il_chan *chan);

/* Open it, and its arena, here. Opened before in this process: the same channel. 0, -EINVAL (the
 * handle is not of a channel), -ENOENT (all have let go of it), else as il_arena_open. */
IL_API int il_shared_chan_open(const il_handle *handle, il_chan **out_chan);

IL_API void il_shared_chan_describe(const il_chan *chan, il_shared_chan_info *out_info);

IL__END

#endif
