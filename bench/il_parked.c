/* SPDX-License-Identifier: MIT */
/*
 * Very many fibers that all wait at one event, with Interlock: the time to start them until all
 * are parked (-start), to wake them until all have ended (-end), and the memory that they take
 * while they wait (-memory), each a fiber.
 */

#include "bench.h"
#include <interlock.h>

typedef struct crowd {
    int64_t n;
    char *out;
    int64_t start, end, bytes; /* results */
} crowd;

static il_latch arrived;
static il_event gate;

static int wait_here(void *in, void *out)
{
    il_latch_count_down(&arrived, 1);
    il_event_wait(&gate);
    *(char *)out = 1;
    return 0;
}

static int root(void *in, void *out)
{
    crowd *all = *(crowd **)in;
    int64_t before = bench_resident(), start = bench_now();
    il_scope *scope = NULL;

    bench_must(il_scope_open(NULL, &scope), "scope");
    for (int64_t i = 0; i < all->n; i++) {
        bench_must(il_go(scope, wait_here, NULL, &all->out[i]), "go");
    }
    il_latch_wait(&arrived);
    all->start = bench_now() - start;
    all->bytes = bench_resident() - before;
    start = bench_now();
    il_event_set(&gate);
    bench_must(il_scope_close(scope), "fibers");
    all->end = bench_now() - start;
    return 0;
}

static void park(il_executor *pool, crowd *all)
{
    il_future *future = NULL;
    int64_t ended = 0;

    arrived = (il_latch){ .count = (uint32_t)all->n };
    il_event_clear(&gate);
    memset(all->out, 0, (size_t)all->n);
    bench_must(il_submit(pool, root, &all, sizeof all, 0, NULL, &future), "submit");
    bench_must(il_future_get(future, IL_FOREVER, NULL), "root task");
    il_future_free(future);
    for (int64_t i = 0; i < all->n; i++) ended += all->out[i];
    bench_expect("parked", ended, all->n);
}

int main(int argc, char **argv)
{
    const char *what = bench_word(argv, "what");
    int64_t n = bench_number(argv, "n", 1000), times = bench_number(argv, "times", 1);
    int workers = (int)bench_number(argv, "workers", 1);
    crowd all = { .n = n, .out = bench_array((size_t)n, 1) };
    double fibers = (double)(n * times), start = 0, end = 0, bytes = 0;
    il_executor *pool = NULL;
    char line[3][64];

    if (!what) what = "parked-1k";
    bench_must(il_threads_new(&(il_threads_opts){ .workers = (unsigned)workers }, &pool), "pool");
    for (int64_t i = 0; i < times; i++) {
        park(pool, &all);
        start += (double)all.start;
        end += (double)all.end;
        if (i == 0) bytes = (double)all.bytes;
    }
    il_executor_free(pool);
    free(all.out);

    snprintf(line[0], sizeof line[0], "%s-start", what);
    snprintf(line[1], sizeof line[1], "%s-end", what);
    snprintf(line[2], sizeof line[2], "%s-memory", what);
    bench_line(line[0], "interlock", workers, start / fibers, "ns", n);
    bench_line(line[1], "interlock", workers, end / fibers, "ns", n);
    if (times == 1) bench_line(line[2], "interlock", workers, bytes / fibers, "bytes", n);
    return argc == 0;
}
