/* SPDX-License-Identifier: MIT */
/* Visits are started: those whose turn has come, as many as may be under way. */

#include <stdio.h>
#include <stdlib.h>

#include "crawl/parts.h"
#include "crawl/url.h"

/* ---- Trips ---- */

static void on_done(il_future *future, void *arg)
{
    struct trip *trip = arg;

    (void)future;
    il_chan_send(trip->crawl->answers, &trip, IL_NOW); /* unbounded: it never waits */
}

static struct trip *take_trip(struct crawl *crawl)
{
    struct trip *trip = crawl->idle;

    if (!trip) return calloc(1, sizeof *trip);
    crawl->idle = trip->next;
    return trip;
}

void crawl_rest(struct crawl *crawl, struct trip *trip)
{
    trip->future = NULL;
    trip->next = crawl->idle;
    crawl->idle = trip;
}

static void begin_trip(struct crawl *crawl, struct trip *trip)
{
    trip->before = NULL;
    trip->next = crawl->travelling;
    if (crawl->travelling) crawl->travelling->before = trip;
    crawl->travelling = trip;
}

void crawl_end_trip(struct crawl *crawl, struct trip *trip)
{
    if (trip->before) trip->before->next = trip->next;
    else crawl->travelling = trip->next;
    if (trip->next) trip->next->before = trip->before;
}

/* Submit what stands in the trip. */
static void set_off(struct crawl *crawl, struct trip *trip, il_time now)
{
    bool apart = crawl->opts.kind->apart;
    size_t out = sizeof(struct visit_answer) + (apart ? trip->order.room : 0);

    trip->crawl = crawl;
    trip->started = now;
    pace_start(&trip->lane->pace, now);
    begin_trip(crawl, trip);
    int status = il_submit(crawl->executor, apart ? visit_apart : visit_here, &trip->order,
                           visit_order_size(&trip->order), out, NULL, &trip->future);
    if (!status) {
        crawl->under_way++;
        status = il_future_on_done(trip->future, on_done, trip);
    } else {
        crawl_end_trip(crawl, trip);
        crawl_rest(crawl, trip);
    }
    crawl_fail(crawl, status);
}

/* ---- Starting ---- */

static void start_robots(struct crawl *crawl, struct lane *lane, il_time now)
{
    struct trip *trip = take_trip(crawl);

    lane->robots_state = ROBOTS_UNDER_WAY;
    if (!trip) {
        crawl_fail(crawl, -ENOMEM);
        return;
    }
    trip->id = FRONTIER_NONE;
    trip->lane = lane;
    trip->order = (struct visit_order){ .robots = true,
                                        .insecure = crawl->opts.insecure,
                                        .room = crawl->room };
    snprintf(trip->order.url, sizeof trip->order.url, "%.2000s/robots.txt", lane->origin);
    set_off(crawl, trip, now);
}

static void start_visit(struct crawl *crawl, struct lane *lane, uint32_t id, il_time now)
{
    struct trip *trip = take_trip(crawl);
    struct link *link = crawl_link(crawl, id);

    if (!trip) {
        crawl_fail(crawl, -ENOMEM);
        return;
    }
    link->state = LINK_UNDER_WAY;
    trip->id = id;
    trip->lane = lane;
    trip->order = (struct visit_order){ .head = !link->page && !link->get,
                                        .page = link->page,
                                        .anchors = crawl->opts.fragments,
                                        .insecure = crawl->opts.insecure,
                                        .readers = crawl->readers,
                                        .room = crawl->room };
    snprintf(trip->order.url, sizeof trip->order.url, "%s", frontier_url(&crawl->frontier, id));
    set_off(crawl, trip, now);
}

/* A link whose turn has come: with no request if it can be told without. */
static void start_next(struct crawl *crawl, struct lane *lane, il_time now)
{
    if (!lane->dead && lane->site && crawl->opts.robots && lane->robots_state == ROBOTS_NEEDED) {
        start_robots(crawl, lane, now);
        return;
    }
    uint32_t id = frontier_pop(&crawl->frontier, lane);
    if (lane->dead) {
        crawl_judge(crawl, id, lane->verdict, crawl->frontier.reasons[lane->reason]);
        return;
    }
    const char *url = frontier_url(&crawl->frontier, id);
    if (lane->site && !robots_allow(&lane->robots, url + url_origin(url)))
        crawl_judge(crawl, id, lane->robots.forbidden ? VERDICT_UNKNOWN : VERDICT_FORBIDDEN,
                    lane->robots.forbidden ? "robots.txt cannot be had" : "robots.txt forbids it");
    else start_visit(crawl, lane, id, now);
}

il_time crawl_start_all(struct crawl *crawl)
{
    struct frontier *frontier = &crawl->frontier;
    il_time now = il_now(), when = IL_FOREVER;
    struct lane *lane;

    while (crawl->under_way < crawl->opts.in_flight && !crawl->status &&
           (lane = frontier_ready(frontier, now, &when))) {
        start_next(crawl, lane, now);
        frontier_settle(frontier, lane);
    }
    return when;
}
