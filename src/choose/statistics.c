/* SPDX-License-Identifier: MIT */
/*
 * An interval for the median from order statistics: each value lies below the true median with
 * probability 1/2, so the number of those that do is binomial, and the interval from the kth lowest
 * to the kth highest misses the median only if fewer than k lie on one side. No assumption about
 * the distribution but that runs are independent; times of runs have a long tail on one side, which
 * rules out a mean and its deviation.
 */

#include "choose/statistics.h"

#include <stdlib.h>

#define CONFIDENCE 0.95

/* The probability that at most `most` of `count` fair coins show heads. */
static double tail(size_t count, size_t most)
{
    double term = 1, sum = 0;
    for (size_t i = 0; i < count; i++) term /= 2;
    for (size_t i = 0; i <= most; i++) {
        sum += term;
        term = term * (double)(count - i) / (double)(i + 1);
    }
    return sum;
}

size_t il__outside(size_t count)
{
    size_t outside = 0;
    while (2 * (outside + 2) <= count && 1 - 2 * tail(count, outside + 1) >= CONFIDENCE) outside++;
    return outside;
}

double il__coverage(size_t count)
{
    return count < 2 ? 0 : 1 - 2 * tail(count, il__outside(count));
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

il__summary il__summarize(double *values, size_t count)
{
    size_t outside = il__outside(count);
    qsort(values, count, sizeof *values, compare);
    return (il__summary){
        .median = (values[(count - 1) / 2] + values[count / 2]) / 2,
        .low = values[outside],
        .high = values[count - 1 - outside],
    };
}
