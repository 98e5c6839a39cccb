/* SPDX-License-Identifier: MIT */
/* Claims about statuses, and about what happens to a caller's bug. */

#include "check.h"

#include <interlock/status.h>

#include "base/fatal.h"

static void every_status_of_the_library_has_its_own_words(void **state)
{
    (void)state;
    static const int statuses[] = { 0,        -EAGAIN,    -EALREADY, -EBUSY,     -ECANCELED,
                                    -EDEADLK, -EINVAL,    -ENOMEM,   -EOVERFLOW, -EPERM,
                                    -EPIPE,   -ESHUTDOWN, -ETIMEDOUT };
    enum { COUNT = sizeof statuses / sizeof *statuses };
    for (int i = 0; i < COUNT; i++) {
        assert_string_not_equal(il_strerror(statuses[i]), "unknown status");
        for (int j = 0; j < i; j++)
            assert_string_not_equal(il_strerror(statuses[i]), il_strerror(statuses[j]));
    }
}

static void other_statuses_have_the_words_of_libc_or_none(void **state)
{
    (void)state;
    assert_string_equal(il_strerror(-ENOENT), strerror(ENOENT));
    assert_string_equal(il_strerror(1), "unknown status");
    assert_string_equal(il_strerror(-123456), "unknown status");
    assert_string_equal(il_strerror(INT32_MIN), "unknown status");
}

static void bug(void)
{
    il__fatal("mutex %d is on fire", 7);
}

static void fatal_writes_one_line_and_aborts(void **state)
{
    (void)state;
    char line[1000];
    assert_true(aborts(bug, line, sizeof line));
    assert_string_equal(line, "interlock: fatal: mutex 7 is on fire\n");
}

static void long_bug(void)
{
    char words[2000];
    memset(words, 'x', sizeof words);
    words[sizeof words - 1] = 0;
    il__fatal("%s", words);
}

static void fatal_cuts_what_is_too_long(void **state)
{
    (void)state;
    char line[1000];
    assert_true(aborts(long_bug, line, sizeof line));
    assert_true(strlen(line) < 600 && line[strlen(line) - 1] == '\n');
}

static void write_in_capitals(const char *message)
{
    fprintf(stderr, "MY OWN: %s", message);
}

static void bug_with_a_handler(void)
{
    il_on_fatal(write_in_capitals);
    bug();
}

static void handler_replaces_the_words_but_not_the_abort(void **state)
{
    (void)state;
    char line[1000];
    assert_true(aborts(bug_with_a_handler, line, sizeof line));
    assert_string_equal(line, "MY OWN: mutex 7 is on fire");
}

static void setting_a_handler_returns_the_one_before(void **state)
{
    (void)state;
    il_fatal_fn *first = il_on_fatal(write_in_capitals);
    assert_non_null(first);
    assert_ptr_equal(il_on_fatal(NULL), write_in_capitals);
    assert_ptr_equal(il_on_fatal(first), first);
}

static void place_names_what_it_can(void **state)
{
    (void)state;
    char buffer[200];
    assert_string_equal(il__place(NULL, buffer, sizeof buffer), "an unknown place");
    assert_string_equal(il__place((void *)8, buffer, sizeof buffer), "0x8");
    il__place((void *)(uintptr_t)place_names_what_it_can, buffer, sizeof buffer);
    assert_non_null(strstr(buffer, "+0x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_of_the_library_has_its_own_words),
        cmocka_unit_test(other_statuses_have_the_words_of_libc_or_none),
        cmocka_unit_test(fatal_writes_one_line_and_aborts),
        cmocka_unit_test(fatal_cuts_what_is_too_long),
        cmocka_unit_test(handler_replaces_the_words_but_not_the_abort),
        cmocka_unit_test(setting_a_handler_returns_the_one_before),
        cmocka_unit_test(place_names_what_it_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
