/* SPDX-License-Identifier: MIT */
#ifndef IL_LINK_HANDSHAKE_H
#define IL_LINK_HANDSHAKE_H

/*
 * How two sides show each other that they have the same key, before anything else is said:
 *
 *     connector                                listener
 *     greeting: magic, mode, its nonce   ->
 *                                        <-    greeting: magic, mode, its nonce
 *     MAC("connector", both nonces)      ->                                     with a key only
 *                                        <-    MAC("listener", both nonces)
 *
 * Each message has one length, so a stranger can make us read 72 bytes and no more. Whatever is wrong,
 * the listener hangs up without a word: the mode it has told already.
 *
 * A state machine that never waits: il__handshake_go does what can be done now.
 */

#include <stdbool.h>
#include <stddef.h>

#include "link/mac.h"

enum { IL__GREETING = 8 + IL__NONCE };

typedef struct il__handshake {
    int fd;
    bool listens; /* which of the two we are */
    const void *key;
    size_t key_size; /* 0: none */
    int step;
    size_t have; /* of the message that is read */
    unsigned char message[IL__GREETING];
    unsigned char connector[IL__NONCE], listener[IL__NONCE];
} il__handshake;

/* Begin. The key is borrowed. */
void il__handshake_init(il__handshake *handshake, int fd, bool listens, const void *key,
                        size_t key_size);

/* 0: done; -EAGAIN: when there is something to read, go on; else it has failed: -EACCES, -EPROTO,
 * -ECONNRESET. */
int il__handshake_go(il__handshake *handshake);

#endif
