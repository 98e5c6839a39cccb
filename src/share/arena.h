/* SPDX-License-Identifier: MIT */
#ifndef IL_SHARE_ARENA_H
#define IL_SHARE_ARENA_H

/*
 * What lies in an arena, and how its members, the processes that have it open, wait for each other.
 *
 * In shared memory there are places (offsets from the head), never addresses. All that is in `head`
 * and the objects is guarded by a ledger: the head's, or an object's own. Order: the head's first.
 */

#include <pthread.h>

#include <interlock/arena.h>
#include <interlock/chan.h>

#include "share/ledger.h"
#include "proc/watcher.h"

enum { IL__MEMBERS = 256, IL__BINS = 48, IL__NOBODY = UINT16_MAX };

/* Some of the members. */
typedef struct il__crowd {
    uint64_t bits[IL__MEMBERS / 64];
} il__crowd;

typedef struct il__member {
    _Alignas(64) uint64_t serial; /* 0: none. Never used again */
    uint64_t pid, started;        /* which process, also when the number is another's by now */
    uint32_t bell;                /* atomic, a futex: counts rings. Not in the ledger */
    uint32_t sleepers;            /* atomic: how many sleep at the bell, or are about to */
} il__member;

/* A piece of memory: this, and what follows. */
typedef struct il__piece {
    uint64_t size;   /* with this; bit 0: in use */
    uint64_t before; /* size of the piece that lies before it; 0: it is the first */
    union {
        uint64_t next;   /* free: place of the next of its bin, or 0 */
        uint64_t holder; /* in use: serial of a member; 0: the arena */
    };
    uint64_t previous; /* free: place of the one before it in its bin; 0: it is the first */
} il__piece;

typedef struct il__arena_head {
    uint64_t magic, size, id[2]; /* set at init */
    il__ledger ledger;
    uint64_t last_serial; /* of members and objects */
    uint64_t objects;     /* place of the first */
    uint64_t deaths;
    uint64_t used, peak, blocks;
    uint64_t bins[IL__BINS]; /* places of free pieces, by the power of two at or below their size */
    uint64_t arrivals;       /* atomic: who came and went so far, about. Not in the ledger */
    il__member members[IL__MEMBERS];
} il__arena_head;

/* What several processes open: a channel, a space, a semaphore. The last of its users takes it along. */
typedef enum il__object_kind { IL__CHAN = 1, IL__SPACE, IL__SEM } il__object_kind;

typedef struct il__object {
    uint64_t kind, serial;
    uint64_t next;   /* place; guarded by the head's ledger, as is: */
    il__crowd users; /* that have it open */
} il__object;

/* Our end of one. The first part of an il_space, il_shared_sem, and of what stands behind an il_chan. */
typedef struct il__opened {
    il_arena *arena;
    il__object *object;
    uint64_t serial;
    unsigned refs;           /* guarded by the list's lock, as is: */
    struct il__opened *next; /* of this arena */
} il__opened;

typedef struct il__peer il__peer;

/* What this process knows of an arena. */
struct il_arena {
    il__arena_head *head;
    size_t size;
    int descriptor;
    unsigned forks;  /* il__forks at the opening */
    uint32_t index;  /* of the member that is us */
    uint64_t serial; /* and its serial */
    unsigned refs;   /* guarded by the list's lock, as is: */
    il_arena *next;
    il__opened *opened;
    bool direct;   /* a thread can wait at the bell and for a cancellation at once */
    bool spins;    /* there is another CPU for whoever is to ring */
    uint32_t luck; /* atomic: has looking out for a ring paid lately? */

    il__gate gate; /* those who wait without sleeping at the bell; the listener lets them on */
    pthread_mutex_t listening; /* guards: */
    bool listens;
    pthread_t listener;
    uint32_t stopping; /* atomic */

    pthread_mutex_t watching; /* guards: */
    il__peer *peers[IL__MEMBERS];
    uint64_t watched; /* atomic: arrivals, as we have seen to them */
    bool blind;       /* atomic: some peer cannot be watched: look by hand now and then */
};

static inline void *il__at(const il__arena_head *head, uint64_t place)
{
    return place ? (char *)(size_t)head + place : NULL;
}

static inline uint64_t il__place_of(const il__arena_head *head, const void *address)
{
    return (uint64_t)((const char *)address - (const char *)head);
}

/* --- arena.c ----------------------------------------------------------------------------------- */

/* May this process use it? 0, or -EPERM, noted. */
int il__arena_check(const il_arena *arena);

/* Names an object. */
il_handle il__object_handle(il_arena *arena, const il__object *object);

/* What a kind of object is, in each process. */
typedef struct il__class {
    size_t size; /* of our end of one */
    int (*prepare)(
        il__opened *ours); /* fill in what is beyond the first part; 0 or -ENOMEM. Or NULL */
    void (*release)(il__opened *ours); /* and release it again, also half of it. Or NULL */

    /* Under the head's ledger: a member has ended; twice is as once. And give all back that the object
     * has besides itself (or NULL: it has nothing). */
    void (*bury)(il__arena_head *head, il__object *object, uint32_t index);
    void (*empty)(il__arena_head *head, il__object *object);
} il__class;

extern const il__class il__chan_class, il__space_class, il__sem_class;

/* What a new object is to become: fill(object, arg) makes it ready, except for its first part. */
typedef struct il__making {
    il__object_kind kind;
    size_t size;
    void (*fill)(il__object *object, const void *arg);
    const void *arg;
} il__making;

/* Make an object, open here. 0, -ENOMEM, -EPERM. */
int il__object_new(il_arena *arena, const il__making *making, il__opened **out_opened);

/* Open what the handle names; open here already: the same end. 0, -EINVAL (it is something else),
 * -ENOENT (its users have all let go of it), -ENOMEM, or as il_arena_open. */
int il__object_open(const il_handle *handle, il__object_kind kind, il__opened **out_opened);

/* Let go of it, as often as it was opened. The last time our end is released. */
void il__object_free(il__opened *opened);

/* Has this member ended? Take it out of everything; also what is us, when we let go. */
void il__member_bury(il_arena *arena, uint32_t index, uint64_t serial, bool died);

/* --- pieces.c: under the head's ledger ----------------------------------------------------------- */

/* Make all from `place` on one free piece. */
void il__pieces_init(il__arena_head *head, uint64_t place);

/* The place of `size` bytes; 0: there is no room. And back. */
uint64_t il__piece_take(il__arena_head *head, uint64_t size, uint64_t holder);
void il__piece_give(il__arena_head *head, uint64_t place);

/* The piece of a place, or NULL: there is none in use. */
il__piece *il__piece_of(il__arena_head *head, uint64_t place);

/* Visit all that are in use: visit(place, piece, arg). It may give that one back: then it returns
 * true. */
void il__pieces_visit(il__arena_head *head,
                      bool (*visit)(il__arena_head *head, uint64_t place, void *arg), void *arg);

/* Bytes of the largest block that could be had. */
uint64_t il__pieces_largest(const il__arena_head *head);

/* Is everything as it should be? For tests. */
bool il__pieces_sound(const il__arena_head *head);

/* --- shared_chan.c ------------------------------------------------------------------------------- */

/* Does each slot belong to the queue, the free ones or a holder? For tests. */
bool il__shared_chan_sound(const il_chan *chan);

/* --- bell.c ---------------------------------------------------------------------------------------- */

void il__crowd_set(il__ledger *ledger, il__crowd *crowd, uint32_t index, bool in);
bool il__crowd_has(const il__crowd *crowd, uint32_t index);
uint32_t il__crowd_first(const il__crowd *crowd); /* IL__NOBODY: it is empty */

/* May the current agent look out for a moment for what it waits for, before it says that it does? */
bool il__may_look_out(const il_arena *arena);

/* How often our bell has rung. Read under the ledger of what is waited for, before the unlock. */
uint32_t il__bell_heard(const il_arena *arena);

/* Wait until our bell has rung since. 0 (look again), -ETIMEDOUT, -ECANCELED, or -EAGAIN: no thread
 * could be had. No ledger is locked. Deaths of others are seen to meanwhile. */
int il__bell_wait(il_arena *arena, uint32_t heard, const char *what, const void *on, il_time until);

/* Let a member look again; or all of a crowd. */
void il__bell_ring(il_arena *arena, uint32_t index);
void il__bell_ring_all(il_arena *arena, const il__crowd *crowd);
void il__bell_ring_everybody(il_arena *arena);

/* See to it that deaths of others are noticed, by whatever thread; or look now, by hand. */
void il__peers_watch(il_arena *arena);
void il__peers_look(il_arena *arena);

/* The end: no more threads, no more watches. */
void il__bell_close(il_arena *arena);

#endif
