/* SPDX-License-Identifier: MIT */
#ifndef MODELS_H
#define MODELS_H

/*
 * What a table, a set and a queue are when one call comes after the other: their whole truth in a few
 * lines, to hold real histories against.
 */

#include <errno.h>

#include "linear.h"

/* --- Table ------------------------------------------------------------------------------------- */

/* Values are 1 to 15; 0: the key is not there. A snapshot's result has four bits a key. */
enum { KEYS = 3, VALUES = 15 };

enum table_call { PUT, ADD, GET, REPLACE, REPLACE_IF, REMOVE, INCREMENT, SNAPSHOT, TABLE_CALLS };

struct table_state {
    long values[KEYS];
};

static inline long table_encode(const long *values)
{
    long all = 0;
    for (int i = 0; i < KEYS; i++) all |= values[i] << 4 * i;
    return all;
}

/* The result that it would have. */
static inline long table_apply(struct table_state *table, const struct call *call)
{
    long *value = &table->values[call->key], old = *value;
    switch ((enum table_call)call->what) {
    case PUT: *value = call->value; return 0;
    case ADD: *value = old ? old : call->value; return old ? -EALREADY : 0;
    case GET: return old;
    case REPLACE: *value = old ? call->value : 0; return old;
    case REPLACE_IF:
        if (!old || old != call->expected) return false;
        *value = call->value;
        return true;
    case REMOVE: *value = 0; return old;
    case INCREMENT: *value = old < VALUES ? old + 1 : 0; return *value;
    default: return table_encode(table->values);
    }
}

static inline bool table_step(void *state, const struct call *call)
{
    return table_apply(state, call) == call->result;
}

static inline void table_describe(const struct call *call, char *words, size_t size)
{
    static const char *const names[] = { "put",        "add",    "get",       "replace",
                                         "replace_if", "remove", "increment", "snapshot" };
    snprintf(words, size, "%s(key %ld, value %ld, expected %ld) = %ld (0x%lx)", names[call->what],
             call->key, call->value, call->expected, call->result, (unsigned long)call->result);
}

static const struct model table_model = {
    .state_size = sizeof(struct table_state),
    .step = table_step,
    .describe = table_describe,
};

/* --- Set --------------------------------------------------------------------------------------- */

/* The snapshot's result has a bit a key. */
enum set_call { SET_ADD, SET_REMOVE, SET_CONTAINS, SET_SNAPSHOT, SET_CALLS };

/* The result that it would have. */
static inline long set_apply(uint64_t *set, const struct call *call)
{
    uint64_t bit = UINT64_C(1) << call->key;
    bool in = *set & bit;
    switch ((enum set_call)call->what) {
    case SET_ADD: *set |= bit; return in ? -EALREADY : 0;
    case SET_REMOVE: *set &= ~bit; return in;
    case SET_CONTAINS: return in;
    default: return (long)*set;
    }
}

static inline bool set_step(void *state, const struct call *call)
{
    return set_apply(state, call) == call->result;
}

static inline void set_describe(const struct call *call, char *words, size_t size)
{
    static const char *const names[] = { "add", "remove", "contains", "snapshot" };
    snprintf(words, size, "%s(%ld) = %ld", names[call->what], call->key, call->result);
}

static const struct model set_model = {
    .state_size = sizeof(uint64_t),
    .step = set_step,
    .describe = set_describe,
};

/* --- Queue ------------------------------------------------------------------------------------- */

/* First in, first out; bounded; closed, it gives what it has and takes nothing. Items are 1 to 255.
 * `key` of a call is the capacity. A result of a recv is the item, or negative. A call that gave up
 * (-ETIMEDOUT, -ECANCELED) did nothing, which it may at any moment. */
enum { QUEUE_ROOM = 32 };

enum queue_call { SEND, RECV, CLOSE, QUEUE_CALLS };

struct queue_state {
    unsigned char items[QUEUE_ROOM]; /* the first is the next to go */
    uint64_t count, closed;
};

static inline bool gave_up(long result)
{
    return result == -ETIMEDOUT || result == -ECANCELED;
}

static inline bool queue_send(struct queue_state *queue, const struct call *call)
{
    bool full = queue->count == (uint64_t)call->key;
    if (queue->closed) return call->result == -EPIPE;
    if (full || call->result) return full && call->result == -EAGAIN;
    queue->items[queue->count++] = (unsigned char)call->value;
    return true;
}

static inline bool queue_recv(struct queue_state *queue, const struct call *call)
{
    if (!queue->count) return call->result == (queue->closed ? -EPIPE : -EAGAIN);
    if (call->result != queue->items[0]) return false;
    memmove(queue->items, queue->items + 1, QUEUE_ROOM - 1);
    queue->items[QUEUE_ROOM - 1] = 0;
    queue->count--;
    return true;
}

static inline bool queue_step(void *state, const struct call *call)
{
    struct queue_state *queue = state;
    if (gave_up(call->result)) return true;
    switch ((enum queue_call)call->what) {
    case SEND: return queue_send(queue, call);
    case RECV: return queue_recv(queue, call);
    default: queue->closed = 1; return true;
    }
}

static inline void queue_describe(const struct call *call, char *words, size_t size)
{
    static const char *const names[] = { "send", "recv", "close" };
    snprintf(words, size, "%s(%ld) = %ld", names[call->what], call->value, call->result);
}

static const struct model queue_model = {
    .state_size = sizeof(struct queue_state),
    .step = queue_step,
    .describe = queue_describe,
};

/* A rendezvous holds one item, from the moment of the send to that of the recv, which are both in
 * both calls: the latter is a claim about the whole history, and not the model's. Whether somebody
 * waits on the other side is not in the model, so a call that did not want to wait gave up. */
static inline bool rendezvous_step(void *state, const struct call *call)
{
    return call->result == -EAGAIN || queue_step(state, call);
}

static const struct model rendezvous_model = {
    .state_size = sizeof(struct queue_state),
    .step = rendezvous_step,
    .describe = queue_describe,
};

/* Each send that succeeded met the one recv of its item. */
static inline bool senders_met_receivers(const struct call *calls, int count)
{
    for (int i = 0; i < count; i++) {
        int met = 0;
        if (calls[i].what != SEND || calls[i].result) continue;
        for (int j = 0; j < count; j++)
            met += calls[j].what == RECV && calls[j].result == calls[i].value &&
                   calls[j].begin < calls[i].end && calls[i].begin < calls[j].end;
        if (met != 1) return false;
    }
    return true;
}

#endif
