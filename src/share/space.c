/* SPDX-License-Identifier: MIT */
/*
 * Spaces: a table of chains whose entries are pieces of the arena. All of it is guarded by the ledger
 * of the arena's head, so that a key, its memory and its version change in one step. An entry never
 * changes: to set a key is to put another in its place.
 */

#include <interlock/space.h>

#include <errno.h>
#include <string.h>

#include <interlock/status.h>

#include "base/memory.h"
#include "share/arena.h"

enum { KEYS = 256, LONGEST = 255 };

struct entry {
    uint64_t next, hash, version, size;
    uint64_t key_size; /* with its 0 */
    char key[];        /* and then the bytes */
};

typedef struct shared {
    il__object object; /* first */
    uint64_t buckets;  /* a power of two; set at init */
    uint64_t version;  /* the last that was given */
    uint64_t count;
    il__crowd watchers;
    uint64_t chains[]; /* places of entries */
} shared;

struct il_space {
    il__opened opened; /* first */
    unsigned waiting;  /* guarded by the ledger too */
};

/* A key that is looked for, and where it is. */
struct key {
    const char *words;
    size_t size; /* with its 0 */
    uint64_t hash;
    uint64_t *link;      /* that leads to its entry, or would */
    struct entry *entry; /* NULL: it is not there */
};

static shared *shared_of(const il_space *space)
{
    return (shared *)space->opened.object;
}

static il__arena_head *head_of(const il_space *space)
{
    return space->opened.arena->head;
}

/* Fowler, Noll, Vo: FNV-1a. The same in each process. */
static uint64_t hash_of(const char *words, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++) hash = (hash ^ (unsigned char)words[i]) * 0x100000001b3;
    return hash ^ hash >> 32;
}

static int check(const il_space *space, const char *words, struct key *out_key)
{
    size_t size = strnlen(words, LONGEST + 1) + 1;
    *out_key = (struct key){ .words = words, .size = size, .hash = hash_of(words, size) };
    if (size == 1 || size > LONGEST + 1)
        return il_fail(-EINVAL, "a key has 1 to %d bytes", LONGEST);
    return il__arena_check(space->opened.arena);
}

/* The ledger is locked. */
static void find(const il_space *space, struct key *key)
{
    shared *all = shared_of(space);
    key->link = &all->chains[key->hash & (all->buckets - 1)];
    while ((key->entry = il__at(head_of(space), *key->link))) {
        if (key->entry->hash == key->hash && key->entry->key_size == key->size &&
            !memcmp(key->entry->key, key->words, key->size))
            return;
        key->link = &key->entry->next;
    }
}

static uint64_t version_of(const struct key *key)
{
    return key->entry ? key->entry->version : 0;
}

static const char *bytes_of(const struct entry *entry)
{
    return entry->key + entry->key_size;
}

/* --- Changing ------------------------------------------------------------------------------------- */

/* Take the entry of a key out, and put `place` in its stead, or nothing: then 0. */
static void replace(il_space *space, const struct key *key, uint64_t place)
{
    il__arena_head *head = head_of(space);
    shared *all = shared_of(space);
    il__set(&head->ledger, &all->version, all->version + 1);
    il__set(&head->ledger, &all->count, all->count + (place != 0) - (key->entry != NULL));
    il__set(&head->ledger, key->link, place ? place : key->entry->next);
    if (key->entry) il__piece_give(head, il__place_of(head, key->entry));
}

/* Commit, and let all look who watch. */
static void publish(il_space *space)
{
    il__arena_head *head = head_of(space);
    shared *all = shared_of(space);
    il__crowd watchers = all->watchers;
    for (int i = 0; i < IL__MEMBERS / 64; i++)
        if (watchers.bits[i]) il__set(&head->ledger, &all->watchers.bits[i], 0);
    il__ledger_unlock(&head->ledger);
    il__bell_ring_all(space->opened.arena, &watchers);
}

/* A new entry, not linked yet. Its bytes may be written at once: what is in a free piece is nobody's. */
static uint64_t new_entry(il_space *space, const struct key *key, const void *data, size_t size)
{
    il__arena_head *head = head_of(space);
    if (size > head->size) return 0;
    uint64_t place = il__piece_take(head, sizeof(struct entry) + key->size + size, 0);
    struct entry *fresh = il__at(head, place);
    if (!fresh) return 0;
    *fresh = (struct entry){
        .next = key->entry ? key->entry->next : 0,
        .hash = key->hash,
        .version = shared_of(space)->version + 1,
        .size = size,
        .key_size = key->size,
    };
    memcpy(fresh->key, key->words, key->size);
    if (size) memcpy(fresh->key + key->size, data, size);
    return place;
}

int il_space_set(il_space *space, const char *words, const void *data, size_t size,
                 uint64_t expected, uint64_t *out_version)
{
    struct key key;
    int status = check(space, words, &key);
    if (status) return status;
    il__arena_head *head = head_of(space);
    il__ledger_lock(&head->ledger);
    find(space, &key);
    if (expected != IL_ANY_VERSION && expected != version_of(&key)) status = -ESTALE;
    uint64_t place = status ? 0 : new_entry(space, &key, data, size);
    if (!place) {
        il__ledger_unlock(&head->ledger);
        return status ? status : -ENOMEM;
    }
    uint64_t version = shared_of(space)->version + 1;
    replace(space, &key, place);
    publish(space);
    if (out_version) *out_version = version;
    return 0;
}

int il_space_delete(il_space *space, const char *words, uint64_t expected)
{
    struct key key;
    int status = check(space, words, &key);
    if (status) return status;
    il__ledger *ledger = &head_of(space)->ledger;
    il__ledger_lock(ledger);
    find(space, &key);
    if (!key.entry) status = -ENOENT;
    else if (expected != IL_ANY_VERSION && expected != version_of(&key)) status = -ESTALE;
    if (status) {
        il__ledger_unlock(ledger);
        return status;
    }
    replace(space, &key, 0);
    publish(space);
    return 0;
}

/* --- Reading -------------------------------------------------------------------------------------- */

int il_space_get(il_space *space, const char *words, void *out_data, size_t capacity,
                 size_t *out_size, uint64_t *out_version)
{
    struct key key;
    int status = check(space, words, &key);
    if (status) return status;
    il__ledger *ledger = &head_of(space)->ledger;
    il__ledger_lock(ledger);
    find(space, &key);
    if (!key.entry) status = -ENOENT;
    else if (key.entry->size > capacity) status = -ENOBUFS;
    else if (key.entry->size) memcpy(out_data, bytes_of(key.entry), key.entry->size);
    uint64_t version = version_of(&key), size = key.entry ? key.entry->size : 0;
    il__ledger_unlock(ledger);
    if (out_size && status != -ENOENT) *out_size = size;
    if (out_version && !status) *out_version = version;
    return status;
}

/* Locked before and after. */
static int wait_in(il_space *space, il_time until)
{
    il_arena *arena = space->opened.arena;
    il__ledger *ledger = &arena->head->ledger;
    shared *all = shared_of(space);
    il__crowd_set(ledger, &all->watchers, arena->index, true);
    space->waiting++;
    uint32_t heard = il__bell_heard(arena);
    il__ledger_unlock(ledger);
    int status = il__bell_wait(arena, heard, "shared space", space, until);
    il__ledger_lock(ledger);
    if (!--space->waiting) il__crowd_set(ledger, &all->watchers, arena->index, false);
    return status;
}

static int look(const il_space *space, struct key *key, uint64_t above)
{
    find(space, key);
    if (version_of(key) > above) return 0;
    return above && !key->entry ? -ENOENT : -EAGAIN;
}

int il_space_wait(il_space *space, const char *words, uint64_t above, il_time until,
                  uint64_t *out_version)
{
    struct key key;
    int status = check(space, words, &key), waited = 0;
    if (status) return status;
    il__ledger *ledger = &head_of(space)->ledger;
    il__ledger_lock(ledger);
    while ((status = look(space, &key, above)) == -EAGAIN && !waited && until != IL_NOW)
        waited = wait_in(space, until);
    uint64_t version = version_of(&key);
    il__ledger_unlock(ledger);
    if (status == -EAGAIN && waited) return waited;
    if (!status && out_version) *out_version = version;
    return status;
}

/* A list that is as it was at one moment: copied under the lock, into memory that is got without it. */
struct listing {
    char *bytes;
    size_t size, room;
};

struct item {
    uint64_t version, size, key_size;
    char key[];
};

static size_t item_size(const struct entry *entry)
{
    return (sizeof(struct item) + entry->key_size + 7) & ~(size_t)7;
}

static void add(struct listing *listing, const struct entry *entry, const char *prefix)
{
    size_t size = item_size(entry);
    if (prefix && strncmp(entry->key, prefix, strlen(prefix)) != 0) return;
    if (listing->bytes && listing->size + size <= listing->room) {
        struct item *copy = (struct item *)(void *)(listing->bytes + listing->size);
        *copy = (struct item){ entry->version, entry->size, entry->key_size };
        memcpy(copy->key, entry->key, entry->key_size);
    }
    listing->size += size;
}

/* Does all of it fit? */
static bool copy_list(const il_space *space, const char *prefix, struct listing *listing)
{
    il__arena_head *head = head_of(space);
    const shared *all = shared_of(space);
    listing->size = 0;
    il__ledger_lock(&head->ledger);
    for (uint64_t i = 0; i < all->buckets; i++)
        for (const struct entry *entry = il__at(head, all->chains[i]); entry;
             entry = il__at(head, entry->next))
            add(listing, entry, prefix);
    il__ledger_unlock(&head->ledger);
    return listing->size <= listing->room;
}

int il_space_list(il_space *space, const char *prefix, il_space_visit *visit, void *arg)
{
    struct listing listing = { .bytes = NULL };
    int status = il__arena_check(space->opened.arena);
    if (status) return status;
    while (!copy_list(space, prefix, &listing)) {
        char *grown = il__realloc(listing.bytes, listing.size);
        if (!grown) {
            il__free(listing.bytes);
            return -ENOMEM;
        }
        listing.bytes = grown;
        listing.room = listing.size;
    }
    for (size_t at = 0; !status && at < listing.size;) {
        const struct item *item = (const struct item *)(const void *)(listing.bytes + at);
        status = visit(item->key, item->size, item->version, arg);
        at += (sizeof *item + item->key_size + 7) & ~(size_t)7;
    }
    il__free(listing.bytes);
    return status;
}

size_t il_space_count(const il_space *space)
{
    return il__load(&shared_of(space)->count);
}

/* --- Life ------------------------------------------------------------------------------------------ */

static void bury(il__arena_head *head, il__object *object, uint32_t index)
{
    il__crowd_set(&head->ledger, &((shared *)object)->watchers, index, false);
}

static void empty(il__arena_head *head, il__object *object)
{
    shared *all = (shared *)object;
    for (uint64_t i = 0; i < all->buckets; i++) {
        while (all->chains[i]) {
            uint64_t place = all->chains[i];
            const struct entry *entry = il__at(head, place);
            il__set(&head->ledger, &all->chains[i], entry->next);
            il__set(&head->ledger, &all->count, all->count - 1);
            il__piece_give(head, place);
            il__ledger_commit(&head->ledger);
        }
    }
}

const il__class il__space_class = { .size = sizeof(il_space), .bury = bury, .empty = empty };

static void fill(il__object *object, const void *arg)
{
    shared *all = (shared *)object;
    il__object first = *object;
    uint64_t buckets = *(const uint64_t *)arg;
    *all = (shared){ .object = first, .buckets = buckets };
    memset(all->chains, 0, buckets * sizeof *all->chains);
}

int il_space_new(il_arena *arena, const il_space_opts *opts, il_space **out_space)
{
    uint64_t wanted = opts && opts->keys ? opts->keys : KEYS, buckets = 1;
    if (wanted > arena->size) return -ENOMEM;
    while (buckets < wanted) buckets *= 2;
    il__making making = {
        .kind = IL__SPACE,
        .size = sizeof(shared) + buckets * sizeof(uint64_t),
        .fill = fill,
        .arg = &buckets,
    };
    il__opened *opened = NULL;
    int status = il__object_new(arena, &making, &opened);
    if (!status) *out_space = (il_space *)opened;
    return status;
}

il_handle il_space_handle(const il_space *space)
{
    return il__object_handle(space->opened.arena, space->opened.object);
}

int il_space_open(const il_handle *handle, il_space **out_space)
{
    il__opened *opened = NULL;
    int status = il__object_open(handle, IL__SPACE, &opened);
    if (!status) *out_space = (il_space *)opened;
    return status;
}

void il_space_free(il_space *space)
{
    if (space) il__object_free(&space->opened);
}
