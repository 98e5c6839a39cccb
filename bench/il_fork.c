/* SPDX-License-Identifier: MIT */
/*
 * The fork/join lines with Interlock: il_fork_start and il_fork_join in a pool of threads. And
 * skynet-scope: the same tree of tasks, with il_go and a scope a step instead of forks.
 */

#include "fork_work.h"
#include <interlock.h>

static int fib_task(void *in, void *out)
{
    long n = *(long *)in, a, b, n1 = n - 1, n2 = n - 2;
    il_fork left;

    if (n < 2) {
        *(long *)out = n;
        return 0;
    }
    il_fork_start(&left, fib_task, &n1, &a);
    fib_task(&n2, &b);
    il_fork_join(&left);
    *(long *)out = a + b;
    return 0;
}

static int64_t fib(int64_t n)
{
    long in = n, out;

    fib_task(&in, &out);
    return out;
}

static int queens_task(void *in, void *out)
{
    const queens *board = in;
    queens next[QUEENS_MAX];
    int64_t counts[QUEENS_MAX], sum = 0;
    il_fork forks[QUEENS_MAX];
    int count;

    if (queens_full(board)) {
        *(int64_t *)out = 1;
        return 0;
    }
    count = queens_next(board, next);
    for (int i = 0; i < count - 1; i++) {
        il_fork_start(&forks[i], queens_task, &next[i], &counts[i]);
    }
    if (count) queens_task(&next[count - 1], &counts[count - 1]);
    for (int i = count - 1; i-- > 0;) il_fork_join(&forks[i]);
    for (int i = 0; i < count; i++) sum += counts[i];
    *(int64_t *)out = sum;
    return 0;
}

static int64_t queens_count(queens board)
{
    int64_t count;

    queens_task(&board, &count);
    return count;
}

static int skynet_task(void *in, void *out)
{
    const skynet *whole = in;
    skynet parts[10];
    int64_t sums[10], sum = 0;
    il_fork forks[9];

    if (whole->size == 1) {
        *(int64_t *)out = whole->first;
        return 0;
    }
    for (int i = 0; i < 10; i++) parts[i] = skynet_part(whole, i);
    for (int i = 0; i < 9; i++) il_fork_start(&forks[i], skynet_task, &parts[i], &sums[i]);
    skynet_task(&parts[9], &sums[9]);
    for (int i = 9; i-- > 0;) il_fork_join(&forks[i]);
    for (int i = 0; i < 10; i++) sum += sums[i];
    *(int64_t *)out = sum;
    return 0;
}

static int skynet_scope_task(void *in, void *out)
{
    const skynet *whole = in;
    skynet parts[10];
    int64_t sums[10], sum = 0;
    il_scope *scope = NULL;
    int status;

    if (whole->size == 1) {
        *(int64_t *)out = whole->first;
        return 0;
    }
    status = il_scope_open(NULL, &scope);
    if (status) return status;
    for (int i = 0; i < 10; i++) parts[i] = skynet_part(whole, i);
    for (int i = 0; i < 9; i++) il_go(scope, skynet_scope_task, &parts[i], &sums[i]);
    skynet_scope_task(&parts[9], &sums[9]);
    status = il_scope_close(scope);
    for (int i = 0; i < 10; i++) sum += sums[i];
    *(int64_t *)out = sum;
    return status;
}

static il_fn *skynet_way = skynet_task;

static int64_t skynet_sum(skynet part)
{
    int64_t sum = 0;

    bench_must(skynet_way(&part, &sum), "skynet");
    return sum;
}

static int multiply_task(void *in, void *out)
{
    const product *whole = in;
    product parts[4];
    il_fork forks[3];

    if (whole->size == PRODUCT_LEAF) {
        product_leaf(whole);
        return 0;
    }
    for (int half = 0; half < 8; half += 4) {
        for (int i = 0; i < 4; i++) parts[i] = product_part(whole, half + i);
        for (int i = 0; i < 3; i++) il_fork_start(&forks[i], multiply_task, &parts[i], NULL);
        multiply_task(&parts[3], NULL);
        for (int i = 3; i-- > 0;) il_fork_join(&forks[i]);
    }
    return 0;
}

static void multiply(product whole)
{
    multiply_task(&whole, NULL);
}

static int root(void *in, void *out)
{
    fork_measure(in, "interlock");
    return 0;
}

int main(int argc, char **argv)
{
    fork_job job = fork_asked(argv);
    il_executor *pool = NULL;
    il_future *future = NULL;

    if (!strcmp(job.what, "skynet-scope")) skynet_way = skynet_scope_task;
    bench_must(il_threads_new(&(il_threads_opts){ .workers = (unsigned)job.workers }, &pool),
               "pool");
    bench_must(il_submit(pool, root, &job, sizeof job, 0, NULL, &future), "submit");
    bench_must(il_future_get(future, IL_FOREVER, NULL), "root task");
    il_future_free(future);
    il_executor_free(pool);
    return argc == 0;
}
