/* SPDX-License-Identifier: MIT */
#ifndef BENCH_H
#define BENCH_H

/*
 * What every program of the suite shares: arguments, the clock, and the one line that each
 * measurement prints. C11 and C++17, so that ours and the peers are measured by the same code.
 *
 *     line <tab> variant <tab> workers <tab> value <tab> unit <tab> check
 *
 * `check` is what the measured work computed, and bench/run compares it between the variants of a
 * line. Where the right answer is known, or variants do different numbers of the same thing, the
 * program compares it itself; in the second case `check` is 1.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The compiler must assume that `value` is looked at here, and that memory changes. */
#define BENCH_KEEP(value) __asm__ volatile("" : : "g"(value) : "memory")

static inline void bench_die(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));
static inline void bench_die(const char *format, ...)
{
    va_list words;

    va_start(words, format);
    vfprintf(stderr, format, words);
    va_end(words);
    fputc('\n', stderr);
    exit(1);
}

/* A step that must not fail: ours return a negative errno, POSIX threads a positive one. */
static inline void bench_must(int status, const char *step)
{
    if (status) bench_die("%s: %s", step, strerror(status < 0 ? -status : status));
}

/* Nanoseconds, monotonic. */
static inline int64_t bench_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* CPU time that all threads of this process have used so far, nanoseconds. */
static inline int64_t bench_cpu_time(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static inline void bench_sleep(int64_t duration)
{
    struct timespec left = { (time_t)(duration / 1000000000), (long)(duration % 1000000000) };

    while (nanosleep(&left, &left)) {}
}

/* Bytes of memory that are resident now. */
static inline int64_t bench_resident(void)
{
    long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (!file || fscanf(file, "%*s %lld", &pages) != 1) bench_die("cannot read /proc/self/statm");
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

/* The words after `name=` among the arguments, or NULL. */
static inline const char *bench_word(char **argv, const char *name)
{
    size_t length = strlen(name);

    for (char **word = argv + 1; *word; word++) {
        if (!strncmp(*word, name, length) && (*word)[length] == '=') return *word + length + 1;
    }
    return NULL;
}

/* The number after `name=`, or `otherwise`. */
static inline int64_t bench_number(char **argv, const char *name, int64_t otherwise)
{
    const char *word = bench_word(argv, name);
    char *end = NULL;
    int64_t number = word ? strtoll(word, &end, 10) : otherwise;

    if (word && (end == word || *end)) bench_die("not a number: %s=%s", name, word);
    return number;
}

static inline void bench_line(const char *line, const char *variant, int workers, double value,
                              const char *unit, int64_t check)
{
    printf("%s\t%s\t%d\t%.6g\t%s\t%" PRId64 "\n", line, variant, workers, value, unit, check);
    fflush(stdout);
}

/* What was computed must be what is right; otherwise there is nothing to report. */
static inline void bench_expect(const char *line, int64_t found, int64_t right)
{
    if (found != right) {
        bench_die("%s: computed %" PRId64 ", right is %" PRId64, line, found, right);
    }
}

static inline int bench_order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Sorts them. */
static inline int64_t bench_median(int64_t *values, size_t count)
{
    qsort(values, count, sizeof *values, bench_order);
    return values[count / 2];
}

static inline void *bench_array(size_t count, size_t size)
{
    void *array = malloc(count * size);

    if (!array) bench_die("no memory for %zu items of %zu bytes", count, size);
    memset(array, 1, count * size); /* so that no page fault is measured */
    return array;
}

#endif
