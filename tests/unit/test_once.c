/* SPDX-License-Identifier: MIT */
/* Claims about il_once. */

#include "check.h"

#include <interlock/event.h>
#include <interlock/once.h>

enum { MEMBERS = 5 };

struct table {
    il_once once;
    il_event go;                 /* let the runner go on */
    int fails;                   /* so many runs fail; plain: only one runs at a time */
    int runs, inside, succeeded; /* atomic */
};

static int load(void *arg)
{
    struct table *table = arg;
    if (il__add(&table->inside, 1)) return -EINVAL; /* two at a time: a bug */
    il__add(&table->runs, 1);
    il_event_wait(&table->go);
    il__sub(&table->inside, 1);
    if (table->fails) {
        table->fails--;
        return -EIO;
    }
    return 0;
}

static int run(void *table, il_time until)
{
    return il_once_run_until(&((struct table *)table)->once, load, table, until);
}

static int use(void *in, void *out)
{
    (void)out;
    struct table *table = in;
    int status = il_once_run(&table->once, load, table);
    if (!status) il__add(&table->succeeded, 1);
    return status && status != -EIO;
}

static void it_is_run_once(void **state)
{
    (void)state;
    struct table table = { 0 };
    il_event_set(&table.go);
    assert_false(il_once_done(&table.once));
    assert_int_equal(il_once_run(&table.once, load, &table), 0);
    assert_true(il_once_done(&table.once));
    assert_int_equal(il_once_run(&table.once, load, &table), 0);
    assert_int_equal(run(&table, IL_NOW), 0);
    assert_int_equal(table.runs, 1);
}

static void all_wait_for_the_one_that_runs_it(void **state)
{
    struct table table = { 0 };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, use, &table);
    until_waiting(&table.once.gate, MEMBERS - 1);
    bool done = il_once_done(&table.once);
    il_event_set(&table.go);
    assert_int_equal(crew_join(&crew), 0);
    assert_false(done);
    assert_int_equal(table.runs, 1);
    assert_int_equal(table.succeeded, MEMBERS);
}

struct notes {
    il_once once;
    long written; /* plain: by the runner */
};

static int write_it(void *arg)
{
    ((struct notes *)arg)->written = 42;
    return 0;
}

static int find_it_done(void *in, void *out)
{
    (void)out;
    struct notes *notes = in;
    while (!il_once_done(&notes->once)) sched_yield();
    return notes->written == 42 ? 0 : 1;
}

static void who_finds_it_done_sees_what_was_done(void **state)
{
    (void)state;
    struct notes notes = { .written = 0 };
    struct crew crew;
    crew_open(&crew, NULL);
    crew_add(&crew, find_it_done, &notes);
    int status = il_once_run(&notes.once, write_it, &notes);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(status, 0);
}

static void failure_is_returned_and_the_next_caller_tries_again(void **state)
{
    (void)state;
    struct table table = { .fails = 1 };
    il_event_set(&table.go);
    assert_int_equal(il_once_run(&table.once, load, &table), -EIO);
    assert_false(il_once_done(&table.once));
    assert_int_equal(il_once_run(&table.once, load, &table), 0);
    assert_int_equal(table.runs, 2);
}

static void after_a_failure_one_of_those_who_wait_tries_again(void **state)
{
    struct table table = { .fails = 2 };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, use, &table);
    until_waiting(&table.once.gate, MEMBERS - 1);
    il_event_set(&table.go);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(table.runs, 3);
    assert_int_equal(table.succeeded, MEMBERS - 2);
    assert_true(il_once_done(&table.once));
}

static void runner_is_waited_for_until_the_deadline_or_a_cancel(void **state)
{
    struct table table = { 0 };
    struct crew runner;
    crew_open(&runner, state);
    crew_add(&runner, use, &table);
    until_waiting(&table.go.gate, 1);
    assert_gives_up(state, run, &table);
    int status = status_when_cancelled(state, run, &table, &table.once.gate);
    il_event_set(&table.go);
    assert_int_equal(crew_join(&runner), 0);
    assert_int_equal(status, -ECANCELED);
    assert_int_equal(table.runs, 1);
}

struct loop {
    il_once once;
    int inner, inner_now;
};

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int run_again(void *arg)
{
    struct loop *loop = arg;
    loop->inner = il_once_run(&loop->once, nothing, NULL);
    loop->inner_now = il_once_run_until(&loop->once, nothing, NULL, IL_NOW);
    return 0;
}

static void from_inside_itself_it_returns_edeadlk(void **state)
{
    (void)state;
    struct loop loop = { 0 };
    assert_int_equal(il_once_run(&loop.once, run_again, &loop), 0);
    assert_int_equal(loop.inner, -EDEADLK);
    assert_int_equal(loop.inner_now, -EDEADLK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_run_once),
        cmocka_unit_test(who_finds_it_done_sees_what_was_done),
        EACH_CREW(all_wait_for_the_one_that_runs_it),
        cmocka_unit_test(failure_is_returned_and_the_next_caller_tries_again),
        EACH_CREW(after_a_failure_one_of_those_who_wait_tries_again),
        EACH_CREW(runner_is_waited_for_until_the_deadline_or_a_cancel),
        cmocka_unit_test(from_inside_itself_it_returns_edeadlk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
