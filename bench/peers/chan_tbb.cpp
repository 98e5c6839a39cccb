// SPDX-License-Identifier: MIT
// The chan lines that a queue between threads can have, with oneTBB's concurrent_bounded_queue. It
// has no rendezvous: the ball of chan-ping lies in a queue of one meanwhile.

#include <bench.h>

#include <thread>
#include <vector>

#include <tbb/concurrent_queue.h>

typedef tbb::concurrent_bounded_queue<int64_t> queue;

static int64_t sum_below(int64_t n)
{
    return n * (n - 1) / 2;
}

static double ping(int64_t n)
{
    queue there, back;
    int64_t ball = 0, start = bench_now();

    there.set_capacity(1);
    back.set_capacity(1);
    std::thread other([&] {
        for (int64_t got, i = 0; i < n / 2; i++) {
            there.pop(got);
            back.push(got + 1);
        }
    });
    for (int64_t i = 0; i < n / 2; i++) {
        there.push(ball + 1);
        back.pop(ball);
    }
    other.join();
    bench_expect("chan-ping", ball, n / 2 * 2);
    return static_cast<double>(bench_now() - start) / static_cast<double>(n);
}

static double many(const char *line, int64_t n, int sides)
{
    queue items;
    std::vector<std::thread> threads;
    std::vector<int64_t> sums(static_cast<size_t>(sides) * 16); // a cache line or two each
    int64_t each = n / sides, sum = 0, start = bench_now();

    items.set_capacity(128);
    for (int i = 0; i < sides; i++) {
        int64_t *mine = &sums[static_cast<size_t>(i) * 16];
        threads.emplace_back([&items, each] {
            for (int64_t k = 0; k < each; k++) items.push(k);
        });
        threads.emplace_back([&items, each, mine] {
            for (int64_t item, k = 0; k < each; k++) {
                items.pop(item);
                *mine += item;
            }
        });
    }
    for (std::thread &thread : threads) thread.join();
    int64_t time = bench_now() - start;
    for (int64_t one : sums) sum += one;
    bench_expect(line, sum, sides * sum_below(each));
    return static_cast<double>(time) / static_cast<double>(each * sides);
}

static double measure(const char *line, int64_t n)
{
    if (!strcmp(line, "chan-ping")) return ping(n);
    if (!strcmp(line, "chan-one")) return many(line, n, 1);
    if (!strcmp(line, "chan-four")) return many(line, n, 4);
    bench_die("what=%s: not a line that oneTBB has", line);
}

int main(int argc, char **argv)
{
    int64_t n = bench_number(argv, "n", 1000000);
    const char *what = bench_word(argv, "what");

    if (!what) bench_die("what=LINE is missing");
    measure(what, n / 100);
    bench_line(what, "tbb", (int)bench_number(argv, "workers", 2), measure(what, n), "ns", 1);
    return argc == 0;
}
