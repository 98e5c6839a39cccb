/* SPDX-License-Identifier: MIT */
/* SipHash. Its four words are added, rotated and xored; each word of input goes in at one end before
 * the rounds, and comes out at the other after them. */

#include "base/hash.h"

#include <endian.h>
#include <string.h>

typedef struct sip {
    uint64_t a, b, c, d;
} sip;

static inline uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static inline void mix(sip *s, int rounds)
{
    while (rounds--) {
        s->a += s->b, s->b = rotate(s->b, 13) ^ s->a, s->a = rotate(s->a, 32);
        s->c += s->d, s->d = rotate(s->d, 16) ^ s->c;
        s->a += s->d, s->d = rotate(s->d, 21) ^ s->a;
        s->c += s->b, s->b = rotate(s->b, 17) ^ s->c, s->c = rotate(s->c, 32);
    }
}

static inline void absorb(sip *s, int rounds, uint64_t word)
{
    s->d ^= word;
    mix(s, rounds);
    s->a ^= word;
}

static inline uint64_t hash(int rounds, int last_rounds, const uint64_t key[2], const void *bytes,
                            size_t size)
{
    sip s = { key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
              key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573) };
    const unsigned char *at = bytes;
    size_t left = size;
    uint64_t word;
    for (; left >= sizeof word; at += sizeof word, left -= sizeof word) {
        memcpy(&word, at, sizeof word);
        absorb(&s, rounds, le64toh(word));
    }
    word = (uint64_t)size << 56;
    for (size_t i = 0; i < left; i++) word |= (uint64_t)at[i] << 8 * i;
    absorb(&s, rounds, word);
    s.c ^= 0xff;
    mix(&s, last_rounds);
    return s.a ^ s.b ^ s.c ^ s.d;
}

uint64_t il__hash_bytes(const uint64_t key[2], const void *bytes, size_t size)
{
    return hash(1, 3, key, bytes, size);
}

uint64_t il__siphash(int rounds, int last_rounds, const uint64_t key[2], const void *bytes,
                     size_t size)
{
    return hash(rounds, last_rounds, key, bytes, size);
}
