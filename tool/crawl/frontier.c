/* SPDX-License-Identifier: MIT */
/*
 * What a crawl knows. URLs are found by il_table, whose keys are ids: a link's URL is compared where it
 * lies, so no second copy of it exists. Edges are the differences of sorted ids, seven bits a byte:
 * the links that every page of a site has cost a byte or two each.
 */

#include "crawl/frontier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "crawl/url.h"

enum { VARINT_MOST = 5, LEAST_ROOM = 1024, REASONS_MOST = 4096 };

/* ---- URLs ---- */

static const char *url_of(const struct frontier *frontier, uint32_t id)
{
    return id == FRONTIER_NONE ? frontier->sought : frontier_url(frontier, id);
}

/* The table mixes this with its own secret; the seed is ours, so that nobody can choose URLs that
 * fall together. */
static uint64_t hash_url(const void *key, void *arg)
{
    const struct frontier *frontier = arg;
    const char *url = url_of(frontier, *(const uint32_t *)key);
    uint64_t hash = frontier->seed;

    for (; *url; url++) {
        hash = (hash ^ (unsigned char)*url) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return hash;
}

static bool equal_urls(const void *key, const void *other, void *arg)
{
    uint32_t a = *(const uint32_t *)key, b = *(const uint32_t *)other;

    return a == b || !strcmp(url_of(arg, a), url_of(arg, b));
}

int frontier_init(struct frontier *frontier, unsigned per_host, size_t memory)
{
    il_table_opts opts = { .hash = hash_url, .equal = equal_urls, .arg = frontier, .shards = 1 };

    *frontier = (struct frontier){ .per_host = per_host };
    spool_init(&frontier->texts, memory / 2);
    spool_init(&frontier->edges, memory / 2);
    if (getrandom(&frontier->seed, sizeof frontier->seed, 0) < 0)
        frontier->seed = (uint64_t)il_now();
    int status = il_table_new(sizeof(uint32_t), sizeof(uint32_t), &opts, &frontier->ids);
    if (!status) status = il_table_new(IL_STRINGS, sizeof(uint32_t), NULL, &frontier->hosts);
    frontier_reason(frontier, "");
    if (!status && !frontier->reason_count) status = -ENOMEM;
    if (status) frontier_free(frontier);
    return status;
}

void frontier_free(struct frontier *frontier)
{
    for (size_t i = 0; i < frontier->lane_count; i++) {
        robots_free(&frontier->lanes[i]->robots);
        free(frontier->lanes[i]->origin);
        free(frontier->lanes[i]);
    }
    for (size_t i = 0; i < frontier->reason_count; i++) free(frontier->reasons[i]);
    il_table_free(frontier->ids);
    il_table_free(frontier->hosts);
    spool_free(&frontier->texts);
    spool_free(&frontier->edges);
    free(frontier->links);
    free(frontier->lanes);
    free(frontier->heap);
    free(frontier->reasons);
    *frontier = (struct frontier){ 0 };
}

const char *frontier_url(const struct frontier *frontier, uint32_t id)
{
    return spool_at(&frontier->texts, frontier->links[id].url);
}

/* Room for one more in an array of pointers or structs that doubles. */
static int make_room(void **array, size_t *room, size_t count, size_t size)
{
    if (count < *room) return 0;
    size_t more = *room ? 2 * *room : LEAST_ROOM;
    void *larger = reallocarray(*array, more, size);
    if (!larger) return -ENOMEM;
    *array = larger;
    *room = more;
    return 0;
}

static int add_link(struct frontier *frontier, const char *url, bool apart, uint32_t *out_id)
{
    struct link link = { .lane = FRONTIER_NONE,
                         .next = FRONTIER_NONE,
                         .target = FRONTIER_NONE,
                         .depth = UINT16_MAX,
                         .hops = UINT8_MAX };
    void *links = frontier->links;
    uint32_t id = (uint32_t)frontier->count;

    if (frontier->count == FRONTIER_NONE) return -ENOMEM;
    int status = make_room(&links, &frontier->room, frontier->count, sizeof link);
    frontier->links = links;
    if (!status && !apart) status = frontier_lane(frontier, url, &link.lane);
    if (!status) status = spool_put(&frontier->texts, url, strlen(url) + 1, &link.url);
    if (status) return status;
    frontier->links[id] = link;
    status = il_table_put(frontier->ids, &id, &id);
    if (status) return status;
    frontier->count++;
    *out_id = id;
    return 0;
}

int frontier_meet(struct frontier *frontier, const char *url, bool apart, uint32_t *out_id)
{
    const uint32_t sought = FRONTIER_NONE;

    frontier->sought = url;
    if (il_table_get(frontier->ids, &sought, out_id)) return 0;
    return add_link(frontier, url, apart, out_id);
}

uint16_t frontier_reason(struct frontier *frontier, const char *words)
{
    for (size_t i = 0; i < frontier->reason_count; i++)
        if (!strcmp(frontier->reasons[i], words)) return (uint16_t)i;
    if (frontier->reason_count == REASONS_MOST) return 0;
    char **reasons =
        realloc(frontier->reasons, (frontier->reason_count + 1) * sizeof *frontier->reasons);
    char *copy = strdup(words);
    if (reasons) frontier->reasons = reasons;
    if (!reasons || !copy) {
        free(copy);
        return 0;
    }
    reasons[frontier->reason_count] = copy;
    return (uint16_t)frontier->reason_count++;
}

/* ---- Lanes ---- */

static int add_lane(struct frontier *frontier, char *origin, uint32_t *out_lane)
{
    struct lane **lanes = frontier->lanes, **heap = frontier->heap;
    struct lane *lane = calloc(1, sizeof *lane);
    size_t count = frontier->lane_count;
    uint32_t number = (uint32_t)count;

    if (!(count & (count - 1))) { /* the heap has room for all of them */
        size_t room = count ? 2 * count : 1;
        lanes = reallocarray(lanes, room, sizeof(struct lane *));
        if (lanes) frontier->lanes = lanes;
        heap = reallocarray(heap, room, sizeof(struct lane *));
        if (heap) frontier->heap = heap;
    }
    if (!lane || !lanes || !heap || il_table_put(frontier->hosts, origin, &number)) {
        free(lane);
        return -ENOMEM;
    }
    lane->origin = origin;
    lane->turn = ++frontier->turns;
    lane->head = lane->tail = FRONTIER_NONE;
    pace_init(&lane->pace, frontier->per_host);
    frontier->lanes[frontier->lane_count++] = lane;
    *out_lane = number;
    return 0;
}

int frontier_lane(struct frontier *frontier, const char *url, uint32_t *out_lane)
{
    char *origin = strndup(url, url_origin(url));
    if (!origin) return -ENOMEM;
    int status = il_table_get(frontier->hosts, origin, out_lane)
                     ? -EALREADY
                     : add_lane(frontier, origin, out_lane);
    if (status) free(origin);
    return status == -EALREADY ? 0 : status;
}

void frontier_push(struct frontier *frontier, uint32_t id)
{
    struct link *link = &frontier->links[id];
    struct lane *lane = frontier->lanes[link->lane];

    link->state = LINK_QUEUED;
    link->next = FRONTIER_NONE;
    if (lane->tail == FRONTIER_NONE) lane->head = id;
    else frontier->links[lane->tail].next = id;
    lane->tail = id;
    frontier->queued++;
    frontier_settle(frontier, lane);
}

uint32_t frontier_pop(struct frontier *frontier, struct lane *lane)
{
    uint32_t id = lane->head;

    if (id == FRONTIER_NONE) return id;
    lane->head = frontier->links[id].next;
    if (lane->head == FRONTIER_NONE) lane->tail = FRONTIER_NONE;
    frontier->links[id].next = FRONTIER_NONE;
    frontier->queued--;
    return id;
}

/* ---- Whose turn it is: a heap of the lanes that could start something ---- */

static bool before(const struct lane *a, const struct lane *b)
{
    return a->ready != b->ready ? a->ready < b->ready : a->turn < b->turn;
}

static void place(struct frontier *frontier, struct lane *lane, size_t at)
{
    frontier->heap[at] = lane;
    lane->heap_at = at + 1;
}

static void sift(struct frontier *frontier, struct lane *lane, size_t at)
{
    struct lane **heap = frontier->heap;

    for (; at && before(lane, heap[(at - 1) / 2]); at = (at - 1) / 2)
        place(frontier, heap[(at - 1) / 2], at);
    for (size_t child; (child = 2 * at + 1) < frontier->heap_count; at = child) {
        if (child + 1 < frontier->heap_count && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], lane)) break;
        place(frontier, heap[child], at);
    }
    place(frontier, lane, at);
}

static void take_out(struct frontier *frontier, struct lane *lane)
{
    if (!lane->heap_at) return;
    size_t at = lane->heap_at - 1;
    struct lane *last = frontier->heap[--frontier->heap_count];
    lane->heap_at = 0;
    if (last != lane) sift(frontier, last, at);
}

/* A dead lane is ready at once: its links are only to be told. */
static il_time ready_when(const struct lane *lane)
{
    if (lane->head == FRONTIER_NONE) return IL_FOREVER;
    if (lane->dead) return 0;
    if (lane->site && lane->robots_state == ROBOTS_UNDER_WAY) return IL_FOREVER;
    return pace_when(&lane->pace);
}

void frontier_settle(struct frontier *frontier, struct lane *lane)
{
    il_time ready = ready_when(lane);

    if (ready == IL_FOREVER) {
        take_out(frontier, lane);
        return;
    }
    lane->ready = ready;
    sift(frontier, lane, lane->heap_at ? lane->heap_at - 1 : frontier->heap_count++);
}

struct lane *frontier_ready(struct frontier *frontier, il_time now, il_time *out_when)
{
    struct lane *lane = frontier->heap_count ? frontier->heap[0] : NULL;

    *out_when = lane ? lane->ready : IL_FOREVER;
    if (!lane || lane->ready > now) return NULL;
    take_out(frontier, lane);
    lane->turn = ++frontier->turns;
    return lane;
}

/* ---- Edges ---- */

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static unsigned char *put_number(unsigned char *out, uint32_t number)
{
    for (; number >= 0x80; number >>= 7) *out++ = (unsigned char)(number | 0x80);
    *out++ = (unsigned char)number;
    return out;
}

static const unsigned char *get_number(const unsigned char *in, uint32_t *out)
{
    unsigned shift = 0;

    for (*out = 0; *in & 0x80; shift += 7) *out |= (uint32_t)(*in++ & 0x7f) << shift;
    *out |= (uint32_t)*in++ << shift;
    return in;
}

int frontier_put_edges(struct frontier *frontier, uint32_t page, uint32_t *ids, size_t count)
{
    const size_t most = SPOOL_CHUNK / VARINT_MOST - 1;
    size_t kept = 0;

    if (!count) return 0;
    qsort(ids, count, sizeof *ids, compare_ids);
    for (size_t i = 0; i < count; i++)
        if (!i || ids[i] != ids[i - 1]) ids[kept++] = ids[i];
    if (kept > most) kept = most; /* two hundred thousand of one page are enough */
    unsigned char *bytes = malloc((kept + 1) * VARINT_MOST);
    if (!bytes) return -ENOMEM;
    unsigned char *end = put_number(bytes, (uint32_t)kept);
    for (size_t i = 0; i < kept; i++) end = put_number(end, i ? ids[i] - ids[i - 1] : ids[i]);
    uint64_t place_of;
    int status = spool_put(&frontier->edges, bytes, (size_t)(end - bytes), &place_of);
    free(bytes);
    if (!status) frontier->links[page].edges = place_of + 1;
    return status;
}

struct edges frontier_edges(const struct frontier *frontier, uint32_t page)
{
    uint64_t at = frontier->links[page].edges;
    struct edges edges = { 0 };
    uint32_t count;

    if (!at) return edges;
    edges.at = get_number((const unsigned char *)spool_at(&frontier->edges, at - 1), &count);
    edges.left = count;
    return edges;
}

bool edges_next(struct edges *edges, uint32_t *out_id)
{
    uint32_t step;

    if (!edges->left) return false;
    edges->left--;
    edges->at = get_number(edges->at, &step);
    *out_id = edges->id += step;
    return true;
}
