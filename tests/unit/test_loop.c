/* SPDX-License-Identifier: MIT */
/* The loop: an executor whose worker sleeps in libuv; driving one by hand; callbacks. */

#include <interlock/loop.h>

#include <sys/socket.h>
#include <uv.h>

#include "work.h"

static int open_loop(void **state)
{
    il_executor *loop = NULL;
    threads_before = il_thread_list(NULL, 0);
    int status = il_loop_new(*state, &loop);
    *state = loop;
    return status;
}

static const il_loop_opts by_hand = { .manual = true };

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, open_loop, free_executor)
#define MANUAL(test)                                                                               \
    {                                                                                              \
#test " (manual)", test, open_loop, free_executor, (void *)&by_hand                        \
    }

static int say_where(void *in, void *out)
{
    *(il_executor **)out = il_loop_here();
    return 0;
}

static void a_task_of_a_loop_knows_the_loop(void **state)
{
    il_executor *where = NULL;
    assert_int_equal(il_loop_call(*state, say_where, NULL, &where, LATE), 0);
    assert_ptr_equal(where, *state);
    assert_null(il_loop_here());
}

static void a_loop_has_one_worker_and_says_that_it_is_a_loop(void **state)
{
    il_executor_info info;
    il_executor_describe(*state, &info);
    assert_string_equal(info.kind, "loop");
    assert_string_equal(info.name, "loop");
    assert_int_equal(info.workers, 1);
}

static int sleep_a_little(void *in, void *out)
{
    il_time until = il_after(*(int64_t *)in);
    int status = il_sleep(until);
    if (!status && il_now() < until) return -ERANGE;
    return status;
}

static void tasks_sleep_at_the_same_time(void **state)
{
    enum { TASKS = 200 };
    il_future *futures[TASKS] = { NULL };
    for (int64_t i = 0; i < TASKS; i++) {
        int64_t duration = IL_US(i * 37 % 2000);
        assert_int_equal(
            il_submit(*state, sleep_a_little, &duration, sizeof duration, 0, NULL, &futures[i]), 0);
    }
    for (int i = 0; i < TASKS; i++) assert_int_equal(status_of(futures[i]), 0);
}

static void a_manual_loop_runs_what_is_ready_and_no_more(void **state)
{
    int ran = 0, *counter = &ran;
    il_event event = { 0 };
    il_future *future = submit_pointer(*state, count, counter),
              *parked = submit_pointer(*state, await, &event);
    assert_int_equal(il_loop_run(*state, IL_NOW), -EAGAIN);
    assert_int_equal(ran, 1);
    assert_false(il_future_done(parked));
    il_event_set(&event);
    assert_int_equal(il_loop_run_until(*state, parked, LATE), 0);
    assert_int_equal(status_of(future), 0);
    assert_int_equal(status_of(parked), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        ON_LOOP(a_task_of_a_loop_knows_the_loop),
        ON_LOOP(a_loop_has_one_worker_and_says_that_it_is_a_loop),
        ON_LOOP(tasks_sleep_at_the_same_time),
        MANUAL(a_manual_loop_runs_what_is_ready_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
