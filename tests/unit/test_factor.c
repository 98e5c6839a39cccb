/* SPDX-License-Identifier: MIT */
/* Claims about the number theory of `interlock factor`. It lives in the tool, so it is included. */

#include "check.h"

#include <inttypes.h>

#include "../../tool/factor/block.c"
#include "../../tool/factor/factor.c"
#include "../../tool/factor/split.c"

/* Factors are primes, ascend, and their product is n. */
static void assert_factored(uint64_t n)
{
    struct factors factors;
    uint64_t product = 1, before = 0;
    factor_fast(n, &factors);
    for (unsigned i = 0; i < factors.count; i++) {
        uint64_t prime = factors.prime[i];
        if (prime < before) fail_msg("factors of %" PRIu64 " do not ascend", n);
        if (!factor_is_prime(prime)) fail_msg("%" PRIu64 " of %" PRIu64 " is no prime", prime, n);
        if (__builtin_mul_overflow(product, prime, &product)) fail_msg("%" PRIu64 ": too many", n);
        before = prime;
    }
    if (product != n) fail_msg("factors of %" PRIu64 " make %" PRIu64, n, product);
}

static bool is_prime_by_trial(uint64_t n)
{
    struct factors factors;
    factor_trial(n, &factors);
    return factors.count == 1;
}

static uint64_t next_prime(uint64_t n)
{
    do n++;
    while (!factor_is_prime(n));
    return n;
}

static uint64_t draw(uint64_t *index)
{
    return random_number(20, (*index)++, 0, UINT64_MAX);
}

static void zero_and_one_have_no_factors(void **state)
{
    struct factors factors = { .count = 9 };
    for (uint64_t n = 0; n < 2; n++) {
        factor_fast(n, &factors);
        assert_int_equal(factors.count, 0);
        assert_int_equal(factor_trial(n, &factors), 0);
        assert_int_equal(factors.count, 0);
    }
}

static void fast_and_trial_agree_on_small_numbers(void **state)
{
    for (uint64_t n = 0; n < 200000; n++) {
        struct factors fast, trial;
        factor_fast(n, &fast);
        factor_trial(n, &trial);
        if (fast.count != trial.count ||
            memcmp(fast.prime, trial.prime, trial.count * sizeof *trial.prime))
            fail_msg("they differ about %" PRIu64, n);
        if (factor_is_prime(n) != (trial.count == 1)) fail_msg("is %" PRIu64 " a prime?", n);
    }
}

static void numbers_of_every_length_are_factored(void **state)
{
    uint64_t index = 0;
    for (int bits = 1; bits <= 64; bits++) {
        for (int i = 0; i < 200; i++) assert_factored(draw(&index) >> (64 - bits) | 1);
    }
    for (uint64_t n = UINT64_MAX; n > UINT64_MAX - 1000; n--) assert_factored(n);
    for (int bit = 1; bit < 64; bit++) {
        assert_factored(UINT64_C(1) << bit);
        assert_factored((UINT64_C(1) << bit) - 1);
        assert_factored((UINT64_C(1) << bit) + 1);
    }
}

static void powers_of_primes_are_factored(void **state)
{
    uint64_t index = 1000;
    for (int i = 0; i < 400; i++) {
        uint64_t prime = next_prime(draw(&index) >> (34 + i % 30)), power = prime;
        while (!__builtin_mul_overflow(power, prime, &power)) assert_factored(power);
    }
    assert_factored(UINT64_C(4294967291) * 4294967291);
    assert_factored(UINT64_C(2642239) * 2642239 * 2642239);
    assert_factored(UINT64_C(65521) * 65521 * 65521 * 65521);
}

static void products_of_primes_of_every_size_are_factored(void **state)
{
    uint64_t index = 2000;
    for (int bits = 8; bits <= 32; bits++) {
        for (int i = 0; i < 60; i++) {
            uint64_t p = next_prime(draw(&index) >> (64 - bits)), q = next_prime(p + bits), product;
            if (!__builtin_mul_overflow(p, q, &product)) assert_factored(product);
            q = next_prime(draw(&index) >> (64 - bits));
            if (!__builtin_mul_overflow(p, q, &product)) assert_factored(product);
        }
    }
}

static void primes_are_primes(void **state)
{
    static const uint64_t primes[] = { 2,
                                       3,
                                       2039,
                                       2053,
                                       65537,
                                       4294967291,
                                       4294967311,
                                       1000000000039,
                                       2305843009213693951,
                                       9223372036854775783,
                                       18446744073709551533u,
                                       18446744073709551557u };
    for (size_t i = 0; i < sizeof primes / sizeof *primes; i++) {
        struct factors factors;
        assert_true(factor_is_prime(primes[i]));
        factor_fast(primes[i], &factors);
        assert_int_equal(factors.count, 1);
        assert_true(factors.prime[0] == primes[i]);
    }
    for (uint64_t n = 18446744073709551558u; n; n++) assert_false(factor_is_prime(n));
}

/* Numbers that pass the test to many bases; the first of OEIS A014233, Carmichael numbers, and
 * p * (2p - 1), which fool as many bases as any number can. */
static void pseudoprimes_are_composite(void **state)
{
    static const uint64_t pseudo[] = {
        341,
        561,
        1105,
        1729,
        2047,
        1373653,
        25326001,
        3215031751,
        4759123141,
        1122004669633,
        2152302898747,
        3474749660383,
        9746347772161,
        341550071728321,
        3825123056546413051,
    };
    for (size_t i = 0; i < sizeof pseudo / sizeof *pseudo; i++) {
        if (factor_is_prime(pseudo[i])) fail_msg("%" PRIu64 " is no prime", pseudo[i]);
        assert_factored(pseudo[i]);
    }
    uint64_t p = 2;
    for (int found = 0; found < 300;) {
        p = next_prime(p < 3000 ? p : p + p / 20);
        if (p > UINT32_MAX / 3 * 2) break;
        for (int tries = 0; tries < 100 && !factor_is_prime(2 * p - 1); tries++) p = next_prime(p);
        if (!factor_is_prime(2 * p - 1)) continue;
        found++;
        assert_false(factor_is_prime(p * (2 * p - 1)));
        assert_factored(p * (2 * p - 1));
    }
}

static void primality_agrees_with_trial_division(void **state)
{
    uint64_t index = 5000;
    for (int bits = 8; bits <= 40; bits++) {
        for (int i = 0; i < 40; i++) {
            uint64_t n = draw(&index) >> (64 - bits) | 1;
            if (factor_is_prime(n) != is_prime_by_trial(n)) fail_msg("is %" PRIu64 " a prime?", n);
        }
    }
}

/* The figures that come with the book's job. */
static void trial_division_makes_the_steps_of_the_book(void **state)
{
    static const struct {
        uint64_t steps, factors;
    } known[] = { { 12776364, 39371 },
                  { 12946930, 39291 },
                  { 12863660, 39552 },
                  { 12811355, 39059 },
                  { 13019486, 39020 } };
    for (uint64_t seed = 1; seed <= 5; seed++) {
        uint64_t steps = 0, count = 0;
        for (uint64_t i = 0; i < 10000; i++) {
            struct factors trial, fast;
            uint64_t n = random_number(seed, i, 20000, 100000000);
            steps += factor_trial(n, &trial);
            count += trial.count;
            factor_fast(n, &fast);
            assert_int_equal(fast.count, trial.count);
            assert_memory_equal(fast.prime, trial.prime, trial.count * sizeof *trial.prime);
        }
        assert_int_equal(steps, known[seed - 1].steps);
        assert_int_equal(count, known[seed - 1].factors);
    }
}

/* Each d from 2 on for which d * d <= n still holds when its turn comes. */
static void trial_division_counts_what_it_tried(void **state)
{
    struct factors factors;
    assert_int_equal(factor_trial(2, &factors), 0);
    assert_int_equal(factor_trial(4, &factors), 1);
    assert_int_equal(factor_trial(5, &factors), 1);
    assert_int_equal(factor_trial(UINT64_C(1) << 63, &factors), 1);
    assert_int_equal(factors.count, 63);
    assert_int_equal(factor_trial(9, &factors), 2);
    assert_int_equal(factor_trial(97, &factors), 8);
}

/* None of the ways to split depends on another: each finds factors, and true ones. */
static void each_way_splits(void **state)
{
    uint64_t index = 9000;
    int by_orders = 0, by_curves = 0, tried = 0;
    for (int bits = 16; bits <= 31; bits++) {
        for (int i = 0; i < 20; i++) {
            uint64_t p = next_prime(UINT64_C(1) << bits | draw(&index) >> (64 - bits));
            uint64_t q = next_prime(UINT64_C(1) << bits | draw(&index) >> (64 - bits));
            struct modulus m = modular_init(p * q);
            uint64_t orders = split_orders(&m), curves = split_curves(&m, 100);
            tried++;
            by_orders += orders != 0;
            by_curves += curves != 0;
            assert_true(!orders || orders == p || orders == q);
            assert_true(!curves || curves == p || curves == q);
            if (bits > 26) continue;
            uint64_t rho = split_rho(&m);
            assert_true(rho == p || rho == q);
        }
    }
    assert_true(by_orders > tried / 10);
    assert_true(by_curves > tried * 9 / 10);
}

static void inverse_and_gcd_are_right(void **state)
{
    uint64_t index = 12000;
    for (int i = 0; i < 2000; i++) {
        uint64_t n = draw(&index) >> i % 60 | 3, a = draw(&index) % n, gcd;
        struct modulus m = modular_init(n);
        if (!a) continue;
        uint64_t inverse = modular_invert(a, n, &gcd);
        assert_true(gcd == modular_gcd(a, n));
        assert_true(a % gcd == 0 && n % gcd == 0);
        assert_true(n * m.inverse == 1);
        assert_true(modular_to(modular_from(a, &m), &m) == a);
        if (gcd == 1) assert_true((uint64_t)((modular_wide)a * inverse % n) == 1);
    }
}

static void random_numbers_are_repeatable_and_in_range(void **state)
{
    assert_true(random_number(1, 0, 0, UINT64_MAX) == UINT64_C(0x910a2dec89025cc1));
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t n = random_number(7, i, 20, 29);
        assert_true(n >= 20 && n <= 29);
        assert_true(random_number(7, i, 5, 5) == 5);
    }
}

static int init(void **state)
{
    factor_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_and_one_have_no_factors),
        cmocka_unit_test(fast_and_trial_agree_on_small_numbers),
        cmocka_unit_test(numbers_of_every_length_are_factored),
        cmocka_unit_test(powers_of_primes_are_factored),
        cmocka_unit_test(products_of_primes_of_every_size_are_factored),
        cmocka_unit_test(primes_are_primes),
        cmocka_unit_test(pseudoprimes_are_composite),
        cmocka_unit_test(primality_agrees_with_trial_division),
        cmocka_unit_test(trial_division_makes_the_steps_of_the_book),
        cmocka_unit_test(trial_division_counts_what_it_tried),
        cmocka_unit_test(each_way_splits),
        cmocka_unit_test(inverse_and_gcd_are_right),
        cmocka_unit_test(random_numbers_are_repeatable_and_in_range),
    };
    return cmocka_run_group_tests(tests, init, NULL);
}
