/* SPDX-License-Identifier: MIT */
/*
 * A crawl. All of this runs in one task; a visit's future sends itself to the channel when it is done,
 * which is all that others do.
 */

#include "crawl/crawl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crawl/links.h"
#include "crawl/url.h"
#include "crawl/visit.h"
#include "progress.h"

#define TICK IL_MS(100) /* so often a signal and the progress are looked at */
#define MEMORY ((size_t)64 << 20)
#define AGENT "interlock"

enum {
    TRIES_LIMITED = 8, /* of a URL that is answered 429 */
    TRIES = 3,
    REFUSED_MOST = 3, /* attempts in a row, and the host has never answered: nobody is there */
    ROOM = 64 << 10   /* for the links of a page that is read in another process */
};

atomic_int crawl_signal;

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

static struct link *link_of(struct crawl *crawl, uint32_t id)
{
    return &crawl->frontier.links[id];
}

static struct lane *lane_of(struct crawl *crawl, const struct link *link)
{
    return crawl->frontier.lanes[link->lane];
}

static void fail(struct crawl *crawl, int status)
{
    if (status && !crawl->status) crawl->status = status;
}

/* Room for one more; false: no memory, and the crawl ends. */
static bool has_room(struct crawl *crawl, void **array, size_t *room, size_t count, size_t size)
{
    if (count < *room) return true;
    size_t more = *room ? 2 * *room : 256;
    void *larger = reallocarray(*array, more, size);
    if (!larger) {
        fail(crawl, -ENOMEM);
        return false;
    }
    *array = larger;
    *room = more;
    return true;
}

/* ---- What to do with a link ---- */

static void judge(struct crawl *crawl, uint32_t id, enum link_verdict verdict, const char *words)
{
    struct link *link = link_of(crawl, id);

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
    if (!lane_of(crawl, link)->site) return crawl->opts.external ? CHECK : NOT;
    if (is_followed(crawl, link) && link->depth <= crawl->opts.depth) return VISIT;
    return link->wanted & (WANTED_RESOURCE | WANTED_NOFOLLOW) ? CHECK : NOT;
}

static void put_later(struct crawl *crawl, uint32_t id)
{
    void *later = crawl->later;

    if (!has_room(crawl, &later, &crawl->later_room, crawl->later_count, sizeof *crawl->later))
        return;
    crawl->later = later;
    crawl->later[crawl->later_count++] = id;
    link_of(crawl, id)->state = LINK_LATER;
}

static void consider(struct crawl *crawl, uint32_t id)
{
    struct link *link = link_of(crawl, id);

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

/* ---- How a link is reached: the fewest clicks and redirects, over all ways ---- */

static void reach(struct crawl *crawl, uint32_t id, unsigned depth, unsigned hops, unsigned wanted)
{
    void *reaches = crawl->reaches;

    if (!has_room(crawl, &reaches, &crawl->reach_room, crawl->reach_count, sizeof(struct reach)))
        return;
    crawl->reaches = reaches;
    crawl->reaches[crawl->reach_count++] =
        (struct reach){ id, depth < UINT16_MAX ? (uint16_t)depth : UINT16_MAX - 1,
                        hops < UINT8_MAX ? (uint8_t)hops : UINT8_MAX - 1, (uint8_t)wanted };
}

/* Where a link leads to is reached from there. */
static void pass_on(struct crawl *crawl, uint32_t id)
{
    const struct link *link = link_of(crawl, id);
    unsigned depth = link->depth;
    uint32_t to;

    if (link->target != FRONTIER_NONE)
        reach(crawl, link->target, depth, link->hops + 1u, link->wanted);
    for (struct edges edges = frontier_edges(&crawl->frontier, id); edges_next(&edges, &to);)
        reach(crawl, to, depth + 1, 0, 0);
}

static void look_at_reaches(struct crawl *crawl)
{
    for (size_t i = 0; i < crawl->reach_count && !crawl->status; i++) { /* more come meanwhile */
        struct reach way = crawl->reaches[i];
        struct link *link = link_of(crawl, way.id);
        if (way.depth >= link->depth && way.hops >= link->hops && !(way.wanted & ~link->wanted))
            continue;
        if (way.depth < link->depth) link->depth = way.depth;
        if (way.hops < link->hops) link->hops = way.hops;
        link->wanted |= way.wanted;
        consider(crawl, way.id);
        pass_on(crawl, way.id);
    }
    crawl->reach_count = 0;
}

/* A host is found to belong to the site. */
static void take_into_site(struct crawl *crawl, struct lane *lane)
{
    if (lane->site) return;
    lane->site = true;
    frontier_settle(&crawl->frontier, lane);
    for (uint32_t id = 0; id < crawl->frontier.count; id++) {
        const struct link *link = link_of(crawl, id);
        if (link->lane != FRONTIER_NONE && lane_of(crawl, link) == lane) consider(crawl, id);
    }
}

/* ---- Starting ---- */

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

static void rest(struct crawl *crawl, struct trip *trip)
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

static void end_trip(struct crawl *crawl, struct trip *trip)
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
        end_trip(crawl, trip);
        rest(crawl, trip);
    }
    fail(crawl, status);
}

static void start_robots(struct crawl *crawl, struct lane *lane, il_time now)
{
    struct trip *trip = take_trip(crawl);

    lane->robots_state = ROBOTS_UNDER_WAY;
    if (!trip) {
        fail(crawl, -ENOMEM);
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
    struct link *link = link_of(crawl, id);

    if (!trip) {
        fail(crawl, -ENOMEM);
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
        judge(crawl, id, lane->verdict, crawl->frontier.reasons[lane->reason]);
        return;
    }
    const char *url = frontier_url(&crawl->frontier, id);
    if (lane->site && !robots_allow(&lane->robots, url + url_origin(url)))
        judge(crawl, id, lane->robots.forbidden ? VERDICT_UNKNOWN : VERDICT_FORBIDDEN,
              lane->robots.forbidden ? "robots.txt cannot be had" : "robots.txt forbids it");
    else start_visit(crawl, lane, id, now);
}

static il_time start_all(struct crawl *crawl)
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

/* ---- Answers: robots.txt ---- */

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
static void take_robots(struct crawl *crawl, struct trip *trip, const struct visit_answer *answer)
{
    struct lane *lane = trip->lane;
    bool later = pace_answer(crawl, trip, answer);
    bool refused = count_refused(crawl, lane, answer);
    bool done = answer->end == TRANSFER_DONE && !later;

    if (answer->failure) {
        fail(crawl, answer->failure);
    } else if (done && answer->status >= 200 && answer->status < 300) {
        size_t size = answer->size > crawl->room && crawl->opts.kind->apart ? 0 : answer->size;
        fail(crawl,
             robots_read(&lane->robots, visit_bytes(answer, crawl->opts.kind->apart), size, AGENT));
        pace_delay(&lane->pace, lane->robots.delay);
    } else if (done && answer->status < 500) {
        /* there is none */
    } else if (refused || ++lane->robots_tries < (later ? TRIES_LIMITED : TRIES)) {
        lane->robots_state = ROBOTS_NEEDED;
        return;
    } else {
        lane->robots.forbidden = true;
    }
    lane->robots_state = ROBOTS_KNOWN;
}

/* ---- Answers: links on a page ---- */

static void keep_pointer(struct crawl *crawl, uint32_t from, uint32_t to, const char *fragment)
{
    struct pointer pointer = { .from = from, .to = to };
    size_t size = strlen(fragment) + 1;
    void *pointers = crawl->pointers;

    if (!*fragment || !strcasecmp(fragment, "top") || strstr(fragment, ":~:")) return;
    if (!has_room(crawl, &pointers, &crawl->pointer_room, crawl->pointer_count, sizeof pointer))
        return;
    crawl->pointers = pointers;
    fail(crawl, spool_put(&crawl->frontier.texts, fragment, size, &pointer.fragment));
    crawl->pointers[crawl->pointer_count++] = pointer;
}

static void keep_anchor(struct crawl *crawl, uint32_t page, const char *name)
{
    struct text key = { 0 };

    text_print(&key, "%x#%s", page, name);
    int status = key.broken ? -ENOMEM : il_set_add(crawl->anchors, key.data);
    text_free(&key);
    fail(crawl, status == -EALREADY ? 0 : status);
}

static unsigned wanted_of(char letter)
{
    return letter == LINK_PAGE       ? WANTED_PAGE
           : letter == LINK_NOFOLLOW ? WANTED_NOFOLLOW
                                     : WANTED_RESOURCE;
}

/* A record of the page; gives the id that it leads to, FRONTIER_NONE: nowhere. */
static uint32_t take_record(struct crawl *crawl, uint32_t page, const struct link_record *record)
{
    uint32_t id = FRONTIER_NONE;

    if (record->letter == LINK_ANCHOR) {
        keep_anchor(crawl, page, record->url);
        return id;
    }
    bool malformed = record->letter == LINK_MALFORMED;
    int status = frontier_meet(&crawl->frontier, record->url, malformed, &id);
    fail(crawl, status);
    if (status) return FRONTIER_NONE;
    if (malformed) judge(crawl, id, VERDICT_BROKEN, "malformed URL");
    else reach(crawl, id, link_of(crawl, page)->depth + 1u, 0, wanted_of(record->letter));
    if (crawl->opts.fragments && !malformed) keep_pointer(crawl, page, id, record->fragment);
    return id;
}

static void take_links(struct crawl *crawl, uint32_t page, const char *bytes, size_t size)
{
    struct link_record record;
    uint32_t *ids = NULL;
    size_t count = 0, room = 0, at = 0;

    while (!crawl->status && links_next(bytes, size, &at, &record)) {
        uint32_t id = take_record(crawl, page, &record);
        void *more = ids;
        if (id == FRONTIER_NONE || !has_room(crawl, &more, &room, count, sizeof *ids)) continue;
        ids = more;
        ids[count++] = id;
    }
    if (count) fail(crawl, frontier_put_edges(&crawl->frontier, page, ids, count));
    free(ids);
}

/* ---- Answers: a link ---- */

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
        judge(crawl, id, VERDICT_BROKEN, "redirects to what is no URL of the web");
        text_free(&url);
        return;
    }
    int status = frontier_meet(&crawl->frontier, url.data, false, &to);
    text_free(&url);
    fail(crawl, status);
    if (status) return;
    judge(crawl, id, VERDICT_REDIRECTED, answer->words);
    struct link *link = link_of(crawl, id), *target = link_of(crawl, to);
    link->target = to;
    if (link->typed && !target->typed) { /* http://example.com leads to https://www.example.com */
        target->typed = true;
        take_into_site(crawl, lane_of(crawl, target));
    }
    reach(crawl, to, link->depth, link->hops + 1u, link->wanted);
}

/* A host that is not ours may hide from strangers what people see. */
static enum link_verdict verdict_of(struct crawl *crawl, const struct link *link)
{
    int status = link->status;

    if (status < 400) return status >= 300 ? VERDICT_BROKEN : VERDICT_OK;
    bool hidden = status == 401 || status == 403 || status == 407 || status == 451;
    return hidden && !lane_of(crawl, link)->site ? VERDICT_UNKNOWN : VERDICT_BROKEN;
}

static void take_answered(struct crawl *crawl, struct trip *trip, const struct visit_answer *answer)
{
    struct link *link = link_of(crawl, trip->id);

    link->status = (int16_t)answer->status;
    crawl->pages += trip->order.page && answer->status >= 200 && answer->status < 300;
    if (is_redirect(answer)) {
        take_redirect(crawl, trip->id, answer);
    } else if (trip->order.head && answer->status >= 300) { /* HEAD is often not known */
        link->get = true;
        frontier_push(&crawl->frontier, trip->id);
    } else {
        judge(crawl, trip->id, verdict_of(crawl, link), answer->words);
        if (answer->html) {
            link->read = true;
            take_links(crawl, trip->id, visit_bytes(answer, crawl->opts.kind->apart), answer->size);
        }
        consider(crawl, trip->id); /* it may have become a page meanwhile */
    }
}

/* Again, at the end of its lane; or enough of it. */
static void try_again(struct crawl *crawl, uint32_t id, unsigned most, enum link_verdict verdict,
                      const struct visit_answer *answer)
{
    struct link *link = link_of(crawl, id);

    link->status = (int16_t)answer->status;
    if (++link->tries < most) frontier_push(&crawl->frontier, id);
    else judge(crawl, id, verdict, answer->words);
}

static void take_visit(struct crawl *crawl, struct trip *trip, const struct visit_answer *answer)
{
    struct lane *lane = trip->lane;

    if (answer->failure) {
        fail(crawl, answer->failure);
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
        try_again(crawl, trip->id, answer->status == 429 ? TRIES_LIMITED : TRIES, VERDICT_UNKNOWN,
                  answer);
    else if (answer->end == TRANSFER_DONE) take_answered(crawl, trip, answer);
    else try_again(crawl, trip->id, broken_off ? TRIES : 1, VERDICT_BROKEN, answer);
}

/* The visit itself was ended: by us, or its worker died. */
static void take_lost(struct crawl *crawl, struct trip *trip, int status)
{
    pace_failed(&trip->lane->pace, il_now());
    if (crawl->stopping || status == -ENOMEM) {
        fail(crawl, crawl->stopping ? 0 : status);
        return;
    }
    struct visit_answer answer = { .end = TRANSFER_OTHER };
    snprintf(answer.words, sizeof answer.words, "the visit failed: %s", il_strerror(status));
    if (trip->id != FRONTIER_NONE) try_again(crawl, trip->id, TRIES, VERDICT_UNKNOWN, &answer);
    else if (++trip->lane->robots_tries < TRIES) trip->lane->robots_state = ROBOTS_NEEDED;
    else bury(crawl, trip->lane, VERDICT_UNKNOWN, answer.words);
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
    end_trip(crawl, trip);
    int status = answer ? il_future_get(trip->future, IL_FOREVER, answer) : -ENOMEM;
    if (status) take_lost(crawl, trip, status);
    else if (trip->id == FRONTIER_NONE) take_robots(crawl, trip, answer);
    else take_visit(crawl, trip, answer);
    if (!status) free(answer->bytes);
    il_future_free(trip->future);
    frontier_settle(&crawl->frontier, trip->lane);
    rest(crawl, trip);
    look_at_reaches(crawl);
}

/* ---- Rounds, for a limit of pages ---- */

static int compare_urls(const void *a, const void *b, void *arg)
{
    const struct frontier *frontier = arg;

    return strcmp(frontier_url(frontier, *(const uint32_t *)a),
                  frontier_url(frontier, *(const uint32_t *)b));
}

/* All of a round is known: let in as many as the limit allows. */
static void next_round(struct crawl *crawl)
{
    uint64_t free_ = crawl->opts.pages - crawl->taken;

    qsort_r(crawl->later, crawl->later_count, sizeof *crawl->later, compare_urls, &crawl->frontier);
    for (size_t i = 0; i < crawl->later_count; i++) {
        struct link *link = link_of(crawl, crawl->later[i]);
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

/* ---- The whole ---- */

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
    if (!crawl->frontier.queued && crawl->later_count) next_round(crawl);
    return !crawl->frontier.queued;
}

static void work(struct crawl *crawl)
{
    struct trip *trip;

    while (!is_over(crawl)) {
        if ((crawl_signal || crawl->status) && !crawl->stopping) stop(crawl);
        il_time when = crawl->stopping ? IL_FOREVER : start_all(crawl), tick = il_after(TICK);
        if (!il_chan_recv(crawl->answers, &trip, when < tick ? when : tick))
            take_trip_back(crawl, trip); /* one, so that what it makes room for starts at once */
        progress_show(-1, crawl->pages);
    }
}

static void add_start(struct crawl *crawl, const char *url)
{
    uint32_t id;
    int status = frontier_meet(&crawl->frontier, url, false, &id);

    fail(crawl, status);
    if (status) return;
    struct link *link = link_of(crawl, id);
    link->typed = true;
    lane_of(crawl, link)->site = true;
    reach(crawl, id, 0, 0, WANTED_PAGE);
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
        fail(crawl, status);
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

int crawl_run(struct crawl *crawl, const struct crawl_opts *opts, char **urls, size_t url_count,
              char **hosts, size_t host_count)
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
    fail(crawl, status);
    if (status) return status;
    for (size_t i = 0; i < host_count; i++) add_host(crawl, hosts[i]);
    for (size_t i = 0; i < url_count; i++) add_start(crawl, urls[i]);
    look_at_reaches(crawl);
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
