/* SPDX-License-Identifier: MIT */
/*
 * What to do with a link, and how it is reached: the fewest clicks and redirects, over all ways.
 */

#include <stdlib.h>
#include <string.h>

#include "crawl/parts.h"

/* ---- What to do with a link ---- */

void crawl_judge(struct crawl *crawl, uint32_t id, enum link_verdict verdict, const char *words)
{
    struct link *link = crawl_link(crawl, id);

    link->state = LINK_DONE;
    link->verdict = (uint8_t)verdict;
    link->reason = frontier_reason(&crawl->frontier, words);
}

static bool is_followed(const struct crawl *crawl, const struct link *link)
{
    return link->wanted & WANTED_PAGE || (link->wanted & WANTED_NOFOLLOW && !crawl->opts.nofollow);
}

/* Ask for it as a page of the site, as something that is only to be there, or not at all? */
static enum { NOT, CHECK, VISIT } purpose_of(struct crawl *crawl, const struct link *link)
{
    if (link->hops > CRAWL_HOPS_MOST) return NOT;
    if (!crawl_lane(crawl, link)->site) return crawl->opts.external ? CHECK : NOT;
    if (is_followed(crawl, link) && link->depth <= crawl->opts.depth) return VISIT;
    return link->wanted & (WANTED_RESOURCE | WANTED_NOFOLLOW) ? CHECK : NOT;
}

static void put_later(struct crawl *crawl, uint32_t id)
{
    void *later = crawl->later;

    if (!crawl_has_room(crawl, &later, &crawl->later_room, crawl->later_count,
                        sizeof *crawl->later))
        return;
    crawl->later = later;
    crawl->later[crawl->later_count++] = id;
    crawl_link(crawl, id)->state = LINK_LATER;
}

void crawl_consider(struct crawl *crawl, uint32_t id)
{
    struct link *link = crawl_link(crawl, id);

    if (link->lane == FRONTIER_NONE) return;
    int purpose = purpose_of(crawl, link);
    bool fresh = link->state == LINK_MET;
    /* Checked before, and now it turns out to be wanted as a page. */
    bool more = link->state == LINK_DONE && link->verdict == VERDICT_OK && !link->page;
    if (purpose == VISIT && (fresh || more)) {
        link->tries = 0;
        link->page = true;
        if (crawl->opts.pages) put_later(crawl, id);
        else frontier_push(&crawl->frontier, id);
    } else if (purpose == CHECK && fresh) {
        frontier_push(&crawl->frontier, id);
    } else if (purpose == VISIT && link->state == LINK_QUEUED && !crawl->opts.pages) {
        link->page = true; /* with a limit it is checked first, and then stands in line as all do */
    }
}

/* ---- How it is reached ---- */

void crawl_reach(struct crawl *crawl, uint32_t id, unsigned depth, unsigned hops, unsigned wanted)
{
    void *reaches = crawl->reaches;

    if (!crawl_has_room(crawl, &reaches, &crawl->reach_room, crawl->reach_count,
                        sizeof(struct reach)))
        return;
    crawl->reaches = reaches;
    crawl->reaches[crawl->reach_count++] =
        (struct reach){ id, depth < UINT16_MAX ? (uint16_t)depth : UINT16_MAX - 1,
                        hops < UINT8_MAX ? (uint8_t)hops : UINT8_MAX - 1, (uint8_t)wanted };
}

/* Where a link leads to is reached from there. */
static void pass_on(struct crawl *crawl, uint32_t id)
{
    const struct link *link = crawl_link(crawl, id);
    unsigned depth = link->depth;
    uint32_t to;

    if (link->target != FRONTIER_NONE)
        crawl_reach(crawl, link->target, depth, link->hops + 1u, link->wanted);
    for (struct edges edges = frontier_edges(&crawl->frontier, id); edges_next(&edges, &to);)
        crawl_reach(crawl, to, depth + 1, 0, 0);
}

void crawl_look_at_reaches(struct crawl *crawl)
{
    for (size_t i = 0; i < crawl->reach_count && !crawl->status; i++) { /* more come meanwhile */
        struct reach way = crawl->reaches[i];
        struct link *link = crawl_link(crawl, way.id);
        if (way.depth >= link->depth && way.hops >= link->hops && !(way.wanted & ~link->wanted))
            continue;
        if (way.depth < link->depth) link->depth = way.depth;
        if (way.hops < link->hops) link->hops = way.hops;
        link->wanted |= way.wanted;
        crawl_consider(crawl, way.id);
        pass_on(crawl, way.id);
    }
    crawl->reach_count = 0;
}

/* A host is found to belong to the site. */
void crawl_take_into_site(struct crawl *crawl, struct lane *lane)
{
    if (lane->site) return;
    lane->site = true;
    frontier_settle(&crawl->frontier, lane);
    for (uint32_t id = 0; id < crawl->frontier.count; id++) {
        const struct link *link = crawl_link(crawl, id);
        if (link->lane != FRONTIER_NONE && crawl_lane(crawl, link) == lane)
            crawl_consider(crawl, id);
    }
}

/* ---- Rounds, for a limit of pages ---- */

static int compare_urls(const void *a, const void *b, void *arg)
{
    const struct frontier *frontier = arg;

    return strcmp(frontier_url(frontier, *(const uint32_t *)a),
                  frontier_url(frontier, *(const uint32_t *)b));
}

/* All of a round is known: let in as many as the limit allows. */
void crawl_next_round(struct crawl *crawl)
{
    uint64_t free_ = crawl->opts.pages - crawl->taken;

    qsort_r(crawl->later, crawl->later_count, sizeof *crawl->later, compare_urls, &crawl->frontier);
    for (size_t i = 0; i < crawl->later_count; i++) {
        struct link *link = crawl_link(crawl, crawl->later[i]);
        if (i < free_) {
            crawl->taken++;
            frontier_push(&crawl->frontier, crawl->later[i]);
        } else if (link->verdict == VERDICT_OK) {
            link->state = LINK_DONE; /* checked, not read */
        } else {
            crawl->left_out++; /* as it is, LINK_LATER, it is not considered again */
        }
    }
    crawl->later_count = 0;
}
