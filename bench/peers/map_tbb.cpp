// SPDX-License-Identifier: MIT
// The map lines with oneTBB: parallel_for, which finds the sizes of its pieces by itself.

#include <map_work.h>

#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>

static void map(const map_job *job)
{
    tbb::parallel_for(tbb::blocked_range<int64_t>(0, job->n), [job](const auto &range) {
        for (int64_t i = range.begin(); i < range.end(); i++) job->fn(&job->in[i], &job->out[i]);
    });
}

int main(int, char **argv)
{
    map_job job = map_asked(argv);
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                              static_cast<size_t>(job.workers));

    map_measure(&job, "tbb", map);
}
