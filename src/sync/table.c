/* SPDX-License-Identifier: MIT */
/*
 * Table: a hash table in shards, each with a mutex.
 *
 * The hash of a key under the table's own secret chooses a shard by its high bits and a slot by its
 * low ones. A shard is an array of slots, a power of two, at most three quarters full; a key stands
 * in the first free slot from the one that it hashes to (linear probing), and what stood behind a
 * removed one moves up, so there are no tombstones and a search ends at the first free slot. A slot:
 *
 *     tag     the hash with the bit FULL, or 0: free
 *     key     the bytes, or the pointer to a string of ours
 *     value   the bytes
 *
 * Each operation holds the mutex of one shard from begin to end: that is its one moment. A snapshot
 * holds all of them, taken in the order of the array; nobody else takes two. Functions of the caller
 * run under a shard's mutex and may wait there, which is why it is a mutex and not a spin lock.
 * All in a shard is guarded by its mutex; `count` is read without as well.
 *
 * Memory is asked for before anything is changed. Shards grow alone, so a growing table stops for
 * the length of a shard. The secret is the table's and not the process's: keys that come out of one
 * table in the order of their hashes and go into another would fill it from one end.
 *
 * Why our own. The libraries at hand have readers without locks and free memory when no reader can
 * see it any more: rculfhash of liburcu, ck_ht of Concurrency Kit. Both identify readers with
 * threads, which register, and must not sleep in a read-side section; our tasks move between threads
 * at any wait, and run on threads that we did not start. ck_ht wants its writers serialised from
 * outside besides, so the locks would still be ours. Neither has an update in place or a snapshot of
 * one moment, which need locks in any case. And the core needs nothing but libc. What lock-free
 * readers would save is the cache line of the shard, which a reader takes from whoever read before:
 * with few and hot keys two workers get little more done than one (bench/README.md). What they
 * would cost is memory that is kept until nobody reads it, values that are replaced instead of
 * changed, and once more the memory order of weak machines. A readers-writer lock a shard was not
 * taken: its readers write to that line as well, and its sections are too short to share.
 */

#include <interlock/table.h>

#include <errno.h>
#include <interlock/cpu.h>
#include <interlock/mutex.h>
#include <string.h>

#include "base/atomic.h"
#include "base/hash.h"
#include "base/memory.h"
#include "os/random.h"

#define FULL (UINT64_C(1) << 63)

enum {
    SHARD_SHIFT = 47, /* of the hash: bits 47..62 choose the shard */
    MAX_SHARDS = 65536,
    SHARDS_A_CPU = 8,
    MIN_SLOTS = 8,
};

struct shard {
    _Alignas(64) il_mutex mutex;
    unsigned char *slots; /* NULL: none yet */
    size_t mask;          /* slots - 1 */
    size_t count;         /* full ones; atomic */
    size_t string_bytes;  /* that the keys have, if they are strings */
};

struct il_table {
    /* Set at init. */
    size_t key_size, value_size;     /* as given */
    size_t key_at, value_at, stride; /* where in a slot, and its size */
    il_table_opts opts;
    uint64_t secret[2];
    size_t shard_mask;
    struct shard shards[];
};

/* --- Slots ----------------------------------------------------------------------------------- */

static bool has_strings(const il_table *table)
{
    return table->key_size == IL_STRINGS;
}

static inline unsigned char *slot_at(const il_table *table, const struct shard *shard, size_t index)
{
    return shard->slots + index * table->stride;
}

static inline uint64_t *tag_of(unsigned char *slot)
{
    return (uint64_t *)(void *)slot;
}

static inline const void *key_of(const il_table *table, const unsigned char *slot)
{
    const void *bytes = slot + table->key_at;
    return has_strings(table) ? *(char *const *)bytes : bytes;
}

static inline void *value_of(const il_table *table, unsigned char *slot)
{
    return slot + table->value_at;
}

static uint64_t hash_of(const il_table *table, const void *key)
{
    uint64_t hash;
    if (table->opts.hash)
        hash = il__hash_mix(table->secret, table->opts.hash(key, table->opts.arg));
    else
        hash =
            il__hash_bytes(table->secret, key, has_strings(table) ? strlen(key) : table->key_size);
    return hash | FULL;
}

static bool equal(const il_table *table, const void *key, const void *other)
{
    if (table->opts.equal) return table->opts.equal(key, other, table->opts.arg);
    if (has_strings(table)) return !strcmp(key, other);
    return !memcmp(key, other, table->key_size);
}

/* The slot of a key, or NULL. */
static unsigned char *find(const il_table *table, const struct shard *shard, uint64_t hash,
                           const void *key)
{
    if (!shard->count) return NULL;
    for (size_t i = hash;; i++) {
        unsigned char *slot = slot_at(table, shard, i & shard->mask);
        uint64_t tag = *tag_of(slot);
        if (!tag) return NULL;
        if (tag == hash && equal(table, key, key_of(table, slot))) return slot;
    }
}

/* The first free slot for a hash. There is one. */
static unsigned char *find_free(const il_table *table, const struct shard *shard, uint64_t hash)
{
    size_t i = hash;
    while (*tag_of(slot_at(table, shard, i & shard->mask))) i++;
    return slot_at(table, shard, i & shard->mask);
}

/* Move all into that many slots. False, and all as before, when there is no memory. */
static bool resize(const il_table *table, struct shard *shard, size_t slots)
{
    unsigned char *old = shard->slots, *memory = il__zalloc(slots * table->stride);
    size_t old_slots = old ? shard->mask + 1 : 0;
    if (!memory) return false;
    shard->slots = memory;
    shard->mask = slots - 1;
    for (size_t i = 0; i < old_slots; i++) {
        unsigned char *slot = old + i * table->stride;
        if (!*tag_of(slot)) continue;
        memcpy(find_free(table, shard, *tag_of(slot)), slot, table->stride);
    }
    il__free(old);
    return true;
}

static bool make_room(const il_table *table, struct shard *shard)
{
    if (!shard->slots) return resize(table, shard, MIN_SLOTS);
    size_t slots = shard->mask + 1;
    return (shard->count + 1) * 4 <= slots * 3 || resize(table, shard, 2 * slots);
}

/* Enter a key that is not there, with a value of zeroes. NULL: no memory. */
static unsigned char *enter(const il_table *table, struct shard *shard, uint64_t hash,
                            const void *key)
{
    char *string = has_strings(table) ? il__copy_string(key) : NULL;
    if ((has_strings(table) && !string) || !make_room(table, shard)) {
        il__free(string);
        return NULL;
    }
    unsigned char *slot = find_free(table, shard, hash);
    memset(slot, 0, table->stride);
    *tag_of(slot) = hash;
    if (string) memcpy(slot + table->key_at, &string, sizeof string);
    else memcpy(slot + table->key_at, key, table->key_size);
    if (string) shard->string_bytes += strlen(string) + 1;
    il__store(&shard->count, shard->count + 1);
    return slot;
}

/* What stands behind a slot that has become free moves up, unless it would pass its home. */
static void close_gap(const il_table *table, struct shard *shard, unsigned char *gap)
{
    size_t at = (size_t)(gap - shard->slots) / table->stride, mask = shard->mask;
    for (size_t i = at + 1;; i++) {
        unsigned char *slot = slot_at(table, shard, i & mask);
        uint64_t tag = *tag_of(slot);
        if (!tag) break;
        size_t from_home = (i - tag) & mask, from_gap = (i - at) & mask;
        if (from_home < from_gap) continue;
        memcpy(slot_at(table, shard, at & mask), slot, table->stride);
        at = i;
    }
    *tag_of(slot_at(table, shard, at & mask)) = 0;
}

static void erase(const il_table *table, struct shard *shard, unsigned char *slot)
{
    if (has_strings(table)) {
        char *string = *(char **)(void *)(slot + table->key_at);
        shard->string_bytes -= strlen(string) + 1;
        il__free(string);
    }
    il__store(&shard->count, shard->count - 1);
    close_gap(table, shard, slot);
    size_t slots = shard->mask + 1;
    if (slots > MIN_SLOTS && shard->count * 8 < slots)
        (void)resize(table, shard, slots / 2); /* without memory it stays as it is */
}

/* --- Making and freeing ------------------------------------------------------------------------ */

/* Of a type of this size, which is a multiple of its alignment. */
static size_t alignment_of(size_t size)
{
    size_t align = size & -size;
    return align && align < 16 ? align : 16;
}

static size_t round_up(size_t size, size_t align)
{
    return (size + align - 1) & ~(align - 1);
}

static void lay_out_slot(il_table *table)
{
    size_t key = has_strings(table) ? sizeof(char *) : table->key_size;
    size_t key_align = alignment_of(key);
    size_t value_align = table->value_size ? alignment_of(table->value_size) : 1;
    size_t align = (key_align | value_align) & 16 ? 16 : sizeof(uint64_t);
    table->key_at = round_up(sizeof(uint64_t), key_align);
    table->value_at = round_up(table->key_at + key, value_align);
    table->stride = round_up(table->value_at + table->value_size, align);
}

static size_t choose_shards(const il_table_opts *opts)
{
    size_t wanted = opts->shards ? opts->shards : (size_t)il_cpu_count(NULL) * SHARDS_A_CPU;
    size_t shards = 1;
    while (shards < wanted && shards < MAX_SHARDS) shards *= 2;
    return shards;
}

int il_table_new(size_t key_size, size_t value_size, const il_table_opts *opts,
                 il_table **out_table)
{
    il_table_opts all = opts ? *opts : (il_table_opts){ 0 };
    if (!key_size || !all.hash != !all.equal || all.shards > MAX_SHARDS) return -EINVAL;

    size_t shards = choose_shards(&all);
    il_table *table = il__aligned_zalloc(64, sizeof *table + shards * sizeof *table->shards);
    if (!table) return -ENOMEM;
    table->key_size = key_size;
    table->value_size = value_size;
    table->opts = all;
    table->shard_mask = shards - 1;
    lay_out_slot(table);
    il__random(table->secret, sizeof table->secret);
    *out_table = table;
    return 0;
}

void il_table_free(il_table *table)
{
    if (!table) return;
    for (size_t s = 0; s <= table->shard_mask; s++) {
        struct shard *shard = &table->shards[s];
        for (size_t i = 0; shard->string_bytes && i <= shard->mask; i++) {
            unsigned char *slot = slot_at(table, shard, i);
            if (*tag_of(slot)) il__free(*(char **)(void *)(slot + table->key_at));
        }
        il__free(shard->slots);
    }
    il__free(table);
}

/* --- One key ----------------------------------------------------------------------------------- */

/* The shard of a hash, locked. */
static struct shard *lock_shard(il_table *table, uint64_t hash)
{
    struct shard *shard = &table->shards[hash >> SHARD_SHIFT & table->shard_mask];
    il_mutex_lock(&shard->mutex);
    return shard;
}

static void copy_value(const il_table *table, void *to, const void *from)
{
    if (table->value_size) memcpy(to, from, table->value_size);
}

bool il_table_get(il_table *table, const void *key, void *out_value)
{
    uint64_t hash = hash_of(table, key);
    struct shard *shard = lock_shard(table, hash);
    unsigned char *slot = find(table, shard, hash, key);
    if (slot && out_value) copy_value(table, out_value, value_of(table, slot));
    il_mutex_unlock(&shard->mutex);
    return slot;
}

int il_table_put(il_table *table, const void *key, const void *value)
{
    uint64_t hash = hash_of(table, key);
    struct shard *shard = lock_shard(table, hash);
    unsigned char *slot = find(table, shard, hash, key);
    if (!slot) slot = enter(table, shard, hash, key);
    if (slot) copy_value(table, value_of(table, slot), value);
    il_mutex_unlock(&shard->mutex);
    return slot ? 0 : -ENOMEM;
}

int il_table_add(il_table *table, const void *key, const void *value)
{
    uint64_t hash = hash_of(table, key);
    struct shard *shard = lock_shard(table, hash);
    unsigned char *old = find(table, shard, hash, key);
    unsigned char *slot = old ? NULL : enter(table, shard, hash, key);
    if (slot) copy_value(table, value_of(table, slot), value);
    il_mutex_unlock(&shard->mutex);
    return old ? -EALREADY : slot ? 0 : -ENOMEM;
}

/* Exchange two values that may be the same memory at one end: *out_old may be *value. */
static void exchange(const il_table *table, unsigned char *here, const unsigned char *value,
                     unsigned char *out_old)
{
    for (size_t i = 0; i < table->value_size; i++) {
        unsigned char old = here[i];
        here[i] = value[i];
        out_old[i] = old;
    }
}

bool il_table_replace(il_table *table, const void *key, const void *value, void *out_old)
{
    uint64_t hash = hash_of(table, key);
    struct shard *shard = lock_shard(table, hash);
    unsigned char *slot = find(table, shard, hash, key);
    if (slot && out_old) exchange(table, value_of(table, slot), value, out_old);
    else if (slot) copy_value(table, value_of(table, slot), value);
    il_mutex_unlock(&shard->mutex);
    return slot;
}

bool il_table_replace_if(il_table *table, const void *key, const void *expected, const void *value)
{
    uint64_t hash = hash_of(table, key);
    struct shard *shard = lock_shard(table, hash);
    unsigned char *slot = find(table, shard, hash, key);
    if (slot && table->value_size &&
        memcmp(value_of(table, slot), expected, table->value_size) != 0)
        slot = NULL;
    if (slot) copy_value(table, value_of(table, slot), value);
    il_mutex_unlock(&shard->mutex);
    return slot;
}

bool il_table_remove(il_table *table, const void *key, void *out_value)
{
    uint64_t hash = hash_of(table, key);
    struct shard *shard = lock_shard(table, hash);
    unsigned char *slot = find(table, shard, hash, key);
    if (slot && out_value) copy_value(table, out_value, value_of(table, slot));
    if (slot) erase(table, shard, slot);
    il_mutex_unlock(&shard->mutex);
    return slot;
}

int il_table_update(il_table *table, const void *key, il_table_fn *fn, void *arg)
{
    uint64_t hash = hash_of(table, key);
    struct shard *shard = lock_shard(table, hash);
    unsigned char *old = find(table, shard, hash, key);
    unsigned char *slot = old ? old : enter(table, shard, hash, key);
    if (slot && !fn(value_of(table, slot), !old, arg)) erase(table, shard, slot);
    il_mutex_unlock(&shard->mutex);
    return slot ? 0 : -ENOMEM;
}

/* --- All of them ------------------------------------------------------------------------------- */

size_t il_table_count(il_table *table)
{
    size_t count = 0;
    for (size_t s = 0; s <= table->shard_mask; s++) count += il__load(&table->shards[s].count);
    return count;
}

/* Copies of slots, with the strings behind them. */
struct copy {
    il_entry *entry;
    unsigned char *slot;
    char *string;
};

static void copy_shard(const il_table *table, const struct shard *shard, struct copy *to)
{
    for (size_t i = 0; shard->count && i <= shard->mask; i++) {
        unsigned char *slot = slot_at(table, shard, i);
        if (!*tag_of(slot)) continue;
        memcpy(to->slot, slot, table->stride);
        const void *key = key_of(table, to->slot);
        if (has_strings(table)) {
            size_t size = strlen(key) + 1;
            key = memcpy(to->string, key, size);
            to->string += size;
        }
        *to->entry++ = (il_entry){ key, table->value_size ? value_of(table, to->slot) : NULL };
        to->slot += table->stride;
    }
}

/* All shards are locked. One piece of memory: entries, slots, strings. */
static int copy_all(const il_table *table, il_snapshot *out)
{
    size_t count = 0, strings = 0;
    for (size_t s = 0; s <= table->shard_mask; s++) {
        count += table->shards[s].count;
        strings += table->shards[s].string_bytes;
    }
    *out = (il_snapshot){ .count = count };
    if (!count) return 0;
    unsigned char *memory = il__alloc(count * (sizeof(il_entry) + table->stride) + strings);
    if (!memory) return -ENOMEM;
    out->entries = (il_entry *)(void *)memory;
    struct copy to = { .entry = out->entries, .slot = memory + count * sizeof(il_entry) };
    to.string = (char *)to.slot + count * table->stride;
    for (size_t s = 0; s <= table->shard_mask; s++) copy_shard(table, &table->shards[s], &to);
    return 0;
}

int il_table_snapshot(il_table *table, il_snapshot *out_snapshot)
{
    il_snapshot snapshot;
    for (size_t s = 0; s <= table->shard_mask; s++) il_mutex_lock(&table->shards[s].mutex);
    int status = copy_all(table, &snapshot);
    for (size_t s = 0; s <= table->shard_mask; s++) il_mutex_unlock(&table->shards[s].mutex);
    if (!status) *out_snapshot = snapshot;
    return status;
}

void il_snapshot_free(il_snapshot *snapshot)
{
    il__free(snapshot->entries);
    *snapshot = (il_snapshot){ 0 };
}
