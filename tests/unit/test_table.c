/* SPDX-License-Identifier: MIT */
/* Claims about il_table. That each call happens at one moment is shown in tests/linear. */

#include "check.h"

#include <ctype.h>
#include <interlock/table.h>

enum { MEMBERS = 4 };

static il_table *table_of(size_t key_size, size_t value_size, const il_table_opts *opts)
{
    il_table *table = NULL;
    assert_int_equal(il_table_new(key_size, value_size, opts, &table), 0);
    return table;
}

static void missing_key_leaves_the_output_alone(void **state)
{
    (void)state;
    il_table *table = table_of(sizeof(int), sizeof(int), NULL);
    int key = 1, value = 77;
    assert_false(il_table_get(table, &key, &value));
    assert_false(il_table_remove(table, &key, &value));
    assert_false(il_table_replace(table, &key, &key, &value));
    assert_false(il_table_replace_if(table, &key, &key, &value));
    assert_int_equal(value, 77);
    assert_int_equal(il_table_count(table), 0);
    il_table_free(table);
}

static void each_call_does_what_it_says(void **state)
{
    (void)state;
    il_table *table = table_of(IL_STRINGS, sizeof(int), NULL);
    int one = 1, two = 2, three = 3, seen = 0;
    assert_int_equal(il_table_put(table, "key", &one), 0);
    assert_int_equal(il_table_put(table, "key", &two), 0);
    assert_int_equal(il_table_add(table, "key", &three), -EALREADY);
    assert_true(il_table_get(table, "key", &seen));
    assert_int_equal(seen, 2);
    assert_true(il_table_get(table, "key", NULL));
    assert_true(il_table_replace(table, "key", &three, &seen));
    assert_int_equal(seen, 2);
    assert_true(il_table_replace(table, "key", &one, NULL));
    assert_false(il_table_replace_if(table, "key", &two, &three));
    assert_true(il_table_replace_if(table, "key", &one, &three));
    assert_true(il_table_remove(table, "key", &seen));
    assert_int_equal(seen, 3);
    assert_int_equal(il_table_add(table, "key", &two), 0);
    assert_int_equal(il_table_count(table), 1);
    il_table_free(table);
}

static void replace_may_swap(void **state)
{
    (void)state;
    il_table *table = table_of(sizeof(int), sizeof(long[3]), NULL);
    int key = 9;
    long inside[3] = { 1, 2, 3 }, ours[3] = { 4, 5, 6 };
    assert_int_equal(il_table_put(table, &key, inside), 0);
    assert_true(il_table_replace(table, &key, ours, ours));
    assert_int_equal(ours[2], 3);
    assert_true(il_table_get(table, &key, inside));
    assert_int_equal(inside[2], 6);
    il_table_free(table);
}

static void keys_and_values_are_copied(void **state)
{
    (void)state;
    il_table *table = table_of(IL_STRINGS, sizeof(int), NULL);
    char key[] = "first";
    int value = 1;
    assert_int_equal(il_table_put(table, key, &value), 0);
    key[0] = 'w';
    value = 2;
    assert_false(il_table_get(table, key, NULL));
    assert_true(il_table_get(table, "first", &value));
    assert_int_equal(value, 1);
    il_table_free(table);
}

static uint64_t hash_nocase(const void *key, void *arg)
{
    uint64_t hash = 0;
    for (const char *at = key; *at; at++) hash = hash * 31 + (uint64_t)tolower(*at);
    ++*(int *)arg;
    return hash;
}

static bool equal_nocase(const void *key, const void *other, void *arg)
{
    ++*(int *)arg;
    return !strcasecmp(key, other);
}

static void hash_and_equality_may_be_one_s_own(void **state)
{
    (void)state;
    int asked = 0;
    il_table_opts opts = { .hash = hash_nocase, .equal = equal_nocase, .arg = &asked };
    il_table *table = table_of(IL_STRINGS, sizeof(int), &opts);
    int value = 5, seen = 0;
    assert_int_equal(il_table_put(table, "Content-Type", &value), 0);
    assert_true(il_table_get(table, "content-TYPE", &seen));
    assert_int_equal(seen, 5);
    assert_int_equal(asked, 3);
    il_table_free(table);
}

static void what_can_never_be_right_is_einval(void **state)
{
    (void)state;
    il_table *table = NULL;
    assert_int_equal(il_table_new(0, 4, NULL, &table), -EINVAL);
    assert_int_equal(il_table_new(4, 4, &(il_table_opts){ .hash = hash_nocase }, &table), -EINVAL);
    assert_int_equal(il_table_new(4, 4, &(il_table_opts){ .equal = equal_nocase }, &table),
                     -EINVAL);
    assert_int_equal(il_table_new(4, 4, &(il_table_opts){ .shards = 65537 }, &table), -EINVAL);
    assert_null(table);
    il_table_free(NULL);
}

/* --- Update -------------------------------------------------------------------------------------- */

struct seen {
    int fresh, old, value;
    bool keep, aligned;
};

static bool change(void *value, bool fresh, void *arg)
{
    struct seen *seen = arg;
    int *number = value;
    seen->fresh = fresh;
    seen->old = *number;
    *number = seen->value;
    return seen->keep;
}

static void update_sees_whether_the_key_is_fresh_and_decides_whether_it_stays(void **state)
{
    (void)state;
    il_table *table = table_of(sizeof(int), sizeof(int), NULL);
    int key = 1, value = 0;
    struct seen seen = { .old = -1, .value = 5, .keep = false };
    assert_int_equal(il_table_update(table, &key, change, &seen), 0);
    assert_true(seen.fresh);
    assert_int_equal(seen.old, 0);
    assert_int_equal(il_table_count(table), 0);

    seen = (struct seen){ .value = 6, .keep = true };
    assert_int_equal(il_table_update(table, &key, change, &seen), 0);
    assert_true(seen.fresh);
    assert_int_equal(seen.old, 0);
    seen.value = 7;
    assert_int_equal(il_table_update(table, &key, change, &seen), 0);
    assert_false(seen.fresh);
    assert_int_equal(seen.old, 6);
    assert_true(il_table_get(table, &key, &value));
    assert_int_equal(value, 7);

    seen.keep = false;
    assert_int_equal(il_table_update(table, &key, change, &seen), 0);
    assert_false(il_table_get(table, &key, NULL));
    il_table_free(table);
}

static bool note_alignment(void *value, bool fresh, void *arg)
{
    *(uintptr_t *)arg |= (uintptr_t)value;
    return true;
}

static void values_and_keys_are_aligned(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 2, 4, 8, 12, 16, 24, 48 };
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (int pair = 0; pair < SIZES * SIZES; pair++) {
        size_t key_size = sizes[pair % SIZES], value_size = sizes[pair / SIZES];
        il_table *table = table_of(key_size, value_size, NULL);
        il_snapshot all;
        uintptr_t keys = 0, values = 0;
        for (unsigned char i = 0; i < 50; i++) {
            unsigned char key[48] = { i };
            assert_int_equal(il_table_update(table, key, note_alignment, &values), 0);
        }
        assert_int_equal(il_table_snapshot(table, &all), 0);
        for (size_t i = 0; i < all.count; i++) {
            keys |= (uintptr_t)all.entries[i].key;
            values |= (uintptr_t)all.entries[i].value;
        }
        size_t key_align = key_size & -key_size, value_align = value_size & -value_size;
        assert_int_equal(keys & ((key_align < 16 ? key_align : 16) - 1), 0);
        assert_int_equal(values & ((value_align < 16 ? value_align : 16) - 1), 0);
        il_snapshot_free(&all);
        il_table_free(table);
    }
}

static il_table *its_own;

static bool use_the_table(void *value, bool fresh, void *arg)
{
    return il_table_get(its_own, arg, value);
}

static void use_the_table_from_update(void)
{
    int key = 3;
    if (il_table_new(sizeof key, sizeof key, &(il_table_opts){ .shards = 1 }, &its_own)) return;
    il_table_update(its_own, &key, use_the_table, &key);
}

static void use_of_the_table_from_update_is_fatal(void **state)
{
    (void)state;
    assert_fatal(use_the_table_from_update, "which holds it already");
}

/* --- Snapshot ------------------------------------------------------------------------------------ */

static void snapshot_of_an_empty_table_is_empty(void **state)
{
    (void)state;
    il_table *table = table_of(sizeof(int), sizeof(int), NULL);
    il_snapshot all = { .count = 99 };
    assert_int_equal(il_table_snapshot(table, &all), 0);
    assert_int_equal(all.count, 0);
    assert_null(all.entries);
    il_snapshot_free(&all);
    il_table_free(table);
}

static void snapshot_stays_as_it_was(void **state)
{
    (void)state;
    il_table *table = table_of(IL_STRINGS, sizeof(int), NULL);
    char key[20];
    int sum = 0;
    for (int i = 1; i <= 100; i++) {
        snprintf(key, sizeof key, "key %d", i);
        assert_int_equal(il_table_put(table, key, &i), 0);
    }
    il_snapshot all;
    assert_int_equal(il_table_snapshot(table, &all), 0);
    assert_true(il_table_remove(table, "key 7", NULL));
    il_table_free(table);
    assert_int_equal(all.count, 100);
    for (size_t i = 0; i < all.count; i++) {
        int value = *(const int *)all.entries[i].value;
        snprintf(key, sizeof key, "key %d", value);
        assert_string_equal(all.entries[i].key, key);
        sum += value;
    }
    assert_int_equal(sum, 5050);
    il_snapshot_free(&all);
    assert_null(all.entries);
}

/* --- Against an array ---------------------------------------------------------------------------- */

/* Every kind of key and value, and hashes of every quality, beside an array that is indexed by the
 * number of the key. */
enum { NUMBERS = 120, MAX_VALUE = 100 };

struct layout {
    size_t key_size, value_size;
    uint64_t (*hash)(const void *key, void *arg);
    unsigned shards;
};

struct twin {
    const struct layout *layout;
    il_table *table;
    bool there[NUMBERS];
    unsigned char values[NUMBERS][MAX_VALUE];
    size_t count;
};

static uint64_t all_the_same(const void *key, void *arg)
{
    return 4711;
}

static uint64_t first_byte(const void *key, void *arg)
{
    return *(const unsigned char *)key % 4;
}

static bool same_words(const void *key, const void *other, void *arg)
{
    return !strcmp(key, other);
}

static bool same_bytes(const void *key, const void *other, void *arg)
{
    return !memcmp(key, other, *(const size_t *)arg);
}

/* The key of a number: its digits. */
static void key_of_number(unsigned number, char key[40])
{
    memset(key, 0, 40);
    snprintf(key, 40, "%03u a key of forty bytes at most", number);
}

static unsigned number_of_key(const void *key)
{
    unsigned number = 0;
    for (int i = 0; i < 3; i++) number = 10 * number + (((const unsigned char *)key)[i] - '0');
    return number;
}

static void compare_all(struct twin *twin)
{
    il_snapshot all;
    assert_int_equal(il_table_count(twin->table), twin->count);
    assert_int_equal(il_table_snapshot(twin->table, &all), 0);
    assert_int_equal(all.count, twin->count);
    bool met[NUMBERS] = { false };
    for (size_t i = 0; i < all.count; i++) {
        unsigned number = number_of_key(all.entries[i].key);
        assert_in_range(number, 0, NUMBERS - 1);
        assert_true(twin->there[number] && !met[number]);
        met[number] = true;
        if (twin->layout->value_size)
            assert_memory_equal(all.entries[i].value, twin->values[number],
                                twin->layout->value_size);
    }
    il_snapshot_free(&all);
}

static void set_twin(struct twin *twin, unsigned number, const unsigned char *value)
{
    twin->count += !twin->there[number];
    twin->there[number] = true;
    memcpy(twin->values[number], value, twin->layout->value_size);
}

static void step_both(struct twin *twin, uint64_t random)
{
    size_t size = twin->layout->value_size;
    unsigned number = (unsigned)(random >> 8) % NUMBERS;
    bool there = twin->there[number];
    char key[40];
    unsigned char value[MAX_VALUE], seen[MAX_VALUE];
    key_of_number(number, key);
    memset(value, (int)(random >> 40), sizeof value);
    memcpy(seen, value, sizeof seen);
    switch (random % 8) {
    case 0:
    case 1:
        assert_int_equal(il_table_put(twin->table, key, value), 0);
        set_twin(twin, number, value);
        break;
    case 2:
        assert_int_equal(il_table_add(twin->table, key, value), there ? -EALREADY : 0);
        if (!there) set_twin(twin, number, value);
        break;
    case 3:
        assert_int_equal(il_table_get(twin->table, key, seen), there);
        if (there && size) assert_memory_equal(seen, twin->values[number], size);
        break;
    case 4:
        assert_int_equal(il_table_replace(twin->table, key, value, seen), there);
        if (there && size) assert_memory_equal(seen, twin->values[number], size);
        if (there) set_twin(twin, number, value);
        break;
    default: /* of those that take out, more: it shrinks again */
        assert_int_equal(il_table_remove(twin->table, key, seen), there);
        if (there && size) assert_memory_equal(seen, twin->values[number], size);
        twin->count -= there;
        twin->there[number] = false;
        break;
    }
}

static void table_is_what_an_array_would_be(void **state)
{
    (void)state;
    static const struct layout layouts[] = {
        { 3, 0, NULL, 1 },          { 3, 1, NULL, 0 },          { 8, 8, NULL, 4 },
        { 40, 100, NULL, 1 },       { 5, 16, all_the_same, 1 }, { 16, 4, first_byte, 2 },
        { IL_STRINGS, 8, NULL, 3 }, { IL_STRINGS, 0, NULL, 0 }, { IL_STRINGS, 24, all_the_same, 1 },
    };
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        struct twin twin = { .layout = &layouts[i] };
        size_t key_size = layouts[i].key_size;
        il_table_opts opts = { .hash = layouts[i].hash, .shards = layouts[i].shards };
        opts.arg = &key_size;
        if (opts.hash) opts.equal = key_size == IL_STRINGS ? same_words : same_bytes;
        twin.table = table_of(key_size, layouts[i].value_size, &opts);
        uint64_t random = 88172645463325252u + i;
        for (int step = 0; step < 6000; step++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            /* First it grows, then it shrinks. */
            uint64_t word = random >> 3;
            if (step % 2000 < 1000 && word % 8 > 4) word -= 5;
            step_both(&twin, word);
            if (step % 100 == 0) compare_all(&twin);
        }
        for (unsigned number = 0; number < NUMBERS; number++) {
            char key[40];
            key_of_number(number, key);
            assert_int_equal(il_table_get(twin.table, key, NULL), twin.there[number]);
        }
        il_table_free(twin.table);
    }
}

static void many_go_in_and_come_out(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    il_table *table = table_of(sizeof(int), sizeof(int), NULL);
    int wrong = 0;
    for (int i = 0; i < MANY; i++) wrong += il_table_put(table, &i, &i) != 0;
    assert_int_equal(il_table_count(table), MANY);
    for (int i = 0; i < MANY; i++) {
        int value = -1;
        wrong += !il_table_remove(table, &i, &value) || value != i;
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(il_table_count(table), 0);
    il_table_free(table);
}

/* --- Together ------------------------------------------------------------------------------------ */

enum { ROUNDS = 5000, COUNTERS = 10 };

static bool add_one(void *value, bool fresh, void *arg)
{
    ++*(long *)value;
    return true;
}

static int count_up(void *in, void *out)
{
    (void)out;
    int failed = 0;
    for (int i = 0; i < ROUNDS; i++) {
        int key = i % COUNTERS;
        failed += il_table_update(in, &key, add_one, NULL) != 0;
        if (i % 64 == 0) il_yield();
    }
    return failed;
}

static void no_update_is_lost(void **state)
{
    il_table *table = table_of(sizeof(int), sizeof(long), NULL);
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, count_up, table);
    assert_int_equal(crew_join(&crew), 0);
    for (int key = 0; key < COUNTERS; key++) {
        long count = 0;
        assert_true(il_table_get(table, &key, &count));
        assert_int_equal(count, MEMBERS * ROUNDS / COUNTERS);
    }
    il_table_free(table);
}

/* One writes the same number under one key after the other; who sees a key has to see those before
 * it, at least as new. */
enum { STEPS = 16, LAPS = 2000 };

struct lap {
    il_table *table;
    bool done; /* atomic */
};

static int write_in_order(void *in, void *out)
{
    (void)out;
    struct lap *lap = in;
    int failed = 0;
    for (int i = 1; i <= LAPS; i++) {
        for (int key = 0; key < STEPS; key++) failed += il_table_put(lap->table, &key, &i) != 0;
        if (i % 16 == 0) il_yield();
    }
    il__store_release(&lap->done, true);
    return failed;
}

static int look_at_all(void *in, void *out)
{
    (void)out;
    struct lap *lap = in;
    int wrong = 0;
    while (!il__load_acquire(&lap->done)) {
        il_snapshot all;
        int values[STEPS] = { 0 };
        if (il_table_snapshot(lap->table, &all)) return 1;
        for (size_t i = 0; i < all.count; i++)
            values[*(const int *)all.entries[i].key] = *(const int *)all.entries[i].value;
        for (int key = 1; key < STEPS; key++)
            wrong += values[key] > values[key - 1] || values[key] < values[0] - 1;
        il_snapshot_free(&all);
        il_yield();
    }
    return wrong;
}

static void snapshot_is_of_one_moment(void **state)
{
    struct lap lap = { .table = table_of(sizeof(int), sizeof(int), NULL) };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, write_in_order, &lap);
    crew_add(&crew, look_at_all, &lap);
    crew_add(&crew, look_at_all, &lap);
    assert_int_equal(crew_join(&crew), 0);
    il_table_free(lap.table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_key_leaves_the_output_alone),
        cmocka_unit_test(each_call_does_what_it_says),
        cmocka_unit_test(replace_may_swap),
        cmocka_unit_test(keys_and_values_are_copied),
        cmocka_unit_test(hash_and_equality_may_be_one_s_own),
        cmocka_unit_test(what_can_never_be_right_is_einval),
        cmocka_unit_test(update_sees_whether_the_key_is_fresh_and_decides_whether_it_stays),
        cmocka_unit_test(values_and_keys_are_aligned),
        cmocka_unit_test(use_of_the_table_from_update_is_fatal),
        cmocka_unit_test(snapshot_of_an_empty_table_is_empty),
        cmocka_unit_test(snapshot_stays_as_it_was),
        cmocka_unit_test(table_is_what_an_array_would_be),
        cmocka_unit_test(many_go_in_and_come_out),
        EACH_CREW(no_update_is_lost),
        EACH_CREW(snapshot_is_of_one_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
