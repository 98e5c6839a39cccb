/* SPDX-License-Identifier: MIT */
/*
 * The log. What it promises: a job whose success is in it has succeeded, and is not run again by
 * --resume. A line is written by one write() to a file opened for appending, so that nothing but a
 * full disk can leave half of one; such a half is closed by an end of line, and counts for nothing.
 *
 * Killing the command does not kill who writes this (see run/front.c), so between the success of a
 * job and its line nothing can come but the end of the machine. At the end, and then only, the file is
 * forced to the disk: against a power cut the log is as safe as what the jobs wrote themselves.
 */

#include "run/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "tool.h"

/* A success: name (or "") and command with a 0 between. Sorted. */
struct known {
    char *key;
    size_t size;
    unsigned times;
};

static int compare(const void *a, const void *b)
{
    const struct known *x = a, *y = b;
    int order = memcmp(x->key, y->key, x->size < y->size ? x->size : y->size);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

static bool make_key(struct known *out, const char *name, const char *command)
{
    struct text text = { 0 };
    text_put(&text, name ? name : "");
    text_add(&text, "", 1);
    text_json(&text, command, strlen(command)); /* what is no UTF-8 came back as U+FFFD */
    *out = (struct known){ .key = text.data, .size = text.size, .times = 1 };
    return !text.broken;
}

static int remember(struct run_log *log, size_t *room, const char *name, const char *command)
{
    if (log->known_count == *room) {
        size_t more = *room ? 2 * *room : 256;
        struct known *known = realloc(log->known, more * sizeof *known);
        if (!known) return -ENOMEM;
        log->known = known;
        *room = more;
    }
    return make_key(&log->known[log->known_count++], name, command) ? 0 : -ENOMEM;
}

static int learn_line(struct run_log *log, size_t *room, const char *line)
{
    json_t *object = json_loads(line, 0, NULL);
    const char *command = json_string_value(json_object_get(object, "command"));
    const char *name = json_string_value(json_object_get(object, "name"));
    bool done = json_is_true(json_object_get(object, "done"));
    int status = command && done ? remember(log, room, name, command) : 0;
    json_decref(object);
    return status;
}

/* Equal ones into one, so that looking one up is a search and a count. */
static void merge(struct run_log *log)
{
    size_t kept = 0;

    qsort(log->known, log->known_count, sizeof *log->known, compare);
    for (size_t i = 0; i < log->known_count; i++) {
        if (kept && !compare(&log->known[kept - 1], &log->known[i])) {
            log->known[kept - 1].times++;
            free(log->known[i].key);
        } else {
            log->known[kept++] = log->known[i];
        }
    }
    log->known_count = kept;
}

static int learn(struct run_log *log)
{
    int copy = dup(log->fd), status = 0;
    FILE *file = copy < 0 ? NULL : fdopen(copy, "re");
    char *line = NULL;
    size_t size = 0, room = 0;
    bool whole = true;

    if (!file) return -errno;
    while (!status && getline(&line, &size, file) >= 0) {
        whole = strchr(line, '\n');
        status = learn_line(log, &room, line);
    }
    if (!status && ferror(file)) status = -EIO;
    free(line);
    fclose(file);
    if (log->known_count) merge(log);
    if (!status && !whole && write(log->fd, "\n", 1) != 1) status = -errno;
    return status;
}

static int lock(struct run_log *log)
{
    if (!flock(log->fd, LOCK_EX | LOCK_NB)) return 0;
    if (errno != EWOULDBLOCK) return -errno;
    tool_say("%s: waiting for the run that still writes it", log->path);
    return flock(log->fd, LOCK_EX) ? -errno : 0;
}

int run_log_open(struct run_log *log, const char *path, bool resume)
{
    int status = 0;

    log->path = path;
    log->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (log->fd < 0) status = -errno;
    if (!status) status = lock(log);
    if (!status && resume) status = learn(log);
    if (status) return tool_usage("%s: %s", path, strerror(-status));
    if (!resume && lseek(log->fd, 0, SEEK_END) > 0)
        return tool_usage("%s: holds an earlier run; --resume goes on with it", path);
    return 0;
}

bool run_log_knows(struct run_log *log, const struct job *job)
{
    struct known wanted, *found = NULL;

    if (!log->known_count || !make_key(&wanted, job->name, job->line.text)) return false;
    found = bsearch(&wanted, log->known, log->known_count, sizeof wanted, compare);
    free(wanted.key);
    if (!found || !found->times) return false;
    found->times--;
    return true;
}

/* ---- Writing ---- */

static void add_time(struct text *out, double seconds)
{
    time_t whole = (time_t)seconds;
    struct tm parts;
    char words[32];

    gmtime_r(&whole, &parts);
    strftime(words, sizeof words, "%Y-%m-%dT%H:%M:%S", &parts);
    text_print(out, ", \"start\": \"%s.%03dZ\"", words, (int)((seconds - (double)whole) * 1000));
}

static void add_run(const struct job *job, struct text *out)
{
    char name[16];

    add_time(out, job->started);
    text_print(out, ", \"seconds\": %.3f, \"cpu\": %.3f, \"peak_kib\": %llu, \"tries\": %u",
               (double)(job->exit.ended - job->exit.started) / 1e9,
               (double)job->exit.cpu_time / 1e9, (unsigned long long)job->exit.peak_memory >> 10,
               job->tries);
    if (job->exit.signal)
        text_print(out, ", \"signal\": \"%s\"", signal_name(job->exit.signal, name));
    else if (!job->status) text_print(out, ", \"exit\": %d", job->exit.code);
}

void job_as_json(const struct job *job, struct text *out)
{
    bool done = job->state == JOB_DONE;

    text_print(out, "\"job\": %u", job->number);
    if (job->name) {
        text_put(out, ", \"name\": ");
        text_json(out, job->name, strlen(job->name));
    }
    text_put(out, ", \"command\": ");
    text_json(out, job->line.text, strlen(job->line.text));
    text_print(out, ", \"done\": %s", done ? "true" : "false");
    if (job->tries) add_run(job, out);
    if (!done) {
        struct text why = { 0 };
        job_reason(job, &why);
        text_put(out, ", \"reason\": ");
        text_json(out, why.data ? why.data : "", why.size);
        text_free(&why);
    }
}

void run_log_add(struct run_log *log, const struct job *job)
{
    struct text line = { 0 };

    if (log->fd < 0 || log->status) return;
    text_put(&line, "{");
    job_as_json(job, &line);
    text_put(&line, "}\n");
    if (line.broken) log->status = -ENOMEM;
    else if (write(log->fd, line.data, line.size) != (ssize_t)line.size)
        log->status = errno ? -errno : -ENOSPC;
    text_free(&line);
}

void run_log_close(struct run_log *log)
{
    if (log->fd < 0) return;
    if (fdatasync(log->fd) && errno != EINVAL && !log->status) log->status = -errno;
    close(log->fd);
}

void run_log_forget(struct run_log *log)
{
    for (size_t i = 0; i < log->known_count; i++) free(log->known[i].key);
    free(log->known);
}
