/* SPDX-License-Identifier: MIT */
/* A job, how it ended in words, and jobs that wait for each other. */

#include "run/job.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

struct job *job_new(unsigned number)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job) return NULL;
    job->number = number;
    job->state = JOB_READY;
    job->deadline = job->kill_at = job->again_at = IL_FOREVER;
    return job;
}

void job_free(struct job *job)
{
    if (!job) return;
    il_process_free(job->process);
    command_line_free(&job->line);
    text_free(&job->said[0]);
    text_free(&job->said[1]);
    free(job->dependents);
    free(job->name);
    free(job->tag);
    free(job);
}

bool job_is_over(const struct job *job)
{
    return job->state >= JOB_DONE;
}

const char *signal_name(int number, char buffer[16])
{
    const char *name = sigabbrev_np(number);
    if (name) snprintf(buffer, 16, "SIG%s", name);
    else snprintf(buffer, 16, "signal %d", number);
    return buffer;
}

void job_reason(const struct job *job, struct text *out)
{
    static const char *const verdicts[] = { NULL, "ran longer than --timeout",
                                            "had more memory than --memory", "ended by --halt",
                                            "interrupted" };
    char name[16];

    if (job->state == JOB_SKIPPED) {
        if (job->blame->name) text_print(out, "skipped, since %s failed", job->blame->name);
        else text_print(out, "skipped, since job %u failed", job->blame->number);
    } else if (job->verdict) {
        text_put(out, verdicts[job->verdict]);
    } else if (job->status) {
        text_print(out, "cannot be run: %s", strerror(-job->status));
    } else if (job->exit.signal) {
        text_print(out, "ended by %s%s", signal_name(job->exit.signal, name),
                   job->exit.core ? ", core dumped" : "");
    } else {
        text_print(out, "exit code %d", job->exit.code);
    }
    if (job->tries > 1) text_print(out, " (after %u tries)", job->tries);
}

/* ---- The graph ---- */

static bool is_name(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("_-.", text[i])) return false;
    return size;
}

static struct job *find(const struct graph *graph, const char *name, size_t size)
{
    for (unsigned i = 0; i < graph->count; i++) {
        const char *other = graph->jobs[i]->name;
        if (strlen(other) == size && !memcmp(other, name, size)) return graph->jobs[i];
    }
    return NULL;
}

static int add_job(struct graph *graph, const char *name, size_t size, const char *command)
{
    size_t count = graph->count + 1;
    struct job **jobs = realloc(graph->jobs, count * sizeof *jobs);
    if (jobs) graph->jobs = jobs;
    char **after = realloc(graph->after, count * sizeof *after);
    if (after) graph->after = after;
    struct job *job = job_new((unsigned)count);
    char *line = (char *)command;
    struct template *template = template_new(NULL, 0, 1);
    if (job) job->name = strndup(name, size);
    int status = !job || !jobs || !after || !template || !job->name
                     ? -ENOMEM
                     : template_expand(template, &line, 1, 0, &job->line);
    template_free(template);
    if (status) {
        job_free(job);
        return tool_usage("no memory");
    }
    graph->after[graph->count] = NULL;
    graph->jobs[graph->count++] = job;
    return 0;
}

int graph_after(struct graph *graph, const char *names)
{
    if (!graph->count) return tool_usage("--after: comes behind the --job that waits");
    char **after = &graph->after[graph->count - 1];
    char *both = NULL;
    if (asprintf(&both, "%s %s", *after ? *after : "", names) < 0) return tool_usage("no memory");
    free(*after);
    *after = both;
    return 0;
}

int graph_add(struct graph *graph, const char *where, const char *text)
{
    const char *name = text + strspn(text, " \t"), *colon = strchr(name, ':');
    size_t size = strcspn(name, " \t:");
    if (!colon || !is_name(name, size))
        return tool_usage("%s: '%s' is not NAME: COMMAND", where, text);
    const char *rest = name + size + strspn(name + size, " \t");
    const char *command = colon + 1 + strspn(colon + 1, " \t");
    bool waits = rest < colon && !strncmp(rest, "after", 5) && strchr(" \t", rest[5]);
    if (rest < colon && !waits)
        return tool_usage("%s: '%s' is not NAME after NAME...: COMMAND", where, text);
    if (!*command) return tool_usage("%s: %.*s has no command", where, (int)size, name);
    if (find(graph, name, size))
        return tool_usage("%s: there are two jobs %.*s", where, (int)size, name);

    int wrong = add_job(graph, name, size, command);
    if (wrong || !waits) return wrong;
    char *names = strndup(rest + 5, (size_t)(colon - rest - 5));
    wrong = names ? graph_after(graph, names) : tool_usage("no memory");
    free(names);
    return wrong;
}

int graph_read(struct graph *graph, const char *path)
{
    bool standard = !strcmp(path, "-");
    FILE *file = standard ? stdin : fopen(path, "re");
    if (!file) return tool_usage("%s: %s", path, strerror(errno));
    char *line = NULL, where[4200];
    size_t room = 0;
    int wrong = 0;
    for (unsigned number = 1; !wrong && getline(&line, &room, file) >= 0; number++) {
        line[strcspn(line, "\n")] = 0;
        const char *text = line + strspn(line, " \t");
        snprintf(where, sizeof where, "%.4000s:%u", path, number);
        if (*text && *text != '#') wrong = graph_add(graph, where, text);
    }
    if (!wrong && ferror(file)) wrong = tool_usage("%s: %s", path, strerror(EIO));
    free(line);
    if (!standard) fclose(file);
    return wrong;
}

static int wait_for(struct job *job, struct job *other)
{
    size_t count = other->dependents_count + 1;
    struct job **dependents = realloc(other->dependents, count * sizeof(struct job *));
    if (!dependents) return tool_usage("no memory");
    other->dependents = dependents;
    dependents[other->dependents_count++] = job;
    job->waits_for++;
    job->state = JOB_WAITS;
    return 0;
}

static int link_one(struct graph *graph, struct job *job, const char *names)
{
    int wrong = 0;

    while (!wrong && *(names += strspn(names, " \t,"))) {
        size_t size = strcspn(names, " \t,");
        struct job *other = find(graph, names, size);
        wrong = other
                    ? wait_for(job, other)
                    : tool_usage("%s waits for %.*s, which is no job", job->name, (int)size, names);
        names += size;
    }
    return wrong;
}

/* Take away those that wait for nobody, again and again: is one left, it is in a circle or behind
 * one. */
static int find_circle(const struct graph *graph)
{
    unsigned *left = calloc(graph->count + 1, sizeof *left), taken = 0;
    struct job **ready = calloc(graph->count + 1, sizeof *ready);
    if (!left || !ready) {
        free(left);
        free(ready);
        return tool_usage("no memory");
    }
    int wrong = 0;

    for (unsigned i = 0; !wrong && i < graph->count; i++) {
        left[i] = graph->jobs[i]->waits_for;
        if (!left[i]) ready[taken++] = graph->jobs[i];
    }
    for (unsigned i = 0; !wrong && i < taken; i++) {
        for (unsigned k = 0; k < ready[i]->dependents_count; k++) {
            struct job *next = ready[i]->dependents[k];
            if (!--left[next->number - 1]) ready[taken++] = next;
        }
    }
    for (unsigned i = 0; !wrong && i < graph->count; i++)
        if (left[i])
            wrong = tool_usage("%s waits for itself, by way of others", graph->jobs[i]->name);
    free(left);
    free(ready);
    return wrong;
}

int graph_link(struct graph *graph)
{
    int wrong = 0;

    for (unsigned i = 0; i < graph->count && !wrong; i++)
        if (graph->after[i]) wrong = link_one(graph, graph->jobs[i], graph->after[i]);
    return wrong ? wrong : find_circle(graph);
}

void graph_free(struct graph *graph)
{
    for (unsigned i = 0; i < graph->count; i++) free(graph->after[i]);
    free(graph->after);
    free(graph->jobs);
}
