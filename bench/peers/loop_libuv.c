/* SPDX-License-Identifier: MIT */
/* The lines of a loop with bare libuv: uv_async_t, uv_timer_t. */

#include <loop_work.h>
#include <pthread.h>
#include <uv.h>

static uv_loop_t loop;
static uv_async_t async;

static void on_async(uv_async_t *handle)
{
    loop_answer();
}

static void *run(void *arg)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    return arg;
}

static void wake(void *arg)
{
    bench_must(uv_async_send(&async), "async");
}

static int64_t rung;

static void on_timer(uv_timer_t *timer)
{
    rung++;
}

static void timers(int64_t n)
{
    uv_timer_t **timer = (uv_timer_t **)bench_array((size_t)n, sizeof *timer);
    int64_t memory = bench_resident(), start = bench_now();
    for (int64_t i = 0; i < n; i++) {
        timer[i] = (uv_timer_t *)malloc(sizeof *timer[i]);
        if (!timer[i]) bench_die("no memory");
        uv_timer_init(&loop, timer[i]);
        uv_timer_start(timer[i], on_timer, (uint64_t)(loop_due(i) / 1000000), 0);
    }
    double set = (double)(bench_now() - start) / (double)n;
    double size = (double)(bench_resident() - memory) / (double)n;
    int64_t stop = bench_now();
    for (int64_t i = 0; i < n; i++)
        if (i % LOOP_RINGS) uv_timer_stop(timer[i]);
    double stopped = (double)(bench_now() - stop) / (double)n;
    uv_unref((uv_handle_t *)&async);
    uv_run(&loop, UV_RUN_DEFAULT);
    bench_expect("timer-set", rung, (n + LOOP_RINGS - 1) / LOOP_RINGS);
    bench_line("timer-set", "libuv", 1, set, "ns", 1);
    bench_line("timer-stop", "libuv", 1, stopped, "ns", 1);
    bench_line("timer-memory", "libuv", 1, size, "B", 1);
}

int main(int argc, char **argv)
{
    int64_t n = bench_number(argv, "n", 1000000);
    const char *what = bench_word(argv, "what");
    pthread_t thread;
    bench_must(uv_loop_init(&loop), "loop");
    bench_must(uv_async_init(&loop, &async, on_async), "async");
    if (what && !strcmp(what, "timer-set")) {
        timers(n);
        return 0;
    }
    bench_must(pthread_create(&thread, NULL, run, NULL), "thread");
    loop_wake_line("libuv", n, wake, NULL);
    return argc == 0; /* the thread ends with the process */
}
