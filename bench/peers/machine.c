/* SPDX-License-Identifier: MIT */
/*
 * What the machine itself takes: the limits that README.md reckons with. Of ten tries the best.
 *   machine-call      call of a function through a pointer
 *   machine-atomic    atomic addition to a word that this CPU has in its cache
 *   machine-line      a changed cache line from one CPU to another: half a ping-pong
 *   machine-syscall   the shortest system call
 *   machine-futex     wake a thread that sleeps at a futex until it runs: half a ping-pong
 *   machine-fault     first touch of a page of anonymous memory
 *   machine-memory    copy 8 bytes from one array of 64 MiB to another
 */

#include <bench.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static int64_t n;

static int64_t one_more(int64_t x)
{
    return x + 1;
}

static double call(void)
{
    int64_t (*volatile pointer)(int64_t) = one_more;
    int64_t (*fn)(int64_t) = pointer;
    int64_t sum = 0, start = bench_now();

    for (int64_t i = 0; i < n; i++) sum = fn(sum);
    start = bench_now() - start;
    bench_expect("machine-call", sum, n);
    return (double)start / (double)n;
}

static double atomic(void)
{
    _Atomic int64_t sum = 0;
    int64_t start = bench_now();

    for (int64_t i = 0; i < n; i++) atomic_fetch_add(&sum, 1);
    start = bench_now() - start;
    bench_expect("machine-atomic", sum, n);
    return (double)start / (double)n;
}

static double system_call(void)
{
    int64_t count = n / 100, start = bench_now();

    for (int64_t i = 0; i < count; i++) BENCH_KEEP(syscall(SYS_getppid));
    return (double)(bench_now() - start) / (double)count;
}

/* Two threads give a word to each other: even is mine, odd is yours. */
typedef struct ping {
    _Alignas(128) _Atomic uint32_t word;
    int64_t turns;
    int sleeps; /* at the futex instead of spinning */
} ping;

static void play(ping *game, uint32_t mine)
{
    for (int64_t i = 0; i < game->turns; i++) {
        uint32_t want = (uint32_t)(2 * i) + mine;

        for (uint32_t now; (now = atomic_load(&game->word)) != want;) {
            if (game->sleeps)
                syscall(SYS_futex, &game->word, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
        }
        atomic_store(&game->word, want + 1);
        if (game->sleeps) syscall(SYS_futex, &game->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

static void *other_side(void *arg)
{
    play(arg, 1);
    return NULL;
}

static double ping_pong(int64_t turns, int sleeps)
{
    ping game = { .turns = turns, .sleeps = sleeps };
    pthread_t other;
    int64_t start;

    bench_must(pthread_create(&other, NULL, other_side, &game), "pthread_create");
    start = bench_now();
    play(&game, 0);
    pthread_join(other, NULL);
    start = bench_now() - start;
    bench_expect("ping-pong", game.word, 2 * turns);
    return (double)start / (double)(2 * turns);
}

static double fault(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 1000;
    char *pages =
        mmap(NULL, count * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int64_t start;

    if (pages == MAP_FAILED) bench_die("no memory");
    madvise(pages, count * page, MADV_NOHUGEPAGE);
    start = bench_now();
    for (size_t i = 0; i < count; i++) pages[i * page] = 1;
    start = bench_now() - start;
    munmap(pages, count * page);
    return (double)start / (double)count;
}

static double memory(void)
{
    static int64_t *from, *to;
    size_t count = 1 << 23;
    int64_t start;

    if (!from) from = bench_array(count, sizeof *from);
    if (!to) to = bench_array(count, sizeof *to);
    start = bench_now();
    memcpy(to, from, count * sizeof *to);
    BENCH_KEEP(to);
    return (double)(bench_now() - start) / (double)count;
}

static double two_sleepers(void)
{
    return ping_pong(n / 100, 1);
}
static double two_spinners(void)
{
    return ping_pong(n / 10, 0);
}

static void best_of_ten(const char *line, int workers, double (*figure)(void))
{
    double best = figure();

    for (int i = 1; i < 10; i++) {
        double next = figure();
        if (next < best) best = next;
    }
    bench_line(line, "machine", workers, best, "ns", 1);
}

int main(int argc, char **argv)
{
    n = bench_number(argv, "n", 10000000) / 10;
    best_of_ten("machine-call", 1, call);
    best_of_ten("machine-atomic", 1, atomic);
    best_of_ten("machine-syscall", 1, system_call);
    best_of_ten("machine-fault", 1, fault);
    best_of_ten("machine-memory", 1, memory);
    best_of_ten("machine-futex", 2, two_sleepers);
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1) best_of_ten("machine-line", 2, two_spinners);
    return argc == 0;
}
