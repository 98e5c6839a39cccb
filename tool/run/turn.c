/* SPDX-License-Identifier: MIT */
/*
 * Whose output is written next. Without --keep-order a job that is over is written and let go; with it
 * the word goes from job to job in the order of the input, and those that are over early wait with
 * what they said.
 */

#include "run/now.h"

/* Waits its turn no longer, is needed by nobody. */
static void let_go(struct job *job)
{
    if (!now.run->graph.count) job_free(job);
}

static void finish_output(struct job *job)
{
    if (now.run->output.json && job->state != JOB_KNOWN) output_report(&now.run->output, job);
    let_go(job);
}

void turn_line_up(struct job *job)
{
    if (!now.speaks) now.last_to_speak = &now.speaks;
    job->speaks_next = NULL;
    *now.last_to_speak = job;
    now.last_to_speak = &job->speaks_next;
}

/* The one whose turn it is may need one of those that are not read: until it runs, read all. */
static void hear_all(void)
{
    if (now.run->output.held <= OUTPUT_HELD) return;
    for (unsigned i = 0; i < now.run->slots; i++)
        if (now.slots[i].job) slot_hear(now.slots[i].job);
}

/* --keep-order: the word goes to the first that is not over, and past those that are. */
void turn_pass(void)
{
    struct output *output = &now.run->output;

    while (now.speaks) {
        struct job *first = now.speaks;
        if (output->speaks != first) {
            output_give_turn(output, first);
            slot_hear(first);
        }
        if (first->state != JOB_RUNS) hear_all();
        if (!job_is_over(first)) return;
        if (!output->json) output_write(output, first, true);
        now.speaks = first->speaks_next;
        output->speaks = NULL;
        finish_output(first);
    }
}

void turn_is_through(struct job *job)
{
    struct output *output = &now.run->output;

    if (output->keep_order) {
        turn_pass();
    } else {
        if (!output->json) output_write(output, job, true);
        finish_output(job);
    }
}
