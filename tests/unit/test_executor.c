/* SPDX-License-Identifier: MIT */
/* Executors: submitting, results, errors, deadlines, retries, priorities, closing and freeing. */

#include <interlock/cpu.h>

#include "task/executor.h"
#include "work.h"

/* --- Submitting and results ------------------------------------------------------------------ */

static void submit_gives_the_result(void **state)
{
    long n = 12, result = 0;
    il_future *future = NULL;

    assert_int_equal(il_submit(*state, square, &n, sizeof n, sizeof n, NULL, &future), 0);

    assert_int_equal(il_future_get(future, LATE, &result), 0);
    assert_int_equal(result, 144);
    il_future_free(future);
}

struct late_reader {
    il_event *may_read;
    long n;
};

static int read_late(void *in, void *out)
{
    struct late_reader *reader = in;
    if (reader->may_read) il_event_wait(reader->may_read);
    *(long *)out = reader->n;
    return 0;
}

static void submit_copies_its_input(void **state)
{
    il_event may_read = { 0 };
    il_executor_info info;
    il_executor_describe(*state, &info);
    struct late_reader reader = { .may_read = info.workers ? &may_read : NULL, .n = 7 };
    long result = 0;
    il_future *future = NULL;

    assert_int_equal(
        il_submit(*state, read_late, &reader, sizeof reader, sizeof result, NULL, &future), 0);
    reader.n = 8;
    il_event_set(&may_read);

    assert_int_equal(il_future_get(future, LATE, &result), 0);
    assert_int_equal(result, 7);
    il_future_free(future);
}

enum { BYTES = 1000 };

static int look_for_dirt(void *in, void *out)
{
    unsigned char *bytes = out, dirt = 0;
    (void)in;
    for (int i = 0; i < BYTES; i++) dirt |= bytes[i];
    memset(bytes, 0xa5, BYTES);
    bytes[0] = dirt;
    return 0;
}

static void output_is_zeroed_before_the_task(void **state)
{
    for (int i = 0; i < 20; i++) {
        unsigned char bytes[BYTES];
        il_future *future = NULL;
        assert_int_equal(il_submit(*state, look_for_dirt, NULL, 0, BYTES, NULL, &future), 0);
        assert_int_equal(il_future_get(future, LATE, bytes), 0);
        assert_int_equal(bytes[0], 0);
        assert_int_equal(bytes[BYTES - 1], 0xa5);
        il_future_free(future);
    }
}

static int check_alignment(void *in, void *out)
{
    bool aligned = (uintptr_t)in % 16 == 0 && (uintptr_t)out % 16 == 0;
    return aligned ? 0 : -EINVAL;
}

static void input_and_output_are_aligned_for_any_type(void **state)
{
    char bytes[40] = { 0 };
    for (size_t in = 1; in < sizeof bytes; in += 3)
        for (size_t out = 1; out < sizeof bytes; out += 3) {
            il_future *future = NULL;
            assert_int_equal(il_submit(*state, check_alignment, bytes, in, out, NULL, &future), 0);
            assert_int_equal(status_of(future), 0);
        }
}

static int want_nulls(void *in, void *out)
{
    return !in && !out ? 0 : -EINVAL;
}

static void no_input_and_no_output_are_null(void **state)
{
    il_future *future = NULL;
    assert_int_equal(il_submit(*state, want_nulls, NULL, 0, 0, NULL, &future), 0);
    assert_int_equal(status_of(future), 0);
}

static void submit_without_a_future_runs_all_the_same(void **state)
{
    int ran = 0, *counter = &ran;
    for (int i = 0; i < 100; i++)
        assert_int_equal(il_submit(*state, count, &counter, sizeof counter, 0, NULL, NULL), 0);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(ran, 100);
}

static void arguments_that_cannot_be_right_are_einval(void **state)
{
    il_future *future = (il_future *)state; /* any pointer: it stays */
    int n = 0;
    assert_int_equal(il_submit(NULL, give, &n, sizeof n, 0, NULL, &future), -EINVAL);
    assert_int_equal(il_submit(*state, NULL, &n, sizeof n, 0, NULL, &future), -EINVAL);
    assert_int_equal(il_submit(*state, give, NULL, sizeof n, 0, NULL, &future), -EINVAL);
    assert_ptr_equal(future, state);
    assert_int_equal(il_submit(*state, nothing, NULL, 0, SIZE_MAX - 8, NULL, &future), -ENOMEM);
    assert_ptr_equal(future, state);
}

struct tree {
    il_executor *executor;
    int depth;
};

static int spawn_tree(void *in, void *out)
{
    struct tree tree = *(struct tree *)in;
    long left = 0, right = 0;
    il_future *futures[2] = { NULL, NULL };

    if (!tree.depth--) {
        *(long *)out = 1;
        return 0;
    }
    int status =
        il_submit(tree.executor, spawn_tree, &tree, sizeof tree, sizeof left, NULL, &futures[0]);
    if (!status)
        status = il_submit(tree.executor, spawn_tree, &tree, sizeof tree, sizeof right, NULL,
                           &futures[1]);
    if (!status) status = il_future_get(futures[0], LATE, &left);
    if (!status) status = il_future_get(futures[1], LATE, &right);
    il_future_free(futures[0]);
    il_future_free(futures[1]);
    *(long *)out = left + right;
    return status;
}

static void tasks_may_submit_and_wait_for_tasks(void **state)
{
    struct tree tree = { *state, 10 };
    long leaves = 0;
    il_future *future = NULL;
    assert_int_equal(
        il_submit(*state, spawn_tree, &tree, sizeof tree, sizeof leaves, NULL, &future), 0);
    assert_int_equal(il_future_get(future, LATE, &leaves), 0);
    assert_int_equal(leaves, 1024);
    il_future_free(future);
}

struct caller {
    il_executor *executor;
    int *ran;
};

enum { CALLS = 500 };

static int submit_many(void *in, void *out)
{
    struct caller *caller = in;
    int status = 0;
    (void)out;
    for (int i = 0; i < CALLS && !status; i++)
        status =
            il_submit(caller->executor, count, &caller->ran, sizeof caller->ran, 0, NULL, NULL);
    return status;
}

static void many_threads_may_submit(void **state)
{
    enum { CALLERS = 4 };
    int ran = 0;
    struct caller caller = { *state, &ran };
    struct crew crew;

    crew_open(&crew, NULL);
    for (int i = 0; i < CALLERS; i++) crew_add(&crew, submit_many, &caller);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(ran, CALLERS * CALLS);
}

/* Many times what the queue of a worker holds, from one task: it never lets go of its
 * worker, so that on one worker all of them have to be kept. */
enum { CROWD = 20000 };

static int submit_many_inside(void *in, void *out)
{
    struct caller *caller = *(struct caller **)in;
    int failed = 0;
    for (int i = 0; i < CROWD; i++)
        failed += il_submit(caller->executor, count, &caller->ran, sizeof caller->ran, 0, NULL,
                            NULL) != 0;
    return failed;
}

static void a_task_may_submit_more_than_a_queue_holds(void **state)
{
    int ran = 0;
    struct caller caller = { *state, &ran };
    assert_int_equal(status_of(submit_pointer(*state, submit_many_inside, &caller)), 0);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(ran, CROWD);
}

/* --- Status and error ------------------------------------------------------------------------ */

static void status_of_the_task_comes_back(void **state)
{
    static const int statuses[] = { 0, -EIO, -EPIPE, -ECANCELED, -ETIMEDOUT, -EDEADLK, -123456 };
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        il_future *future = NULL;
        assert_int_equal(il_submit(*state, give, &statuses[i], sizeof(int), 0, NULL, &future), 0);
        assert_int_equal(il_future_get(future, LATE, NULL), statuses[i]);
        assert_int_equal(il_future_get(future, IL_NOW, NULL), statuses[i]);
        il_future_free(future);
    }
}

static int write_and_fail(void *in, void *out)
{
    (void)in;
    *(long *)out = 99;
    return -EIO;
}

static void out_is_untouched_when_the_task_failed(void **state)
{
    long result = 5;
    il_future *future = NULL;
    assert_int_equal(il_submit(*state, write_and_fail, NULL, 0, sizeof result, NULL, &future), 0);
    assert_int_equal(il_future_get(future, LATE, &result), -EIO);
    assert_int_equal(result, 5);
    il_future_free(future);
}

static int failing_line;

static int fail_with_words(void *in, void *out)
{
    (void)in, (void)out;
    failing_line = __LINE__ + 1;
    return il_fail(-ENOENT, "no such image: %s", "a.png");
}

static void failure_carries_words_place_and_task(void **state)
{
    il_future *future = NULL;
    il_task_opts opts = { .name = "fetch 7" };
    assert_int_equal(il_submit(*state, fail_with_words, NULL, 0, 0, &opts, &future), 0);
    assert_int_equal(il_future_get(future, LATE, NULL), -ENOENT);

    const il_error *error = il_future_error(future);
    assert_non_null(error);
    assert_int_equal(error->status, -ENOENT);
    assert_string_equal(error->message, "no such image: a.png");
    assert_string_equal(error->task, "fetch 7");
    assert_non_null(strstr(error->file, "test_executor.c"));
    assert_int_equal(error->line, failing_line);
    assert_null(error->cause);
    il_future_free(future);
}

static void failure_without_words_has_those_of_its_status(void **state)
{
    il_future *future = NULL;
    int status = -EPIPE;
    il_task_opts opts = { .name = "quiet" };
    assert_int_equal(il_submit(*state, give, &status, sizeof status, 0, &opts, &future), 0);
    assert_int_equal(il_future_get(future, LATE, NULL), -EPIPE);
    const il_error *error = il_future_error(future);
    assert_non_null(error);
    assert_string_equal(error->message, il_strerror(-EPIPE));
    assert_string_equal(error->task, "quiet");
    assert_string_equal(error->file, "");
    il_future_free(future);
}

static int note_one_and_return_another(void *in, void *out)
{
    (void)in, (void)out;
    il_fail(-EIO, "this is not it");
    return -ENOENT;
}

static void a_note_of_another_status_is_not_the_error(void **state)
{
    il_future *future = NULL;
    assert_int_equal(il_submit(*state, note_one_and_return_another, NULL, 0, 0, NULL, &future), 0);
    assert_int_equal(il_future_get(future, LATE, NULL), -ENOENT);
    assert_string_equal(il_future_error(future)->message, il_strerror(-ENOENT));
    il_future_free(future);
}

/* Waits for a task that fails, and adds words of its own or none. */
struct outer_task {
    il_executor *executor;
    bool adds_words;
};

static int fail_because_of_another(void *in, void *out)
{
    struct outer_task *self = in;
    il_future *inner = NULL;
    (void)out;
    int status = il_submit(self->executor, fail_with_words, NULL, 0, 0,
                           &(il_task_opts){ .name = "inner" }, &inner);
    if (status) return status;
    status = il_future_get(inner, LATE, NULL);
    il_future_free(inner);
    return self->adds_words ? il_fail(status, "loading site") : status;
}

static void error_received_becomes_the_cause(void **state)
{
    il_future *future = NULL;
    struct outer_task task = { *state, true };
    char line[300];
    assert_int_equal(il_submit(*state, fail_because_of_another, &task, sizeof task, 0,
                               &(il_task_opts){ .name = "outer" }, &future),
                     0);
    assert_int_equal(il_future_get(future, LATE, NULL), -ENOENT);

    const il_error *error = il_future_error(future);
    assert_string_equal(error->message, "loading site");
    assert_string_equal(error->task, "outer");
    assert_non_null(error->cause);
    assert_string_equal(error->cause->message, "no such image: a.png");
    assert_string_equal(error->cause->task, "inner");
    il_error_format(error, line, sizeof line);
    assert_non_null(strstr(line, "loading site"));
    assert_non_null(strstr(line, "no such image: a.png"));
    il_future_free(future);
}

static void error_received_is_passed_on_as_it_is(void **state)
{
    il_future *future = NULL;
    struct outer_task task = { *state, false };
    assert_int_equal(
        il_submit(*state, fail_because_of_another, &task, sizeof task, 0, NULL, &future), 0);
    assert_int_equal(il_future_get(future, LATE, NULL), -ENOENT);
    assert_string_equal(il_future_error(future)->message, "no such image: a.png");
    assert_string_equal(il_future_error(future)->task, "inner");
    il_future_free(future);
}

static void getting_a_failure_makes_it_the_last_error(void **state)
{
    il_future *future = NULL;
    assert_int_equal(il_submit(*state, fail_with_words, NULL, 0, 0, NULL, &future), 0);
    assert_int_equal(il_future_get(future, LATE, NULL), -ENOENT);
    il_future_free(future);
    assert_non_null(il_last_error());
    assert_string_equal(il_last_error()->message, "no such image: a.png");
}

static int has_a_note(void *in, void *out)
{
    (void)in, (void)out;
    return il_last_error() ? -EBUSY : 0;
}

static void a_task_begins_without_a_note(void **state)
{
    for (int i = 0; i < 20; i++) {
        il_future *failed = NULL, *fresh = NULL;
        assert_int_equal(il_submit(*state, fail_with_words, NULL, 0, 0, NULL, &failed), 0);
        assert_int_equal(status_of(failed), -ENOENT);
        assert_int_equal(il_submit(*state, has_a_note, NULL, 0, 0, NULL, &fresh), 0);
        assert_int_equal(status_of(fresh), 0);
    }
}

/* --- Retries --------------------------------------------------------------------------------- */

struct attempts {
    int made, fail_first;
    int status;
};

static int attempt(void *in, void *out)
{
    struct attempts *attempts = *(struct attempts **)in;
    (void)out;
    return il__add(&attempts->made, 1) < attempts->fail_first ? attempts->status : 0;
}

static int run_attempts(il_executor *executor, struct attempts *attempts, unsigned retries)
{
    il_future *future = NULL;
    assert_int_equal(il_submit(executor, attempt, &attempts, sizeof attempts, 0,
                               &(il_task_opts){ .retries = retries }, &future),
                     0);
    return status_of(future);
}

static void retries_end_with_the_first_success(void **state)
{
    struct attempts attempts = { .fail_first = 2, .status = -EIO };
    assert_int_equal(run_attempts(*state, &attempts, 5), 0);
    assert_int_equal(attempts.made, 3);
}

static void retries_are_as_many_as_said(void **state)
{
    struct attempts attempts = { .fail_first = 100, .status = -EIO };
    assert_int_equal(run_attempts(*state, &attempts, 3), -EIO);
    assert_int_equal(attempts.made, 4);
}

static void without_retries_a_failure_is_final(void **state)
{
    struct attempts attempts = { .fail_first = 1, .status = -EIO };
    assert_int_equal(run_attempts(*state, &attempts, 0), -EIO);
    assert_int_equal(attempts.made, 1);
}

struct cancelled_attempt {
    il_event begun;
    int made;
};

static int attempt_until_cancelled(void *in, void *out)
{
    struct cancelled_attempt *self = *(struct cancelled_attempt **)in;
    (void)out;
    il__add(&self->made, 1);
    il_event_set(&self->begun);
    il_sleep(LATE);
    return -EIO;
}

static void a_cancelled_task_is_not_retried(void **state)
{
    struct cancelled_attempt task = { 0 }, *pointer = &task;
    il_future *future = NULL;
    assert_int_equal(il_submit(*state, attempt_until_cancelled, &pointer, sizeof pointer, 0,
                               &(il_task_opts){ .retries = 10 }, &future),
                     0);
    il_event_wait(&task.begun);
    assert_int_equal(il_future_cancel(future), 0);
    assert_int_equal(status_of(future), -ECANCELED);
    assert_int_equal(task.made, 1);
}

static void a_task_is_not_retried_after_its_deadline(void **state)
{
    struct cancelled_attempt task = { 0 }, *pointer = &task;
    il_future *future = NULL;
    assert_int_equal(il_submit(*state, attempt_until_cancelled, &pointer, sizeof pointer, 0,
                               &(il_task_opts){ .retries = 10, .deadline = SOON }, &future),
                     0);
    assert_int_equal(status_of(future), -ETIMEDOUT);
    assert_int_equal(task.made, 1);
}

/* --- Deadlines ------------------------------------------------------------------------------- */

static int sleep_late(void *in, void *out)
{
    (void)in, (void)out;
    return il_sleep(LATE);
}

static void deadline_ends_the_wait_of_a_running_task(void **state)
{
    il_time deadline = SOON;
    il_future *future = NULL;
    assert_int_equal(
        il_submit(*state, sleep_late, NULL, 0, 0, &(il_task_opts){ .deadline = deadline }, &future),
        0);
    assert_int_equal(status_of(future), -ETIMEDOUT);
    assert_true(il_now() >= deadline);
}

static int sleep_and_succeed(void *in, void *out)
{
    (void)in, (void)out;
    il_sleep(LATE);
    return 0;
}

static void deadline_does_not_undo_a_success(void **state)
{
    il_future *future = NULL;
    assert_int_equal(il_submit(*state, sleep_and_succeed, NULL, 0, 0,
                               &(il_task_opts){ .deadline = SOON }, &future),
                     0);
    assert_int_equal(status_of(future), 0);
}

static int spin_until_cancelled(void *in, void *out)
{
    (void)in, (void)out;
    while (!il_cancelled()) sched_yield();
    return -EIO;
}

static void deadline_is_seen_by_il_cancelled(void **state)
{
    il_future *future = NULL;
    assert_int_equal(il_submit(*state, spin_until_cancelled, NULL, 0, 0,
                               &(il_task_opts){ .deadline = SOON }, &future),
                     0);
    assert_int_equal(status_of(future), -ETIMEDOUT);
}

static void a_task_past_its_deadline_never_runs(void **state)
{
    int ran = 0, *counter = &ran;
    il_future *future = NULL;
    assert_int_equal(il_submit(*state, count, &counter, sizeof counter, 0,
                               &(il_task_opts){ .deadline = PAST }, &future),
                     0);
    assert_int_equal(status_of(future), -ETIMEDOUT);
    assert_int_equal(ran, 0);
}

static void deadline_that_passes_while_pending_is_etimedout(void **state)
{
    struct occupation job;
    int ran = 0, *counter = &ran;
    il_future *busy = occupy_worker(*state, &job), *future = NULL;
    il_time deadline = SOON;
    assert_int_equal(il_submit(*state, count, &counter, sizeof counter, 0,
                               &(il_task_opts){ .deadline = deadline }, &future),
                     0);
    il_sleep(deadline);
    release_worker(&job, busy);
    assert_int_equal(status_of(future), -ETIMEDOUT);
    assert_int_equal(ran, 0);
}

/* --- Order ----------------------------------------------------------------------------------- */

enum { MOST = 2000 };

struct diary {
    int count;
    int entries[MOST];
};

struct entry {
    struct diary *diary;
    int number;
};

static int write_entry(void *in, void *out)
{
    struct entry *entry = in;
    (void)out;
    entry->diary->entries[il__add(&entry->diary->count, 1)] = entry->number;
    return 0;
}

static int submit_entry(il_executor *executor, struct diary *diary, int number, int priority)
{
    struct entry entry = { diary, number };
    return il_submit(executor, write_entry, &entry, sizeof entry, 0,
                     &(il_task_opts){ .priority = priority }, NULL);
}

static void order_is_first_in_first_out(void **state)
{
    struct diary diary = { 0 };
    struct occupation job;
    il_future *busy = occupy_worker(*state, &job);
    for (int i = 0; i < MOST; i++) assert_int_equal(submit_entry(*state, &diary, i, 0), 0);
    release_worker(&job, busy);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    for (int i = 0; i < MOST; i++) assert_int_equal(diary.entries[i], i);
}

static void urgent_goes_first_and_lazy_last(void **state)
{
    struct diary diary = { 0 };
    struct occupation job;
    il_future *busy = occupy_worker(*state, &job);
    for (int i = 0; i < 300; i++) {
        static const int priorities[] = { -1, 0, 1 };
        assert_int_equal(submit_entry(*state, &diary, i, priorities[i % 3]), 0);
    }
    release_worker(&job, busy);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(diary.entries[i], 3 * i + 2);
        assert_int_equal(diary.entries[100 + i], 3 * i + 1);
        assert_int_equal(diary.entries[200 + i], 3 * i);
    }
}

static int submit_entries_from_inside(void *in, void *out)
{
    struct entry *entry = in;
    (void)out;
    il_executor *here = (il_executor *)il__self()->executor;
    for (int i = 0; i < 90; i++) {
        int status = submit_entry(here, entry->diary, i, i % 3 - 1);
        if (status) return status;
    }
    return 0;
}

static void priority_holds_for_tasks_of_the_pool(void **state)
{
    struct diary diary = { 0 };
    struct entry entry = { &diary, 0 };
    il_future *future = NULL;
    assert_int_equal(
        il_submit(*state, submit_entries_from_inside, &entry, sizeof entry, 0, NULL, &future), 0);
    assert_int_equal(status_of(future), 0);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(diary.count, 90);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(diary.entries[i], 3 * i + 2);
        assert_int_equal(diary.entries[60 + i], 3 * i);
    }
}

/* --- Queue limit ----------------------------------------------------------------------------- */

static il_executor *limited_pool(unsigned workers, unsigned limit)
{
    il_executor *pool = NULL;
    il_threads_opts opts = { .workers = workers, .queue_limit = limit };
    assert_int_equal(il_threads_new(&opts, &pool), 0);
    return pool;
}

/* Submit until it is refused; returns how many were taken. */
static int fill(il_executor *pool, int *counter, int most, int *out_status)
{
    int taken = 0;
    while (taken < most &&
           !(*out_status = il_submit(pool, count, &counter, sizeof counter, 0, NULL, NULL)))
        taken++;
    return taken;
}

static void beyond_the_queue_limit_submit_is_eagain(void **state)
{
    int ran = 0, status = 0;
    struct occupation job;
    il_executor *pool = limited_pool(1, 4);
    (void)state;
    il_future *busy = occupy_worker(pool, &job);

    assert_int_equal(fill(pool, &ran, 100, &status), 4);
    assert_int_equal(status, -EAGAIN);

    release_worker(&job, busy);
    assert_int_equal(il_executor_close(pool, LATE), 0);
    assert_int_equal(ran, 4);
    il_executor_free(pool);
}

static void queue_limit_counts_every_task_not_yet_started(void **state)
{
    int ran = 0, status = 0;
    struct occupation first, second, *pointer = &second;
    il_executor *pool = limited_pool(1, 4);
    il_future *also_busy = NULL;
    (void)state;
    il_future *busy = occupy_worker(pool, &first);
    second = (struct occupation){ false, false };
    assert_int_equal(il_submit(pool, occupy, &pointer, sizeof pointer, 0, NULL, &also_busy), 0);
    assert_int_equal(fill(pool, &ran, 3, &status), 3);

    release_worker(&first, busy);
    until_true(&second.begun); /* now three have not started: there is room for one */
    assert_int_equal(fill(pool, &ran, 100, &status), 1);
    assert_int_equal(status, -EAGAIN);

    release_worker(&second, also_busy);
    assert_int_equal(il_executor_close(pool, LATE), 0);
    assert_int_equal(ran, 4);
    il_executor_free(pool);
}

struct filler {
    il_executor *pool;
    int *counter;
    int taken;
};

static int fill_from_beside(void *in, void *out)
{
    struct filler *filler = in;
    int status;
    (void)out;
    filler->taken = fill(filler->pool, filler->counter, 1000, &status);
    return 0;
}

static void queue_limit_holds_for_many_callers(void **state)
{
    enum { CALLERS = 4 };
    (void)state;
    for (int round = 0; round < 50; round++) {
        int ran = 0, taken = 0;
        struct occupation job;
        il_executor *pool = limited_pool(1, 10);
        struct filler fillers[CALLERS];
        struct crew crew;
        il_future *busy = occupy_worker(pool, &job);
        crew_open(&crew, NULL);
        for (int i = 0; i < CALLERS; i++) {
            fillers[i] = (struct filler){ .pool = pool, .counter = &ran };
            crew_add(&crew, fill_from_beside, &fillers[i]);
        }
        assert_int_equal(crew_join(&crew), 0);
        for (int i = 0; i < CALLERS; i++) taken += fillers[i].taken;
        assert_int_equal(taken, 10);
        release_worker(&job, busy);
        il_executor_free(pool);
    }
}

static int fill_from_inside(void *in, void *out)
{
    int status, *counter = *(int **)in;
    (void)out;
    return fill((il_executor *)il__self()->executor, counter, 1000, &status) == 1000 ? 0 : -EIO;
}

static void queue_limit_does_not_bind_tasks_of_the_pool(void **state)
{
    int ran = 0;
    il_executor *pool = limited_pool(2, 1);
    (void)state;
    il_future *future = submit_pointer(pool, fill_from_inside, &ran);
    assert_int_equal(status_of(future), 0);
    assert_int_equal(il_executor_close(pool, LATE), 0);
    assert_int_equal(ran, 1000);
    il_executor_free(pool);
}

/* --- Closing --------------------------------------------------------------------------------- */

static void submit_after_close_returns_eshutdown(void **state)
{
    int ran = 0, *counter = &ran;
    il_future *future = NULL;
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(il_submit(*state, count, &counter, sizeof counter, 0, NULL, &future),
                     -ESHUTDOWN);
    assert_null(future);
    assert_int_equal(ran, 0);
}

struct in_place {
    il_executor *here;
    struct occupation job;
};

static int occupy_in_place(void *in, void *out)
{
    struct in_place *in_place = in;
    struct occupation *job = &in_place->job;
    return il_submit(in_place->here, occupy, &job, sizeof job, 0, NULL, NULL);
}

static void let_it_end(void *job)
{
    il__store_release(&((struct occupation *)job)->enough, true);
}

/* The task ends when close is about to park. */
static void close_in_place_waits_for_the_task_of_another_thread(void **state)
{
    struct in_place in_place = { .job = { false, false } };
    struct crew crew;
    assert_int_equal(il_inline_new(&in_place.here), 0);
    crew_open(&crew, NULL);
    crew_add(&crew, occupy_in_place, &in_place);
    until_true(&in_place.job.begun);
    step_in(IL__PROBE_WAIT, NULL, let_it_end, &in_place.job);
    int status = il_executor_close(in_place.here, LATE);
    il__store(&il__probe_listener, NULL);
    let_it_end(&in_place.job);
    assert_int_equal(crew_join(&crew), 0);
    il_executor_free(in_place.here);
    assert_int_equal(status, 0);
}

static void close_again_is_fine(void **state)
{
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(il_executor_close(*state, IL_NOW), 0);
}

static int close_from_inside(void *in, void *out)
{
    (void)out;
    return il_executor_close(*(il_executor **)in, IL_FOREVER);
}

static void close_inside_a_task_returns_edeadlk(void **state)
{
    assert_int_equal(status_of(submit_pointer(*state, close_from_inside, *state)), -EDEADLK);
    assert_int_equal(status_of(submit_pointer(*state, close_from_inside, *state)), -EDEADLK);
}

/* A task of another executor, in place, inside a task of the pool. */
static int close_from_further_inside(void *in, void *out)
{
    il_executor *here = NULL;
    il_future *future = NULL;
    (void)out;
    int status = il_inline_new(&here);
    if (status) return status;
    status = il_submit(here, close_from_inside, in, sizeof(il_executor *), 0, NULL, &future);
    if (!status) status = il_future_get(future, LATE, NULL);
    il_future_free(future);
    il_executor_free(here);
    return status;
}

static void close_further_inside_a_task_returns_edeadlk(void **state)
{
    assert_int_equal(status_of(submit_pointer(*state, close_from_further_inside, *state)),
                     -EDEADLK);
}

static void close_waits_until_its_deadline_and_can_be_called_again(void **state)
{
    il_event go_on = { 0 };
    il_future *future = submit_pointer(*state, await, &go_on);
    il_time until = SOON;

    assert_int_equal(il_executor_close(*state, IL_NOW), -EAGAIN);
    assert_int_equal(il_executor_close(*state, until), -ETIMEDOUT);
    assert_true(il_now() >= until);
    assert_false(il_future_done(future));

    il_event_set(&go_on);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_true(il_future_done(future));
    assert_int_equal(status_of(future), 0);
}

struct closer {
    il_executor *executor;
    il_event *begun;
};

static int close_another(void *in, void *out)
{
    struct closer *closer = in;
    (void)out;
    il_event_set(closer->begun);
    return il_executor_close(closer->executor, LATE);
}

static void close_can_be_cancelled(void **state)
{
    il_event go_on = { 0 }, begun = { 0 };
    il_executor *other = pool_of(1);
    struct closer closer = { *state, &begun };
    il_future *waits = submit_pointer(*state, await, &go_on), *closes = NULL;
    assert_int_equal(il_submit(other, close_another, &closer, sizeof closer, 0, NULL, &closes), 0);

    il_event_wait(&begun);
    assert_int_equal(il_future_cancel(closes), 0);
    assert_int_equal(status_of(closes), -ECANCELED);

    il_event_set(&go_on);
    assert_int_equal(status_of(waits), 0);
    il_executor_free(other);
}

struct grower {
    il_executor *executor;
    il_event *closed;
    int *ran;
    int generations;
};

static int grow(void *in, void *out)
{
    struct grower self = *(struct grower *)in;
    (void)out;
    il_event_wait(self.closed);
    il__add(self.ran, 1);
    if (!--self.generations) return 0;
    return il_submit(self.executor, grow, &self, sizeof self, 0, NULL, NULL);
}

static void what_runs_may_still_submit_and_close_waits_for_that(void **state)
{
    il_event closed = { 0 };
    int ran = 0;
    struct grower first = { *state, &closed, &ran, 100 };
    assert_int_equal(il_submit(*state, grow, &first, sizeof first, 0, NULL, NULL), 0);
    assert_int_equal(il_executor_close(*state, IL_NOW), -EAGAIN);
    il_event_set(&closed);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(ran, 100);
}

/* Two tasks that end at the same moment: one of them has to see that they were the last. */
static void close_is_woken_by_the_last_of_several_that_end_at_once(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        il_executor *pool = pool_of(2);
        il_event go_on = { 0 };
        il_future *futures[4];
        for (int i = 0; i < 4; i++) futures[i] = submit_pointer(pool, await, &go_on);
        il_event_set(&go_on);
        assert_int_equal(il_executor_close(pool, LATE), 0);
        for (int i = 0; i < 4; i++) assert_int_equal(status_of(futures[i]), 0);
        il_executor_free(pool);
    }
}

/* --- Freeing --------------------------------------------------------------------------------- */

static void free_cancels_what_waits_and_joins_it(void **state)
{
    enum { TASKS = 20 };
    (void)state;
    il_executor *pool = pool_of(2);
    il_event never = { 0 };
    il_future *futures[TASKS];
    for (int i = 0; i < TASKS; i++) futures[i] = submit_pointer(pool, await, &never);
    until_waiting(&never.gate, 1);
    il_executor_free(pool);
    for (int i = 0; i < TASKS; i++) {
        assert_true(il_future_done(futures[i]));
        assert_int_equal(status_of(futures[i]), -ECANCELED);
    }
}

struct end_of_pool {
    il_executor *pool;
    struct occupation job;
};

static int free_pool_beside(void *in, void *out)
{
    (void)out;
    il_executor_free(((struct end_of_pool *)in)->pool);
    return 0;
}

static void what_has_not_started_when_freed_never_runs(void **state)
{
    enum { TASKS = 50 };
    struct end_of_pool end = { .pool = pool_of(1) };
    int ran = 0;
    il_future *futures[TASKS];
    struct crew crew;
    (void)state;
    il_future *busy = occupy_worker(end.pool, &end.job);
    for (int i = 0; i < TASKS; i++) futures[i] = submit_pointer(end.pool, count, &ran);

    crew_open(&crew, NULL);
    crew_add(&crew, free_pool_beside, &end);
    while (!il__load_acquire(&end.pool->cancel.status)) sched_yield();
    release_worker(&end.job, busy);
    assert_int_equal(crew_join(&crew), 0);

    assert_int_equal(ran, 0);
    for (int i = 0; i < TASKS; i++) assert_int_equal(status_of(futures[i]), -ECANCELED);
}

static void free_null_is_fine(void **state)
{
    (void)state;
    il_executor_free(NULL);
}

static int free_from_inside(void *in, void *out)
{
    (void)out;
    il_executor_free(*(il_executor **)in);
    return 0;
}

static void free_inline_inside(void)
{
    il_executor *here = NULL;
    il_inline_new(&here);
    il_submit(here, free_from_inside, &here, sizeof here, 0, NULL, NULL);
}

static void free_pool_inside(void)
{
    il_executor *pool = NULL;
    il_threads_new(&(il_threads_opts){ .workers = 1 }, &pool);
    il_submit(pool, free_from_inside, &pool, sizeof pool, 0, NULL, NULL);
    for (;;) pause();
}

static void free_inside_a_task_is_fatal(void **state)
{
    (void)state;
    assert_fatal(free_inline_inside, "il_executor_free called by a task");
    assert_fatal(free_pool_inside, "il_executor_free called by a task");
}

/* --- Workers --------------------------------------------------------------------------------- */

static void no_workers_asked_for_are_as_many_as_cpus(void **state)
{
    il_executor_info info;
    (void)state;
    il_executor *pool = pool_of(0);
    il_executor_describe(pool, &info);
    assert_int_equal(info.workers, il_cpu_count(NULL));
    il_executor_free(pool);
}

static void more_workers_than_there_can_be_is_einval(void **state)
{
    il_executor *pool = NULL;
    (void)state;
    assert_int_equal(il_threads_new(&(il_threads_opts){ .workers = 1000000 }, &pool), -EINVAL);
    assert_null(pool);
}

/* Meet in twos, threes...: only as many tasks can do that without waiting as there are workers. */
struct meeting {
    int present, wanted;
};

static int meet(void *in, void *out)
{
    struct meeting *meeting = *(struct meeting **)in;
    (void)out;
    il__add(&meeting->present, 1);
    while (il__load_acquire(&meeting->present) < meeting->wanted) sched_yield();
    return 0;
}

static void all_workers_run_at_the_same_time(void **state)
{
    il_executor_info info;
    il_future *futures[8];
    il_executor_describe(*state, &info);
    struct meeting meeting = { .wanted = (int)info.workers };
    for (unsigned i = 0; i < info.workers; i++) futures[i] = submit_pointer(*state, meet, &meeting);
    for (unsigned i = 0; i < info.workers; i++) assert_int_equal(status_of(futures[i]), 0);
}

struct hooks {
    int started, ended;
    int refuse; /* the start that fails, 0: none */
};

static int on_start(void *arg)
{
    struct hooks *hooks = arg;
    return il__add(&hooks->started, 1) + 1 == hooks->refuse ? -EACCES : 0;
}

static void on_end(void *arg)
{
    il__add(&((struct hooks *)arg)->ended, 1);
}

static int new_with_hooks(struct hooks *hooks, unsigned workers, il_executor **out_pool)
{
    il_threads_opts opts = {
        .workers = workers,
        .on_worker_start = on_start,
        .on_worker_end = on_end,
        .arg = hooks,
    };
    return il_threads_new(&opts, out_pool);
}

static void hooks_are_called_once_on_each_worker(void **state)
{
    struct hooks hooks = { 0 };
    il_executor *pool = NULL;
    (void)state;
    assert_int_equal(new_with_hooks(&hooks, 5, &pool), 0);
    assert_int_equal(hooks.started, 5);
    assert_int_equal(il__load(&hooks.ended), 0);
    il_executor_free(pool);
    assert_int_equal(hooks.started, 5);
    assert_int_equal(hooks.ended, 5);
}

static void a_worker_that_fails_to_start_fails_the_pool(void **state)
{
    (void)state;
    for (int refuse = 1; refuse <= 4; refuse++) {
        size_t before = il_thread_list(NULL, 0);
        struct hooks hooks = { .refuse = refuse };
        il_executor *pool = NULL;
        assert_int_equal(new_with_hooks(&hooks, 4, &pool), -EACCES);
        assert_null(pool);
        assert_int_equal(hooks.started, refuse);
        assert_int_equal(hooks.ended, refuse - 1);
        assert_int_equal(il_thread_list(NULL, 0), before);
    }
}

static void workers_are_named_after_their_pool(void **state)
{
    il_executor *pool = NULL;
    il_info infos[20];
    int found = 0;
    char name[] = "kitchen";
    (void)state;
    assert_int_equal(il_threads_new(&(il_threads_opts){ .workers = 2, .name = name }, &pool), 0);
    name[0] = 'x'; /* copied */
    size_t count = il_thread_list(infos, 20);
    for (size_t i = 0; i < count; i++)
        found += !strcmp(infos[i].name, "kitchen/0") + 2 * !strcmp(infos[i].name, "kitchen/1");
    assert_int_equal(found, 3);
    il_executor_free(pool);
}

static void describe_tells_kind_name_and_workers(void **state)
{
    il_executor *pool = NULL, *here = NULL;
    il_executor_info info;
    (void)state;
    assert_int_equal(il_threads_new(&(il_threads_opts){ .workers = 3, .name = "three" }, &pool), 0);
    il_executor_describe(pool, &info);
    assert_string_equal(info.kind, "threads");
    assert_string_equal(info.name, "three");
    assert_int_equal(info.workers, 3);
    il_executor_free(pool);

    assert_int_equal(il_inline_new(&here), 0);
    il_executor_describe(here, &info);
    assert_string_equal(info.kind, "inline");
    assert_int_equal(info.workers, 0);
    il_executor_free(here);
}

static void describe_counts_tasks_begun(void **state)
{
    il_executor_info info;
    int ran = 0;
    for (int i = 0; i < 10; i++)
        assert_int_equal(status_of(submit_pointer(*state, count, &ran)), 0);
    il_executor_describe(*state, &info);
    assert_int_equal(info.started, 10);
}

static void describe_counts_tasks_that_parked(void **state)
{
    il_executor_info info;
    il_event go_on = { 0 };
    il_future *futures[10];
    for (int i = 0; i < 10; i++) futures[i] = submit_pointer(*state, await, &go_on);
    until_waiting(&go_on.gate, 10);
    il_event_set(&go_on);
    for (int i = 0; i < 10; i++) assert_int_equal(status_of(futures[i]), 0);
    il_executor_describe(*state, &info);
    assert_int_equal(info.parked, 10);
}

static int who_am_i(void *in, void *out)
{
    (void)in;
    il_self(out);
    return 0;
}

static void a_task_has_its_name_and_a_parent(void **state)
{
    il_info me, task;
    il_future *future = NULL;
    il_self(&me);
    assert_int_equal(il_submit(*state, who_am_i, NULL, 0, sizeof task,
                               &(il_task_opts){ .name = "asks" }, &future),
                     0);
    assert_int_equal(il_future_get(future, LATE, &task), 0);
    il_future_free(future);
    assert_int_equal(task.kind, IL_FIBER);
    assert_int_equal(task.state, IL_RUNNING);
    assert_string_equal(task.name, "asks");
    assert_int_equal(task.parent, me.id);
    assert_int_not_equal(task.id, me.id);
    assert_int_not_equal(task.kernel_id, 0);
}

/* --- Fairness -------------------------------------------------------------------------------- */

static int yield_until(void *in, void *out)
{
    bool *flag = *(bool **)in;
    (void)out;
    while (!il__load_acquire(flag)) il_yield();
    return 0;
}

static int raise_flag(void *in, void *out)
{
    (void)out;
    il__store_release(*(bool **)in, true);
    return 0;
}

static void fibers_that_yield_do_not_starve_what_comes_from_outside(void **state)
{
    for (int fibers = 1; fibers <= 5; fibers++) {
        il_future *futures[5];
        bool flag = false;
        for (int i = 0; i < fibers; i++) futures[i] = submit_pointer(*state, yield_until, &flag);
        assert_int_equal(status_of(submit_pointer(*state, raise_flag, &flag)), 0);
        for (int i = 0; i < fibers; i++) assert_int_equal(status_of(futures[i]), 0);
    }
}

static void fibers_that_yield_do_not_starve_timers(void **state)
{
    bool flag = false;
    il_future *futures[3], *sleeper = NULL;
    for (int i = 0; i < 3; i++) futures[i] = submit_pointer(*state, yield_until, &flag);
    assert_int_equal(
        il_submit(*state, sleep_late, NULL, 0, 0, &(il_task_opts){ .deadline = SOON }, &sleeper),
        0);
    assert_int_equal(status_of(sleeper), -ETIMEDOUT);
    il__store_release(&flag, true);
    for (int i = 0; i < 3; i++) assert_int_equal(status_of(futures[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_EXECUTOR(submit_gives_the_result),
        EACH_EXECUTOR(submit_copies_its_input),
        EACH_EXECUTOR(output_is_zeroed_before_the_task),
        EACH_EXECUTOR(input_and_output_are_aligned_for_any_type),
        EACH_EXECUTOR(no_input_and_no_output_are_null),
        EACH_EXECUTOR(submit_without_a_future_runs_all_the_same),
        EACH_EXECUTOR(arguments_that_cannot_be_right_are_einval),
        EACH_EXECUTOR(tasks_may_submit_and_wait_for_tasks),
        EACH_EXECUTOR(many_threads_may_submit),
        EACH_EXECUTOR(a_task_may_submit_more_than_a_queue_holds),
        EACH_EXECUTOR(status_of_the_task_comes_back),
        EACH_EXECUTOR(out_is_untouched_when_the_task_failed),
        EACH_EXECUTOR(failure_carries_words_place_and_task),
        EACH_EXECUTOR(failure_without_words_has_those_of_its_status),
        EACH_EXECUTOR(a_note_of_another_status_is_not_the_error),
        EACH_EXECUTOR(error_received_becomes_the_cause),
        EACH_EXECUTOR(error_received_is_passed_on_as_it_is),
        EACH_EXECUTOR(getting_a_failure_makes_it_the_last_error),
        EACH_EXECUTOR(a_task_begins_without_a_note),
        EACH_EXECUTOR(retries_end_with_the_first_success),
        EACH_EXECUTOR(retries_are_as_many_as_said),
        EACH_EXECUTOR(without_retries_a_failure_is_final),
        EACH_POOL(a_cancelled_task_is_not_retried),
        EACH_EXECUTOR(a_task_is_not_retried_after_its_deadline),
        EACH_EXECUTOR(deadline_ends_the_wait_of_a_running_task),
        EACH_EXECUTOR(deadline_does_not_undo_a_success),
        EACH_EXECUTOR(deadline_is_seen_by_il_cancelled),
        EACH_EXECUTOR(a_task_past_its_deadline_never_runs),
        ONE_WORKER(deadline_that_passes_while_pending_is_etimedout),
        ONE_WORKER(order_is_first_in_first_out),
        ONE_WORKER(urgent_goes_first_and_lazy_last),
        ONE_WORKER(priority_holds_for_tasks_of_the_pool),
        cmocka_unit_test(beyond_the_queue_limit_submit_is_eagain),
        cmocka_unit_test(queue_limit_counts_every_task_not_yet_started),
        cmocka_unit_test(queue_limit_holds_for_many_callers),
        cmocka_unit_test(queue_limit_does_not_bind_tasks_of_the_pool),
        EACH_EXECUTOR(submit_after_close_returns_eshutdown),
        cmocka_unit_test(close_in_place_waits_for_the_task_of_another_thread),
        EACH_EXECUTOR(close_again_is_fine),
        EACH_EXECUTOR(close_inside_a_task_returns_edeadlk),
        EACH_EXECUTOR(close_further_inside_a_task_returns_edeadlk),
        EACH_POOL(close_waits_until_its_deadline_and_can_be_called_again),
        EACH_POOL(close_can_be_cancelled),
        EACH_POOL(what_runs_may_still_submit_and_close_waits_for_that),
        cmocka_unit_test(close_is_woken_by_the_last_of_several_that_end_at_once),
        cmocka_unit_test(free_cancels_what_waits_and_joins_it),
        cmocka_unit_test(what_has_not_started_when_freed_never_runs),
        cmocka_unit_test(free_null_is_fine),
        cmocka_unit_test(free_inside_a_task_is_fatal),
        cmocka_unit_test(no_workers_asked_for_are_as_many_as_cpus),
        cmocka_unit_test(more_workers_than_there_can_be_is_einval),
        EACH_POOL(all_workers_run_at_the_same_time),
        cmocka_unit_test(hooks_are_called_once_on_each_worker),
        cmocka_unit_test(a_worker_that_fails_to_start_fails_the_pool),
        cmocka_unit_test(workers_are_named_after_their_pool),
        cmocka_unit_test(describe_tells_kind_name_and_workers),
        EACH_EXECUTOR(describe_counts_tasks_begun),
        EACH_POOL(describe_counts_tasks_that_parked),
        EACH_POOL(a_task_has_its_name_and_a_parent),
        EACH_POOL(fibers_that_yield_do_not_starve_what_comes_from_outside),
        EACH_POOL(fibers_that_yield_do_not_starve_timers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
