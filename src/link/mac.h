/* SPDX-License-Identifier: MIT */
#ifndef IL_LINK_MAC_H
#define IL_LINK_MAC_H

/* What of cryptography a handshake needs: mac_sodium.c has it from libsodium; mac_none.c has none. */

#include <stdbool.h>
#include <stddef.h>

enum { IL__MAC = 32, IL__NONCE = 32 };

/* Is there any? */
bool il__mac_works(void);

/* Bytes that nobody can guess and that never come again. */
void il__mac_nonce(unsigned char nonce[IL__NONCE]);

/* HMAC-SHA256 of the role and both nonces under the key. */
void il__mac(unsigned char mac[IL__MAC], const void *key, size_t key_size, const char *role,
             const unsigned char connector[IL__NONCE], const unsigned char listener[IL__NONCE]);

/* In a time that does not depend on where they differ. */
bool il__mac_equal(const unsigned char a[IL__MAC], const unsigned char b[IL__MAC]);

#endif
