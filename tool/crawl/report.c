/* SPDX-License-Identifier: MIT */
/*
 * What came of a crawl. A link's verdict was given when its answer came; what it is in the end may
 * depend on others: where it redirects to, and whether a page has the anchor that is pointed to.
 */

#include "crawl/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crawl/links.h"
#include "term.h"
#include "tool.h"

enum { FLUSH = 1 << 20, MANY = 5 };

static const char *const fate_names[] = { "ok", "redirected", "broken", "unknown", "skipped" };

static const struct link *link_of(const struct report *report, uint32_t id)
{
    return &report->crawl->frontier.links[id];
}

static const char *url_of(const struct report *report, uint32_t id)
{
    return frontier_url(&report->crawl->frontier, id);
}

/* ---- Conclusions ---- */

/* Where redirects from here end; FRONTIER_NONE: in a circle. */
static uint32_t end_of(const struct report *report, uint32_t id)
{
    uint32_t slow = id;

    for (bool odd = false; link_of(report, id)->target != FRONTIER_NONE; odd = !odd) {
        id = link_of(report, id)->target;
        if (odd) slow = link_of(report, slow)->target;
        if (id == slow) return FRONTIER_NONE;
    }
    return id;
}

static enum fate own_fate(const struct link *link)
{
    static const uint8_t fates[] = {
        [VERDICT_NONE] = FATE_SKIPPED,          [VERDICT_OK] = FATE_OK,
        [VERDICT_REDIRECTED] = FATE_REDIRECTED, [VERDICT_BROKEN] = FATE_BROKEN,
        [VERDICT_UNKNOWN] = FATE_UNKNOWN,       [VERDICT_FORBIDDEN] = FATE_SKIPPED
    };
    return fates[link->verdict];
}

static enum fate fate_of(const struct report *report, uint32_t id)
{
    const struct link *link = link_of(report, id);
    enum fate fate = own_fate(link);

    if (fate != FATE_REDIRECTED) return fate;
    uint32_t end = end_of(report, id);
    if (end == FRONTIER_NONE) return FATE_BROKEN;
    fate = own_fate(link_of(report, end));
    if (fate == FATE_SKIPPED && link_of(report, end)->hops > CRAWL_HOPS_MOST) return FATE_BROKEN;
    return fate == FATE_BROKEN || fate == FATE_UNKNOWN ? fate : FATE_REDIRECTED;
}

static int complain(struct report *report, uint32_t page, uint32_t link)
{
    if (report->complaint_count == report->complaint_room) {
        size_t room = report->complaint_room ? 2 * report->complaint_room : 64;
        void *more = reallocarray(report->complaints, room, sizeof *report->complaints);
        if (!more) return -ENOMEM;
        report->complaints = more;
        report->complaint_room = room;
    }
    report->complaints[report->complaint_count++] = (struct complaint_on){ page, link };
    return 0;
}

static bool has_anchor(const struct report *report, uint32_t page, const char *name)
{
    struct text key = { 0 };

    text_print(&key, "%x#%s", page, name);
    bool found = key.broken || il_set_contains(report->crawl->anchors, key.data);
    text_free(&key);
    return found;
}

/* An anchor that is not there becomes a link of its own, broken: the URL with the fragment. */
static int check_pointer(struct report *report, const struct pointer *pointer)
{
    struct frontier *frontier = &report->crawl->frontier;
    const char *name = spool_at(&frontier->texts, pointer->fragment);
    uint32_t end = end_of(report, pointer->to), id;
    struct text url = { 0 };

    if (end == FRONTIER_NONE || !link_of(report, end)->read || has_anchor(report, end, name))
        return 0;
    text_print(&url, "%s#%s", url_of(report, pointer->to), name);
    int status = url.broken ? -ENOMEM : frontier_meet(frontier, url.data, true, &id);
    text_free(&url);
    if (status) return status;
    frontier->links[id].verdict = VERDICT_BROKEN;
    frontier->links[id].reason = frontier_reason(frontier, "no such anchor on the page");
    return complain(report, pointer->from, id);
}

static int compare_urls(const void *a, const void *b, void *arg)
{
    const struct report *report = arg;

    return strcmp(url_of(report, *(const uint32_t *)a), url_of(report, *(const uint32_t *)b));
}

static int put_in_order(struct report *report)
{
    size_t count = report->crawl->frontier.count;

    report->order = calloc(count + 1, sizeof *report->order);
    report->rank = calloc(count + 1, sizeof *report->rank);
    report->fates = calloc(count + 1, 1);
    report->common = calloc(count + 1, sizeof *report->common);
    if (!report->order || !report->rank || !report->fates || !report->common) return -ENOMEM;
    for (uint32_t id = 0; id < count; id++) report->order[id] = id;
    qsort_r(report->order, count, sizeof *report->order, compare_urls, report);
    for (uint32_t i = 0; i < count; i++) report->rank[report->order[i]] = i;
    for (uint32_t id = 0; id < count; id++) {
        report->fates[id] = (uint8_t)fate_of(report, id);
        report->counts[report->fates[id]]++;
    }
    return 0;
}

static bool is_complaint(const struct report *report, uint32_t id)
{
    return report->fates[id] != FATE_OK && report->fates[id] != FATE_SKIPPED;
}

static int complain_of_edges(struct report *report)
{
    size_t count = report->crawl->frontier.count;
    int status = 0;
    uint32_t to;

    for (uint32_t id = 0; id < count && !status; id++) {
        if (link_of(report, id)->typed && is_complaint(report, id))
            status = complain(report, FRONTIER_NONE, id);
        struct edges edges = frontier_edges(&report->crawl->frontier, id);
        while (!status && edges_next(&edges, &to))
            if (is_complaint(report, to)) status = complain(report, id, to);
    }
    return status;
}

static uint32_t rank_of(const struct report *report, uint32_t id)
{
    return id == FRONTIER_NONE ? 0 : report->rank[id] + 1;
}

static int by_page(const void *a, const void *b, void *arg)
{
    const struct complaint_on *x = a, *y = b;
    uint32_t px = rank_of(arg, x->page), py = rank_of(arg, y->page);
    uint32_t lx = rank_of(arg, x->link), ly = rank_of(arg, y->link);

    if (px != py) return px < py ? -1 : 1;
    return (lx > ly) - (lx < ly);
}

static int by_link(const void *a, const void *b, void *arg)
{
    const struct complaint_on *x = a, *y = b;
    uint32_t px = rank_of(arg, x->page), py = rank_of(arg, y->page);
    uint32_t lx = rank_of(arg, x->link), ly = rank_of(arg, y->link);

    if (lx != ly) return lx < ly ? -1 : 1;
    return (px > py) - (px < py);
}

int report_make(struct report *report, struct crawl *crawl, bool partial)
{
    *report = (struct report){ .crawl = crawl, .partial = partial };
    int status = 0;

    for (size_t i = 0; i < crawl->pointer_count && !status; i++)
        status = check_pointer(report, &crawl->pointers[i]);
    if (!status) status = put_in_order(report);
    if (!status) status = complain_of_edges(report);
    return status;
}

void report_free(struct report *report)
{
    free(report->order);
    free(report->rank);
    free(report->fates);
    free(report->common);
    free(report->complaints);
}

/* ---- Words ---- */

static const char *skipped_words(const struct report *report, const struct link *link)
{
    const struct crawl *crawl = report->crawl;
    bool site = link->lane != FRONTIER_NONE && crawl->frontier.lanes[link->lane]->site;

    if (link->state == LINK_LATER) return "beyond the limit of pages";
    if (link->state != LINK_MET) return "not asked for";
    if (!site) return "leaves the site";
    if (link->depth > crawl->opts.depth) return "beyond the depth";
    return report->partial ? "not asked for" : "nofollow";
}

static void put_reason(const struct report *report, uint32_t id, struct text *out)
{
    const struct frontier *frontier = &report->crawl->frontier;
    const struct link *link = link_of(report, id);

    if (link->verdict == VERDICT_NONE) {
        text_put(out, skipped_words(report, link));
        return;
    }
    text_put(out, frontier->reasons[link->reason]);
    if (link->verdict != VERDICT_REDIRECTED) return;
    uint32_t end = end_of(report, id);
    if (end == FRONTIER_NONE) {
        text_put(out, ", in a circle");
        return;
    }
    text_print(out, " to %s", url_of(report, link->target));
    if (end != link->target) text_print(out, ", and on to %s", url_of(report, end));
    if (report->fates[id] == FATE_REDIRECTED) return;
    text_put(out, ": ");
    if (link_of(report, end)->verdict == VERDICT_NONE) text_put(out, "too many in a row");
    else text_put(out, frontier->reasons[link_of(report, end)->reason]);
}

static void put_count(struct text *out, uint64_t number, const char *one, const char *many)
{
    char digits[32];

    text_print(out, "%s %s", term_count(digits, number), number == 1 ? one : many);
}

void report_summary(const struct report *report, struct text *out)
{
    const struct crawl *crawl = report->crawl;
    uint64_t links = 0;

    for (int fate = 0; fate < FATE_SKIPPED; fate++) links += report->counts[fate];
    put_count(out, crawl->pages, "page", "pages");
    text_put(out, " visited, ");
    put_count(out, links, "link", "links");
    text_print(out, " checked in %.1f s: ", (double)(crawl->ended - crawl->began) / 1e9);
    if (!report->counts[FATE_BROKEN]) text_put(out, "none broken");
    else put_count(out, report->counts[FATE_BROKEN], "broken", "broken");
    for (int fate = FATE_REDIRECTED; fate < FATES; fate++) {
        if (fate == FATE_BROKEN || !report->counts[fate]) continue;
        text_put(out, ", ");
        put_count(out, report->counts[fate], fate_names[fate], fate_names[fate]);
    }
}

/* What was written so far goes out, when it is much. */
static void flush(struct report *report, struct text *out, size_t least)
{
    if (out->size < least || report->status) return;
    report->status = out->broken ? -ENOMEM : tool_write(out->data, out->size);
    out->size = 0;
}

/* ---- For a person ---- */

/* What strangers wrote into a page does nothing to a terminal. */
static void put_safe(struct text *out, const char *words)
{
    for (; *words; words++)
        text_add(out, (unsigned char)*words < ' ' || *words == 0x7f ? "?" : words, 1);
}

static void put_page(const struct report *report, uint32_t page, struct text *out)
{
    put_safe(out, page == FRONTIER_NONE ? "(the command line)" : url_of(report, page));
    text_put(out, "\n");
}

/*     404 Not Found  http://example.com/missing */
static void put_link(const struct report *report, uint32_t id, struct text *out)
{
    struct text reason = { 0 };

    put_reason(report, id, &reason);
    text_put(out, "    ");
    put_safe(out, url_of(report, id));
    text_put(out, link_of(report, id)->target == FRONTIER_NONE ? "  " : "\n      ");
    put_safe(out, reason.data ? reason.data : "");
    text_put(out, "\n");
    text_free(&reason);
}

/* A link that is on many pages, as those of a menu are, is shown once. Those, of the complaints
 * in the order of links; they are marked. */
static void put_common(struct report *report, enum fate fate, struct text *out)
{
    const struct complaint_on *all = report->complaints;
    char digits[32];

    for (size_t i = 0, next; i < report->complaint_count; i = next) {
        for (next = i; next < report->complaint_count && all[next].link == all[i].link;) next++;
        if (next - i <= MANY || report->fates[all[i].link] != fate) continue;
        text_print(out, "  On %s pages, the first is ", term_count(digits, next - i));
        put_page(report, all[i].page, out);
        put_link(report, all[i].link, out);
        report->common[all[i].link] = true;
        flush(report, out, FLUSH);
    }
}

static void put_by_page(struct report *report, enum fate fate, struct text *out)
{
    const struct complaint_on *before = NULL;

    for (size_t i = 0; i < report->complaint_count; i++) {
        const struct complaint_on *one = &report->complaints[i];
        if (report->fates[one->link] != fate || report->common[one->link]) continue;
        if (!before || one->page != before->page) {
            text_put(out, "  ");
            put_page(report, one->page, out);
        }
        put_link(report, one->link, out);
        before = one;
        flush(report, out, FLUSH);
    }
}

static void sort_complaints(struct report *report, int (*by)(const void *, const void *, void *))
{
    if (report->complaint_count)
        qsort_r(report->complaints, report->complaint_count, sizeof *report->complaints, by,
                report);
}

static void put_section(struct report *report, enum fate fate, const char *title,
                        const char *colour, struct text *out)
{
    size_t count = 0;

    for (size_t i = 0; i < report->complaint_count; i++)
        count += report->fates[report->complaints[i].link] == fate;
    if (!count) return;
    text_print(out, "%s%s%s\n", colour ? colour : "", title, colour ? "\033[0m" : "");
    sort_complaints(report, by_link);
    put_common(report, fate, out);
    sort_complaints(report, by_page);
    put_by_page(report, fate, out);
    text_put(out, "\n");
}

static void write_text(struct report *report, bool colour, struct text *out)
{
    put_section(report, FATE_REDIRECTED, "Redirected", colour ? "\033[1;33m" : NULL, out);
    put_section(report, FATE_UNKNOWN, "Unknown", colour ? "\033[1;33m" : NULL, out);
    put_section(report, FATE_BROKEN, "Broken", colour ? "\033[1;31m" : NULL,
                out); /* next to the sum */
    report_summary(report, out);
    text_put(out, "\n");
}

static void write_list(struct report *report, struct text *out)
{
    for (size_t i = 0; i < report->crawl->frontier.count; i++) {
        uint32_t id = report->order[i];
        text_print(out, "%s %d ", fate_names[report->fates[id]], link_of(report, id)->status);
        put_safe(out, url_of(report, id));
        text_put(out, "\n");
        flush(report, out, FLUSH);
    }
}

/* ---- For a program ---- */

static void put_string(struct text *out, const char *name, const char *string)
{
    text_print(out, ", \"%s\": ", name);
    text_json(out, string, strlen(string));
}

static void put_pages(const struct report *report, size_t *at, uint32_t id, struct text *out)
{
    const char *comma = "";

    text_put(out, ", \"on\": [");
    for (; *at < report->complaint_count && report->complaints[*at].link == id; ++*at) {
        uint32_t page = report->complaints[*at].page;
        if (page == FRONTIER_NONE) continue; /* the command line is no page */
        text_put(out, comma);
        text_json(out, url_of(report, page), strlen(url_of(report, page)));
        comma = ", ";
    }
    text_put(out, "]");
}

static void put_object(struct report *report, uint32_t id, size_t *at, struct text *out)
{
    const struct link *link = link_of(report, id);
    struct text reason = { 0 };

    put_reason(report, id, &reason);
    text_put(out, "{\"url\": ");
    text_json(out, url_of(report, id), strlen(url_of(report, id)));
    put_string(out, "state", fate_names[report->fates[id]]);
    if (link->status) text_print(out, ", \"status\": %d", link->status);
    put_string(out, "reason", reason.data ? reason.data : "");
    if (link->target != FRONTIER_NONE) put_string(out, "to", url_of(report, link->target));
    if (link->depth < UINT16_MAX) text_print(out, ", \"depth\": %u", link->depth);
    text_print(out, ", \"page\": %s", link->read ? "true" : "false");
    if (is_complaint(report, id)) put_pages(report, at, id, out);
    text_put(out, "}\n");
    text_free(&reason);
}

static void write_json(struct report *report, struct text *out)
{
    const struct crawl *crawl = report->crawl;
    size_t at = 0;

    sort_complaints(report, by_link);
    for (size_t i = 0; i < crawl->frontier.count; i++) {
        put_object(report, report->order[i], &at, out);
        flush(report, out, FLUSH);
    }
    text_print(out, "{\"summary\": true, \"partial\": %s, \"pages\": %llu, \"seconds\": %.3f",
               report->partial ? "true" : "false", (unsigned long long)crawl->pages,
               (double)(crawl->ended - crawl->began) / 1e9);
    for (int fate = 0; fate < FATES; fate++)
        text_print(out, ", \"%s\": %llu", fate_names[fate],
                   (unsigned long long)report->counts[fate]);
    text_print(out, ", \"limited\": %llu}\n", (unsigned long long)crawl->limited);
}

int report_write(struct report *report, enum report_form form, bool colour)
{
    struct text out = { 0 };

    report->status = 0;
    switch (form) {
    case REPORT_TEXT: write_text(report, colour, &out); break;
    case REPORT_LIST: write_list(report, &out); break;
    case REPORT_JSON: write_json(report, &out); break;
    }
    flush(report, &out, 1);
    text_free(&out);
    return report->status;
}
