/* SPDX-License-Identifier: MIT */
/* Claims about il_latch. */

#include "check.h"

#include <interlock/latch.h>

enum { MEMBERS = 4 };

static int wait_until(void *latch, il_time until)
{
    return il_latch_wait_until(latch, until);
}

static void zero_is_open(void **state)
{
    (void)state;
    il_latch latch = { 0 };
    assert_true(il_latch_open(&latch));
    il_latch_wait(&latch);
    assert_int_equal(il_latch_wait_until(&latch, IL_NOW), 0);
    il_latch_count_down(&latch, 0);
}

static void it_opens_at_zero_and_not_before(void **state)
{
    (void)state;
    il_latch latch = { .count = 3 };
    il_latch_count_down(&latch, 2);
    assert_false(il_latch_open(&latch));
    assert_int_equal(il_latch_wait_until(&latch, IL_NOW), -EAGAIN);
    il_latch_count_down(&latch, 1);
    assert_true(il_latch_open(&latch));
    assert_int_equal(il_latch_wait_until(&latch, PAST), 0);
}

struct yard {
    il_latch latch;
    int work[MEMBERS]; /* plain: done before each count_down */
    int sum;
    int workers; /* atomic: have come */
};

static int work(void *in, void *out)
{
    (void)out;
    struct yard *yard = in;
    yard->work[il__add(&yard->workers, 1)] = 1;
    il_latch_count_down(&yard->latch, 1);
    return 0;
}

static int wait_for_work(void *in, void *out)
{
    (void)out;
    struct yard *yard = in;
    int sum = 0;
    il_latch_wait(&yard->latch);
    for (int i = 0; i < MEMBERS; i++) sum += yard->work[i];
    return sum == MEMBERS ? 0 : 1;
}

static void who_waits_sees_what_was_done_before_each_count_down(void **state)
{
    for (int i = 0; i < 100; i++) {
        struct yard yard = { .latch.count = MEMBERS };
        struct crew crew;
        crew_open(&crew, state);
        crew_add(&crew, wait_for_work, &yard);
        crew_add(&crew, wait_for_work, &yard);
        if (i % 2) until_waiting(&yard.latch.gate, 2);
        for (int member = 0; member < MEMBERS; member++) crew_add(&crew, work, &yard);
        assert_int_equal(crew_join(&crew), 0);
    }
}

static void closed_one_is_waited_for_until_the_deadline_or_a_cancel(void **state)
{
    il_latch latch = { .count = 1 };
    assert_gives_up(state, wait_until, &latch);
    int status = status_when_cancelled(state, wait_until, &latch, &latch.gate);
    assert_int_equal(status, -ECANCELED);
    assert_int_equal(latch.gate.word, 0);
}

static void open_it(void *latch)
{
    il_latch_count_down(latch, 1);
}

static void count_down_that_comes_late_is_not_missed(void **state)
{
    (void)state;
    il_latch early = { .count = 1 }, late = { .count = 1 };
    step_in(IL__PROBE_GATE, &early.gate, open_it, &early);
    assert_int_equal(il_latch_wait_until(&early, LATE), 0);
    step_in(IL__PROBE_WAIT, NULL, open_it, &late);
    assert_int_equal(il_latch_wait_until(&late, LATE), 0);
}

/* A latch on the stack of the one who waits: gone as soon as the wait has returned. */
static int count_down(void *in, void *out)
{
    (void)out;
    il_latch_count_down(in, 1);
    return 0;
}

static int wait_and_return(struct crew *crew, bool parked, void **state)
{
    il_latch latch = { .count = 2 };
    crew_open(crew, state);
    crew_add(crew, count_down, &latch);
    if (!parked) crew_add(crew, count_down, &latch);
    else il_latch_count_down(&latch, 1);
    il_latch_wait(&latch);
    memset(&latch, 0xff, sizeof latch);
    return 0;
}

static void who_waited_may_free_it_at_once(void **state)
{
    for (int i = 0; i < 200; i++) {
        struct crew crew;
        wait_and_return(&crew, i % 2, state);
        assert_int_equal(crew_join(&crew), 0);
    }
}

static void below_zero(void)
{
    il_latch latch = { .count = 2 };
    il_latch_count_down(&latch, 1);
    il_latch_count_down(&latch, 2);
}

static void counting_below_zero_is_fatal(void **state)
{
    (void)state;
    assert_fatal(below_zero, "but only 1 are left");
    assert_fatal(below_zero, "counted down by 2 at ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_is_open),
        cmocka_unit_test(it_opens_at_zero_and_not_before),
        EACH_CREW(who_waits_sees_what_was_done_before_each_count_down),
        EACH_CREW(closed_one_is_waited_for_until_the_deadline_or_a_cancel),
        cmocka_unit_test(count_down_that_comes_late_is_not_missed),
        EACH_CREW(who_waited_may_free_it_at_once),
        cmocka_unit_test(counting_below_zero_is_fatal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
