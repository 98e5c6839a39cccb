/* SPDX-License-Identifier: MIT */
/*
 * The mutex lines with Interlock: il_mutex between threads (variant "interlock"), or between fibers
 * of a pool (variant "interlock-fiber" where both make sense, on=fiber).
 */

#include "mutex_work.h"
#include <interlock.h>

static _Alignas(128) il_mutex mutex;
static il_executor *pool; /* NULL: contestants are threads */
static int workers;
static il_latch arrived;
static il_event gate;

static void take(void)
{
    il_mutex_lock(&mutex);
}
static void give(void)
{
    il_mutex_unlock(&mutex);
}
static void let_others_run(void)
{
    il_yield();
}

static int body(void *in, void *out)
{
    il_latch_count_down(&arrived, 1);
    il_event_wait(&gate);
    compete(in);
    return 0;
}

static int64_t release(void)
{
    int64_t start;

    il_latch_wait(&arrived);
    start = bench_now();
    il_event_set(&gate);
    if (!the_contest.rounds) {
        bench_sleep(the_contest.duration);
        contest_stop();
    }
    return start;
}

static int64_t between_fibers(void)
{
    il_scope *scope = NULL;
    int64_t start;

    bench_must(il_scope_open(&(il_scope_opts){ .executor = pool }, &scope), "scope");
    for (int64_t i = 0; i < the_contest.contestants; i++) {
        bench_must(il_go(scope, body, &contestants[i], NULL), "go");
    }
    start = release();
    bench_must(il_scope_close(scope), "fibers");
    return bench_now() - start;
}

static int64_t between_threads(void)
{
    il_thread *threads = calloc((size_t)the_contest.contestants, sizeof *threads);
    int64_t start;

    if (!threads) bench_die("no memory");
    for (int64_t i = 0; i < the_contest.contestants; i++) {
        bench_must(il_thread_start(&threads[i], body, &contestants[i], NULL, NULL), "thread");
    }
    start = release();
    for (int64_t i = 0; i < the_contest.contestants; i++) {
        bench_must(il_thread_join(&threads[i], IL_FOREVER), "join");
    }
    start = bench_now() - start;
    free(threads);
    return start;
}

static int64_t contest_hold(void)
{
    arrived = (il_latch){ .count = (uint32_t)the_contest.contestants };
    il_event_clear(&gate);
    return pool ? between_fibers() : between_threads();
}

int main(int argc, char **argv)
{
    const char *on = bench_word(argv, "on"), *as = bench_word(argv, "as");

    workers = (int)bench_number(argv, "workers", 1);
    if (on && !strcmp(on, "fiber")) {
        bench_must(il_threads_new(&(il_threads_opts){ .workers = (unsigned)workers }, &pool),
                   "pool");
    }
    contest_measure(argv, as ? as : "interlock", workers);
    il_executor_free(pool);
    return argc == 0;
}
