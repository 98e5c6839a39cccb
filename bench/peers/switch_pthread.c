/* SPDX-License-Identifier: MIT */
/*
 * The switch line with two threads on one CPU: by sched_yield, where only those calls count after
 * which the other thread did run; or, with what=futex, by a futex that each hands to the other, a
 * wake and a wait a switch.
 */

#include <bench.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

static int64_t turns; /* of each thread */
static int64_t switches;
static _Atomic int last; /* who ran last, and whose turn it is by futex */
static pthread_barrier_t both;

/* Both threads stay on the CPU that the program happens to be on. */
static void stay(void)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    if (sched_setaffinity(0, sizeof one, &one)) bench_die("sched_setaffinity: %s", strerror(errno));
}

static void *yield(void *arg)
{
    int me = *(int *)arg;

    pthread_barrier_wait(&both);
    for (int64_t i = 0; i < turns; i++) {
        if (last != me) {
            last = me;
            switches++; /* one CPU, and no switch in here but by the clock: right within a few */
        }
        sched_yield();
    }
    return NULL;
}

static void *hand_over(void *arg)
{
    int me = *(int *)arg, other = 1 - me;

    pthread_barrier_wait(&both);
    for (int64_t i = 0; i < turns; i++) {
        while (last != me) syscall(SYS_futex, &last, FUTEX_WAIT_PRIVATE, other, NULL, NULL, 0);
        switches++;
        last = other;
        syscall(SYS_futex, &last, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
    return NULL;
}

static int64_t run(void *(*body)(void *), int64_t n)
{
    pthread_t threads[2];
    int names[2] = { 0, 1 };
    int64_t start;

    turns = n / 2;
    switches = 0;
    last = 0;
    pthread_barrier_init(&both, NULL, 3);
    for (int i = 0; i < 2; i++) {
        bench_must(pthread_create(&threads[i], NULL, body, &names[i]), "pthread_create");
    }
    pthread_barrier_wait(&both);
    start = bench_now();
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    return bench_now() - start;
}

int main(int argc, char **argv)
{
    const char *what = bench_word(argv, "what");
    int64_t n = bench_number(argv, "n", 200000), time;

    stay();
    if (what && !strcmp(what, "futex")) {
        time = run(hand_over, n);
        bench_expect("switch-2, futex", switches, n / 2 * 2);
        bench_line("switch-2", "futex", 1, (double)time / (double)switches, "ns", 1);
    } else {
        time = run(yield, n);
        if (switches < n / 100) bench_die("sched_yield: only %" PRId64 " switches", switches);
        bench_line("switch-2", "sched_yield", 1, (double)time / (double)switches, "ns", 1);
    }
    return argc == 0;
}
