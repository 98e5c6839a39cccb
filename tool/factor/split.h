/* SPDX-License-Identifier: MIT */
#ifndef TOOL_FACTOR_SPLIT_H
#define TOOL_FACTOR_SPLIT_H

/*
 * Split a composite number: the hard part of factoring.
 */

#include "factor/modular.h"

void split_init(void);

/* A factor of m->n that is neither 1 nor n, prime or not. n is composite and has no factor below
 * 11. Always finds one. */
uint64_t split(const struct modulus *m);

/* The ways it does it, for tests: a factor, or 0 when this one had no luck. */
uint64_t split_orders(const struct modulus *m);
uint64_t split_curves(const struct modulus *m, unsigned attempts);
uint64_t split_rho(const struct modulus *m);

#endif
