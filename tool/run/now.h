/* SPDX-License-Identifier: MIT */
#ifndef TOOL_RUN_NOW_H
#define TOOL_RUN_NOW_H

/*
 * How the run stands, and what its parts ask of each other. All of it belongs to the one thread of
 * run/loop.c.
 */

#include "run/loop.h"

/* How long a job that is to end may take to end by itself. */
#define GRACE IL_MS(300)

/* What epoll tells of. */
enum happening { ENDED, SAID, SAID_ERRORS, SIGNAL, FRONT_GONE, INPUT };

struct slot {
    struct job *job; /* NULL: free */
    uint32_t turn;   /* changes with the job: an event for the one before is known by it */
};

/* Jobs in a row. */
struct queue {
    struct job *first, **end;
};

struct now {
    struct runner *run;
    int epoll, null;
    struct slot *slots;
    unsigned running, free_slot; /* free_slot: none below it is free */
    struct queue ready, paused;
    struct job *speaks, **last_to_speak; /* --keep-order: all that are not through */
    unsigned numbered;
    bool input_over, input_waits, input_watched;
    bool closing;  /* nothing starts any more */
    bool orphaned; /* the front is gone, and what still runs comes to its end */
    int ending;    /* the signal that ends the run, or 0 */
    char **environment, *mark;
    il_time memory_at, kill_all_at;
    unsigned rounds;
};
extern struct now now;

/* run/source.c: the next job that may start; NULL: there is none now. */
struct job *source_next(void);
/* All of the graph that waits for nobody is ready. */
void source_enter_graph(void);

/* run/slots.c: start a job in a free slot; end all that run; what is due; one has ended. */
int slots_environment(void);
void slot_watch(int fd, unsigned slot, enum happening what);
void slot_mute(struct job *job, int which, bool muted);
void slot_hear(struct job *job);
void slot_start(struct job *job);
void slots_end(enum verdict verdict);
void slots_see_to_time(il_time time);
void slot_ended(struct job *job);

/* run/fate.c: what becomes of it. */
void queue_put(struct queue *queue, struct job *job);
struct job *queue_take(struct queue *queue);
void job_make_ready(struct job *job);
void job_tell_dependents(struct job *job);
void job_conclude(struct job *job, bool well);
void job_try_again(struct job *job);
bool job_may_try_again(const struct job *job);
void jobs_wake_paused(il_time time);

/* run/turn.c: --keep-order. It has been numbered; pass the word on; it is over. */
void turn_line_up(struct job *job);
void turn_pass(void);
void turn_is_through(struct job *job);

#endif
