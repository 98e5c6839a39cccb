/* SPDX-License-Identifier: MIT */
/* Claims about il_process. */

#include <fcntl.h>
#include <interlock/process.h>

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
    while (exists(atol(words))) il_yield(); /* init reaps it */
    il_process_free(process);

    process = shell("sleep 1000 & echo $!; wait", &opts);
    assert_int_equal(il_process_read(process, 1, words, sizeof words, LATE, &size), 0);
    il_process_free(process); /* while it runs */
    while (exists(atol(words))) il_yield();
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
    while (exists(atol(words))) il_yield();
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

static const struct body bodies[] = { { "have_a_daemon", have_a_daemon }, { 0 } };

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
