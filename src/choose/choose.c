/* SPDX-License-Identifier: MIT */
/*
 * Measure a job with each candidate: one round that does not count (caches, page faults, the clock
 * of the CPU), then rounds in each of which every candidate runs once, the first of a round another
 * each time. A run is all that a user would pay for: making the executor, the work, freeing it. So
 * no candidate's threads are around while another is measured.
 */

#include <interlock/choose.h>

#include <errno.h>
#include <string.h>

#include <interlock/map.h>
#include <interlock/scope.h>

#include "base/memory.h"
#include "choose/peak.h"
#include "choose/statistics.h"

enum { RUNS = 9 };

struct measurement {
    const il_job *job;
    const il_candidate *candidates;
    size_t count;
    unsigned runs;
    const il_choose_opts *opts;

    char *out;
    /* [run * count + candidate] */
    double *seconds, *cpu, *voluntary, *involuntary;
    int64_t *peak; /* [candidate] */
    bool *once;    /* [candidate]: a long run, which stands for all */
    bool summed;
    uint64_t checksum;
};

/* FNV-1a. */
static uint64_t checksum_of_bytes(const char *bytes, size_t size)
{
    uint64_t sum = 0xcbf29ce484222325;
    for (size_t i = 0; i < size; i++) sum = (sum ^ (unsigned char)bytes[i]) * 0x100000001b3;
    return sum;
}

static int work(struct measurement *m, const il_candidate *candidate, il_cost *out_cost)
{
    const il_job *job = m->job;
    il_executor *executor = NULL;
    il_cost_begin(out_cost);
    int status = candidate->open(candidate, &executor);
    if (status) return il_fail(status, "making the executor %s", candidate->on);
    status =
        il_map_bytes(executor, job->fn, job->in, job->in_size, job->out_size ? m->out : NULL,
                     job->out_size, job->count,
                     &(il_map_opts){
                         .stop_on_error = true,
                         .name = job->name ? job->name : "job",
                         .at_once = candidate->at_once ? candidate->at_once : candidate->workers,
                     });
    if (candidate->close) candidate->close(candidate, executor);
    else il_executor_free(executor);
    il_cost_end(out_cost);
    return status;
}

/* Every run must find what the first one found. */
static int check(struct measurement *m, const il_candidate *candidate)
{
    const il_job *job = m->job;
    uint64_t sum = job->checksum ? job->checksum(m->out, job->count, job->arg)
                                 : checksum_of_bytes(m->out, job->out_size * job->count);
    if (!m->summed) m->checksum = sum;
    m->summed = true;
    if (sum == m->checksum) return 0;
    return il_fail(-EBADMSG, "%s with %u workers: checksum %016llx, but %s with %u had %016llx",
                   candidate->on, candidate->workers, (unsigned long long)sum, m->candidates[0].on,
                   m->candidates[0].workers, (unsigned long long)m->checksum);
}

static void note(struct measurement *m, size_t run, size_t i, const il_cost *cost, int64_t peak)
{
    size_t at = run * m->count + i;
    m->seconds[at] = (double)(cost->wall > 0 ? cost->wall : 1) / 1e9;
    m->cpu[at] = (double)(cost->user + cost->system) / 1e9;
    m->voluntary[at] = (double)cost->voluntary;
    m->involuntary[at] = (double)cost->involuntary;
    if (peak > m->peak[i]) m->peak[i] = peak;
}

/* `run` -1 does not count, unless it is a long one. */
static int measure(struct measurement *m, int run, size_t i)
{
    const il_candidate *candidate = &m->candidates[i];
    il_cost cost;
    memset(m->out, 0, m->job->out_size * m->job->count);
    bool marked = !il__peak_reset();
    int status = work(m, candidate, &cost);
    int64_t peak = marked ? il__peak_read() : -1;
    if (!status) status = check(m, candidate);
    if (status) return status;

    int64_t long_run = m->opts ? m->opts->long_run : 0;
    if (run >= 0) note(m, (size_t)run, i, &cost, peak);
    if (run >= 0 || !long_run || cost.wall <= long_run) return 0;
    m->once[i] = true;
    for (unsigned every = 0; every < m->runs; every++) note(m, every, i, &cost, peak);
    return 0;
}

static int measure_all(struct measurement *m)
{
    const il_choose_opts *opts = m->opts;
    size_t done = 0, total = (m->runs + 1) * m->count;
    for (int run = -1; run < (int)m->runs; run++) {
        for (size_t k = 0; k < m->count; k++) {
            if (il_cancelled()) return -ECANCELED;
            size_t i = ((run < 0 ? 0 : (size_t)run) + k) % m->count;
            int status = m->once[i] ? 0 : measure(m, run, i);
            if (status) return status;
            done++;
            if (opts && opts->on_progress) opts->on_progress(done, total, opts->progress_arg);
        }
    }
    return 0;
}

/* The median over the runs of one candidate; `scratch` has a value a run. */
static double median(const struct measurement *m, const double *values, size_t i, double *scratch)
{
    for (unsigned run = 0; run < m->runs; run++) scratch[run] = values[run * m->count + i];
    return il__summarize(scratch, m->runs).median;
}

static void fill_rows(struct measurement *m, il_row *rows)
{
    double *scratch = m->seconds; /* il_advise is done with it */
    for (size_t i = 0; i < m->count; i++) {
        rows[i].cpu = median(m, m->cpu, i, scratch);
        rows[i].voluntary = median(m, m->voluntary, i, scratch);
        rows[i].involuntary = median(m, m->involuntary, i, scratch);
        rows[i].peak_kib = m->peak[i];
        rows[i].checksum = m->checksum;
        rows[i].runs = m->once[i] ? 1 : m->runs;
    }
}

static int allocate(struct measurement *m)
{
    size_t cells = m->runs * m->count;
    m->out = il__zalloc(m->job->out_size * m->job->count + 1);
    m->seconds = il__zalloc(4 * cells * sizeof(double));
    m->peak = il__alloc(m->count * sizeof *m->peak);
    m->once = il__zalloc(m->count * sizeof *m->once);
    if (!m->out || !m->seconds || !m->peak || !m->once) return -ENOMEM;
    m->cpu = m->seconds + cells;
    m->voluntary = m->cpu + cells;
    m->involuntary = m->voluntary + cells;
    for (size_t i = 0; i < m->count; i++) m->peak[i] = -1;
    return 0;
}

int il_choose(const il_job *job, const il_candidate *candidates, size_t count,
              const il_choose_opts *opts, il_row *rows, il_advice *out_advice)
{
    if (!job->fn || !job->count || !count) return il_fail(-EINVAL, "nothing to measure");
    struct measurement m = {
        .job = job,
        .candidates = candidates,
        .count = count,
        .runs = opts && opts->runs ? opts->runs : RUNS,
        .opts = opts,
    };
    int status = allocate(&m);
    if (!status) status = measure_all(&m);
    if (!status)
        status = il_advise(m.seconds, candidates, count,
                           &(il_choose_opts){ .runs = m.runs, .margin = opts ? opts->margin : 0 },
                           rows, out_advice);
    if (!status) fill_rows(&m, rows);
    il__free(m.once);
    il__free(m.peak);
    il__free(m.seconds);
    il__free(m.out);
    return status;
}
