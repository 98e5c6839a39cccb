/* SPDX-License-Identifier: MIT */
/*
 * The map lines with OpenMP: `parallel for` with static schedule over the tiny items and with
 * dynamic schedule over the uneven ones. Variant "openmp" calls the function of an item through a
 * pointer, as any library must; with body=1, variant "openmp-body", the compiler sees the body.
 */

#include <map_work.h>
#include <omp.h>

static void for_static(const map_job *job)
{
#pragma omp parallel for schedule(static) num_threads(job->workers)
    for (int64_t i = 0; i < job->n; i++) job->fn(&job->in[i], &job->out[i]);
}

static void for_dynamic(const map_job *job)
{
#pragma omp parallel for schedule(dynamic) num_threads(job->workers)
    for (int64_t i = 0; i < job->n; i++) job->fn(&job->in[i], &job->out[i]);
}

static void body_static(const map_job *job)
{
#pragma omp parallel for schedule(static) num_threads(job->workers)
    for (int64_t i = 0; i < job->n; i++) tiny_item(&job->in[i], &job->out[i]);
}

static void body_dynamic(const map_job *job)
{
#pragma omp parallel for schedule(dynamic) num_threads(job->workers)
    for (int64_t i = 0; i < job->n; i++) uneven_item(&job->in[i], &job->out[i]);
}

int main(int argc, char **argv)
{
    map_job job = map_asked(argv);
    int uneven = job.fn == uneven_item;

    omp_set_dynamic(0);
    if (bench_number(argv, "body", 0)) {
        map_measure(&job, "openmp-body", uneven ? body_dynamic : body_static);
    } else {
        map_measure(&job, "openmp", uneven ? for_dynamic : for_static);
    }
    return argc == 0;
}
