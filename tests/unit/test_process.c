/* SPDX-License-Identifier: MIT */
/* Claims about il_process. */

#include <dirent.h>
#include <fcntl.h>
#include <interlock/process.h>

#include "proc/module.h"
#include "proc/watcher.h"
#include "work.h"

/* A shell child; NULL: it could not be started. */
static il_process *shell(const char *script, const il_process_opts *opts)
{
    il_process *process = NULL;
    const char *const argv[] = { "/bin/sh", "-c", script, NULL };
    return il_process_start(argv, opts, &process) ? NULL : process;
}

static int run(const char *script, const il_process_opts *opts, il_exit *out_exit)
{
    il_process *process = shell(script, opts);
    int status = process ? il_process_wait(process, LATE, out_exit) : -ENOEXEC;
    il_process_free(process);
    return status;
}

/* All that it says on its output; at most size - 1 bytes. */
static int read_all(il_process *process, char *buffer, size_t size)
{
    size_t got = 0, more = 1;
    int status = 0;
    while (!status && more && got + 1 < size) {
        status = il_process_read(process, 1, buffer + got, size - 1 - got, LATE, &more);
        if (!status) got += more;
    }
    buffer[got] = 0;
    return status;
}

static int says(const char *script, il_process_opts opts, char *buffer, size_t size)
{
    opts.out = IL_PIPE;
    il_process *process = shell(script, &opts);
    int status = process ? read_all(process, buffer, size) : -ENOEXEC;
    if (!status) status = il_process_wait(process, LATE, NULL);
    il_process_free(process);
    return status;
}

static void assert_says_exactly(const char *script, il_process_opts opts, const char *words)
{
    char buffer[4096];
    assert_int_equal(says(script, opts, buffer, sizeof buffer), 0);
    assert_string_equal(buffer, words);
}

static bool exists(long pid)
{
    return !kill((pid_t)pid, 0);
}

/* The same, but for a zombie: of an orphan, that is init's to bury. */
static bool lives(long pid)
{
    char path[64], state = 'Z';
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 'Z';
    if (file) fclose(file);
    return state != 'Z';
}

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* --- How it ends ----------------------------------------------------------------------------- */

static void exit_code_and_signal_are_told_apart(void **state)
{
    il_exit end;
    assert_int_equal(run("exit 7", NULL, &end), 0);
    assert_int_equal(end.code, 7);
    assert_int_equal(end.signal, 0);
    assert_int_equal(run("kill -9 $$", NULL, &end), 0);
    assert_int_equal(end.code, 0);
    assert_int_equal(end.signal, SIGKILL);
}

static void cpu_time_memory_and_times_are_told(void **state)
{
    il_time before = il_now();
    il_exit end;
    assert_int_equal(run("i=0; while [ $i != 20000 ]; do i=$((i+1)); done", NULL, &end), 0);
    assert_true(end.cpu_time > 0);
    assert_true(end.peak_memory > 100 << 10);
    assert_true(before <= end.started && end.started < end.ended && end.ended <= il_now());
}

static void a_wait_can_be_repeated_and_leaves_no_zombie(void **state)
{
    il_exit one, two;
    il_process *process = shell("exit 3", NULL);
    assert_int_equal(il_process_wait(process, LATE, &one), 0);
    assert_false(exists(il_process_id(process)));
    assert_int_equal(il_process_wait(process, IL_NOW, &two), 0);
    assert_int_equal(one.code, two.code);
    il_process_free(process);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void one_that_was_reaped_by_another_is_echild(void **state)
{
    il_process *process = shell("exit 3", NULL);
    assert_int_equal(waitpid((pid_t)il_process_id(process), NULL, 0), il_process_id(process));
    assert_int_equal(il_process_wait(process, LATE, NULL), -ECHILD);
    assert_int_equal(il_process_signal(process, SIGTERM), -ESRCH);
    il_process_free(process);
}

static int wait_for_it(void *process, il_time until)
{
    return il_process_wait(process, until, NULL);
}

static void a_wait_gives_up(void **state)
{
    il_process *process = shell("exec sleep 1000", NULL);
    assert_gives_up(state, wait_for_it, process);
    assert_int_equal(il_process_wait(process, IL_NOW, NULL), -EAGAIN);
    il_process_free(process);
}

static int expect_seven(void *in, void *out)
{
    il_exit end;
    int status = il_process_wait(in, LATE, &end);
    return status ? status : end.code - 7;
}

static void all_who_wait_are_told(void **state)
{
    struct crew crew;
    il_process_opts opts = { .in = IL_PIPE };
    il_process *process = shell("read x; exit 7", &opts);
    crew_open(&crew, state);
    for (int i = 0; i < 8; i++) crew_add(&crew, expect_seven, process);
    il_process_close_in(process);
    assert_int_equal(crew_join(&crew), 0);
    il_process_free(process);
}

static int start_and_wait(void *in, void *out)
{
    il_process_opts opts = { .out = IL_PIPE, .group = true };
    for (int i = 0; i < 20; i++) {
        char words[10];
        int status = says("echo 42", opts, words, sizeof words);
        if (status) return status;
        if (strcmp(words, "42\n")) return -EBADMSG;
    }
    return 0;
}

static void many_start_and_wait_at_once(void **state)
{
    int before = count_descriptors();
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < 8; i++) crew_add(&crew, start_and_wait, NULL);
    assert_int_equal(crew_join(&crew), 0);
    assert_true(count_descriptors() <= before + 2); /* what the watcher has */
    assert_int_equal(il_process_list(NULL, 0), 0);
}

/* --- Starting -------------------------------------------------------------------------------- */

static void what_cannot_be_run_is_said_at_the_start(void **state)
{
    il_process *process = NULL;
    int before = count_descriptors();
    il_process_opts opts = { .in = IL_PIPE, .out = IL_PIPE, .err = IL_PIPE };
    const char *const none[] = { "/no/such", NULL }, *const folder[] = { "/tmp", NULL },
                      *const nothing[] = { NULL }, *const unknown[] = { "no-such-word", NULL };
    assert_int_equal(il_process_start(none, &opts, &process), -ENOENT);
    assert_says(il_last_error()->message, "/no/such: cannot run it: No such file");
    assert_int_equal(il_process_start(unknown, &opts, &process), -ENOENT);
    assert_int_equal(il_process_start(folder, &opts, &process), -EACCES);
    assert_int_equal(il_process_start(nothing, &opts, &process), -EINVAL);
    opts.directory = "/no/such";
    const char *const fine[] = { "true", NULL };
    assert_int_equal(il_process_start(fine, &opts, &process), -ENOENT);
    assert_says(il_last_error()->message, "true: cannot enter its directory");
    assert_null(process);
    assert_int_equal(count_descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void environment_and_directory_are_its_own(void **state)
{
    const char *const env[] = { "PATH=/usr/bin:/bin", "A=b c", NULL };
    assert_says_exactly("echo \"$A\"; pwd", (il_process_opts){ .env = env, .directory = "/" },
                        "b c\n/\n");
}

static void it_has_three_descriptors_and_no_other(void **state)
{
    int other = dup(0); /* without close-on-exec */
    assert_says_exactly("ls /proc/self/fd | tr '\\n' ' '", (il_process_opts){ .err = IL_NULL },
                        "0 1 2 3 "); /* 3 is the folder that ls reads */
    close(other);
}

static void descriptors_may_be_given_in_any_order(void **state)
{
    int pipes[2];
    char words[8] = "";
    assert_int_equal(pipe(pipes), 0);
    il_process_opts opts = { .out = pipes[1], .err = IL_SAME };
    assert_int_equal(run("echo a; echo b >&2", &opts, NULL), 0);
    assert_int_equal(read(pipes[0], words, sizeof words - 1), 4);
    assert_string_equal(words, "a\nb\n");
    opts = (il_process_opts){ .out = 2, .err = pipes[1] }; /* crossed */
    assert_int_equal(run("echo c >&2", &opts, NULL), 0);
    assert_int_equal(read(pipes[0], words, sizeof words - 1), 2);
    close(pipes[0]);
    close(pipes[1]);
}

static volatile sig_atomic_t caught;

static void catch (int number)
{
    caught = number;
}

static void signals_of_ours_are_not_its(void **state)
{
    sigset_t usr1, before;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, &before);
    void (*handler)(int) = signal(SIGUSR2, catch);
    assert_says_exactly("cat /proc/self/status | grep -E '^Sig(Blk|Cgt)' | cut -f2 | sort -u",
                        (il_process_opts){ 0 }, "0000000000000000\n");
    signal(SIGUSR2, handler);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(caught, 0);
}

/* --- Pipes ----------------------------------------------------------------------------------- */

static int feed(void *in, void *out)
{
    static char block[1 << 20];
    memset(block, 'x', sizeof block);
    int status = il_process_write(in, block, sizeof block, LATE, NULL);
    il_process_close_in(in);
    return status;
}

static int drink(void *in, void *out)
{
    static char block[1 << 16];
    size_t total = 0, size = 1;
    int status = 0;
    while (!status && size) {
        status = il_process_read(in, 1, block, sizeof block, LATE, &size);
        total += size;
    }
    return status ? status : total != 1 << 20;
}

static void a_megabyte_goes_in_and_comes_out(void **state)
{
    struct crew crew;
    il_process_opts opts = { .in = IL_PIPE, .out = IL_PIPE };
    il_process *process = shell("exec cat", &opts);
    crew_open(&crew, state);
    crew_add(&crew, feed, process);
    crew_add(&crew, drink, process);
    assert_int_equal(crew_join(&crew), 0);
    il_process_free(process);
}

static int read_from_it(void *process, il_time until)
{
    char byte;
    size_t size;
    return il_process_read(process, 1, &byte, 1, until, &size);
}

static void a_read_gives_up(void **state)
{
    il_process_opts opts = { .out = IL_PIPE };
    il_process *process = shell("exec sleep 1000", &opts);
    assert_gives_up(state, read_from_it, process);
    assert_int_equal(il_process_read(process, 2, NULL, 0, LATE, NULL), -EINVAL);
    il_process_free(process);
}

static void writing_to_one_that_reads_no_more_is_epipe(void **state)
{
    il_process_opts opts = { .in = IL_PIPE };
    il_process *process = shell("exit 0", &opts);
    assert_int_equal(il_process_wait(process, LATE, NULL), 0);
    assert_int_equal(il_process_write(process, "x", 1, LATE, NULL), -EPIPE);
    il_process_free(process);
}

/* --- Ending it ------------------------------------------------------------------------------- */

static void terminate_asks_and_then_insists(void **state)
{
    il_exit end;
    char ready[2];
    size_t size;
    il_process *polite = shell("exec sleep 1000", NULL);
    assert_int_equal(il_process_terminate(polite, IL_SEC(50), &end), 0);
    assert_int_equal(end.signal, SIGTERM);
    assert_int_equal(il_process_terminate(polite, 0, &end), 0); /* it has ended already */
    il_process_free(polite);

    il_process_opts opts = { .out = IL_PIPE, .group = true };
    il_process *stubborn = shell("trap '' TERM; echo; while :; do sleep 1000; done", &opts);
    assert_int_equal(il_process_read(stubborn, 1, ready, 2, LATE, &size), 0);
    assert_int_equal(il_process_terminate(stubborn, IL_MS(1), &end), 0);
    assert_int_equal(end.signal, SIGKILL);
    il_process_free(stubborn);
}

static void a_stopped_one_is_ended_too(void **state)
{
    il_exit end;
    il_process *process = shell("exec sleep 1000", NULL);
    assert_int_equal(il_process_signal(process, SIGSTOP), 0);
    assert_int_equal(il_process_terminate(process, IL_SEC(50), &end), 0);
    assert_int_equal(end.signal, SIGTERM);
    il_process_free(process);
}

static void its_group_ends_with_it(void **state)
{
    il_process_opts opts = { .out = IL_PIPE, .group = true };
    char words[20];
    size_t size;
    il_process *process = shell("sleep 1000 >&- & echo $!", &opts);
    assert_int_equal(read_all(process, words, sizeof words), 0);
    assert_int_equal(il_process_wait(process, LATE, NULL), 0);
    while (lives(atol(words))) il_yield(); /* init reaps it */
    il_process_free(process);

    process = shell("sleep 1000 & echo $!; wait", &opts);
    assert_int_equal(il_process_read(process, 1, words, sizeof words, LATE, &size), 0);
    il_process_free(process); /* while it runs */
    while (lives(atol(words))) il_yield();
}

static int start_daemon(void *in, void *out)
{
    il_process_opts opts = { .out = IL_NULL, .err = IL_NULL, .daemon = true };
    *(il_process **)in = shell("exec sleep 1000", &opts);
    return !*(il_process **)in;
}

/* A program that starts a daemon on a thread that ends, says its number, and is killed. */
static int have_a_daemon(void)
{
    struct crew crew;
    il_process *daemon = NULL;
    crew_open(&crew, NULL);
    crew_add(&crew, start_daemon, &daemon);
    if (crew_join(&crew)) return 1; /* the thread is gone */
    if (il_process_wait(daemon, SOON, NULL) != -ETIMEDOUT) return 2;
    fprintf(stderr, "%ld", il_process_id(daemon));
    return kill(getpid(), SIGKILL);
}

static void a_daemon_outlives_its_thread_but_not_the_program(void **state)
{
    char words[100];
    assert_int_equal(in_child("have_a_daemon", words, sizeof words), 256 + SIGKILL);
    assert_true(atol(words) > 0);
    while (lives(atol(words))) il_yield();
}

/* --- Looking --------------------------------------------------------------------------------- */

static void they_are_listed_by_name(void **state)
{
    il_process_opts opts = { .name = "sleeper" };
    il_process_info infos[4];
    il_process *one = shell("exec sleep 1000", &opts), *two = shell("exit 1", NULL);
    assert_int_equal(il_process_wait(two, LATE, NULL), 0);
    assert_int_equal(il_process_list(infos, 4), 2);
    assert_string_equal(infos[0].name, "sleeper");
    assert_int_equal(infos[0].pid, il_process_id(one));
    assert_int_equal(infos[0].state, IL_RUNNING);
    assert_string_equal(infos[1].name, "sh");
    assert_int_equal(infos[1].state, IL_FAILED);
    assert_int_equal(il_process_list(infos, 1), 2);
    il_process_free(one);
    il_process_free(two);
    assert_int_equal(il_process_list(NULL, 0), 0);
}

static void without_anything_to_watch_the_watcher_ends(void **state)
{
    il_process *process = shell("exec sleep 1000", NULL);
    assert_int_equal(il_process_wait(process, SOON, NULL), -ETIMEDOUT);
    assert_true(il__watcher_runs());
    il_process_free(process);
    while (il__watcher_runs()) il_yield();
    assert_int_equal(run("exit 0", NULL, NULL), 0); /* and begins again */
}

static void a_program_that_polls_needs_no_watcher(void **state)
{
    while (il__watcher_runs()) il_yield();
    il_process *process = shell("exit 0", NULL);
    while (il_process_wait(process, IL_NOW, NULL)) il_yield();
    il_process_free(process);
    assert_false(il__watcher_runs());
}

/* --- Functions ------------------------------------------------------------------------------- */

static int triple(void *in, void *out)
{
    *(long *)out = 3 * *(long *)in;
    return 0;
}

/* Call it and wait for it. */
static int call(il_fn *fn, long in, long *out, const il_process_opts *opts, il_process **process)
{
    int status = il_process_call(fn, &in, sizeof in, sizeof *out, opts, process);
    return status ? status : il_process_get(*process, LATE, out);
}

static int expect_triple(void *in, void *out)
{
    il_process *process = NULL;
    long result = 0;
    int status = call(triple, 14, &result, NULL, &process);
    il_process_free(process);
    return status ? status : result != 42;
}

static void a_function_takes_and_gives_bytes(void **state)
{
    il_process *process = NULL;
    long result = 0;
    il_exit end;
    assert_int_equal(call(triple, 14, &result, NULL, &process), 0);
    assert_int_equal(result, 42);
    result = 0;
    assert_int_equal(il_process_get(process, IL_NOW, &result), 0); /* again: same answer */
    assert_int_equal(result, 42);
    assert_int_equal(il_process_wait(process, IL_NOW, &end), 0);
    assert_int_equal(end.code, 0);
    assert_null(il_process_error(process));
    assert_false(exists(il_process_id(process)));
    il_process_free(process);
}

static void functions_are_started_from_everywhere_at_once(void **state)
{
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < 6; i++) crew_add(&crew, expect_triple, NULL);
    assert_int_equal(crew_join(&crew), 0);
}

static int fail_inside(void *in, void *out)
{
    il_fail(-ENOENT, "no map of %ld", *(long *)in);
    return il_explain(-ENOENT, "page %ld", *(long *)in + 1);
}

static void an_error_crosses_with_words_place_and_cause(void **state)
{
    il_process *process = NULL;
    long result = 7;
    il_exit end;
    assert_int_equal(call(fail_inside, 4, &result, NULL, &process), -ENOENT);
    assert_int_equal(result, 7);
    const il_error *error = il_process_error(process);
    assert_non_null(error);
    assert_int_equal(error->status, -ENOENT);
    assert_string_equal(error->message, "page 5");
    assert_says(error->file, "test_process.c");
    assert_true(error->line > 0);
    assert_int_equal(error->signal, 0);
    assert_int_equal(error->pid, il_process_id(process));
    assert_non_null(error->cause);
    assert_says(error->cause->message, "no map of 4");
    assert_ptr_equal(il_last_error(), error);
    assert_int_equal(il_process_wait(process, IL_NOW, &end), 0);
    assert_int_equal(end.code, 1);
    il_process_free(process);
}

static int end_by(void *in, void *out)
{
    long how = *(long *)in;
    if (how > 0) raise((int)how);
    _exit((int)-how);
}

static void a_crash_is_no_error_of_the_function(void **state)
{
    const struct {
        long how;
        int signal;
        const char *words;
    } ends[] = {
        { SIGABRT, SIGABRT, "was killed by signal 6" },
        { SIGKILL, SIGKILL, "was killed by signal 9" },
        { 0, 0, "exited with 0 before its function returned" },
        { -5, 0, "exited with 5" },
    };
    for (int i = 0; i < 4; i++) {
        il_process *process = NULL;
        long result;
        assert_int_equal(call(end_by, ends[i].how, &result, NULL, &process), -EOWNERDEAD);
        assert_int_equal(il_process_error(process)->signal, ends[i].signal);
        assert_int_equal(il_process_error(process)->pid, il_process_id(process));
        assert_says(il_process_error(process)->message, ends[i].words);
        il_process_free(process);
    }
}

__attribute__((noinline)) static int crash_here(volatile int *nowhere)
{
    abort();
    return *nowhere;
}

__attribute__((noinline)) static int go_and_crash(void *in, void *out)
{
    volatile int status = crash_here(NULL);
    return status + 1;
}

/* Is one of the places told, "program+0x..." between " < ", in that function? */
static bool names_place_in(const char *places, il_fn *fn)
{
    il__module module;
    uint64_t begin;
    if (il__module_of(fn, &module, &begin)) return false;
    for (const char *at = places; (at = strstr(at, "+0x")); at += 3) {
        uint64_t offset = strtoull(at + 3, NULL, 16);
        if (offset > begin && offset < begin + 500) return true;
    }
    return false;
}

static void a_crash_says_where(void **state)
{
    il_process *process = NULL;
    assert_int_equal(il_process_call(go_and_crash, NULL, 0, 0, NULL, &process), 0);
    assert_int_equal(il_process_get(process, LATE, NULL), -EOWNERDEAD);
    const il_error *error = il_process_error(process);
    assert_int_equal(error->signal, SIGABRT);
    assert_non_null(error->cause);
    assert_says(error->cause->message, "unit_process+0x");
    assert_true(names_place_in(error->cause->message, go_and_crash));
    il_process_free(process);
}

/* What a child sees of itself. */
struct sight {
    long pid, parent, group, session;
    char kernel_name[32], directory[200], variable[32];
    int descriptors;
    bool signals_blocked;
};

static int look_around(void *in, void *out)
{
    struct sight *sight = out;
    sigset_t blocked;
    sight->pid = getpid();
    sight->parent = getppid();
    sight->group = getpgrp();
    sight->session = getsid(0);
    FILE *comm = fopen("/proc/self/comm", "re");
    if (!comm || !fgets(sight->kernel_name, sizeof sight->kernel_name, comm)) return -EIO;
    fclose(comm);
    if (!getcwd(sight->directory, sizeof sight->directory)) return -errno;
    snprintf(sight->variable, sizeof sight->variable, "%s", getenv("IL_SIGHT"));
    sight->descriptors = count_descriptors();
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (int i = 1; i < 32; i++) sight->signals_blocked |= sigismember(&blocked, i) == 1;
    return 0;
}

static void a_function_gets_name_group_directory_and_environment(void **state)
{
    struct sight sight = { 0 };
    il_process *process = NULL;
    const char *const env[] = { "IL_SIGHT=clear", NULL };
    il_process_opts opts = {
        .name = "looker", .group = true, .directory = "/", .env = env, .in = IL_NULL
    };
    assert_int_equal(il_process_call(look_around, NULL, 0, sizeof sight, &opts, &process), 0);
    assert_int_equal(il_process_get(process, LATE, &sight), 0);
    assert_int_equal(sight.pid, il_process_id(process));
    assert_int_equal(sight.parent, getpid());
    assert_int_equal(sight.group, sight.pid);
    assert_int_equal(sight.session, getsid(0));
    assert_string_equal(sight.kernel_name, "looker\n");
    assert_string_equal(sight.directory, "/");
    assert_string_equal(sight.variable, "clear");
    assert_int_equal(sight.descriptors, 3);
    assert_false(sight.signals_blocked);
    il_process_free(process);
}

static int use_the_library(void *in, void *out)
{
    long numbers[100], squares[100], sum = 0;
    il_executor *pool = NULL;
    for (int i = 0; i < 100; i++) numbers[i] = i;
    int status = il_threads_new(NULL, &pool);
    if (!status) status = il_map(pool, square, numbers, squares, 100, NULL);
    il_executor_free(pool);
    for (int i = 0; i < 100 && !status; i++) sum += squares[i];
    *(long *)out = sum;
    return status;
}

static void a_function_may_use_all_of_the_library(void **state)
{
    il_process *process = NULL;
    long sum = 0;
    assert_int_equal(call(use_the_library, 0, &sum, NULL, &process), 0);
    assert_int_equal(sum, 328350);
    il_process_free(process);
}

static int echo(void *in, void *out)
{
    char line[100];
    if (!fgets(line, sizeof line, stdin)) return -EPIPE;
    printf("heard: %s", line);
    return 0;
}

static void a_function_has_pipes_as_a_program_has(void **state)
{
    char line[100];
    il_process *process = NULL;
    il_process_opts opts = { .in = IL_PIPE, .out = IL_PIPE };
    assert_int_equal(il_process_call(echo, NULL, 0, 0, &opts, &process), 0);
    assert_int_equal(il_process_write(process, "hello\n", 6, LATE, NULL), 0);
    assert_int_equal(read_all(process, line, sizeof line), 0);
    assert_string_equal(line, "heard: hello\n");
    assert_int_equal(il_process_get(process, LATE, NULL), 0);
    il_process_free(process);
}

static int wait_for_ever(void *in, void *out)
{
    while (pause()) continue;
    return 0;
}

static void a_function_that_does_not_end_is_terminated(void **state)
{
    il_process *process = NULL;
    il_exit end;
    assert_int_equal(il_process_call(wait_for_ever, NULL, 0, 0, NULL, &process), 0);
    assert_int_equal(il_process_get(process, SOON, NULL), -ETIMEDOUT);
    assert_null(il_process_error(process));
    assert_int_equal(il_process_terminate(process, IL_SEC(30), &end), 0);
    assert_int_equal(end.signal, SIGTERM);
    assert_int_equal(il_process_get(process, IL_NOW, NULL), -EOWNERDEAD);
    il_process_free(process);
}

static void what_is_no_function_of_ours_is_enoexec(void **state)
{
    il_process *process = NULL;
    long on_the_stack = 0;
    il_fn *fn = (il_fn *)(void *)&on_the_stack;
    assert_int_equal(il_process_call(fn, NULL, 0, 0, NULL, &process), -ENOEXEC);
    il_process_opts opts = { .directory = "/no/such/place" };
    assert_int_equal(il_process_call(triple, NULL, 0, 0, &opts, &process), -ENOENT);
    assert_null(process);
    assert_int_equal(il_process_list(NULL, 0), 0);
}

/* Started by a thread that has ended; the program then dies by SIGKILL. */
static int have_daemon_functions(void)
{
    il_process *daemons[2];
    for (int i = 0; i < 2; i++) {
        il_process_opts opts = { .daemon = true, .out = IL_NULL };
        if (il_process_call(wait_for_ever, NULL, 0, 0, &opts, &daemons[i])) return 1;
        printf("%ld\n", il_process_id(daemons[i]));
    }
    fflush(stdout);
    wait_for_ever(NULL, NULL);
    return 1;
}

static void daemon_functions_end_with_the_program(void **state)
{
    char line[64] = "", *end;
    il_process_opts opts = { .out = IL_PIPE };
    const char *const argv[] = { "/proc/self/exe", "have_daemon_functions", NULL };
    il_process *program = NULL;
    assert_int_equal(il_process_start(argv, &opts, &program), 0);
    size_t got = 0, more = 1;
    while (more && (!strchr(line, '\n') || strchr(line, '\n') == strrchr(line, '\n'))) {
        assert_int_equal(
            il_process_read(program, 1, line + got, sizeof line - 1 - got, LATE, &more), 0);
        got += more;
    }
    long one = strtol(line, &end, 10), two = strtol(end, NULL, 10);
    assert_true(one > 0 && two > 0 && exists(one) && exists(two));
    il_process_free(program); /* SIGKILL */
    while (lives(one) || lives(two)) il_yield();
}

static void the_zygote_goes_with_the_watcher(void **state)
{
    long none = 0;
    il_process *process = NULL;
    assert_int_equal(call(triple, 1, &none, NULL, &process), 0);
    il_process_free(process);
    while (il__watcher_runs()) il_yield();
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left, it neither */
    assert_int_equal(errno, ECHILD);
    assert_int_equal(expect_triple(NULL, NULL), 0); /* and begins again */
}

/* A child of ours of that name, but for that one, which may not have taken its own yet; 0: none. */
static long child_named(const char *name, long but)
{
    long found = 0;
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (proc && (entry = readdir(proc))) {
        char path[300], comm[32] = "";
        long parent = 0;
        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *file = fopen(path, "re");
        int fields = file ? fscanf(file, "%*d (%31[^)]) %*c %ld", comm, &parent) : 0;
        if (file) fclose(file);
        if (fields == 2 && parent == getpid() && !strcmp(comm, name) && atol(entry->d_name) != but)
            found = atol(entry->d_name);
    }
    if (proc) closedir(proc);
    return found;
}

static void a_killed_zygote_is_replaced(void **state)
{
    il_process *process = NULL;
    assert_int_equal(il_process_call(wait_for_ever, NULL, 0, 0, NULL, &process), 0);
    long zygote = child_named("il-zygote", il_process_id(process));
    assert_true(zygote > 0);
    kill((pid_t)zygote, SIGKILL);
    for (int i = 0; i < 3; i++) assert_int_equal(expect_triple(NULL, NULL), 0);
    assert_int_equal(il_process_wait(process, IL_NOW, NULL), -EAGAIN); /* it is not its child */
    il_process_free(process);
}

/* --- Several --------------------------------------------------------------------------------- */

static void one_wait_joins_all(void **state)
{
    il_process *processes[20];
    il_exit end;
    for (int i = 0; i < 20; i++) {
        long in = -i;
        processes[i] = NULL;
        if (i == 7) continue; /* NULLs are passed over */
        assert_int_equal(il_process_call(i % 2 ? triple : end_by, &in, sizeof in, sizeof in, NULL,
                                         &processes[i]),
                         0);
    }
    assert_int_equal(il_process_wait_many(processes, 20, IL_ALL, LATE), 0);
    for (int i = 0; i < 20; i++) {
        if (processes[i]) assert_int_equal(il_process_wait(processes[i], IL_NOW, &end), 0);
        il_process_free(processes[i]);
    }
    assert_int_equal(il_process_wait_many(NULL, 0, IL_ANY, LATE), 0);
}

static void waiting_for_any_ends_with_the_first(void **state)
{
    il_process_opts opts = { .in = IL_PIPE };
    il_process *processes[] = { shell("read x; exit 0", &opts), shell("read x; exit 3", &opts),
                                NULL };
    assert_int_equal(il_process_wait_many(processes, 3, IL_ANY, IL_NOW), -EAGAIN);
    assert_int_equal(il_process_wait_many(processes, 3, IL_ANY, SOON), -ETIMEDOUT);
    il_process_close_in(processes[0]);
    assert_int_equal(il_process_wait_many(processes, 3, IL_ANY, LATE), 0);
    assert_int_equal(il_process_wait(processes[0], IL_NOW, NULL), 0);
    assert_int_equal(il_process_wait_many(processes, 3, IL_FIRST_ERROR, SOON), -ETIMEDOUT);
    il_process_close_in(processes[1]);
    assert_int_equal(il_process_wait_many(processes, 3, IL_FIRST_ERROR, LATE), 0);
    assert_int_equal(il_process_wait(processes[1], IL_NOW, NULL), 0);
    for (int i = 0; i < 2; i++) il_process_free(processes[i]);
}

static int wait_for_any(void *process, il_time until)
{
    il_process *processes[] = { process, process };
    return il_process_wait_many(processes, 2, IL_ANY, until);
}

static int select_it(void *process, il_time until)
{
    il_event never = { 0 };
    il_case cases[] = { IL_SET(&never), IL_EXITED((il_process *)process) };
    return il_select(cases, 2, until, NULL);
}

static void waits_for_several_give_up(void **state)
{
    il_process *process = shell("exec sleep 1000", NULL);
    assert_gives_up(state, wait_for_any, process);
    assert_gives_up(state, select_it, process);
    il_process_free(process);
}

static int expect_exit_in_select(void *in, void *out)
{
    return select_it(in, LATE);
}

static int expect_exit_in_wait(void *in, void *out)
{
    return wait_for_any(in, LATE);
}

static void its_end_is_a_case_of_select(void **state)
{
    struct crew crew;
    il_process_opts opts = { .in = IL_PIPE };
    il_process *process = shell("read x", &opts);
    crew_open(&crew, state);
    for (int i = 0; i < 4; i++) {
        crew_add(&crew, expect_exit_in_select, process);
        crew_add(&crew, expect_exit_in_wait, process);
    }
    il_process_close_in(process);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(select_it(process, IL_NOW), 0); /* and stays so */
    il_process_free(process);
}

static const struct body bodies[] = { { "have_a_daemon", have_a_daemon },
                                      { "have_daemon_functions", have_daemon_functions },
                                      { 0 } };

int main(int argc, char **argv)
{
    run_body_if_asked(argc, argv, bodies);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_that_polls_needs_no_watcher),
        cmocka_unit_test(exit_code_and_signal_are_told_apart),
        cmocka_unit_test(cpu_time_memory_and_times_are_told),
        cmocka_unit_test(a_wait_can_be_repeated_and_leaves_no_zombie),
        cmocka_unit_test(one_that_was_reaped_by_another_is_echild),
        EACH_CREW(a_wait_gives_up),
        EACH_CREW(all_who_wait_are_told),
        EACH_CREW(many_start_and_wait_at_once),
        cmocka_unit_test(what_cannot_be_run_is_said_at_the_start),
        cmocka_unit_test(environment_and_directory_are_its_own),
        cmocka_unit_test(it_has_three_descriptors_and_no_other),
        cmocka_unit_test(descriptors_may_be_given_in_any_order),
        cmocka_unit_test(signals_of_ours_are_not_its),
        EACH_CREW(a_megabyte_goes_in_and_comes_out),
        EACH_CREW(a_read_gives_up),
        cmocka_unit_test(writing_to_one_that_reads_no_more_is_epipe),
        cmocka_unit_test(terminate_asks_and_then_insists),
        cmocka_unit_test(a_stopped_one_is_ended_too),
        cmocka_unit_test(its_group_ends_with_it),
        cmocka_unit_test(a_daemon_outlives_its_thread_but_not_the_program),
        cmocka_unit_test(they_are_listed_by_name),
        cmocka_unit_test(without_anything_to_watch_the_watcher_ends),
        cmocka_unit_test(a_function_takes_and_gives_bytes),
        EACH_CREW(functions_are_started_from_everywhere_at_once),
        cmocka_unit_test(an_error_crosses_with_words_place_and_cause),
        cmocka_unit_test(a_crash_is_no_error_of_the_function),
        cmocka_unit_test(a_crash_says_where),
        cmocka_unit_test(a_function_gets_name_group_directory_and_environment),
        cmocka_unit_test(a_function_may_use_all_of_the_library),
        cmocka_unit_test(a_function_has_pipes_as_a_program_has),
        cmocka_unit_test(a_function_that_does_not_end_is_terminated),
        cmocka_unit_test(what_is_no_function_of_ours_is_enoexec),
        cmocka_unit_test(daemon_functions_end_with_the_program),
        cmocka_unit_test(the_zygote_goes_with_the_watcher),
        cmocka_unit_test(a_killed_zygote_is_replaced),
        cmocka_unit_test(one_wait_joins_all),
        cmocka_unit_test(waiting_for_any_ends_with_the_first),
        EACH_CREW(waits_for_several_give_up),
        EACH_CREW(its_end_is_a_case_of_select),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
