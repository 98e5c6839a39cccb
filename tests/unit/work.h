/* SPDX-License-Identifier: MIT */
#ifndef WORK_H
#define WORK_H

/*
 * What the tests of task and sched share, beyond check.h: an executor of each kind for a test,
 * tasks that several need, and ways to meet that are not sleeps.
 *
 * A test that should hold wherever tasks run is listed with EACH_EXECUTOR and finds its executor in
 * *state. When it is over, the executor is freed, and no thread may be left that was not there
 * before.
 */

#include <interlock.h>

#include "base/sanitize.h"
#include "check.h"

/* --- Executors ------------------------------------------------------------------------------- */

struct where {
    unsigned workers; /* 0: inline */
    bool loop;        /* an event loop */
};

static const struct where wheres[] UNUSED = {
    { 0, false }, { 1, false }, { 2, false }, { 8, false }, { 1, true },
};
static size_t threads_before UNUSED;

UNUSED static int open_executor(void **state)
{
    const struct where *where = *state;
    il_executor *executor = NULL;
    threads_before = il_thread_list(NULL, 0);
    int status = where->loop ? il_loop_new(NULL, &executor)
                 : where->workers
                     ? il_threads_new(&(il_threads_opts){ .workers = where->workers }, &executor)
                     : il_inline_new(&executor);
    *state = executor;
    return status;
}

UNUSED static int free_executor(void **state)
{
    il_executor_free(*state);
    return il_thread_list(NULL, 0) != threads_before;
}

#define ON(test, n, words)                                                                         \
    {                                                                                              \
#test " (" words ")", test, open_executor, free_executor, (void *)&wheres[n]               \
    }
#define INLINE(test) ON(test, 0, "inline")
#define ONE_WORKER(test) ON(test, 1, "1 worker")
#define TWO_WORKERS(test) ON(test, 2, "2 workers")
#define A_LOOP(test) ON(test, 4, "loop")
#define EACH_POOL(test) ONE_WORKER(test), TWO_WORKERS(test), ON(test, 3, "8 workers"), A_LOOP(test)
#define EACH_EXECUTOR(test) INLINE(test), EACH_POOL(test)

/* A pool for the length of a test that wants options of its own. */
UNUSED static il_executor *pool_of(unsigned workers)
{
    il_executor *pool = NULL;
    assert_int_equal(il_threads_new(&(il_threads_opts){ .workers = workers }, &pool), 0);
    return pool;
}

/* --- Tasks ----------------------------------------------------------------------------------- */

UNUSED static int square(void *in, void *out)
{
    *(long *)out = *(long *)in * *(long *)in;
    return 0;
}

/* The status that *in says. */
UNUSED static int give(void *in, void *out)
{
    (void)out;
    return *(int *)in;
}

UNUSED static int nothing(void *in, void *out)
{
    (void)in, (void)out;
    return 0;
}

/* Adds one to **in. */
UNUSED static int count(void *in, void *out)
{
    (void)out;
    il__add(*(int **)in, 1);
    return 0;
}

/* Waits for **in, an il_event, unless it is cancelled. */
UNUSED static int await(void *in, void *out)
{
    (void)out;
    return il_event_wait_until(*(il_event **)in, LATE);
}

/* Keeps its worker busy, without a wait that would free it, from `begun` until `enough`. */
struct occupation {
    bool begun, enough;
};

UNUSED static int occupy(void *in, void *out)
{
    struct occupation *job = *(struct occupation **)in;
    (void)out;
    il__store_release(&job->begun, true);
    for (unsigned i = 0; !il__load_acquire(&job->enough); i++) sched_yield();
    return 0;
}

/* Begin to occupy a worker; returns when it is. */
UNUSED static il_future *occupy_worker(il_executor *pool, struct occupation *job)
{
    il_future *future = NULL;
    *job = (struct occupation){ false, false };
    assert_int_equal(il_submit(pool, occupy, &job, sizeof job, 0, NULL, &future), 0);
    until_true(&job->begun);
    return future;
}

UNUSED static void release_worker(struct occupation *job, il_future *future)
{
    il__store_release(&job->enough, true);
    assert_int_equal(il_future_get(future, LATE, NULL), 0);
    il_future_free(future);
}

/* Submit fn(copy of the pointer), a task without a result. */
UNUSED static il_future *submit_pointer(il_executor *executor, il_fn *fn, void *pointer)
{
    il_future *future = NULL;
    assert_int_equal(il_submit(executor, fn, &pointer, sizeof pointer, 0, NULL, &future), 0);
    return future;
}

/* The status of a future, which is freed. */
UNUSED static int status_of(il_future *future)
{
    int status = il_future_get(future, LATE, NULL);
    il_future_free(future);
    return status;
}

/* --- Child processes ------------------------------------------------------------------------- */

/* For what ends a process, or must be alone in one. The test program is run again as a child, with
 * the name of a body instead of the tests. (Not a fork alone: cmocka has its signal handlers in
 * place by then, and the child of a process full of threads is a poor place to start.) */
struct body {
    const char *name;
    int (*run)(void);
};

/* At the start of main: if a body is asked for, run it and exit with what it returns. */
UNUSED static void run_body_if_asked(int argc, char **argv, const struct body *bodies)
{
    if (argc != 2) return;
    alarm(100);
    for (; bodies->name; bodies++)
        if (!strcmp(bodies->name, argv[1])) exit(bodies->run());
    exit(99);
}

/* Its exit code, or 256 + the signal that ended it; what it wrote to stderr is put into words. */
UNUSED static int in_child(const char *body, char *words, size_t size)
{
    char program[500];
    int ends[2], status = 0;
    size_t length = 0;
    ssize_t more = readlink("/proc/self/exe", program, sizeof program - 1);
    if (more < 0 || pipe(ends)) return -1;
    program[more] = 0;
    fflush(NULL);
    pid_t child = fork();
    if (!child) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        const char *runner = getenv("IL_RUNNER"); /* an emulator that must be named */
        if (runner) execlp(runner, runner, program, body, (char *)NULL);
        execl(program, program, body, (char *)NULL);
        _exit(98);
    }
    close(ends[1]);
    while ((more = read(ends[0], words + length, size - 1 - length)) > 0) length += (size_t)more;
    words[length] = 0;
    close(ends[0]);
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

UNUSED static void assert_fatal_in_child(const char *body, const char *words)
{
    char line[4000];
    int ended = in_child(body, line, sizeof line);
    if (ended != 256 + SIGABRT) fail_msg("%s ended with %d, and said: %s", body, ended, line);
    assert_says(line, words);
}

#endif
