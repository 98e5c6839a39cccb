/* SPDX-License-Identifier: MIT */
/* CPU time that the threads of OpenMP use in a second in which there is no parallel region. */

#include <idle_work.h>
#include <omp.h>

int main(int argc, char **argv)
{
    int workers = (int)bench_number(argv, "workers", 1), sum = 0;

    omp_set_dynamic(0);
#pragma omp parallel for num_threads(workers) reduction(+ : sum)
    for (int i = 0; i < 1000; i++) sum += i;
    bench_expect("idle", sum, 499500);
    idle_measure(argv, "openmp");
    return argc == 0;
}
