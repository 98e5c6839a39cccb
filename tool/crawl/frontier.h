/* SPDX-License-Identifier: MIT */
#ifndef TOOL_CRAWL_FRONTIER_H
#define TOOL_CRAWL_FRONTIER_H

/*
 * What a crawl knows: every URL that was met, each once, and for each host the queue of those that are
 * still to be asked for. Nothing here is bounded but by memory, and it is little for each: about a
 * hundred bytes, the URL itself in a spool. What bounds a crawl is how much is under way, never
 * the queue: pages feed it, and if it could be full they would wait for themselves.
 *
 * A host's URLs stand in a lane, which has its own pace. Lanes take turns: the one that may start
 * first, of those that may start now the one that has waited longest.
 *
 * Used by one task.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

#include "crawl/pace.h"
#include "crawl/robots.h"
#include "crawl/spool.h"

#define FRONTIER_NONE UINT32_MAX

/* What a URL is met as; bits. */
enum link_wanted {
    WANTED_PAGE = 1,     /* somebody links to it */
    WANTED_RESOURCE = 2, /* a page is made of it */
    WANTED_NOFOLLOW = 4  /* linked to, but marked nofollow */
};

enum link_state {
    LINK_MET,       /* known, and there is no reason to ask for it */
    LINK_LATER,     /* waits for the round to end (--pages) */
    LINK_QUEUED,    /* in its lane */
    LINK_UNDER_WAY, /* being asked for */
    LINK_DONE       /* its verdict is final */
};

enum link_verdict {
    VERDICT_NONE,
    VERDICT_OK,
    VERDICT_REDIRECTED,
    VERDICT_BROKEN,
    VERDICT_UNKNOWN,  /* nobody could say */
    VERDICT_FORBIDDEN /* by robots.txt: it was not asked for */
};

struct link {
    uint64_t url;    /* its place in .texts */
    uint64_t edges;  /* the links on it: their place in .edges, plus 1; 0: none */
    uint32_t lane;   /* FRONTIER_NONE: not a URL that can be asked for */
    uint32_t next;   /* in its lane, or in .later */
    uint32_t target; /* where it redirects to, or FRONTIER_NONE */
    uint16_t depth;  /* clicks from the start, the fewest known */
    uint16_t reason; /* in .reasons: why it is as it is */
    int16_t status;  /* HTTP's; 0: no answer */
    uint8_t hops;    /* redirects in a row that led here, the fewest known */
    uint8_t tries;
    uint8_t wanted, state, verdict;
    bool get : 1;   /* HEAD was no use */
    bool page : 1;  /* it was asked for as a page, or is to be */
    bool read : 1;  /* it was a page: its links and anchors are known */
    bool typed : 1; /* on the command line, or where that redirects to */
};

enum robots_state { ROBOTS_NEEDED, ROBOTS_UNDER_WAY, ROBOTS_KNOWN };

struct lane {
    char *origin; /* "http://example.com" */
    struct pace pace;
    struct robots robots;
    enum robots_state robots_state;
    uint8_t robots_tries;
    bool site;     /* its pages are crawled, others are only checked */
    bool answered; /* ever */
    bool dead;     /* nobody there, or given up: what is queued gets .reason and .verdict */
    uint16_t reason;
    uint8_t verdict;
    uint32_t refused;    /* attempts in a row that found nobody there */
    uint32_t head, tail; /* the queue; FRONTIER_NONE: empty */
    size_t heap_at;      /* in .heap plus 1; 0: it cannot start anything */
    il_time ready;       /* key in the heap */
    uint64_t turn;       /* of its last start; decides between equals */
};

struct frontier {
    struct link *links;
    size_t count, room;
    il_table *ids;      /* id by URL; its keys are ids, which know their URL */
    const char *sought; /* the URL that is looked for, in place of an id */
    uint64_t seed;
    struct spool texts, edges;

    struct lane **lanes;
    size_t lane_count;
    il_table *hosts; /* lane by origin */
    unsigned per_host;

    struct lane **heap;
    size_t heap_count;
    uint64_t turns;
    size_t queued; /* links in lanes */

    char **reasons; /* few, and each is used often; [0] is "" */
    size_t reason_count;
};

/* 0 or -ENOMEM. `memory`: bytes of URLs and edges that are kept in memory. */
int frontier_init(struct frontier *frontier, unsigned per_host, size_t memory);
void frontier_free(struct frontier *frontier);

/* The link for a URL of the one spelling, new or known. `apart`: it is none, only words that stand for
 * one (a malformed URL, an anchor). 0 or -ENOMEM. */
int frontier_meet(struct frontier *frontier, const char *url, bool apart, uint32_t *out_id);

const char *frontier_url(const struct frontier *frontier, uint32_t id);

/* The lane for the host of a URL. 0 or -ENOMEM. */
int frontier_lane(struct frontier *frontier, const char *url, uint32_t *out_lane);

/* Put a link at the end of its lane. */
void frontier_push(struct frontier *frontier, uint32_t id);

/* What may start now: the lane that has waited longest, taken out of the order until frontier_settle is
 * called for it. NULL: none; *out_when says when, IL_FOREVER: when something else has ended. */
struct lane *frontier_ready(struct frontier *frontier, il_time now, il_time *out_when);

/* The first link of a lane, taken out of it. FRONTIER_NONE: empty. */
uint32_t frontier_pop(struct frontier *frontier, struct lane *lane);

/* A lane's pace, queue or state has changed. */
void frontier_settle(struct frontier *frontier, struct lane *lane);

/* The number of these words, for .reason; 0 without memory. */
uint16_t frontier_reason(struct frontier *frontier, const char *words);

/* Put the links of a page away: their ids, sorted here. 0 or -ENOMEM. */
int frontier_put_edges(struct frontier *frontier, uint32_t page, uint32_t *ids, size_t count);

/* Walk them: *at is 0 first; false: no more. */
struct edges {
    const unsigned char *at;
    size_t left;
    uint32_t id;
};
struct edges frontier_edges(const struct frontier *frontier, uint32_t page);
bool edges_next(struct edges *edges, uint32_t *out_id);

#endif
