/* SPDX-License-Identifier: MIT */
/* The map lines with Interlock: il_map on a pool of threads, from outside of it. */

#include "map_work.h"
#include <interlock.h>

static il_executor *pool;

static void map(const map_job *job)
{
    bench_must(il_map(pool, job->fn, job->in, job->out, (size_t)job->n, NULL), "map");
}

int main(int argc, char **argv)
{
    map_job job = map_asked(argv);

    bench_must(il_threads_new(&(il_threads_opts){ .workers = (unsigned)job.workers }, &pool),
               "pool");
    map_measure(&job, "interlock", map);
    il_executor_free(pool);
    return argc == 0;
}
