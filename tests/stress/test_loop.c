/* SPDX-License-Identifier: MIT */
/*
 * A loop that falls asleep while others have something for it: tasks, events that its tasks wait for,
 * posts, timers earlier than all it knows. Each is a store and a look on either side, so there are many,
 * each at a moment of its own. A wake-up that is lost is a wait that never ends.
 */

#include "chaos.h"

#include "loop/loop.h"

enum { THREADS_OUTSIDE = 4 };

/* Some nanoseconds, or as long as the loop takes to fall asleep. */
static void spend_some(uint64_t *random)
{
    static const unsigned longest[] = { 1, 50, 500, 20000 };
    for (volatile unsigned i = below(random, longest[below(random, 4)]); i; i--) continue;
}

struct caller {
    il_executor *loop;
    uint64_t random;
    long strange;
};

static int add_one(void *in, void *out)
{
    ++*(long *)in;
    return 0;
}

static void visit(void *arg)
{
    ++*(long *)arg;
}

static int called_back(const il_beat *beat, void *arg)
{
    il_event_set(arg);
    return 0;
}

static int wait_for_event(void *in, void *out)
{
    return il_event_wait_until(in, LATE);
}

/* A task waits on the loop, and is woken from here. */
static int wake_a_task(struct caller *caller)
{
    il_event event = { 0 };
    il_scope *scope = NULL;
    int status = il_scope_open(&(il_scope_opts){ .executor = caller->loop }, &scope);
    if (status) return status;
    status = il_go(scope, wait_for_event, &event, NULL);
    spend_some(&caller->random);
    il_event_set(&event);
    int ended = il_scope_close(scope);
    return status ? status : ended;
}

/* A timer that is the loop's first, and maybe freed before it was called. */
static int be_called(struct caller *caller)
{
    il_event event = { 0 };
    il_timer *timer = NULL;
    int64_t period = below(&caller->random, 2) ? IL_US(1 + below(&caller->random, 50)) : 0;
    il_time due = il_after(IL_US(below(&caller->random, 100)));
    int status = il_timer_start(caller->loop, due, period, called_back, &event, &timer);
    if (!status && below(&caller->random, 4)) status = il_event_wait_until(&event, LATE);
    if (!below(&caller->random, 4)) il_timer_stop(timer);
    il_timer_free(timer);
    return status;
}

static int call_often(void *in, void *out)
{
    struct caller *caller = in;
    for (long i = 0; i < rounds; i++) {
        long sum = 0;
        int status = 0;
        spend_some(&caller->random);
        switch (below(&caller->random, 5)) {
        case 0: status = il_loop_call(caller->loop, add_one, &sum, NULL, LATE); break;
        case 1: il__loop_visit(il__loop_of(caller->loop), visit, &sum); break;
        case 2: status = wake_a_task(caller), sum = 1; break;
        case 3: status = be_called(caller), sum = 1; break;
        default: status = il_sleep(il_after(IL_US(below(&caller->random, 30)))), sum = 1;
        }
        caller->strange += status != 0 || sum != 1;
    }
    count_uses(rounds);
    return 0;
}

/* The callers are threads of several kinds, or fibers of one worker or two, or fibers of the loop. */
static void call_from_many(void **state, il_executor *loop)
{
    struct caller callers[THREADS_OUTSIDE];
    struct crew crew;
    long strange = 0;
    crew_open(&crew, state);
    for (int i = 0; i < THREADS_OUTSIDE; i++) {
        callers[i] = (struct caller){ .loop = loop, .random = seed + (uint64_t)i };
        crew_add(&crew, call_often, &callers[i]);
    }
    assert_int_equal(crew_join(&crew), 0);
    for (int i = 0; i < THREADS_OUTSIDE; i++) strange += callers[i].strange;
    assert_int_equal(strange, 0);
}

static void no_wake_up_of_a_loop_is_lost(void **state)
{
    il_executor *loop = NULL;
    assert_int_equal(il_loop_new(NULL, &loop), 0);
    call_from_many(state, loop);
    il_executor_free(loop);
}

static int drive_it(void *in, void *out)
{
    int status;
    while ((status = il_loop_run(in, SOON)) == -ETIMEDOUT) continue;
    return status;
}

static void no_wake_up_of_a_loop_that_is_driven_is_lost(void **state)
{
    il_executor *loop = NULL;
    il_thread driver;
    memset(&driver, 0, sizeof driver);
    assert_int_equal(il_loop_new(&(il_loop_opts){ .manual = true }, &loop), 0);
    assert_int_equal(il_thread_start(&driver, drive_it, loop, NULL, NULL), 0);
    call_from_many(state, loop);
    il_loop_stop(loop);
    assert_int_equal(il_thread_join(&driver, LATE), 0);
    il_executor_free(loop);
}

static void fibers_of_a_loop_call_it_and_each_other(void **state)
{
    il_executor *loop = NULL;
    struct caller callers[THREADS_OUTSIDE];
    il_scope *scope = NULL;
    long strange = 0;
    assert_int_equal(il_loop_new(NULL, &loop), 0);
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = loop }, &scope), 0);
    for (int i = 0; i < THREADS_OUTSIDE; i++) {
        callers[i] = (struct caller){ .loop = loop, .random = seed * 3 + (uint64_t)i };
        assert_int_equal(il_go(scope, call_often, &callers[i], NULL), 0);
    }
    assert_int_equal(il_scope_close(scope), 0);
    for (int i = 0; i < THREADS_OUTSIDE; i++) strange += callers[i].strange;
    assert_int_equal(strange, 0);
    il_executor_free(loop);
}

/* Loops that come and go while others still leave them. */
static void loops_come_and_go(void **state)
{
    for (long i = 0; i < 20 + rounds / 50; i++) {
        il_executor *loop = NULL;
        struct caller caller = { .random = seed + (uint64_t)i };
        assert_int_equal(il_loop_new(NULL, &caller.loop), 0);
        loop = caller.loop;
        assert_int_equal(wake_a_task(&caller), 0);
        assert_int_equal(be_called(&caller), 0);
        if (i % 2) assert_int_equal(il_executor_close(loop, LATE), 0);
        il_executor_free(loop);
    }
}

int main(void)
{
    read_environment(IL_TSAN || IL_ASAN ? 300 : 1000);
    const struct CMUnitTest tests[] = {
        EACH_CREW_BOTH(no_wake_up_of_a_loop_is_lost),
        EACH_CREW(no_wake_up_of_a_loop_that_is_driven_is_lost),
        BOTH(fibers_of_a_loop_call_it_and_each_other),
        cmocka_unit_test(loops_come_and_go),
    };
    return RUN(tests);
}
