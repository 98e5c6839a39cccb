/* SPDX-License-Identifier: MIT */
/*
 * Dining philosophers (Dijkstra 1965). Five forks, each between two who need both of theirs to eat.
 * If all take the left one first, all may hold one and wait for ever. Two ways out:
 *
 *   ordered     everybody takes the fork with the lower number first: no circle can close
 *   whichever   take the one that is free first and try the other; if that is not, put the first
 *               one back and wait for the other
 *
 * A fork is a channel that holds one token, so a select can wait for either.
 */
#include <errno.h>
#include <interlock.h>
#include <stdatomic.h>
#include <stdio.h>

enum { SEATS = 5, MEALS = 300 };

struct philosopher {
    il_chan *forks[2]; /* the one with the lower number first */
    atomic_int *in_use[2];
    int (*take)(struct philosopher *self);
    long meals, put_back, wrong;
};

static int put(struct philosopher *self, size_t fork)
{
    return il_chan_send(self->forks[fork], &(char){ 0 }, IL_FOREVER);
}

static int ordered(struct philosopher *self)
{
    char token;
    int status = il_chan_recv(self->forks[0], &token, IL_FOREVER);
    return status ? status : il_chan_recv(self->forks[1], &token, IL_FOREVER);
}

static int whichever(struct philosopher *self)
{
    char token;
    size_t held;
    il_case cases[] = { IL_RECV(self->forks[0], &token), IL_RECV(self->forks[1], &token) };
    int status = il_select_fair(cases, 2, IL_FOREVER, &held);
    while (!status) {
        size_t other = 1 - held;
        status = il_chan_recv(self->forks[other], &token, IL_NOW);
        if (status != -EAGAIN) break;
        self->put_back++;
        status = put(self, held);
        if (!status) status = il_chan_recv(self->forks[other], &token, IL_FOREVER);
        held = other;
    }
    return status;
}

static int dine(void *in, void *out)
{
    struct philosopher *self = in;
    int status = 0;
    while (!status && self->meals < MEALS) {
        if ((status = self->take(self))) break;
        for (int i = 0; i < 2; i++) self->wrong += atomic_fetch_add(self->in_use[i], 1) != 0;
        self->meals++;
        il_yield(); /* eat; others would take a fork now if they could */
        for (int i = 0; i < 2; i++) atomic_fetch_sub(self->in_use[i], 1);
        for (size_t i = 0; i < 2 && !status; i++) status = put(self, i);
    }
    return status;
}

static int evening(il_executor *pool, const char *name, int (*take)(struct philosopher *))
{
    il_chan *forks[SEATS] = { NULL };
    atomic_int in_use[SEATS] = { 0 };
    struct philosopher seats[SEATS] = { 0 };
    il_csp_process processes[SEATS];
    int status = 0, wrong = 0;
    for (int i = 0; !status && i < SEATS; i++) {
        status = il_chan_new(1, &(il_chan_opts){ .capacity = 1 }, &forks[i]);
        if (!status) status = il_chan_send(forks[i], &(char){ 0 }, IL_FOREVER);
    }
    for (int i = 0; i < SEATS; i++) {
        int left = i, right = (i + 1) % SEATS, low = left < right ? left : right;
        int high = left + right - low;
        seats[i] = (struct philosopher){ .forks = { forks[low], forks[high] },
                                         .in_use = { &in_use[low], &in_use[high] },
                                         .take = take };
        processes[i] = IL_PROCESS(dine, &seats[i]);
    }
    if (!status) status = il_par_many(pool, processes, SEATS);
    printf("%s: %s\n", name, il_strerror(status));
    for (int i = 0; i < SEATS; i++) {
        printf("  philosopher %d: %ld meals, put a fork back %ld times\n", i, seats[i].meals,
               seats[i].put_back);
        wrong |= seats[i].meals != MEALS || seats[i].wrong;
        il_chan_free(forks[i]);
    }
    return status || wrong;
}

int main(void)
{
    il_executor *pool = NULL;
    if (il_threads_new(NULL, &pool)) return 1;
    int wrong = evening(pool, "ordered", ordered);
    wrong |= evening(pool, "whichever is free", whichever);
    il_executor_free(pool);
    return wrong;
}
