/* SPDX-License-Identifier: MIT */
/*
 * The shared lines with Interlock: channels between this process and a worker process.
 *   shared-ping   there and back, one item at a time: per item
 *   shared-one    from here to there, 128 inside
 *   shared-done   the same, each item acknowledged, and delivered again if its receiver dies
 */

#include "bench.h"
#include <errno.h>
#include <interlock.h>

enum { CAPACITY = 128 };

struct roads {
    il_handle there, back;
    bool echo, done;
};

/* In the worker: sends each item back plus one, or their sum at the end. */
static int serve(void *in, void *out)
{
    struct roads *roads = in;
    il_chan *from = NULL, *to = NULL;
    int64_t item, sum = 0;
    int status = il_shared_chan_open(&roads->there, &from);

    if (!status) status = il_shared_chan_open(&roads->back, &to);
    while (!status && !(status = il_chan_recv(from, &item, IL_FOREVER))) {
        sum += item++;
        if (roads->echo) status = il_chan_send(to, &item, IL_FOREVER);
        if (roads->done) il_chan_done(from);
    }
    il_chan_free(from);
    il_chan_free(to);
    *(int64_t *)out = sum;
    return status == -EPIPE ? 0 : status;
}

static int64_t play(const char *line, il_chan *there, il_chan *back, int64_t n)
{
    for (int64_t ball = 0, i = 0; i < n / 2; i++) {
        bench_must(il_chan_send(there, &ball, IL_FOREVER), "send");
        bench_must(il_chan_recv(back, &ball, IL_FOREVER), "receive");
        if (i == n / 2 - 1) bench_expect(line, ball, n / 2);
    }
    return (n / 2 - 1) * (n / 2) / 2;
}

static int64_t pour(il_chan *there, int64_t n)
{
    for (int64_t i = 0; i < n; i++) bench_must(il_chan_send(there, &i, IL_FOREVER), "send");
    return n * (n - 1) / 2;
}

static double measure(const char *line, il_executor *pool, int64_t n)
{
    bool ping = !strcmp(line, "shared-ping"), done = !strcmp(line, "shared-done");
    il_shared_chan_opts opts = { .capacity = ping ? 1 : CAPACITY, .at_most_once = !done };
    il_arena *arena = NULL;
    il_chan *there = NULL, *back = NULL;
    il_future *future = NULL;
    int64_t sum = 0;

    bench_must(il_arena_new(NULL, &arena), "arena");
    bench_must(il_shared_chan_new(arena, sizeof(int64_t), &opts, &there), "channel");
    bench_must(il_shared_chan_new(arena, sizeof(int64_t), &opts, &back), "channel");
    struct roads roads = { il_shared_chan_handle(there), il_shared_chan_handle(back), ping, done };
    bench_must(il_submit(pool, serve, &roads, sizeof roads, sizeof sum, NULL, &future), "submit");
    int64_t start = bench_now();
    int64_t right = ping ? play(line, there, back, n) : pour(there, n);
    bench_must(il_chan_join(there, IL_FOREVER), "join");
    int64_t time = bench_now() - start;
    il_chan_close(there);
    bench_must(il_future_get(future, IL_FOREVER, &sum), "worker");
    bench_expect(line, sum, right);
    il_future_free(future);
    il_chan_free(there);
    il_chan_free(back);
    il_arena_free(arena);
    return (double)time / (double)n;
}

int main(int argc, char **argv)
{
    int workers = (int)bench_number(argv, "workers", 1);
    int64_t n = bench_number(argv, "n", 100000);
    const char *what = bench_word(argv, "what");
    il_executor *pool = NULL;

    if (!what) bench_die("what=LINE is missing");
    bench_must(il_processes_new(&(il_processes_opts){ .workers = 1 }, &pool), "pool");
    measure(what, pool, n / 100 + 2);
    bench_line(what, "interlock", workers, measure(what, pool, n), "ns", 1);
    il_executor_free(pool);
    return argc == 0;
}
