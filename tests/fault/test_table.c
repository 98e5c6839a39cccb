/* SPDX-License-Identifier: MIT */
/*
 * The table when memory is refused: the nth allocation of each operation, for every n. A status
 * comes back, the table is what it was, and the same call succeeds afterwards. (Leaks are
 * AddressSanitizer's.)
 */

#include "base/memory.h"
#include "../unit/check.h"

#include <interlock/table.h>

/* As many as fill a shard to the point at which one more makes it grow, and then some. */
enum { MOST = 14 };

struct filled {
    il_table *table;
    int count; /* keys "0" to "count - 1", each with its number for a value */
};

static const char *key_of(int number)
{
    static char keys[MOST + 1][12];
    snprintf(keys[number], sizeof keys[number], "%d", number);
    return keys[number];
}

static struct filled fill(int count)
{
    struct filled filled = { .count = count };
    assert_int_equal(
        il_table_new(IL_STRINGS, sizeof(int), &(il_table_opts){ .shards = 1 }, &filled.table), 0);
    for (int i = 0; i < count; i++) assert_int_equal(il_table_put(filled.table, key_of(i), &i), 0);
    return filled;
}

static void assert_as_filled(const struct filled *filled)
{
    assert_int_equal(il_table_count(filled->table), filled->count);
    for (int i = 0; i < filled->count; i++) {
        int value = -1;
        assert_true(il_table_get(filled->table, key_of(i), &value));
        assert_int_equal(value, i);
    }
    assert_false(il_table_get(filled->table, key_of(filled->count), NULL));
}

/* --- Operations ---------------------------------------------------------------------------------- */

typedef int operation(struct filled *filled);

static int put(struct filled *filled)
{
    return il_table_put(filled->table, key_of(filled->count), &filled->count);
}

static int add(struct filled *filled)
{
    return il_table_add(filled->table, key_of(filled->count), &filled->count);
}

static bool set_to_count(void *value, bool fresh, void *arg)
{
    *(int *)value = *(int *)arg;
    return true;
}

static int update(struct filled *filled)
{
    return il_table_update(filled->table, key_of(filled->count), set_to_count, &filled->count);
}

/* For every size of the table and every n: refused, then not. */
static void refuse_each(operation *operate)
{
    int refusals = 0;
    for (int count = 0; count < MOST; count++) {
        bool refused = true;
        for (unsigned long n = 1; refused; n++) {
            struct filled filled = fill(count);
            il__refuse(n);
            int status = operate(&filled);
            refused = il__refuse(0) >= n;
            assert_int_equal(status, refused ? -ENOMEM : 0);
            if (refused) {
                assert_as_filled(&filled);
                assert_int_equal(operate(&filled), 0);
            }
            filled.count++;
            assert_as_filled(&filled);
            il_table_free(filled.table);
            refusals += refused;
        }
    }
    assert_true(refusals > MOST); /* a string each, and room now and then */
}

static void refused_put_leaves_the_table_as_it_was(void **state)
{
    refuse_each(put);
}

static void refused_add_leaves_the_table_as_it_was(void **state)
{
    refuse_each(add);
}

static void refused_update_leaves_the_table_as_it_was(void **state)
{
    refuse_each(update);
}

static void refused_snapshot_gives_nothing_and_lets_go(void **state)
{
    struct filled filled = fill(MOST);
    il_snapshot all = { .count = 99 };
    il__refuse(1);
    assert_int_equal(il_table_snapshot(filled.table, &all), -ENOMEM);
    il__refuse(0);
    assert_int_equal(all.count, 99);
    assert_as_filled(&filled);
    assert_int_equal(il_table_snapshot(filled.table, &all), 0);
    assert_int_equal(all.count, MOST);
    il_snapshot_free(&all);
    il_table_free(filled.table);
}

/* It asks for less room as it empties, and what is refused stays large. */
static void remove_shrinks_and_needs_no_memory(void **state)
{
    struct filled filled = fill(MOST);
    unsigned long asked = 0;
    while (filled.count) {
        filled.count--;
        il__refuse(1);
        assert_true(il_table_remove(filled.table, key_of(filled.count), NULL));
        asked += il__refuse(0);
        assert_as_filled(&filled);
    }
    assert_true(asked > 0);
    il_table_free(filled.table);
}

static void refused_table_is_not_made(void **state)
{
    il_table *table = NULL;
    il__refuse(1);
    assert_int_equal(il_table_new(4, 4, NULL, &table), -ENOMEM);
    il__refuse(0);
    assert_null(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_put_leaves_the_table_as_it_was),
        cmocka_unit_test(refused_add_leaves_the_table_as_it_was),
        cmocka_unit_test(refused_update_leaves_the_table_as_it_was),
        cmocka_unit_test(refused_snapshot_gives_nothing_and_lets_go),
        cmocka_unit_test(remove_shrinks_and_needs_no_memory),
        cmocka_unit_test(refused_table_is_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
