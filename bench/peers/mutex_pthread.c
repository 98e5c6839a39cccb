/* SPDX-License-Identifier: MIT */
/*
 * The mutex lines with pthread_mutex between POSIX threads, on as many CPUs as there are workers.
 * The main thread waits beside them: in a program of a single thread glibc leaves the atomic
 * instruction out, which is not what a mutex is for.
 */

#include <errno.h>
#include <mutex_work.h>
#include <pthread.h>
#include <sched.h>

static _Alignas(128) pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t gate;

static void take(void)
{
    pthread_mutex_lock(&mutex);
}
static void give(void)
{
    pthread_mutex_unlock(&mutex);
}
static void let_others_run(void)
{
    sched_yield();
}

static void *body(void *arg)
{
    pthread_barrier_wait(&gate);
    compete(arg);
    return NULL;
}

static int64_t contest_hold(void)
{
    size_t count = (size_t)the_contest.contestants;
    pthread_t *threads = bench_array(count, sizeof *threads);
    pthread_attr_t small;
    int64_t start;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    pthread_barrier_init(&gate, NULL, (unsigned)count + 1);
    for (size_t i = 0; i < count; i++) {
        bench_must(pthread_create(&threads[i], &small, body, &contestants[i]), "pthread_create");
    }
    start = bench_now();
    pthread_barrier_wait(&gate);
    if (!the_contest.rounds) {
        bench_sleep(the_contest.duration);
        contest_stop();
    }
    for (size_t i = 0; i < count; i++) pthread_join(threads[i], NULL);
    start = bench_now() - start;
    pthread_barrier_destroy(&gate);
    free(threads);
    return start;
}

/* As many CPUs as there are workers, of those that we have. */
static void stay_on(int workers)
{
    cpu_set_t have, want;

    if (sched_getaffinity(0, sizeof have, &have)) bench_die("affinity: %s", strerror(errno));
    CPU_ZERO(&want);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&want) < workers; cpu++) {
        if (CPU_ISSET(cpu, &have)) CPU_SET(cpu, &want);
    }
    if (sched_setaffinity(0, sizeof want, &want)) bench_die("affinity: %s", strerror(errno));
}

int main(int argc, char **argv)
{
    int workers = (int)bench_number(argv, "workers", 1);

    stay_on(workers);
    contest_measure(argv, "pthread", workers);
    return argc == 0;
}
