/* SPDX-License-Identifier: MIT */
/*
 * Map on an executor whose workers do not see our memory. The caller's task hands out the chunks:
 * a few more than there are workers, so that none runs dry while we are told of the last.
 *
 * `mutex` guards what those who tell us write: the list of parcels that are back, and the lowest
 * failure. The caller owns the rest.
 */

#include <errno.h>
#include <stdint.h>

#include <interlock/mutex.h>
#include <interlock/sem.h>

#include "base/memory.h"
#include "task/executor.h"
#include "task/scope.h"

enum {
    AHEAD = 3,  /* parcels a worker */
    SHARES = 4, /* a chunk is 1/SHARES of each worker's part of what is left */
    FIRST = 64, /* items a chunk until we know what they cost */
    TARGET = 2, /* milliseconds that a chunk may take */
    MOST_BYTES = 16 << 20,
};

struct piece {
    il__parcel parcel; /* first */
    struct map *map;
    struct piece *next;
    size_t at; /* index of its first item */
    int status;
};

struct map {
    il_executor *executor;
    const il_map_opts *opts;
    const char *in;
    char *out;
    size_t count, next, done;
    size_t most, limit; /* items a chunk: as of now, and ever */
    unsigned pieces, out_there;
    bool stop;

    il_mutex mutex;
    il_sem back; /* parcels that are back and not seen to */
    struct piece *first;
    size_t failed_at;
    int status;
    il__error *error;
};

static void failed(il__parcel *parcel, size_t index, int status, il__error *error)
{
    struct piece *piece = (struct piece *)parcel;
    struct map *map = piece->map;
    il_mutex_lock(&map->mutex);
    if (piece->at + index < map->failed_at) {
        il__error *before = map->error;
        map->failed_at = piece->at + index;
        map->status = status;
        map->error = error;
        error = before;
    }
    il_mutex_unlock(&map->mutex);
    il__error_unref(error);
}

static void done(il__parcel *parcel, int status)
{
    struct piece *piece = (struct piece *)parcel;
    struct map *map = piece->map;
    piece->status = status;
    il_mutex_lock(&map->mutex);
    piece->next = map->first;
    map->first = piece;
    il_mutex_unlock(&map->mutex);
    il_sem_release(&map->back); /* the last access */
}

static size_t next_chunk(const struct map *map)
{
    size_t left = map->count - map->next;
    size_t chunk = map->opts->chunk ? map->opts->chunk : left / (SHARES * map->executor->workers);
    if (!map->opts->chunk && chunk > map->most) chunk = map->most;
    return chunk < 1 ? 1 : chunk > left ? left : chunk;
}

static int post(struct map *map, struct piece *piece)
{
    il__parcel *parcel = &piece->parcel;
    piece->at = map->next;
    parcel->count = next_chunk(map);
    parcel->from = 0;
    parcel->took = 0;
    parcel->recalled = 0;
    parcel->in = map->in + piece->at * parcel->in_size;
    parcel->out = map->out ? map->out + piece->at * parcel->out_size : NULL;
    int status = map->executor->ops->post(map->executor, parcel);
    if (status) return status;
    map->next += parcel->count;
    map->out_there++;
    return 0;
}

/* A chunk is back: let the next ones be such that each takes about TARGET. */
static void learn(struct map *map, const il__parcel *parcel)
{
    if (parcel->took < IL_MS(TARGET) / 2 && parcel->count >= map->most) map->most *= 2;
    if (parcel->took > IL_MS(TARGET)) map->most = map->most / 2 + 1;
    if (map->most > map->limit) map->most = map->limit;
}

/* Wait for one to come back and take it off the list. */
static int take_back(struct map *map, struct piece **out_piece)
{
    int status = il_sem_acquire_until(&map->back, IL_FOREVER);
    if (status) return status;
    il_mutex_lock(&map->mutex);
    *out_piece = map->first;
    map->first = map->first->next;
    if (map->opts->stop_on_error && map->failed_at < map->count) map->stop = true;
    il_mutex_unlock(&map->mutex);
    map->out_there--;
    map->done += (*out_piece)->parcel.from;
    learn(map, &(*out_piece)->parcel);
    return 0;
}

static void tell(struct map *map)
{
    if (map->opts->on_progress && map->done < map->count)
        map->opts->on_progress(map->done, map->count, map->opts->progress_arg);
}

/* Hand out chunks until there are none left or something stops us. */
static int hand_out(struct map *map, struct piece *pieces)
{
    int status = 0;
    unsigned used = 0;
    while (!status && !map->stop && used < map->pieces && map->next < map->count)
        status = post(map, &pieces[used++]);
    if (status == -EAGAIN && map->out_there) status = 0; /* the queue_limit: fewer at a time */
    while (!status && map->out_there) {
        struct piece *piece;
        status = take_back(map, &piece);
        if (status) break;
        tell(map);
        if (piece->status) return piece->status;
        if (!map->stop && map->next < map->count) status = post(map, piece);
    }
    return status;
}

/* Whatever stopped us, wait for those that are under way: they use the caller's arrays. */
static void call_in(struct map *map, struct piece *pieces)
{
    for (unsigned i = 0; i < map->pieces; i++)
        if (map->out_there) map->executor->ops->recall(map->executor, &pieces[i].parcel);
    for (; map->out_there; map->out_there--) il_sem_acquire(&map->back);
    for (struct piece *piece = map->first; piece; piece = piece->next)
        map->done += piece->parcel.from;
}

static int run(struct map *map, struct piece *pieces)
{
    il_scope *scope;
    il_scope_opts opts = { .executor = map->executor, .deadline = map->opts->until };
    int status = il_scope_open(&opts, &scope);
    if (status) return status;
    status = hand_out(map, pieces);
    call_in(map, pieces);
    int closed = il_scope_close(scope);
    return status == -ECANCELED && closed ? closed : status;
}

int il__map_parcels(il_executor *executor, il_fn *fn, const void *in, size_t in_size, void *out,
                    size_t out_size, size_t count, const il_map_opts *opts)
{
    size_t item = in_size + out_size;
    struct map map = {
        .executor = executor,
        .opts = opts,
        .in = in,
        .out = out,
        .count = count,
        .most = FIRST,
        .limit = item ? MOST_BYTES / item + 1 : SIZE_MAX,
        .pieces = AHEAD * executor->workers,
        .failed_at = count,
    };
    struct piece *pieces = il__zalloc(map.pieces * sizeof *pieces);
    if (!pieces) return -ENOMEM;
    for (unsigned i = 0; i < map.pieces; i++) {
        pieces[i].map = &map;
        pieces[i].parcel = (il__parcel){
            .fn = fn,
            .name = opts->name,
            .in_size = in_size,
            .out_size = out_size,
            .stop = opts->stop_on_error,
            .deadline = opts->until ? opts->until : IL_FOREVER,
            .failed = failed,
            .done = done,
        };
    }
    int status = run(&map, pieces);
    if (map.done == count && (status == -ETIMEDOUT || status == -ECANCELED)) status = 0;
    if (opts->on_progress && map.done == count && !status)
        opts->on_progress(count, count, opts->progress_arg);
    il__free(pieces);
    if (!map.error) return status;
    il__agent_note(il__self(), map.error);
    return il_explain_at("", 0, map.status, "item %zu", map.failed_at);
}
