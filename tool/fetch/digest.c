/* SPDX-License-Identifier: MIT */
/* Checksums, by libsodium. */

#include "fetch/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <interlock.h>

#define PIECE ((size_t)128 << 10)

struct sum {
    int bytes;
    crypto_hash_sha256_state sha256;
    crypto_hash_sha512_state sha512;
};

bool digest_parse(const char *text, struct digest *out)
{
    static const struct {
        const char *name;
        int bytes;
    } kinds[] = { { "sha256", 32 }, { "sha512", 64 } };
    const char *colon = strchr(text, ':');
    const char *digits = colon ? colon + 1 : text;
    size_t length = strlen(digits), got = 0;

    for (int i = 0; i < 2; i++) {
        if (length != 2 * (size_t)kinds[i].bytes) continue;
        size_t named = strlen(kinds[i].name);
        if (colon && ((size_t)(colon - text) != named || strncmp(text, kinds[i].name, named) != 0))
            continue;
        out->bytes = kinds[i].bytes;
        return !sodium_hex2bin(out->value, sizeof out->value, digits, length, NULL, &got, NULL) &&
               got == (size_t)out->bytes;
    }
    return false;
}

static void begin(struct sum *sum, int bytes)
{
    sum->bytes = bytes;
    if (bytes == 32) crypto_hash_sha256_init(&sum->sha256);
    else crypto_hash_sha512_init(&sum->sha512);
}

static void add(struct sum *sum, const unsigned char *data, size_t size)
{
    if (sum->bytes == 32) crypto_hash_sha256_update(&sum->sha256, data, size);
    else crypto_hash_sha512_update(&sum->sha512, data, size);
}

static void end(struct sum *sum, unsigned char value[64])
{
    if (sum->bytes == 32) crypto_hash_sha256_final(&sum->sha256, value);
    else crypto_hash_sha512_final(&sum->sha512, value);
}

static int sum_up(int fd, struct sum *sum)
{
    unsigned char *piece = malloc(PIECE);
    ssize_t size = piece ? 1 : -1;
    int status = piece ? 0 : -ENOMEM;

    while (!status && size > 0) {
        size = read(fd, piece, PIECE);
        if (size > 0) add(sum, piece, (size_t)size);
        if (size < 0) status = -errno;
        if (il_cancelled()) status = -ECANCELED;
        else il_yield();
    }
    free(piece);
    return status;
}

int digest_check(const struct digest *digest, const char *path)
{
    struct sum sum;
    unsigned char value[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) return -errno;
    begin(&sum, digest->bytes);
    int status = sum_up(fd, &sum);
    close(fd);
    end(&sum, value);
    if (status) return status;
    return memcmp(value, digest->value, (size_t)digest->bytes) ? -EBADMSG : 0;
}
