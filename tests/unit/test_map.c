/* SPDX-License-Identifier: MIT */
/* Map: order, equality with a plain loop, chunks, failures, deadline, progress. */

#include "work.h"

enum { COUNT = 10000 };

static int cube_mod(void *in, void *out)
{
    long n = *(long *)in;
    *(long *)out = n * n * n % 1000003;
    return 0;
}

static long *numbers(size_t count)
{
    long *all = malloc((count + 1) * sizeof *all);
    for (size_t i = 0; i < count; i++) all[i] = (long)i;
    return all;
}

/* How many of out[0..count) differ from what a plain loop gives. */
static size_t differences(const long *out, size_t count)
{
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        long in = (long)i, expected;
        cube_mod(&in, &expected);
        wrong += out[i] != expected;
    }
    return wrong;
}

static void map_equals_a_plain_loop(void **state)
{
    long *in = numbers(COUNT), *out = numbers(COUNT);
    assert_int_equal(il_map(*state, cube_mod, in, out, COUNT, NULL), 0);
    assert_int_equal(differences(out, COUNT), 0);
    free(in);
    free(out);
}

static void any_chunk_size_gives_the_same(void **state)
{
    static const size_t chunks[] = { 1, 2, 7, 64, COUNT - 1, COUNT, COUNT + 1, SIZE_MAX };
    long *in = numbers(COUNT), *out = numbers(COUNT);
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        memset(out, 0xff, COUNT * sizeof *out);
        assert_int_equal(
            il_map(*state, cube_mod, in, out, COUNT, &(il_map_opts){ .chunk = chunks[i] }), 0);
        assert_int_equal(differences(out, COUNT), 0);
    }
    free(in);
    free(out);
}

static void any_count_gives_the_same(void **state)
{
    long *in = numbers(300), *out = numbers(300);
    for (size_t count = 0; count < 300; count = count * 3 / 2 + 1) {
        memset(out, 0xff, 300 * sizeof *out);
        assert_int_equal(il_map(*state, cube_mod, in, out, count, NULL), 0);
        assert_int_equal(differences(out, count), 0);
        assert_int_equal(out[count], -1); /* and no further */
    }
    free(in);
    free(out);
}

static void no_items_are_done_at_once(void **state)
{
    assert_int_equal(il_map_bytes(*state, cube_mod, NULL, 8, NULL, 8, 0, NULL), 0);
}

static int count_into(void *in, void *out)
{
    il__add(*(int **)in, 1);
    return out ? -EINVAL : 0;
}

static void each_item_runs_once_and_out_may_be_null(void **state)
{
    enum { ITEMS = 500 };
    static int counts[ITEMS];
    int *in[ITEMS];
    memset(counts, 0, sizeof counts);
    for (int i = 0; i < ITEMS; i++) in[i] = &counts[i];
    assert_int_equal(il_map_bytes(*state, count_into, in, sizeof *in, NULL, 0, ITEMS, NULL), 0);
    for (int i = 0; i < ITEMS; i++) assert_int_equal(counts[i], 1);
}

struct odd_size {
    char bytes[3];
};

static int rotate(void *in, void *out)
{
    const struct odd_size *from = in;
    *(struct odd_size *)out =
        (struct odd_size){ { from->bytes[2], from->bytes[0], from->bytes[1] } };
    return 0;
}

static void elements_may_have_any_size(void **state)
{
    struct odd_size in[100], out[100];
    for (int i = 0; i < 100; i++)
        in[i] = (struct odd_size){ { (char)i, (char)(i + 1), (char)(i + 2) } };
    assert_int_equal(il_map(*state, rotate, in, out, 100, NULL), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(out[i].bytes[0], (char)(i + 2));
        assert_int_equal(out[i].bytes[1], (char)i);
    }
}

static int wait_a_bit(void *in, void *out)
{
    il_yield();
    if (*(long *)in % 10 == 0) il_sleep(il_after(IL_US(100)));
    return cube_mod(in, out);
}

static void items_may_wait(void **state)
{
    long *in = numbers(500), *out = numbers(500);
    assert_int_equal(il_map(*state, wait_a_bit, in, out, 500, NULL), 0);
    assert_int_equal(differences(out, 500), 0);
    free(in);
    free(out);
}

static int map_inside(void *in, void *out)
{
    long *numbers_in = numbers(200), *numbers_out = numbers(200);
    int status =
        il_map((il_executor *)il__self()->executor, cube_mod, numbers_in, numbers_out, 200, NULL);
    *(long *)out = (long)differences(numbers_out, 200);
    free(numbers_in);
    free(numbers_out);
    return status;
}

static void a_map_may_be_inside_a_map(void **state)
{
    long *in = numbers(50), *out = numbers(50);
    assert_int_equal(il_map(*state, map_inside, in, out, 50, NULL), 0);
    for (int i = 0; i < 50; i++) assert_int_equal(out[i], 0);
    free(in);
    free(out);
}

static void arguments_that_cannot_be_right_are_einval(void **state)
{
    long n = 1, m;
    assert_int_equal(il_map(NULL, cube_mod, &n, &m, 1, NULL), -EINVAL);
    assert_int_equal(il_map(*state, NULL, &n, &m, 1, NULL), -EINVAL);
}

static void on_a_closed_executor_it_is_eshutdown(void **state)
{
    long n = 1, m = 0;
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(il_map(*state, cube_mod, &n, &m, 1, NULL), -ESHUTDOWN);
}

static void a_map_waits_for_room_in_a_pool_with_a_queue_limit(void **state)
{
    il_executor *pool = NULL;
    struct occupation job;
    int ran = 0, *counter = &ran;
    long *in = numbers(100), *out = numbers(100);
    assert_int_equal(il_threads_new(&(il_threads_opts){ .workers = 2, .queue_limit = 1 }, &pool),
                     0);
    il_future *busy = occupy_worker(pool, &job);
    while (!il_submit(pool, count, &counter, sizeof counter, 0, NULL, NULL)) continue;
    assert_int_equal(il_map(pool, cube_mod, in, out, 100, NULL), 0);
    assert_int_equal(differences(out, 100), 0);
    release_worker(&job, busy);
    il_executor_free(pool);
    free(in);
    free(out);
}

/* --- Failures -------------------------------------------------------------------------------- */

static int fail_at_multiples_of_1000(void *in, void *out)
{
    long n = *(long *)in;
    *(long *)out = n;
    if (n % 1000 == 500) return il_fail(n == 500 ? -ENOENT : -EIO, "number %ld is bad", n);
    return 0;
}

static void the_failure_of_the_lowest_item_comes_back(void **state)
{
    long *in = numbers(COUNT), *out = numbers(COUNT);
    for (int round = 0; round < 5; round++) {
        char line[300];
        assert_int_equal(il_map(*state, fail_at_multiples_of_1000, in, out, COUNT, NULL), -ENOENT);
        il_error_format(il_last_error(), line, sizeof line);
        assert_says(line, "item 500");
        assert_says(line, "number 500 is bad");
    }
    free(in);
    free(out);
}

static void a_failure_does_not_stop_the_others(void **state)
{
    long *in = numbers(COUNT), *out = malloc(COUNT * sizeof *out);
    memset(out, 0xff, COUNT * sizeof *out);
    assert_int_equal(il_map(*state, fail_at_multiples_of_1000, in, out, COUNT, NULL), -ENOENT);
    for (long i = 0; i < COUNT; i++) assert_int_equal(out[i], i);
    free(in);
    free(out);
}

/* Notes a status that is not its own first: the words of one item are not those of another. */
static int fail_with_and_without_words(void *in, void *out)
{
    long n = *(long *)in;
    if (n == 3) return -EIO;
    if (n == 7) return il_fail(-EIO, "seven");
    return 0;
}

static void the_words_of_one_item_are_not_those_of_another(void **state)
{
    for (int round = 0; round < 20; round++) {
        long *in = numbers(10), *out = numbers(10);
        char line[300];
        assert_int_equal(il_map(*state, fail_with_and_without_words, in, out, 10, NULL), -EIO);
        il_error_format(il_last_error(), line, sizeof line);
        assert_says(line, "item 3");
        assert_null(strstr(line, "seven"));
        free(in);
        free(out);
    }
}

struct stopping {
    int *ran;
    long number;
};

static int fail_early(void *in, void *out)
{
    struct stopping *item = in;
    il__add(item->ran, 1);
    return item->number == 5 ? -EIO : 0;
}

static void stop_on_error_begins_no_further_items(void **state)
{
    enum { ITEMS = 100000 };
    int ran = 0;
    struct stopping *in = calloc(ITEMS, sizeof *in);
    for (long i = 0; i < ITEMS; i++) in[i] = (struct stopping){ &ran, i };
    il_map_opts opts = { .stop_on_error = true, .chunk = 10 };
    assert_int_equal(il_map_bytes(*state, fail_early, in, sizeof *in, NULL, 0, ITEMS, &opts), -EIO);
    assert_true(ran < ITEMS);
    free(in);
}

/* --- Deadline and cancellation --------------------------------------------------------------- */

static int be_slow(void *in, void *out)
{
    il_time until = il_after(IL_US(200));
    while (il_now() < until) sched_yield();
    *(long *)out = *(long *)in;
    return 0;
}

static void a_deadline_leaves_out_what_has_not_begun(void **state)
{
    enum { ITEMS = 100000 };
    long *in = numbers(ITEMS), *out = malloc(ITEMS * sizeof *out);
    memset(out, 0xff, ITEMS * sizeof *out);
    assert_int_equal(il_map(*state, be_slow, in, out, ITEMS, &(il_map_opts){ .until = SOON }),
                     -ETIMEDOUT);
    assert_int_equal(out[ITEMS - 1], -1);
    free(in);
    free(out);
}

static void a_deadline_ends_the_waits_of_items(void **state)
{
    il_event never = { 0 }, *in[10];
    for (int i = 0; i < 10; i++) in[i] = &never;
    int status =
        il_map_bytes(*state, await, in, sizeof *in, NULL, 0, 10, &(il_map_opts){ .until = SOON });
    assert_int_equal(status, -ETIMEDOUT);
}

struct outlasting {
    il_time until;
    bool *began;
};

static int outlast(void *in, void *out)
{
    struct outlasting *item = in;
    *item->began = true;
    while (il_now() < item->until) sched_yield();
    return 0;
}

static void a_deadline_that_passes_when_all_have_begun_changes_nothing(void **state)
{
    bool began = false;
    il_time until = SOON;
    struct outlasting in[1] = { { until + IL_MS(5), &began } };
    il_map_opts opts = { .until = until };
    int status = il_map_bytes(*state, outlast, in, sizeof *in, NULL, 0, 1, &opts);
    assert_int_equal(status, began ? 0 : -ETIMEDOUT);
}

struct map_in_task {
    il_executor *executor;
    il_event *never, *begun;
};

static int await_item(void *in, void *out)
{
    struct map_in_task *item = in;
    il_event_set(item->begun);
    return il_event_wait_until(item->never, LATE);
}

static int map_that_waits(void *in, void *out)
{
    struct map_in_task *self = in, items[20];
    for (int i = 0; i < 20; i++) items[i] = *self;
    return il_map_bytes(self->executor, await_item, items, sizeof *items, NULL, 0, 20, NULL);
}

static void a_map_is_cancelled_with_the_task_around_it(void **state)
{
    il_event never = { 0 }, begun = { 0 };
    struct map_in_task self = { *state, &never, &begun };
    il_future *future = NULL;
    assert_int_equal(il_submit(*state, map_that_waits, &self, sizeof self, 0, NULL, &future), 0);
    il_event_wait(&begun);
    assert_int_equal(il_future_cancel(future), 0);
    assert_int_equal(status_of(future), -ECANCELED);
}

/* --- Progress -------------------------------------------------------------------------------- */

struct progress {
    size_t calls, last, total;
    bool fell, overlapped;
    int inside;
};

static void note_progress(size_t done, size_t total, void *arg)
{
    struct progress *progress = arg;
    if (il__add(&progress->inside, 1)) progress->overlapped = true;
    if (done < progress->last) progress->fell = true;
    progress->last = done;
    progress->total = total;
    progress->calls++;
    sched_yield();
    il__sub(&progress->inside, 1);
}

static void progress_rises_to_the_total(void **state)
{
    enum { ITEMS = 500 };
    struct progress progress = { 0 };
    long *in = numbers(ITEMS), *out = numbers(ITEMS);
    il_map_opts opts = { .on_progress = note_progress, .progress_arg = &progress, .chunk = 3 };
    assert_int_equal(il_map(*state, be_slow, in, out, ITEMS, &opts), 0);
    assert_true(progress.calls >= 2);
    assert_int_equal(progress.last, ITEMS);
    assert_int_equal(progress.total, ITEMS);
    assert_false(progress.fell);
    assert_false(progress.overlapped);
    free(in);
    free(out);
}

static void progress_does_not_reach_the_total_when_items_are_left_out(void **state)
{
    enum { ITEMS = 100000 };
    struct progress progress = { 0 };
    long *in = numbers(ITEMS), *out = numbers(ITEMS);
    il_map_opts opts = { .on_progress = note_progress, .progress_arg = &progress, .until = SOON };
    assert_int_equal(il_map(*state, be_slow, in, out, ITEMS, &opts), -ETIMEDOUT);
    assert_true(progress.last < ITEMS);
    free(in);
    free(out);
}

static int tick(void *in, void *out)
{
    (void)out;
    il__add((int *)in, 1);
    return 0;
}

static void workers_that_take_single_items_take_none_twice(void **state)
{
    enum { ITEMS = 100000 };
    int *ticks = calloc(ITEMS, sizeof *ticks), wrong = 0;
    il_map_opts opts = { .chunk = 1 };
    assert_non_null(ticks);
    int status = il_map_bytes(*state, tick, ticks, sizeof *ticks, NULL, 0, ITEMS, &opts);
    for (int i = 0; i < ITEMS; i++) wrong += ticks[i] != 1;
    free(ticks);
    assert_int_equal(status, 0);
    assert_int_equal(wrong, 0);
}

/* Waits for its deadline, and succeeds all the same. */
static int wait_and_succeed(void *in, void *out)
{
    (void)out;
    il__add(*(int **)in, 1);
    il_sleep(LATE);
    return 0;
}

static void a_deadline_within_the_last_chunk_leaves_out_the_rest_of_it(void **state)
{
    int begun = 0, *items[4] = { &begun, &begun, &begun, &begun };
    il_map_opts opts = { .chunk = 4, .until = SOON };
    int status = il_map_bytes(*state, wait_and_succeed, items, sizeof *items, NULL, 0, 4, &opts);
    assert_int_equal(status, -ETIMEDOUT);
    assert_true(begun <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_EXECUTOR(map_equals_a_plain_loop),
        EACH_EXECUTOR(any_chunk_size_gives_the_same),
        EACH_EXECUTOR(any_count_gives_the_same),
        EACH_EXECUTOR(no_items_are_done_at_once),
        EACH_EXECUTOR(each_item_runs_once_and_out_may_be_null),
        EACH_POOL(workers_that_take_single_items_take_none_twice),
        EACH_EXECUTOR(a_deadline_within_the_last_chunk_leaves_out_the_rest_of_it),
        EACH_EXECUTOR(elements_may_have_any_size),
        EACH_EXECUTOR(items_may_wait),
        EACH_EXECUTOR(a_map_may_be_inside_a_map),
        EACH_EXECUTOR(arguments_that_cannot_be_right_are_einval),
        EACH_EXECUTOR(on_a_closed_executor_it_is_eshutdown),
        cmocka_unit_test(a_map_waits_for_room_in_a_pool_with_a_queue_limit),
        EACH_EXECUTOR(the_failure_of_the_lowest_item_comes_back),
        EACH_EXECUTOR(a_failure_does_not_stop_the_others),
        EACH_EXECUTOR(the_words_of_one_item_are_not_those_of_another),
        EACH_EXECUTOR(stop_on_error_begins_no_further_items),
        EACH_EXECUTOR(a_deadline_leaves_out_what_has_not_begun),
        EACH_EXECUTOR(a_deadline_ends_the_waits_of_items),
        EACH_EXECUTOR(a_deadline_that_passes_when_all_have_begun_changes_nothing),
        EACH_POOL(a_map_is_cancelled_with_the_task_around_it),
        EACH_EXECUTOR(progress_rises_to_the_total),
        EACH_EXECUTOR(progress_does_not_reach_the_total_when_items_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
