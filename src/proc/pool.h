/* SPDX-License-Identifier: MIT */
#ifndef IL_PROC_POOL_H
#define IL_PROC_POOL_H

/*
 * The parent's side of a pool of processes. Everything here that has no other word beside it belongs
 * to the monitor, the pool's one thread, which alone writes to lanes and sockets.
 */

#include <pthread.h>
#include <sys/types.h>

#include <interlock/event.h>
#include <interlock/processes.h>

#include "os/spin.h"
#include "proc/lane.h"
#include "proc/region.h"
#include "task/executor.h"

#define IL__CONTROL UINT32_MAX /* in epoll, where others are the index of a worker */
#define IL__EVENT (UINT32_MAX - 1)

enum { IL__LAST_WORDS = 1024, IL__PRIORITIES = 3, IL__CACHED_FUNCTIONS = 64 };

/* Shared memory for what does not fit into a slot. */
typedef struct il__block {
    char *memory;
    size_t size;
    uint32_t number;
} il__block;

typedef enum il__worker_state {
    IL__ABSENT,   /* to be started */
    IL__STARTING, /* ordered; its initialiser may run */
    IL__READY,
} il__worker_state;

typedef struct il__process {
    il__worker_state state;
    uint32_t index, serial;
    pid_t pid; /* 0: not known yet */
    il__lane *lane;
    int socket, words; /* our ends; -1 */
    bool killed;       /* we have ordered it */
    bool reaches;      /* it copies from and to our memory by itself */

    uint32_t posted, collected;     /* entries written and read */
    unsigned held;                  /* slots in use */
    il__parcel *parcels[IL__SLOTS]; /* of slots in use */
    const char *results[IL__SLOTS]; /* to be copied from here; NULL: they are in place */
    size_t windows[IL__SLOTS];      /* items that there is room for there */
    bool afar[IL__SLOTS];           /* the worker copies; it may have to give up */
    unsigned char free[IL__SLOTS];  /* a stack of slots not in use */
    unsigned free_count;
    il__block blocks[IL__SLOTS];

    uint32_t mail, modules_told;
    uint32_t *regions; /* numbers of those it knows */
    size_t region_count, region_room;
    char last_words[IL__LAST_WORDS];
    size_t word_count;
} il__process;

typedef struct il__parcels {
    il__parcel *first, *last;
} il__parcels;

typedef struct il__crew {
    il_executor executor; /* first */
    il_processes_opts opts;
    char name[32];
    unsigned forks; /* il__forks when it was made */

    /* Shared with those who submit. */
    il__spin inbox_lock;
    il__parcels inbox; /* guarded by inbox_lock */
    uint32_t waiting;  /* atomic: tasks not started; for queue_limit */
    uint32_t visitors; /* atomic: threads that may touch the pool after their task has ended */
    uint32_t came;     /* atomic: something for the monitor; set by kick */
    uint32_t look;     /* atomic: something was cancelled or recalled */
    uint32_t stopping; /* atomic: the monitor is to end */
    uint32_t recalls;  /* atomic: parcels were recalled, look through the queue */
    il__gate live;     /* state: tasks and parcels that have not ended */
    unsigned long started;

    /* Set at init. */
    il__board *board;
    size_t board_size;
    int board_descriptor, event, poll;
    pthread_t monitor;

    /* The monitor's. */
    int control; /* to the zygote, or -1 */
    pid_t zygote;
    il__process *processes; /* executor.workers */
    il__parcels queues[IL__PRIORITIES];
    unsigned starting, absent;
    unsigned failed_starts; /* in a row */
    int start_status;       /* of the last failed one */
    il__error *start_error;
    uint32_t serial, block_number, regions_freed;
    il__module *modules;
    uint32_t module_count;
    unsigned long long module_changes;
    struct {
        il_fn *fn;
        uint32_t module;
        uint64_t offset;
    } functions[IL__CACHED_FUNCTIONS];
    int64_t usual; /* nanoseconds an item takes, about; 0: not known */
    il_time next_timer;
    il_time retry_at; /* when to try again to start workers */

    bool all_ready; /* written before `ready` is set */
    int ready_status;
    il__error *ready_error;
    il_event ready; /* all workers have started once, or one of them could not */
} il__crew;

/* --- crew.c: the processes of a pool ----------------------------------------------------------- */

/* Start the zygote and greet it; 0 or -errno. */
int il__crew_start_zygote(il__crew *crew);

/* Order those that are absent, a few at a time. */
void il__crew_start_workers(il__crew *crew);

/* Read what came: reports of the zygote, words of workers. */
void il__crew_read_reports(il__crew *crew);
void il__crew_read_words(il__process *process);

/* See which of those that start have come up. */
void il__crew_look_for_ready(il__crew *crew);

int il__crew_order(il__crew *crew, const il__process *process, uint32_t kind);

/* Let all leave, and the zygote too; release what belongs to them. */
void il__crew_dismiss(il__crew *crew);

/* The number of the module of fn as workers are told it, and its offset. 0, -ENOEXEC, -ENOMEM. */
int il__crew_find_function(il__crew *crew, il_fn *fn, uint32_t *out_module, uint64_t *out_offset);

/* --- parcel.c: what waits --------------------------------------------------------------------- */

void il__parcels_append(il__parcels *parcels, il__parcel *parcel);
il__parcel *il__parcels_take(il__parcels *parcels);
void il__parcels_put_back(il__parcels *parcels, il__parcel *parcel);

il__parcels *il__crew_queue_of(il__crew *crew, const il__parcel *parcel);
il__parcel *il__crew_take_next(il__crew *crew); /* the most urgent that waits, or NULL */
bool il__crew_has_waiting(const il__crew *crew);

/* Has it come to be started? Else it was seen to. */
bool il__crew_begin(il__crew *crew, il__parcel *parcel, il_time now);
void il__crew_finish(il__crew *crew, il__parcel *parcel, int status);

int il__parcel_why_stop(il__parcel *parcel, il_time now); /* or 0 */
void il__crew_watch(il__crew *crew, il_time when);        /* look again at that time */

/* --- tell.c: what a worker is told ------------------------------------------------------------ */

int il__crew_send_mail(il__process *process, il__mail *mail, int descriptor);
void il__crew_tell_modules(il__crew *crew, il__process *process);
int il__tell_region(il__process *process, const il__region *region);
void il__wake_worker(il__process *process);

/* Have workers let go of regions that were freed: until then their memory is not. */
void il__crew_forget_regions(il__crew *crew);

/* See that the slot has a block of that size which the worker knows. */
int il__block_provide(il__crew *crew, il__process *process, unsigned slot, size_t size);
void il__block_free(il__block *block);
void il__blocks_free(il__process *process);

/* --- post.c: to workers ----------------------------------------------------------------------- */

void il__crew_fill(il__crew *crew);    /* give workers what waits */
bool il__crew_balance(il__crew *crew); /* what waits behind another, for one that is idle */

/* --- collect.c: back from workers ------------------------------------------------------------- */

bool il__crew_collect(il__crew *crew); /* take what they have done; false: nothing */
void il__crew_take_done(il__crew *crew, il__process *process, unsigned number);

/* Take the results of the items that ran, and the first failure among them. True: there was one. */
bool il__slot_take_results(il__process *process, unsigned number, il__parcel *parcel, size_t ran);
size_t il__slot_items_run(const il__slot *slot, const il__parcel *parcel);

/* What was in it, which is nobody's now; withdrawn only if the worker has not begun it, else NULL. */
il__parcel *il__slot_release(il__process *process, unsigned number);
il__parcel *il__slot_withdraw(il__process *process, unsigned number);

/* --- stop.c, death.c: ends before the end ----------------------------------------------------- */

void il__crew_look(il__crew *crew); /* stop what is to be stopped, as of now */

/* It has died or left: what it held is settled, failed, or queued again. */
void il__crew_settle(il__crew *crew, il__process *process, int wait_status, int64_t peak);

/* Nothing can run: fail what waits. */
void il__crew_give_up(il__crew *crew);

/* --- processes.c ------------------------------------------------------------------------------- */

void il__crew_ended(il__crew *crew); /* a task or parcel has ended: the last access for it */

#endif
