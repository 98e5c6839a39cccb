/* SPDX-License-Identifier: MIT */
#ifndef TOOL_CRAWL_PARTS_H
#define TOOL_CRAWL_PARTS_H

/* What the parts of a crawl ask of each other. All of it runs in the one task that owns the crawl. */

#include <errno.h>

#include "crawl/crawl.h"
#include "crawl/visit.h"

enum {
    CRAWL_TRIES_LIMITED = 8, /* of a URL that is answered 429 */
    CRAWL_TRIES = 3
};

/* A visit under way. */
struct trip {
    struct crawl *crawl;
    uint32_t id; /* FRONTIER_NONE: it is for the robots.txt of the lane */
    struct lane *lane;
    il_time started;
    il_future *future;
    struct visit_order order;
    struct trip *next, *before; /* idle: a list; under way: one both ways */
};

static inline struct link *crawl_link(struct crawl *crawl, uint32_t id)
{
    return &crawl->frontier.links[id];
}

static inline struct lane *crawl_lane(struct crawl *crawl, const struct link *link)
{
    return crawl->frontier.lanes[link->lane];
}

static inline void crawl_fail(struct crawl *crawl, int status)
{
    if (status && !crawl->status) crawl->status = status;
}

/* crawl.c: room for one more; false: no memory, and the crawl ends. */
bool crawl_has_room(struct crawl *crawl, void **array, size_t *room, size_t count, size_t size);

/* reach.c: what to do with a link, and how it is reached. */
void crawl_judge(struct crawl *crawl, uint32_t id, enum link_verdict verdict, const char *words);
void crawl_consider(struct crawl *crawl, uint32_t id);
void crawl_reach(struct crawl *crawl, uint32_t id, unsigned depth, unsigned hops, unsigned wanted);
void crawl_look_at_reaches(struct crawl *crawl);
void crawl_take_into_site(struct crawl *crawl, struct lane *lane);
void crawl_next_round(struct crawl *crawl);

/* trips.c: start as much as may be; gives when there will be more. And the end of a trip. */
il_time crawl_start_all(struct crawl *crawl);
void crawl_end_trip(struct crawl *crawl, struct trip *trip);
void crawl_rest(struct crawl *crawl, struct trip *trip);

/* answers.c: what came of a trip. */
void crawl_take_robots(struct crawl *crawl, struct trip *trip, const struct visit_answer *answer);
void crawl_take_visit(struct crawl *crawl, struct trip *trip, const struct visit_answer *answer);
void crawl_take_lost(struct crawl *crawl, struct trip *trip, int status);

/* page.c: the links of a page. */
void crawl_take_links(struct crawl *crawl, uint32_t page, const char *bytes, size_t size);

#endif
