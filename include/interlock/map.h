/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_MAP_H
#define INTERLOCK_MAP_H

/*
 * Map: one function over many items, results in order.
 *
 *     long in[1000], out[1000];
 *     int status = il_map(pool, square, in, out, 1000, NULL);
 *
 * Items are handed out in chunks that are large at first and small at the end, so that workers
 * finish together; nothing is allocated per item. The result equals that of a plain loop.
 */

#include <interlock/executor.h>

IL__BEGIN

typedef struct il_map_opts {
    size_t chunk; /* items handed to a worker at a time; 0: found by itself */
    /* That take items; 0: as many as the executor has workers. More, on a loop or on threads, for items
     * that wait: so many wait at once. Worker processes take one item at a time, whatever is said. */
    unsigned tasks;
    il_time until; /* for the whole map; 0: no deadline */
    void (*on_progress)(size_t done, size_t total, void *arg); /* called now and then, by one task
                          at a time, `done` rising, and a last time with done == total if all ran */
    void *progress_arg;
    bool stop_on_error; /* do not begin further items once one has failed */
    const char *name;   /* of the tasks; borrowed for the call */
} il_map_opts;

/* Call fn(&in[i], &out[i]) for each i < count on the executor, and wait. `in` and `out` are
 * arrays (not void pointers); element sizes are taken from them. */
#define il_map(executor, fn, in_array, out_array, count, opts)                                     \
    il__map_with(il__apply_here, (executor), (fn), (in_array), sizeof *(in_array), (out_array),    \
                 sizeof *(out_array), (count), (opts))

/* The same with sizes in bytes; `out` NULL when nothing is returned. Borrows both arrays for the
 * call. Waits until every item that was begun has ended, whatever happens.
 * Returns 0, or the failure of the lowest item that failed (its note says which item);
 * -ETIMEDOUT or -ECANCELED when items were left out for that reason; -ENOMEM, -ESHUTDOWN.
 * The out element of an item that failed or did not run holds what fn left there. */
IL_API int il_map_bytes(il_executor *executor, il_fn *fn, const void *in, size_t in_size, void *out,
                        size_t out_size, size_t count, const il_map_opts *opts);

/* The innermost loop: `count` items, at least one, or up to the first that fails; returns how many
 * succeeded. It is compiled into the program, near fn: a call from a library that lies far away in
 * memory, and the return, take longer by a fifth of a tiny item. */
typedef size_t il__apply(il_fn *fn, const char *in, size_t in_size, char *out, size_t out_size,
                         size_t count, int *out_status);
static inline size_t il__apply_here(il_fn *fn, const char *in, size_t in_size, char *out,
                                    size_t out_size, size_t count, int *out_status)
{
    for (size_t left = count; left; left--, in += in_size, out += out_size) {
        int status = fn((void *)in, out);
        if (IL__LIKELY(status >= 0)) continue;
        *out_status = status;
        return count - left;
    }
    return count;
}
IL_API int il__map_with(il__apply *apply, il_executor *executor, il_fn *fn, const void *in,
                        size_t in_size, void *out, size_t out_size, size_t count,
                        const il_map_opts *opts);

/*
 * A map over a stream: items come from a source until it ends and go to a sink in the same order,
 * with a bounded number of them in memory. Source and sink are called by the caller's own task,
 * never at the same time.
 */
#define IL_STREAM_IDLE 2

typedef struct il_stream {
    /* Write the next item to *in: 1 when there is one, 0 at the end, negative to stop with that
     * status. IL_STREAM_IDLE: none without waiting; then the results of all items so far go to the
     * sink before it is called again, which time it may wait. */
    int (*source)(void *in, void *arg);
    /* Take a result: `status` is what fn returned for `in`; if it noted why, il_last_error() has it.
     * Negative stops with that status. */
    int (*sink)(const void *in, const void *out, int status, void *arg);
    void *arg;                /* of both */
    size_t in_size, out_size; /* bytes an item */
    size_t window;            /* items in memory at the most; 0: enough to keep workers busy */
} il_stream;

/* Returns 0, the status that source or sink stopped with, -ETIMEDOUT, -ECANCELED or -ENOMEM. A
 * failing item does not stop the stream unless opts->stop_on_error; then its status is returned
 * after the results before it have gone to the sink. .on_progress gets total 0: not known. */
IL_API int il_map_stream(il_executor *executor, il_fn *fn, const il_stream *stream,
                         const il_map_opts *opts);

IL__END

#endif
