/* SPDX-License-Identifier: MIT */
/*
 * A crawl. All of this runs in one task; a visit's future sends itself to the channel when it is done,
 * which is all that others do.
 */

#include "crawl/crawl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crawl/parts.h"
#include "crawl/url.h"
#include "progress.h"

#define TICK IL_MS(100) /* so often a signal and the progress are looked at */
#define MEMORY ((size_t)64 << 20)

enum { ROOM = 64 << 10 }; /* for the links of a page that is read in another process */

atomic_int crawl_signal;

/* Room for one more; false: no memory, and the crawl ends. */
bool crawl_has_room(struct crawl *crawl, void **array, size_t *room, size_t count, size_t size)
{
    if (count < *room) return true;
    size_t more = *room ? 2 * *room : 256;
    void *larger = reallocarray(*array, more, size);
    if (!larger) {
        crawl_fail(crawl, -ENOMEM);
        return false;
    }
    *array = larger;
    *room = more;
    return true;
}

static void take_trip_back(struct crawl *crawl, struct trip *trip)
{
    size_t room = crawl->opts.kind->apart ? trip->order.room : 0;
    struct visit_answer *answer = crawl->answer;

    if (room > crawl->answer_room) {
        answer = realloc(answer, sizeof *answer + room);
        if (answer) crawl->answer = answer, crawl->answer_room = room;
    }
    crawl->under_way--;
    crawl_end_trip(crawl, trip);
    int status = answer ? il_future_get(trip->future, IL_FOREVER, answer) : -ENOMEM;
    if (status) crawl_take_lost(crawl, trip, status);
    else if (trip->id == FRONTIER_NONE) crawl_take_robots(crawl, trip, answer);
    else crawl_take_visit(crawl, trip, answer);
    if (!status) free(answer->bytes);
    il_future_free(trip->future);
    frontier_settle(&crawl->frontier, trip->lane);
    crawl_rest(crawl, trip);
    crawl_look_at_reaches(crawl);
}

static void stop(struct crawl *crawl)
{
    crawl->stopping = true;
    for (struct trip *trip = crawl->travelling; trip; trip = trip->next)
        il_future_cancel(trip->future);
}

static bool is_over(struct crawl *crawl)
{
    if (crawl->under_way) return false;
    if (crawl->stopping || crawl->status) return true;
    if (!crawl->frontier.queued && crawl->later_count) crawl_next_round(crawl);
    return !crawl->frontier.queued;
}

static void work(struct crawl *crawl)
{
    struct trip *trip;

    while (!is_over(crawl)) {
        if ((crawl_signal || crawl->status) && !crawl->stopping) stop(crawl);
        il_time when = crawl->stopping ? IL_FOREVER : crawl_start_all(crawl), tick = il_after(TICK);
        if (!il_chan_recv(crawl->answers, &trip, when < tick ? when : tick))
            take_trip_back(crawl, trip); /* one, so that what it makes room for starts at once */
        progress_show(-1, crawl->pages);
    }
}

/* ---- The whole ---- */

static void add_start(struct crawl *crawl, const char *url)
{
    uint32_t id;
    int status = frontier_meet(&crawl->frontier, url, false, &id);

    crawl_fail(crawl, status);
    if (status) return;
    struct link *link = crawl_link(crawl, id);
    link->typed = true;
    crawl_lane(crawl, link)->site = true;
    crawl_reach(crawl, id, 0, 0, WANTED_PAGE);
}

/* A host by name is its pages by http and by https. */
static void add_host(struct crawl *crawl, const char *host)
{
    static const char *const schemes[] = { "http", "https" };
    char url[TRANSFER_URL];
    uint32_t lane;

    for (int i = 0; i < 2; i++) {
        snprintf(url, sizeof url, "%s://%s/", schemes[i], host);
        char *typed = url_typed(url);
        int status = typed ? frontier_lane(&crawl->frontier, typed, &lane) : -EINVAL;
        free(typed);
        crawl_fail(crawl, status);
        if (!status) crawl->frontier.lanes[lane]->site = true;
    }
}

static int open_executors(struct crawl *crawl)
{
    const struct executor_kind *kind = crawl->opts.kind;
    int status = kind->make(kind->scales ? crawl->opts.in_flight : 0, &crawl->executor);

    if (!status && !strcmp(kind->name, "loop") && il_cpu_count(NULL) > 1)
        status = il_threads_new(&(il_threads_opts){ .name = "readers" }, &crawl->readers);
    return status;
}

int crawl_run(struct crawl *crawl, const struct crawl_opts *opts, char *const *urls,
              size_t url_count, char *const *hosts, size_t host_count)
{
    *crawl = (struct crawl){ .opts = *opts, .began = il_now(), .room = ROOM };
    int status = frontier_init(&crawl->frontier, opts->per_host, MEMORY);
    if (!status)
        status = il_chan_new(sizeof(struct trip *), &(il_chan_opts){ .capacity = IL_UNBOUNDED },
                             &crawl->answers);
    if (!status && opts->fragments) status = il_set_new(IL_STRINGS, NULL, &crawl->anchors);
    if (!status) crawl->answer = malloc(sizeof *crawl->answer);
    if (!status && !crawl->answer) status = -ENOMEM;
    if (!status) status = open_executors(crawl);
    crawl_fail(crawl, status);
    if (status) return status;
    for (size_t i = 0; i < host_count; i++) add_host(crawl, hosts[i]);
    for (size_t i = 0; i < url_count; i++) add_start(crawl, urls[i]);
    crawl_look_at_reaches(crawl);
    work(crawl);
    crawl->ended = il_now();
    return crawl->status ? crawl->status : crawl->stopping ? -EINTR : 0;
}

void crawl_free(struct crawl *crawl)
{
    il_executor_free(crawl->executor);
    il_executor_free(crawl->readers);
    while (crawl->idle) {
        struct trip *trip = crawl->idle;
        crawl->idle = trip->next;
        free(trip);
    }
    il_chan_free(crawl->answers);
    il_set_free(crawl->anchors);
    frontier_free(&crawl->frontier);
    free(crawl->answer);
    free(crawl->reaches);
    free(crawl->later);
    free(crawl->pointers);
}
