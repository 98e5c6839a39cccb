/* SPDX-License-Identifier: MIT */
/*
 * Map over a stream: a ring of blocks. The caller's task fills the block at `head` from the source
 * and starts a task for it; the block at `tail`, when it is done, goes to the sink. Blocks are
 * taken in turn, so the sink sees the order of the source, and the ring bounds the memory.
 *
 * How many items a block gets is found by itself: twice as many as the last as long as a block is
 * done in less than TARGET, so that cheap items share the cost of a task and dear ones do not
 * wait for each other. A block belongs to its task from start to `ready`, to the caller otherwise.
 */

#include <interlock/map.h>

#include <errno.h>
#include <string.h>

#include <interlock/event.h>

#include "base/memory.h"
#include "task/executor.h"
#include "task/scope.h"

enum { TARGET = 200 /* microseconds */, ITEMS = 64 /* a block, unless told otherwise */ };

struct block {
    il__parcel parcel; /* first; used where workers do not see our memory */
    struct stream *stream;
    size_t count;
    il_time took;
    char *in, *out;
    int *statuses;
    il__error **errors; /* each owned while its item is in the block */
    il_event ready;
};

struct stream {
    il_executor *executor;
    il_fn *fn;
    const il_stream *io;
    const il_map_opts *opts;
    size_t blocks, room, fill; /* ring size, items a block holds, items to put into the next */
    size_t head, tail;         /* counts of blocks filled and emptied */
    size_t done;               /* items sunk */
    bool ended;                /* the source is */
    char *memory;
    struct block *ring;
};

static size_t round_up(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

static int allocate(struct stream *stream, unsigned workers)
{
    const il_stream *io = stream->io;
    stream->blocks = stream->opts->at_once ? stream->opts->at_once : 2 * (size_t)workers + 2;
    size_t window = io->window ? io->window : stream->blocks * ITEMS;
    if (stream->blocks > window) stream->blocks = window;
    stream->room = window / stream->blocks;
    stream->fill =
        stream->opts->chunk && stream->opts->chunk < stream->room ? stream->opts->chunk : 1;

    size_t in = round_up(stream->room * io->in_size), out = round_up(stream->room * io->out_size);
    size_t errors = round_up(stream->room * sizeof(il__error *));
    size_t all = in + out + errors + round_up(stream->room * sizeof(int));
    stream->ring = il__zalloc(stream->blocks * sizeof *stream->ring);
    stream->memory = il__aligned_zalloc(64, stream->blocks * all);
    if (!stream->ring || !stream->memory) return -ENOMEM;
    for (size_t i = 0; i < stream->blocks; i++) {
        struct block *block = &stream->ring[i];
        block->stream = stream;
        block->in = stream->memory + i * all;
        block->out = block->in + in;
        block->errors = (il__error **)(void *)(block->out + out);
        block->statuses = (int *)(void *)(block->out + out + errors);
    }
    return 0;
}

/* One item. Its words, if it failed with any, are kept with its status. */
static void run_item(struct block *block, size_t i)
{
    const struct stream *stream = block->stream;
    const il_stream *io = stream->io;
    char *in = block->in + i * io->in_size, *out = block->out + i * io->out_size;
    il__agent *self = il__self();

    block->errors[i] = NULL;
    block->statuses[i] = il_cancelled() ? -ECANCELED : stream->fn(in, io->out_size ? out : NULL);
    if (block->statuses[i] >= 0 || !self->note) return;
    if (self->note->public.status == block->statuses[i]) {
        block->errors[i] = self->note;
        self->note = NULL;
    }
}

static int run_block(void *in, void *out)
{
    (void)out;
    struct block *block = in;
    il_time begin = il_now();
    for (size_t i = 0; i < block->count; i++) run_item(block, i);
    block->took = il_now() - begin;
    il_event_set(&block->ready);
    return 0;
}

/* Where workers do not see our memory, a block is a parcel. The caller's task waits for all of them
 * before it returns. */
static void item_failed(il__parcel *parcel, size_t index, int status, il__error *error)
{
    struct block *block = (struct block *)parcel;
    block->statuses[index] = status;
    block->errors[index] = error;
}

static void parcel_done(il__parcel *parcel, int status)
{
    struct block *block = (struct block *)parcel;
    for (size_t i = parcel->from; i < block->count; i++) block->statuses[i] = status;
    block->took = il_now() - block->took;
    il_event_set(&block->ready); /* the last access */
}

static int post_block(struct stream *stream, struct block *block)
{
    block->parcel = (il__parcel){
        .fn = stream->fn,
        .name = stream->opts->name,
        .in = block->in,
        .out = block->out,
        .in_size = stream->io->in_size,
        .out_size = stream->io->out_size,
        .count = block->count,
        .each = true,
        .deadline = IL_FOREVER,
        .failed = item_failed,
        .done = parcel_done,
    };
    memset(block->statuses, 0, block->count * sizeof *block->statuses);
    memset(block->errors, 0, block->count * sizeof(il__error *));
    block->took = il_now();
    return stream->executor->ops->post(stream->executor, &block->parcel);
}

static void call_blocks_in(struct stream *stream)
{
    if (!stream->executor->ops->post) return;
    for (size_t k = stream->tail; k < stream->head; k++)
        stream->executor->ops->recall(stream->executor, &stream->ring[k % stream->blocks].parcel);
    for (size_t k = stream->tail; k < stream->head; k++)
        il_event_wait(&stream->ring[k % stream->blocks].ready);
}

/* Fill the next block; the source's last answer. */
static int fill(struct stream *stream, struct block *block)
{
    const il_stream *io = stream->io;
    int answer = 1;
    block->count = 0;
    while (block->count < stream->fill && answer == 1) {
        answer = io->source(block->in + block->count * io->in_size, io->arg);
        if (answer == 1) block->count++;
    }
    return answer;
}

/* Wait for the oldest block and sink it. Its task may not have run when the scope is cancelled. */
static int empty(struct stream *stream)
{
    const il_stream *io = stream->io;
    struct block *block = &stream->ring[stream->tail % stream->blocks];
    int status = il_event_wait_until(&block->ready, IL_FOREVER);
    if (status) return status;
    il_event_clear(&block->ready);
    stream->tail++;

    for (size_t i = 0; i < block->count; i++) {
        int failed = block->statuses[i];
        if (block->errors[i]) il__agent_note(il__self(), block->errors[i]);
        block->errors[i] = NULL;
        if (failed < 0 && stream->opts->stop_on_error) return failed;
        if (failed == -ECANCELED && il_cancelled()) return failed;
        status =
            io->sink(block->in + i * io->in_size, block->out + i * io->out_size, failed, io->arg);
        if (status < 0) return status;
        stream->done++;
    }
    if (stream->opts->on_progress)
        stream->opts->on_progress(stream->done, 0, stream->opts->progress_arg);
    if (!stream->opts->chunk && block->took < IL_US(TARGET) && stream->fill <= block->count)
        stream->fill = stream->fill * 2 < stream->room ? stream->fill * 2 : stream->room;
    return 0;
}

/* Of blocks that were stopped before they were sunk. No task is left. */
static void drop_errors(struct stream *stream)
{
    for (size_t k = stream->tail ? stream->tail - 1 : 0; k < stream->head; k++) {
        struct block *block = &stream->ring[k % stream->blocks];
        for (size_t i = 0; i < block->count; i++) {
            il__error_unref(block->errors[i]);
            block->errors[i] = NULL; /* the ring may be full: this block may come up again */
        }
    }
}

/* Start a task for a full block. When the pool takes no more for the moment (queue_limit), see to
 * those that it has. */
static int start(struct stream *stream, il_scope *scope, struct block *block)
{
    il_task_opts opts = { .name = stream->opts->name };
    for (;;) {
        int status = stream->executor->ops->post ? post_block(stream, block)
                                                 : il_go_with(scope, run_block, block, NULL, &opts);
        if (status != -EAGAIN) return status;
        status = stream->tail < stream->head ? empty(stream) : il_sleep(il_after(IL_MS(1)));
        if (status) return status;
    }
}

/* One step: sink what must be sunk, fill and start one block. */
static int step(struct stream *stream, il_scope *scope)
{
    int status = 0;
    if (stream->head - stream->tail == stream->blocks || stream->ended) return empty(stream);

    struct block *block = &stream->ring[stream->head % stream->blocks];
    int answer = fill(stream, block);
    if (answer < 0) return answer;
    if (answer == 0) stream->ended = true;
    if (block->count) {
        if (stream->io->out_size) memset(block->out, 0, block->count * stream->io->out_size);
        status = start(stream, scope, block);
        if (status) return status;
        stream->head++;
    }
    while (answer == IL_STREAM_IDLE && !status && stream->tail < stream->head)
        status = empty(stream);
    return status;
}

int il_map_stream(il_executor *executor, il_fn *fn, const il_stream *io, const il_map_opts *opts)
{
    static const il_map_opts defaults;
    il_scope *scope = NULL;
    struct stream stream = {
        .executor = executor,
        .fn = fn,
        .io = io,
        .opts = opts ? opts : &defaults,
    };
    int status = allocate(&stream, executor->workers);
    if (status) goto free_memory;
    il_scope_opts scope_opts = { .executor = executor, .deadline = stream.opts->until };
    status = il_scope_open(&scope_opts, &scope);
    if (status) goto free_memory;

    while (!status && !(stream.ended && stream.tail == stream.head)) status = step(&stream, scope);
    if (status) il_scope_cancel(scope);
    call_blocks_in(&stream);
    int closed = il_scope_close(scope);
    if (status == -ECANCELED && closed) status = closed; /* why it was cancelled */
    drop_errors(&stream);
free_memory:
    il__free(stream.memory);
    il__free(stream.ring);
    return status;
}
