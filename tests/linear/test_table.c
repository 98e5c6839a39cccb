/* SPDX-License-Identifier: MIT */
/*
 * Histories of il_table and il_set are linearizable, snapshots included; and so that one may believe
 * it, histories of tables with a fault planted in them are not.
 */

#include "history.h"
#include "models.h"

#include <interlock/set.h>
#include <interlock/table.h>

/* --- The table --------------------------------------------------------------------------------- */

/* A value of two words that belong together: one that was read halfway shows. */
struct pair {
    long value, same;
};

static struct pair pair_of(long value)
{
    return (struct pair){ value, value };
}

static long long_of(struct pair pair)
{
    return pair.value == pair.same ? pair.value : -1;
}

static void *make_table(void)
{
    il_table *table = NULL;
    il_table_opts opts = { .shards = 4 };
    return il_table_new(sizeof(long), sizeof(struct pair), &opts, &table) ? NULL : table;
}

static void release_table(void *table)
{
    il_table_free(table);
}

static void choose_table_call(uint64_t *random, struct call *call)
{
    call->what = (int)below(random, TABLE_CALLS);
    call->key = below(random, KEYS);
    call->value = 1 + below(random, VALUES);
    call->expected = 1 + below(random, 4);
    if (call->what == SNAPSHOT) call->key = 0;
}

static bool increment(void *value, bool fresh, void *arg)
{
    struct pair *pair = value;
    long *result = arg, old = fresh ? 0 : pair->value;
    pair->value = old < VALUES ? old + 1 : 0;
    if (!(old & 3)) il_yield(); /* nobody may see it as it is now */
    pair->same = pair->value;
    *result = pair->value;
    return pair->value != 0;
}

static long encode_entry(const il_entry *entry)
{
    return long_of(*(const struct pair *)entry->value) << 4 * *(const long *)entry->key;
}

static long snapshot_table(il_table *table)
{
    il_snapshot snapshot;
    long all = 0;
    if (il_table_snapshot(table, &snapshot)) return -1;
    for (size_t i = 0; i < snapshot.count; i++) all |= encode_entry(&snapshot.entries[i]);
    il_snapshot_free(&snapshot);
    return all;
}

static void perform_on_table(void *table, struct call *call)
{
    struct pair value = pair_of(call->value), expected = pair_of(call->expected), old = pair_of(0);
    long key = call->key;
    switch ((enum table_call)call->what) {
    case PUT: call->result = il_table_put(table, &key, &value); break;
    case ADD: call->result = il_table_add(table, &key, &value); break;
    case GET:
        il_table_get(table, &key, &old);
        call->result = long_of(old);
        break;
    case REPLACE:
        il_table_replace(table, &key, &value, &old);
        call->result = long_of(old);
        break;
    case REPLACE_IF: call->result = il_table_replace_if(table, &key, &expected, &value); break;
    case REMOVE:
        il_table_remove(table, &key, &old);
        call->result = long_of(old);
        break;
    case INCREMENT: il_table_update(table, &key, increment, &call->result); break;
    default: call->result = snapshot_table(table); break;
    }
}

static void table_is_linearizable(void **state)
{
    static const struct subject table = { &table_model,      make_table,       release_table,
                                          choose_table_call, perform_on_table, NULL };
    assert_linearizable(state, &table);
}

/* --- The set ----------------------------------------------------------------------------------- */

static void *make_set(void)
{
    il_set *set = NULL;
    return il_set_new(sizeof(long), &(il_table_opts){ .shards = 4 }, &set) ? NULL : set;
}

static void release_set(void *set)
{
    il_set_free(set);
}

static void choose_set_call(uint64_t *random, struct call *call)
{
    call->what = (int)below(random, SET_CALLS);
    call->key = call->what == SET_SNAPSHOT ? 0 : below(random, 4);
}

static long snapshot_set(il_set *set)
{
    il_snapshot snapshot;
    long all = 0;
    if (il_set_snapshot(set, &snapshot)) return -1;
    for (size_t i = 0; i < snapshot.count; i++) all |= 1L << *(const long *)snapshot.entries[i].key;
    il_snapshot_free(&snapshot);
    return all;
}

static void perform_on_set(void *set, struct call *call)
{
    long key = call->key;
    switch ((enum set_call)call->what) {
    case SET_ADD: call->result = il_set_add(set, &key); break;
    case SET_REMOVE: call->result = il_set_remove(set, &key); break;
    case SET_CONTAINS: call->result = il_set_contains(set, &key); break;
    default: call->result = snapshot_set(set); break;
    }
}

static void set_is_linearizable(void **state)
{
    static const struct subject set = { &set_model,      make_set,       release_set,
                                        choose_set_call, perform_on_set, NULL };
    assert_linearizable(state, &set);
}

/* --- Planted faults ------------------------------------------------------------------------------ */

/* Look whether it is there, then act on that. */
static void add_after_a_look(void *table, struct call *call)
{
    struct pair value = pair_of(call->value);
    if (call->what != ADD) {
        perform_on_table(table, call);
        return;
    }
    bool there = il_table_get(table, &call->key, NULL);
    il_yield();
    call->result = there ? -EALREADY : il_table_put(table, &call->key, &value);
}

/* A table and what is in it once more, beside it and outside its lock, brought up to date after each
 * change. Gets look there. */
struct cached {
    void *table;
    long values[KEYS]; /* atomic */
};

static void *make_cached(void)
{
    struct cached *cached = calloc(1, sizeof *cached);
    if (cached) cached->table = make_table();
    return cached;
}

static void release_cached(void *object)
{
    struct cached *cached = object;
    release_table(cached->table);
    free(cached);
}

static void get_outside_the_lock(void *object, struct call *call)
{
    struct cached *cached = object;
    struct pair value = pair_of(0);
    if (call->what == GET) {
        call->result = il__load(&cached->values[call->key]);
        return;
    }
    perform_on_table(cached->table, call);
    il_table_get(cached->table, &call->key, &value);
    for (long i = call->value % 4; i; i--) il_yield(); /* some sooner, some later */
    il__store(&cached->values[call->key], long_of(value));
}

/* Compare, then swap. */
static void swap_after_a_compare(void *table, struct call *call)
{
    struct pair old = pair_of(0), value = pair_of(call->value);
    if (call->what != REPLACE_IF) {
        perform_on_table(table, call);
        return;
    }
    bool same = il_table_get(table, &call->key, &old) && old.value == call->expected;
    il_yield();
    call->result = same && il_table_replace(table, &call->key, &value, NULL);
}

/* A snapshot that takes one part after the other. */
static void snapshot_in_pieces(void *table, struct call *call)
{
    if (call->what != SNAPSHOT) {
        perform_on_table(table, call);
        return;
    }
    call->result = 0;
    for (long key = 0; key < KEYS; key++) {
        struct pair value = pair_of(0);
        il_table_get(table, &key, &value);
        call->result |= long_of(value) << 4 * key;
        il_yield();
    }
}

#define FINDS(fault, make, release)                                                                \
    static void fault##_is_found(void **state)                                                     \
    {                                                                                              \
        static const struct subject subject = { &table_model,      make,  release,                 \
                                                choose_table_call, fault, NULL };                  \
        assert_fault_is_found(state, &subject);                                                    \
    }

FINDS(add_after_a_look, make_table, release_table)
FINDS(get_outside_the_lock, make_cached, release_cached)
FINDS(swap_after_a_compare, make_table, release_table)
FINDS(snapshot_in_pieces, make_table, release_table)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_CREW(table_is_linearizable),         EACH_CREW(set_is_linearizable),
        EACH_CREW(add_after_a_look_is_found),     EACH_CREW(get_outside_the_lock_is_found),
        EACH_CREW(swap_after_a_compare_is_found), EACH_CREW(snapshot_in_pieces_is_found),
    };
    return cmocka_run_group_tests(tests, announce, NULL);
}
