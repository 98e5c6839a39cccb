/* SPDX-License-Identifier: MIT */
/*
 * A queue of work between processes, as Python's JoinableQueue, that survives its workers. Three worker
 * processes take orders from one channel and put results into another. One of them is killed with an
 * order in its hands; that order is delivered again, and nothing is lost.
 */
#include <errno.h>
#include <interlock.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { WORKERS = 3, ORDERS = 300 };

struct result {
    long order, square, pid;
};

/* What a worker is given: plain bytes. */
struct desk {
    il_handle orders, results;
    bool clumsy; /* it will not live to see the end */
};

static int work(void *in, void *out)
{
    struct desk *desk = in;
    il_chan *orders = NULL, *results = NULL;
    long order, received = 0;
    int status = il_shared_chan_open(&desk->orders, &orders);
    if (!status) status = il_shared_chan_open(&desk->results, &results);
    while (!status && !(status = il_chan_recv(orders, &order, IL_FOREVER))) {
        if (desk->clumsy && ++received == 10) raise(SIGKILL);
        struct result result = { order, order * order, getpid() };
        status = il_chan_send(results, &result, IL_FOREVER);
        il_chan_done(orders); /* only now the channel forgets the order */
    }
    il_chan_free(orders);
    il_chan_free(results);
    return status == -EPIPE ? 0 : status; /* closed: that is how it ends */
}

/* A fiber of this program: orders go in while results come out. */
static int send_orders(void *in, void *out)
{
    il_chan *orders = in;
    int status = 0;
    for (long i = 0; !status && i < ORDERS; i++) status = il_chan_send(orders, &i, IL_FOREVER);
    if (!status) status = il_chan_join(orders, IL_FOREVER); /* all done, by whomever */
    il_chan_close(orders);
    return status;
}

int main(void)
{
    bool seen[ORDERS] = { false };
    int missing = ORDERS, again = 0, dead = 0;
    il_arena *arena = NULL;
    il_chan *orders = NULL, *results = NULL;
    il_executor *pool = NULL, *here = NULL;
    il_scope *scope = NULL;
    il_future *futures[WORKERS] = { NULL };
    il_shared_chan_opts few = { .capacity = 8 }, many = { .at_most_once = true };

    int status = il_arena_new(NULL, &arena);
    if (!status) status = il_shared_chan_new(arena, sizeof(long), &few, &orders);
    if (!status) status = il_shared_chan_new(arena, sizeof(struct result), &many, &results);
    if (!status) status = il_threads_new(&(il_threads_opts){ .workers = 1 }, &here);
    if (!status) status = il_processes_new(&(il_processes_opts){ .workers = WORKERS }, &pool);
    for (int i = 0; !status && i < WORKERS; i++) {
        struct desk desk = { il_shared_chan_handle(orders), il_shared_chan_handle(results),
                             i == 0 };
        status = il_submit(pool, work, &desk, sizeof desk, 0, NULL, &futures[i]);
    }
    if (!status) status = il_scope_open(&(il_scope_opts){ .executor = here }, &scope);
    if (!status) status = il_go(scope, send_orders, orders, NULL);

    while (!status && missing) {
        struct result result;
        status = il_chan_recv(results, &result, il_after(IL_SEC(60)));
        if (status || result.square != result.order * result.order) break;
        if (seen[result.order]) again++; /* its worker died between the result and "done" */
        else missing--;
        seen[result.order] = true;
    }
    if (scope) il_scope_close(scope);
    for (int i = 0; i < WORKERS; i++) {
        if (futures[i]) dead += il_future_get(futures[i], IL_FOREVER, NULL) == -EOWNERDEAD;
        il_future_free(futures[i]);
    }
    il_executor_free(pool);
    il_executor_free(here);
    il_chan_free(orders);
    il_chan_free(results);
    il_arena_free(arena);
    printf("%s: %d worker killed, %d orders missing, %d done twice\n", il_strerror(status), dead,
           missing, again);
    return status || missing || dead != 1;
}
