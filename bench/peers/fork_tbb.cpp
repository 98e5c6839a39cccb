// SPDX-License-Identifier: MIT
// The fork/join lines with oneTBB: a task_group a step. (parallel_invoke, which allocates nothing
// for two calls, takes the place of the group in fib: what=fib invoke=1.)

#include <fork_work.h>

#include <tbb/global_control.h>
#include <tbb/parallel_invoke.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

static bool invoke;

static int64_t fib(int64_t n)
{
    int64_t a, b;

    if (n < 2) return n;
    if (invoke) {
        tbb::parallel_invoke([&] { a = fib(n - 1); }, [&] { b = fib(n - 2); });
        return a + b;
    }
    tbb::task_group group;
    group.run([&a, n] { a = fib(n - 1); });
    b = fib(n - 2);
    group.wait();
    return a + b;
}

static int64_t queens_count(queens board)
{
    queens next[QUEENS_MAX];
    int64_t counts[QUEENS_MAX], sum = 0;

    if (queens_full(&board)) return 1;
    int count = queens_next(&board, next);
    if (!count) return 0;

    tbb::task_group group;
    for (int i = 0; i < count - 1; i++) {
        group.run([&next, &counts, i] { counts[i] = queens_count(next[i]); });
    }
    counts[count - 1] = queens_count(next[count - 1]);
    group.wait();
    for (int i = 0; i < count; i++) sum += counts[i];
    return sum;
}

static int64_t skynet_sum(skynet part)
{
    int64_t sums[10], sum = 0;

    if (part.size == 1) return part.first;

    tbb::task_group group;
    for (int i = 0; i < 9; i++) {
        group.run([&part, &sums, i] { sums[i] = skynet_sum(skynet_part(&part, i)); });
    }
    sums[9] = skynet_sum(skynet_part(&part, 9));
    group.wait();
    for (int i = 0; i < 10; i++) sum += sums[i];
    return sum;
}

static void multiply(product whole)
{
    if (whole.size == PRODUCT_LEAF) {
        product_leaf(&whole);
        return;
    }
    for (int half = 0; half < 8; half += 4) {
        tbb::task_group group;
        for (int part = half; part < half + 3; part++) {
            group.run([&whole, part] { multiply(product_part(&whole, part)); });
        }
        multiply(product_part(&whole, half + 3));
        group.wait();
    }
}

int main(int, char **argv)
{
    fork_job job = fork_asked(argv);
    size_t workers = static_cast<size_t>(job.workers);
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism, workers);
    tbb::task_arena arena(job.workers);

    invoke = bench_number(argv, "invoke", 0);
    arena.execute([&] { fork_measure(&job, "tbb"); });
}
