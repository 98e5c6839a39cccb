/* SPDX-License-Identifier: MIT */
/* The fork/join lines with OpenMP: a task a fork, a taskwait a join. */

#include <fork_work.h>
#include <omp.h>

static int64_t fib(int64_t n)
{
    int64_t a, b;

    if (n < 2) return n;
#pragma omp task shared(a) firstprivate(n)
    a = fib(n - 1);
    b = fib(n - 2);
#pragma omp taskwait
    return a + b;
}

static int64_t queens_count(queens board)
{
    queens next[QUEENS_MAX];
    int64_t counts[QUEENS_MAX], sum = 0;
    int count;

    if (queens_full(&board)) return 1;
    count = queens_next(&board, next);
    for (int i = 0; i < count - 1; i++) {
#pragma omp task shared(next, counts) firstprivate(i)
        counts[i] = queens_count(next[i]);
    }
    if (count) counts[count - 1] = queens_count(next[count - 1]);
#pragma omp taskwait
    for (int i = 0; i < count; i++) sum += counts[i];
    return sum;
}

static int64_t skynet_sum(skynet part)
{
    int64_t sums[10], sum = 0;

    if (part.size == 1) return part.first;
    for (int i = 0; i < 9; i++) {
#pragma omp task shared(part, sums) firstprivate(i)
        sums[i] = skynet_sum(skynet_part(&part, i));
    }
    sums[9] = skynet_sum(skynet_part(&part, 9));
#pragma omp taskwait
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
        for (int part = half; part < half + 3; part++) {
#pragma omp task shared(whole) firstprivate(part)
            multiply(product_part(&whole, part));
        }
        multiply(product_part(&whole, half + 3));
#pragma omp taskwait
    }
}

int main(int argc, char **argv)
{
    fork_job job = fork_asked(argv);

    omp_set_dynamic(0);
#pragma omp parallel num_threads(job.workers)
#pragma omp single
    {
        if (omp_get_num_threads() != job.workers) bench_die("OpenMP gave fewer threads");
        fork_measure(&job, "openmp");
    }
    return argc == 0;
}
