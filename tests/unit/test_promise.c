/* SPDX-License-Identifier: MIT */
/* Promises: futures completed by hand. */

#include "task/future.h"
#include "work.h"

static void set_copies_the_result(void **state)
{
    il_future *promise = NULL;
    long value = 5, result = 0;
    assert_int_equal(il_promise_new(sizeof value, &promise), 0);
    assert_int_equal(il_future_get(promise, IL_NOW, &result), -EAGAIN);
    assert_int_equal(il_promise_set(promise, &value), 0);
    value = 6;
    assert_int_equal(il_future_get(promise, IL_NOW, &result), 0);
    assert_int_equal(result, 5);
    il_future_free(promise);
}

static void set_without_a_result_gives_zeroes(void **state)
{
    il_future *promise = NULL;
    long result = 9;
    assert_int_equal(il_promise_new(sizeof result, &promise), 0);
    assert_int_equal(il_promise_set(promise, NULL), 0);
    assert_int_equal(il_future_get(promise, IL_NOW, &result), 0);
    assert_int_equal(result, 0);
    il_future_free(promise);
}

static void fail_carries_status_and_words(void **state)
{
    il_future *promise = NULL;
    assert_int_equal(il_promise_new(0, &promise), 0);
    assert_int_equal(il_promise_fail(promise, -ENOENT, "100% no such page"), 0);
    assert_int_equal(il_future_get(promise, IL_NOW, NULL), -ENOENT);
    assert_string_equal(il_future_error(promise)->message, "100% no such page");
    il_future_free(promise);
}

static void fail_without_words_has_those_of_its_status(void **state)
{
    il_future *promise = NULL;
    assert_int_equal(il_promise_new(0, &promise), 0);
    assert_int_equal(il_promise_fail(promise, -EPIPE, NULL), 0);
    assert_int_equal(il_future_get(promise, IL_NOW, NULL), -EPIPE);
    assert_string_equal(il_future_error(promise)->message, il_strerror(-EPIPE));
    il_future_free(promise);
}

static void completing_twice_is_ealready_and_changes_nothing(void **state)
{
    long value = 1, other = 2, result = 0;
    il_future *set = NULL, *failed = NULL;
    assert_int_equal(il_promise_new(sizeof value, &set), 0);
    assert_int_equal(il_promise_new(sizeof value, &failed), 0);
    assert_int_equal(il_promise_set(set, &value), 0);
    assert_int_equal(il_promise_fail(failed, -EIO, "first"), 0);

    assert_int_equal(il_promise_set(set, &other), -EALREADY);
    assert_int_equal(il_promise_fail(set, -EIO, "late"), -EALREADY);
    assert_int_equal(il_promise_set(failed, &other), -EALREADY);
    assert_int_equal(il_promise_fail(failed, -EPERM, "late"), -EALREADY);
    assert_int_equal(il_future_cancel(set), -EALREADY);

    assert_int_equal(il_future_get(set, IL_NOW, &result), 0);
    assert_int_equal(result, 1);
    assert_int_equal(il_future_get(failed, IL_NOW, NULL), -EIO);
    assert_string_equal(il_future_error(failed)->message, "first");
    il_future_free(set);
    il_future_free(failed);
}

static void failing_with_a_success_is_einval(void **state)
{
    il_future *promise = NULL;
    assert_int_equal(il_promise_new(0, &promise), 0);
    assert_int_equal(il_promise_fail(promise, 0, NULL), -EINVAL);
    assert_false(il_future_done(promise));
    il_future_free(promise);
}

static void a_cancelled_promise_is_done_with_ecanceled(void **state)
{
    il_future *promise = NULL;
    assert_int_equal(il_promise_new(0, &promise), 0);
    assert_int_equal(il_future_cancel(promise), 0);
    assert_true(il_future_done(promise));
    assert_int_equal(il_promise_set(promise, NULL), -EALREADY);
    assert_int_equal(il_future_get(promise, IL_NOW, NULL), -ECANCELED);
    il_future_free(promise);
}

static int get_promise(void *in, void *out)
{
    int status = il_future_get(in, LATE, NULL);
    il_future_free(in);
    return status == -EPIPE ? 0 : -EINVAL;
}

static void a_promise_dropped_unset_is_epipe_to_who_waits(void **state)
{
    il_future *promise = NULL;
    struct crew crew;
    assert_int_equal(il_promise_new(0, &promise), 0);
    crew_open(&crew, state);
    crew_add(&crew, get_promise, il_future_ref(promise));
    until_waiting(&promise->gate, 1);
    il_promise_drop(promise);
    assert_int_equal(crew_join(&crew), 0);
}

static void a_promise_dropped_after_it_was_set_keeps_its_result(void **state)
{
    il_future *promise = NULL;
    long value = 3, result = 0;
    assert_int_equal(il_promise_new(sizeof value, &promise), 0);
    il_future *consumer = il_future_ref(promise);
    assert_int_equal(il_promise_set(promise, &value), 0);
    il_promise_drop(promise);
    assert_int_equal(il_future_get(consumer, IL_NOW, &result), 0);
    assert_int_equal(result, 3);
    il_future_free(consumer);
}

static int reported;

static void count_report(const il_error *error)
{
    reported++;
}

static void a_promise_dropped_with_nobody_else_there_is_reported_like_any_failure(void **state)
{
    il_future *promise = NULL;
    reported = 0;
    il_on_unobserved(count_report);
    assert_int_equal(il_promise_new(0, &promise), 0);
    il_promise_drop(promise);
    il_on_unobserved(NULL);
    assert_int_equal(reported, 1);
}

static void never_called(il_future *future, void *arg)
{
    reported++;
}

static void callbacks_of_a_promise_freed_before_it_is_done_are_not_called(void **state)
{
    il_future *promise = NULL;
    reported = 0;
    assert_int_equal(il_promise_new(0, &promise), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(il_future_on_done(promise, never_called, NULL), 0);
    il_future_free(promise); /* and nothing leaks */
    assert_int_equal(reported, 0);
}

/* Several complete it at once: one wins, and the result is the winner's. */
struct race {
    il_future *promise;
    int wins;
    long winner;
};

struct runner {
    struct race *race;
    long number;
};

static int run_race(void *in, void *out)
{
    struct runner *runner = in;
    long number = runner->number;
    int status = number % 2 ? il_promise_set(runner->race->promise, &number)
                            : il_promise_fail(runner->race->promise, (int)-number, NULL);
    if (!status) {
        il__add(&runner->race->wins, 1);
        runner->race->winner = number;
    }
    return status && status != -EALREADY;
}

static void of_many_that_complete_it_one_wins(void **state)
{
    enum { RUNNERS = 4 };
    for (int round = 0; round < 100; round++) {
        struct race race = { .wins = 0 };
        struct runner runners[RUNNERS];
        struct crew crew;
        long result = 0;
        assert_int_equal(il_promise_new(sizeof result, &race.promise), 0);
        crew_open(&crew, state);
        for (int i = 0; i < RUNNERS; i++) {
            runners[i] = (struct runner){ &race, i + 1 };
            crew_add(&crew, run_race, &runners[i]);
        }
        int status = il_future_get(race.promise, LATE, &result);
        assert_int_equal(crew_join(&crew), 0);
        assert_int_equal(race.wins, 1);
        assert_int_equal(status ? -status : result, race.winner);
        il_future_free(race.promise);
    }
}

/* The producer lets go at once; the consumer frees as soon as it has the result. */
static int produce(void *in, void *out)
{
    long value = 77;
    int status = il_promise_set(in, &value);
    il_promise_drop(in);
    return status;
}

static void consumer_may_free_as_soon_as_it_has_the_result(void **state)
{
    for (int round = 0; round < 300; round++) {
        il_future *promise = NULL;
        struct crew crew;
        long result = 0;
        assert_int_equal(il_promise_new(sizeof result, &promise), 0);
        crew_open(&crew, state);
        crew_add(&crew, produce, il_future_ref(promise));
        assert_int_equal(il_future_get(promise, LATE, &result), 0);
        il_future_free(promise);
        assert_int_equal(result, 77);
        assert_int_equal(crew_join(&crew), 0);
    }
}

static void free_promise(il_future *promise, void *arg)
{
    il_future_free(promise);
}

static void note_done(il_future *promise, void *arg)
{
    *(bool *)arg = il_future_done(promise);
}

static void a_callback_may_free_it_and_the_next_sees_it_still(void **state)
{
    il_future *promise = NULL;
    bool done = false;
    assert_int_equal(il_promise_new(8, &promise), 0);
    assert_int_equal(il_future_on_done(promise, free_promise, NULL), 0);
    assert_int_equal(il_future_on_done(promise, note_done, &done), 0);
    assert_int_equal(il_promise_set(promise, NULL), 0);
    assert_true(done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_copies_the_result),
        cmocka_unit_test(set_without_a_result_gives_zeroes),
        cmocka_unit_test(fail_carries_status_and_words),
        cmocka_unit_test(fail_without_words_has_those_of_its_status),
        cmocka_unit_test(completing_twice_is_ealready_and_changes_nothing),
        cmocka_unit_test(failing_with_a_success_is_einval),
        cmocka_unit_test(a_cancelled_promise_is_done_with_ecanceled),
        EACH_CREW(a_promise_dropped_unset_is_epipe_to_who_waits),
        cmocka_unit_test(a_promise_dropped_after_it_was_set_keeps_its_result),
        cmocka_unit_test(a_promise_dropped_with_nobody_else_there_is_reported_like_any_failure),
        cmocka_unit_test(callbacks_of_a_promise_freed_before_it_is_done_are_not_called),
        cmocka_unit_test(a_callback_may_free_it_and_the_next_sees_it_still),
        EACH_CREW(of_many_that_complete_it_one_wins),
        EACH_CREW(consumer_may_free_as_soon_as_it_has_the_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
