/* SPDX-License-Identifier: MIT */
#ifndef FORK_WORK_H
#define FORK_WORK_H

/*
 * The four recursions of the fork/join lines, as far as they do not fork: what a leaf does, what
 * the answer is, and how a run is timed. Each variant adds its own way to fork, without a cut-off:
 * of k calls that a step makes, k - 1 are forked and the last is called.
 */

#include "bench.h"

/* Queens on n rows: which columns and diagonals the rows so far have taken. */
typedef struct queens {
    uint32_t all, columns, left, right;
} queens;

#define QUEENS_MAX 16

static inline queens queens_none(int64_t n)
{
    queens board = { (1u << n) - 1, 0, 0, 0 };

    return board;
}

/* Write the boards with one more queen to `next`; returns how many there are. */
static inline int queens_next(const queens *board, queens *next)
{
    int count = 0;

    for (uint32_t open = board->all & ~(board->columns | board->left | board->right); open;
         open &= open - 1) {
        uint32_t queen = open & -open;

        next[count].all = board->all;
        next[count].columns = board->columns | queen;
        next[count].left = (board->left | queen) << 1;
        next[count].right = (board->right | queen) >> 1;
        count++;
    }
    return count;
}

static inline int queens_full(const queens *board)
{
    return board->columns == board->all;
}

/* Skynet: `size` numbers from `first` on, ten parts a level; the leaves return their number. */
typedef struct skynet {
    int64_t first, size;
} skynet;

static inline skynet skynet_part(const skynet *whole, int part)
{
    skynet piece = { whole->first + part * (whole->size / 10), whole->size / 10 };

    return piece;
}

/* A product c += a * b of square matrices, or of quarters of them: rows are `stride` apart. */
typedef struct product {
    const double *a, *b;
    double *c;
    int64_t size, stride;
} product;

#define PRODUCT_LEAF 16

static inline void product_leaf(const product *p)
{
    const double *__restrict a = p->a, *__restrict b = p->b;
    double *__restrict c = p->c;

    for (int i = 0; i < PRODUCT_LEAF; i++) {
        for (int k = 0; k < PRODUCT_LEAF; k++) {
            double factor = a[i * p->stride + k];
            const double *__restrict row = b + k * p->stride;

            for (int j = 0; j < PRODUCT_LEAF; j++) c[i * p->stride + j] += factor * row[j];
        }
    }
}

/* The eight products of quarters: 0 to 3 write four different quarters of c, so do 4 to 7. */
static inline product product_part(const product *whole, int part)
{
    int64_t half = whole->size / 2, down = half * whole->stride;
    int row = part >> 1 & 1, column = part & 1, middle = part >> 2;
    product piece = { whole->a + row * down + middle * half,
                      whole->b + middle * down + column * half,
                      whole->c + row * down + column * half, half, whole->stride };

    return piece;
}

static inline product product_new(int64_t n)
{
    int64_t stride = n + 8; /* not a power of two, which would make rows fight for cache lines */
    double *a = (double *)bench_array((size_t)(n * stride), sizeof *a);
    double *b = (double *)bench_array((size_t)(n * stride), sizeof *b);
    double *c = (double *)bench_array((size_t)(n * stride), sizeof *c);
    product whole = { a, b, c, n, stride };

    for (int64_t i = 0; i < n * stride; i++) {
        a[i] = (double)(i * 7 % 11 - 5); /* small whole numbers: sums are exact in any order */
        b[i] = (double)(i * 5 % 13 - 6);
        c[i] = 0;
    }
    return whole;
}

/* A weighed sum of c; ends the product. */
static inline int64_t product_end(product *whole)
{
    double sum = 0;

    for (int64_t i = 0; i < whole->size * whole->stride; i++) {
        sum += whole->c[i] * (double)(i % 17 + 1);
    }
    free((void *)whole->a);
    free((void *)whole->b);
    free(whole->c);
    return (int64_t)sum;
}

/* What a variant supplies. They are called where it may fork. */
static int64_t fib(int64_t n);
static int64_t queens_count(queens board);
static int64_t skynet_sum(skynet part);
static void multiply(product whole);

typedef struct fork_answer {
    int64_t check, time;
} fork_answer;

static inline fork_answer fork_once(const char *what, int64_t n)
{
    fork_answer answer = { 0, 0 };
    int64_t start;

    if (!strcmp(what, "product")) {
        product whole = product_new(n);

        start = bench_now();
        multiply(whole);
        answer.time = bench_now() - start;
        answer.check = product_end(&whole);
        return answer;
    }
    start = bench_now();
    if (!strcmp(what, "fib")) {
        answer.check = fib(n);
    } else if (!strcmp(what, "queens")) {
        answer.check = queens_count(queens_none(n));
    } else if (!strncmp(what, "skynet", 6)) {
        skynet all = { 0, n };

        answer.check = skynet_sum(all);
    } else {
        bench_die("what=%s: not a line of these", what);
    }
    answer.time = bench_now() - start;
    return answer;
}

/* What the command line asks for. */
typedef struct fork_job {
    const char *what;
    int64_t n;
    int workers;
} fork_job;

static inline fork_job fork_asked(char **argv)
{
    const char *what = bench_word(argv, "what");
    fork_job job = { what ? what : "fib", bench_number(argv, "n", 30),
                     (int)bench_number(argv, "workers", 1) };

    return job;
}

/* A small run to start threads and touch stacks, then the one that counts. */
static inline void fork_measure(const fork_job *job, const char *variant)
{
    int64_t small = !strcmp(job->what, "fib")       ? 15
                    : !strcmp(job->what, "queens")  ? 6
                    : !strcmp(job->what, "product") ? 64
                                                    : 1000;
    fork_answer answer;

    fork_once(job->what, small);
    answer = fork_once(job->what, job->n);
    if (!strncmp(job->what, "skynet", 6)) {
        bench_expect(job->what, answer.check, job->n * (job->n - 1) / 2);
    }
    bench_line(job->what, variant, job->workers, (double)answer.time / 1e6, "ms", answer.check);
}

#endif
