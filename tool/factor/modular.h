/* SPDX-License-Identifier: MIT */
#ifndef TOOL_FACTOR_MODULAR_H
#define TOOL_FACTOR_MODULAR_H

/*
 * Arithmetic modulo an odd n < 2^64, after Montgomery (Modular multiplication without trial
 * division, 1985): a number a stands for a / 2^64, so that a product is reduced by two
 * multiplications instead of a division. Everything is inline; nothing here branches on numbers
 * that a branch predictor could not foresee.
 */

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 modular_wide;

struct modulus {
    uint64_t n;
    uint64_t inverse; /* n * inverse == 1 modulo 2^64 */
    uint64_t one;     /* 1, in Montgomery's form: 2^64 mod n */
    uint64_t square;  /* 2^128 mod n: a number times it is in that form */
};

/* The inverse of an odd n modulo 2^64. Each step of Newton's doubles the bits that are right. */
static inline uint64_t modular_inverse_64(uint64_t n)
{
    uint64_t x = (3 * n) ^ 2; /* five bits */

    for (int bits = 5; bits < 64; bits *= 2) x *= 2 - n * x;
    return x;
}

static inline struct modulus modular_init(uint64_t n)
{
    uint64_t one = -n % n;

    return (struct modulus){
        .n = n,
        .inverse = modular_inverse_64(n),
        .one = one,
        .square = (uint64_t)((modular_wide)one * one % n),
    };
}

/* a - b for a, b < n. gcc would make it a jump, and every other one would be mispredicted. */
static inline uint64_t modular_sub(uint64_t a, uint64_t b, const struct modulus *m)
{
    uint64_t r = a + m->n;
#if defined(__x86_64__)
    __asm__("sub %[b], %[r]\n\t"
            "sub %[b], %[a]\n\t"
            "cmovae %[a], %[r]"
            : [r] "+&r"(r), [a] "+&r"(a)
            : [b] "r"(b)
            : "cc");
    return r;
#else
    return a < b ? r - b : a - b;
#endif
}

static inline uint64_t modular_add(uint64_t a, uint64_t b, const struct modulus *m)
{
    return modular_sub(a, m->n - b, m);
}

/* a * b for any a, b with a * b < n * 2^64; the result is < n. */
static inline uint64_t modular_mul(uint64_t a, uint64_t b, const struct modulus *m)
{
    modular_wide product = (modular_wide)a * b;
    uint64_t low = (uint64_t)product * m->inverse;

    return modular_sub((uint64_t)(product >> 64), (uint64_t)((modular_wide)low * m->n >> 64), m);
}

static inline uint64_t modular_from(uint64_t a, const struct modulus *m)
{
    return modular_mul(a, m->square, m);
}

static inline uint64_t modular_to(uint64_t a, const struct modulus *m)
{
    return modular_mul(a, 1, m);
}

/* The greatest common divisor; b is odd. */
static inline uint64_t modular_gcd(uint64_t a, uint64_t b)
{
    if (!a) return b;
    a >>= __builtin_ctzll(a);
    while (a != b) {
        uint64_t more = a - b, less = b - a;
        int zeros = __builtin_ctzll(more);
        bool swap = a < b;

        b = swap ? a : b;
        a = (swap ? less : more) >> zeros;
    }
    return a;
}

/* 1/a modulo n for 0 < a < n; *out_gcd is theirs, and the inverse is one only if that is 1. */
static inline uint64_t modular_invert(uint64_t a, uint64_t n, uint64_t *out_gcd)
{
    uint64_t r0 = n, r1 = a, s0 = 0, s1 = 1; /* signs of s alternate */
    bool negative = true;

    while (r1) {
        uint64_t q = r0 / r1, r = r0 - q * r1, s = s0 + q * s1;

        r0 = r1, r1 = r;
        s0 = s1, s1 = s;
        negative = !negative;
    }
    *out_gcd = r0;
    return negative ? n - s0 : s0;
}

#endif
