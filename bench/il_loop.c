/* SPDX-License-Identifier: MIT */
/* The lines of a loop, with Interlock's: a task that is called, a task that waits, timers. */

#include "loop_work.h"
#include <interlock.h>

static int answer(void *in, void *out)
{
    loop_answer();
    return 0;
}

static void submit(void *loop)
{
    bench_must(il_submit(loop, answer, NULL, 0, 0, NULL, NULL), "submit");
}

static il_event turn = { .automatic = true };

static int answer_each(void *in, void *out)
{
    while (!il_event_wait_until(&turn, IL_FOREVER)) loop_answer();
    return 0;
}

static void set_event(void *loop)
{
    il_event_set(&turn);
}

static int64_t rung;

static int ring(const il_beat *beat, void *arg)
{
    rung++;
    return 0;
}

static void timers(int64_t n)
{
    il_timer **timer = (il_timer **)bench_array((size_t)n, sizeof *timer);
    il_executor *loop = NULL;
    bench_must(il_loop_new(&(il_loop_opts){ .manual = true }, &loop), "loop");
    int64_t memory = bench_resident(), start = bench_now();
    for (int64_t i = 0; i < n; i++)
        bench_must(il_timer_start(loop, start + loop_due(i), 0, ring, NULL, &timer[i]), "timer");
    double set = (double)(bench_now() - start) / (double)n;
    double size = (double)(bench_resident() - memory) / (double)n;
    int64_t stop = bench_now();
    for (int64_t i = 0; i < n; i++)
        if (i % LOOP_RINGS) il_timer_stop(timer[i]);
    double stopped = (double)(bench_now() - stop) / (double)n;
    il_loop_run(loop, start + 1000000000);
    while (rung < (n + LOOP_RINGS - 1) / LOOP_RINGS) il_loop_run(loop, IL_NOW);
    bench_expect("timer-set", rung, (n + LOOP_RINGS - 1) / LOOP_RINGS);
    for (int64_t i = 0; i < n; i++) il_timer_free(timer[i]);
    bench_line("timer-set", "interlock", 1, set, "ns", 1);
    bench_line("timer-stop", "interlock", 1, stopped, "ns", 1);
    bench_line("timer-memory", "interlock", 1, size, "B", 1);
    il_executor_free(loop);
    free(timer);
}

int main(int argc, char **argv)
{
    int64_t n = bench_number(argv, "n", 1000000);
    const char *what = bench_word(argv, "what");
    il_executor *loop = NULL;
    if (what && !strcmp(what, "timer-set")) {
        timers(n);
        return 0;
    }
    bench_must(il_loop_new(NULL, &loop), "loop");
    loop_wake_line("interlock", n, submit, loop);
    bench_must(il_submit(loop, answer_each, NULL, 0, 0, NULL, NULL), "submit");
    loop_wake_line("interlock-fiber", n, set_event, loop);
    il_executor_free(loop);
    return argc == 0;
}
