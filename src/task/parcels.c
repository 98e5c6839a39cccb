/* SPDX-License-Identifier: MIT */
/*
 * Map on an executor whose workers do not see our memory. A few chunks more than there are workers
 * are under way at a time, so that none runs dry, and each that is back is sent out again with the next
 * items: by the one who brings it, a thread of the executor's, so that the caller need not be
 * woken for it.
 *
 * What a chunk costs is learnt from those that are back. It is to take TARGET; near the end less, so
 * that workers finish together, but no less than LEAST, since each is a hop there and back.
 *
 * `mutex` guards all that changes, and is the last that who brings a chunk touches.
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
    FEW = 64,   /* items a chunk until we know what they cost: a small part of all, at least */
    PARTS = 64, /* FEW, and at the most MANY */
    MANY = 4096,
    GROWTH = 16,
    TARGET = 2000, /* microseconds that a chunk may take */
    LEAST = 50,    /* and ought to */
    MOST_BYTES = 16 << 20,
};

struct piece {
    il__parcel parcel; /* first */
    struct map *map;
    size_t at; /* index of its first item */
};

struct map {
    il_executor *executor;
    const il_map_opts *opts;
    const char *in;
    char *out;
    size_t count, limit; /* items; in a chunk at the most */
    unsigned pieces;

    il_mutex mutex;
    il_sem back; /* released when none is out there, and when there is progress to be told */
    size_t next, done;
    size_t most, least; /* items a chunk, as of now */
    unsigned out_there;
    bool stop;
    int ended; /* why the executor did not run all of a chunk */
    size_t failed_at;
    int status; /* of that item */
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
    map->stop |= map->opts->stop_on_error;
    il_mutex_unlock(&map->mutex);
    il__error_unref(error);
}

static size_t next_chunk(const struct map *map)
{
    size_t left = map->count - map->next;
    size_t chunk = map->opts->chunk;
    if (!chunk) {
        chunk = left / (SHARES * map->executor->workers);
        if (chunk < map->least) chunk = map->least;
        if (chunk > map->most) chunk = map->most;
    }
    return chunk < 1 ? 1 : chunk > left ? left : chunk;
}

/* The mutex is held. */
static bool take_next(struct map *map, struct piece *piece)
{
    il__parcel *parcel = &piece->parcel;
    if (map->stop || map->next == map->count) return false;
    piece->at = map->next;
    parcel->count = next_chunk(map);
    parcel->from = 0;
    parcel->took = 0;
    il__store(&parcel->recalled, 0);
    parcel->in = map->in + piece->at * parcel->in_size;
    parcel->out = map->out ? map->out + piece->at * parcel->out_size : NULL;
    map->next += parcel->count;
    map->out_there++;
    return true;
}

static size_t items_in(int64_t microseconds, const il__parcel *parcel)
{
    return (size_t)((double)IL_US(microseconds) * (double)parcel->from / (double)parcel->took);
}

/* A chunk is back. A short one says little of what a long one takes, so growth is bounded. */
static void learn(struct map *map, const il__parcel *parcel)
{
    if (!parcel->from || parcel->took <= 0) return;
    size_t most = items_in(TARGET, parcel), least = items_in(LEAST, parcel);
    size_t ceiling = parcel->count < map->most ? map->most : GROWTH * map->most;
    if (most > ceiling) most = ceiling;
    if (most > map->limit) most = map->limit;
    map->most = most < 1 ? 1 : most;
    map->least = least < map->most ? least : map->most;
}

/* One is not out there (any more). The mutex is held, and the caller may be gone when it is not. */
static void came_back(struct map *map)
{
    map->out_there--;
    if (!map->out_there || map->opts->on_progress) il_sem_release(&map->back);
}

/* Send it out with the next items, if there are any. */
static void send(struct map *map, struct piece *piece)
{
    int status = map->executor->ops->post(map->executor, &piece->parcel);
    if (!status) return;
    il_mutex_lock(&map->mutex);
    map->ended = status;
    map->stop = true;
    came_back(map);
    il_mutex_unlock(&map->mutex);
}

static void done(il__parcel *parcel, int status)
{
    struct piece *piece = (struct piece *)parcel;
    struct map *map = piece->map;
    il_mutex_lock(&map->mutex);
    map->done += parcel->from;
    learn(map, parcel);
    if (status) map->ended = status;
    map->stop |= status != 0;
    bool more = take_next(map, piece);
    came_back(map);
    il_mutex_unlock(&map->mutex);
    if (more) send(map, piece);
}

/* Wait until all are back, telling of progress; or until something stops us. */
static int wait_for_end(struct map *map)
{
    for (;;) {
        il_mutex_lock(&map->mutex);
        size_t done = map->done;
        bool over = !map->out_there;
        il_mutex_unlock(&map->mutex);
        if (over) return 0;
        if (map->opts->on_progress && done && done < map->count)
            map->opts->on_progress(done, map->count, map->opts->progress_arg);
        int status = il_sem_acquire_until(&map->back, IL_FOREVER);
        if (status) return status;
    }
}

static void hand_out(struct map *map, struct piece *pieces)
{
    for (unsigned i = 0; i < map->pieces; i++) {
        il_mutex_lock(&map->mutex);
        bool more = take_next(map, &pieces[i]);
        il_mutex_unlock(&map->mutex);
        if (!more) break;
        send(map, &pieces[i]);
    }
}

/* Whatever stopped us, wait for those that are under way: they use the caller's arrays. */
static void call_in(struct map *map, struct piece *pieces)
{
    il_mutex_lock(&map->mutex);
    map->stop = true;
    il_mutex_unlock(&map->mutex);
    for (unsigned i = 0; i < map->pieces; i++)
        map->executor->ops->recall(map->executor, &pieces[i].parcel);
    for (;;) {
        il_mutex_lock(&map->mutex);
        bool over = !map->out_there;
        il_mutex_unlock(&map->mutex);
        if (over) return;
        il_sem_acquire(&map->back);
    }
}

static int run(struct map *map, struct piece *pieces)
{
    il_scope *scope;
    il_scope_opts opts = { .executor = map->executor, .deadline = map->opts->until };
    int status = il_scope_open(&opts, &scope);
    if (status) return status;
    hand_out(map, pieces);
    status = wait_for_end(map);
    if (status) call_in(map, pieces);
    else status = map->ended;
    int closed = il_scope_close(scope);
    return status == -ECANCELED && closed ? closed : status;
}

static size_t choose_first(size_t count, unsigned workers)
{
    size_t part = count / (PARTS * workers);
    return part < FEW ? FEW : part < MANY ? part : MANY;
}

int il__map_parcels(il_executor *executor, il__apply *apply, il_fn *fn, const void *in,
                    size_t in_size, void *out, size_t out_size, size_t count,
                    const il_map_opts *opts)
{
    size_t item = in_size + out_size;
    struct map map = {
        .executor = executor,
        .opts = opts,
        .in = in,
        .out = out,
        .count = count,
        .most = choose_first(count, executor->workers),
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
            .apply = apply,
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
