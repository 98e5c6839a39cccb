/* SPDX-License-Identifier: MIT */
/*
 * The threads of an OpenMP region use everything: they lock, wait, meet, submit, map, cancel, and
 * nothing of that knows that they are not ours. Not under TSan, which does not see what libgomp's
 * threads owe each other. Without OpenMP the pragmas do nothing and one thread does it all.
 */

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

int main(void)
{
    read_environment(IL_ASAN ? 30 : 100);
    const struct CMUnitTest tests[] = {
        BOTH(a_region_excludes_itself_by_our_mutex),
        BOTH(a_region_submits_maps_and_gets),
        BOTH(a_region_waits_for_itself),
        BOTH(a_task_opens_a_region),
    };
    return RUN(tests);
}
