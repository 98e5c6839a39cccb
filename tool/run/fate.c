/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a job that has ended: done, failed, tried again after a pause, and what that means
 * for those that wait for it and for the run as a whole.
 */

#include <stdio.h>

#include "run/now.h"

#define PAUSE_FIRST IL_MS(200)
#define PAUSE_MOST IL_SEC(30)

/* ---- Queues ---- */

void queue_put(struct queue *queue, struct job *job)
{
    if (!queue->first) queue->end = &queue->first;
    job->next = NULL;
    *queue->end = job;
    queue->end = &job->next;
}

struct job *queue_take(struct queue *queue)
{
    struct job *job = queue->first;
    if (job) queue->first = job->next;
    return job;
}

/* ---- The end ---- */

static void report(const struct job *job)
{
    struct text *text = &now.run->report;

    text_print(text, "interlock run: ");
    if (job->name) text_print(text, "%s: %s: ", job->name, job->line.text);
    else text_print(text, "job %u: %s: ", job->number, job->line.text);
    job_reason(job, text);
    text_put(text, "\n");
}

void job_make_ready(struct job *job)
{
    job->state = JOB_READY;
    queue_put(&now.ready, job);
}

/* Who waited for it may run, or never will; and so on, without recursion: `over` is a list. */
void job_tell_dependents(struct job *job)
{
    struct queue over = { 0 };

    for (struct job *one = job; one; one = queue_take(&over)) {
        bool well = one->state == JOB_DONE || one->state == JOB_KNOWN;
        for (unsigned i = 0; i < one->dependents_count; i++) {
            struct job *other = one->dependents[i];
            if (other->state != JOB_WAITS) continue;
            if (well && --other->waits_for) continue;
            if (well) {
                job_make_ready(other);
                continue;
            }
            other->state = JOB_SKIPPED;
            other->blame = one->state == JOB_SKIPPED ? one->blame : one;
            now.run->skipped++;
            report(other);
            run_log_add(&now.run->log, other);
            queue_put(&over, other);
            if (!now.run->output.keep_order)
                turn_is_through(other); /* else passing the word does */
        }
    }
}

static void stop_starting(void)
{
    now.closing = true;
    now.run->halted = true;
}

static void consider_halt(void)
{
    struct runner *run = now.run;

    if (run->halt == HALT_NEVER || run->failed < run->halt_after || now.ending) return;
    if (!now.closing) stop_starting();
    if (run->halt == HALT_NOW) slots_end(HALTED);
}

void job_conclude(struct job *job, bool well)
{
    struct runner *run = now.run;

    job->state = well ? JOB_DONE : JOB_FAILED;
    if (well) run->done++;
    else run->failed++;
    if (!well) report(job);
    run_log_add(&run->log, job);
    job_tell_dependents(job);
    if (!well) consider_halt();
    turn_is_through(job);
}

/* ---- Once more ---- */

/* 0.2 s, then twice as long each time, up to half a minute. */
static il_time pause_before(unsigned tries)
{
    int64_t pause = PAUSE_FIRST;
    for (unsigned i = 1; i < tries && pause < PAUSE_MOST; i++) pause *= 2;
    return il_after(pause < PAUSE_MOST ? pause : PAUSE_MOST);
}

void job_try_again(struct job *job)
{
    if (output_hears(&now.run->output, job)) output_write(&now.run->output, job, true);
    job->state = JOB_PAUSES;
    job->again_at = pause_before(job->tries);
    queue_put(&now.paused, job);
}

bool job_may_try_again(const struct job *job)
{
    return job->tries <= now.run->retries && !now.closing && !now.ending && job->verdict < HALTED;
}

void jobs_wake_paused(il_time time)
{
    struct queue paused = now.paused;
    struct job *job;

    now.paused = (struct queue){ 0 };
    while ((job = queue_take(&paused))) {
        if (now.closing) job_conclude(job, false);
        else if (job->again_at <= time) job_make_ready(job);
        else queue_put(&now.paused, job);
    }
}
