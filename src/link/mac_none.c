/* SPDX-License-Identifier: MIT */
/* Built without libsodium: a key is refused where it is given (-ENOTSUP), so nothing here is asked. */

#include <string.h>

#include "link/mac.h"

bool il__mac_works(void)
{
    return false;
}

void il__mac_nonce(unsigned char nonce[IL__NONCE])
{
    memset(nonce, 0, IL__NONCE);
}

void il__mac(unsigned char mac[IL__MAC], const void *key, size_t key_size, const char *role,
             const unsigned char connector[IL__NONCE], const unsigned char listener[IL__NONCE])
{
    (void)key, (void)key_size, (void)role, (void)connector, (void)listener;
    memset(mac, 0, IL__MAC);
}

bool il__mac_equal(const unsigned char a[IL__MAC], const unsigned char b[IL__MAC])
{
    (void)a, (void)b;
    return false;
}
