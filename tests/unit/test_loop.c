/* SPDX-License-Identifier: MIT */
/*
 * The loop: what it does beyond a pool (every claim about pools holds for it, and is tried on it where
 * they are: work.h). Getting onto one, descriptors and callbacks, driving by hand, closing, forks.
 */

#include <interlock/loop.h>

#include <uv.h>

#include "loops.h"

static il_executor *loop_of(const il_loop_opts *opts)
{
    il_executor *loop = NULL;
    assert_int_equal(il_loop_new(opts, &loop), 0);
    return loop;
}

/* --- Getting there --------------------------------------------------------------------------- */

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
    il_executor *pool = pool_of(1);
    il_executor_describe(*state, &info);
    assert_string_equal(info.kind, "loop");
    assert_string_equal(info.name, "loop");
    assert_int_equal(info.workers, 1);
    assert_non_null(il_loop_uv(*state));
    assert_null(il_loop_uv(pool));
    il_executor_free(pool);
}

struct errand {
    il_executor *loop, *first, *second;
};

/* A task of a pool, or of a loop, that goes to a loop and there calls again. */
static int call_from_a_task(void *in, void *out)
{
    struct errand *errand = *(struct errand **)in;
    return il_loop_call(errand->loop, say_where, NULL, &errand->first, LATE);
}

static int call_again(void *in, void *out)
{
    struct errand *errand = in;
    return il_loop_call(errand->loop, say_where, NULL, &errand->second, IL_NOW);
}

static void a_task_of_a_pool_calls_a_loop_and_a_task_of_a_loop_itself(void **state)
{
    il_executor *pool = pool_of(1), *other = loop_of(NULL);
    struct errand errand = { .loop = *state };
    assert_int_equal(status_of(submit_pointer(pool, call_from_a_task, &errand)), 0);
    assert_ptr_equal(errand.first, *state);
    errand.first = NULL;
    assert_int_equal(status_of(submit_pointer(other, call_from_a_task, &errand)), 0);
    assert_ptr_equal(errand.first, *state);
    assert_int_equal(il_loop_call(*state, call_again, &errand, NULL, LATE), 0);
    assert_ptr_equal(errand.second, *state);
    il_executor_free(other);
    il_executor_free(pool);
}

struct sleeper {
    bool begun; /* it may come too late for that */
    int status;
};

static int sleep_for_ever(void *in, void *out)
{
    struct sleeper *sleeper = in;
    sleeper->begun = true;
    return sleeper->status = il_sleep(IL_FOREVER);
}

static void a_call_that_is_late_is_cancelled_and_its_end_waited_for(void **state)
{
    struct sleeper slept = { .begun = false };
    assert_int_equal(il_loop_call(*state, sleep_for_ever, &slept, NULL, SOON), -ETIMEDOUT);
    assert_int_equal(slept.status, slept.begun ? -ECANCELED : 0);
    assert_int_equal(il_loop_call(*state, sleep_for_ever, &slept, NULL, IL_NOW), -EAGAIN);
}

static void a_call_of_what_is_no_loop_is_einval(void **state)
{
    il_executor *pool = pool_of(1);
    long n = 3;
    assert_int_equal(il_loop_call(pool, square, &n, &n, LATE), -EINVAL);
    assert_int_equal(il_loop_call(NULL, square, &n, &n, LATE), -EINVAL);
    assert_int_equal(il_loop_run(pool, IL_NOW), -EINVAL);
    assert_int_equal(il_loop_stop(pool), -EINVAL);
    assert_false(il_loop_closed(pool));
    il_executor_free(pool);
}

/* --- Time ------------------------------------------------------------------------------------ */

static int sleep_a_little(void *in, void *out)
{
    il_time until = il_after(*(int64_t *)in);
    int status = il_sleep(until);
    return !status && il_now() < until ? -ERANGE : status;
}

static void tasks_sleep_at_the_same_time_and_none_too_short(void **state)
{
    enum { TASKS = 200 };
    il_future *futures[TASKS] = { NULL };
    for (int64_t i = 0; i < TASKS; i++) {
        int64_t length = IL_US(i * 37 % 2000);
        assert_int_equal(
            il_submit(*state, sleep_a_little, &length, sizeof length, 0, NULL, &futures[i]), 0);
    }
    for (int i = 0; i < TASKS; i++) assert_int_equal(status_of(futures[i]), 0);
}

enum { ITEMS = 600 };

/* Waits until all are under way. */
static int meet(void *in, void *out)
{
    il_latch *latch = *(il_latch **)in;
    il_latch_count_down(latch, 1);
    return il_latch_wait_until(latch, LATE);
}

static void all_items_of_a_map_wait_at_the_same_time(void **state)
{
    il_latch latch = { .count = ITEMS };
    il_latch *in[ITEMS];
    for (int i = 0; i < ITEMS; i++) in[i] = &latch;
    assert_int_equal(il_map(*state, meet, in, (char *)NULL, ITEMS, NULL), 0);
}

static void a_map_on_threads_has_as_many_under_way_as_it_says(void **state)
{
    il_latch latch = { .count = ITEMS };
    il_latch *in[ITEMS];
    il_executor *pool = pool_of(2);
    for (int i = 0; i < ITEMS; i++) in[i] = &latch;
    assert_int_equal(
        il_map(pool, meet, in, (char *)NULL, ITEMS, &(il_map_opts){ .at_once = ITEMS }), 0);
    il_executor_free(pool);
}

/* --- Descriptors and callbacks --------------------------------------------------------------- */

/* A pipe that a loop watches, the event that its callback sets, and what it saw. */
struct watched {
    int ends[2];
    uv_poll_t poll;
    uv_timer_t timer;
    il_event event, closed;
    il_executor *here;
    il_mutex *mutex;
    int status;
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct watched *watched = poll->data;
    il__store_release(&watched->here, il_loop_here());
    uv_poll_stop(poll);
    if (watched->mutex) {
        il_mutex_lock(watched->mutex);
        il_mutex_unlock(watched->mutex);
    }
    il_event_set(&watched->event);
}

static int watch_pipe(void *in, void *out)
{
    struct watched *watched = in;
    uv_loop_t *uv = il_loop_uv(il_loop_here());
    if (pipe(watched->ends)) return -errno;
    watched->poll.data = watched;
    int status = uv_poll_init(uv, &watched->poll, watched->ends[0]);
    return status ? status : uv_poll_start(&watched->poll, UV_READABLE, on_readable);
}

static void on_closed(uv_handle_t *handle)
{
    il_event_set(&((struct watched *)handle->data)->closed);
}

static int unwatch_pipe(void *in, void *out)
{
    struct watched *watched = in;
    uv_close((uv_handle_t *)&watched->poll, on_closed);
    int status = il_event_wait_until(&watched->closed, LATE);
    close(watched->ends[0]);
    close(watched->ends[1]);
    return status;
}

static void a_callback_wakes_a_thread_and_knows_its_loop(void **state)
{
    struct watched watched = { .ends = { -1, -1 } };
    assert_int_equal(il_loop_call(*state, watch_pipe, &watched, NULL, LATE), 0);
    assert_int_equal(write(watched.ends[1], "x", 1), 1);
    assert_int_equal(il_event_wait_until(&watched.event, LATE), 0);
    assert_ptr_equal(watched.here, *state);
    assert_int_equal(il_loop_call(*state, unwatch_pipe, &watched, NULL, LATE), 0);
}

static void on_uv_timer(uv_timer_t *timer)
{
    il_event_set(&((struct watched *)timer->data)->event);
}

static void on_timer_closed(uv_handle_t *handle)
{
    il_event_set(&((struct watched *)handle->data)->closed);
}

/* libuv calls timers before it goes to sleep: what they wake is not to wait for what ends that. */
static int wait_for_uv_timer(void *in, void *out)
{
    struct watched *watched = in;
    int status = uv_timer_init(il_loop_uv(il_loop_here()), &watched->timer);
    watched->timer.data = watched;
    for (int i = 0; !status && i < 20; i++) {
        il_event_clear(&watched->event);
        uv_timer_start(&watched->timer, on_uv_timer, (uint64_t)i % 3, 0);
        status = il_event_wait_until(&watched->event, LATE);
    }
    uv_close((uv_handle_t *)&watched->timer, on_timer_closed);
    int closed = il_event_wait_until(&watched->closed, LATE);
    return status ? status : closed;
}

static void a_callback_of_a_uv_timer_wakes_a_task_before_the_loop_sleeps(void **state)
{
    struct watched watched = { .status = 0 };
    assert_int_equal(il_loop_call(*state, wait_for_uv_timer, &watched, NULL, LATE), 0);
}

static int yield_until_set(void *in, void *out)
{
    il_event *event = *(il_event **)in;
    while (!il_event_is_set(event)) il_yield();
    return 0;
}

static void a_busy_loop_sees_its_descriptors(void **state)
{
    struct watched watched = { .ends = { -1, -1 } };
    assert_int_equal(il_loop_call(*state, watch_pipe, &watched, NULL, LATE), 0);
    il_future *first = submit_pointer(*state, yield_until_set, &watched.event);
    il_future *second = submit_pointer(*state, yield_until_set, &watched.event);
    assert_int_equal(write(watched.ends[1], "x", 1), 1);
    assert_int_equal(status_of(first), 0);
    assert_int_equal(status_of(second), 0);
    assert_int_equal(il_loop_call(*state, unwatch_pipe, &watched, NULL, LATE), 0);
}

struct holder {
    il_mutex *mutex;
    struct watched *watched;
    bool locked;
};

/* Lets go when the callback has been begun, and so, most likely, waits. */
static int hold_mutex(void *in, void *out)
{
    struct holder *holder = in;
    il_mutex_lock(holder->mutex);
    il__store_release(&holder->locked, true);
    while (!il__load_acquire(&holder->watched->here)) sched_yield();
    il_mutex_unlock(holder->mutex);
    return 0;
}

static void a_callback_may_lock_what_another_thread_holds(void **state)
{
    il_mutex mutex = { 0 };
    struct watched watched = { .mutex = &mutex };
    struct holder holder = { &mutex, &watched, false };
    il_thread other;
    memset(&other, 0, sizeof other);
    assert_int_equal(il_loop_call(*state, watch_pipe, &watched, NULL, LATE), 0);
    assert_int_equal(il_thread_start(&other, hold_mutex, &holder, NULL, NULL), 0);
    until_true(&holder.locked);
    assert_int_equal(write(watched.ends[1], "x", 1), 1);
    assert_int_equal(il_event_wait_until(&watched.event, LATE), 0);
    il_thread_join(&other, LATE);
    assert_int_equal(il_loop_call(*state, unwatch_pipe, &watched, NULL, LATE), 0);
}

static void sleep_in_callback(uv_timer_t *timer)
{
    il_sleep(il_after(IL_MS(1)));
}

static int start_bad_timer(void *in, void *out)
{
    uv_timer_init(il_loop_uv(il_loop_here()), in);
    return uv_timer_start(in, sleep_in_callback, 0, 0);
}

static int wait_in_a_callback(void)
{
    static uv_timer_t timer;
    il_executor *loop = NULL;
    il_loop_new(&(il_loop_opts){ .name = "downloads" }, &loop);
    il_loop_call(loop, start_bad_timer, &timer, NULL, LATE);
    il_sleep(LATE); /* sleeps: the loop ends the process */
    return 0;
}

static void a_callback_that_waits_is_told(void **state)
{
    assert_fatal_in_child("wait_in_a_callback",
                          "a callback of loop \"downloads\" waits for a sleep");
}

static int leave_a_handle_open(void *in, void *out)
{
    uv_timer_init(il_loop_uv(il_loop_here()), in);
    return uv_timer_start(in, on_uv_timer, 1000000, 0);
}

static void handles_left_open_are_closed_with_the_loop(void **state)
{
    uv_timer_t timer;
    il_executor *loop = loop_of(NULL);
    memset(&timer, 0, sizeof timer);
    assert_int_equal(il_loop_call(loop, leave_a_handle_open, &timer, NULL, LATE), 0);
    il_executor_free(loop);
    assert_true(uv_is_closing((uv_handle_t *)&timer));
}

/* --- Driving by hand ------------------------------------------------------------------------- */

static void a_manual_loop_runs_what_is_ready_and_no_more(void **state)
{
    int ran = 0;
    il_event event = { 0 };
    il_future *future = submit_pointer(*state, count, &ran);
    il_future *parked = submit_pointer(*state, await, &event);
    assert_int_equal(il_loop_run(*state, IL_NOW), -EAGAIN);
    assert_int_equal(ran, 1);
    assert_false(il_future_done(parked));
    il_event_set(&event);
    assert_int_equal(il_loop_run_until(*state, parked, LATE), 0);
    assert_int_equal(status_of(future), 0);
    assert_int_equal(status_of(parked), 0);
}

static void run_until_gives_up_at_its_deadline_and_can_go_on(void **state)
{
    il_event event = { 0 };
    il_future *future = submit_pointer(*state, await, &event);
    assert_int_equal(il_loop_run_until(*state, future, IL_NOW), -EAGAIN);
    assert_int_equal(il_loop_run_until(*state, future, SOON), -ETIMEDOUT);
    assert_int_equal(il_loop_run(*state, SOON), -ETIMEDOUT);
    il_event_set(&event);
    assert_int_equal(il_loop_run_until(*state, future, LATE), 0);
    assert_int_equal(il_loop_run_until(*state, future, IL_NOW), 0);
    assert_int_equal(status_of(future), 0);
}

static int stop_it(void *in, void *out)
{
    return il_loop_stop(*(il_executor **)in);
}

static void a_task_stops_its_loop(void **state)
{
    il_event event = { 0 };
    il_future *parked = submit_pointer(*state, await, &event);
    il_future *stopper = submit_pointer(*state, stop_it, *state);
    assert_int_equal(il_loop_run_until(*state, parked, LATE), -ECANCELED);
    assert_int_equal(status_of(stopper), 0);
    assert_int_equal(il_loop_stop(*state), 0); /* the next run ends at once */
    assert_int_equal(il_loop_run(*state, LATE), 0);
    il_event_set(&event);
    assert_int_equal(il_loop_run_until(*state, parked, LATE), 0);
    assert_int_equal(status_of(parked), 0);
}

static int stop_from_a_thread(void *in, void *out)
{
    return il_loop_stop(in);
}

static void another_thread_stops_a_loop_that_sleeps(void **state)
{
    il_thread other;
    for (int i = 0; i < 20; i++) {
        memset(&other, 0, sizeof other);
        assert_int_equal(il_thread_start(&other, stop_from_a_thread, *state, NULL, NULL), 0);
        assert_int_equal(il_loop_run(*state, LATE), 0);
        il_thread_join(&other, LATE);
    }
}

static int complete_promise(void *in, void *out)
{
    return il_promise_set(*(il_future **)in, NULL);
}

static void run_until_ends_when_another_executor_completes_the_future(void **state)
{
    il_executor *pool = pool_of(1);
    for (int i = 0; i < 20; i++) {
        il_future *promise = NULL;
        assert_int_equal(il_promise_new(0, &promise), 0);
        il_future *task = submit_pointer(pool, complete_promise, promise);
        assert_int_equal(il_loop_run_until(*state, promise, LATE), 0);
        assert_int_equal(status_of(task), 0);
        il_future_free(promise);
    }
    il_executor_free(pool);
}

static int run_it(void *in, void *out)
{
    return il_loop_run(*(il_executor **)in, IL_NOW);
}

static void a_loop_that_runs_cannot_be_run(void **state)
{
    il_executor *threaded = loop_of(NULL), *pool = pool_of(1);
    il_future *inner = submit_pointer(*state, run_it, *state);
    assert_int_equal(il_loop_run(threaded, IL_NOW), -EBUSY);
    assert_int_equal(il_loop_stop(threaded), -EINVAL);
    assert_int_equal(il_loop_run_until(*state, inner, LATE), 0);
    assert_int_equal(status_of(inner), -EBUSY);
    assert_int_equal(status_of(submit_pointer(pool, run_it, *state)), -EINVAL);
    il_executor_free(pool);
    il_executor_free(threaded);
}

static void a_call_drives_a_manual_loop(void **state)
{
    long n = 9, result = 0;
    struct sleeper slept = { .begun = false };
    assert_int_equal(il_loop_call(*state, square, &n, &result, LATE), 0);
    assert_int_equal(result, 81);
    assert_int_equal(il_loop_call(*state, sleep_for_ever, &slept, NULL, SOON), -ETIMEDOUT);
    assert_int_equal(slept.status, slept.begun ? -ECANCELED : 0);
}

static void a_manual_loop_may_be_driven_by_one_thread_after_another(void **state)
{
    il_event event = { 0 };
    il_future *parked = submit_pointer(*state, await, &event);
    for (int i = 0; i < 5; i++) {
        il_thread other;
        memset(&other, 0, sizeof other);
        assert_int_equal(il_thread_start(&other, run_it, state, NULL, NULL), 0);
        assert_int_equal(il_thread_join(&other, LATE), -EAGAIN);
        assert_int_equal(il_loop_run(*state, IL_NOW), -EAGAIN);
    }
    il_event_set(&event);
    assert_int_equal(il_loop_run_until(*state, parked, LATE), 0);
    assert_int_equal(status_of(parked), 0);
}

/* --- Closing --------------------------------------------------------------------------------- */

static void closing_a_loop_waits_for_its_tasks(void **state)
{
    il_event event = { 0 };
    il_future *parked = submit_pointer(*state, await, &event);
    int none = 0;
    assert_int_equal(il_executor_close(*state, SOON), -ETIMEDOUT);
    assert_false(il_loop_closed(*state));
    assert_int_equal(il_submit(*state, give, &none, sizeof none, 0, NULL, NULL), -ESHUTDOWN);
    il_event_set(&event);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_true(il_loop_closed(*state));
    assert_int_equal(status_of(parked), 0);
}

static void freeing_a_loop_cancels_what_waits(void **state)
{
    for (int manual = 0; manual < 2; manual++) {
        il_executor *loop = loop_of(&(il_loop_opts){ .manual = manual });
        il_event never = { 0 };
        il_future *parked = submit_pointer(loop, await, &never);
        if (manual) assert_int_equal(il_loop_run(loop, IL_NOW), -EAGAIN);
        il_executor_free(loop);
        assert_int_equal(status_of(parked), -ECANCELED);
    }
}

static int close_it(void *in, void *out)
{
    return il_executor_close(in, LATE);
}

static void a_driver_returns_when_another_thread_has_closed_the_loop(void **state)
{
    int64_t length = IL_MS(2);
    il_thread other;
    memset(&other, 0, sizeof other);
    assert_int_equal(il_submit(*state, sleep_a_little, &length, sizeof length, 0, NULL, NULL), 0);
    assert_int_equal(il_thread_start(&other, close_it, *state, NULL, NULL), 0);
    int status = il_loop_run(*state, LATE); /* unless the other drove it */
    assert_true(status == 0 || status == -EBUSY);
    assert_int_equal(il_thread_join(&other, LATE), 0);
    assert_true(il_loop_closed(*state));
}

static int close_own(void *in, void *out)
{
    return il_executor_close(*(il_executor **)in, IL_FOREVER);
}

static void a_task_cannot_close_its_loop(void **state)
{
    assert_int_equal(status_of(submit_pointer(*state, close_own, *state)), -EDEADLK);
}

/* --- What holds it --------------------------------------------------------------------------- */

/* What on_hold noted; the holder goes on when it is told of. */
struct held {
    const char *expected; /* whose hold is noted */
    char loop[32], place[200];
    il_fn *fn;
    il_time since;
    size_t depth;
    bool told;
    uv_timer_t timer;
};

static void note_hold(const il_hold *hold, void *arg)
{
    struct held *held = arg;
    if (il__load(&held->told)) return;
    /* A loop whose thread the system keeps waiting is held by nobody. TSan puts signals off, so nobody
     * may have answered. */
    if (!IL_TSAN && strcmp(hold->task, held->expected)) return;
    snprintf(held->loop, sizeof held->loop, "%s", hold->loop);
    if (hold->depth) snprintf(held->place, sizeof held->place, "%s", hold->places[0]);
    held->fn = hold->fn;
    held->since = hold->since;
    held->depth = hold->depth;
    il__store_release(&held->told, true);
}

static void hold_until_told(struct held *held)
{
    while (!il__load_acquire(&held->told)) sched_yield();
}

static int hold_loop(void *in, void *out)
{
    hold_until_told(*(struct held **)in);
    return 0;
}

static void hold_in_callback(uv_timer_t *timer)
{
    hold_until_told(timer->data);
}

static int start_holding_timer(void *in, void *out)
{
    struct held *held = in;
    uv_timer_init(il_loop_uv(il_loop_here()), &held->timer);
    held->timer.data = held;
    return uv_timer_start(&held->timer, hold_in_callback, 0, 0);
}

static void assert_told(const struct held *held)
{
    assert_string_equal(held->loop, "watched");
    assert_true(held->since > 0 && held->since < il_now());
    if (IL_TSAN) return;
    assert_true(held->depth >= 1);
    assert_true(held->place[0]);
}

static void what_holds_a_loop_is_told_while_it_does(void **state)
{
    for (int manual = 0; manual < 2; manual++) {
        struct held held = { .expected = "brute" }, *pointer = &held;
        il_loop_info info;
        il_executor *loop = loop_of(&(il_loop_opts){
            .name = "watched",
            .manual = manual,
            .hold_limit = IL_MS(2),
            .on_hold = note_hold,
            .arg = &held,
        });
        il_future *future = NULL;
        assert_int_equal(il_submit(loop, hold_loop, &pointer, sizeof pointer, 0,
                                   &(il_task_opts){ .name = "brute" }, &future),
                         0);
        if (manual) assert_int_equal(il_loop_run_until(loop, future, LATE), 0);
        assert_int_equal(status_of(future), 0);
        assert_told(&held);
        if (!IL_TSAN) assert_ptr_equal(held.fn, hold_loop);
        do assert_int_equal(il_loop_describe(loop, &info), 0);
        while (info.longest < IL_MS(2)); /* it is on its way to look */
        assert_true(info.holds >= 1);
        il_executor_free(loop);
    }
}

static void a_callback_that_holds_a_loop_is_told(void **state)
{
    struct held held = { .expected = "callback" };
    il_executor *loop = loop_of(&(il_loop_opts){
        .name = "watched",
        .hold_limit = IL_MS(2),
        .on_hold = note_hold,
        .arg = &held,
    });
    assert_int_equal(il_loop_call(loop, start_holding_timer, &held, NULL, LATE), 0);
    until_true(&held.told);
    assert_told(&held);
    assert_null(held.fn);
    il_executor_free(loop);
}

/* Whether the loop's thread was held by the system we cannot tell; but hardly in each of 50 sleeps. */
static void a_loop_that_sleeps_holds_nobody(void **state)
{
    enum { SLEEPS = 50 };
    il_loop_info info = { .holds = 0 };
    int64_t length = IL_MS(20);
    uint64_t looks = 0, before;
    int sleeps = 0;
    il_executor *loop = loop_of(&(il_loop_opts){ .hold_limit = IL_MS(10) });
    do {
        before = info.holds;
        assert_int_equal(il_loop_call(loop, sleep_a_little, &length, NULL, LATE), 0);
        assert_int_equal(il_loop_describe(loop, &info), 0);
    } while (info.holds != before && ++sleeps < SLEEPS);
    assert_true(sleeps < SLEEPS);
    for (int i = 0; i < IL_LAGS; i++) looks += info.lag[i];
    assert_true(info.rounds >= 1 && looks >= 1);
    il_executor_free(loop);
}

/* --- In the child of a fork ------------------------------------------------------------------ */

static int in_the_child(il_executor *loop)
{
    long n = 3;
    if (il_submit(loop, square, &n, sizeof n, sizeof n, NULL, NULL) != -ESHUTDOWN) return 1;
    if (il_loop_run(loop, IL_NOW) != -EINVAL) return 2;
    if (il_loop_uv(loop)) return 3;
    if (IL_TSAN) return 0; /* it has lost its fibers, and allows no further ones */
    il_executor_free(loop);
    il_executor *own = NULL;
    if (il_loop_new(NULL, &own)) return 4;
    if (il_loop_call(own, square, &n, &n, LATE) || n != 9) return 5;
    il_executor_free(own);
    return 0;
}

static void a_child_of_a_fork_lets_go_of_a_loop_and_makes_its_own(void **state)
{
    if (getenv("IL_RUNNER")) skip(); /* QEMU starts no threads in such a child */
    struct watched watched = { .ends = { -1, -1 } };
    int ended = -1;
    assert_int_equal(il_loop_call(*state, watch_pipe, &watched, NULL, LATE), 0);
    fflush(NULL);
    pid_t child = fork();
    if (!child) _exit(in_the_child(*state));
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFEXITED(ended));
    assert_int_equal(WEXITSTATUS(ended), 0);
    /* What the parent's watches is still watched. */
    assert_int_equal(write(watched.ends[1], "x", 1), 1);
    assert_int_equal(il_event_wait_until(&watched.event, LATE), 0);
    assert_int_equal(il_loop_call(*state, unwatch_pipe, &watched, NULL, LATE), 0);
}

/* --- Others ---------------------------------------------------------------------------------- */

static int run_true(void *in, void *out)
{
    il_process *process = NULL;
    il_exit end;
    int status = il_process_start((const char *[]){ "sh", "-c", "exit 7", NULL }, NULL, &process);
    if (!status) status = il_process_wait(process, LATE, &end);
    if (!status) *(int *)out = end.code;
    il_process_free(process);
    return status;
}

static void a_task_of_a_loop_waits_for_a_process(void **state)
{
    if (getenv("IL_RUNNER")) skip(); /* QEMU runs nothing that clones with its memory */
    int code = 0;
    assert_int_equal(il_loop_call(*state, run_true, NULL, &code, LATE), 0);
    assert_int_equal(code, 7);
}

struct mixed {
    il_executor *pool;
    il_chan *chan;
    int sum;
};

static int give_a_number(void *in, void *out)
{
    *(long *)out = 5;
    return 0;
}

static int send_a_number(void *in, void *out)
{
    int number = 6;
    return il_chan_send(in, &number, LATE);
}

/* A future of a pool, a channel that a pool's task sends to, and time, in one select. */
static int select_from_a_loop(void *in, void *out)
{
    struct mixed *mixed = in;
    il_future *future = NULL;
    int got = 0,
        status = il_submit(mixed->pool, give_a_number, NULL, 0, sizeof(long), NULL, &future);
    bool done = false, received = false;
    il_scope *scope = NULL;
    if (!status) status = il_scope_open(&(il_scope_opts){ .executor = mixed->pool }, &scope);
    if (!status) status = il_go(scope, send_a_number, mixed->chan, NULL);
    while (!status && !(done && received)) {
        il_case cases[] = {
            IL_WHEN(!done, IL_DONE(future)),
            IL_WHEN(!received, IL_RECV(mixed->chan, &got)),
            IL_AT(LATE),
        };
        size_t which = 9;
        status = il_select(cases, 3, IL_FOREVER, &which);
        if (!status && which == 2) status = -ETIMEDOUT;
        done |= which == 0;
        received |= which == 1;
    }
    long number = 0;
    if (!status) status = il_future_get(future, IL_NOW, &number);
    int ended = il_scope_close(scope);
    mixed->sum = got + (int)number;
    il_future_free(future);
    return status ? status : ended;
}

static void a_task_of_a_loop_selects_over_what_a_pool_does(void **state)
{
    struct mixed mixed = { .pool = pool_of(2) };
    assert_int_equal(il_chan_new(sizeof(int), NULL, &mixed.chan), 0);
    assert_int_equal(il_loop_call(*state, select_from_a_loop, &mixed, NULL, LATE), 0);
    assert_int_equal(mixed.sum, 11);
    il_chan_free(mixed.chan);
    il_executor_free(mixed.pool);
}

static void several_loops_run_beside_each_other(void **state)
{
    enum { LOOPS = 4, ROUNDS = 50 };
    il_executor *loops[LOOPS];
    for (int i = 0; i < LOOPS; i++) loops[i] = loop_of(NULL);
    for (int i = 0; i < ROUNDS; i++) {
        il_executor *where = NULL;
        assert_int_equal(il_loop_call(loops[i % LOOPS], say_where, NULL, &where, LATE), 0);
        assert_ptr_equal(where, loops[i % LOOPS]);
    }
    for (int i = 0; i < LOOPS; i++) il_executor_free(loops[i]);
}

int main(int argc, char **argv)
{
    static const struct body bodies[] = {
        { "wait_in_a_callback", wait_in_a_callback },
        { NULL, NULL },
    };
    run_body_if_asked(argc, argv, bodies);
    const struct CMUnitTest tests[] = {
        ON_LOOP(a_task_of_a_loop_knows_the_loop),
        ON_LOOP(a_loop_has_one_worker_and_says_that_it_is_a_loop),
        ON_LOOP(a_task_of_a_pool_calls_a_loop_and_a_task_of_a_loop_itself),
        ON_LOOP(a_call_that_is_late_is_cancelled_and_its_end_waited_for),
        ON_LOOP(a_call_of_what_is_no_loop_is_einval),
        ON_LOOP(tasks_sleep_at_the_same_time_and_none_too_short),
        ON_LOOP(all_items_of_a_map_wait_at_the_same_time),
        cmocka_unit_test(a_map_on_threads_has_as_many_under_way_as_it_says),
        ON_LOOP(a_callback_wakes_a_thread_and_knows_its_loop),
        ON_LOOP(a_callback_of_a_uv_timer_wakes_a_task_before_the_loop_sleeps),
        MANUAL(a_callback_of_a_uv_timer_wakes_a_task_before_the_loop_sleeps),
        ON_LOOP(a_busy_loop_sees_its_descriptors),
        ON_LOOP(a_callback_may_lock_what_another_thread_holds),
        cmocka_unit_test(a_callback_that_waits_is_told),
        cmocka_unit_test(handles_left_open_are_closed_with_the_loop),
        MANUAL(a_manual_loop_runs_what_is_ready_and_no_more),
        MANUAL(run_until_gives_up_at_its_deadline_and_can_go_on),
        MANUAL(a_task_stops_its_loop),
        MANUAL(another_thread_stops_a_loop_that_sleeps),
        MANUAL(run_until_ends_when_another_executor_completes_the_future),
        MANUAL(a_loop_that_runs_cannot_be_run),
        MANUAL(a_call_drives_a_manual_loop),
        MANUAL(a_manual_loop_may_be_driven_by_one_thread_after_another),
        ON_LOOP(closing_a_loop_waits_for_its_tasks),
        MANUAL(closing_a_loop_waits_for_its_tasks),
        cmocka_unit_test(freeing_a_loop_cancels_what_waits),
        MANUAL(a_driver_returns_when_another_thread_has_closed_the_loop),
        ON_LOOP(a_task_cannot_close_its_loop),
        cmocka_unit_test(what_holds_a_loop_is_told_while_it_does),
        cmocka_unit_test(a_callback_that_holds_a_loop_is_told),
        cmocka_unit_test(a_loop_that_sleeps_holds_nobody),
        ON_LOOP(a_child_of_a_fork_lets_go_of_a_loop_and_makes_its_own),
        ON_LOOP(a_task_of_a_loop_waits_for_a_process),
        ON_LOOP(a_task_of_a_loop_selects_over_what_a_pool_does),
        cmocka_unit_test(several_loops_run_beside_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
