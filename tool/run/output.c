/* SPDX-License-Identifier: MIT */
/*
 * Output of the jobs. Each job has what it said and did not end with an end of line, and what it may
 * not say yet; the rest is written at once, with one write for as many lines as came together.
 */

#include "run/output.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "progress.h"
#include "run/log.h"
#include "tool.h"

enum { CHUNK = 64 << 10 };

bool output_hears(const struct output *output, const struct job *job)
{
    return !output->json && (!output->keep_order || output->speaks == job);
}

bool output_is_full(const struct output *output, const struct job *job)
{
    if (output->json || output_hears(output, job)) return false;
    return output->held > OUTPUT_HELD && output->speaks && output->speaks->state == JOB_RUNS;
}

static int write_errors(const char *text, size_t size)
{
    while (size) {
        ssize_t written = write(STDERR_FILENO, text, size);
        if (written >= 0) {
            text += written;
            size -= (size_t)written;
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){ .fd = STDERR_FILENO, .events = POLLOUT }, 1, -1);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

static void put(struct output *output, int which, const char *text, size_t size)
{
    if (!size) return;
    progress_hide();
    if (which == 1) {
        if (!output->plain_errors && write_errors(text, size)) output->plain_errors = true;
    } else if (!output->status) {
        output->status = tool_write(text, size);
    }
}

static void put_tagged(struct output *output, const struct job *job, int which, const char *text,
                       size_t size)
{
    struct text tagged = { 0 };

    while (size) {
        const char *end = memchr(text, '\n', size);
        size_t length = end ? (size_t)(end - text) + 1 : size;
        text_put(&tagged, job->tag);
        text_put(&tagged, "\t");
        text_add(&tagged, text, length);
        text += length;
        size -= length;
    }
    if (tagged.broken) output->status = -ENOMEM;
    else put(output, which, tagged.data, tagged.size);
    text_free(&tagged);
}

static void put_lines(struct output *output, const struct job *job, int which, const char *text,
                      size_t size)
{
    if (output->tag) put_tagged(output, job, which, text, size);
    else put(output, which, text, size);
}

/* Write the whole lines of a text; returns how many bytes they were. */
static size_t write_whole(struct output *output, const struct job *job, int which, const char *text,
                          size_t size)
{
    const char *last = size ? memrchr(text, '\n', size) : NULL;
    size_t whole = last ? (size_t)(last - text) + 1 : 0;

    put_lines(output, job, which, text, whole);
    return whole;
}

static void write_stream(struct output *output, struct job *job, int which, bool all)
{
    struct text *said = &job->said[which];

    if (all && said->size && said->data[said->size - 1] != '\n') text_put(said, "\n");
    text_drop(said, write_whole(output, job, which, said->data, said->size));
}

void output_write(struct output *output, struct job *job, bool all)
{
    write_stream(output, job, 0, all);
    write_stream(output, job, 1, all);
}

/* What it has just said: whole lines go straight through, if nothing is before them. */
static void take(struct output *output, struct job *job, int which, const char *text, size_t size)
{
    struct text *said = &job->said[which];
    bool hears = output_hears(output, job);
    size_t through = hears && !said->size ? write_whole(output, job, which, text, size) : 0;

    text_add(said, text + through, size - through);
    if (said->broken) output->status = -ENOMEM;
    else if (hears && !through) write_stream(output, job, which, false);
    if (!hears && !output->json) output->held += size;
}

int output_read(struct output *output, struct job *job, int which)
{
    static char chunk[CHUNK];
    size_t size = 0;
    int status = il_process_read(job->process, which + 1, chunk, sizeof chunk, IL_NOW, &size);

    if (status == -EAGAIN) return 0;
    if (status || !size) return -1;
    take(output, job, which, chunk, size);
    return 1;
}

void output_give_turn(struct output *output, struct job *job)
{
    output->speaks = job;
    if (!job || output->json) return;
    output->held -= job->said[0].size + job->said[1].size;
    output_write(output, job, job_is_over(job));
}

static void add_said(struct text *out, const char *name, const struct text *said)
{
    text_print(out, ", \"%s\": ", name);
    text_json(out, said->data ? said->data : "", said->size);
}

void output_report(struct output *output, struct job *job)
{
    struct text line = { 0 };

    text_put(&line, "{");
    job_as_json(job, &line);
    add_said(&line, "stdout", &job->said[0]);
    add_said(&line, "stderr", &job->said[1]);
    text_put(&line, "}\n");
    if (line.broken) output->status = -ENOMEM;
    else put(output, 0, line.data, line.size);
    text_free(&line);
    text_free(&job->said[0]);
    text_free(&job->said[1]);
}
