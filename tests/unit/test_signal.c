/* SPDX-License-Identifier: MIT */
/* Signals: waited for, called back, and Ctrl-C as a cancellation. */

#include <interlock/signal.h>

#include "work.h"

static il_executor *loop_of(void)
{
    il_executor *loop = NULL;
    assert_int_equal(il_loop_new(NULL, &loop), 0);
    return loop;
}

static int wait_for_one(void *in, void *out)
{
    return il_signal_wait(in, LATE, out);
}

static void a_task_and_a_thread_wait_for_signals_in_their_order(void **state)
{
    il_signal *signal = NULL;
    int number = 0, numbers[] = { SIGUSR1, SIGUSR2 };
    assert_int_equal(il_signal_open(*state, numbers, 2, &signal), 0);
    assert_int_equal(il_signal_wait(signal, IL_NOW, &number), -EAGAIN);
    assert_int_equal(il_signal_wait(signal, SOON, &number), -ETIMEDOUT);
    assert_int_equal(raise(SIGUSR2), 0);
    assert_int_equal(il_loop_call(*state, wait_for_one, signal, &number, LATE), 0);
    assert_int_equal(number, SIGUSR2);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(il_signal_wait(signal, LATE, &number), 0);
    assert_int_equal(number, SIGUSR1);
    il_signal_free(signal);
}

static void each_who_opened_a_signal_gets_it(void **state)
{
    il_signal *first = NULL, *second = NULL;
    il_executor *other = loop_of();
    int number = 0, usr1 = SIGUSR1;
    assert_int_equal(il_signal_open(*state, &usr1, 1, &first), 0);
    assert_int_equal(il_signal_open(other, &usr1, 1, &second), 0);
    raise(SIGUSR1);
    assert_int_equal(il_signal_wait(first, LATE, &number), 0);
    assert_int_equal(il_signal_wait(second, LATE, &number), 0);
    il_signal_free(first);
    il_signal_free(second);
    il_executor_free(other);
}

static void a_signal_can_be_selected(void **state)
{
    il_signal *signal = NULL;
    il_event event = { 0 };
    int number = 0, usr1 = SIGUSR1;
    size_t which = 9;
    assert_int_equal(il_signal_open(*state, &usr1, 1, &signal), 0);
    raise(SIGUSR1);
    il_case cases[] = { IL_SET(&event), IL_RECV(il_signal_chan(signal), &number) };
    assert_int_equal(il_select(cases, 2, LATE, &which), 0);
    assert_int_equal(which, 1);
    assert_int_equal(number, SIGUSR1);
    il_signal_free(signal);
}

struct called {
    int number;
    il_executor *here;
    il_event event;
};

static void note_signal(int number, void *arg)
{
    struct called *called = arg;
    called->number = number;
    called->here = il_loop_here();
    il_event_set(&called->event);
}

static void a_callback_is_called_on_the_loop(void **state)
{
    il_signal *signal = NULL;
    struct called called = { 0 };
    int number, usr1 = SIGUSR1;
    assert_int_equal(il_signal_on(*state, &usr1, 1, note_signal, &called, &signal), 0);
    raise(SIGUSR1);
    assert_int_equal(il_event_wait_until(&called.event, LATE), 0);
    assert_int_equal(called.number, SIGUSR1);
    assert_ptr_equal(called.here, *state);
    assert_int_equal(il_signal_wait(signal, IL_NOW, &number), -EPIPE);
    assert_null(il_signal_chan(signal));
    il_signal_free(signal);
}

static void what_cannot_be_caught_is_einval(void **state)
{
    il_signal *signal = NULL;
    int numbers[] = { SIGUSR1, SIGKILL };
    il_executor *pool = pool_of(1);
    assert_int_equal(il_signal_open(*state, numbers, 2, &signal), -EINVAL);
    assert_int_equal(il_signal_open(*state, numbers, 0, &signal), -EINVAL);
    assert_int_equal(il_signal_open(pool, numbers, 1, &signal), -EINVAL);
    assert_null(signal);
    il_executor_free(pool);
}

static void a_signal_is_freed_after_its_loop_was_closed(void **state)
{
    il_signal *signal = NULL;
    int usr1 = SIGUSR1;
    assert_int_equal(il_signal_open(*state, &usr1, 1, &signal), 0);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    il_signal_free(signal);
}

static void an_interrupt_cancels_the_tasks_of_the_loop(void **state)
{
    il_signal *signal = NULL, *second = NULL;
    il_event never = { 0 };
    il_future *future = submit_pointer(*state, await, &never);
    assert_int_equal(il_signal_interrupt(*state, NULL, &signal), 0);
    assert_int_equal(il_signal_interrupt(*state, NULL, &second), -EBUSY);
    raise(SIGINT);
    assert_int_equal(status_of(future), -ECANCELED);
    il_signal_free(signal);
    assert_int_equal(il_signal_interrupt(*state, NULL, &signal), 0);
    il_signal_free(signal);
}

static void an_interrupt_cancels_a_scope(void **state)
{
    il_signal *signal = NULL;
    il_scope *scope = NULL;
    il_event never = { 0 }, *pointer = &never;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    assert_int_equal(il_go(scope, await, &pointer, NULL), 0);
    assert_int_equal(il_signal_interrupt(*state, scope, &signal), 0);
    raise(SIGTERM);
    assert_int_equal(il_scope_close(scope), -ECANCELED);
    il_signal_free(signal);
}

static int hold_the_loop(void *in, void *out)
{
    for (;;) sched_yield();
    return 0;
}

/* The first one nobody reads, as the loop is held; the second ends it. */
static int interrupt_twice(void)
{
    il_executor *loop = NULL;
    il_signal *signal = NULL;
    il_loop_new(NULL, &loop);
    if (il_signal_interrupt(loop, NULL, &signal)) return 1;
    il_submit(loop, hold_the_loop, NULL, 0, 0, NULL, NULL);
    for (;;) kill(getpid(), SIGINT);
}

static void a_second_interrupt_ends_the_process_though_the_loop_is_held(void **state)
{
    char words[1000];
    assert_int_equal(in_child("interrupt_twice", words, sizeof words), 256 + SIGINT);
}

int main(int argc, char **argv)
{
    static const struct body bodies[] = {
        { "interrupt_twice", interrupt_twice },
        { NULL, NULL },
    };
    run_body_if_asked(argc, argv, bodies);
    const struct CMUnitTest tests[] = {
        A_LOOP(a_task_and_a_thread_wait_for_signals_in_their_order),
        A_LOOP(each_who_opened_a_signal_gets_it),
        A_LOOP(a_signal_can_be_selected),
        A_LOOP(a_callback_is_called_on_the_loop),
        A_LOOP(what_cannot_be_caught_is_einval),
        A_LOOP(a_signal_is_freed_after_its_loop_was_closed),
        A_LOOP(an_interrupt_cancels_the_tasks_of_the_loop),
        A_LOOP(an_interrupt_cancels_a_scope),
        cmocka_unit_test(a_second_interrupt_ends_the_process_though_the_loop_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
