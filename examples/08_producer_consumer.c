/* SPDX-License-Identifier: MIT */
/*
 * A condition: producers wait while the buffer is full, consumers while it is empty. What they wait
 * for is a question about data under a mutex, so the wait takes the question along.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>

enum { ROOM = 4, PRODUCERS = 2, CONSUMERS = 3, EACH = 500 };

struct buffer {
    il_mutex mutex; /* guards the rest */
    il_cond changed;
    long items[ROOM];
    unsigned count, first;
    unsigned most; /* that it ever held */
    bool closed;   /* no more will be put in */
};

static bool has_room(void *arg)
{
    return ((struct buffer *)arg)->count < ROOM;
}

static bool has_item_or_end(void *arg)
{
    return ((struct buffer *)arg)->count > 0 || ((struct buffer *)arg)->closed;
}

static int put(struct buffer *buffer, long item)
{
    il_mutex_lock(&buffer->mutex);
    int status = il_cond_wait_for(&buffer->changed, &buffer->mutex, has_room, buffer, IL_FOREVER);
    if (!status) { /* the mutex is held again, and has_room is true */
        buffer->items[(buffer->first + buffer->count++) % ROOM] = item;
        if (buffer->count > buffer->most) buffer->most = buffer->count;
        il_cond_notify_all(&buffer->changed);
    }
    il_mutex_unlock(&buffer->mutex);
    return status;
}

/* 0, or -EPIPE when it is empty and closed. */
static int take(struct buffer *buffer, long *out_item)
{
    il_mutex_lock(&buffer->mutex);
    int status =
        il_cond_wait_for(&buffer->changed, &buffer->mutex, has_item_or_end, buffer, IL_FOREVER);
    if (!status && !buffer->count) status = -EPIPE;
    if (!status) {
        *out_item = buffer->items[buffer->first];
        buffer->first = (buffer->first + 1) % ROOM;
        buffer->count--;
        il_cond_notify_all(&buffer->changed);
    }
    il_mutex_unlock(&buffer->mutex);
    return status;
}

static void close_buffer(struct buffer *buffer)
{
    il_mutex_lock(&buffer->mutex);
    buffer->closed = true;
    il_cond_notify_all(&buffer->changed);
    il_mutex_unlock(&buffer->mutex);
}

static int produce(void *in, void *out)
{
    int status = 0;
    for (long item = 1; !status && item <= EACH; item++) status = put(in, item);
    return status;
}

static int consume(void *in, void *out)
{
    long item, *sum = out;
    int status;
    while (!(status = take(in, &item))) *sum += item;
    return status == -EPIPE ? 0 : status; /* the end is what it worked towards */
}

int main(void)
{
    static struct buffer buffer; /* all zero is ready to use */
    long sums[CONSUMERS] = { 0 }, sum = 0, expected = (long)PRODUCERS * EACH * (EACH + 1) / 2;
    il_executor *pool = NULL;
    il_scope *consumers = NULL, *producers = NULL;
    if (il_threads_new(NULL, &pool)) return 1;

    int status = il_scope_open(&(il_scope_opts){ .executor = pool }, &consumers);
    for (int i = 0; !status && i < CONSUMERS; i++)
        status = il_go(consumers, consume, &buffer, &sums[i]);
    if (!status) status = il_scope_open(NULL, &producers); /* inside the first: same executor */
    for (int i = 0; !status && i < PRODUCERS; i++)
        status = il_go(producers, produce, &buffer, NULL);
    int produced = il_scope_close(producers);
    close_buffer(&buffer);
    int consumed = il_scope_close(consumers);
    il_executor_free(pool);

    for (int i = 0; i < CONSUMERS; i++) sum += sums[i];
    printf("%d producers, %d consumers: expected %ld, got %ld; never more than %u of %d in it\n",
           PRODUCERS, CONSUMERS, expected, sum, buffer.most, ROOM);
    return status || produced || consumed || sum != expected || buffer.most > ROOM;
}
