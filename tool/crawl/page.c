/* SPDX-License-Identifier: MIT */
/* The links of a page, and what they point to. */

#include <stdlib.h>
#include <string.h>

#include "crawl/links.h"
#include "crawl/parts.h"

static void keep_pointer(struct crawl *crawl, uint32_t from, uint32_t to, const char *fragment)
{
    struct pointer pointer = { .from = from, .to = to };
    size_t size = strlen(fragment) + 1;
    void *pointers = crawl->pointers;

    if (!*fragment || !strcasecmp(fragment, "top") || strstr(fragment, ":~:")) return;
    if (!crawl_has_room(crawl, &pointers, &crawl->pointer_room, crawl->pointer_count,
                        sizeof pointer))
        return;
    crawl->pointers = pointers;
    crawl_fail(crawl, spool_put(&crawl->frontier.texts, fragment, size, &pointer.fragment));
    crawl->pointers[crawl->pointer_count++] = pointer;
}

static void keep_anchor(struct crawl *crawl, uint32_t page, const char *name)
{
    struct text key = { 0 };

    text_print(&key, "%x#%s", page, name);
    int status = key.broken ? -ENOMEM : il_set_add(crawl->anchors, key.data);
    text_free(&key);
    crawl_fail(crawl, status == -EALREADY ? 0 : status);
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
    crawl_fail(crawl, status);
    if (status) return FRONTIER_NONE;
    if (malformed) crawl_judge(crawl, id, VERDICT_BROKEN, "malformed URL");
    else crawl_reach(crawl, id, crawl_link(crawl, page)->depth + 1u, 0, wanted_of(record->letter));
    if (crawl->opts.fragments && !malformed) keep_pointer(crawl, page, id, record->fragment);
    return id;
}

void crawl_take_links(struct crawl *crawl, uint32_t page, const char *bytes, size_t size)
{
    struct link_record record;
    uint32_t *ids = NULL;
    size_t count = 0, room = 0, at = 0;

    while (!crawl->status && links_next(bytes, size, &at, &record)) {
        uint32_t id = take_record(crawl, page, &record);
        void *more = ids;
        if (id == FRONTIER_NONE || !crawl_has_room(crawl, &more, &room, count, sizeof *ids))
            continue;
        ids = more;
        ids[count++] = id;
    }
    if (count) crawl_fail(crawl, frontier_put_edges(&crawl->frontier, page, ids, count));
    free(ids);
}
