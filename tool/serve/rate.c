/* SPDX-License-Identifier: MIT */
/* Token buckets, found by a hash of the address. */

#include "serve/rate.h"

#include <netinet/in.h>
#include <string.h>

static void address_of(const struct sockaddr *client, unsigned char out[16])
{
    memset(out, 0, 16);
    if (client->sa_family == AF_INET6)
        memcpy(out, &((const struct sockaddr_in6 *)(const void *)client)->sin6_addr, 16);
    else memcpy(out, &((const struct sockaddr_in *)(const void *)client)->sin_addr, 4);
}

static struct bucket *find(struct rate *rate, const unsigned char address[16])
{
    unsigned sum = 0;
    for (int i = 0; i < 16; i++) sum = sum * 31 + address[i];
    return &rate->buckets[sum % RATE_CLIENTS];
}

bool rate_allows(struct rate *rate, const struct sockaddr *client, il_time now)
{
    unsigned char address[16];
    double most = rate->per_second < 1 ? 1 : rate->per_second;

    if (rate->per_second <= 0) return true;
    address_of(client, address);
    struct bucket *bucket = find(rate, address);
    if (!bucket->seen || memcmp(bucket->address, address, 16) != 0) {
        memcpy(bucket->address, address, 16);
        bucket->left = most;
    } else {
        bucket->left += (double)(now - bucket->seen) / 1e9 * rate->per_second;
        if (bucket->left > most) bucket->left = most;
    }
    bucket->seen = now;
    if (bucket->left < 1) return false;
    bucket->left -= 1;
    return true;
}
