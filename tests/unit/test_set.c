/* SPDX-License-Identifier: MIT */
/* Claims about il_set. The rest is il_table's: see test_table.c. */

#include "check.h"

#include <interlock/set.h>

enum { MEMBERS = 4, KEYS = 2000 };

static il_set *set_of(size_t key_size)
{
    il_set *set = NULL;
    assert_int_equal(il_set_new(key_size, NULL, &set), 0);
    return set;
}

static void key_is_in_from_add_to_remove(void **state)
{
    (void)state;
    il_set *set = set_of(IL_STRINGS);
    assert_false(il_set_contains(set, "here"));
    assert_int_equal(il_set_add(set, "here"), 0);
    assert_int_equal(il_set_add(set, "here"), -EALREADY);
    assert_true(il_set_contains(set, "here"));
    assert_false(il_set_contains(set, "her"));
    assert_int_equal(il_set_count(set), 1);
    assert_true(il_set_remove(set, "here"));
    assert_false(il_set_remove(set, "here"));
    assert_false(il_set_contains(set, "here"));
    assert_int_equal(il_set_count(set), 0);
    il_set_free(set);
}

static void snapshot_has_the_keys_and_no_values(void **state)
{
    (void)state;
    il_set *set = set_of(sizeof(int));
    int sum = 0;
    for (int i = 1; i <= 100; i++) assert_int_equal(il_set_add(set, &i), 0);
    il_snapshot all;
    assert_int_equal(il_set_snapshot(set, &all), 0);
    il_set_free(set);
    assert_int_equal(all.count, 100);
    for (size_t i = 0; i < all.count; i++) {
        sum += *(const int *)all.entries[i].key;
        assert_null(all.entries[i].value);
    }
    assert_int_equal(sum, 5050);
    il_snapshot_free(&all);
}

static void null_is_freed_and_a_size_of_zero_refused(void **state)
{
    (void)state;
    il_set *set = NULL;
    il_set_free(NULL);
    assert_int_equal(il_set_new(0, NULL, &set), -EINVAL);
    assert_null(set);
}

struct race {
    il_set *set;
    int added; /* atomic */
    int other; /* atomic: statuses that are neither 0 nor -EALREADY */
};

static int add_all(void *in, void *out)
{
    (void)out;
    struct race *race = in;
    for (int i = 0; i < KEYS; i++) {
        int status = il_set_add(race->set, &i);
        if (!status) il__add(&race->added, 1);
        else if (status != -EALREADY) il__add(&race->other, 1);
        if (i % 64 == 0) il_yield();
    }
    return 0;
}

static void of_all_who_add_a_key_one_is_told_so(void **state)
{
    struct race race = { .set = set_of(sizeof(int)) };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, add_all, &race);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(race.added, KEYS);
    assert_int_equal(race.other, 0);
    assert_int_equal(il_set_count(race.set), KEYS);
    il_set_free(race.set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_is_in_from_add_to_remove),
        cmocka_unit_test(snapshot_has_the_keys_and_no_values),
        cmocka_unit_test(null_is_freed_and_a_size_of_zero_refused),
        EACH_CREW(of_all_who_add_a_key_one_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
