/* SPDX-License-Identifier: MIT */
/*
 * Random kills: of workers while tasks and maps run, and of whole programs with pools. Every task
 * ends exactly once, with its result or with a death that names a process; and when a program is
 * gone, so is everything that it had started. With IL_STRESS=4000, as every night, it is that many
 * kills of workers, and a thousand of programs.
 */

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>

#include <interlock/processes.h>

#include "chaos.h"

enum { TASKS = 200, WORKERS = 3 };

static int square_with_pid(void *in, void *out)
{
    long n = *(long *)in;
    uint64_t random = (uint64_t)n;
    for (uint64_t i = below(&random, 20000); i; i--) __asm__ volatile("");
    ((long *)out)[0] = n * n;
    ((long *)out)[1] = getpid();
    return 0;
}

/* Kill workers by number, as they are learned from results. */
static void workers_are_killed_at_random(void **state)
{
    (void)state;
    uint64_t random = seed;
    long deaths = 0, victim = 0;
    il_executor *pool = NULL;
    assert_int_equal(il_processes_new(&(il_processes_opts){ .workers = WORKERS }, &pool), 0);
    for (long round = 0; round < rounds; round++) {
        il_future *futures[TASKS];
        for (long i = 0; i < TASKS; i++)
            assert_int_equal(
                il_submit(pool, square_with_pid, &i, sizeof i, 2 * sizeof(long), NULL, &futures[i]),
                0);
        uint64_t when = below(&random, TASKS);
        for (long i = 0; i < TASKS; i++) {
            long result[2] = { -1, 0 };
            if ((uint64_t)i == when && victim) kill((pid_t)victim, SIGKILL);
            int status = il_future_get(futures[i], LATE, result);
            if (status) {
                assert_int_equal(status, -EOWNERDEAD);
                assert_int_equal(il_future_error(futures[i])->signal, SIGKILL);
                deaths++;
            } else {
                assert_int_equal(result[0], i * i);
                victim = result[1];
            }
            il_future_free(futures[i]);
        }
    }
    il_executor_free(pool);
    print_message("%ld tasks died of %ld kills\n", deaths, rounds);
    assert_true(deaths <= rounds);
}

static void maps_survive_the_death_of_any_worker(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static long in[COUNT];
    static struct pair {
        long square, pid;
    } out[COUNT];
    uint64_t random = seed;
    il_executor *pool = NULL;
    assert_int_equal(il_processes_new(&(il_processes_opts){ .workers = WORKERS }, &pool), 0);
    for (long i = 0; i < COUNT; i++) in[i] = i;
    for (long round = 0; round < rounds / 4; round++) {
        long victim = out[below(&random, COUNT)].pid;
        memset(out, 0, sizeof out);
        il_future *future = NULL;
        long n = 0;
        assert_int_equal(
            il_submit(pool, square_with_pid, &n, sizeof n, sizeof(struct pair), NULL, &future), 0);
        if (victim) kill((pid_t)victim, SIGKILL);
        int status = il_map(pool, square_with_pid, in, out, COUNT, NULL);
        long missing = 0;
        for (long i = 0; i < COUNT; i++) missing += out[i].pid == 0 || out[i].square != i * i;
        if (status ? status != -EOWNERDEAD || missing != 1 : missing != 0)
            fail_msg("round %ld: %s, %ld items missing", round, il_strerror(status), missing);
        il_future_get(future, LATE, NULL);
        il_future_free(future);
    }
    il_executor_free(pool);
}

/* A program with a pool, until it is killed. It says 'r' when its first pool is ready. */
static int run_pools(void)
{
    for (;;) {
        il_executor *pool = NULL;
        if (il_processes_new(&(il_processes_opts){ .workers = 2 }, &pool)) return 1;
        if (write(STDERR_FILENO, "r", 1) != 1) return 2;
        for (int k = 0; k < 20; k++) {
            il_future *futures[20] = { NULL };
            long n = k;
            for (int i = 0; i < 20; i++)
                il_submit(pool, square_with_pid, &n, sizeof n, 2 * sizeof n, NULL, &futures[i]);
            for (int i = 0; i < 20; i++) {
                il_future_get(futures[i], LATE, NULL);
                il_future_free(futures[i]);
            }
        }
        il_executor_free(pool);
    }
}

/* Start it with the write end of a pipe that everything below it inherits nothing of. */
static pid_t start_program(int *out_words)
{
    char program[500];
    int ends[2];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0 || pipe2(ends, O_CLOEXEC)) return -1;
    program[length] = 0;
    pid_t child = fork();
    if (!child) {
        dup2(ends[1], STDERR_FILENO);
        execl(program, program, "run_pools", (char *)NULL);
        _exit(98);
    }
    close(ends[1]);
    *out_words = ends[0];
    return child;
}

/* We are the subreaper: whatever the program leaves becomes our child, and has to end by itself. */
static void programs_that_are_killed_leave_nothing(void **state)
{
    (void)state;
    uint64_t random = seed;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (long round = 0; round < rounds / 4; round++) {
        char ready;
        int words, status;
        pid_t program = start_program(&words);
        assert_true(program > 0);
        if (below(&random, 4)) assert_int_equal(read(words, &ready, 1), 1); /* else: at the start */
        for (uint64_t i = below(&random, 3000); i; i--) sched_yield();
        kill(program, SIGKILL);
        il_time until = LATE;
        while (waitpid(-1, &status, WNOHANG) != -1 || errno != ECHILD) {
            if (il_now() >= until) fail_msg("round %ld: something still runs", round);
            sched_yield();
        }
        close(words);
    }
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* The first of our children: 0 when there is none, or the kernel does not tell. */
static pid_t find_zygote(void)
{
    char name[64];
    int zygote = 0;
    snprintf(name, sizeof name, "/proc/self/task/%d/children", getpid());
    FILE *file = fopen(name, "r");
    if (file && fscanf(file, "%d", &zygote) != 1) zygote = 0;
    if (file) fclose(file);
    return zygote;
}

static void zygotes_are_killed_at_random(void **state)
{
    (void)state;
    uint64_t random = seed;
    il_executor *pool = NULL;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    assert_int_equal(il_processes_new(&(il_processes_opts){ .workers = WORKERS }, &pool), 0);
    for (long round = 0; round < rounds / 8; round++) {
        il_future *futures[TASKS];
        for (long i = 0; i < TASKS; i++)
            assert_int_equal(
                il_submit(pool, square_with_pid, &i, sizeof i, 2 * sizeof(long), NULL, &futures[i]),
                0);
        for (uint64_t i = below(&random, 100); i; i--) sched_yield();
        pid_t zygote = find_zygote();
        if (zygote) kill(zygote, SIGKILL);
        for (long i = 0; i < TASKS; i++) {
            long result[2] = { 0 };
            int status = il_future_get(futures[i], LATE, result);
            if (status) assert_int_equal(status, -EOWNERDEAD);
            else assert_int_equal(result[0], i * i);
            il_future_free(futures[i]);
        }
        while (waitpid(-1, NULL, WNOHANG) > 0) {} /* workers of the old one, which became ours */
    }
    il_executor_free(pool);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* Holds the locks of malloc most of the time. */
static void *allocate(void *arg)
{
    const bool *stop = arg;
    for (size_t size = 1; !il__load(stop); size = size * 7 % 10007 + 1) {
        char *block = malloc(size * 16);
        if (block) *block = 1;
        free(block);
    }
    return NULL;
}

static void pools_start_beside_threads_that_hold_malloc(void **state)
{
    (void)state;
    enum { BUSY = 8 };
    pthread_t busy[BUSY];
    bool stop = false;
    long wrong = 0;
    for (int i = 0; i < BUSY; i++) pthread_create(&busy[i], NULL, allocate, &stop);
    for (long round = 0; round < rounds / (IL_TSAN ? 40 : 20); round++) {
        long n = round, result[2] = { -1, 0 };
        il_executor *pool = NULL;
        il_future *future = NULL;
        wrong += il_processes_new(&(il_processes_opts){ .workers = 2 }, &pool) != 0;
        if (!pool) continue;
        wrong += il_submit(pool, square_with_pid, &n, sizeof n, sizeof result, NULL, &future) != 0;
        wrong += il_future_get(future, LATE, result) != 0 || result[0] != n * n;
        il_future_free(future);
        il_executor_free(pool);
    }
    il__store(&stop, true);
    for (int i = 0; i < BUSY; i++) pthread_join(busy[i], NULL);
    assert_int_equal(wrong, 0);
}

int main(int argc, char **argv)
{
    static const struct body bodies[] = { { "run_pools", run_pools }, { NULL, NULL } };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_are_killed_at_random),
        cmocka_unit_test(maps_survive_the_death_of_any_worker),
        cmocka_unit_test(programs_that_are_killed_leave_nothing),
        cmocka_unit_test(zygotes_are_killed_at_random),
        cmocka_unit_test(pools_start_beside_threads_that_hold_malloc),
    };
    run_body_if_asked(argc, argv, bodies);
    read_environment(200);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
