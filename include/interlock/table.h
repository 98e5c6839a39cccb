/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_TABLE_H
#define INTERLOCK_TABLE_H

/*
 * Table: values by key, for many tasks at once. (A hash map; il_map is the verb.)
 *
 *     il_table *ages = NULL;
 *     int age = 36;
 *     int status = il_table_new(IL_STRINGS, sizeof age, NULL, &ages);
 *     if (!status) status = il_table_put(ages, "Ada", &age);
 *     if (il_table_get(ages, "Ada", &age)) printf("%d\n", age);
 *     il_table_free(ages);
 *
 * Keys are so many bytes each, compared as bytes (a struct with padding wants it zeroed), or strings.
 * A key is given by its address: `&number`, `&pair`, or the string itself. Keys and values are
 * copied in and out, so nobody ever has a pointer into the table. A value that is a pointer is the
 * caller's business: the table does not know what it points to.
 *
 * Any thread or fiber may use it at any time. Each call happens at one moment between its begin and
 * its return (it is linearizable), il_table_snapshot too, which sees the whole table as it was at one
 * moment; il_table_count alone does not. A call may have to wait for others that are busy in the same
 * part of the table, never long unless a function given to il_table_update takes long; none can be
 * cancelled. When memory is refused, -ENOMEM, the table is as before.
 *
 * Do not look and then act on what was seen: another may come between. For that there are
 * il_table_add, il_table_replace_if and il_table_update.
 */

#include <interlock/api.h>

IL__BEGIN

typedef struct il_table il_table;

/* As a key size: keys are strings that end with a 0, of any length. */
#define IL_STRINGS SIZE_MAX

/* All zero is each default; NULL means all defaults. */
typedef struct il_table_opts {
    /* Of one's own, where keys that differ as bytes shall be one. Both or neither (-EINVAL). Equal
     * keys have equal hashes; any 64 bits will do, they are mixed. Called with a part of the table
     * locked: they do not wait, and do not use the table. */
    uint64_t (*hash)(const void *key, void *arg);
    bool (*equal)(const void *key, const void *other, void *arg);
    void *arg; /* of both; borrowed as long as the table lives */
    unsigned
        shards; /* parts with a lock each, at most 65536, rounded up to a power of two; 0: eight
                        for each usable CPU */
} il_table_opts;

/* Gives a table of values of value_size bytes; 0: none, keys only (see set.h). 0, -ENOMEM, -EINVAL. */
IL_API int il_table_new(size_t key_size, size_t value_size, const il_table_opts *opts,
                        il_table **out_table);

/* Nobody uses it any more. NULL is fine. */
IL_API void il_table_free(il_table *table);

/* Copy the value of `key` to *out_value (NULL: only look). False: it is not there. */
IL_API bool il_table_get(il_table *table, const void *key, void *out_value);

/* Whatever was there, now `key` has this value. 0 or -ENOMEM. */
IL_API int il_table_put(il_table *table, const void *key, const void *value);

/* The same, only if there was none. 0, -EALREADY or -ENOMEM. */
IL_API int il_table_add(il_table *table, const void *key, const void *value);

/* The same, only if there was one, which is copied to *out_old (NULL: not wanted). False: there was
 * none, and there is none. `out_old` may be `value`, which swaps. */
IL_API bool il_table_replace(il_table *table, const void *key, const void *value, void *out_old);

/* The same, only if it was `expected`, byte for byte: compare and swap. */
IL_API bool il_table_replace_if(il_table *table, const void *key, const void *expected,
                                const void *value);

/* Take it out; its value goes to *out_value (NULL: not wanted). False: it was not there. */
IL_API bool il_table_remove(il_table *table, const void *key, void *out_value);

/* Look at a value and change it in place, with nobody in between. `fresh`: the key was not there, and
 * *value is all zero. What fn returns decides whether the key is there afterwards:
 *
 *     static bool count_word(void *value, bool fresh, void *arg)
 *     {
 *         ++*(long *)value;
 *         return true;
 *     }
 *
 * fn does not use the table (il_fatal, or a deadlock), does not keep the pointer, and should be
 * quick: it holds up the others. It is not called on -ENOMEM. Returns 0 or -ENOMEM. */
typedef bool il_table_fn(void *value, bool fresh, void *arg);
IL_API int il_table_update(il_table *table, const void *key, il_table_fn *fn, void *arg);

/* How many keys there are. Exact when nobody changes the table; otherwise some of the changes that
 * are under way are counted and some are not. Never waits. */
IL_API size_t il_table_count(il_table *table);

/* One key and its value, both copies of the snapshot's, aligned as in any struct. value is NULL when
 * the table has none. */
typedef struct il_entry {
    const void *key;
    const void *value;
} il_entry;

/* All that was in a table at one moment, in no order: an array, to be walked, sorted, or mapped over.
 * Read it from as many tasks as you like. */
typedef struct il_snapshot {
    size_t count;
    il_entry *entries; /* NULL when there are none */
} il_snapshot;

/* Copies the table:
 *
 *     il_snapshot all;
 *     int status = il_table_snapshot(ages, &all);
 *     for (size_t i = 0; !status && i < all.count; i++)
 *         printf("%s %d\n", (const char *)all.entries[i].key, *(const int *)all.entries[i].value);
 *     if (!status) il_snapshot_free(&all);
 *
 * Everybody else waits while it is copied. Gives it to the caller, who frees it; the table may be
 * changed or freed meanwhile. 0 or -ENOMEM. */
IL_API int il_table_snapshot(il_table *table, il_snapshot *out_snapshot);
IL_API void il_snapshot_free(il_snapshot *snapshot);

IL__END

#endif
