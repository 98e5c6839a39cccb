/* SPDX-License-Identifier: MIT */
/* Message authentication by libsodium. */

#include <sodium.h>
#include <string.h>

#include "link/mac.h"

_Static_assert(IL__MAC == crypto_auth_hmacsha256_BYTES, "one size");

bool il__mac_works(void)
{
    return sodium_init() >= 0;
}

void il__mac_nonce(unsigned char nonce[IL__NONCE])
{
    randombytes_buf(nonce, IL__NONCE);
}

/* The role with its 0, so that no role is the beginning of another. */
void il__mac(unsigned char mac[IL__MAC], const void *key, size_t key_size, const char *role,
             const unsigned char connector[IL__NONCE], const unsigned char listener[IL__NONCE])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, key_size);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)role, strlen(role) + 1);
    crypto_auth_hmacsha256_update(&state, connector, IL__NONCE);
    crypto_auth_hmacsha256_update(&state, listener, IL__NONCE);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_memzero(&state, sizeof state);
}

bool il__mac_equal(const unsigned char a[IL__MAC], const unsigned char b[IL__MAC])
{
    return !sodium_memcmp(a, b, IL__MAC);
}
