/* SPDX-License-Identifier: MIT */
/*
 * Factors of a number: small primes by division, then a proof that what is left is prime, or a
 * split of it in two (split.c), each of which is treated the same way.
 *
 * Division by a known odd prime p is one multiplication: n * (1/p mod 2^64) is n / p when p divides
 * n, and larger than any quotient can be when it does not (Granlund and Montgomery, Division by
 * invariant integers using multiplication, 1994). The limit of 2048 was found by trying: with half
 * of it the curves have more to do, with twice as much the divisions cost what they save.
 */

#include "factor/factor.h"
#include "factor/modular.h"
#include "factor/split.h"

#define LIMIT 2048
#define PRIMES 308 /* odd ones below it */
#define GROUP 7    /* tried between two looks at whether n is prime by now; divides PRIMES */

/* Set by factor_init, then read only. */
static struct divisor {
    uint64_t inverse; /* modulo 2^64 */
    uint64_t most;    /* the largest quotient */
    uint64_t prime;
} divisors[PRIMES];

void factor_init(void)
{
    unsigned count = 0;

    for (uint64_t p = 3; p < LIMIT; p += 2) {
        unsigned i = 0;

        while (i < count && p % divisors[i].prime) i++;
        if (i == count)
            divisors[count++] = (struct divisor){ modular_inverse_64(p), UINT64_MAX / p, p };
    }
    split_init();
}

/* n is a strong probable prime to each of `count` bases (Miller, Rabin). They are taken in step,
 * since a processor can do the multiplications of one while it waits for those of another. */
static inline __attribute__((always_inline)) bool passes(const struct modulus *m,
                                                         const uint64_t *bases, const int count)
{
    const uint64_t minus_one = m->n - m->one;
    const int twos = __builtin_ctzll(m->n - 1);
    const uint64_t odd = (m->n - 1) >> twos;
    uint64_t power[4][6], x[6];
    int at = (63 - __builtin_clzll(odd)) & ~1; /* two bits of the exponent at a time */

    for (int j = 0; j < count; j++) {
        power[0][j] = m->one;
        power[1][j] = modular_from(bases[j], m);
        power[2][j] = modular_mul(power[1][j], power[1][j], m);
        power[3][j] = modular_mul(power[2][j], power[1][j], m);
        x[j] = power[odd >> at][j];
    }
    while (at) {
        at -= 2;
        for (int j = 0; j < count; j++) x[j] = modular_mul(x[j], x[j], m);
        for (int j = 0; j < count; j++) x[j] = modular_mul(x[j], x[j], m);
        for (int j = 0; j < count; j++) x[j] = modular_mul(x[j], power[odd >> at & 3][j], m);
    }
    for (int j = 0; j < count; j++) {
        bool pass = x[j] == m->one || x[j] == minus_one || !power[1][j]; /* a multiple of n */

        for (int i = 1; i < twos && !pass; i++) {
            x[j] = modular_mul(x[j], x[j], m);
            pass = x[j] == minus_one;
        }
        if (!pass) return false;
    }
    return true;
}

/* The same to base 2, where a multiplication by the base is an addition. It alone finds nearly
 * every composite number. */
static bool passes_two(const struct modulus *m)
{
    const uint64_t minus_one = m->n - m->one;
    const int twos = __builtin_ctzll(m->n - 1);
    const uint64_t odd = (m->n - 1) >> twos;
    uint64_t x = modular_add(m->one, m->one, m);

    for (int bit = 62 - __builtin_clzll(odd); bit >= 0; bit--) {
        x = modular_mul(x, x, m);
        x = modular_add(x, odd >> bit & 1 ? x : 0, m);
    }
    if (x == m->one || x == minus_one) return true;
    for (int i = 1; i < twos; i++) {
        x = modular_mul(x, x, m);
        if (x == minus_one) return true;
    }
    return false;
}

/* An odd n > 1. Sets of bases that no composite number below the bound passes: OEIS A014233, and
 * for all of 64 bits the seven of Jim Sinclair, verified against the list of all strong
 * pseudoprimes to base 2. */
static bool is_prime(const struct modulus *m)
{
    static const uint64_t below_3e9[] = { 3, 5, 7 };
    static const uint64_t below_2e12[] = { 3, 5, 7, 11 };
    static const uint64_t below_2_64[] = { 325, 9375, 28178, 450775, 9780504, 1795265022 };

    if (!passes_two(m)) return false;
    if (m->n < 3215031751) return passes(m, below_3e9, 3);
    if (m->n < 2152302898747) return passes(m, below_2e12, 4);
    return passes(m, below_2_64, 6);
}

bool factor_is_prime(uint64_t n)
{
    if (n < 3 || n % 2 == 0) return n == 2;

    struct modulus m = modular_init(n);
    return is_prime(&m);
}

static void put(struct factors *out, uint64_t prime)
{
    unsigned i = out->count++;

    for (; i && out->prime[i - 1] > prime; i--) out->prime[i] = out->prime[i - 1];
    out->prime[i] = prime;
}

/* n > 1 has no factor below LIMIT. At most five deep: 2048^6 is more than 64 bits. */
static void put_factors(struct factors *out, uint64_t n)
{
    if (n < (uint64_t)LIMIT * LIMIT) {
        put(out, n);
        return;
    }

    struct modulus m = modular_init(n);
    if (is_prime(&m)) {
        put(out, n);
        return;
    }

    uint64_t factor = split(&m);
    put_factors(out, factor);
    put_factors(out, n / factor);
}

void factor_fast(uint64_t n, struct factors *out)
{
    unsigned count = 0;

    out->count = 0;
    if (n < 2) return;
    for (; n % 2 == 0; n /= 2) out->prime[count++] = 2;
    for (const struct divisor *d = divisors; d < divisors + PRIMES && d->prime * d->prime <= n;) {
        for (const struct divisor *end = d + GROUP; d < end; d++) {
            uint64_t quotient = n * d->inverse;

            while (__builtin_expect(quotient <= d->most, 0)) {
                out->prime[count++] = d->prime;
                n = quotient;
                quotient = n * d->inverse;
            }
        }
    }
    out->count = count;
    if (n > 1) put_factors(out, n);
}

uint64_t factor_trial(uint64_t n, struct factors *out)
{
    uint64_t d = 2, quotient;

    out->count = 0;
    if (n < 2) return 0;
    /* d <= n / d says d * d <= n, and cannot overflow; the remainder comes with the quotient. */
    for (; d <= (quotient = n / d); d++) {
        while (quotient * d == n) {
            out->prime[out->count++] = d;
            n = quotient;
            quotient = n / d;
        }
    }
    if (n > 1) out->prime[out->count++] = n;
    return d - 2;
}
