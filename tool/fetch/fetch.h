/* SPDX-License-Identifier: MIT */
#ifndef TOOL_FETCH_H
#define TOOL_FETCH_H

/*
 * What the parts of `interlock fetch` share: what was asked for, and the files to get.
 *
 * A file waits (for its turn at its host, or for the moment of its next attempt), runs, and is over:
 * done, kept or failed, once.
 */

#include "executors.h"
#include "fetch/job.h"

struct host;

struct fetch_file {
    char *url;  /* both in the memory of the list */
    char *name; /* that it gets, without the folder */
    struct digest digest;
    struct host *host;
    struct fetch_file *next;      /* of those that wait at the host */
    il_time due;                  /* of its next attempt, while that lies ahead */
    unsigned attempts, fruitless; /* so far; those in a row that brought nothing on */
};

struct fetch_options {
    const struct executor_kind *kind;
    unsigned slots, per_host; /* transfers at a time: in all, and at one host; 0: the default */
    unsigned retries, redirects;
    int64_t connect_time, stall_time;
    const char *folder; /* that the files go to */
    bool empty;         /* nothing is in it */
    bool insecure, sync, server_names, keep;
    bool json, timing, no_bar;
};

/* Where one file at a time runs. */
struct slot {
    struct slot *next_free;
    struct fetch_file *file; /* NULL: it is free */
    il_future *future;
    il_chan *ended; /* that it goes to when its attempt is over */
    il_time began;
    struct fetch_live live;
};

/* The path of a file: its folder and its name. False: too long. */
bool fetch_path(const struct fetch_options *options, const char *name, char *path, size_t size);

#endif
