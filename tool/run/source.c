/* SPDX-License-Identifier: MIT */
/*
 * Where jobs come from: the input, made into jobs as slots become free, or the graph, whose jobs are
 * there from the beginning and become ready when nothing they wait for is left.
 */

#include <errno.h>
#include <string.h>

#include "run/now.h"

enum { ARGUMENTS = 64 };

/* ---- The input ---- */

static char *join(char *const *args, int count)
{
    struct text text = { 0 };
    for (int i = 0; i < count; i++) {
        if (i) text_put(&text, "\t");
        text_put(&text, args[i]);
    }
    text_put(&text, "");
    return text.data;
}

static int fill_job(struct job *job, char *const *args, int count)
{
    struct runner *run = now.run;
    int status = template_expand(run->template, args, count, job->number, &job->line);
    if (!status && run->tag && !(job->tag = join(args, count))) status = -ENOMEM;
    return status;
}

static struct job *make_job(char *const *args, int count)
{
    struct job *job = job_new(++now.numbered);
    int status = job ? fill_job(job, args, count) : -ENOMEM;
    if (!status) return job;
    now.run->status = status;
    job_free(job);
    return NULL;
}

/* The next of the input that was not done before; NULL: none now. */
static struct job *next_of_input(void)
{
    struct runner *run = now.run;
    char *args[ARGUMENTS];

    while (!now.input_over && !run->status) {
        int got = input_next(&run->input, args);
        now.input_waits = got < 0;
        if (got == 0) now.input_over = true;
        if (got <= 0) return NULL;
        struct job *job = make_job(args, input_width(&run->input));
        if (!job) return NULL;
        if (!run_log_knows(&run->log, job)) {
            if (run->output.keep_order) turn_line_up(job);
            return job;
        }
        run->known++;
        job_free(job);
    }
    return NULL;
}

struct job *source_next(void)
{
    struct job *job = queue_take(&now.ready);
    return job ? job : next_of_input();
}

/* ---- The graph ---- */

/* All of the graph that waits for nobody is ready, in the order of the file. */
void source_enter_graph(void)
{
    struct runner *run = now.run;

    now.input_over = run->graph.count;
    for (unsigned i = 0; i < run->graph.count; i++) {
        struct job *job = run->graph.jobs[i];
        if (run_log_knows(&run->log, job)) {
            job->state = JOB_KNOWN;
            run->known++;
        }
    }
    for (unsigned i = 0; i < run->graph.count; i++) {
        struct job *job = run->graph.jobs[i];
        if (job->state == JOB_KNOWN) job_tell_dependents(job);
        if (run->tag) job->tag = strdup(job->name);
        if (run->output.keep_order) turn_line_up(job);
    }
    now.ready = (struct queue){ 0 };
    for (unsigned i = 0; i < run->graph.count; i++) {
        struct job *job = run->graph.jobs[i];
        if (job->state == JOB_READY) queue_put(&now.ready, job);
    }
}
