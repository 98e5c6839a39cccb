/* SPDX-License-Identifier: MIT */
/* Claims about time and il_sleep. */

#include "check.h"

#include <interlock/time.h>

static void clock_never_goes_back(void **state)
{
    (void)state;
    il_time last = il_now();
    assert_true(last > 0);
    for (int i = 0; i < 10000; i++) {
        il_time now = il_now();
        assert_true(now >= last);
        last = now;
    }
}

static void durations_are_nanoseconds(void **state)
{
    (void)state;
    assert_int_equal(IL_US(3), 3000);
    assert_int_equal(IL_MS(3), 3000000);
    assert_int_equal(IL_SEC(3), 3000000000);
    assert_int_equal(IL_SEC(-1), -1000000000);
}

static void after_never_overflows(void **state)
{
    (void)state;
    assert_int_equal(il_after(INT64_MAX), IL_FOREVER);
    assert_int_equal(il_after(INT64_MAX - 1), IL_FOREVER);
    il_time before = il_now();
    il_time soon = il_after(IL_SEC(5)), past = il_after(-IL_SEC(5));
    assert_true(soon >= before + IL_SEC(5));
    assert_true(soon <= il_now() + IL_SEC(5));
    assert_true(past >= before && past <= il_now()); /* a negative duration is none */
}

static int sleep_a_little(void *in, void *out)
{
    (void)in;
    (void)out;
    il_time until = il_after(IL_MS(3));
    EXPECT(il_sleep(until) == 0);
    EXPECT(il_now() >= until);
    EXPECT(il_sleep(IL_NOW) == 0);
    EXPECT(il_sleep(PAST) == 0);
    EXPECT(il_sleep(-1) == 0);
    return 0;
}

static void sleeping_lasts_until_then(void **state)
{
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, sleep_a_little, NULL);
    assert_int_equal(crew_join(&crew), 0);
}

struct sleeper {
    struct cancelled_wait wait;
    bool ready; /* atomic */
    int status;
};

static int sleep_for_ever(void *in, void *out)
{
    (void)out;
    struct sleeper *sleeper = in;
    cancellable_begin(&sleeper->wait, 0);
    il__store_release(&sleeper->ready, true); /* pairs with until_true */
    sleeper->status = il_sleep(IL_FOREVER);
    cancellable_end(&sleeper->wait);
    return 0;
}

static void cancel_ends_a_sleep(void **state)
{
    struct sleeper sleeper = { 0 };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, sleep_for_ever, &sleeper);
    until_true(&sleeper.ready); /* it sleeps, or is about to: either is the same to a cancel */
    il__cancel_fire(&sleeper.wait.node, -ECANCELED);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(sleeper.status, -ECANCELED);
}

static int sleep_past_the_deadline_around(void *in, void *out)
{
    (void)in;
    (void)out;
    struct cancelled_wait wait;
    il_time until = SOON;
    cancellable_begin(&wait, until);
    int status = il_sleep(LATE), why = il__cancel_status(&wait.node);
    cancellable_end(&wait);
    EXPECT(status == -ECANCELED);
    EXPECT(why == -ETIMEDOUT);
    EXPECT(il_now() >= until);
    return 0;
}

static void deadline_around_ends_a_sleep(void **state)
{
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, sleep_past_the_deadline_around, NULL);
    assert_int_equal(crew_join(&crew), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_never_goes_back), cmocka_unit_test(durations_are_nanoseconds),
        cmocka_unit_test(after_never_overflows), EACH_CREW(sleeping_lasts_until_then),
        EACH_CREW(cancel_ends_a_sleep),          EACH_CREW(deadline_around_ends_a_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
