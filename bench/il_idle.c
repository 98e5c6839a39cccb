/* SPDX-License-Identifier: MIT */
/* CPU time that a pool of Interlock uses in a second in which it has nothing to do. */

#include "idle_work.h"
#include <interlock.h>

static int nothing(void *in, void *out)
{
    return 0;
}

int main(int argc, char **argv)
{
    unsigned workers = (unsigned)bench_number(argv, "workers", 1);
    il_executor *pool = NULL;
    il_scope *scope = NULL;

    bench_must(il_threads_new(&(il_threads_opts){ .workers = workers }, &pool), "pool");
    bench_must(il_scope_open(&(il_scope_opts){ .executor = pool }, &scope), "scope");
    for (int i = 0; i < 1000; i++) bench_must(il_go(scope, nothing, NULL, NULL), "go");
    bench_must(il_scope_close(scope), "tasks");
    idle_measure(argv, "interlock");
    il_executor_free(pool);
    return argc == 0;
}
