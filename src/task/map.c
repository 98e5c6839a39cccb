/* SPDX-License-Identifier: MIT */
/*
 * Map: as many tasks as there are workers, or as are asked for, take chunks of the index range until it is used up.
 *
 * A chunk is a share of what is left (guided self-scheduling, Polychronopoulos and Kuck 1987): large
 * at first, so that there are few, and small at the end, so that workers finish together whatever
 * the items cost. Shared between the tasks: `next` and `stop`, atomic; the rest guarded by `mutex`.
 */

#include <interlock/map.h>

#include <errno.h>

#include <interlock/mutex.h>

#include "base/memory.h"
#include "task/executor.h"
#include "task/scope.h"

enum {
    SHARES = 8,     /* a chunk is 1/SHARES of each worker's part of what is left */
    LOOK = 10,      /* microseconds between two looks whether to stop, about */
    LONGEST = 1024, /* items between them at the most */
};

struct map {
    il__apply *apply;
    il_fn *fn;
    const char *in;
    char *out;
    size_t in_size, out_size, count, chunk;
    const il_map_opts *opts;
    unsigned workers;

    size_t next;   /* atomic: the first index that nobody has taken */
    bool stop;     /* atomic: begin no further items */
    bool left_out; /* atomic: some of a chunk that was taken did not run */

    il_mutex mutex;
    size_t done;      /* items that ran */
    il_time tell_at;  /* when to call it next */
    size_t failed_at; /* lowest index that failed; count: none */
    int status;       /* of that one */
    il__error *error;
};

/* Take the next chunk: false when there is none. */
static bool take(struct map *map, size_t *out_from, size_t *out_to)
{
    size_t from = il__load(&map->next), chunk;
    do {
        size_t left = map->count - from;
        if (!left) return false;
        chunk = map->chunk ? map->chunk : left / (SHARES * map->workers);
        if (chunk < 1) chunk = 1;
        if (chunk > left) chunk = left;
    } while (!il__cas_weak(&map->next, &from, from + chunk));
    *out_from = from;
    *out_to = from + chunk;
    return true;
}

/* Note a failure if no lower item has failed. The mutex is held. */
static void note_failure(struct map *map, size_t index, int status)
{
    il__agent *self = il__self();
    if (map->failed_at <= index) return;
    il__error_unref(map->error);
    il_explain_at("", 0, status, "item %zu", index);
    map->failed_at = index;
    map->status = status;
    map->error = self->note;
    self->note = NULL;
}

static void fail(struct map *map, size_t index, int status)
{
    il_mutex_lock(&map->mutex);
    note_failure(map, index, status);
    il_mutex_unlock(&map->mutex);
    if (map->opts->stop_on_error) il__store(&map->stop, true);
}

/* Some items are done. One that finds another telling leaves it to that one. */
static void progress(struct map *map, size_t items)
{
    enum { INTERVAL = 20 };
    if (!map->opts->on_progress) return;
    il_mutex_lock(&map->mutex);
    map->done += items;
    il_time now = il_now();
    if (now >= map->tell_at && map->done < map->count) {
        map->tell_at = now + IL_MS(INTERVAL);
        map->opts->on_progress(map->done, map->count, map->opts->progress_arg);
    }
    il_mutex_unlock(&map->mutex);
}

/* Call fn for [from, to), looking at nothing else; returns how many ran. */
static size_t run_stretch(struct map *map, il__cancel *node, size_t from, size_t to)
{
    size_t out_size = map->out ? map->out_size : 0;
    for (size_t i = from; i < to; i++) {
        int status = 0;
        i += map->apply(map->fn, map->in + i * map->in_size, map->in_size,
                        out_size ? map->out + i * out_size : map->out, out_size, to - i, &status);
        if (i == to) break;
        /* The echo of a cancellation is no failure of its own: the item was left out. */
        if (status == -ECANCELED && il__cancel_status(node)) return i - from;
        fail(map, i, status);
        if (il__load(&map->stop)) return i + 1 - from;
    }
    return to - from;
}

static bool should_stop(struct map *map, il__cancel *node)
{
    return il__load(&map->stop) || il__cancel_status(node);
}

/* Call fn for [from, to) in stretches of `*length`, which is made to take about LOOK each, and look
 * between them whether to stop; returns how many ran. */
static size_t run_chunk(struct map *map, il__cancel *node, size_t from, size_t to, size_t *length)
{
    size_t at = from;
    il_time begun = il_now();
    while (at < to && !should_stop(map, node)) {
        size_t end = to - at < *length ? to : at + *length;
        size_t ran = run_stretch(map, node, at, end);
        at += ran;
        if (at < end) break;
        il_time now = il_now();
        if (now - begun > IL_US(LOOK)) *length = *length / 2 + 1;
        else if (*length < LONGEST) *length *= 2;
        begun = now;
    }
    return at - from;
}

static int run(void *in, void *out)
{
    (void)out;
    struct map *map = in;
    il__cancel *node = &((il_scope *)il__self()->scope)->cancel;
    size_t from, to, length = 1;
    while (!should_stop(map, node) && take(map, &from, &to)) {
        size_t ran = run_chunk(map, node, from, to, &length);
        progress(map, ran);
        if (ran < to - from) {
            il__store(&map->left_out, true);
            il__store(&map->stop, true);
            break;
        }
    }
    return 0;
}

/* Start the tasks, wait for them; -ETIMEDOUT, -ECANCELED, or why none could be started. */
static int run_all(struct map *map, il_executor *executor)
{
    il_scope *scope;
    il_task_opts task_opts = { .name = map->opts->name };
    il_scope_opts scope_opts = { .executor = executor, .deadline = map->opts->until };
    int status = il_scope_open(&scope_opts, &scope);
    if (status) return status;

    unsigned started = 0;
    while (!status && started < map->workers && started < map->count) {
        status = il_go_with(scope, run, map, NULL, &task_opts);
        if (!status) started++;
        else if (status == -EAGAIN && !started) /* the queue_limit: until there is room for one */
            status = il_sleep(il_after(IL_MS(1)));
    }
    int closed = il_scope_close(scope);
    if (closed) return closed;
    return started ? 0 : status; /* one task is enough: it takes every chunk */
}

int il__map_with(il__apply *apply, il_executor *executor, il_fn *fn, const void *in, size_t in_size,
                 void *out, size_t out_size, size_t count, const il_map_opts *opts)
{
    static const il_map_opts defaults;
    if (!executor || !fn) return -EINVAL;
    if (!opts) opts = &defaults;
    if (!count) return 0;
    if (executor->ops->post)
        return il__map_parcels(executor, fn, in, in_size, out, out ? out_size : 0, count, opts);

    struct map map = {
        .apply = apply,
        .fn = fn,
        .in = in,
        .out = out,
        .in_size = in_size,
        .out_size = out_size,
        .count = count,
        .chunk = opts->chunk,
        .opts = opts,
        .workers = opts->tasks ? opts->tasks : executor->workers,
        .failed_at = count,
    };
    int status = run_all(&map, executor);
    if (!status && opts->on_progress && map.done == count)
        opts->on_progress(count, count, opts->progress_arg);
    if (!map.left_out && map.next == count && (status == -ETIMEDOUT || status == -ECANCELED))
        status = 0; /* it came when all had begun */
    if (!map.error) return status;
    il__agent_note(il__self(), map.error);
    return map.status;
}

int il_map_bytes(il_executor *executor, il_fn *fn, const void *in, size_t in_size, void *out,
                 size_t out_size, size_t count, const il_map_opts *opts)
{
    return il__map_with(il__apply_here, executor, fn, in, in_size, out, out_size, count, opts);
}
