/* SPDX-License-Identifier: MIT */
/* Start and end of a task with OpenMP: a task each, a taskwait for the batch. */

#include <batch_work.h>
#include <omp.h>

static void task_batch(int64_t *in, int64_t *out, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
#pragma omp task firstprivate(in, out, i)
        out[i] = batch_task(in[i]);
    }
#pragma omp taskwait
}

int main(int argc, char **argv)
{
    batch_job job = batch_asked(argv);

    omp_set_dynamic(0);
#pragma omp parallel num_threads(job.workers)
#pragma omp single
    {
        if (omp_get_num_threads() != job.workers) bench_die("OpenMP gave fewer threads");
        batch_measure(&job, task_batch);
    }
    batch_line(&job, "openmp");
    return argc == 0;
}
