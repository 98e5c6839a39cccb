/* SPDX-License-Identifier: MIT */
/* The handshake, both sides of it. */

#include "link/handshake.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <interlock/self.h>

static const unsigned char magic[7] = "il-conn";

enum { SAY_HELLO, HEAR_GREETING, HEAR_PROOF, DONE };
enum { MODE = sizeof magic, NONCE = 8 };

void il__handshake_init(il__handshake *handshake, int fd, bool listens, const void *key,
                        size_t key_size)
{
    *handshake = (il__handshake){
        .fd = fd,
        .listens = listens,
        .key = key,
        .key_size = key_size,
        .step = listens ? HEAR_GREETING : SAY_HELLO,
    };
    if (key_size) il__mac_nonce(listens ? handshake->listener : handshake->connector);
}

/* These few bytes find room in a socket that is new, or he does not read them. */
static int say(const il__handshake *handshake, const unsigned char *message, size_t size)
{
    ssize_t sent = send(handshake->fd, message, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent == (ssize_t)size ? 0 : -ECONNRESET;
}

/* Read on to `size` bytes, and not one more: the next is not ours. */
static int hear(il__handshake *handshake, size_t size)
{
    while (handshake->have < size) {
        ssize_t count = recv(handshake->fd, handshake->message + handshake->have,
                             size - handshake->have, MSG_DONTWAIT);
        int failed = *il_errno();
        if (count > 0) handshake->have += (size_t)count;
        else if (!count) return -ECONNRESET;
        else if (failed == EAGAIN) return -EAGAIN;
        else if (failed != EINTR) return -ECONNRESET;
    }
    handshake->have = 0;
    return 0;
}

static int greet(const il__handshake *handshake)
{
    unsigned char greeting[IL__GREETING];
    memcpy(greeting, magic, sizeof magic);
    greeting[MODE] = handshake->key_size != 0;
    memcpy(greeting + NONCE, handshake->listens ? handshake->listener : handshake->connector,
           IL__NONCE);
    return say(handshake, greeting, sizeof greeting);
}

static void prove(const il__handshake *handshake, bool listener, unsigned char mac[IL__MAC])
{
    il__mac(mac, handshake->key, handshake->key_size,
            listener ? "interlock listener" : "interlock connector", handshake->connector,
            handshake->listener);
}

static int send_proof(const il__handshake *handshake)
{
    unsigned char mac[IL__MAC];
    prove(handshake, handshake->listens, mac);
    return say(handshake, mac, sizeof mac);
}

static int hear_greeting(il__handshake *handshake)
{
    int status = hear(handshake, IL__GREETING);
    if (status) return status;
    const unsigned char *greeting = handshake->message;
    if (memcmp(greeting, magic, sizeof magic) != 0 || greeting[MODE] > 1) return -EPROTO;
    memcpy(handshake->listens ? handshake->connector : handshake->listener, greeting + NONCE,
           IL__NONCE);
    if (handshake->listens) status = greet(handshake);
    if (status) return status;
    if (greeting[MODE] != (handshake->key_size != 0)) return -EACCES;
    handshake->step = handshake->key_size ? HEAR_PROOF : DONE;
    return handshake->key_size && !handshake->listens ? send_proof(handshake) : 0;
}

/* A listener that hangs up now did not like our proof. */
static int hear_proof(il__handshake *handshake)
{
    unsigned char expected[IL__MAC];
    int status = hear(handshake, IL__MAC);
    if (status == -EAGAIN) return status;
    if (status) return handshake->listens ? status : -EACCES;
    prove(handshake, !handshake->listens, expected);
    if (!il__mac_equal(handshake->message, expected)) return -EACCES;
    handshake->step = DONE;
    return handshake->listens ? send_proof(handshake) : 0;
}

int il__handshake_go(il__handshake *handshake)
{
    int status = 0;
    while (!status && handshake->step != DONE) {
        if (handshake->step == SAY_HELLO) {
            handshake->step = HEAR_GREETING;
            status = greet(handshake);
        } else if (handshake->step == HEAR_GREETING) {
            status = hear_greeting(handshake);
        } else {
            status = hear_proof(handshake);
        }
    }
    return status;
}
