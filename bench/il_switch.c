/* SPDX-License-Identifier: MIT */
/* The switch line with Interlock: fibers of one worker that il_yield to each other in turn. */

#include "bench.h"
#include <interlock.h>

typedef struct ring {
    int64_t turns; /* of each fiber */
    int64_t switches;
    void *last; /* who ran last */
} ring;

static ring shared; /* one worker: no two fibers touch it at once */

static int turn(void *in, void *out)
{
    for (int64_t i = 0; i < shared.turns; i++) {
        if (shared.last != in) {
            shared.last = in;
            shared.switches++;
        }
        il_yield();
    }
    return 0;
}

static int root(void *in, void *out)
{
    int64_t fibers = *(int64_t *)in;
    char *names = bench_array((size_t)fibers, 1);
    il_scope *scope = NULL;

    bench_must(il_scope_open(NULL, &scope), "scope");
    for (int64_t i = 0; i < fibers; i++) bench_must(il_go(scope, turn, &names[i], NULL), "go");
    bench_must(il_scope_close(scope), "fibers");
    free(names);
    return 0;
}

static void run(il_executor *pool, int64_t fibers)
{
    il_future *future = NULL;

    bench_must(il_submit(pool, root, &fibers, sizeof fibers, 0, NULL, &future), "submit");
    bench_must(il_future_get(future, IL_FOREVER, NULL), "root task");
    il_future_free(future);
}

int main(int argc, char **argv)
{
    int64_t fibers = bench_number(argv, "fibers", 2), n = bench_number(argv, "n", 1000000), start;
    il_executor *pool = NULL;
    char line[32];

    snprintf(line, sizeof line, "switch-%" PRId64, fibers);
    bench_must(il_threads_new(&(il_threads_opts){ .workers = 1 }, &pool), "pool");
    shared.turns = 10;
    run(pool, fibers);

    shared = (ring){ .turns = n / fibers };
    start = bench_now();
    run(pool, fibers);
    int64_t time = bench_now() - start;
    int64_t turns = shared.turns * fibers;
    if (shared.switches < turns - turns / 1000) {
        bench_die("%s: %" PRId64 " switches, not %" PRId64, line, shared.switches, turns);
    }
    bench_line(line, "interlock", 1, (double)time / (double)turns, "ns", 1);
    il_executor_free(pool);
    return argc == 0;
}
