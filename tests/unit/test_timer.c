/* SPDX-License-Identifier: MIT */
/* Timers that call, on a loop. */

#include <interlock/timer.h>

#include "loops.h"

/* What a callback notes; the test reads it once `enough` is set. */
struct calls {
    int count, enough_at, answer;
    il_executor *loop, *here;
    il_timer *timer;
    il_beat beats[100];
    il_time at[100];
    il_event enough;
};

static int note_beat(const il_beat *beat, void *arg)
{
    struct calls *calls = arg;
    if (calls->count < 100) {
        calls->beats[calls->count] = *beat;
        calls->at[calls->count] = il_now();
    }
    calls->here = il_loop_here();
    if (++calls->count == calls->enough_at) {
        int answer = calls->answer;
        il_event_set(&calls->enough); /* the test may go on, and `calls` be gone */
        return answer;
    }
    return 0;
}

static void one_shot_calls_once_on_the_loop_and_not_early(void **state)
{
    struct calls calls = { .enough_at = 1 };
    il_timer *timer = NULL;
    il_time due = il_after(IL_MS(3));
    assert_int_equal(il_timer_start(*state, due, 0, note_beat, &calls, &timer), 0);
    assert_int_equal(il_event_wait_until(&calls.enough, LATE), 0);
    assert_ptr_equal(calls.here, *state);
    assert_true(calls.at[0] >= due);
    assert_int_equal(calls.beats[0].due, due);
    assert_int_equal(calls.beats[0].number, 0);
    il_timer_free(timer);
    assert_int_equal(calls.count, 1);
}

static void beats_do_not_drift_and_missed_ones_are_counted(void **state)
{
    struct calls calls = { .enough_at = 40, .answer = -ECANCELED };
    il_time first = il_after(IL_MS(1));
    il_timer *timer = NULL;
    assert_int_equal(il_timer_start(*state, first, IL_US(300), note_beat, &calls, &timer), 0);
    assert_int_equal(il_event_wait_until(&calls.enough, LATE), 0);
    il_timer_free(timer);

    uint64_t next = 0;
    for (int i = 0; i < 40; i++) {
        assert_int_equal(calls.beats[i].due, first + (il_time)calls.beats[i].number * IL_US(300));
        assert_int_equal(calls.beats[i].number, next + calls.beats[i].missed);
        assert_true(calls.at[i] >= calls.beats[i].due);
        next = calls.beats[i].number + 1;
    }
    assert_int_equal(calls.count, 40);
}

static void beats_that_were_missed_come_as_one_call(void **state)
{
    struct calls calls = { .enough_at = 1 };
    il_time first = il_now() - IL_SEC(1);
    il_timer *timer = NULL;
    assert_int_equal(il_timer_start(*state, first, IL_SEC(100) / 1000, note_beat, &calls, &timer),
                     0);
    assert_int_equal(il_event_wait_until(&calls.enough, LATE), 0);
    il_timer_free(timer);
    assert_true(calls.beats[0].missed >= 10);
    assert_int_equal(calls.beats[0].number, calls.beats[0].missed);
}

static void a_stopped_timer_is_not_called(void **state)
{
    struct calls calls = { .enough_at = 1 }, later = { .enough_at = 1 };
    il_timer *timer = NULL, *after = NULL;
    il_time due = il_after(IL_MS(2));
    assert_int_equal(il_timer_start(*state, due, 0, note_beat, &calls, &timer), 0);
    assert_int_equal(il_timer_stop(timer), 0);
    assert_int_equal(il_timer_stop(timer), -EALREADY);
    assert_int_equal(il_timer_start(*state, due + 1, 0, note_beat, &later, &after), 0);
    assert_int_equal(il_event_wait_until(&later.enough, LATE), 0);
    assert_int_equal(calls.count, 0);
    il_timer_free(timer);
    il_timer_free(after);
}

static void a_timer_can_be_set_again(void **state)
{
    struct calls calls = { .enough_at = 1 };
    il_timer *timer = NULL;
    assert_int_equal(il_timer_start(*state, IL_FOREVER, 0, note_beat, &calls, &timer), 0);
    for (int i = 0; i < 3; i++) {
        calls.enough_at = calls.count + 1;
        il_event_clear(&calls.enough);
        assert_int_equal(il_timer_set(timer, IL_NOW, 0), 0);
        assert_int_equal(il_event_wait_until(&calls.enough, LATE), 0);
    }
    il_timer_free(timer);
    assert_int_equal(calls.count, 3);
}

static int set_itself_again(const il_beat *beat, void *arg)
{
    struct calls *calls = arg;
    (void)beat;
    if (++calls->count < 50) return il_timer_set(calls->timer, IL_NOW, 0);
    il_event_set(&calls->enough);
    return 0;
}

static void a_callback_sets_its_own_timer_without_keeping_others_out(void **state)
{
    struct calls calls = { 0 };
    long n = 7, result = 0;
    assert_int_equal(il_timer_start(*state, IL_FOREVER, 0, set_itself_again, &calls, &calls.timer),
                     0);
    assert_int_equal(il_timer_set(calls.timer, IL_NOW, 0), 0);
    assert_int_equal(il_loop_call(*state, square, &n, &result, LATE), 0);
    assert_int_equal(result, 49);
    assert_int_equal(il_event_wait_until(&calls.enough, LATE), 0);
    il_timer_free(calls.timer);
    assert_int_equal(calls.count, 50);
}

static int free_itself(const il_beat *beat, void *arg)
{
    struct calls *calls = arg;
    (void)beat;
    il_timer_free(calls->timer);
    il_event_set(&calls->enough);
    return 0;
}

static void a_callback_may_free_its_timer(void **state)
{
    struct calls calls = { 0 };
    assert_int_equal(il_timer_start(*state, IL_FOREVER, 0, free_itself, &calls, &calls.timer), 0);
    assert_int_equal(il_timer_set(calls.timer, IL_NOW, IL_MS(1)), 0);
    assert_int_equal(il_event_wait_until(&calls.enough, LATE), 0);
}

struct slow {
    bool begun, go_on, ended;
};

static int take_long(const il_beat *beat, void *arg)
{
    struct slow *slow = arg;
    (void)beat;
    il__store_release(&slow->begun, true);
    while (!il__load_acquire(&slow->go_on)) sched_yield();
    il__store_release(&slow->ended, true);
    return 0;
}

static int let_go_on(void *in, void *out)
{
    (void)out;
    il__store_release(&((struct slow *)in)->go_on, true);
    return 0;
}

static void free_waits_for_a_call_that_runs(void **state)
{
    struct slow slow = { false, false, false };
    il_timer *timer = NULL;
    il_thread other;
    memset(&other, 0, sizeof other);
    assert_int_equal(il_timer_start(*state, IL_NOW, IL_MS(1), take_long, &slow, &timer), 0);
    until_true(&slow.begun);
    assert_int_equal(il_thread_start(&other, let_go_on, &slow, NULL, NULL), 0);
    il_timer_free(timer);
    assert_true(il__load_acquire(&slow.ended));
    il_thread_join(&other, LATE);
}

static int start_a_task(const il_beat *beat, void *arg)
{
    int **counter = arg;
    (void)beat;
    return il_submit(il_loop_here(), count, counter, sizeof *counter, 0, NULL, NULL);
}

static void a_callback_starts_tasks(void **state)
{
    int ran = 0, *counter = &ran;
    for (int i = 0; i < 100; i++)
        assert_int_equal(
            il_timer_start(*state, il_after(IL_US(10 * i)), 0, start_a_task, &counter, NULL), 0);
    while (il__load_acquire(&ran) < 100) sched_yield();
}

static void a_timer_does_not_keep_a_loop_from_closing(void **state)
{
    struct calls calls = { 0 };
    il_timer *timer = NULL;
    assert_int_equal(
        il_timer_start(*state, il_after(IL_SEC(100)), IL_SEC(1), note_beat, &calls, NULL), 0);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(il_timer_start(*state, IL_NOW, 0, note_beat, &calls, &timer), -ESHUTDOWN);
    assert_null(timer);
}

static void what_cannot_be_a_timer_is_einval(void **state)
{
    il_executor *pool = pool_of(1);
    assert_int_equal(il_timer_start(*state, IL_NOW, -1, note_beat, NULL, NULL), -EINVAL);
    assert_int_equal(il_timer_start(pool, IL_NOW, 0, note_beat, NULL, NULL), -EINVAL);
    assert_int_equal(il_timer_start(NULL, IL_NOW, 0, note_beat, NULL, NULL), -EINVAL);
    il_executor_free(pool);
}

static int count_call(const il_beat *beat, void *arg)
{
    (void)beat;
    ++*(int *)arg;
    return 0;
}

static void timers_of_a_manual_loop_are_called_by_who_drives_it(void **state)
{
    int called = 0;
    il_timer *timer = NULL;
    assert_int_equal(il_timer_start(*state, IL_NOW, 0, count_call, &called, NULL), 0);
    assert_int_equal(il_timer_start(*state, il_after(IL_SEC(100)), 0, count_call, &called, &timer),
                     0);
    assert_int_equal(called, 0);
    assert_int_equal(il_loop_run(*state, IL_NOW), -EAGAIN);
    assert_int_equal(called, 1);
    il_timer_free(timer);
}

enum { MANY = 20000 };

static void many_timers_are_each_called_once_unless_stopped(void **state)
{
    static il_timer *timers[MANY];
    int called = 0;
    il_time base = il_now();
    for (int i = 0; i < MANY; i++)
        assert_int_equal(il_timer_start(*state, base + IL_US(i * 7919 % 1000), 0, count_call,
                                        &called, &timers[i]),
                         0);
    for (int i = 0; i < MANY; i += 2) il_timer_stop(timers[i]);
    while (il_now() < base + IL_MS(2) || called < MANY / 2) il_loop_run(*state, IL_NOW);
    for (int i = 0; i < MANY; i++) il_timer_free(timers[i]);
    assert_int_equal(called, MANY / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LOOP(one_shot_calls_once_on_the_loop_and_not_early),
        ON_LOOP(beats_do_not_drift_and_missed_ones_are_counted),
        ON_LOOP(beats_that_were_missed_come_as_one_call),
        ON_LOOP(a_stopped_timer_is_not_called),
        ON_LOOP(a_timer_can_be_set_again),
        ON_LOOP(a_callback_sets_its_own_timer_without_keeping_others_out),
        ON_LOOP(a_callback_may_free_its_timer),
        ON_LOOP(free_waits_for_a_call_that_runs),
        ON_LOOP(a_callback_starts_tasks),
        ON_LOOP(a_timer_does_not_keep_a_loop_from_closing),
        ON_LOOP(what_cannot_be_a_timer_is_einval),
        MANUAL(timers_of_a_manual_loop_are_called_by_who_drives_it),
        MANUAL(many_timers_are_each_called_once_unless_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
