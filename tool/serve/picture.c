/* SPDX-License-Identifier: MIT */
/*
 * A picture is a head that all of them share, rows, and a tail:
 *
 *     head   signature, IHDR, a tEXt chunk that makes the size right, the beginning of IDAT
 *     rows   each a block of its own that deflate does not compress ("stored"), from a bank of ROWS
 *            different ones; which one is a hash of picture and row
 *     tail   the last, empty block; Adler-32 of the pixels; CRC-32 of the chunk; IEND
 *
 * So any byte is found without those before it; and of each row in the bank both sums are known, so
 * that those of a picture take a step a row and not a step a byte. CRC-32 is linear: the register
 * after some bytes is what they make of 0, xor what as many zero bytes make of the register before,
 * and the latter is four looks into a table (struct shift).
 *
 * Formats: PNG (ISO/IEC 15948), RFC 1950 and RFC 1951.
 */

#include "serve/picture.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS = 256,
    LEAST_WIDTH = 8,
    MOST_WIDTH = 4096,
    CHUNK = 12,     /* length, type and CRC of a chunk */
    BLOCK_HEAD = 5, /* of a stored block */
    IDAT_HEAD = 8 + 2,
    TAIL = BLOCK_HEAD + 4 + 4 + CHUNK,
    FIXED = 8 + CHUNK + 13 + IDAT_HEAD + TAIL,
    COMMENT = CHUNK + 9, /* a tEXt chunk at its smallest: "Comment", 0, a letter */
};
#define ADLER 65521

struct adler {
    uint32_t a, b;
};

/* What a number of zero bytes makes of a CRC register. */
struct shift {
    uint32_t of[4][256];
};

struct pictures {
    uint64_t size;
    uint32_t width, rows;
    size_t unit, head_size; /* bytes a row */
    unsigned char *head, *bank;
    uint32_t crc_before; /* of type and zlib's header of IDAT */
    struct shift shift;  /* by a unit */
    struct {
        uint32_t crc;
        struct adler adler;
    } sums[ROWS];
};

/* ---- Sums ---- */

static uint32_t crc_table[256];

static void make_crc_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
        crc_table[i] = c;
    }
}

static uint32_t crc_add(uint32_t crc, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) crc = crc_table[(crc ^ bytes[i]) & 255] ^ crc >> 8;
    return crc;
}

static void make_shift(struct shift *shift, size_t size)
{
    uint32_t bits[32];

    for (int bit = 0; bit < 32; bit++) {
        bits[bit] = UINT32_C(1) << bit;
        for (size_t i = 0; i < size; i++) bits[bit] = crc_table[bits[bit] & 255] ^ bits[bit] >> 8;
    }
    for (int byte = 0; byte < 4; byte++) {
        for (int value = 0; value < 256; value++) {
            uint32_t sum = 0;
            for (int bit = 0; bit < 8; bit++) sum ^= value >> bit & 1 ? bits[8 * byte + bit] : 0;
            shift->of[byte][value] = sum;
        }
    }
}

static uint32_t crc_shift(const struct shift *shift, uint32_t crc)
{
    return shift->of[0][crc & 255] ^ shift->of[1][crc >> 8 & 255] ^ shift->of[2][crc >> 16 & 255] ^
           shift->of[3][crc >> 24];
}

/* From a sum of 0 and 0, not of 1 and 0 as the whole begins. */
static struct adler adler_of(const unsigned char *bytes, size_t size)
{
    struct adler sum = { 0 };

    for (size_t i = 0; i < size; i++) {
        sum.a = (sum.a + bytes[i]) % ADLER;
        sum.b = (sum.b + sum.a) % ADLER;
    }
    return sum;
}

static struct adler adler_add(struct adler before, struct adler more, size_t size)
{
    uint64_t b = before.b + (uint64_t)before.a * size + more.b;
    return (struct adler){ (before.a + more.a) % ADLER, (uint32_t)(b % ADLER) };
}

/* ---- What all of them share ---- */

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static unsigned char *put32(unsigned char *out, uint32_t number)
{
    for (int i = 0; i < 4; i++) out[i] = (unsigned char)(number >> (24 - 8 * i));
    return out + 4;
}

static unsigned char *put_chunk(unsigned char *out, const char *type, const void *data, size_t size)
{
    out = put32(out, (uint32_t)size);
    memcpy(out, type, 4);
    if (size) memcpy(out + 4, data, size);
    return put32(out + 4 + size, ~crc_add(UINT32_MAX, out, size + 4));
}

/* A filter byte of 0 and colours that run from one side to the other. */
static void make_row(struct pictures *pictures, uint32_t row)
{
    size_t pixels = 1 + 3 * (size_t)pictures->width;
    unsigned char *out = pictures->bank + row * pictures->unit;
    uint64_t colours = mix(row);

    out[0] = 0;
    out[1] = (unsigned char)pixels;
    out[2] = (unsigned char)(pixels >> 8);
    out[3] = (unsigned char)~out[1];
    out[4] = (unsigned char)~out[2];
    out[5] = 0;
    for (size_t i = 0; i < pixels - 1; i++) {
        uint64_t from = colours >> 16 * (i % 3) & 255, to = colours >> (16 * (i % 3) + 8) & 255;
        size_t x = i / 3;
        out[6 + i] = (unsigned char)((from * (pictures->width - x) + to * x) / pictures->width);
    }
    pictures->sums[row].crc = crc_add(0, out, pictures->unit);
    pictures->sums[row].adler = adler_of(out + BLOCK_HEAD, pixels);
}

static unsigned char *put_comment(unsigned char *out, size_t size)
{
    char *text = malloc(size);

    if (!text) return NULL;
    memset(text, '.', size);
    memcpy(text, "Comment", 8);
    out = put_chunk(out, "tEXt", text, size);
    free(text);
    return out;
}

static bool make_head(struct pictures *pictures, size_t comment)
{
    unsigned char *end = pictures->head, about[13] = { [8] = 8, [9] = 2 }; /* 8 bits, RGB */
    size_t data = 2 + pictures->rows * pictures->unit + BLOCK_HEAD + 4;

    put32(put32(about, pictures->width), pictures->rows);
    memcpy(end, "\x89PNG\r\n\x1a\n", 8);
    end = put_chunk(end + 8, "IHDR", about, sizeof about);
    if (comment) end = put_comment(end, comment - CHUNK);
    if (!end) return false;
    end = put32(end, (uint32_t)data);
    memcpy(end, "IDAT\x78\x01", 6);
    pictures->crc_before = crc_add(UINT32_MAX, end, 6);
    return true;
}

/* About square, but not so small that two could be the same. Returns the bytes of the comment. */
static size_t choose_shape(struct pictures *pictures)
{
    double width = sqrt((double)pictures->size / 3);
    uint64_t room = pictures->size - FIXED, rest;

    pictures->width = width > MOST_WIDTH ? MOST_WIDTH : (uint32_t)width;
    if (pictures->width > room / 60) pictures->width = (uint32_t)(room / 60);
    if (pictures->width < LEAST_WIDTH) pictures->width = LEAST_WIDTH;
    pictures->unit = BLOCK_HEAD + 1 + 3 * (size_t)pictures->width;
    pictures->rows = (uint32_t)(room / pictures->unit);
    rest = room - pictures->rows * pictures->unit;
    if (!rest) return 0;
    if (rest < COMMENT) pictures->rows--;
    return (size_t)(room - pictures->rows * pictures->unit);
}

struct pictures *pictures_new(uint64_t size)
{
    struct pictures *pictures = calloc(1, sizeof *pictures);
    if (!pictures) return NULL;

    make_crc_table();
    pictures->size = size;
    size_t comment = choose_shape(pictures);
    pictures->head_size = 8 + CHUNK + 13 + comment + IDAT_HEAD;
    pictures->head = malloc(pictures->head_size);
    pictures->bank = malloc(ROWS * pictures->unit);
    if (!pictures->head || !pictures->bank || !make_head(pictures, comment)) {
        pictures_free(pictures);
        return NULL;
    }
    make_shift(&pictures->shift, pictures->unit);
    for (uint32_t row = 0; row < ROWS; row++) make_row(pictures, row);
    return pictures;
}

void pictures_free(struct pictures *pictures)
{
    if (!pictures) return;
    free(pictures->head);
    free(pictures->bank);
    free(pictures);
}

/* ---- One of them ---- */

static uint32_t row_of(uint64_t number, uint64_t row)
{
    return mix(number + row) % ROWS;
}

static void make_tail(const struct pictures *pictures, uint64_t number, unsigned char tail[TAIL])
{
    uint32_t crc = pictures->crc_before;
    struct adler adler = { 1, 0 };

    for (uint32_t i = 0; i < pictures->rows; i++) {
        uint32_t row = row_of(number, i);
        crc = crc_shift(&pictures->shift, crc) ^ pictures->sums[row].crc;
        adler = adler_add(adler, pictures->sums[row].adler, pictures->unit - BLOCK_HEAD);
    }
    memcpy(tail, "\1\0\0\xff\xff", BLOCK_HEAD);
    unsigned char *end = put32(tail + BLOCK_HEAD, adler.b << 16 | adler.a);
    end = put32(end, ~crc_add(crc, tail, BLOCK_HEAD + 4));
    put_chunk(end, "IEND", NULL, 0);
}

/* The part of `from`, whose first byte is byte `begin` of the picture, that is wanted. */
static size_t copy(const unsigned char *from, uint64_t begin, size_t there, uint64_t at, char *out,
                   size_t wanted)
{
    size_t skip = (size_t)(at - begin), size = there - skip < wanted ? there - skip : wanted;
    memcpy(out, from + skip, size);
    return size;
}

static int read_picture(const struct content *content, uint64_t at, char *out, size_t size)
{
    const struct pictures *pictures = content->made;
    const uint64_t end = pictures->size - TAIL;
    unsigned char tail[TAIL];
    size_t done;

    for (; size; at += done, out += done, size -= done) {
        if (at < pictures->head_size) {
            done = copy(pictures->head, 0, pictures->head_size, at, out, size);
        } else if (at < end) {
            uint64_t row = (at - pictures->head_size) / pictures->unit;
            done = copy(pictures->bank + row_of(content->number, row) * pictures->unit,
                        pictures->head_size + row * pictures->unit, pictures->unit, at, out, size);
        } else {
            make_tail(pictures, content->number, tail);
            done = copy(tail, end, TAIL, at, out, size);
        }
    }
    return 0;
}

void picture_open(const struct pictures *pictures, uint64_t number, uint32_t version,
                  struct content *out_content)
{
    *out_content = (struct content){
        .type = "image/png",
        .size = pictures->size,
        .read = read_picture,
        .fd = -1,
        .made = pictures,
        .number = mix(mix(number) + version),
    };
    snprintf(out_content->etag, sizeof out_content->etag, "\"p%llx-%llx-%x\"",
             (unsigned long long)number, (unsigned long long)pictures->size, version);
}
