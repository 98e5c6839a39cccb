/* SPDX-License-Identifier: MIT */
/* Claims about il__list. */

#include "check.h"

#include "base/list.h"

struct item {
    int number;
    il__link link;
};

static int number_of(il__link *link)
{
    return link ? il__of(link, struct item, link)->number : -1;
}

/* The numbers in order, as decimal digits. */
static int digits(il__list *list)
{
    int all = 0;
    for (il__link *link = il__list_first(list); link; link = il__list_next(link))
        all = all * 10 + number_of(link);
    return all;
}

static void fill(il__list *list, struct item *items, int count)
{
    for (int i = 0; i < count; i++) {
        items[i] = (struct item){ .number = i + 1 };
        il__list_append(list, &items[i].link);
    }
}

static void zero_is_an_empty_list(void **state)
{
    (void)state;
    il__list list = { 0 };
    struct item item = { 0 };
    assert_null(il__list_first(&list));
    assert_null(il__list_take(&list));
    assert_false(il__linked(&item.link));
}

static void items_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    il__list list = { 0 };
    struct item items[3];
    fill(&list, items, 3);
    assert_int_equal(digits(&list), 123);
    for (int i = 1; i <= 3; i++) assert_int_equal(number_of(il__list_take(&list)), i);
    assert_null(il__list_take(&list));
    assert_null(list.last);
}

static void link_knows_whether_it_is_in_a_list(void **state)
{
    (void)state;
    il__list list = { 0 };
    struct item items[2];
    fill(&list, items, 2);
    assert_true(il__linked(&items[0].link));
    assert_true(il__linked(&items[1].link)); /* the last one, too */
    il__list_remove(&list, &items[1].link);
    assert_false(il__linked(&items[1].link));
    assert_true(il__linked(&items[0].link));
}

static void any_item_can_be_removed(void **state)
{
    (void)state;
    static const int rest[] = { 234, 134, 124, 123 };
    for (int removed = 0; removed < 4; removed++) {
        il__list list = { 0 };
        struct item items[4], more = { .number = 9 };
        fill(&list, items, 4);
        il__list_remove(&list, &items[removed].link);
        assert_int_equal(digits(&list), rest[removed]);
        il__list_append(&list, &more.link); /* the end is still the end */
        assert_int_equal(digits(&list), rest[removed] * 10 + 9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_is_an_empty_list),
        cmocka_unit_test(items_come_out_in_the_order_they_went_in),
        cmocka_unit_test(link_knows_whether_it_is_in_a_list),
        cmocka_unit_test(any_item_can_be_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
