/* SPDX-License-Identifier: MIT */
/* From words to lines: what a task of `interlock factor` does. */

#include "factor/block.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "factor/factor.h"

/* The longest line: {"n": 9223372036854775808, "factors": [2, 2, ...]} with 63 of them. */
#define LINE_MAX_BYTES 256
#define WORD_SHOWN 60

int bytes_reserve(struct bytes *bytes, size_t more)
{
    if (bytes->room - bytes->size >= more) return 0;

    size_t room = (bytes->size + more) * 2;
    char *data = realloc(bytes->data, room);
    if (!data) return -ENOMEM;
    bytes->data = data;
    bytes->room = room;
    return 0;
}

void block_free(struct block *block)
{
    if (!block) return;
    free(block->text.data);
    free(block->output.data);
    free(block->complaints.data);
    free(block->places.data);
    free(block);
}

/* Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014. */
uint64_t random_number(uint64_t seed, uint64_t index, uint64_t low, uint64_t high)
{
    uint64_t x = seed + (index + 1) * 0x9e3779b97f4a7c15, span = high - low + 1;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    x ^= x >> 31;
    return span ? low + x % span : x;
}

/* Decimal digits, two at a time. Returns the end. */
static char *write_number(char *out, uint64_t number)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233"
        "34353637383940414243444546474849505152535455565758596061626364656667"
        "6869707172737475767778798081828384858687888990919293949596979899";
    /* clang-format off */
    static const uint64_t powers[] = {
        0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000,
        100000000000, 1000000000000, 10000000000000, 100000000000000, 1000000000000000,
        10000000000000000, 100000000000000000, 1000000000000000000, 10000000000000000000u
    };
    /* clang-format on */
    unsigned bits = 64 - (unsigned)__builtin_clzll(number | 1);
    unsigned guess = bits * 1233 >> 12; /* log2(10) is 4096 / 1233: digits, or one too few */
    char *end = out + guess + (number >= powers[guess]), *at = end;

    while (number >= 100) {
        at -= 2;
        memcpy(at, pairs + number % 100 * 2, 2);
        number /= 100;
    }
    if (number >= 10) memcpy(at - 2, pairs + number * 2, 2);
    else at[-1] = (char)('0' + number);
    return end;
}

/* 12: 2 2 3 */
static char *write_plain(char *out, uint64_t number, const struct factors *factors)
{
    out = write_number(out, number);
    *out++ = ':';
    for (unsigned i = 0; i < factors->count; i++) {
        *out++ = ' ';
        out = write_number(out, factors->prime[i]);
    }
    *out++ = '\n';
    return out;
}

/* {"n": 12, "factors": [2, 2, 3]} */
static char *write_json(char *out, uint64_t number, const struct factors *factors)
{
    out = stpcpy(out, "{\"n\": ");
    out = write_number(out, number);
    out = stpcpy(out, ", \"factors\": [");
    for (unsigned i = 0; i < factors->count; i++) {
        if (i) out = stpcpy(out, ", ");
        out = write_number(out, factors->prime[i]);
    }
    return stpcpy(out, "]}\n");
}

static int put_number(struct block *block, uint64_t number)
{
    struct factors factors;
    int status = bytes_reserve(&block->output, LINE_MAX_BYTES);
    if (status) return status;

    if (block->manner->trial) factor_trial(number, &factors);
    else factor_fast(number, &factors);
    char *start = block->output.data + block->output.size;
    char *end = block->manner->json ? write_json(start, number, &factors)
                                    : write_plain(start, number, &factors);
    block->output.size += (size_t)(end - start);
    return 0;
}

/* The word as it can be shown anywhere: short, and without bytes that a terminal would obey. */
static void show(char *out, const char *word, size_t length)
{
    size_t shown = length < WORD_SHOWN ? length : WORD_SHOWN;

    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)word[i];
        out += sprintf(out, c >= ' ' && c <= '~' ? "%c" : "\\x%02x", c);
    }
    memcpy(out, "...", 4);
    if (length == shown) *out = 0;
}

static int complain(struct block *block, const char *word, size_t length, const char *why)
{
    char shown[4 * WORD_SHOWN + 4], line[sizeof shown + 100];
    struct complaint place = { .at = block->output.size, .words = block->complaints.size };

    show(shown, word, length);
    size_t size = (size_t)snprintf(line, sizeof line, "'%s' %s", shown, why) + 1;
    int status = bytes_reserve(&block->complaints, size);
    if (!status) status = bytes_reserve(&block->places, sizeof place);
    if (status) return status;
    memcpy(block->complaints.data + block->complaints.size, line, size);
    block->complaints.size += size;
    memcpy(block->places.data + block->places.size, &place, sizeof place);
    block->places.size += sizeof place;
    return 0;
}

/* One word. As with GNU factor, spaces and a plus may stand before the digits. */
static int put_word(struct block *block, const char *word, size_t length)
{
    const char *digit = word, *end = word + length;
    uint64_t number = 0;
    bool fits = true;

    while (digit < end && *digit == ' ') digit++;
    digit += digit < end && *digit == '+';

    bool valid = digit < end;
    for (; digit < end; digit++) {
        unsigned value = (unsigned char)*digit - (unsigned)'0';

        if (value > 9) valid = false;
        fits = fits && !__builtin_mul_overflow(number, 10, &number) &&
               !__builtin_add_overflow(number, value, &number);
    }
    block->numbers++;
    if (!valid) return complain(block, word, length, "is not a valid positive integer");
    if (!fits)
        return complain(block, word, length, "is too large: numbers go up to 18446744073709551615");
    return put_number(block, number);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int run_text(struct block *block)
{
    const char *at = block->text.data, *end = at + block->text.size;
    int status = 0;

    while (!status) {
        const char *word;

        if (block->manner->spaces) {
            while (at < end && is_space(*at)) at++;
        }
        if (at == end) break;
        word = at;
        if (block->manner->spaces) {
            while (at < end && !is_space(*at)) at++;
        } else {
            at = memchr(at, 0, (size_t)(end - at));
        }
        status = put_word(block, word, (size_t)(at - word));
        at++; /* the separator that stands behind every word */
    }
    return status;
}

static int run_random(struct block *block)
{
    const struct manner *manner = block->manner;
    int status = 0;

    for (uint64_t i = 0; i < block->count && !status; i++) {
        status = put_number(
            block, random_number(manner->seed, block->first + i, manner->low, manner->high));
        block->numbers++;
    }
    return status;
}

int block_run(void *in, void *out)
{
    struct block *block = *(struct block **)in;
    il_time start = il_now();

    (void)out;
    block->output.size = block->complaints.size = block->places.size = 0;
    block->numbers = 0;
    int status = block->manner->random ? run_random(block) : run_text(block);
    block->took = il_now() - start;
    return status;
}
