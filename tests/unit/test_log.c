/* SPDX-License-Identifier: MIT */
/* Claims about il_log. */

#include <fcntl.h>
#include <interlock/log.h>
#include <sys/stat.h>
#include <time.h>

#include "base/memory.h"
#include "work.h"

static char path[64];
static char text[4 << 20];

/* A file of its own for each test. */
static int make_file(void **state)
{
    static int number;
    snprintf(path, sizeof path, "/tmp/il_log_%d_%d", (int)getpid(), ++number);
    return il_log_open(path, IL_LOG_DEBUG);
}

static int remove_file(void **state)
{
    return unlink(path);
}

static const char *read_file(void)
{
    int fd = open(path, O_RDONLY);
    size_t got = 0;
    for (ssize_t more = 1; more > 0; got += more > 0 ? (size_t)more : 0)
        more = read(fd, text + got, sizeof text - 1 - got);
    text[got] = 0;
    close(fd);
    return text;
}

static void a_line_says_when_how_bad_who_and_what(void **state)
{
    char expected[200], date[32];
    time_t before = time(NULL), when = 0;
    il_log(IL_LOG_WARN, "%d of %s", 3, "four");
    const char *line = read_file();
    struct tm tm;
    /* The date is libc's, of some second since. */
    for (when = before; when <= time(NULL); when++) {
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S.", gmtime_r(&when, &tm));
        if (!strncmp(line, date, strlen(date))) break;
    }
    assert_true(when <= time(NULL));
    assert_int_equal(strspn(line + 20, "0123456789"), 9);
    snprintf(expected, sizeof expected, "Z WARN  %.15s[%d] main: 3 of four\n",
             program_invocation_short_name, (int)getpid());
    assert_string_equal(line + 29, expected);
}

static int log_from_task(void *in, void *out)
{
    il_log(IL_LOG_INFO, "here");
    return 0;
}

static void a_task_is_named(void **state)
{
    il_future *future = NULL;
    il_executor *pool = NULL;
    assert_int_equal(il_threads_new(&(il_threads_opts){ .workers = 1, .name = "mill" }, &pool), 0);
    il_submit(pool, log_from_task, NULL, 0, 0, &(il_task_opts){ .name = "grain 7" }, &future);
    il_future_get(future, LATE, NULL);
    il_future_free(future);
    il_executor_free(pool);
    assert_says(read_file(), "] mill/0 \"grain 7\": here\n");
}

static void levels_below_the_least_are_not_written(void **state)
{
    assert_int_equal(il_log_open(path, IL_LOG_WARN), 0);
    assert_false(il_log_wants(IL_LOG_INFO));
    assert_true(il_log_wants(IL_LOG_ERROR));
    il_log(IL_LOG_INFO, "not this");
    il_log_lines(IL_LOG_DEBUG, "nor that", 8);
    il_log_in_handler(IL_LOG_INFO, "nor this");
    il_log(IL_LOG_ERROR, "but that");
    assert_null(strstr(read_file(), "not this"));
    assert_null(strstr(read_file(), "nor"));
    assert_says(read_file(), "ERROR");
}

static void a_line_that_is_too_long_is_cut_and_says_so(void **state)
{
    static char words[6001];
    char tail[40];
    memset(words, 'x', 6000);
    il_log(IL_LOG_INFO, "%s", words);
    const char *line = read_file();
    size_t length = strlen(line), kept = strspn(strstr(line, ": ") + 2, "x");
    assert_true(length <= IL_LOG_LINE);
    snprintf(tail, sizeof tail, "x... (%zu more)\n", 6000 - kept);
    assert_string_equal(line + length - strlen(tail), tail);
}

static void words_cannot_look_like_a_line(void **state)
{
    il_log(IL_LOG_INFO, "one\n2026-11-22T00:00:00.000000000Z ERROR two\r\x1b[1m\ttr\xc3\xa9s");
    const char *line = read_file();
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    assert_says(line, "one 2026-11-22T00:00:00.000000000Z ERROR two  [1m tr\xc3\xa9s");
}

static void a_text_goes_line_by_line(void **state)
{
    static char words[10000];
    memset(words, 'y', sizeof words);
    words[3] = words[4] = '\n';
    il_log_lines(IL_LOG_INFO, words, sizeof words);
    unsigned lines = 0, letters = 0, goes_on = 0;
    for (const char *line = read_file(); *line; line = strchr(line, '\n') + 1, lines++) {
        const char *said = strstr(line, ": ") + 2;
        assert_true(strchr(line, '\n') + 1 - line <= IL_LOG_LINE);
        goes_on += !strncmp(said, "... ", 4);
        for (; *said != '\n'; said++) letters += *said == 'y';
    }
    assert_int_equal(letters, sizeof words - 2);
    assert_int_equal(lines, 5); /* yyy, nothing, three pieces of the rest */
    assert_int_equal(goes_on, 2);
}

static void on_signal(int number)
{
    il_log_in_handler(IL_LOG_ERROR, "in a handler");
}

static void a_handler_may_log(void **state)
{
    char expected[100];
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_DFL);
    snprintf(expected, sizeof expected, "[%d] thread %d: in a handler\n", (int)getpid(),
             (int)getpid());
    assert_says(read_file(), expected);
}

static void errno_is_left_alone(void **state)
{
    errno = ENOTTY;
    il_log(IL_LOG_INFO, "%m");
    assert_int_equal(errno, ENOTTY);
    assert_says(read_file(), strerror(ENOTTY));
}

static void what_cannot_be_written_is_counted(void **state)
{
    unsigned long before = il_log_lost();
    int full = open("/dev/full", O_WRONLY);
    il_log_to(full, IL_LOG_DEBUG);
    il_log(IL_LOG_INFO, "into the void");
    assert_int_equal(il_log_lost(), before + 1);
    close(full);
    assert_int_equal(il_log_open("/no/such/place/log", IL_LOG_DEBUG), -ENOENT);
}

static void nothing_is_allocated_to_log(void **state)
{
    il_log(IL_LOG_INFO, "the first");
    il__refuse(0);
    for (int i = 0; i < 10; i++) il_log(IL_LOG_INFO, "number %d", i);
    assert_int_equal(il__refuse(0), 0);
}

/* --- Many at once ---------------------------------------------------------------------------- */

enum { LINES = 200, CHILDREN = 3 };

/* Lines of many lengths, each of one letter. */
static int write_lines(void *in, void *out)
{
    int letter = *(int *)in;
    char words[1500];
    memset(words, letter, sizeof words);
    for (int i = 0; i < LINES; i++)
        il_log(IL_LOG_INFO, "%d %.*s.", i, (i * 37) % (int)sizeof words, words);
    return 0;
}

/* Is each line whole, of one letter, as long as its number says; and how many are there? */
static int count_whole_lines(void)
{
    int count = 0;
    for (const char *line = read_file(); *line; count++) {
        const char *end = strchr(line, '\n'), *said = strstr(line, ": ");
        char *letters;
        if (!end || !said || said > end) return -1;
        long number = strtol(said + 2, &letters, 10);
        size_t length = (size_t)(number * 37 % 1500);
        if (letters + 1 + length + 1 != end || end[-1] != '.') return -2;
        for (size_t i = 1; i < length; i++)
            if (letters[1 + i] != letters[1]) return -3;
        line = end + 1;
    }
    return count;
}

static void lines_of_threads_fibers_and_processes_never_interleave(void **state)
{
    struct crew crew;
    int letters[] = { 'a', 'b', 'c', 'd', 'e', 'f', 'g' };
    il_process *children[CHILDREN] = { NULL };
    il_executor *pool = NULL;
    assert_int_equal(il_processes_new(&(il_processes_opts){ .workers = 2 }, &pool), 0);
    for (int i = 0; i < CHILDREN; i++)
        assert_int_equal(
            il_process_call(write_lines, &letters[i], sizeof(int), 0, NULL, &children[i]), 0);
    crew_open(&crew, state);
    for (int i = 3; i < 5; i++) crew_add(&crew, write_lines, &letters[i]);
    int status = il_map(pool, write_lines, letters + 5, (int *)NULL, 2, NULL);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(il_process_wait_many(children, CHILDREN, IL_ALL, LATE), 0);
    for (int i = 0; i < CHILDREN; i++) il_process_free(children[i]);
    il_executor_free(pool);
    assert_int_equal(status, 0);
    assert_int_equal(count_whole_lines(), 7 * LINES);
}

static void lines_through_one_pipe_never_interleave(void **state)
{
    struct crew crew;
    int letters[] = { 'a', 'b', 'c' };
    il_process_opts opts = { .in = IL_PIPE, .out = IL_NULL };
    char script[100];
    snprintf(script, sizeof script, "exec cat > %s", path);
    const char *const argv[] = { "/bin/sh", "-c", script, NULL };
    il_process *cat = NULL;
    assert_int_equal(il_process_start(argv, &opts, &cat), 0);
    il_log_to(il_process_pipe(cat, 0), IL_LOG_DEBUG); /* it does not wait by itself */
    crew_open(&crew, state);
    for (int i = 0; i < 3; i++) crew_add(&crew, write_lines, &letters[i]);
    assert_int_equal(crew_join(&crew), 0);
    il_process_close_in(cat);
    assert_int_equal(il_process_wait(cat, LATE, NULL), 0);
    il_process_free(cat);
    assert_int_equal(count_whole_lines(), 3 * LINES);
}

static int log_and_fail(void *in, void *out)
{
    il_log(IL_LOG_INFO, "from a child");
    il_log(IL_LOG_DEBUG, "too small a thing");
    return 0;
}

static void a_child_logs_to_the_same_file_from_the_same_level(void **state)
{
    char expected[100];
    il_process *child = NULL;
    assert_int_equal(il_log_open(path, IL_LOG_INFO), 0);
    il_process_opts opts = { .name = "infant", .directory = "/" };
    assert_int_equal(il_process_call(log_and_fail, NULL, 0, 0, &opts, &child), 0);
    assert_int_equal(il_process_get(child, LATE, NULL), 0);
    snprintf(expected, sizeof expected, "infant[%ld] main \"infant\": from a child\n",
             il_process_id(child));
    il_process_free(child);
    assert_says(read_file(), expected);
    assert_null(strstr(read_file(), "too small"));
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, make_file, remove_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILE(a_line_says_when_how_bad_who_and_what),
        WITH_FILE(a_task_is_named),
        WITH_FILE(levels_below_the_least_are_not_written),
        WITH_FILE(a_line_that_is_too_long_is_cut_and_says_so),
        WITH_FILE(words_cannot_look_like_a_line),
        WITH_FILE(a_text_goes_line_by_line),
        WITH_FILE(a_handler_may_log),
        WITH_FILE(errno_is_left_alone),
        WITH_FILE(what_cannot_be_written_is_counted),
        WITH_FILE(nothing_is_allocated_to_log),
        WITH_FILE(lines_of_threads_fibers_and_processes_never_interleave),
        WITH_FILE(lines_through_one_pipe_never_interleave),
        WITH_FILE(a_child_logs_to_the_same_file_from_the_same_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
