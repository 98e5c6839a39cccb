/* SPDX-License-Identifier: MIT */
/*
 * The nth resource is refused, for every n: memory, pages, threads, guards. Whatever was going on
 * then ends with a status, or manages without; nothing hangs, nothing leaks (ASan watches), and
 * the pool works afterwards.
 */

#include "../unit/work.h"

#include "base/memory.h"

enum { MOST = 5000 }; /* refusals to try: more than any operation here asks for */

/* Do it with the nth resource refused, for n = 1, 2, ... until it asks for fewer than n. `after`
 * checks, with nothing refused, that the world is in order. Returns how many were asked for. */
static unsigned long refuse_each(int (*operation)(void *), int (*after)(void *), void *arg)
{
    for (unsigned long n = 1; n < MOST; n++) {
        il__refuse(n);
        int status = operation(arg);
        unsigned long asked = il__refuse(0);
        assert_true(status <= 0);
        assert_int_equal(after(arg), 0);
        if (asked < n) {
            assert_int_equal(status, 0);
            return asked;
        }
    }
    fail_msg("%d refusals and no end", MOST);
    return 0;
}

static int sum_on(il_executor *executor)
{
    long in[100], out[100], sum = 0;
    for (long i = 0; i < 100; i++) in[i] = i;
    int status = il_map(executor, square, in, out, 100, NULL);
    for (long i = 0; i < 100 && !status; i++) sum += out[i];
    return status ? status : sum == 328350 ? 0 : -EBADMSG;
}

static int works(void *executor)
{
    return sum_on(executor);
}

static int no_check(void *unused)
{
    (void)unused;
    return 0;
}

/* --- Operations ------------------------------------------------------------------------------ */

static int open_and_close(void *unused)
{
    (void)unused;
    il_executor *pool = NULL;
    int status = il_threads_new(&(il_threads_opts){ .workers = 3, .name = "three" }, &pool);
    if (!status) il_executor_free(pool);
    return status;
}

static int submit_and_get(void *executor)
{
    il_future *future = NULL;
    long n = 7, result = 0;
    int status = il_submit(executor, square, &n, sizeof n, sizeof n, NULL, &future);
    if (!status) status = il_future_get(future, LATE, &result);
    il_future_free(future);
    return status ? status : result == 49 ? 0 : 1;
}

static int wait_for_child(void *in, void *out)
{
    (void)out;
    return submit_and_get(*(il_executor **)in);
}

/* A task that waits for a task: it parks, so the worker needs another stack. */
static int submit_nested(void *executor)
{
    il_future *future = NULL;
    int status = il_submit(executor, wait_for_child, &executor, sizeof executor, 0, NULL, &future);
    if (!status) status = il_future_get(future, LATE, NULL);
    il_future_free(future);
    return status;
}

static int go_several(void *executor)
{
    il_scope *scope = NULL;
    long in[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, out[8];
    int status = il_scope_open(&(il_scope_opts){ .executor = executor }, &scope);
    if (status) return status;
    for (int i = 0; i < 8 && !status; i++) status = il_go(scope, square, &in[i], &out[i]);
    int closed = il_scope_close(scope);
    return status ? status : closed;
}

static int fail_in_scope(void *executor)
{
    il_scope *scope = NULL;
    static int wrong = -EIO;
    int status = il_scope_open(&(il_scope_opts){ .executor = executor }, &scope);
    if (status) return status;
    int *pointer = &wrong;
    il_future *future = NULL;
    status = il_submit(executor, give, pointer, sizeof *pointer, 0, NULL, &future);
    il_future_free(future);
    int closed = il_scope_close(scope);
    if (status) return status;
    return closed == -EIO ? 0 : closed < 0 ? closed : 1;
}

static int fail_with_words(void *in, void *out)
{
    (void)out;
    return il_fail(-EIO, "words of %s", (const char *)in);
}

static int error_with_words(void *executor)
{
    il_future *future = NULL;
    char who[] = "a task";
    int status = il_submit(executor, fail_with_words, who, sizeof who, 0, NULL, &future);
    if (status) return status;
    status = il_future_get(future, LATE, NULL);
    const il_error *error = il_future_error(future);
    /* The status is right in any case; only the words may be missing. */
    bool right = error && (status == -ENOMEM || (status == -EIO && error->status == -EIO) ||
                           (status == -EIO && error->status == -ENOMEM));
    il_future_free(future);
    return !right ? 1 : status == -EIO ? 0 : status;
}

static int map_many(void *executor)
{
    static long in[500], out[500];
    for (long i = 0; i < 500; i++) in[i] = i;
    int status = il_map(executor, square, in, out, 500, NULL);
    for (long i = 0; i < 500 && !status; i++)
        if (out[i] != i * i) return 1;
    return status;
}

static int next_of_ten(void *in, void *arg)
{
    *(long *)in = *(long *)arg;
    return ++*(long *)arg <= 10;
}

static int keep(const void *in, const void *out, int status, void *arg)
{
    (void)in, (void)out, (void)arg;
    return status;
}

static int stream_ten(void *executor)
{
    long count = 0;
    il_stream stream = { next_of_ten, keep, &count, sizeof(long), sizeof(long), 4 };
    return il_map_stream(executor, square, &stream, NULL);
}

static int chain(void *executor)
{
    il_future *first = NULL, *second = NULL;
    long n = 3, result = 0;
    int status = il_submit(executor, square, &n, sizeof n, sizeof n, NULL, &first);
    if (!status)
        status = il_future_then(first, executor,
                                &(il_chain){ .then = square, .out_size = sizeof n }, &second);
    if (!status) status = il_future_get(second, LATE, &result);
    il_future_free(first);
    il_future_free(second);
    return status ? status : result == 81 ? 0 : 1;
}

static int wait_for_any_of_many(void *executor)
{
    enum { MANY = 20 };
    il_future *futures[MANY] = { 0 };
    long n = 3;
    int status = 0;
    for (int i = 0; i < MANY && !status; i++)
        status = il_submit(executor, square, &n, sizeof n, sizeof n, NULL, &futures[i]);
    if (!status) status = il_futures_wait(futures, MANY, IL_ANY, LATE);
    for (int i = 0; i < MANY; i++) il_future_free(futures[i]);
    return status;
}

static int start_thread(void *unused)
{
    (void)unused;
    il_thread thread = { 0 };
    long n = 5, result = 0;
    int status = il_thread_start(&thread, square, &n, &result, NULL);
    if (!status) status = il_thread_join(&thread, LATE);
    return status ? status : result == 25 ? 0 : 1;
}

static int sort_by_forks(void *in, void *out)
{
    long n = *(long *)in, below = n - 1, a, b;
    if (n < 2) {
        *(long *)out = 1;
        return 0;
    }
    il_fork left;
    il_fork_start(&left, sort_by_forks, &below, &a);
    int right = sort_by_forks(&below, &b);
    if (n % 3 == 0) il_yield(); /* parks: its forks go to the run queue */
    int status = il_fork_join(&left);
    *(long *)out = a + b;
    return status ? status : right;
}

static int fork_and_yield(void *executor)
{
    il_future *future = NULL;
    long n = 7, leaves = 0;
    int status = il_submit(executor, sort_by_forks, &n, sizeof n, sizeof n, NULL, &future);
    if (!status) status = il_future_get(future, LATE, &leaves);
    il_future_free(future);
    return status ? status : leaves == 64 ? 0 : 1;
}

/* --- Claims ---------------------------------------------------------------------------------- */

static void pool_that_cannot_be_made_leaves_nothing_behind(void **state)
{
    (void)state;
    size_t threads = il_thread_list(NULL, 0);
    assert_true(refuse_each(open_and_close, no_check, NULL) > 8);
    assert_int_equal(il_thread_list(NULL, 0), threads);
}

static void thread_that_cannot_be_started_can_be_started_later(void **state)
{
    (void)state;
    assert_true(refuse_each(start_thread, no_check, NULL) >= 2);
}

#define CLAIM(name, operation)                                                                     \
    static void name(void **state)                                                                 \
    {                                                                                              \
        assert_true(refuse_each(operation, works, *state) >= 1);                                   \
    }

CLAIM(submit_fails_or_runs, submit_and_get)
CLAIM(task_that_parks_fails_or_goes_on, submit_nested)
CLAIM(go_fails_or_runs, go_several)
CLAIM(failure_in_a_scope_is_not_lost, fail_in_scope)
CLAIM(error_keeps_its_status_without_memory_for_words, error_with_words)
CLAIM(map_fails_or_is_whole, map_many)
CLAIM(stream_fails_or_is_whole, stream_ten)
CLAIM(chain_fails_or_runs, chain)
CLAIM(wait_for_many_fails_or_waits, wait_for_any_of_many)
CLAIM(forks_fail_or_run, fork_and_yield)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_that_cannot_be_made_leaves_nothing_behind),
        cmocka_unit_test(thread_that_cannot_be_started_can_be_started_later),
        EACH_EXECUTOR(submit_fails_or_runs),
        EACH_EXECUTOR(task_that_parks_fails_or_goes_on),
        EACH_EXECUTOR(go_fails_or_runs),
        EACH_EXECUTOR(failure_in_a_scope_is_not_lost),
        EACH_EXECUTOR(error_keeps_its_status_without_memory_for_words),
        EACH_EXECUTOR(map_fails_or_is_whole),
        EACH_EXECUTOR(stream_fails_or_is_whole),
        EACH_EXECUTOR(chain_fails_or_runs),
        EACH_EXECUTOR(wait_for_many_fails_or_waits),
        EACH_EXECUTOR(forks_fail_or_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
