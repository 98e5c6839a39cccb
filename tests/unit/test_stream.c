/* SPDX-License-Identifier: MIT */
/* Map over a stream: order, a bounded window, errors of source, items and sink, idle sources. */

#include "work.h"

/* A source of numbers and a sink that checks them. */
struct flow {
    long next, end; /* the source gives next, next + 1, ... before end */
    long sunk;      /* items that came to the sink */
    long out_of_order, wrong_result, failures;
    long inside, most_inside;          /* between source and sink */
    long fail_source_at, fail_sink_at; /* -1: never */
    long idle_every;                   /* 0: never */
    long not_drained; /* times the source was called after idle with items inside */
    bool was_idle;
    int source_calls_after_end;
    int overlap, calls;
};

static int give_next(void *in, void *arg)
{
    struct flow *flow = arg;
    if (flow->overlap++) flow->calls = -1;
    int answer = 1;
    if (flow->was_idle) {
        flow->not_drained += flow->inside != 0;
        flow->was_idle = false;
    } else if (flow->idle_every && flow->next % flow->idle_every == flow->idle_every - 1) {
        flow->was_idle = true;
        flow->overlap--;
        return IL_STREAM_IDLE;
    }
    if (flow->next == flow->fail_source_at) answer = -EIO;
    else if (flow->next == flow->end) answer = 0;
    else {
        *(long *)in = flow->next++;
        if (++flow->inside > flow->most_inside) flow->most_inside = flow->inside;
    }
    flow->overlap--;
    return answer;
}

static int take_result(const void *in, const void *out, int status, void *arg)
{
    struct flow *flow = arg;
    long n = *(const long *)in;
    if (flow->overlap++) flow->calls = -1;
    if (n == flow->fail_sink_at) {
        flow->overlap--;
        return -EPIPE;
    }
    flow->out_of_order += n != flow->sunk;
    flow->failures += status != 0;
    if (!status) flow->wrong_result += *(const long *)out != n * n;
    flow->sunk++;
    flow->inside--;
    flow->overlap--;
    return 0;
}

static struct flow flow_of(long count)
{
    return (struct flow){ .end = count, .fail_source_at = -1, .fail_sink_at = -1 };
}

static int run(il_executor *executor, struct flow *flow, il_fn *fn, size_t window,
               const il_map_opts *opts)
{
    il_stream stream = {
        .source = give_next,
        .sink = take_result,
        .arg = flow,
        .in_size = sizeof(long),
        .out_size = sizeof(long),
        .window = window,
    };
    return il_map_stream(executor, fn, &stream, opts);
}

static void assert_whole(const struct flow *flow, long count)
{
    assert_int_equal(flow->sunk, count);
    assert_int_equal(flow->out_of_order, 0);
    assert_int_equal(flow->wrong_result, 0);
    assert_int_equal(flow->calls, 0);
}

static int square_unevenly(void *in, void *out)
{
    long n = *(long *)in;
    if (n % 17 == 0) il_yield();
    if (n % 100 == 0) il_sleep(il_after(IL_US(100)));
    return square(in, out);
}

static void results_come_in_the_order_of_the_source(void **state)
{
    struct flow flow = flow_of(5000);
    assert_int_equal(run(*state, &flow, square_unevenly, 0, NULL), 0);
    assert_whole(&flow, 5000);
}

static void any_count_is_right(void **state)
{
    for (long count = 0; count < 200; count = count * 3 / 2 + 1) {
        struct flow flow = flow_of(count);
        assert_int_equal(run(*state, &flow, square, 0, NULL), 0);
        assert_whole(&flow, count);
    }
}

static void no_more_items_are_inside_than_the_window(void **state)
{
    static const size_t windows[] = { 1, 2, 3, 5, 10, 33, 100 };
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        struct flow flow = flow_of(1000);
        assert_int_equal(run(*state, &flow, square, windows[i], NULL), 0);
        assert_whole(&flow, 1000);
        assert_true(flow.most_inside <= (long)windows[i]);
    }
}

static void a_window_of_its_own_is_bounded_too(void **state)
{
    struct flow flow = flow_of(100000);
    assert_int_equal(run(*state, &flow, square, 0, NULL), 0);
    assert_whole(&flow, 100000);
    assert_true(flow.most_inside < 10000);
}

static void a_chunk_size_gives_the_same(void **state)
{
    for (size_t chunk = 1; chunk < 200; chunk = chunk * 3 + 1) {
        struct flow flow = flow_of(2000);
        assert_int_equal(run(*state, &flow, square, 0, &(il_map_opts){ .chunk = chunk }), 0);
        assert_whole(&flow, 2000);
    }
}

static void a_source_that_fails_stops_with_its_status(void **state)
{
    struct flow flow = flow_of(1000);
    flow.fail_source_at = 700;
    assert_int_equal(run(*state, &flow, square, 0, NULL), -EIO);
    assert_true(flow.sunk <= 700);
    assert_int_equal(flow.out_of_order, 0);
}

static void a_sink_that_fails_stops_with_its_status(void **state)
{
    struct flow flow = flow_of(100000);
    flow.fail_sink_at = 300;
    assert_int_equal(run(*state, &flow, square, 0, NULL), -EPIPE);
    assert_int_equal(flow.sunk, 300);
    assert_true(flow.next < 100000);
}

static int fail_some(void *in, void *out)
{
    long n = *(long *)in;
    if (n % 100 == 50) return n == 150 ? -ECANCELED : -EIO;
    return square(in, out);
}

static void failing_items_go_to_the_sink_with_their_status(void **state)
{
    struct flow flow = flow_of(1000);
    assert_int_equal(run(*state, &flow, fail_some, 0, NULL), 0);
    assert_whole(&flow, 1000);
    assert_int_equal(flow.failures, 10);
}

static void stop_on_error_sinks_what_came_before_the_failure(void **state)
{
    struct flow flow = flow_of(100000);
    assert_int_equal(run(*state, &flow, fail_some, 0, &(il_map_opts){ .stop_on_error = true }),
                     -EIO);
    assert_int_equal(flow.sunk, 50);
    assert_int_equal(flow.failures, 0);
    assert_true(flow.next < 100000);
}

static int fail_with_words(void *in, void *out)
{
    return il_fail(-EIO, "number %ld", *(long *)in);
}

/* How many words came to the sink with their items. */
static int read_words(const void *in, const void *out, int status, void *arg)
{
    struct flow *flow = arg;
    char words[40];
    const il_error *error = il_last_error();
    snprintf(words, sizeof words, "number %ld", *(const long *)in);
    flow->sunk++;
    flow->failures += status == -EIO && error && !strcmp(error->message, words);
    return 0;
}

static void words_of_a_failed_item_come_with_it_to_the_sink(void **state)
{
    struct flow flow = flow_of(100);
    il_stream stream = { .source = give_next,
                         .sink = read_words,
                         .arg = &flow,
                         .in_size = sizeof(long),
                         .out_size = sizeof(long) };
    assert_int_equal(il_map_stream(*state, fail_with_words, &stream, NULL), 0);
    assert_int_equal(flow.sunk, 100);
    assert_int_equal(flow.failures, 100);
}

/* Those behind the first failure failed as well, with words that nobody will read. (ASan counts.) */
static void stop_on_error_lets_go_of_what_was_not_sunk(void **state)
{
    struct flow flow = flow_of(100);
    il_map_opts opts = { .stop_on_error = true, .chunk = 8 };
    assert_int_equal(run(*state, &flow, fail_with_words, 0, &opts), -EIO);
    assert_int_equal(flow.sunk, 0);
}

static void an_idle_source_is_called_again_when_all_is_sunk(void **state)
{
    static const long every[] = { 1, 2, 7, 50 };
    for (size_t i = 0; i < sizeof every / sizeof *every; i++) {
        struct flow flow = flow_of(500);
        flow.idle_every = every[i];
        assert_int_equal(run(*state, &flow, square, 0, NULL), 0);
        assert_whole(&flow, 500);
        assert_int_equal(flow.not_drained, 0);
    }
}

static int square_slowly(void *in, void *out)
{
    il_time until = il_after(IL_US(200));
    while (il_now() < until) sched_yield();
    return square(in, out);
}

static void a_deadline_ends_the_stream(void **state)
{
    struct flow flow = flow_of(1000000);
    assert_int_equal(run(*state, &flow, square_slowly, 0, &(il_map_opts){ .until = SOON }),
                     -ETIMEDOUT);
    assert_true(flow.sunk < 1000000);
    assert_int_equal(flow.out_of_order, 0);
}

static int wait_long(void *in, void *out)
{
    return il_sleep(LATE);
}

static void a_deadline_ends_the_waits_of_items(void **state)
{
    struct flow flow = flow_of(1000);
    assert_int_equal(run(*state, &flow, wait_long, 0, &(il_map_opts){ .until = SOON }), -ETIMEDOUT);
    assert_int_equal(flow.wrong_result, 0);
}

struct stream_task {
    il_executor *executor;
    il_event begun;
};

static struct stream_task *the_task;

static int begin_and_wait(void *in, void *out)
{
    il_event_set(&the_task->begun);
    return il_sleep(LATE);
}

static int stream_in_task(void *in, void *out)
{
    struct flow flow = flow_of(100);
    return run((*(struct stream_task **)in)->executor, &flow, begin_and_wait, 0, NULL);
}

static void a_stream_is_cancelled_with_the_task_around_it(void **state)
{
    struct stream_task task = { .executor = *state };
    the_task = &task;
    il_future *future = submit_pointer(*state, stream_in_task, &task);
    il_event_wait(&task.begun);
    assert_int_equal(il_future_cancel(future), 0);
    assert_int_equal(status_of(future), -ECANCELED);
}

struct told {
    size_t last;
    bool fell, knew_total;
};

static void tell(size_t done, size_t total, void *arg)
{
    struct told *told = arg;
    told->fell |= done < told->last;
    told->knew_total |= total != 0;
    told->last = done;
}

static void progress_rises_to_the_end_without_a_total(void **state)
{
    struct flow flow = flow_of(3000);
    struct told told = { 0 };
    assert_int_equal(
        run(*state, &flow, square, 0, &(il_map_opts){ .on_progress = tell, .progress_arg = &told }),
        0);
    assert_int_equal(told.last, 3000);
    assert_false(told.fell);
    assert_false(told.knew_total);
}

static void a_stream_works_on_a_pool_with_a_queue_limit(void **state)
{
    il_executor *pool = NULL;
    struct flow flow = flow_of(2000);
    assert_int_equal(il_threads_new(&(il_threads_opts){ .workers = 2, .queue_limit = 1 }, &pool),
                     0);
    assert_int_equal(run(pool, &flow, square, 0, NULL), 0);
    assert_whole(&flow, 2000);
    il_executor_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_EXECUTOR(results_come_in_the_order_of_the_source),
        EACH_EXECUTOR(any_count_is_right),
        EACH_EXECUTOR(no_more_items_are_inside_than_the_window),
        EACH_EXECUTOR(a_window_of_its_own_is_bounded_too),
        EACH_EXECUTOR(a_chunk_size_gives_the_same),
        EACH_EXECUTOR(a_source_that_fails_stops_with_its_status),
        EACH_EXECUTOR(a_sink_that_fails_stops_with_its_status),
        EACH_EXECUTOR(failing_items_go_to_the_sink_with_their_status),
        EACH_EXECUTOR(stop_on_error_sinks_what_came_before_the_failure),
        EACH_EXECUTOR(words_of_a_failed_item_come_with_it_to_the_sink),
        EACH_EXECUTOR(stop_on_error_lets_go_of_what_was_not_sunk),
        EACH_EXECUTOR(an_idle_source_is_called_again_when_all_is_sunk),
        EACH_EXECUTOR(a_deadline_ends_the_stream),
        EACH_EXECUTOR(a_deadline_ends_the_waits_of_items),
        EACH_POOL(a_stream_is_cancelled_with_the_task_around_it),
        EACH_EXECUTOR(progress_rises_to_the_end_without_a_total),
        cmocka_unit_test(a_stream_works_on_a_pool_with_a_queue_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
