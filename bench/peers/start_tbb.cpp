// SPDX-License-Identifier: MIT
// Start and end of a task with oneTBB: task_group::run each, one wait for the batch.

#include <batch_work.h>

#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

static void task_batch(int64_t *in, int64_t *out, int64_t count)
{
    tbb::task_group group;

    for (int64_t i = 0; i < count; i++) group.run([=] { out[i] = batch_task(in[i]); });
    group.wait();
}

int main(int, char **argv)
{
    batch_job job = batch_asked(argv);
    size_t workers = static_cast<size_t>(job.workers);
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism, workers);
    tbb::task_arena arena(job.workers);

    arena.execute([&] { batch_measure(&job, task_batch); });
    batch_line(&job, "tbb");
}
