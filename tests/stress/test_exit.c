/* SPDX-License-Identifier: MIT */
/*
 * The end of the process in the middle of everything: a child with two pools, fibers that are
 * parked, run and sleep, threads of both kinds that wait, a map under way and a daemon ends at a
 * random moment, in every way there is. It must end, with the code it was given, and under ASan
 * without a word of leaks, since what a parked fiber holds is not lost. And fork without exec: what the child asks of the parent's pools is
 * refused, not waited for; all else works there.
 */

#include "chaos.h"

enum { CODE = 7, CROWD = 12 };

/* --- A world that never ends by itself ----------------------------------------------------------- */

static struct {
    il_executor *pools[2];
    il_mutex mutex; /* held by whoever runs the world */
    il_event never;
    il_sem empty;
    il_event begun;
    uint64_t random;
    il_thread thread, daemon;
    il_future *pending;
} world;

static int park_somehow(void *in, void *out)
{
    uint64_t random = *(uint64_t *)in;
    char *held = malloc(100); /* only this fiber knows it */
    int status = 0;
    if (!held) return -ENOMEM;
    memset(held, 1, 100);
    switch (below(&random, 5)) {
    case 0: status = il_event_wait_until(&world.never, IL_FOREVER); break;
    case 1: status = il_sem_acquire_until(&world.empty, il_after(IL_SEC(100))); break;
    case 2: status = il_mutex_lock_until(&world.mutex, IL_FOREVER); break;
    case 3:
        while (!il_cancelled()) il_yield();
        break;
    default:
        while (!status) status = il_sleep(il_after(IL_US(below(&random, 300))));
        break;
    }
    free(held);
    return status;
}

static int nap(void *in, void *out)
{
    return il_sleep(il_after(IL_US(*(long *)in)));
}

static void *map_for_ever(void *arg)
{
    long in[50], out = 0;
    for (long i = 0; i < 50; i++) in[i] = i;
    while (!il_map_bytes(world.pools[0], nap, in, sizeof *in, NULL, 0, 50, NULL)) out++;
    return NULL;
}

static void *submit_for_ever(void *arg)
{
    for (long n = 1, result;; n++) {
        il_future *future = NULL;
        if (il_submit(world.pools[1], square, &n, sizeof n, sizeof n, NULL, &future)) continue;
        il_future_get(future, IL_FOREVER, &result);
        il_future_free(future);
    }
    return NULL;
}

static void *wait_for_ever(void *arg)
{
    il_event_wait(&world.never);
    return NULL;
}

static int thread_waits(void *in, void *out)
{
    return il_event_wait_until(&world.never, IL_FOREVER);
}

static void begin_world(void)
{
    pthread_t threads[3];
    seed = strtoull(getenv("IL_SEED"), NULL, 0);
    world.random = seed;
    for (int i = 0; i < 2; i++) world.pools[i] = pool_of(1 + below(&world.random, 3));
    il_mutex_lock(&world.mutex);
    for (int i = 0; i < CROWD; i++) {
        uint64_t random = draw(&world.random);
        il_future *future = NULL;
        il_submit(world.pools[i % 2], park_somehow, &random, sizeof random, 0, NULL, &future);
        if (i) il_future_free(future);
        else world.pending = future;
    }
    pthread_create(&threads[0], NULL, map_for_ever, NULL);
    pthread_create(&threads[1], NULL, submit_for_ever, NULL);
    pthread_create(&threads[2], NULL, wait_for_ever, NULL);
    for (int i = 0; i < 3; i++) pthread_detach(threads[i]);
    il_thread_grace(IL_MS(5));
    il_thread_start(&world.thread, thread_waits, NULL, NULL, NULL);
    il_thread_start(&world.daemon, thread_waits, NULL, NULL, &(il_thread_opts){ .daemon = true });
    for (unsigned i = below(&world.random, 4); i; i--) sched_yield();
    il_sleep(il_after(IL_US(below(&world.random, 2000))));
    if (below(&world.random, 2)) fuzz_begin();
}

/* --- Ways to end ------------------------------------------------------------------------------------ */

static int return_from_main(void)
{
    begin_world();
    return CODE;
}

static int end_at_once(void)
{
    begin_world();
    _exit(CODE);
}

static int quick_end(void)
{
    begin_world();
    quick_exit(CODE);
}

/* Who calls exit; main waits meanwhile, in one way or another. */
static int call_exit(void *in, void *out)
{
    uint64_t random = seed + 1;
    if (below(&random, 2)) il_yield();
    exit(CODE);
}

static int call_exit_after_a_wait(void *in, void *out)
{
    il_sleep(il_after(IL_US(100)));
    exit(CODE);
}

static void *call_exit_as_foreigner(void *arg)
{
    il_sleep(il_after(IL_US(100)));
    exit(CODE);
}

static int wait_for_the_end(void)
{
    switch (below(&world.random, 3)) {
    case 0: il_event_wait(&world.never); break;
    case 1: pthread_exit(NULL);
    default: il_future_get(world.pending, IL_FOREVER, NULL);
    }
    for (;;) pause();
}

static void let_a_task_call(il_fn *fn)
{
    begin_world();
    int status = il_submit(world.pools[0], fn, NULL, 0, 0, NULL, NULL);
    if (status) _exit(90);
}

static int exit_in_a_task(void)
{
    let_a_task_call(call_exit);
    return wait_for_the_end();
}

static int exit_in_a_fiber(void)
{
    let_a_task_call(call_exit_after_a_wait);
    return wait_for_the_end();
}

static int exit_in_an_item(void)
{
    long items[3] = { 0 };
    begin_world();
    il_map_bytes(world.pools[1], call_exit, items, sizeof *items, NULL, 0, 1, NULL);
    return 91;
}

static int exit_in_a_foreign_thread(void)
{
    pthread_t thread;
    begin_world();
    pthread_create(&thread, NULL, call_exit_as_foreigner, NULL);
    return wait_for_the_end();
}

static int exit_in_a_thread_of_ours(void)
{
    static il_thread thread;
    begin_world();
    il_thread_start(&thread, call_exit_after_a_wait, NULL, NULL, NULL);
    return wait_for_the_end();
}

static void exit_in_callback(il_future *future, void *arg)
{
    exit(CODE);
}

static int exit_in_a_callback(void)
{
    il_future *promise = NULL;
    begin_world();
    il_promise_new(0, &promise);
    il_future_on_done(promise, exit_in_callback, NULL);
    il_promise_set(promise, NULL);
    return 92;
}

/* --- Handlers that use the library -------------------------------------------------------------------- */

static void use_pools(void)
{
    long in[10], out[10];
    for (long i = 0; i < 10; i++) in[i] = i;
    for (int i = 0; i < 2; i++) {
        long n = 9, result = 0;
        il_future *future = NULL;
        if (il_map(world.pools[i], square, in, out, 10, NULL) || out[9] != 81) _exit(93);
        if (il_submit(world.pools[i], square, &n, sizeof n, sizeof n, NULL, &future)) _exit(94);
        if (il_future_get(future, IL_FOREVER, &result) || result != 81) _exit(95);
        il_future_free(future);
    }
    il_sem_release(&world.empty); /* let one of them go */
}

static int handler_uses_pools(void)
{
    atexit(use_pools);
    begin_world();
    return CODE;
}

static int handler_uses_pools_in_a_fiber(void)
{
    atexit(use_pools);
    return exit_in_a_fiber();
}

static int quick_handler_uses_pools(void)
{
    at_quick_exit(use_pools);
    begin_world();
    quick_exit(CODE);
}

static void free_a_pool(void)
{
    il_executor_free(world.pools[1]); /* nobody maps there; who submits has a refusal */
}

static int handler_frees_a_pool(void)
{
    atexit(free_a_pool);
    world.pools[1] = NULL;
    il_executor *pool = pool_of(2);
    uint64_t random = 3;
    for (int i = 0; i < CROWD; i++)
        il_submit(pool, park_somehow, &random, sizeof random, 0, NULL, NULL);
    world.pools[1] = pool;
    exit(CODE);
}

/* --- Fork without exec --------------------------------------------------------------------------------- */

/* In the child: 0, or the line of what is not as it should be. */
static int use_what_there_is(void)
{
    il_mutex mutex = { 0 };
    il_event event = { 0 };
    il_executor *pool = NULL, *in_place = NULL;
    long in = 4, out = 0;
    il_future *future = NULL;
    il_scope *scope = NULL;

    il_mutex_lock(&mutex);
    il_mutex_unlock(&mutex);
    EXPECT(il_event_wait_until(&event, il_after(IL_US(50))) == -ETIMEDOUT);
    EXPECT(il_sleep(il_after(IL_US(50))) == 0);
    EXPECT(il_thread_list(NULL, 0) == 1);
    EXPECT(il_scope_open(NULL, &scope) == 0);
    EXPECT(il_scope_close(scope) == 0);
    EXPECT(il_inline_new(&in_place) == 0);
    EXPECT(il_map(in_place, square, &in, &out, 1, NULL) == 0 && out == 16);
    il_executor_free(in_place);

    EXPECT(il_submit(world.pools[0], square, &in, sizeof in, sizeof in, NULL, &future) ==
           -ESHUTDOWN);
    EXPECT(strstr(il_last_error()->message, "stayed in the process that forked"));
    EXPECT(il_map(world.pools[1], square, &in, &out, 1, NULL) == -ESHUTDOWN);
    EXPECT(il_executor_close(world.pools[1], IL_FOREVER) == -ESHUTDOWN);
    EXPECT(il_future_get(world.pending, IL_FOREVER, NULL) == -EPIPE);
    EXPECT(il_futures_wait(&world.pending, 1, IL_ANY, IL_FOREVER) == -EPIPE);
    EXPECT(il_fiber_list(NULL, 0) == 0);
    EXPECT(il_thread_join(&world.thread, IL_FOREVER) == -EPIPE);
    if (IL_TSAN || getenv("IL_RUNNER")) return 0; /* TSan, QEMU start no threads in such a child */
    EXPECT(il_threads_new(&(il_threads_opts){ .workers = 2 }, &pool) == 0);
    EXPECT(il_map(pool, square, &in, &out, 1, NULL) == 0 && out == 16);
    il_executor_free(pool);
    return 0;
}

/* The code of a child that has done that; it ends by exit, with all its handlers. */
static int fork_and_use(bool frees)
{
    int status = 0;
    pid_t child = fork();
    if (!child) {
        alarm(60);
        int line = use_what_there_is();
        if (line) fprintf(stderr, "line %d\n", line);
        if (frees && !IL_TSAN)
            il_executor_free(world.pools[0]); /* TSan lost its fibers at the fork */
        exit(line ? 96 : CODE);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 97;
}

static int fork_in_main(void)
{
    begin_world();
    return fork_and_use(true);
}

static int fork_in_a_scope(void)
{
    uint64_t random = 0;
    il_scope *scope = NULL;
    int status = 0;
    begin_world();
    il_scope_open(&(il_scope_opts){ .executor = world.pools[0] }, &scope);
    il_go(scope, park_somehow, &random, NULL);
    pid_t child = fork();
    if (!child) {
        alarm(60);
        _exit(il_scope_close(scope) == -EPIPE ? CODE : 98);
    }
    waitpid(child, &status, 0);
    il_scope_cancel(scope);
    il_scope_close(scope);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 97;
}

static int fork_and_say(void *in, void *out)
{
    uint64_t random = seed + 1;
    if (below(&random, 2)) il_yield();
    *(int *)out = fork_and_use(false);
    return 0;
}

static int fork_in_a_task(void)
{
    int code = 0;
    il_future *future = NULL;
    begin_world();
    il_submit(world.pools[0], fork_and_say, NULL, 0, sizeof code, NULL, &future);
    il_future_get(future, IL_FOREVER, &code);
    il_future_free(future);
    return code;
}

static int fork_and_return(void *in, void *out)
{
    int status = 0;
    pid_t child = fork();
    if (child) waitpid(child, &status, 0);
    *(int *)out = status;
    return 0;
}

static int return_in_the_child_of_a_task(void)
{
    int status = 0;
    begin_world();
    il_future *future = NULL;
    il_submit(world.pools[0], fork_and_return, NULL, 0, sizeof status, NULL, &future);
    il_future_get(future, IL_FOREVER, &status);
    il_future_free(future);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? CODE : 99;
}

/* --- The tests ------------------------------------------------------------------------------------------- */

#define BODY(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }
static const struct body bodies[] = {
    BODY(return_from_main),
    BODY(end_at_once),
    BODY(quick_end),
    BODY(exit_in_a_task),
    BODY(exit_in_a_fiber),
    BODY(exit_in_an_item),
    BODY(exit_in_a_foreign_thread),
    BODY(exit_in_a_thread_of_ours),
    BODY(exit_in_a_callback),
    BODY(handler_uses_pools),
    BODY(handler_uses_pools_in_a_fiber),
    BODY(quick_handler_uses_pools),
    BODY(handler_frees_a_pool),
    BODY(fork_in_main),
    BODY(fork_in_a_scope),
    BODY(fork_in_a_task),
    BODY(return_in_the_child_of_a_task),
    { 0 },
};

static void ends_with_its_code(const char *body)
{
    char words[8000], number[30];
    uint64_t random = seed;
    for (long i = 0; i < rounds; i++) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)draw(&random));
        setenv("IL_SEED", number, 1);
        int code = in_child(body, words, sizeof words);
        if (code != CODE)
            fail_msg("it ended with %d: IL_SEED=%s build/tests/stress_exit %s: %s", code, number,
                     body, words);
        count_uses(1);
    }
}

/* gcc 12's ASan does not hold the locks of its allocator across a fork: its child may wait for one
 * that nobody has, in any malloc. */
static void process_ends(void **state)
{
    const char *body = *state;
    if (IL_ASAN && (strstr(body, "fork_") == body || strstr(body, "return_in_the_child") == body))
        skip();
    ends_with_its_code(*state);
}

#define ENDS(body)                                                                                 \
    {                                                                                              \
#body, process_ends, NULL, NULL, (void *)#body                                             \
    }

int main(int argc, char **argv)
{
    char options[1000]; /* TSan would wait a second at each exit */
    const char *tsan = getenv("TSAN_OPTIONS");
    run_body_if_asked(argc, argv, bodies);
    snprintf(options, sizeof options, "%s:atexit_sleep_ms=20", tsan ? tsan : "");
    if (IL_TSAN) setenv("TSAN_OPTIONS", options, 1);
    read_environment(IL_TSAN || IL_ASAN ? 4 : 12);
    const struct CMUnitTest tests[] = {
        ENDS(return_from_main),
        ENDS(end_at_once),
        ENDS(quick_end),
        ENDS(exit_in_a_task),
        ENDS(exit_in_a_fiber),
        ENDS(exit_in_an_item),
        ENDS(exit_in_a_foreign_thread),
        ENDS(exit_in_a_thread_of_ours),
        ENDS(exit_in_a_callback),
        ENDS(handler_uses_pools),
        ENDS(handler_uses_pools_in_a_fiber),
        ENDS(quick_handler_uses_pools),
        ENDS(handler_frees_a_pool),
        ENDS(fork_in_main),
        ENDS(fork_in_a_scope),
        ENDS(fork_in_a_task),
        ENDS(return_in_the_child_of_a_task),
    };
    return RUN(tests);
}
