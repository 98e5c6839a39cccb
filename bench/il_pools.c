/* SPDX-License-Identifier: MIT */
/*
 * Pools come and workers go. what=processes-start: a pool of workers, made; freed in between.
 * processes-busy: the same in a program whose eight other threads allocate and run regions of
 * OpenMP all the time. processes-replaced: from the death of the only worker to the end of the next
 * task. as=threads: by il_threads, which has no deaths.
 */

#include "bench.h"
#include <errno.h>
#include <interlock.h>
#include <pthread.h>
#include <signal.h>

enum { BUSY = 8, MOST = 64 };

static int stop;

static void *be_busy(void *arg)
{
    size_t size = 100;
    int64_t sum = 0;

    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        void *blocks[MOST];

        for (int i = 0; i < MOST; i++) blocks[i] = malloc(size = size * 7 % 10007 + 1);
        for (int i = 0; i < MOST; i++) free(blocks[i]);
#pragma omp parallel for num_threads(2) reduction(+ : sum)
        for (int i = 0; i < 1000; i++) sum += i;
        BENCH_KEEP(sum);
    }
    return NULL;
}

static il_executor *make(int threads, unsigned workers)
{
    il_executor *pool = NULL;

    bench_must(threads ? il_threads_new(&(il_threads_opts){ .workers = workers }, &pool)
                       : il_processes_new(&(il_processes_opts){ .workers = workers }, &pool),
               "pool");
    return pool;
}

static void measure_start(int64_t *times, int64_t n, int threads, int workers)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t begin = bench_now();
        il_executor *pool = make(threads, (unsigned)workers);
        times[i] = bench_now() - begin;
        il_executor_free(pool);
    }
}

static void measure_busy(int64_t *times, int64_t n, int threads, int workers)
{
    pthread_t busy[BUSY];

    for (int i = 0; i < BUSY; i++) pthread_create(&busy[i], NULL, be_busy, NULL);
    measure_start(times, n, threads, workers);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < BUSY; i++) pthread_join(busy[i], NULL);
}

static int own_pid(void *in, void *out)
{
    (void)in;
    *(pid_t *)out = getpid();
    return 0;
}

/* Who runs the next task: 0 when that one died of it. */
static pid_t ask_pid(il_executor *pool)
{
    il_future *future = NULL;
    pid_t pid = 0;

    bench_must(il_submit(pool, own_pid, NULL, 0, sizeof pid, NULL, &future), "submit");
    int status = il_future_get(future, IL_FOREVER, &pid);
    if (status && status != -EOWNERDEAD) bench_must(status, "task");
    il_future_free(future);
    return pid;
}

static void measure_replacement(int64_t *times, int64_t n)
{
    il_executor *pool = make(0, 1);
    pid_t pid = ask_pid(pool);

    for (int64_t i = 0; i < n; i++) {
        int64_t begin = bench_now();
        pid_t dead = pid;
        kill(dead, SIGKILL);
        do pid = ask_pid(pool);
        while (!pid || pid == dead); /* it may have taken the first task with it */
        times[i] = bench_now() - begin;
    }
    il_executor_free(pool);
}

int main(int argc, char **argv)
{
    const char *line = bench_word(argv, "what"), *as = bench_word(argv, "as");
    int64_t n = bench_number(argv, "n", 100), *times = (int64_t *)bench_array((size_t)n, 8);
    int workers = (int)bench_number(argv, "workers", 2), threads = as && !strcmp(as, "threads");

    if (!line) line = "processes-start";
    if (!strcmp(line, "processes-busy")) measure_busy(times, n, threads, workers);
    else if (!strcmp(line, "processes-replaced")) measure_replacement(times, n);
    else measure_start(times, n, threads, workers);
    bench_line(line, as ? as : "interlock", workers, (double)bench_median(times, (size_t)n) / 1e6,
               "ms", 1);
    free(times);
    return argc == 0;
}
