/* SPDX-License-Identifier: MIT */
/* The processes executor: what crosses, what a death costs, what is stopped, what is left behind. */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <interlock/processes.h>

#include "task/executor.h"
#include "work.h"

/* --- Pools ------------------------------------------------------------------------------------ */

static size_t descriptors(void)
{
    size_t open = 0;
    for (int i = 0; i < 1000; i++) open += fcntl(i, F_GETFD) >= 0;
    return open;
}

static size_t descriptors_before;

static int open_pool(void **state)
{
    static const unsigned workers[] = { 1, 2 };
    il_executor *pool = NULL;
    threads_before = il_thread_list(NULL, 0);
    descriptors_before = descriptors();
    int status = il_processes_new(
        &(il_processes_opts){ .workers = *state ? workers[1] : workers[0], .name = "test" }, &pool);
    *state = pool;
    return status;
}

/* Nothing may be left: no thread, no descriptor, no child. */
static int free_pool(void **state)
{
    il_executor_free(*state);
    bool children = waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD;
    return il_thread_list(NULL, 0) != threads_before || descriptors() != descriptors_before ||
           children;
}

static il_executor *pool_with(const il_processes_opts *opts)
{
    il_executor *pool = NULL;
    assert_int_equal(il_processes_new(opts, &pool), 0);
    return pool;
}

static il_future *submit(il_executor *pool, il_fn *fn, const void *in, size_t size)
{
    il_future *future = NULL;
    assert_int_equal(
        il_submit(pool, fn, in, size, sizeof(long), &(il_task_opts){ .name = "t" }, &future), 0);
    return future;
}

static long run_long(il_executor *pool, il_fn *fn, long n)
{
    long result = -1;
    il_future *future = submit(pool, fn, &n, sizeof n);
    int status = il_future_get(future, LATE, &result);
    il_future_free(future);
    if (status) fail_msg("%s", il_strerror(status));
    return result;
}

/* --- Tasks that run in workers ------------------------------------------------------------------ */

static int own_pid(void *in, void *out)
{
    (void)in;
    *(long *)out = getpid();
    return 0;
}

static int fail_with_words(void *in, void *out)
{
    (void)out;
    return il_fail(-EXDEV, "item %ld is bad", *(long *)in);
}

static int fail_if_odd(void *in, void *out)
{
    long n = *(long *)in;
    *(long *)out = n;
    return n % 2 ? il_fail(-EXDEV, "%ld is odd", n) : 0;
}

static int die_by_signal(void *in, void *out)
{
    (void)out;
    signal((int)*(long *)in, SIG_DFL);
    fprintf(stderr, "first line\nthe last words\n");
    volatile uintptr_t nowhere = 8;
    if (*(long *)in == SIGSEGV) *(volatile int *)nowhere = 1; /* the real thing */
    raise((int)*(long *)in);
    return 0;
}

static int leave_by_exit(void *in, void *out)
{
    (void)out;
    _exit((int)*(long *)in);
}

static int die_if_13(void *in, void *out)
{
    long n = *(long *)in;
    if (n % 100 == 13) raise(SIGKILL);
    *(long *)out = n * n;
    return 0;
}

static int spin_for_ever(void *in, void *out)
{
    (void)in, (void)out;
    for (volatile unsigned long i = 0;; i++) {}
    return 0;
}

static int sleep_for_ever(void *in, void *out)
{
    (void)in, (void)out;
    return il_sleep(IL_FOREVER);
}

/* --- What crosses -------------------------------------------------------------------------------- */

static void a_task_runs_in_another_process(void **state)
{
    long pid = run_long(*state, own_pid, 0);
    assert_true(pid > 0 && pid != getpid());
}

enum { LARGE = 3 << 20 };

static int reverse(void *in, void *out)
{
    const char *from = in;
    for (size_t i = 0; i < LARGE; i++) ((char *)out)[i] = from[LARGE - 1 - i];
    return 0;
}

static void input_and_output_of_any_size_cross(void **state)
{
    char *in = malloc(LARGE), *out = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++) in[i] = (char)(i * 7 + i / 1000);
    for (int round = 0; round < 3; round++) {
        il_future *future = NULL;
        assert_int_equal(il_submit(*state, reverse, in, LARGE, LARGE, NULL, &future), 0);
        assert_int_equal(il_future_get(future, LATE, out), 0);
        il_future_free(future);
        for (size_t i = 0; i < LARGE; i += 97) assert_int_equal(out[i], in[LARGE - 1 - i]);
    }
    free(in);
    free(out);
}

static void sizes_around_that_of_a_slot_cross(void **state)
{
    static unsigned char in[10000];
    for (size_t i = 0; i < sizeof in; i++) in[i] = (unsigned char)i;
    for (size_t size = 4000; size < 4200; size += 8) {
        il_future *future = NULL;
        long n = 12, result = 0;
        memcpy(in, &n, sizeof n);
        assert_int_equal(il_submit(*state, square, in, size, sizeof result, NULL, &future), 0);
        assert_int_equal(il_future_get(future, LATE, &result), 0);
        assert_int_equal(result, 144);
        il_future_free(future);
    }
}

static void an_error_crosses_with_words_place_and_process(void **state)
{
    long n = 7;
    il_future *future = submit(*state, fail_with_words, &n, sizeof n);
    assert_int_equal(il_future_get(future, LATE, NULL), -EXDEV);
    const il_error *error = il_future_error(future);
    assert_string_equal(error->message, "item 7 is bad");
    assert_string_equal(error->task, "t");
    assert_non_null(strstr(error->file, "test_processes.c"));
    assert_true(error->line > 0 && error->pid > 0 && error->pid != getpid());
    assert_int_equal(error->signal, 0);
    il_future_free(future);
}

static int fail_twice(void *in, void *out)
{
    static int tries;
    (void)in;
    if (++tries < 3) return -EIO;
    *(long *)out = tries;
    return 0;
}

static void retries_are_made_in_the_worker(void **state)
{
    long result = 0;
    il_future *future = NULL;
    il_task_opts opts = { .retries = 2 };
    assert_int_equal(il_submit(*state, fail_twice, NULL, 0, sizeof result, &opts, &future), 0);
    assert_int_equal(il_future_get(future, LATE, &result), 0);
    assert_int_equal(result, 3);
    il_future_free(future);
}

static void what_is_passed_by_reference_is_einval(void **state)
{
    il_scope *scope = NULL;
    long n = 1;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    assert_int_equal(il_go(scope, square, &n, &n), -EINVAL);
    assert_int_equal(il_scope_close(scope), 0);
}

static void a_function_in_no_module_is_enoexec(void **state)
{
    void *nowhere = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    il_future *future = NULL;
    assert_int_equal(il_submit(*state, (il_fn *)nowhere, NULL, 0, 0, NULL, &future), 0);
    assert_int_equal(il_future_get(future, LATE, NULL), -ENOEXEC);
    assert_non_null(strstr(il_future_error(future)->message, "neither in the program"));
    il_future_free(future);
    munmap(nowhere, 4096);
}

static int use_threads(void *in, void *out)
{
    long items[100], squares[100];
    il_executor *pool = NULL;
    (void)in;
    for (long i = 0; i < 100; i++) items[i] = i;
    int status = il_threads_new(&(il_threads_opts){ .workers = 2 }, &pool);
    if (!status) status = il_map(pool, square, items, squares, 100, NULL);
    il_executor_free(pool);
    *(long *)out = squares[99];
    return status;
}

static void a_task_may_have_threads_of_its_own(void **state)
{
    assert_int_equal(run_long(*state, use_threads, 0), 99 * 99);
}

/* --- Maps ---------------------------------------------------------------------------------------- */

enum { ITEMS = 20000 };
static long numbers_in[ITEMS], numbers_out[ITEMS];

static void fill_in(void)
{
    for (long i = 0; i < ITEMS; i++) {
        numbers_in[i] = i;
        numbers_out[i] = -1;
    }
}

static void a_map_gives_what_a_loop_gives(void **state)
{
    for (size_t chunk = 0; chunk < 1000; chunk = chunk * 9 + 1) {
        fill_in();
        assert_int_equal(il_map(*state, square, numbers_in, numbers_out, ITEMS,
                                &(il_map_opts){ .chunk = chunk }),
                         0);
        for (long i = 0; i < ITEMS; i++) assert_int_equal(numbers_out[i], i * i);
    }
}

static void a_map_in_shared_memory_gives_the_same(void **state)
{
    long *numbers = il_shared_alloc(ITEMS * sizeof *numbers);
    long *squares = il_shared_alloc(ITEMS * sizeof *squares);
    assert_non_null(numbers);
    assert_non_null(squares);
    for (int round = 0; round < 2; round++) {
        for (long i = 0; i < ITEMS; i++) numbers[i] = i + round;
        assert_int_equal(il_map(*state, square, numbers, squares, ITEMS, NULL), 0);
        for (long i = 0; i < ITEMS; i++) assert_int_equal(squares[i], (i + round) * (i + round));
    }
    il_shared_free(numbers);
    il_shared_free(squares);
}

static int pointer_of(void *in, void *out)
{
    (void)in;
    *(void **)out = out;
    return 0;
}

static void a_map_in_shared_memory_is_not_copied(void **state)
{
    enum { COUNT = 1000 };
    long *numbers = il_shared_alloc(COUNT * sizeof *numbers);
    void **where = il_shared_alloc(COUNT * sizeof *where);
    assert_int_equal(il_map(*state, pointer_of, numbers, where, COUNT, NULL), 0);
    for (size_t i = 1; i < COUNT;
         i++) /* one mapping for all chunks, though not all of one worker */
        assert_int_equal((uintptr_t)where[i] % 4096, (uintptr_t)&where[i] % 4096);
    il_shared_free(numbers);
    il_shared_free(where);
}

static void the_lowest_item_that_failed_is_told(void **state)
{
    fill_in();
    assert_int_equal(il_map(*state, fail_if_odd, numbers_in, numbers_out, ITEMS, NULL), -EXDEV);
    char words[500];
    il_error_format(il_last_error(), words, sizeof words);
    assert_says(words, "item 1");
    assert_says(words, "1 is odd");
    for (long i = 0; i < ITEMS; i++) assert_int_equal(numbers_out[i], i);
}

static void a_map_stops_at_a_failure_when_told_to(void **state)
{
    fill_in();
    il_map_opts opts = { .chunk = 1, .stop_on_error = true };
    assert_int_equal(il_map(*state, fail_if_odd, numbers_in, numbers_out, ITEMS, &opts), -EXDEV);
    assert_int_equal(numbers_out[ITEMS - 1], -1);
}

static void an_item_that_kills_costs_only_itself(void **state)
{
    enum { COUNT = 500 };
    fill_in();
    assert_int_equal(il_map(*state, die_if_13, numbers_in, numbers_out, COUNT, NULL), -EOWNERDEAD);
    char words[1000];
    il_error_format(il_last_error(), words, sizeof words);
    assert_says(words, "item 13");
    assert_says(words, "signal 9");
    for (long i = 0; i < COUNT; i++) assert_int_equal(numbers_out[i], i % 100 == 13 ? -1 : i * i);
}

static void a_map_ends_at_its_deadline(void **state)
{
    fill_in();
    il_map_opts opts = { .until = il_after(IL_MS(30)) };
    assert_int_equal(il_map(*state, sleep_for_ever, numbers_in, numbers_out, 100, &opts),
                     -ETIMEDOUT);
    assert_true(run_long(*state, own_pid, 0) > 0);
}

struct tape {
    long next, end, sum, failed, died;
};

static int read_tape(void *item, void *arg)
{
    struct tape *tape = arg;
    *(long *)item = tape->next++;
    return tape->next <= tape->end;
}

static int write_tape(const void *item, const void *result, int status, void *arg)
{
    struct tape *tape = arg;
    char words[100];
    snprintf(words, sizeof words, "%ld is odd", *(const long *)item);
    if (status == -EXDEV && !strcmp(il_last_error()->message, words)) tape->failed++;
    else if (status == -EOWNERDEAD) tape->died++;
    else if (!status) tape->sum += *(const long *)result;
    return 0;
}

static void a_stream_tells_each_item_that_failed(void **state)
{
    struct tape tape = { .end = 1000 };
    il_stream stream = { read_tape, write_tape, &tape, sizeof(long), sizeof(long), 0 };
    assert_int_equal(il_map_stream(*state, fail_if_odd, &stream, NULL), 0);
    assert_int_equal(tape.failed, 500);
    assert_int_equal(tape.sum, 998 * 500 / 2);
}

static void a_stream_goes_on_after_a_death(void **state)
{
    struct tape tape = { .end = 300 };
    long sum = 0;
    for (long i = 0; i < 300; i++) sum += i % 100 == 13 ? 0 : i * i;
    il_stream stream = { read_tape, write_tape, &tape, sizeof(long), sizeof(long), 0 };
    assert_int_equal(il_map_stream(*state, die_if_13, &stream, NULL), 0);
    assert_int_equal(tape.died, 3);
    assert_int_equal(tape.sum, sum);
}

/* --- Deaths -------------------------------------------------------------------------------------- */

static void every_signal_that_ends_a_process_costs_one_task(void **state)
{
    static const int signals[] = { SIGSEGV, SIGABRT, SIGKILL, SIGBUS,  SIGFPE,  SIGILL,
                                   SIGTERM, SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE, SIGXCPU,
                                   SIGSYS,  SIGTRAP, SIGUSR1, SIGALRM };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        long signal = signals[i];
        if (IL_ASAN && signal == SIGSEGV) continue; /* which becomes an exit, with a report */
        il_future *future = submit(*state, die_by_signal, &signal, sizeof signal);
        assert_int_equal(il_future_get(future, LATE, NULL), -EOWNERDEAD);
        const il_error *error = il_future_error(future);
        assert_int_equal(error->signal, signal);
        assert_true(error->pid > 0);
        assert_string_equal(error->task, "t");
        assert_says(error->message, "peak memory");
        assert_says(error->message, "the last words");
        il_future_free(future);
    }
    assert_int_equal(run_long(*state, square, 9), 81);
}

static void an_exit_costs_one_task_and_names_its_code(void **state)
{
    for (long code = 0; code < 3; code++) {
        il_future *future = submit(*state, leave_by_exit, &code, sizeof code);
        assert_int_equal(il_future_get(future, LATE, NULL), -EOWNERDEAD);
        char words[50];
        snprintf(words, sizeof words, "exited with %ld", code);
        assert_says(il_future_error(future)->message, words);
        il_future_free(future);
    }
}

static void those_behind_a_killer_run_all_the_same(void **state)
{
    enum { COUNT = 200 };
    il_future *futures[COUNT];
    for (long i = 0; i < COUNT; i++) futures[i] = submit(*state, die_if_13, &i, sizeof i);
    for (long i = 0; i < COUNT; i++) {
        long result = -1;
        int status = il_future_get(futures[i], LATE, &result);
        assert_int_equal(status, i % 100 == 13 ? -EOWNERDEAD : 0);
        if (!status) assert_int_equal(result, i * i);
        il_future_free(futures[i]);
    }
}

/* Counts its deaths in shared memory. */
static int count_death(void *in, void *out)
{
    (void)out;
    long *deaths = in;
    if (++*deaths <= 2) raise(SIGKILL);
    return 0;
}

static void a_killer_is_tried_again_as_often_as_its_retries_say(void **state)
{
    for (unsigned retries = 0; retries < 4; retries++) {
        long *deaths = il_shared_alloc(sizeof *deaths);
        fill_in();
        int status = il_map(*state, count_death, deaths, numbers_out, 1, NULL);
        assert_int_equal(status, -EOWNERDEAD); /* an item of a map has no retries */
        assert_int_equal(*deaths, 1);
        il_shared_free(deaths);

        long signal = SIGKILL;
        il_future *future = NULL;
        il_task_opts opts = { .retries = retries };
        assert_int_equal(
            il_submit(*state, die_by_signal, &signal, sizeof signal, 0, &opts, &future), 0);
        assert_int_equal(status_of(future), -EOWNERDEAD);
    }
}

/* --- Stopping ------------------------------------------------------------------------------------ */

static void a_deadline_stops_what_never_looks(void **state)
{
    il_future *future = NULL;
    il_task_opts opts = { .deadline = il_after(IL_MS(20)) };
    assert_int_equal(il_submit(*state, spin_for_ever, NULL, 0, 0, &opts, &future), 0);
    assert_int_equal(status_of(future), -ETIMEDOUT);
    assert_int_equal(run_long(*state, square, 3), 9);
}

struct meeting {
    int began;
    int saw;
    long pid, child;
};

static int tell_and_spin(void *in, void *out)
{
    struct meeting *meeting = in;
    (void)out;
    il__store_release(&meeting->began, 1);
    for (;;) il_yield();
    return 0;
}

static int tell_and_look(void *in, void *out)
{
    struct meeting *meeting = in;
    (void)out;
    il__store_release(&meeting->began, 1);
    while (!il_cancelled()) il_yield();
    meeting->saw = 1;
    return -ECANCELED;
}

static int tell_and_wait(void *in, void *out)
{
    struct meeting *meeting = in;
    (void)out;
    il__store_release(&meeting->began, 1);
    int status = il_sleep(IL_FOREVER);
    meeting->saw = status;
    return status;
}

/* A map of one item in shared memory, cancelled from a thread once it has begun. */
struct cancelled_map {
    il_executor *pool;
    il_fn *fn;
    struct meeting *meeting;
    struct cancelled_wait wait;
    int status;
};

static int run_cancelled_map(void *in, void *out)
{
    struct cancelled_map *map = in;
    (void)out;
    cancellable_begin(&map->wait, 0);
    il__tsan_hand_over(&map->wait); /* by way of the worker, which it cannot see */
    map->status =
        il_map_bytes(map->pool, map->fn, map->meeting, sizeof *map->meeting, NULL, 0, 1, NULL);
    cancellable_end(&map->wait);
    return 0;
}

static int cancel_map(il_executor *pool, il_fn *fn, struct meeting **out_meeting)
{
    struct crew crew;
    struct cancelled_map map = { .pool = pool, .fn = fn };
    map.meeting = *out_meeting = il_shared_alloc(sizeof *map.meeting);
    crew_open(&crew, NULL);
    crew_add(&crew, run_cancelled_map, &map);
    while (!il__load_acquire(&map.meeting->began)) il_yield();
    il__tsan_receive(&map.wait);
    il__cancel_fire(&map.wait.node, -ECANCELED);
    assert_int_equal(crew_join(&crew), 0);
    return map.status;
}

static void a_cancelled_task_sees_it(void **state)
{
    struct meeting *meeting;
    assert_int_equal(cancel_map(*state, tell_and_look, &meeting), -ECANCELED);
    assert_int_equal(meeting->saw, 1);
    il_shared_free(meeting);
}

static void a_cancelled_task_is_woken_from_its_wait(void **state)
{
    if (IL_TSAN)
        skip(); /* it keeps a signal back until a call that it knows, which a futex is not */
    struct meeting *meeting;
    assert_int_equal(cancel_map(*state, tell_and_wait, &meeting), -ECANCELED);
    assert_int_equal(meeting->saw, -ECANCELED);
    il_shared_free(meeting);
}

static void a_cancelled_task_that_does_not_care_is_killed(void **state)
{
    struct meeting *meeting;
    assert_int_equal(cancel_map(*state, tell_and_spin, &meeting), -ECANCELED);
    il_shared_free(meeting);
    assert_int_equal(run_long(*state, square, 4), 16);
}

static void freeing_a_pool_stops_what_runs(void **state)
{
    (void)state;
    il_executor *pool = pool_with(&(il_processes_opts){ .workers = 2, .grace = IL_MS(10) });
    il_future *futures[4];
    for (int i = 0; i < 4; i++) futures[i] = submit(pool, spin_for_ever, NULL, 0);
    il_executor_free(pool);
    for (int i = 0; i < 4; i++) assert_int_equal(status_of(futures[i]), -ECANCELED);
}

static void a_cancelled_scope_stops_what_runs_elsewhere(void **state)
{
    il_scope *scope = NULL;
    il_future *futures[4];
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    for (int i = 0; i < 4; i++) futures[i] = submit(*state, sleep_for_ever, NULL, 0);
    il_scope_cancel(scope);
    assert_int_equal(il_scope_close(scope), -ECANCELED);
    for (int i = 0; i < 4; i++) assert_int_equal(status_of(futures[i]), -ECANCELED);
}

/* Leaves two processes behind: one of its group, one of a session of its own. */
static int leave_children(void *in, void *out)
{
    struct meeting *meeting = in;
    (void)out;
    pid_t near = fork();
    if (!near)
        for (;;) pause();
    pid_t far = fork();
    if (!far) {
        setsid();
        for (;;) pause();
    }
    meeting->pid = near;
    meeting->child = far;
    il__store_release(&meeting->began, 1);
    for (;;) il_yield();
    return 0;
}

static void the_children_of_a_killed_task_go_with_it(void **state)
{
    struct meeting *meeting;
    assert_int_equal(cancel_map(*state, leave_children, &meeting), -ECANCELED);
    assert_int_equal(run_long(*state, square, 4), 16);
    assert_int_equal(kill((pid_t)meeting->pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    assert_int_equal(kill((pid_t)meeting->child, 0), -1);
    assert_int_equal(errno, ESRCH);
    il_shared_free(meeting);
}

/* --- Options ------------------------------------------------------------------------------------- */

static long started_with;

static int take_argument(void *arg)
{
    started_with = *(long *)arg;
    return started_with < 0 ? il_fail((int)started_with, "told to fail") : 0;
}

static int crash_at_start(void *arg)
{
    (void)arg;
    fprintf(stderr, "cannot even start\n");
    raise(SIGKILL);
    return 0;
}

static int what_started(void *in, void *out)
{
    (void)in;
    *(long *)out = started_with;
    return 0;
}

static void the_initialiser_runs_in_each_worker_and_its_successor(void **state)
{
    (void)state;
    long arg = 42, signal = SIGKILL;
    il_executor *pool = pool_with(&(il_processes_opts){
        .workers = 1, .on_worker_start = take_argument, .arg = &arg, .arg_size = sizeof arg });
    assert_int_equal(run_long(pool, what_started, 0), 42);
    assert_int_equal(status_of(submit(pool, die_by_signal, &signal, sizeof signal)), -EOWNERDEAD);
    assert_int_equal(run_long(pool, what_started, 0), 42);
    assert_int_equal(started_with, 0);
    il_executor_free(pool);
}

static void a_failing_initialiser_fails_the_pool_with_its_words(void **state)
{
    (void)state;
    long arg = -EXDEV;
    il_executor *pool = NULL;
    il_processes_opts opts = {
        .workers = 2, .on_worker_start = take_argument, .arg = &arg, .arg_size = sizeof arg
    };
    assert_int_equal(il_processes_new(&opts, &pool), -EXDEV);
    assert_string_equal(il_last_error()->message, "told to fail");
    assert_null(pool);
}

static void a_crashing_initialiser_fails_the_pool_with_its_last_words(void **state)
{
    (void)state;
    il_executor *pool = NULL;
    il_processes_opts opts = { .workers = 2, .on_worker_start = crash_at_start };
    assert_int_equal(il_processes_new(&opts, &pool), -EOWNERDEAD);
    assert_says(il_last_error()->message, "signal 9");
    assert_says(il_last_error()->message, "cannot even start");
    assert_null(pool);
}

static void workers_are_recycled_and_nothing_is_lost(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    il_executor *pool = pool_with(&(il_processes_opts){ .workers = 2, .recycle_tasks = 7 });
    il_future *futures[COUNT];
    long pids[COUNT];
    for (long i = 0; i < COUNT; i++) futures[i] = submit(pool, own_pid, NULL, 0);
    for (long i = 0; i < COUNT; i++) {
        assert_int_equal(il_future_get(futures[i], LATE, &pids[i]), 0);
        il_future_free(futures[i]);
    }
    il_executor_free(pool);
    for (int i = 0; i < COUNT; i++) {
        int same = 0;
        for (int k = 0; k < COUNT; k++) same += pids[k] == pids[i];
        assert_true(same <= 7);
    }
}

static int eat(void *in, void *out)
{
    size_t size = (size_t) * (long *)in;
    static char *volatile kept;
    kept = malloc(size);
    if (kept) memset(kept, 1, size);
    *(long *)out = kept ? getpid() : 0;
    return 0;
}

static void a_worker_that_has_grown_is_replaced(void **state)
{
    (void)state;
    il_executor *pool = pool_with(&(il_processes_opts){ .workers = 1, .recycle_size = 64 << 20 });
    long fat = run_long(pool, eat, 100 << 20);
    /* The clock that it looks at has a coarse tick: it leaves after one of the next tasks. */
    while (run_long(pool, own_pid, 0) == fat) {}
    il_executor_free(pool);
}

static void memory_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    if (IL_ASAN || IL_TSAN) skip();
    il_executor *pool = pool_with(&(il_processes_opts){ .workers = 1, .memory = 32 << 20 });
    assert_true(run_long(pool, eat, 8 << 20) > 0);
    assert_int_equal(run_long(pool, eat, 64 << 20), 0);
    il_executor_free(pool);
}

static void cpu_time_beyond_the_limit_ends_the_task(void **state)
{
    (void)state;
    il_executor *pool = pool_with(&(il_processes_opts){ .workers = 1, .cpu_time = IL_MS(30) });
    il_future *future = submit(pool, spin_for_ever, NULL, 0);
    assert_int_equal(il_future_get(future, LATE, NULL), -EOWNERDEAD);
    assert_int_equal(il_future_error(future)->signal, SIGXCPU);
    assert_says(il_future_error(future)->message, "CPU time");
    il_future_free(future);
    assert_int_equal(run_long(pool, square, 5), 25);
    il_executor_free(pool);
}

static void a_full_queue_is_eagain(void **state)
{
    (void)state;
    il_executor *pool =
        pool_with(&(il_processes_opts){ .workers = 1, .queue_limit = 2, .grace = IL_MS(10) });
    il_future *futures[100];
    int count = 0, status = 0;
    while (count < 100 && !status) {
        status = il_submit(pool, spin_for_ever, NULL, 0, 0, NULL, &futures[count]);
        if (!status) count++;
    }
    assert_int_equal(status, -EAGAIN);
    il_executor_free(pool);
    for (int i = 0; i < count; i++) assert_int_equal(status_of(futures[i]), -ECANCELED);
}

static void closing_runs_what_is_there_and_takes_no_more(void **state)
{
    il_future *futures[50];
    for (long i = 0; i < 50; i++) futures[i] = submit(*state, square, &i, sizeof i);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    for (int i = 0; i < 50; i++) {
        assert_true(il_future_done(futures[i]));
        assert_int_equal(status_of(futures[i]), 0);
    }
    il_future *future = NULL;
    assert_int_equal(il_submit(*state, nothing, NULL, 0, 0, NULL, &future), -ESHUTDOWN);
}

/* --- The zygote and the parent ------------------------------------------------------------------- */

static int parent_pid(void *in, void *out)
{
    (void)in;
    *(long *)out = getppid();
    return 0;
}

static void the_pool_survives_the_death_of_its_zygote(void **state)
{
    long zygote = run_long(*state, parent_pid, 0);
    assert_int_equal(kill((pid_t)zygote, SIGKILL), 0);
    long next = zygote;
    il_time until = LATE;
    while (next == zygote && il_now() < until) { /* a task may run on, or go with the old one */
        il_future *future = submit(*state, parent_pid, NULL, 0);
        int status = il_future_get(future, LATE, &next);
        il_future_free(future);
        if (status) assert_int_equal(status, -EOWNERDEAD);
    }
    assert_int_not_equal(next, zygote);
    assert_int_equal(run_long(*state, square, 6), 36);
}

/* In a child: make a pool, tell who is who, wait to be killed. */
static int tell_pids(void)
{
    il_executor *pool = NULL;
    long zero = 0, pids[2], *shared = il_shared_alloc(sizeof *shared);
    il_future *future;
    (void)shared;
    if (il_processes_new(&(il_processes_opts){ .workers = 1 }, &pool)) return 1;
    il_fn *fns[] = { own_pid, parent_pid };
    for (int i = 0; i < 2; i++) {
        if (il_submit(pool, fns[i], &zero, sizeof zero, sizeof zero, NULL, &future)) return 2;
        if (il_future_get(future, LATE, &pids[i])) return 3;
        il_future_free(future);
    }
    if (il_submit(pool, spin_for_ever, NULL, 0, 0, NULL, &future)) return 4;
    fprintf(stderr, "%ld %ld\n", pids[0], pids[1]);
    fclose(stderr);
    raise(SIGKILL);
    return 0;
}

static void nothing_is_left_when_the_parent_is_killed(void **state)
{
    (void)state;
    char words[200] = "";
    long worker = 0, zygote = 0;
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* the orphans become ours: we can wait for them */
    assert_int_equal(in_child("tell_pids", words, sizeof words), 256 + SIGKILL);
    assert_int_equal(sscanf(words, "%ld %ld", &worker, &zygote), 2);
    waitpid((pid_t)zygote, NULL, 0);
    assert_int_equal(kill((pid_t)zygote, 0), -1);
    assert_int_equal(kill((pid_t)worker, 0), -1);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static int use_after_fork(void)
{
    il_executor *pool = NULL;
    il_future *future = NULL;
    int ended = 0;
    if (il_processes_new(&(il_processes_opts){ .workers = 1 }, &pool)) return 1;
    pid_t child = fork();
    if (!child) {
        int status = il_submit(pool, nothing, NULL, 0, 0, NULL, &future);
        il_executor_free(pool);
        _exit(status == -EPERM && il_last_error()->status == -EPERM ? 0 : 1);
    }
    waitpid(child, &ended, 0);
    if (il_submit(pool, nothing, NULL, 0, 0, NULL, &future)) return 2;
    if (il_future_get(future, LATE, NULL)) return 3;
    il_future_free(future);
    il_executor_free(pool);
    return ended;
}

static void a_forked_child_is_told_that_the_pool_is_not_its_own(void **state)
{
    (void)state;
    char words[500] = "";
    assert_int_equal(in_child("use_after_fork", words, sizeof words), 0);
}

static void options_that_cannot_be_right_are_einval(void **state)
{
    (void)state;
    il_executor *pool = NULL;
    assert_int_equal(il_processes_new(&(il_processes_opts){ .workers = 100000 }, &pool), -EINVAL);
    assert_int_equal(il_processes_new(&(il_processes_opts){ .arg_size = 1 }, &pool), -EINVAL);
    assert_int_equal(il_processes_new(&(il_processes_opts){ .grace = -1 }, &pool), -EINVAL);
    assert_null(pool);
}

#define ON_1(test)                                                                                 \
    {                                                                                              \
#test " (1 worker)", test, open_pool, free_pool, NULL                                      \
    }
#define ON_2(test)                                                                                 \
    {                                                                                              \
#test " (2 workers)", test, open_pool, free_pool, (void *)"2"                              \
    }
#define ON_BOTH(test) ON_1(test), ON_2(test)

int main(int argc, char **argv)
{
    static const struct body bodies[] = {
        { "tell_pids", tell_pids },
        { "use_after_fork", use_after_fork },
        { NULL, NULL },
    };
    const struct CMUnitTest tests[] = {
        ON_1(a_task_runs_in_another_process),
        ON_BOTH(input_and_output_of_any_size_cross),
        ON_1(sizes_around_that_of_a_slot_cross),
        ON_1(an_error_crosses_with_words_place_and_process),
        ON_1(retries_are_made_in_the_worker),
        ON_1(what_is_passed_by_reference_is_einval),
        ON_1(a_function_in_no_module_is_enoexec),
        ON_1(a_task_may_have_threads_of_its_own),
        ON_BOTH(a_map_gives_what_a_loop_gives),
        ON_BOTH(a_map_in_shared_memory_gives_the_same),
        ON_2(a_map_in_shared_memory_is_not_copied),
        ON_BOTH(the_lowest_item_that_failed_is_told),
        ON_BOTH(a_map_stops_at_a_failure_when_told_to),
        ON_BOTH(an_item_that_kills_costs_only_itself),
        ON_BOTH(a_map_ends_at_its_deadline),
        ON_BOTH(a_stream_tells_each_item_that_failed),
        ON_BOTH(a_stream_goes_on_after_a_death),
        ON_BOTH(every_signal_that_ends_a_process_costs_one_task),
        ON_1(an_exit_costs_one_task_and_names_its_code),
        ON_BOTH(those_behind_a_killer_run_all_the_same),
        ON_1(a_killer_is_tried_again_as_often_as_its_retries_say),
        ON_BOTH(a_deadline_stops_what_never_looks),
        ON_1(a_cancelled_task_sees_it),
        ON_1(a_cancelled_task_is_woken_from_its_wait),
        ON_BOTH(a_cancelled_task_that_does_not_care_is_killed),
        cmocka_unit_test(freeing_a_pool_stops_what_runs),
        ON_BOTH(a_cancelled_scope_stops_what_runs_elsewhere),
        ON_BOTH(the_children_of_a_killed_task_go_with_it),
        cmocka_unit_test(the_initialiser_runs_in_each_worker_and_its_successor),
        cmocka_unit_test(a_failing_initialiser_fails_the_pool_with_its_words),
        cmocka_unit_test(a_crashing_initialiser_fails_the_pool_with_its_last_words),
        cmocka_unit_test(workers_are_recycled_and_nothing_is_lost),
        cmocka_unit_test(a_worker_that_has_grown_is_replaced),
        cmocka_unit_test(memory_beyond_the_limit_is_refused),
        cmocka_unit_test(cpu_time_beyond_the_limit_ends_the_task),
        cmocka_unit_test(a_full_queue_is_eagain),
        ON_BOTH(closing_runs_what_is_there_and_takes_no_more),
        ON_BOTH(the_pool_survives_the_death_of_its_zygote),
        cmocka_unit_test(nothing_is_left_when_the_parent_is_killed),
        cmocka_unit_test(a_forked_child_is_told_that_the_pool_is_not_its_own),
        cmocka_unit_test(options_that_cannot_be_right_are_einval),
    };
    run_body_if_asked(argc, argv, bodies);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
