/* SPDX-License-Identifier: MIT */
/* Whose turn it is. Used by one task only. */

#include "fetch/hosts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_FIRST IL_MS(500)
#define PAUSE_MOST IL_SEC(30)
#define DISTANCE_FIRST IL_MS(100)
#define DISTANCE_MOST IL_SEC(5)

struct host {
    struct host *next_made;
    struct host *next; /* in line */
    bool in_line;
    struct fetch_file *first, *last; /* that wait */
    unsigned running, limit;
    unsigned served;  /* since the limit changed */
    unsigned refused; /* in a row */
    il_time paused;   /* nothing starts before */
    il_time pardoned; /* until then refusals are of what was under way at the last one */
    int64_t distance; /* between two starts; 0: none */
};

int hosts_init(struct hosts *hosts, unsigned most)
{
    *hosts = (struct hosts){ .most = most };
    return il_table_new(IL_STRINGS, sizeof(struct host *), NULL, &hosts->by_name);
}

void hosts_free(struct hosts *hosts)
{
    while (hosts->all) {
        struct host *host = hosts->all;
        hosts->all = host->next_made;
        free(host);
    }
    il_table_free(hosts->by_name);
}

/* http://name:80 of a URL, in small letters. */
static void name_of(const char *url, char *name, size_t size)
{
    const char *from = strstr(url, "://");
    size_t length = from ? (size_t)(from + 3 - url) : 0;

    length += strcspn(url + length, "/?#");
    if (length >= size) length = size - 1;
    for (size_t i = 0; i < length; i++)
        name[i] = (char)(url[i] >= 'A' && url[i] <= 'Z' ? url[i] | 32 : url[i]);
    name[length] = 0;
}

struct host *hosts_find(struct hosts *hosts, const char *url)
{
    char name[512];
    struct host *host = NULL;

    name_of(url, name, sizeof name);
    if (il_table_get(hosts->by_name, name, &host)) return host;
    host = calloc(1, sizeof *host);
    if (!host) return NULL;
    host->limit = hosts->most;
    if (il_table_put(hosts->by_name, name, &host)) {
        free(host);
        return NULL;
    }
    host->next_made = hosts->all;
    return hosts->all = host;
}

/* Put it in line, if it belongs there. */
static void line_up(struct hosts *hosts, struct host *host)
{
    if (host->in_line || !host->first || host->running >= host->limit) return;
    host->in_line = true;
    host->next = NULL;
    *(hosts->first ? &hosts->last->next : &hosts->first) = host;
    hosts->last = host;
}

static struct host *take_first(struct hosts *hosts)
{
    struct host *host = hosts->first;

    hosts->first = host->next;
    host->in_line = false;
    return host;
}

void hosts_push(struct hosts *hosts, struct fetch_file *file)
{
    struct host *host = file->host;

    file->next = NULL;
    *(host->first ? &host->last->next : &host->first) = file;
    host->last = file;
    line_up(hosts, host);
}

void hosts_push_first(struct hosts *hosts, struct fetch_file *file)
{
    struct host *host = file->host;

    file->next = host->first;
    if (!host->first) host->last = file;
    host->first = file;
    line_up(hosts, host);
}

static struct fetch_file *start_one(struct host *host, il_time now)
{
    struct fetch_file *file = host->first;

    host->first = file->next;
    host->running++;
    if (host->distance) host->paused = now + host->distance;
    return file;
}

struct fetch_file *hosts_take(struct hosts *hosts, il_time now, il_time *out_when)
{
    struct host *stop = hosts->last;

    *out_when = IL_FOREVER;
    while (hosts->first) {
        struct host *host = take_first(hosts);
        bool may = host->paused <= now && host->running < host->limit;
        struct fetch_file *file = may ? start_one(host, now) : NULL;
        if (host->paused > now && host->paused < *out_when) *out_when = host->paused;
        line_up(hosts, host);
        if (file) return file;
        if (host == stop) break;
    }
    return NULL;
}

/* Those that were under way when the limit went down say nothing new about it. */
static void slow_down(struct host *host, il_time now, int64_t wait)
{
    int64_t pause = PAUSE_FIRST << (host->refused < 6 ? host->refused : 6);

    if (now >= host->pardoned) {
        host->refused++;
        host->served = 0;
        if (host->limit == 1) host->distance = host->distance ? 2 * host->distance : DISTANCE_FIRST;
        if (host->distance > DISTANCE_MOST) host->distance = DISTANCE_MOST;
        host->limit = (host->running + 3) / 4;
    } else {
        pause = 0;
    }
    if (pause > PAUSE_MOST) pause = PAUSE_MOST;
    if (wait > 0) pause = wait;
    if (now + pause > host->paused) host->paused = host->pardoned = now + pause;
}

static void speed_up(struct host *host, unsigned most)
{
    host->refused = 0;
    if (++host->served < 2 * host->limit) return;
    host->served = 0;
    if (host->distance) host->distance = host->distance > IL_MS(10) ? host->distance * 3 / 4 : 0;
    else if (host->limit < most) host->limit++;
}

void hosts_end(struct hosts *hosts, struct host *host, enum host_word word, int64_t wait)
{
    if (word == HOST_BUSY) slow_down(host, il_now(), wait);
    if (word == HOST_SERVED) speed_up(host, hosts->most);
    host->running--;
    line_up(hosts, host);
}
