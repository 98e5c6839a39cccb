/* SPDX-License-Identifier: MIT */
/*
 * A railway, where semaphores come from. Two circular lines cross in one block of track. A signal
 * guards each block: a train waits at it until the block is clear, and has it to itself then. Nobody
 * may stop on the crossing, so a train enters it when the block behind it is reserved as well. At
 * every move each train looks whether it is alone in its block.
 */
#include <interlock.h>
#include <stdatomic.h>
#include <stdio.h>

enum { BLOCKS = 5, CROSSING = 0, LINES = 2, TRAINS = 3, LAPS = 200 };

struct block {
    il_sem signal; /* clear: 1 */
    atomic_int trains;
};

struct train {
    struct block *line[BLOCKS]; /* in the order of travel; the first is the crossing */
    int at;
    long moves, stops, collisions;
};

static struct block crossing, tracks[LINES][BLOCKS];

/* Wait at the signal of a block until it is clear. */
static int reserve(struct train *self, int block)
{
    il_sem *signal = &self->line[block]->signal;
    if (!il_sem_acquire_until(signal, IL_NOW)) return 0;
    self->stops++;
    return il_sem_acquire_until(signal, IL_FOREVER);
}

/* Into the next block, which is reserved, and out of the last. */
static void move(struct train *self)
{
    struct block *from = self->line[self->at], *to;
    self->at = (self->at + 1) % BLOCKS;
    to = self->line[self->at];
    self->collisions += atomic_fetch_add(&to->trains, 1) != 0;
    atomic_fetch_sub(&from->trains, 1);
    il_sem_release(&from->signal);
    self->moves++;
    il_yield(); /* it takes its time: others would run into it now */
    self->collisions += to->trains != 1;
}

static int run(void *in, void *out)
{
    struct train *self = in;
    while (self->moves < LAPS * BLOCKS) {
        int next = (self->at + 1) % BLOCKS;
        if (self->at == CROSSING) { /* the block behind it is ours already */
            move(self);
            continue;
        }
        int status = next == CROSSING ? reserve(self, next + 1) : 0;
        if (!status) status = reserve(self, next);
        if (status) return status;
        move(self);
    }
    return 0;
}

int main(void)
{
    struct train trains[LINES * TRAINS] = { 0 };
    il_csp_process processes[LINES * TRAINS];
    il_executor *pool = NULL;
    crossing.signal.count = 1;
    for (int i = 0; i < LINES * TRAINS; i++) {
        struct train *train = &trains[i];
        int line = i % LINES;
        for (int b = 0; b < BLOCKS; b++) {
            train->line[b] = b == CROSSING ? &crossing : &tracks[line][b];
            train->line[b]->signal.count = 1;
        }
        train->at = 1 + i / LINES; /* it stands in a block of its own */
        processes[i] = IL_PROCESS(run, train);
    }
    for (int i = 0; i < LINES * TRAINS; i++) {
        il_sem_acquire(&trains[i].line[trains[i].at]->signal);
        trains[i].line[trains[i].at]->trains = 1;
    }
    int status = il_threads_new(NULL, &pool);
    if (!status) status = il_par_many(pool, processes, LINES * TRAINS);
    il_executor_free(pool);

    long moves = 0, collisions = 0;
    for (int i = 0; i < LINES * TRAINS; i++) {
        printf("train %d of line %d: %ld moves, stopped at %ld signals\n", i / LINES, i % LINES,
               trains[i].moves, trains[i].stops);
        moves += trains[i].moves;
        collisions += trains[i].collisions;
    }
    printf("%s: %ld moves, two trains in one block: %ld times\n", il_strerror(status), moves,
           collisions);
    return status || collisions || moves != (long)LINES * TRAINS * LAPS * BLOCKS;
}
