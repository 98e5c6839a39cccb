/* SPDX-License-Identifier: MIT */
/* What came of a visit: what the pace of its host learns, and what the link is worth. */

#include <stdio.h>

#include "crawl/parts.h"
#include "crawl/url.h"

#define AGENT "interlock"

enum { REFUSED_MOST = 3 }; /* attempts in a row, and the host has never answered: nobody is there */

/* ---- The host ---- */

static void bury(struct crawl *crawl, struct lane *lane, enum link_verdict verdict,
                 const char *words)
{
    lane->dead = true;
    lane->verdict = (uint8_t)verdict;
    lane->reason = frontier_reason(&crawl->frontier, words);
}

/* What the host's pace learns from an answer. Did it say "later"? */
static bool pace_answer(struct crawl *crawl, struct trip *trip, const struct visit_answer *answer)
{
    struct pace *pace = &trip->lane->pace;
    bool later = answer->end == TRANSFER_DONE && (answer->status == 429 || answer->status == 503);
    char words[192];

    if (later) {
        crawl->limited++;
        pace_limited(pace, trip->started, il_now(), answer->retry_after ? answer->retry_after : -1);
        if (!pace->given_up || trip->lane->dead) return true;
        snprintf(words, sizeof words, "the host wants no more requests for now (%s)",
                 answer->words);
        bury(crawl, trip->lane, VERDICT_UNKNOWN, words);
    } else if (answer->end == TRANSFER_DONE) {
        pace_good(pace, trip->started);
        trip->lane->answered = true;
        trip->lane->refused = 0;
    } else {
        pace_failed(pace, il_now());
    }
    return later;
}

/* Nobody there, time and again: what else is queued for it need not wait for the same. */
static bool count_refused(struct crawl *crawl, struct lane *lane, const struct visit_answer *answer)
{
    bool refused = answer->end == TRANSFER_NAME || answer->end == TRANSFER_REFUSED ||
                   answer->end == TRANSFER_UNREACHABLE || answer->end == TRANSFER_TIMEOUT;

    if (refused && !lane->answered && ++lane->refused >= REFUSED_MOST && !lane->dead)
        bury(crawl, lane, VERDICT_BROKEN, answer->words);
    return refused;
}

/* RFC 9309: what is not there forbids nothing; what should be there and cannot be had forbids all. */
void crawl_take_robots(struct crawl *crawl, struct trip *trip, const struct visit_answer *answer)
{
    struct lane *lane = trip->lane;
    bool later = pace_answer(crawl, trip, answer);
    bool refused = count_refused(crawl, lane, answer);
    bool done = answer->end == TRANSFER_DONE && !later;

    if (answer->failure) {
        crawl_fail(crawl, answer->failure);
    } else if (done && answer->status >= 200 && answer->status < 300) {
        size_t size = answer->size > crawl->room && crawl->opts.kind->apart ? 0 : answer->size;
        crawl_fail(crawl, robots_read(&lane->robots, visit_bytes(answer, crawl->opts.kind->apart),
                                      size, AGENT));
        pace_delay(&lane->pace, lane->robots.delay);
    } else if (done && answer->status < 500) {
        /* there is none */
    } else if (refused || ++lane->robots_tries < (later ? CRAWL_TRIES_LIMITED : CRAWL_TRIES)) {
        lane->robots_state = ROBOTS_NEEDED;
        return;
    } else {
        lane->robots.forbidden = true;
    }
    lane->robots_state = ROBOTS_KNOWN;
}

/* ---- The link ---- */

static bool is_redirect(const struct visit_answer *answer)
{
    return answer->status >= 300 && answer->status < 400 && answer->status != 304 &&
           *answer->location;
}

static void take_redirect(struct crawl *crawl, uint32_t id, const struct visit_answer *answer)
{
    struct resolver resolver = { 0 };
    struct text url = { 0 };
    uint32_t to;

    enum url_kind kind = resolver_resolve(&resolver, answer->location, &url);
    if (kind != URL_WEB || url.broken) {
        crawl_judge(crawl, id, VERDICT_BROKEN, "redirects to what is no URL of the web");
        text_free(&url);
        return;
    }
    int status = frontier_meet(&crawl->frontier, url.data, false, &to);
    text_free(&url);
    crawl_fail(crawl, status);
    if (status) return;
    crawl_judge(crawl, id, VERDICT_REDIRECTED, answer->words);
    struct link *link = crawl_link(crawl, id), *target = crawl_link(crawl, to);
    link->target = to;
    if (link->typed && !target->typed) { /* http://example.com leads to https://www.example.com */
        target->typed = true;
        crawl_take_into_site(crawl, crawl_lane(crawl, target));
    }
    crawl_reach(crawl, to, link->depth, link->hops + 1u, link->wanted);
}

/* A host that is not ours may hide from strangers what people see. */
static enum link_verdict verdict_of(struct crawl *crawl, const struct link *link)
{
    int status = link->status;

    if (status < 400) return status >= 300 ? VERDICT_BROKEN : VERDICT_OK;
    bool hidden = status == 401 || status == 403 || status == 407 || status == 451;
    return hidden && !crawl_lane(crawl, link)->site ? VERDICT_UNKNOWN : VERDICT_BROKEN;
}

static void take_answered(struct crawl *crawl, struct trip *trip, const struct visit_answer *answer)
{
    struct link *link = crawl_link(crawl, trip->id);

    link->status = (int16_t)answer->status;
    crawl->pages += trip->order.page && answer->status >= 200 && answer->status < 300;
    if (is_redirect(answer)) {
        take_redirect(crawl, trip->id, answer);
    } else if (trip->order.head && answer->status >= 300) { /* HEAD is often not known */
        link->get = true;
        frontier_push(&crawl->frontier, trip->id);
    } else {
        crawl_judge(crawl, trip->id, verdict_of(crawl, link), answer->words);
        if (answer->html) {
            link->read = true;
            crawl_take_links(crawl, trip->id, visit_bytes(answer, crawl->opts.kind->apart),
                             answer->size);
        }
        crawl_consider(crawl, trip->id); /* it may have become a page meanwhile */
    }
}

/* Again, at the end of its lane; or enough of it. */
static void try_again(struct crawl *crawl, uint32_t id, unsigned most, enum link_verdict verdict,
                      const struct visit_answer *answer)
{
    struct link *link = crawl_link(crawl, id);

    link->status = (int16_t)answer->status;
    if (++link->tries < most) frontier_push(&crawl->frontier, id);
    else crawl_judge(crawl, id, verdict, answer->words);
}

void crawl_take_visit(struct crawl *crawl, struct trip *trip, const struct visit_answer *answer)
{
    struct lane *lane = trip->lane;

    if (answer->failure) {
        crawl_fail(crawl, answer->failure);
        return;
    }
    if (crawl->opts.kind->apart && answer->size > crawl->room) { /* once more, with room for it */
        pace_good(&lane->pace, trip->started);
        crawl->room = 2 * answer->size;
        frontier_push(&crawl->frontier, trip->id);
        return;
    }
    bool later = pace_answer(crawl, trip, answer);
    bool refused = count_refused(crawl, lane, answer);
    bool broken_off = answer->end != TRANSFER_DONE && (answer->retry || refused);
    if (later)
        try_again(crawl, trip->id, answer->status == 429 ? CRAWL_TRIES_LIMITED : CRAWL_TRIES,
                  VERDICT_UNKNOWN, answer);
    else if (answer->end == TRANSFER_DONE) take_answered(crawl, trip, answer);
    else try_again(crawl, trip->id, broken_off ? CRAWL_TRIES : 1, VERDICT_BROKEN, answer);
}

/* The visit itself was ended: by us, or its worker died. */
void crawl_take_lost(struct crawl *crawl, struct trip *trip, int status)
{
    pace_failed(&trip->lane->pace, il_now());
    if (crawl->stopping || status == -ENOMEM) {
        crawl_fail(crawl, crawl->stopping ? 0 : status);
        return;
    }
    struct visit_answer answer = { .end = TRANSFER_OTHER };
    snprintf(answer.words, sizeof answer.words, "the visit failed: %s", il_strerror(status));
    if (trip->id != FRONTIER_NONE)
        try_again(crawl, trip->id, CRAWL_TRIES, VERDICT_UNKNOWN, &answer);
    else if (++trip->lane->robots_tries < CRAWL_TRIES) trip->lane->robots_state = ROBOTS_NEEDED;
    else bury(crawl, trip->lane, VERDICT_UNKNOWN, answer.words);
}
