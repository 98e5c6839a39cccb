/* SPDX-License-Identifier: MIT */
/* Futures: getting, cancelling, callbacks, chains, failures that nobody looked at. */

#include "task/future.h"
#include "work.h"

/* --- Getting --------------------------------------------------------------------------------- */

static void get_may_be_called_again(void **state)
{
    long n = 3, result = 0;
    il_future *future = NULL;
    assert_int_equal(il_submit(*state, square, &n, sizeof n, sizeof n, NULL, &future), 0);
    for (int i = 0; i < 3; i++) {
        result = 0;
        assert_int_equal(il_future_get(future, LATE, &result), 0);
        assert_int_equal(result, 9);
    }
    assert_int_equal(il_future_get(future, LATE, NULL), 0);
    assert_null(il_future_error(future));
    il_future_free(future);
}

static int get(void *future, il_time until)
{
    return il_future_get(future, until, NULL);
}

static int get_as_asked(void *future, void *out)
{
    return waits_and_gives_up(get, future);
}

static void get_gives_up_at_its_deadline_or_when_cancelled(void **state)
{
    il_future *promise = NULL;
    struct crew crew;
    assert_int_equal(il_promise_new(0, &promise), 0);
    crew_open(&crew, state);
    crew_add(&crew, get_as_asked, promise);
    assert_int_equal(crew_join(&crew), 0);
    assert_false(il_future_done(promise));
    assert_null(il_future_error(promise));
    il_future_free(promise);
}

static void a_cancelled_get_leaves_the_future_alone(void **state)
{
    il_future *promise = NULL;
    assert_int_equal(il_promise_new(0, &promise), 0);
    assert_int_equal(status_when_cancelled(state, get, promise, &((il_future *)promise)->gate),
                     -ECANCELED);
    assert_int_equal(il_promise_set(promise, NULL), 0);
    assert_int_equal(status_of(promise), 0);
}

static int get_forever(void *future, void *out)
{
    return il_future_get(future, LATE, NULL);
}

static void many_may_get_one_future(void **state)
{
    enum { GETTERS = 10 };
    il_future *promise = NULL;
    struct crew crew;
    assert_int_equal(il_promise_new(0, &promise), 0);
    crew_open(&crew, state);
    for (int i = 0; i < GETTERS; i++) crew_add(&crew, get_forever, promise);
    until_waiting(&promise->gate, GETTERS);
    assert_int_equal(il_promise_set(promise, NULL), 0);
    assert_int_equal(crew_join(&crew), 0);
    il_future_free(promise);
}

struct selfish {
    il_event knows;
    il_future *own;
};

static int get_own(void *in, void *out)
{
    struct selfish *self = *(struct selfish **)in;
    il_event_wait(&self->knows);
    return il_future_get(self->own, LATE, NULL);
}

static void a_task_that_waits_for_itself_gets_edeadlk(void **state)
{
    struct selfish self = { .own = NULL };
    self.own = submit_pointer(*state, get_own, &self);
    il_event_set(&self.knows);
    assert_int_equal(status_of(self.own), -EDEADLK);
}

static int get_in_place(void *in, void *out)
{
    return il_future_get(*(il_future **)in, LATE, NULL);
}

static int get_own_further_inside(void *in, void *out)
{
    struct selfish *self = *(struct selfish **)in;
    il_executor *here = NULL;
    il_event_wait(&self->knows);
    int status = il_inline_new(&here);
    if (status) return status;
    il_future *inner = NULL;
    status = il_submit(here, get_in_place, &self->own, sizeof self->own, 0, NULL, &inner);
    if (!status) status = il_future_get(inner, LATE, NULL);
    il_future_free(inner);
    il_executor_free(here);
    return status;
}

static void a_task_in_place_that_waits_for_the_one_around_it_gets_edeadlk(void **state)
{
    struct selfish self = { .own = NULL };
    self.own = submit_pointer(*state, get_own_further_inside, &self);
    il_event_set(&self.knows);
    assert_int_equal(status_of(self.own), -EDEADLK);
}

static void a_future_may_be_freed_before_it_is_done(void **state)
{
    il_event go_on = { 0 };
    int ran = 0;
    il_future_free(submit_pointer(*state, await, &go_on));
    il_future_free(submit_pointer(*state, count, &ran));
    il_event_set(&go_on);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(ran, 1);
}

static void free_null_is_fine(void **state)
{
    il_future_free(NULL);
    il_promise_drop(NULL);
}

/* --- Cancelling ------------------------------------------------------------------------------ */

static void a_task_cancelled_while_pending_never_runs(void **state)
{
    struct occupation job;
    int ran = 0;
    il_future *busy = occupy_worker(*state, &job);
    il_future *future = submit_pointer(*state, count, &ran);

    assert_int_equal(il_future_cancel(future), 0);
    assert_true(il_future_done(future)); /* at once */
    assert_int_equal(il_future_cancel(future), -EALREADY);
    assert_int_equal(il_future_get(future, IL_NOW, NULL), -ECANCELED);
    assert_non_null(il_future_error(future));

    release_worker(&job, busy);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(ran, 0);
    il_future_free(future);
}

static void cancel_ends_the_wait_of_a_running_task(void **state)
{
    il_event never = { 0 };
    il_future *future = submit_pointer(*state, await, &never);
    until_waiting(&never.gate, 1);
    assert_int_equal(il_future_cancel(future), 0);
    assert_int_equal(status_of(future), -ECANCELED);
}

struct obedient {
    bool begun;
    int status;
};

static int obey(void *in, void *out)
{
    struct obedient *self = *(struct obedient **)in;
    il__store_release(&self->begun, true);
    while (!il_cancelled()) sched_yield();
    return self->status;
}

static int status_of_obedient(il_executor *pool, int status)
{
    struct obedient self = { .status = status };
    il_future *future = submit_pointer(pool, obey, &self);
    until_true(&self.begun);
    assert_int_equal(il_future_cancel(future), 0);
    return status_of(future);
}

static void a_cancelled_task_sees_it_and_may_succeed_all_the_same(void **state)
{
    assert_int_equal(status_of_obedient(*state, 0), 0);
}

static void any_failure_of_a_cancelled_task_is_ecanceled(void **state)
{
    assert_int_equal(status_of_obedient(*state, -EIO), -ECANCELED);
    assert_int_equal(status_of_obedient(*state, -ECANCELED), -ECANCELED);
}

static int wait_in_place(void *in, void *out)
{
    il_executor *here = NULL;
    il_future *inner = NULL;
    int status = il_inline_new(&here);
    if (status) return status;
    status = il_submit(here, await, in, sizeof(il_event *), 0, NULL, &inner);
    if (!status) status = il_future_get(inner, IL_NOW, NULL);
    il_future_free(inner);
    il_executor_free(here);
    return status;
}

static void cancel_ends_the_wait_of_a_task_in_place_inside(void **state)
{
    il_event never = { 0 };
    il_future *future = submit_pointer(*state, wait_in_place, &never);
    until_waiting(&never.gate, 1);
    assert_int_equal(il_future_cancel(future), 0);
    assert_int_equal(status_of(future), -ECANCELED);
}

static void cancelling_one_that_is_done_is_ealready(void **state)
{
    int ran = 0;
    il_future *future = submit_pointer(*state, count, &ran);
    assert_int_equal(il_future_get(future, LATE, NULL), 0);
    assert_int_equal(il_future_cancel(future), -EALREADY);
    assert_int_equal(status_of(future), 0);
}

static int start_and_wait_for_another(void *in, void *out)
{
    il_event *never = *(il_event **)in;
    il_future *inner = NULL;
    il_executor *here = (il_executor *)il__self()->executor;
    int status = il_submit(here, await, &never, sizeof never, 0, NULL, &inner);
    if (status) return status;
    status = il_future_get(inner, LATE, NULL);
    il_future_cancel(inner);
    il_future_free(inner);
    return status;
}

static void cancel_ends_the_wait_for_another_task(void **state)
{
    static il_event never; /* the other task waits for it until the pool is freed */
    il_future *future = submit_pointer(*state, start_and_wait_for_another, &never);
    until_waiting(&never.gate, 1);
    assert_int_equal(il_future_cancel(future), 0);
    assert_int_equal(status_of(future), -ECANCELED);
}

static int cancel_beside(void *in, void *out)
{
    il_future *future = in;
    int status = il_future_cancel(future);
    il_future_free(future);
    return status && status != -EALREADY ? status : 0;
}

/* Whatever wins, it is done once, and whoever waits learns of it. */
static void cancel_races_with_the_start_and_one_wins(void **state)
{
    for (int round = 0; round < 500; round++) {
        int ran = 0;
        struct crew crew;
        il_future *future = submit_pointer(*state, count, &ran);
        crew_open(&crew, NULL);
        crew_add(&crew, cancel_beside, il_future_ref(future));
        int status = il_future_get(future, LATE, NULL);
        assert_int_equal(crew_join(&crew), 0);
        assert_true(status == 0 || status == -ECANCELED);
        assert_int_equal(ran, status == 0);
        il_future_free(future);
    }
}

/* The canceller is not of the scope, and the scope may be closed under its hands. */
static void cancel_from_outside_races_with_the_end_of_the_scope(void **state)
{
    for (int round = 0; round < 500; round++) {
        int ran = 0;
        struct crew crew;
        il_scope *scope = NULL;
        assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
        il_future *future = submit_pointer(*state, count, &ran);
        crew_open(&crew, NULL);
        crew_add(&crew, cancel_beside, future);
        assert_int_equal(il_scope_close(scope), 0);
        assert_int_equal(crew_join(&crew), 0);
    }
}

/* --- Callbacks ------------------------------------------------------------------------------- */

struct calls {
    int count;
    int order[10];
    bool was_done;
};

struct call {
    struct calls *calls;
    int number;
};

static void note_call(il_future *future, void *arg)
{
    struct call *call = arg;
    call->calls->order[call->calls->count++] = call->number;
    call->calls->was_done = il_future_done(future);
}

static void callbacks_are_called_in_order_once_each(void **state)
{
    struct calls calls = { 0 };
    struct call each[10];
    il_event go_on = { 0 };
    il_future *future = submit_pointer(*state, await, &go_on);
    for (int i = 0; i < 10; i++) {
        each[i] = (struct call){ &calls, i };
        assert_int_equal(il_future_on_done(future, note_call, &each[i]), 0);
    }
    assert_int_equal(calls.count, 0);
    il_event_set(&go_on);
    assert_int_equal(status_of(future), 0);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(calls.count, 10);
    assert_true(calls.was_done);
    for (int i = 0; i < 10; i++) assert_int_equal(calls.order[i], i);
}

static void a_callback_on_a_done_future_is_called_here_and_now(void **state)
{
    struct calls calls = { 0 };
    struct call call = { &calls, 7 };
    int ran = 0;
    il_future *future = submit_pointer(*state, count, &ran);
    assert_int_equal(il_future_get(future, LATE, NULL), 0);
    assert_int_equal(il_future_on_done(future, note_call, &call), 0);
    assert_int_equal(calls.count, 1);
    il_future_free(future);
}

static void callbacks_are_called_for_a_cancelled_future(void **state)
{
    struct calls calls = { 0 };
    struct call call = { &calls, 1 };
    struct occupation job;
    int ran = 0;
    il_future *busy = occupy_worker(*state, &job);
    il_future *future = submit_pointer(*state, count, &ran);
    assert_int_equal(il_future_on_done(future, note_call, &call), 0);
    assert_int_equal(il_future_cancel(future), 0);
    assert_int_equal(calls.count, 1);
    release_worker(&job, busy);
    il_future_free(future);
}

static void free_in_callback(il_future *future, void *arg)
{
    il_future_free(future);
    il__add((int *)arg, 1);
}

static void a_callback_may_let_go_of_the_future(void **state)
{
    int called = 0, ran = 0;
    for (int i = 0; i < 100; i++) {
        il_future *future = submit_pointer(*state, count, &ran);
        assert_int_equal(il_future_on_done(future, free_in_callback, &called), 0);
    }
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(called, 100);
}

static void count_call(il_future *future, void *arg)
{
    il__add((int *)arg, 1);
}

static void a_callback_added_while_it_completes_is_called_once(void **state)
{
    for (int round = 0; round < 500; round++) {
        int called = 0, ran = 0;
        il_future *future = submit_pointer(*state, count, &ran);
        for (int i = 0; i < 5; i++)
            assert_int_equal(il_future_on_done(future, count_call, &called), 0);
        assert_int_equal(status_of(future), 0);
        while (il__load_acquire(&called) < 5) sched_yield();
        assert_int_equal(called, 5);
    }
}

/* --- Chains ---------------------------------------------------------------------------------- */

static int add_one(void *in, void *out)
{
    *(long *)out = *(long *)in + 1;
    return 0;
}

static int rescue_enoent(void *in, void *out)
{
    const il_error *error = in;
    *(long *)out = -1;
    return error->status == -ENOENT ? 0 : error->status;
}

static void note_finally(void *arg)
{
    il__add((int *)arg, 1);
}

static int long_or_failure(void *in, void *out)
{
    long n = *(long *)in;
    if (n < 0) return il_fail((int)n, "number %ld", n);
    *(long *)out = n;
    return 0;
}

static il_future *submit_long(il_executor *executor, long n)
{
    il_future *future = NULL;
    assert_int_equal(il_submit(executor, long_or_failure, &n, sizeof n, sizeof n, NULL, &future),
                     0);
    return future;
}

/* The status of `chain` after a task that gives or fails with n; *out is what it gives. */
static int chained(il_executor *executor, long n, const il_chain *chain, long *out)
{
    il_future *before = submit_long(executor, n), *after = NULL;
    assert_int_equal(il_future_then(before, executor, chain, &after), 0);
    il_future_free(before);
    int status = il_future_get(after, LATE, out);
    il_future_free(after);
    return status;
}

static void then_gets_the_result(void **state)
{
    int ended = 0;
    long out = 0;
    il_chain chain = { .then = add_one,
                       .rescue = rescue_enoent,
                       .finally = note_finally,
                       .arg = &ended,
                       .out_size = sizeof out };
    assert_int_equal(chained(*state, 41, &chain, &out), 0);
    assert_int_equal(out, 42);
    assert_int_equal(ended, 1);
}

static void rescue_gets_the_error_and_replaces_it(void **state)
{
    int ended = 0;
    long out = 0;
    il_chain chain = { .then = add_one,
                       .rescue = rescue_enoent,
                       .finally = note_finally,
                       .arg = &ended,
                       .out_size = sizeof out };
    assert_int_equal(chained(*state, -ENOENT, &chain, &out), 0);
    assert_int_equal(out, -1);
    assert_int_equal(ended, 1);
}

static void a_failure_without_rescue_goes_on_unchanged(void **state)
{
    int ended = 0;
    long out = 5;
    il_chain chain = {
        .then = add_one, .finally = note_finally, .arg = &ended, .out_size = sizeof out
    };
    il_future *before = submit_long(*state, -EIO), *after = NULL;
    assert_int_equal(il_future_then(before, *state, &chain, &after), 0);
    assert_int_equal(il_future_get(after, LATE, &out), -EIO);
    assert_string_equal(il_future_error(after)->message, "number -5");
    assert_int_equal(out, 5);
    assert_int_equal(ended, 1);
    il_future_free(before);
    il_future_free(after);
}

static void a_success_without_then_goes_on_unchanged(void **state)
{
    long out = 0;
    il_chain chain = { .rescue = rescue_enoent, .out_size = sizeof out };
    assert_int_equal(chained(*state, 17, &chain, &out), 0);
    assert_int_equal(out, 17);
}

static void a_long_chain_passes_the_result_along(void **state)
{
    enum { LENGTH = 500 };
    long out = 0;
    il_chain chain = { .then = add_one, .out_size = sizeof out };
    il_future *last = submit_long(*state, 0);
    for (int i = 0; i < LENGTH; i++) {
        il_future *next = NULL;
        assert_int_equal(il_future_then(last, *state, &chain, &next), 0);
        il_future_free(last);
        last = next;
    }
    assert_int_equal(il_future_get(last, LATE, &out), 0);
    assert_int_equal(out, LENGTH);
    il_future_free(last);
}

/* On a promise, so that the whole chain is there before its first link runs. */
static void a_long_chain_that_waits_is_no_recursion(void **state)
{
    enum { LENGTH = 2000 };
    long out = 0, start = 1;
    il_chain chain = { .then = add_one, .out_size = sizeof out };
    il_future *first = NULL;
    assert_int_equal(il_promise_new(sizeof start, &first), 0);
    il_future *last = il_future_ref(first);
    for (int i = 0; i < LENGTH; i++) {
        il_future *next = NULL;
        assert_int_equal(il_future_then(last, *state, &chain, &next), 0);
        il_future_free(last);
        last = next;
    }
    assert_int_equal(il_promise_set(first, &start), 0);
    il_future_free(first);
    assert_int_equal(il_future_get(last, LATE, &out), 0);
    assert_int_equal(out, LENGTH + 1);
    il_future_free(last);
}

static void a_chain_on_a_closed_executor_fails_with_eshutdown(void **state)
{
    il_future *promise = NULL, *after = NULL;
    il_chain chain = { .then = nothing };
    assert_int_equal(il_promise_new(0, &promise), 0);
    assert_int_equal(il_future_then(promise, *state, &chain, &after), 0);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(il_promise_set(promise, NULL), 0);
    assert_int_equal(status_of(after), -ESHUTDOWN);
    il_future_free(promise);
}

static void a_chain_that_is_cancelled_does_not_run(void **state)
{
    il_future *promise = NULL, *after = NULL;
    int ended = 0;
    il_chain chain = { .then = nothing, .finally = note_finally, .arg = &ended };
    assert_int_equal(il_promise_new(0, &promise), 0);
    assert_int_equal(il_future_then(promise, *state, &chain, &after), 0);
    assert_int_equal(il_future_cancel(after), 0);
    assert_int_equal(il_promise_set(promise, NULL), 0);
    assert_int_equal(status_of(after), -ECANCELED);
    il_future_free(promise);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(ended, 0);
}

/* --- Nobody looked --------------------------------------------------------------------------- */

static int unobserved_count, unobserved_status;
static char unobserved_words[100];

static void note_unobserved(const il_error *error)
{
    unobserved_count++;
    unobserved_status = error->status;
    snprintf(unobserved_words, sizeof unobserved_words, "%s", error->message);
}

static int watch_unobserved(void **state)
{
    unobserved_count = 0;
    il_on_unobserved(note_unobserved);
    return open_executor(state);
}

static int stop_watching(void **state)
{
    il_on_unobserved(NULL);
    return free_executor(state);
}

static void a_failure_freed_unasked_is_reported(void **state)
{
    il_future *future = submit_long(*state, -EIO);
    while (!il_future_done(future)) sched_yield();
    il_future_free(future);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(unobserved_count, 1);
    assert_int_equal(unobserved_status, -EIO);
    assert_string_equal(unobserved_words, "number -5");
}

static void a_failure_freed_before_it_happened_is_reported(void **state)
{
    il_future_free(submit_long(*state, -EIO));
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(unobserved_count, 1);
}

static void a_failure_of_a_task_without_a_future_is_reported(void **state)
{
    long n = -EIO;
    assert_int_equal(il_submit(*state, long_or_failure, &n, sizeof n, sizeof n, NULL, NULL), 0);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(unobserved_count, 1);
}

static void a_failure_that_was_looked_at_is_not_reported(void **state)
{
    il_future *got = submit_long(*state, -EIO), *asked = submit_long(*state, -EIO);
    assert_int_equal(status_of(got), -EIO);
    while (!il_future_done(asked)) sched_yield();
    assert_non_null(il_future_error(asked));
    il_future_free(asked);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(unobserved_count, 0);
}

static void a_success_and_a_cancellation_are_not_reported(void **state)
{
    il_event never = { 0 };
    il_executor_info info;
    il_executor_describe(*state, &info);
    il_future_free(submit_long(*state, 3));
    if (info.workers) {
        il_future *future = submit_pointer(*state, await, &never);
        il_future_cancel(future);
        il_future_free(future);
    }
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(unobserved_count, 0);
}

static void a_failure_that_a_chain_looked_at_is_reported_once(void **state)
{
    il_future *before = submit_long(*state, -EIO), *after = NULL;
    il_chain chain = { .then = nothing };
    assert_int_equal(il_future_then(before, *state, &chain, &after), 0);
    il_future_free(before);
    il_future_free(after);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(unobserved_count, 1);
}

static void unobserved_failures_of_a_scope_are_told_at_its_close_only(void **state)
{
    il_scope *scope = NULL;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    il_future_free(submit_long(*state, -EIO));
    assert_int_equal(il_scope_close(scope), -EIO);
    assert_string_equal(il_last_error()->message, "number -5");
    assert_int_equal(unobserved_count, 0);
}

static void observed_failures_of_a_scope_are_not_told_at_its_close(void **state)
{
    il_scope *scope = NULL;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    assert_int_equal(status_of(submit_long(*state, -EIO)), -EIO);
    assert_int_equal(il_scope_close(scope), 0);
    assert_int_equal(unobserved_count, 0);
}

#define WATCHED(test, n, words)                                                                    \
    {                                                                                              \
#test " (" words ")", test, watch_unobserved, stop_watching, (void *)&wheres[n]            \
    }
#define EACH_WATCHED(test) WATCHED(test, 0, "inline"), WATCHED(test, 2, "2 workers")

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_EXECUTOR(get_may_be_called_again),
        EACH_CREW(get_gives_up_at_its_deadline_or_when_cancelled),
        EACH_CREW(a_cancelled_get_leaves_the_future_alone),
        EACH_CREW(many_may_get_one_future),
        EACH_POOL(a_task_that_waits_for_itself_gets_edeadlk),
        EACH_POOL(a_task_in_place_that_waits_for_the_one_around_it_gets_edeadlk),
        EACH_POOL(a_future_may_be_freed_before_it_is_done),
        cmocka_unit_test(free_null_is_fine),
        ONE_WORKER(a_task_cancelled_while_pending_never_runs),
        EACH_POOL(cancel_ends_the_wait_of_a_running_task),
        EACH_POOL(a_cancelled_task_sees_it_and_may_succeed_all_the_same),
        EACH_POOL(any_failure_of_a_cancelled_task_is_ecanceled),
        EACH_POOL(cancel_ends_the_wait_of_a_task_in_place_inside),
        EACH_EXECUTOR(cancelling_one_that_is_done_is_ealready),
        EACH_POOL(cancel_ends_the_wait_for_another_task),
        EACH_POOL(cancel_races_with_the_start_and_one_wins),
        EACH_POOL(cancel_from_outside_races_with_the_end_of_the_scope),
        EACH_POOL(callbacks_are_called_in_order_once_each),
        EACH_EXECUTOR(a_callback_on_a_done_future_is_called_here_and_now),
        ONE_WORKER(callbacks_are_called_for_a_cancelled_future),
        EACH_EXECUTOR(a_callback_may_let_go_of_the_future),
        EACH_EXECUTOR(a_callback_added_while_it_completes_is_called_once),
        EACH_EXECUTOR(then_gets_the_result),
        EACH_EXECUTOR(rescue_gets_the_error_and_replaces_it),
        EACH_EXECUTOR(a_failure_without_rescue_goes_on_unchanged),
        EACH_EXECUTOR(a_success_without_then_goes_on_unchanged),
        EACH_EXECUTOR(a_long_chain_passes_the_result_along),
        EACH_EXECUTOR(a_long_chain_that_waits_is_no_recursion),
        EACH_EXECUTOR(a_chain_on_a_closed_executor_fails_with_eshutdown),
        EACH_EXECUTOR(a_chain_that_is_cancelled_does_not_run),
        EACH_WATCHED(a_failure_freed_unasked_is_reported),
        EACH_WATCHED(a_failure_freed_before_it_happened_is_reported),
        EACH_WATCHED(a_failure_of_a_task_without_a_future_is_reported),
        EACH_WATCHED(a_failure_that_was_looked_at_is_not_reported),
        EACH_WATCHED(a_success_and_a_cancellation_are_not_reported),
        EACH_WATCHED(a_failure_that_a_chain_looked_at_is_reported_once),
        EACH_WATCHED(unobserved_failures_of_a_scope_are_told_at_its_close_only),
        EACH_WATCHED(observed_failures_of_a_scope_are_not_told_at_its_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
