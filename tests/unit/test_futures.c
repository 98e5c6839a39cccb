/* SPDX-License-Identifier: MIT */
/* Waiting for some of many futures: all, any, the first error; taking them one by one. */

#include "task/future.h"
#include "work.h"

enum { MANY = 40 }; /* more than fit on the stack of the wait */

struct promises {
    il_future *all[MANY];
};

static void make(struct promises *promises)
{
    for (int i = 0; i < MANY; i++)
        assert_int_equal(il_promise_new(sizeof(int), &promises->all[i]), 0);
}

static void drop(struct promises *promises)
{
    for (int i = 0; i < MANY; i++) {
        if (promises->all[i] && !il_future_done(promises->all[i]))
            il_promise_set(promises->all[i], NULL);
        il_future_free(promises->all[i]);
    }
}

/* A wait in a crew for what the test then brings about. */
struct wait {
    struct promises promises;
    size_t count;
    il_wait_for what;
    int status;
};

static int wait_for(void *in, void *out)
{
    struct wait *wait = in;
    wait->status = il_futures_wait(wait->promises.all, wait->count, wait->what, LATE);
    return 0;
}

static void all_waits_for_each_of_them(void **state)
{
    struct wait wait = { .count = MANY, .what = IL_ALL };
    struct crew crew;
    make(&wait.promises);
    crew_open(&crew, state);
    crew_add(&crew, wait_for, &wait);
    for (int i = MANY - 1; i >= 0; i--) {
        assert_int_equal(il_futures_wait(wait.promises.all, MANY, IL_ALL, IL_NOW), -EAGAIN);
        assert_int_equal(il_promise_set(wait.promises.all[i], NULL), 0);
    }
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(wait.status, 0);
    drop(&wait.promises);
}

static void wait_until_first_waits(struct wait *wait)
{
    for (size_t i = 0; i < wait->count; i++)
        if (wait->promises.all[i]) until_waiting(&wait->promises.all[i]->gate, 1);
}

static void any_is_woken_by_each_of_them(void **state)
{
    for (size_t count = 2; count <= MANY; count += MANY - 2)
        for (size_t one = 0; one < count; one++) {
            struct wait wait = { .count = count, .what = IL_ANY };
            struct crew crew;
            make(&wait.promises);
            crew_open(&crew, state);
            crew_add(&crew, wait_for, &wait);
            wait_until_first_waits(&wait);
            assert_int_equal(il_promise_set(wait.promises.all[one], NULL), 0);
            assert_int_equal(crew_join(&crew), 0);
            assert_int_equal(wait.status, 0);
            for (size_t i = 0; i < count; i++)
                assert_int_equal(il__gate_count(&wait.promises.all[i]->gate), 0);
            drop(&wait.promises);
        }
}

static void first_error_passes_over_successes(void **state)
{
    struct wait wait = { .count = MANY, .what = IL_FIRST_ERROR };
    struct crew crew;
    make(&wait.promises);
    crew_open(&crew, state);
    crew_add(&crew, wait_for, &wait);
    for (int i = 0; i < MANY / 2; i++)
        assert_int_equal(il_promise_set(wait.promises.all[i], NULL), 0);
    assert_int_equal(il_futures_wait(wait.promises.all, MANY, IL_FIRST_ERROR, IL_NOW), -EAGAIN);
    assert_int_equal(il_promise_fail(wait.promises.all[MANY - 1], -EIO, NULL), 0);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(wait.status, 0);
    assert_false(il_future_done(wait.promises.all[MANY / 2]));
    drop(&wait.promises);
}

static void first_error_ends_when_all_succeeded(void **state)
{
    struct wait wait = { .count = MANY, .what = IL_FIRST_ERROR };
    struct crew crew;
    make(&wait.promises);
    crew_open(&crew, state);
    crew_add(&crew, wait_for, &wait);
    for (int i = 0; i < MANY; i++) assert_int_equal(il_promise_set(wait.promises.all[i], NULL), 0);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(wait.status, 0);
    drop(&wait.promises);
}

static void what_is_true_already_never_waits(void **state)
{
    struct promises promises;
    make(&promises);
    assert_int_equal(il_promise_fail(promises.all[3], -EIO, NULL), 0);
    assert_int_equal(il_futures_wait(promises.all, MANY, IL_ANY, IL_NOW), 0);
    assert_int_equal(il_futures_wait(promises.all, MANY, IL_FIRST_ERROR, IL_NOW), 0);
    assert_int_equal(il_futures_wait(promises.all, MANY, IL_ALL, IL_NOW), -EAGAIN);
    drop(&promises);
}

static void nothing_to_wait_for_is_true(void **state)
{
    il_future *nulls[3] = { NULL, NULL, NULL };
    for (int what = IL_ALL; what <= IL_FIRST_ERROR; what++) {
        assert_int_equal(il_futures_wait(NULL, 0, (il_wait_for)what, LATE), 0);
        assert_int_equal(il_futures_wait(nulls, 3, (il_wait_for)what, LATE), 0);
    }
}

static void one_may_stand_there_twice(void **state)
{
    struct wait wait = { .count = 3, .what = IL_ANY };
    struct crew crew;
    il_future *promise = NULL;
    assert_int_equal(il_promise_new(0, &promise), 0);
    wait.promises.all[0] = wait.promises.all[2] = promise;
    crew_open(&crew, state);
    crew_add(&crew, wait_for, &wait);
    until_waiting(&promise->gate, 2);
    assert_int_equal(il_promise_set(promise, NULL), 0);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(wait.status, 0);
    assert_int_equal(il_futures_wait(wait.promises.all, 3, IL_ALL, IL_NOW), 0);
    il_future_free(promise);
}

struct limits {
    struct promises promises;
    il_wait_for what;
};

static int wait_until(void *in, il_time until)
{
    struct limits *limits = in;
    return il_futures_wait(limits->promises.all, MANY, limits->what, until);
}

static int wait_in_vain(void *in, void *out)
{
    return waits_and_gives_up(wait_until, in);
}

static void waits_end_at_their_deadline_or_when_cancelled(void **state)
{
    for (int what = IL_ALL; what <= IL_FIRST_ERROR; what++) {
        struct limits limits = { .what = (il_wait_for)what };
        struct crew crew;
        make(&limits.promises);
        crew_open(&crew, state);
        crew_add(&crew, wait_in_vain, &limits);
        assert_int_equal(crew_join(&crew), 0);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(il__gate_count(&limits.promises.all[i]->gate), 0);
        drop(&limits.promises);
    }
}

/* --- One by one ------------------------------------------------------------------------------ */

static int give_index(void *in, void *out)
{
    *(int *)out = *(int *)in;
    return *(int *)in % 5 ? 0 : -EIO;
}

static void next_gives_each_once(void **state)
{
    enum { TASKS = 200 };
    il_future *futures[TASKS], *done = NULL;
    int given[TASKS] = { 0 }, count = 0, status;
    size_t at = 0;
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(il_submit(*state, give_index, &i, sizeof i, sizeof i, NULL, &futures[i]),
                         0);

    while (!(status = il_futures_next(futures, TASKS, LATE, &done, &at))) {
        assert_true(il_future_done(done));
        assert_null(futures[at]);
        assert_int_equal(il_future_get(done, IL_NOW, NULL), at % 5 ? 0 : -EIO);
        given[at]++;
        count++;
        il_future_free(done);
    }
    assert_int_equal(status, -EPIPE);
    assert_int_equal(count, TASKS);
    for (int i = 0; i < TASKS; i++) assert_int_equal(given[i], 1);
}

static void next_gives_them_as_they_are_done(void **state)
{
    struct promises promises;
    il_future *done = NULL;
    size_t at = 0;
    make(&promises);
    assert_int_equal(il_futures_next(promises.all, MANY, IL_NOW, &done, &at), -EAGAIN);
    assert_int_equal(il_futures_next(promises.all, MANY, SOON, &done, &at), -ETIMEDOUT);
    assert_null(done);
    for (int i = 0; i < MANY; i++) {
        size_t one = (size_t)(i * 7 % MANY);
        assert_int_equal(il_promise_set(promises.all[one], NULL), 0);
        assert_int_equal(il_futures_next(promises.all, MANY, LATE, &done, i % 2 ? &at : NULL), 0);
        assert_null(promises.all[one]);
        il_future_free(done);
    }
    assert_int_equal(il_futures_next(promises.all, MANY, LATE, &done, &at), -EPIPE);
}

static void next_of_none_is_epipe(void **state)
{
    il_future *nulls[3] = { NULL, NULL, NULL }, *done = NULL;
    size_t at;
    assert_int_equal(il_futures_next(NULL, 0, IL_FOREVER, &done, &at), -EPIPE);
    assert_int_equal(il_futures_next(nulls, 3, IL_FOREVER, &done, &at), -EPIPE);
}

/* All complete while the waiter goes in and out: no wake-up is lost. */
struct storm {
    struct promises promises;
    int taken;
};

static int take_all(void *in, void *out)
{
    struct storm *storm = in;
    il_future *done;
    size_t at;
    while (!il_futures_next(storm->promises.all, MANY, LATE, &done, &at)) {
        storm->taken++;
        il_future_free(done);
    }
    return 0;
}

static void next_loses_none_that_complete_meanwhile(void **state)
{
    for (int round = 0; round < 30; round++) {
        struct storm storm = { .taken = 0 };
        struct crew crew;
        il_future *all[MANY];
        make(&storm.promises);
        for (int i = 0; i < MANY; i++) all[i] = il_future_ref(storm.promises.all[i]);
        crew_open(&crew, state);
        crew_add(&crew, take_all, &storm);
        for (int i = 0; i < MANY; i++) {
            il_promise_set(all[i], NULL);
            if (i % 3 == 0) sched_yield();
            il_future_free(all[i]);
        }
        assert_int_equal(crew_join(&crew), 0);
        assert_int_equal(storm.taken, MANY);
    }
}

static void set_promise(void *promise)
{
    il_promise_set(promise, NULL);
}

static void any_that_is_done_on_the_way_to_its_list_is_not_missed(void **state)
{
    il_future *both[2];
    for (int i = 0; i < 2; i++) assert_int_equal(il_promise_new(0, &both[i]), 0);
    step_in(IL__PROBE_GATE, &both[0]->gate, set_promise, both[0]);
    int status = il_futures_wait(both, 2, IL_ANY, LATE);
    il__store(&il__probe_listener, NULL);
    assert_int_equal(status, 0);
    assert_false(il_future_done(both[1]));
    for (int i = 0; i < 2; i++) il_future_free(both[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_CREW(all_waits_for_each_of_them),
        EACH_CREW(any_is_woken_by_each_of_them),
        EACH_CREW(first_error_passes_over_successes),
        EACH_CREW(first_error_ends_when_all_succeeded),
        cmocka_unit_test(what_is_true_already_never_waits),
        cmocka_unit_test(nothing_to_wait_for_is_true),
        EACH_CREW(one_may_stand_there_twice),
        EACH_CREW(waits_end_at_their_deadline_or_when_cancelled),
        cmocka_unit_test(any_that_is_done_on_the_way_to_its_list_is_not_missed),
        EACH_EXECUTOR(next_gives_each_once),
        cmocka_unit_test(next_gives_them_as_they_are_done),
        cmocka_unit_test(next_of_none_is_epipe),
        EACH_CREW(next_loses_none_that_complete_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
