/* SPDX-License-Identifier: MIT */
/* Claims about the hash of bytes, among them results that others have published. */

#include "check.h"

#include "base/hash.h"

static const uint64_t no_key[2];

/* 00 01 02 ... 0f, as in the paper. */
static const uint64_t paper_key[2] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };

static void siphash_2_4_is_the_paper_s(void **state)
{
    (void)state;
    unsigned char bytes[15];
    for (unsigned char i = 0; i < sizeof bytes; i++) bytes[i] = i;
    uint64_t hash = il__siphash(2, 4, paper_key, bytes, sizeof bytes);
    assert_int_equal(hash, UINT64_C(0xa129ca6149be45e5));
}

/* As Python's hash() of bytes with PYTHONHASHSEED=0, which is SipHash-1-3 since 3.11. */
static void siphash_1_3_is_what_others_have(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        uint64_t hash;
    } known[] = {
        { "a", UINT64_C(0x407448d2b89b1813) },
        { "abcdefg", UINT64_C(0x6db12aae9070f506) },
        { "abcdefgh", UINT64_C(0x3f7b849c0b8e35ea) },
        { "abcdefghi", UINT64_C(0xf89b34a3d11eb6e5) },
        { "The interlocking of signals", UINT64_C(0x9f3fe3f6d2790224) },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_int_equal(il__hash_bytes(no_key, known[i].bytes, strlen(known[i].bytes)),
                         known[i].hash);
}

static void hash_depends_on_the_key(void **state)
{
    (void)state;
    assert_int_not_equal(il__hash_bytes(no_key, "abc", 3), il__hash_bytes(paper_key, "abc", 3));
    assert_int_not_equal(il__hash_mix(no_key, 1), il__hash_mix(paper_key, 1));
}

static void hash_takes_bytes_at_any_address(void **state)
{
    (void)state;
    char room[40];
    uint64_t first = il__hash_bytes(no_key, "seventeen letters", 17);
    for (int i = 0; i < 8; i++) {
        memcpy(room + i, "seventeen letters", 17);
        assert_int_equal(il__hash_bytes(no_key, room + i, 17), first);
    }
}

/* What counts up differs in both ends of the hash: it chooses shards by one and slots by the other. */
static void mixing_spreads_small_numbers(void **state)
{
    (void)state;
    uint64_t low = 0, high = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t hash = il__hash_mix(no_key, i);
        low |= UINT64_C(1) << (hash & 63);
        high |= UINT64_C(1) << (hash >> 58);
    }
    assert_int_equal(low, UINT64_MAX);
    assert_int_equal(high, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_2_4_is_the_paper_s),
        cmocka_unit_test(siphash_1_3_is_what_others_have),
        cmocka_unit_test(hash_depends_on_the_key),
        cmocka_unit_test(hash_takes_bytes_at_any_address),
        cmocka_unit_test(mixing_spreads_small_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
