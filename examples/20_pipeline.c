/* SPDX-License-Identifier: MIT */
/*
 * A pipeline of three stages: read, work, write, each at its own pace. The channels between them
 * hold four items and no more, so whoever is ahead waits: that is back-pressure, and it bounds what
 * is under way, however long the input is. The end travels through the pipeline as poison.
 */
#include <errno.h>
#include <interlock.h>
#include <stdatomic.h>
#include <stdio.h>

enum { ROOM = 4, ITEMS = 20000, STAGES = 3, BOUND = 2 * ROOM + STAGES };

struct stage {
    il_chan *from, *to;
};

static atomic_long under_way, most; /* read, and not written yet */
static long written, sum;           /* of the last stage */

static int read_all(void *in, void *out)
{
    struct stage *self = in;
    int status = 0;
    for (long n = 1; !status && n <= ITEMS; n++) {
        long now = atomic_fetch_add(&under_way, 1) + 1, before = most;
        while (now > before && !atomic_compare_exchange_weak(&most, &before, now)) continue;
        status = il_chan_send(self->to, &n, IL_FOREVER); /* waits while there is no room */
    }
    return il_poison(status, self->to);
}

static int work(void *in, void *out)
{
    struct stage *self = in;
    long n;
    int status;
    while (!(status = il_chan_recv(self->from, &n, IL_FOREVER))) {
        n *= 2;
        if ((status = il_chan_send(self->to, &n, IL_FOREVER))) break;
    }
    return il_poison(status, self->from, self->to);
}

static int write_all(void *in, void *out)
{
    struct stage *self = in;
    long n;
    int status;
    while (!(status = il_chan_recv(self->from, &n, IL_FOREVER))) {
        sum += n;
        written++;
        atomic_fetch_sub(&under_way, 1);
    }
    return il_poison(status, self->from);
}

int main(void)
{
    struct stage stages[STAGES] = { 0 };
    il_executor *pool = NULL;
    int status = il_threads_new(NULL, &pool);
    for (int i = 0; !status && i + 1 < STAGES; i++) {
        status = il_chan_new(sizeof(long), &(il_chan_opts){ .capacity = ROOM }, &stages[i].to);
        stages[i + 1].from = stages[i].to;
    }
    if (!status)
        status = il_par(pool, IL_PROCESS(read_all, &stages[0]), IL_PROCESS(work, &stages[1]),
                        IL_PROCESS(write_all, &stages[2]));
    printf("%s: %ld of %d items, sum %ld; never more than %ld of them under way (bound: %d)\n",
           il_strerror(status), written, ITEMS, sum, most, BOUND);
    for (int i = 0; i + 1 < STAGES; i++) il_chan_free(stages[i].to);
    il_executor_free(pool);
    return status || written != ITEMS || sum != (long)ITEMS * (ITEMS + 1) || most > BOUND;
}
