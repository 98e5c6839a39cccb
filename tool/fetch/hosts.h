/* SPDX-License-Identifier: MIT */
#ifndef TOOL_FETCH_HOSTS_H
#define TOOL_FETCH_HOSTS_H

/*
 * Whose turn it is: files wait at their hosts, each of which has a limit of its own.
 *
 * A host that says that it is too much (429, 503) is left alone as long as it asks for, or for a while
 * that grows; then a quarter as many at a time go to it, and when that is one, at a growing distance. As
 * it answers well, the limit goes up again, one by one.
 */

#include "fetch/fetch.h"

struct hosts {
    il_table *by_name;
    struct host *first, *last; /* of those that have files waiting and may have one more running */
    struct host *all;
    unsigned most; /* at one host */
};

int hosts_init(struct hosts *hosts, unsigned most);
void hosts_free(struct hosts *hosts);

/* The host of a URL. NULL: no memory. */
struct host *hosts_find(struct hosts *hosts, const char *url);

/* It waits: behind the others of its host, or before them. */
void hosts_push(struct hosts *hosts, struct fetch_file *file);
void hosts_push_first(struct hosts *hosts, struct fetch_file *file);

/* The next that may start now, hosts taking turns; it counts as running. NULL: none, but look again
 * at *out_when, if nothing ends before. */
struct fetch_file *hosts_take(struct hosts *hosts, il_time now, il_time *out_when);

/* It runs no more. */
enum host_word { HOST_SERVED, HOST_BUSY, HOST_SILENT };
void hosts_end(struct hosts *hosts, struct host *host, enum host_word word, int64_t wait);

#endif
