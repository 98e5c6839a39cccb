/* SPDX-License-Identifier: MIT */
#ifndef TOOL_FACTOR_H
#define TOOL_FACTOR_H

/*
 * Prime factors of 64-bit numbers, any of them, with multiplicity, ascending. 0 and 1 have none.
 *
 *     struct factors f;
 *     factor_init();
 *     factor_fast(12, &f);         // f.count is 3, f.prime is 2 2 3
 *
 * Pure functions but for the tables that factor_init makes: call it once, before threads use them.
 */

#include <stdbool.h>
#include <stdint.h>

#define FACTORS_MAX 63 /* of 2^63 */

struct factors {
    unsigned count;
    uint64_t prime[FACTORS_MAX];
};

void factor_init(void);

/* Microseconds for any number: small primes, then group orders and elliptic curves (split.h). */
void factor_fast(uint64_t n, struct factors *out);

/* The book's way: divide by 2, 3, 4, 5, 6, ... as long as d * d <= n. Returns how many d it tried,
 * up to 2^32 of them. */
uint64_t factor_trial(uint64_t n, struct factors *out);

/* Never wrong: a proof for every 64-bit number, not a probability. */
bool factor_is_prime(uint64_t n);

#endif
