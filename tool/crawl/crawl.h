/* SPDX-License-Identifier: MIT */
#ifndef TOOL_CRAWL_H
#define TOOL_CRAWL_H

/*
 * A crawl: every page of a site once, and every link on it checked.
 *
 * One task, the caller of crawl_run, owns all that is known (crawl/frontier.h). It starts visits
 * (crawl/visit.h) on an executor, a bounded number at a time, and takes their answers from an
 * unbounded channel. It ends when nothing is under way and nothing is queued: a count, no timeout.
 *
 * What is found does not depend on the order in which answers come. The depth of a page is the
 * fewest clicks that lead to it: when a shorter way turns up later, what was put off because of its
 * depth is gone to after all. With a limit of pages the crawl goes in rounds: all that one round
 * found, in the order of the alphabet, is the next, as far as the limit goes.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

#include "crawl/frontier.h"
#include "executors.h"

#define CRAWL_ENDLESS UINT16_MAX
#define CRAWL_HOPS_MOST 20 /* redirects in a row */

struct crawl_opts {
    const struct executor_kind *kind;
    unsigned in_flight; /* visits under way at once */
    unsigned per_host;
    uint16_t depth; /* clicks from the start; CRAWL_ENDLESS */
    uint64_t pages; /* visited at most; 0: no limit */
    bool external;  /* check links that leave the site */
    bool fragments; /* check where they point to */
    bool nofollow;  /* do not follow what is marked nofollow */
    bool robots;    /* do what robots.txt says */
    bool insecure;
};

struct reach {
    uint32_t id;
    uint16_t depth;
    uint8_t hops, wanted;
};

/* #fragment on a page, that another links to. */
struct pointer {
    uint32_t from, to;
    uint64_t fragment; /* in frontier.texts */
};

struct crawl {
    struct crawl_opts opts;
    struct frontier frontier;
    il_executor *executor, *readers;
    il_chan *answers;        /* struct trip * */
    struct trip *idle;       /* a list */
    struct trip *travelling; /* those under way, a list both ways */
    unsigned under_way;
    size_t room;                 /* apart: for the links of a page */
    struct visit_answer *answer; /* the one that is looked at, with .answer_room behind it */
    size_t answer_room;
    bool stopping; /* asked to */
    int status;    /* negative: no memory, and the like; ends it */

    struct reach *reaches; /* to be looked at */
    size_t reach_count, reach_room;
    uint32_t *later; /* the next round */
    size_t later_count, later_room;
    uint64_t taken;    /* pages that were let into a round */
    uint64_t left_out; /* pages that the limit left out */

    struct pointer *pointers;
    size_t pointer_count, pointer_room;
    il_set *anchors; /* "1f#name": there is such an anchor on the page 0x1f */

    uint64_t pages;   /* visited */
    uint64_t limited; /* answers 429 and 503 */
    il_time began, ended;
};

/* What the handler of a signal sets: 0, or its number. */
extern atomic_int crawl_signal;

/* Crawl from these URLs (of the one spelling); other hosts of the site by name. Gives the crawl also
 * when it failed or was interrupted: then it is partial. 0, or a negative errno: -EINTR by a signal. */
int crawl_run(struct crawl *crawl, const struct crawl_opts *opts, char *const *urls,
              size_t url_count, char *const *hosts, size_t host_count);

void crawl_free(struct crawl *crawl);

#endif
