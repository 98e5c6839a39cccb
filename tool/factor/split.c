/* SPDX-License-Identifier: MIT */
/*
 * Split a composite number of 64 bits.
 *
 * All three ways know the number n only, and hope that something becomes 0 modulo a prime factor p
 * of n, but not modulo n; a gcd tells.
 *
 * - Orders: V_k(s) is b^k + b^-k for a b with b + 1/b = s, and it becomes 2 when k is a multiple
 *   of the order of b, which divides p - 1 or p + 1 (Williams, A p+1 method of factoring, 1982).
 * - Curves: k times a point becomes the point at infinity when k is a multiple of the order of the
 *   point on an elliptic curve modulo p, and every curve is another chance (Lenstra, Factoring
 *   integers with elliptic curves, 1987; Montgomery, Speeding the Pollard and elliptic curve
 *   methods of factorization, 1987; Suyama's curves, whose orders are multiples of 12).
 * - Rho, which needs no luck but more time: a sequence that must repeat itself modulo p (Pollard
 *   1975, Brent, An improved Monte Carlo factorization algorithm, 1980). For small n, and to be
 *   sure to end.
 *
 * Orders and curves have two stages. Stage 1 takes k = lcm(1 .. bound): enough when the order has
 * no prime power above it. Stage 2 forgives one larger prime q. It writes q = 210 g + r or
 * 210 g - r with one of the 24 r < 105 coprime to 210 and compares giant step g with baby step r:
 * one multiplication for two q. Whether 210 g + r is a prime is not asked: a table of those would
 * cost more than it saves.
 *
 * A first attempt by orders finds two thirds of the factors that random numbers have, in a third of
 * the time of a curve; that is why it comes first. A single curve waits for its own multiplications
 * half of the time, so that two at once cost 1.6 times as much.
 */

#include "factor/split.h"

#include <stddef.h>

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define SCALAR_WORDS 5
#define GIANTS_MAX 24
#define BABIES 24
#define CHAIN 36       /* multiples 1, 5, 7, 11, 13, ... 103, 107: 6i + 1 and 6i + 5 */
#define CURVES_BITS 37 /* smaller numbers are rho's */
#define ATTEMPTS 100

/* How hard to try. */
struct effort {
    unsigned bound;                /* of stage 1 */
    unsigned giants;               /* of stage 2, which reaches 210 * giants + 103 */
    unsigned bits;                 /* of the scalar */
    uint64_t scalar[SCALAR_WORDS]; /* lcm(1 .. bound), lowest word first: made by split_init */
};

/* Found by minimising the time of random 63-bit numbers, and that of products of two primes; the
 * minimum is flat. Set by split_init, then read only. */
static struct effort orders_effort = { .bound = 100, .giants = 8 };
static struct effort first_curves = { .bound = 50, .giants = 9 };
static struct effort more_curves = { .bound = 100, .giants = 18 };

/* Those of the chain that are coprime to 5 and 7. */
static const uint8_t baby_at[BABIES] = { 0,  3,  4,  5,  6,  7,  9,  10, 12, 13, 14, 15,
                                         17, 19, 20, 22, 23, 24, 26, 27, 29, 32, 33, 34 };

static void make_scalar(struct effort *e)
{
    e->scalar[0] = 1;
    for (unsigned p = 2; p <= e->bound; p++) {
        unsigned power = p, least = 2;

        while (p % least) least++;
        if (least < p) continue;
        while (power * p <= e->bound) power *= p;

        uint64_t carry = 0;
        for (unsigned i = 0; i < SCALAR_WORDS; i++) {
            modular_wide product = (modular_wide)e->scalar[i] * power + carry;
            e->scalar[i] = (uint64_t)product;
            carry = (uint64_t)(product >> 64);
        }
    }
    for (unsigned i = 0; i < SCALAR_WORDS; i++) {
        if (e->scalar[i]) e->bits = 64 * i + 64 - (unsigned)__builtin_clzll(e->scalar[i]);
    }
}

void split_init(void)
{
    make_scalar(&orders_effort);
    make_scalar(&first_curves);
    make_scalar(&more_curves);
}

static inline bool scalar_bit(const struct effort *e, unsigned bit)
{
    return e->scalar[bit / 64] >> (bit % 64) & 1;
}

/* The product of giant - baby over all pairs: a few products at once, for their latency. */
static ALWAYS_INLINE uint64_t compare(const uint64_t *giants, unsigned count,
                                      const uint64_t *babies, const struct modulus *m,
                                      const bool roomy)
{
    uint64_t product[4] = { m->one, m->one, m->one, m->one };

    for (unsigned g = 0; g < count; g++) {
        for (unsigned r = 0; r < BABIES; r += 4) {
#pragma GCC unroll 4
            for (unsigned i = 0; i < 4; i++) {
                uint64_t difference = roomy ? giants[g] - babies[r + i] + m->n
                                            : modular_sub(giants[g], babies[r + i], m);
                product[i] = modular_mul(product[i], difference, m);
            }
        }
    }
    return modular_mul(modular_mul(product[0], product[1], m),
                       modular_mul(product[2], product[3], m), m);
}

/* Several values, each of which may be 0 modulo a factor: a gcd that is neither 1 nor n, or 0. */
static uint64_t harvest(const uint64_t *values, unsigned count, const struct modulus *m)
{
    uint64_t product = values[0];

    for (unsigned i = 1; i < count; i++) product = modular_mul(product, values[i], m);

    uint64_t gcd = modular_gcd(product, m->n);
    if (gcd == 1) return 0;
    for (unsigned i = 0; gcd == m->n && i < count; i++) {
        uint64_t one = modular_gcd(values[i], m->n);

        if (one != 1) gcd = one;
        if (gcd != m->n) return gcd;
    }
    return gcd == m->n ? 0 : gcd;
}

/* ---- Orders ---- */

/* V(a + b) from V(a), V(b), V(a - b). */
static inline uint64_t v_sum(uint64_t a, uint64_t b, uint64_t difference, const struct modulus *m)
{
    return modular_sub(modular_mul(a, b, m), difference, m);
}

/* Stage 2 of one sequence: 0 modulo p if the order divides some 210 g +- r. */
static uint64_t v_stage_2(uint64_t v1, uint64_t two, unsigned giants, const struct modulus *m)
{
    uint64_t v2 = v_sum(v1, v1, two, m), v3 = v_sum(v2, v1, v1, m), v4 = v_sum(v2, v2, two, m);
    uint64_t v5 = v_sum(v3, v2, v1, m), v6 = v_sum(v3, v3, two, m);
    uint64_t chain[CHAIN] = { v1, v5, v_sum(v6, v1, v5, m), v_sum(v6, v5, v1, m) };
    uint64_t baby[BABIES], giant[GIANTS_MAX];

    for (unsigned i = 4; i < CHAIN; i++) chain[i] = v_sum(chain[i - 2], v6, chain[i - 4], m);
    for (unsigned i = 0; i < BABIES; i++) baby[i] = chain[baby_at[i]];

    giant[0] = v_sum(chain[35], chain[34], v4, m); /* 210 = 107 + 103 */
    giant[1] = v_sum(giant[0], giant[0], two, m);
    for (unsigned i = 2; i < giants; i++) giant[i] = v_sum(giant[i - 1], giant[0], giant[i - 2], m);
    return compare(giant, giants, baby, m, false);
}

/* Two sequences at once, V(2/7) and V(6/5). Of the first the order divides p - 1 when p is 1 modulo
 * 3 and p + 1 when p is 2, so that it always has a factor of 6 to begin with; of the second, 4. */
uint64_t split_orders(const struct modulus *modulus)
{
    const struct modulus copy = *modulus, *m = &copy;
    const struct effort *e = &orders_effort;
    const uint64_t two = modular_add(m->one, m->one, m);
    uint64_t seed[2], v[2], next[2], found[4], gcd;

    seed[0] = modular_mul(modular_from(modular_invert(7, m->n, &gcd), m), two, m);
    seed[1] = modular_from(modular_invert(5, m->n, &gcd), m);
    seed[1] = modular_add(seed[1], m->one, m);
    for (int i = 0; i < 2; i++) {
        v[i] = seed[i];
        next[i] = v_sum(v[i], v[i], two, m);
    }
    for (unsigned bit = e->bits - 1; bit-- > 0;) { /* v = V(k), next = V(k + 1) */
        if (scalar_bit(e, bit)) {
            for (int i = 0; i < 2; i++) {
                v[i] = v_sum(v[i], next[i], seed[i], m);
                next[i] = v_sum(next[i], next[i], two, m);
            }
        } else {
            for (int i = 0; i < 2; i++) {
                next[i] = v_sum(v[i], next[i], seed[i], m);
                v[i] = v_sum(v[i], v[i], two, m);
            }
        }
    }
    for (int i = 0; i < 2; i++) {
        found[i] = modular_sub(v[i], two, m);
        found[2 + i] = v_stage_2(v[i], two, e->giants, m);
    }
    return harvest(found, 4, m);
}

/* ---- Curves ---- */

/* A point of B y^2 = x^3 + A x^2 + x without its y: x is x / z. */
struct point {
    uint64_t x, z;
};

/* `roomy`, a constant wherever it is used, says that n < 2^62. Then sums and differences need not
 * be reduced: both are < 2n, and a product of two such is < n * 2^64. */
static ALWAYS_INLINE uint64_t plus(uint64_t a, uint64_t b, const struct modulus *m,
                                   const bool roomy)
{
    return roomy ? a + b : modular_add(a, b, m);
}

static ALWAYS_INLINE uint64_t minus(uint64_t a, uint64_t b, const struct modulus *m,
                                    const bool roomy)
{
    return roomy ? a - b + m->n : modular_sub(a, b, m);
}

/* 2p; a24 is (A + 2) / 4. */
static ALWAYS_INLINE struct point twice(struct point p, uint64_t a24, const struct modulus *m,
                                        const bool roomy)
{
    uint64_t s = plus(p.x, p.z, m, roomy), d = minus(p.x, p.z, m, roomy);
    uint64_t ss = modular_mul(s, s, m), dd = modular_mul(d, d, m), t = minus(ss, dd, m, roomy);

    return (struct point){
        .x = modular_mul(ss, dd, m),
        .z = modular_mul(t, plus(dd, modular_mul(a24, t, m), m, roomy), m),
    };
}

/* p + q, from the difference p - q. */
static ALWAYS_INLINE struct point sum(struct point p, struct point q, struct point difference,
                                      const struct modulus *m, const bool roomy)
{
    uint64_t u = modular_mul(minus(p.x, p.z, m, roomy), plus(q.x, q.z, m, roomy), m);
    uint64_t v = modular_mul(plus(p.x, p.z, m, roomy), minus(q.x, q.z, m, roomy), m);
    uint64_t s = plus(u, v, m, roomy), d = minus(u, v, m, roomy);

    return (struct point){
        .x = modular_mul(modular_mul(s, s, m), difference.z, m),
        .z = modular_mul(modular_mul(d, d, m), difference.x, m),
    };
}

/* The same when difference.z is 1. */
static ALWAYS_INLINE struct point sum_to(struct point p, struct point q, uint64_t difference,
                                         const struct modulus *m, const bool roomy)
{
    uint64_t u = modular_mul(minus(p.x, p.z, m, roomy), plus(q.x, q.z, m, roomy), m);
    uint64_t v = modular_mul(plus(p.x, p.z, m, roomy), minus(q.x, q.z, m, roomy), m);
    uint64_t s = plus(u, v, m, roomy), d = minus(u, v, m, roomy);

    return (struct point){
        .x = modular_mul(s, s, m),
        .z = modular_mul(modular_mul(d, d, m), difference, m),
    };
}

/* Suyama's curve number sigma > 5 and a point of it, but for a division by `divisor`. */
struct suyama {
    uint64_t a24, x, divisor;
};

static struct suyama suyama(uint64_t sigma, const struct modulus *m)
{
    uint64_t s = modular_from(sigma, m);
    uint64_t u = modular_sub(modular_mul(s, s, m), modular_from(5, m), m);
    uint64_t v = modular_mul(s, modular_from(4, m), m);
    uint64_t u3 = modular_mul(modular_mul(u, u, m), u, m);
    uint64_t v3 = modular_mul(modular_mul(v, v, m), v, m);
    uint64_t d = modular_sub(v, u, m), d3 = modular_mul(modular_mul(d, d, m), d, m);
    uint64_t w = modular_add(modular_mul(u, modular_from(3, m), m), v, m);
    uint64_t y = modular_mul(modular_mul(u3, v, m), modular_from(16, m), m);

    /* a24 = (v - u)^3 (3u + v) / (16 u^3 v) and x = u^3 / v^3. */
    return (struct suyama){
        .a24 = modular_mul(modular_mul(d3, w, m), v3, m),
        .x = modular_mul(u3, y, m),
        .divisor = modular_mul(y, v3, m),
    };
}

/* Stage 2 of one curve. To be compared, points must have the same z: each x is multiplied by the z
 * of all the others. */
static ALWAYS_INLINE uint64_t curve_stage_2(struct point p1, uint64_t a24, unsigned giants,
                                            const struct modulus *m, const bool roomy)
{
    struct point p2 = twice(p1, a24, m, roomy), p3 = sum(p2, p1, p1, m, roomy);
    struct point p4 = twice(p2, a24, m, roomy), p5 = sum(p3, p2, p1, m, roomy);
    struct point p6 = twice(p3, a24, m, roomy);
    struct point chain[CHAIN] = { p1, p5, sum(p6, p1, p5, m, roomy), sum(p6, p5, p1, m, roomy) };
    struct point step[BABIES + GIANTS_MAX], *giant = step + BABIES;
    uint64_t before[BABIES + GIANTS_MAX], x[BABIES + GIANTS_MAX];
    const unsigned steps = BABIES + giants;

    for (unsigned i = 4; i < CHAIN; i++) chain[i] = sum(chain[i - 2], p6, chain[i - 4], m, roomy);
    for (unsigned i = 0; i < BABIES; i++) step[i] = chain[baby_at[i]];
    giant[0] = sum(chain[35], chain[34], p4, m, roomy);
    giant[1] = twice(giant[0], a24, m, roomy);
    for (unsigned i = 2; i < giants; i++)
        giant[i] = sum(giant[i - 1], giant[0], giant[i - 2], m, roomy);

    uint64_t product = m->one;
    for (unsigned i = 0; i < steps; i++) {
        before[i] = product;
        product = modular_mul(product, step[i].z, m);
    }
    product = m->one;
    for (unsigned i = steps; i-- > 0;) {
        x[i] = modular_mul(step[i].x, modular_mul(before[i], product, m), m);
        product = modular_mul(product, step[i].z, m);
    }
    return compare(x + BABIES, giants, x, m, roomy);
}

/* One or two curves at once. */
static ALWAYS_INLINE uint64_t curves(const int count, const bool roomy, uint64_t sigma,
                                     const struct effort *e, const struct modulus *modulus)
{
    const struct modulus copy = *modulus, *m = &copy;
    struct suyama made[2];
    uint64_t a24[2], found[4], gcd;
    uint64_t start[2];
    struct point p[2], next[2];

    /* Both divisions with one inverse. */
    for (int i = 0; i < count; i++) made[i] = suyama(sigma + (unsigned)i, m);
    uint64_t divisor =
        count == 1 ? made[0].divisor : modular_mul(made[0].divisor, made[1].divisor, m);
    uint64_t inverse = modular_invert(modular_to(divisor, m), m->n, &gcd);
    if (gcd != 1) return gcd < m->n ? gcd : 0;
    inverse = modular_from(inverse, m);
    for (int i = 0; i < count; i++) {
        uint64_t own = count == 1 ? inverse : modular_mul(inverse, made[1 - i].divisor, m);

        a24[i] = modular_mul(made[i].a24, own, m);
        start[i] = modular_mul(made[i].x, own, m);
        p[i] = (struct point){ start[i], m->one };
        next[i] = twice(p[i], a24[i], m, roomy);
    }
    for (unsigned bit = e->bits - 1; bit-- > 0;) { /* p = k start, next = (k + 1) start */
        if (scalar_bit(e, bit)) {
            for (int i = 0; i < count; i++) {
                p[i] = sum_to(next[i], p[i], start[i], m, roomy);
                next[i] = twice(next[i], a24[i], m, roomy);
            }
        } else {
            for (int i = 0; i < count; i++) {
                next[i] = sum_to(next[i], p[i], start[i], m, roomy);
                p[i] = twice(p[i], a24[i], m, roomy);
            }
        }
    }
    for (int i = 0; i < count; i++) {
        found[i] = p[i].z;
        found[count + i] = curve_stage_2(p[i], a24[i], e->giants, m, roomy);
    }
    return harvest(found, 2 * (unsigned)count, m);
}

uint64_t split_curves(const struct modulus *m, unsigned attempts)
{
    const bool roomy = m->n >> 62 == 0;
    uint64_t factor = 0;

    for (unsigned i = 0; i < attempts && !factor; i++) {
        const struct effort *e = i ? &more_curves : &first_curves;
        uint64_t sigma = 6 + 2 * i;

        factor = roomy ? curves(2, true, sigma, e, m) : curves(2, false, sigma, e, m);
    }
    return factor;
}

/* ---- Rho ---- */

uint64_t split_rho(const struct modulus *modulus)
{
    const struct modulus copy = *modulus, *m = &copy;
    enum { BATCH = 64 };

    for (uint64_t c = 1;; c++) {
        const uint64_t constant = modular_from(c, m);
        uint64_t y = modular_add(m->one, m->one, m), x = y, before = y, product = m->one, gcd = 1;

        for (uint64_t length = 1; gcd == 1; length *= 2) {
            x = y;
            for (uint64_t i = 0; i < length; i++)
                y = modular_add(modular_mul(y, y, m), constant, m);
            for (uint64_t done = 0; done < length && gcd == 1; done += BATCH) {
                before = y;
                for (uint64_t i = done; i < length && i < done + BATCH; i++) {
                    y = modular_add(modular_mul(y, y, m), constant, m);
                    product = modular_mul(product, modular_sub(x, y, m), m);
                }
                gcd = modular_gcd(product, m->n);
            }
        }
        /* All factors in one batch: once more, step by step. */
        for (; gcd == m->n || gcd == 1;) {
            before = modular_add(modular_mul(before, before, m), constant, m);
            gcd = modular_gcd(modular_sub(x, before, m), m->n);
            if (gcd == m->n) break;
        }
        if (gcd != m->n) return gcd;
    }
}

uint64_t split(const struct modulus *m)
{
    uint64_t factor = 0;

    if (m->n >> CURVES_BITS) {
        factor = split_orders(m);
        if (!factor) factor = split_curves(m, ATTEMPTS);
    }
    return factor ? factor : split_rho(m);
}
