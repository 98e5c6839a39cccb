/* SPDX-License-Identifier: MIT */
#ifndef IL_BASE_HASH_H
#define IL_BASE_HASH_H

/*
 * SipHash, a hash of bytes under a secret key: who does not know the key cannot choose inputs that
 * collide, so tables can hold what strangers send. 1-3 (one round a word, three at the end) is what
 * tables use, in Python, Ruby and Rust too; 2-4 is the original.
 * Aumasson, Bernstein: SipHash: a fast short-input PRF (2012).
 */

#include <stddef.h>
#include <stdint.h>

/* SipHash-1-3. */
uint64_t il__hash_bytes(const uint64_t key[2], const void *bytes, size_t size);

/* With so many rounds; apart for the tests, which know the published results of 2-4. */
uint64_t il__siphash(int rounds, int last_rounds, const uint64_t key[2], const void *bytes,
                     size_t size);

/* What somebody else has hashed, perhaps badly, spread over all bits, not without the key. The
 * finaliser of SplitMix64 (Steele, Lea, Flood, 2014). */
static inline uint64_t il__hash_mix(const uint64_t key[2], uint64_t hash)
{
    hash = (hash ^ key[0]) + UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
    return hash ^ hash >> 31;
}

#endif
