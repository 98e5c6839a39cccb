/* SPDX-License-Identifier: MIT */
/*
 * The threads of an OpenMP region use everything: they lock, wait, meet, submit, map, cancel, and
 * nothing of that knows that they are not ours. Not under TSan, which does not see what libgomp's
 * threads owe each other. Without OpenMP the pragmas do nothing and one thread does it all.
 */

#include <interlock/processes.h>

#include "chaos.h"

enum { TEAM = 4 };

static void a_region_excludes_itself_by_our_mutex(void **state)
{
    il_mutex mutex = { 0 };
    long sum = 0, steps = rounds * 100;
#pragma omp parallel for num_threads(TEAM) schedule(dynamic, 3)
    for (long i = 0; i < steps; i++) {
        il_mutex_lock(&mutex);
        sum += i;
        il_mutex_unlock(&mutex);
    }
    assert_int_equal(sum, steps * (steps - 1) / 2);
    assert_int_equal(mutex.gate.word, 0);
    count_uses(steps);
}

static void a_region_submits_maps_and_gets(void **state)
{
    il_executor *pool = pool_of(2);
    long wrong = 0;
#pragma omp parallel for num_threads(TEAM) reduction(+ : wrong)
    for (long i = 0; i < rounds * 10; i++) {
        long in[8] = { i, 1, 2, 3, 4, 5, 6, 7 }, out[8] = { 0 }, result = 0;
        il_future *future = NULL;
        wrong += il_submit(pool, square, &i, sizeof i, sizeof i, NULL, &future) != 0;
        wrong += il_map(pool, square, in, out, 8, NULL) != 0 || out[0] != i * i || out[7] != 49;
        if (i % 5 == 0) il_future_cancel(future);
        int status = il_future_get(future, LATE, &result);
        wrong += status ? status != -ECANCELED || i % 5 : result != i * i;
        il_future_free(future);
    }
    assert_int_equal(wrong, 0);
    count_uses(rounds * 10);
    il_executor_free(pool);
}

/* Who puts in and who takes out are iterations of the same loop, in an order in which one thread can
 * run them too. */
static void a_region_waits_for_itself(void **state)
{
    il_sem items = { 0 };
    il_executor *pool = pool_of(1);
    long wrong = 0;
#pragma omp parallel for num_threads(TEAM) schedule(monotonic : dynamic, 1) reduction(+ : wrong)
    for (long i = 0; i < rounds * 20; i++) {
        if (i % 2 == 0) il_sem_release(&items);
        else wrong += il_sem_acquire_until(&items, LATE) != 0;
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(il_sem_value(&items), 0);
    count_uses(rounds * 20);
    il_executor_free(pool);
}

/* A task opens a region, whose threads are not the pool's. Inside, nothing waits in our way, or the
 * task might wake on another thread than the region began on; afterwards it may. */
static int open_region(void *in, void *out)
{
    il_sem given = { 0 };
    long sum = 0;
#pragma omp parallel for num_threads(TEAM) reduction(+ : sum)
    for (long i = 0; i < 100; i++) {
        il_sem_release(&given);
        sum += i;
    }
    *(long *)out = sum;
    return il_sem_acquire_many(&given, 100, LATE);
}

static void a_task_opens_a_region(void **state)
{
    il_executor *pool = pool_of(2);
    for (long i = 0; i < rounds; i++) {
        long in[4] = { 0 }, sums[4] = { 0 };
        assert_int_equal(il_map(pool, open_region, in, sums, 4, NULL), 0);
        for (int k = 0; k < 4; k++) assert_int_equal(sums[k], 4950);
        count_uses(4);
    }
    il_executor_free(pool);
}

/* A pool of processes is made by one thread of a region while the others run regions of their own. */
static void a_region_makes_pools_of_processes(void **state)
{
    long wrong = 0, sum = 0, made = rounds / 10 + 1;
#pragma omp parallel for num_threads(TEAM) schedule(dynamic, 1) reduction(+ : wrong, sum)
    for (long i = 0; i < made * 20; i++) {
        long in[64], out[64] = { 0 };
        il_executor *pool = NULL;
#pragma omp parallel for num_threads(2) reduction(+ : sum)
        for (long k = 0; k < 64; k++) sum += in[k] = k;
        if (i % 20) continue;
        wrong += il_processes_new(&(il_processes_opts){ .workers = 2 }, &pool) != 0;
        if (pool) wrong += il_map(pool, square, in, out, 64, NULL) != 0 || out[63] != 63 * 63;
        il_executor_free(pool);
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(sum, made * 20 * 63 * 32);
    count_uses(made);
}

int main(void)
{
    read_environment(IL_ASAN ? 30 : 100);
    const struct CMUnitTest tests[] = {
        BOTH(a_region_excludes_itself_by_our_mutex),
        BOTH(a_region_submits_maps_and_gets),
        BOTH(a_region_waits_for_itself),
        BOTH(a_task_opens_a_region),
        BOTH(a_region_makes_pools_of_processes),
    };
    return RUN(tests);
}
