/* SPDX-License-Identifier: MIT */
#ifndef IL_CHOOSE_STATISTICS_H
#define IL_CHOOSE_STATISTICS_H

/*
 * The middle of some measurements, and how sure it is.
 */

#include <stddef.h>

typedef struct il__summary {
    double median, low, high;
} il__summary;

/* Sorts the values. count > 0. */
il__summary il__summarize(double *values, size_t count);

/* With which probability low to high of so many values holds the median. */
double il__coverage(size_t count);

/* How many values lie outside the interval at either end. */
size_t il__outside(size_t count);

#endif
