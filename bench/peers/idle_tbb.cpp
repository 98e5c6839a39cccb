// SPDX-License-Identifier: MIT
// CPU time that a oneTBB arena uses in a second in which it has nothing to do.

#include <idle_work.h>

#include <atomic>

#include <tbb/global_control.h>
#include <tbb/task_arena.h>

int main(int, char **argv)
{
    int workers = static_cast<int>(bench_number(argv, "workers", 1));
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                              static_cast<size_t>(workers) + 1);
    tbb::task_arena pool(workers, 0); // no slot kept for the outside
    std::atomic<int> left(1000);

    for (int i = 0; i < 1000; i++) pool.enqueue([&left] { left--; });
    while (left) bench_sleep(1000000);
    idle_measure(argv, "tbb");
}
