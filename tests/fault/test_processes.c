/* SPDX-License-Identifier: MIT */
/*
 * Every resource refused in turn, for what has to do with processes: the nth allocation, descriptor,
 * mapping, thread or start of a process, for every n until none was refused. Whatever is refused, a
 * status comes back, nothing hangs, and no descriptor, thread or child is left; the next try works.
 * (Leaks of memory are AddressSanitizer's.)
 */

#include <dirent.h>
#include <fcntl.h>
#include <interlock/connection.h>
#include <interlock/log.h>

#include "base/memory.h"
#include "link/mac.h"
#include "proc/watcher.h"
#include "../unit/work.h"

/* What an operation notes while it runs, on whatever stack; the test asserts. */
static int broken;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) broken = __LINE__;                                                       \
    } while (0)

static bool is_refusal(int status)
{
    return status == -ENOMEM || status == -EAGAIN || status == -EMFILE || status == -ECANCELED;
}

static int count_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* --- Operations: each whole, from nothing to nothing ------------------------------------------- */

typedef int operation(void);

static int use_a_pool(void)
{
    static long in[200], out[200];
    long seven = 7, result = 0;
    il_executor *pool = NULL;
    il_future *future = NULL;
    int status = il_processes_new(&(il_processes_opts){ .workers = 2 }, &pool);
    CHECK(!status == !!pool);
    if (status) return status;
    for (long i = 0; i < 200; i++) in[i] = i, out[i] = -1;
    status = il_submit(pool, square, &seven, sizeof seven, sizeof result, NULL, &future);
    CHECK(!status == !!future);
    if (!status) status = il_future_get(future, LATE, &result);
    CHECK(status || result == 49);
    int mapped = il_map(pool, square, in, out, 200, &(il_map_opts){ .chunk = 50 });
    for (long i = 0; !mapped && i < 200; i++) CHECK(out[i] == i * i);
    il_future_free(future);
    il_executor_free(pool);
    return status ? status : mapped;
}

static int fail_with_words(void *in, void *out)
{
    return il_fail(-ENOENT, "words of some length, which are to be copied: %d", 5);
}

static int call_functions(void)
{
    long seven = 7, result = 0;
    il_process *good = NULL, *bad = NULL;
    il_process_opts opts = { .name = "good", .in = IL_NULL, .out = IL_PIPE };
    int status = il_process_call(square, &seven, sizeof seven, sizeof result, &opts, &good);
    CHECK(!status == !!good);
    if (!status) status = il_process_get(good, LATE, &result);
    CHECK(status || result == 49);
    int failed = il_process_call(fail_with_words, NULL, 0, 0, NULL, &bad);
    CHECK(!failed == !!bad);
    il_process *const both[] = { good, bad };
    if (!status) status = il_process_wait_many(both, 2, IL_ANY, LATE);
    if (!failed) {
        failed = il_process_get(bad, LATE, NULL);
        if (failed == -ENOENT) { /* as it should: with words, or without memory for them */
            const il_error *error = il_process_error(bad);
            CHECK(error && error->message && error->file && error->task);
            failed = 0;
        }
    }
    il_process_free(good);
    il_process_free(bad);
    CHECK(il_process_list(NULL, 0) == 0);
    return status ? status : failed;
}

static int start_a_program(void)
{
    const char *const argv[] = { "/bin/sh", "-c", "read x; echo $x", NULL };
    il_process_opts opts = { .in = IL_PIPE, .out = IL_PIPE, .err = IL_NULL, .daemon = true };
    il_process *process = NULL;
    char word[8] = "";
    size_t size = 0;
    int status = il_process_start(argv, &opts, &process);
    CHECK(!status == !!process);
    if (!status) status = il_process_write(process, "word\n", 5, LATE, NULL);
    if (!status) status = il_process_read(process, 1, word, sizeof word, LATE, &size);
    CHECK(status || (size == 5 && !memcmp(word, "word\n", 5)));
    il_case cases[] = { IL_EXITED(process) };
    if (!status) status = il_select(cases, 1, LATE, NULL);
    il_process_free(process);
    CHECK(il_process_list(NULL, 0) == 0);
    return status;
}

/* More than fits at once: the rest is kept, or there is no memory for it. */
static int send_frames(void)
{
    static char large[600000], room[600000];
    il_frames *ends[2] = { NULL, NULL };
    size_t size = 0;
    int status = il_frames_pair(NULL, ends);
    CHECK(!status == !!ends[0] && !status == !!ends[1]);
    if (status) return status;
    status = il_frames_send(ends[0], large, sizeof large, IL_NOW);
    while (!status && (status = il_frames_receive(ends[1], room, sizeof room, IL_NOW, &size))) {
        if (status != -EAGAIN) break;
        status = il_frames_flush(ends[0], IL_NOW);
        if (status == -EAGAIN) status = 0;
    }
    CHECK(status || size == sizeof large);
    if (!status) status = il_frames_receive(ends[1], room, 1, SOON, NULL);
    CHECK(status);
    il_frames_free(ends[0]);
    il_frames_free(ends[1]);
    return status == -ETIMEDOUT ? 0 : status;
}

/* One after the other: where nobody is let in, the one who knocks is hung up on or gives up. */
static int connect_and_accept(void)
{
    static const char key[32] = "key";
    il_connection_opts opts = { .handshake = IL_SEC(20) };
    if (il__mac_works()) opts = (il_connection_opts){ key, sizeof key, 0, IL_SEC(20), 0 };
    il_listener *listener = NULL;
    il_connection *guest = NULL;
    char address[] = "unix:@il_fault_00000000";
    snprintf(address + 15, 9, "%d", (int)getpid());
    int status = il_listener_new(address, &opts, &listener);
    CHECK(!status == !!listener);
    if (status) return status;
    il_process *child = NULL;
    il_connection *host = NULL;
    int refused = il_connect(address, &opts, IL_NOW, &host);
    CHECK(refused < 0 && !host);
    if (refused == -EAGAIN || refused == -EACCES) refused = 0;
    status = il_listener_accept(listener, SOON, &guest);
    CHECK(!status == !!guest);
    il_connection_free(guest);
    il_process_free(child);
    il_listener_free(listener);
    if (status == -ETIMEDOUT) status = 0;
    return refused ? refused : status;
}

struct door {
    il_listener *listener;
    int status;
};

static int let_one_in(void *in, void *out)
{
    struct door *door = in;
    il_connection *guest = NULL;
    char word[8];
    door->status = il_listener_accept(door->listener, LATE, &guest);
    if (!door->status) door->status = il_connection_receive(guest, word, sizeof word, LATE, NULL);
    il_connection_free(guest);
    il_listener_close(door->listener); /* so that who knocks does not wait for ever */
    return 0;
}

static int meet(void)
{
    static const char key[32] = "key";
    il_connection_opts opts = { .handshake = 0 };
    if (il__mac_works()) opts = (il_connection_opts){ key, sizeof key, 0, 0, 0 };
    struct door door = { NULL, 0 };
    il_connection *host = NULL;
    il_thread thread = { 0 };
    int status = il_listener_new("tcp:127.0.0.1:0", &opts, &door.listener);
    CHECK(!status == !!door.listener);
    if (status) return status;
    status = il_thread_start(&thread, let_one_in, &door, NULL, NULL);
    if (status) {
        il_listener_free(door.listener);
        return status;
    }
    status = il_connect(il_listener_address(door.listener), &opts, LATE, &host);
    CHECK(!status == !!host);
    if (!status) status = il_connection_send(host, "hello", 5, LATE);
    il_connection_free(host);
    if (status) il_listener_close(door.listener);
    il_thread_join(&thread, IL_FOREVER);
    il_listener_free(door.listener);
    /* One of us was refused something; what the other saw of that is his end. */
    if (is_refusal(door.status)) return door.status;
    if (is_refusal(status)) return status;
    return status || door.status ? -ECANCELED : 0;
}

static int open_a_log(void)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/il_fault_log_%d", (int)getpid());
    int status = il_log_open(path, IL_LOG_DEBUG);
    il_log(IL_LOG_INFO, "whatever comes");
    unlink(path);
    return status;
}

static int open_a_named_pipe(void)
{
    char path[64];
    il_frames *in = NULL, *out = NULL;
    snprintf(path, sizeof path, "/tmp/il_fault_pipe_%d", (int)getpid());
    int status = il_frames_open(path, IL_TO_RECEIVE, NULL, LATE, &in);
    if (!status) status = il_frames_open(path, IL_TO_SEND, NULL, LATE, &out);
    il_frames_free(in);
    il_frames_free(out);
    unlink(path);
    return status;
}

/* --- Refusing -------------------------------------------------------------------------------- */

static void until_at_rest(void)
{
    while (il__watcher_runs()) il_yield();
}

/* The watcher stays as it is from one try to the next, but for the first. */
static void refuse_each(operation *operate)
{
    unsigned long n = 0, asked;
    int failures = 0;
    assert_int_equal(operate(), 0);
    size_t threads = il_thread_list(NULL, 0);
    int descriptors = count_descriptors();
    do { /* until fewer are asked for than the one to be refused */
        n++;
        broken = 0;
        il__refuse(n);
        int status = operate();
        asked = il__refuse(0);

        if (broken) fail_msg("line %d, with number %lu of %lu refused", broken, n, asked);
        if (status && !is_refusal(status))
            fail_msg("status %d, with number %lu refused", status, n);
        failures += status != 0;
        assert_int_equal(operate(), 0);
        assert_int_equal(il_thread_list(NULL, 0), threads);
        assert_true(n < 2000);
    } while (asked >= n);
    assert_true(failures > 0);
    if (count_descriptors() >
        descriptors + 2) /* beside the zygote's and the watcher's, if it ended */
        fail_msg("%d descriptors instead of %d", count_descriptors(), descriptors);
}

#define REFUSED(operation)                                                                         \
    static void operation##_survives_each_refusal(void **state)                                    \
    {                                                                                              \
        refuse_each(operation);                                                                    \
    }

REFUSED(use_a_pool)
REFUSED(call_functions)
REFUSED(start_a_program)
REFUSED(send_frames)
REFUSED(connect_and_accept)
REFUSED(meet)
REFUSED(open_a_log)
REFUSED(open_a_named_pipe)

/* From nothing: neither thread nor zygote is there, and each of their parts is refused. */
static void the_first_call_survives_each_refusal(void **state)
{
    for (unsigned long n = 1, asked = n; asked >= n && n < 12; n++) {
        until_at_rest();
        broken = 0;
        il__refuse(n);
        int status = call_functions();
        asked = il__refuse(0);
        assert_int_equal(broken, 0);
        assert_true(!status || is_refusal(status));
    }
    until_at_rest();
    assert_int_equal(call_functions(), 0);
    until_at_rest();
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(use_a_pool_survives_each_refusal),
        cmocka_unit_test(call_functions_survives_each_refusal),
        cmocka_unit_test(start_a_program_survives_each_refusal),
        cmocka_unit_test(send_frames_survives_each_refusal),
        cmocka_unit_test(connect_and_accept_survives_each_refusal),
        cmocka_unit_test(meet_survives_each_refusal),
        cmocka_unit_test(open_a_log_survives_each_refusal),
        cmocka_unit_test(open_a_named_pipe_survives_each_refusal),
        cmocka_unit_test(the_first_call_survives_each_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
