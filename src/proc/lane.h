/* SPDX-License-Identifier: MIT */
#ifndef IL_PROC_LANE_H
#define IL_PROC_LANE_H

/*
 * Lane: the memory between the parent and one worker, and what they say to each other besides.
 *
 * Each word has one writer, but for the state of a slot, which both change by compare-and-swap. There
 * is no lock that anybody could die with. What the parent needs to know after a death, which slot
 * was being run, stands in the slot; to whom its task belongs, the parent keeps to itself.
 *
 *     slot      FREE -> POSTED     parent, which has filled it
 *               POSTED -> TAKEN    worker: it runs
 *               POSTED -> FREE     parent: withdrawn
 *               TAKEN -> DONE      worker, which has filled in the outcome
 *               DONE -> FREE       parent, which has read it
 *
 * `queue` and `ended` are rings of slot numbers, one writer and one reader each. An entry of a slot
 * that was withdrawn stays in the queue; the worker skips it, or takes what is in the slot by then.
 * What the parent reads here it uses as a value, never as an address: a worker may write anything.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>

#include "base/atomic.h"
#include "os/pages.h"
#include "proc/module.h"

enum {
    IL__SLOTS = 64,
    IL__QUEUE = 256,       /* entries; a power of two */
    IL__SLOT_BYTES = 4096, /* of input and output that lie in the lane itself */
    IL__SLOT_NAME = 48,
    IL__SLOT_WORDS = 600,
};

/* Why a slot stopped whose arrays the worker cannot reach (any more): the parent copies them. */
#define IL__UNREACHED (-EXDEV)

enum { IL__NO_MODULE = 0x7fffffff };
enum { IL__FREE, IL__POSTED, IL__TAKEN, IL__DONE };

/* Where bytes are. AFAR: in the parent's memory, and a window of them in the block. */
enum { IL__IN_SLOT, IL__IN_BLOCK, IL__IN_REGION, IL__AFAR };
typedef struct il__where {
    uint32_t where;
    uint32_t region; /* its number */
    uint64_t at;     /* offset; in the block when AFAR */
} il__where;

/* Of what is AFAR, by slot: addresses in the parent, and how far one may go from there. The worker sees
 * them in a page that it cannot write to: so whatever a task does to memory that is not its own, it
 * does not decide where results go. */
typedef struct il__afar {
    uint64_t in, out;
    uint64_t count, out_size; /* of items */
} il__afar;

typedef struct il__slot {
    uint32_t state; /* atomic */

    /* Of the parent, set before POSTED. */
    uint32_t module, apply_module; /* of fn, and of the loop that calls it; NO_MODULE: our own */
    uint64_t offset, apply_offset;
    uint64_t count;  /* items */
    uint64_t window; /* items that the block has room for */
    uint64_t in_size, out_size;
    il__where in, out;
    uint32_t block;   /* number of the block that IN_BLOCK means */
    uint32_t retries; /* of each item */
    int64_t deadline;
    bool stop;       /* at the first failure */
    uint32_t cancel; /* atomic: stop what runs here; may be set later */
    char name[IL__SLOT_NAME];

    /* Of the worker, set before DONE. */
    uint64_t place;     /* atomic: which item runs, or is the first that did not: see il__slot_at */
    size_t left[2];     /* items of a stretch, counted down */
    uint64_t base;      /* atomic: the window holds results of [base, at) that are nowhere else */
    uint64_t failed_at; /* atomic; count: none. The first that failed */
    int64_t took;       /* nanoseconds */
    int32_t status;     /* of that item */
    int32_t stopped;    /* why items from `at` on did not run, or 0 */
    int32_t line;
    char words[IL__SLOT_WORDS]; /* message, file and cause of its error, each with its 0 */

    _Alignas(64) unsigned char bytes[IL__SLOT_BYTES];
    _Alignas(64) unsigned char apart[64]; /* so that slots do not compete for the same cache sets */
} il__slot;

typedef struct il__lane {
    /* Of the parent. */
    _Alignas(64) uint32_t posted; /* atomic: entries ever put into `queue` */
    uint32_t mail;                /* atomic: messages ever sent to the worker's socket */
    uint32_t wake;                /* atomic, a futex: counts wake-ups */
    uint32_t leave;               /* atomic: end when there is nothing left to do */
    unsigned char queue[IL__QUEUE];

    /* Of the worker. */
    _Alignas(64) uint32_t read; /* atomic: entries of `queue` it has gone past */
    uint32_t finished;          /* atomic: entries ever put into `ended` */
    uint32_t asleep;            /* atomic: it sleeps, or is about to: see `wake` */
    uint32_t ready;             /* atomic: it has started */
    int32_t ready_status;       /* of its initialiser */
    uint32_t reaches;           /* it can copy from and to the parent's memory */
    char ready_words[IL__SLOT_WORDS];
    unsigned char ended[IL__QUEUE];

    _Alignas(64) il__slot slots[IL__SLOTS];
} il__lane;

/* Where a worker is: `place` is twice the end of its stretch, plus which of `left` says how many items of
 * it are left. A new stretch is prepared in the other one and begins by one store, so that at any
 * moment the two say the same item. */
static inline uint64_t il__slot_at(const il__slot *slot)
{
    uint64_t place = il__load_acquire(&slot->place);
    return place / 2 - il__load(&slot->left[place % 2]);
}

static inline size_t *il__slot_begin(il__slot *slot, uint64_t from, uint64_t to)
{
    uint64_t other = 1 - il__load(&slot->place) % 2;
    il__store(&slot->left[other], (size_t)(to - from));
    il__store_release(&slot->place, 2 * to + other);
    return &slot->left[other];
}

/* A lane has il__afar[IL__SLOTS] in a page of its own, the last one. */
static inline size_t il__lane_size(void)
{
    size_t page = il__page_size();
    return (sizeof(il__lane) + page - 1) / page * page + page;
}

static inline il__afar *il__lane_afar(il__lane *lane)
{
    return (il__afar *)(void *)((char *)lane + il__lane_size() - il__page_size());
}

/* What a pool shares with all its workers; the parent writes it, but for `asleep`. */
typedef struct il__board {
    uint32_t asleep; /* atomic: the parent's monitor sleeps: who clears it writes to the event */
    uint32_t has_start;
    uint64_t here; /* the address of this in the parent */
    uint32_t recycle_tasks;
    uint64_t recycle_size, memory;
    int64_t cpu_time;
    char name[32];
    uint64_t start_offset; /* of the initialiser, in module 0 of each worker */
    uint64_t arg_size;
    _Alignas(16) unsigned char arg[];
} il__board;

/* Through the worker's socket, parent to worker, counted in lane.mail. */
enum { IL__MAIL_MODULE, IL__MAIL_REGION, IL__MAIL_BLOCK, IL__MAIL_FORGET };
typedef struct il__mail {
    uint32_t kind;
    uint32_t number; /* of the module, region or block */
    uint32_t slot;   /* of a block */
    uint64_t size;
    uint64_t where; /* a region's address in the parent */
    il__module module;
} il__mail;

/* Through the control socket. Parent to zygote: */
enum { IL__ORDER_HELLO, IL__ORDER_FORK, IL__ORDER_KILL, IL__ORDER_SIGNAL };
typedef struct il__order {
    uint32_t kind;
    uint32_t index;  /* of the worker */
    uint32_t serial; /* of this incarnation of it */
    uint64_t board_size;
} il__order;
/* HELLO comes with the descriptors board and event; FORK with lane, socket and stderr. */

/* Zygote to parent: */
enum { IL__REPORT_STARTED, IL__REPORT_ENDED };
typedef struct il__report {
    uint32_t kind, index, serial;
    int32_t status; /* as of wait; or -errno of a fork that failed, with pid 0 */
    int64_t pid;
    int64_t peak; /* bytes resident at the most */
} il__report;

/* What a worker is given. */
typedef struct il__worker_setup {
    uint32_t index;
    il__lane *lane;
    il__board *board;
    int socket, event;
    pid_t parent;  /* the program */
    int parent_fd; /* a pidfd of it */
} il__worker_setup;

_Noreturn void il__worker_main(const il__worker_setup *setup);

#define IL__ZYGOTE_MARK "IL__ZYGOTE"

#endif
