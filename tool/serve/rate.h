/* SPDX-License-Identifier: MIT */
#ifndef TOOL_SERVE_RATE_H
#define TOOL_SERVE_RATE_H

/*
 * How often a client may ask: a bucket for each address, filled with so many a second, that holds
 * what fills it in a second.
 */

#include <stdbool.h>
#include <sys/socket.h>

#include <interlock.h>

enum { RATE_CLIENTS = 256 };

struct rate {
    double per_second; /* 0: as often as it likes */
    struct bucket {
        unsigned char address[16];
        double left;
        il_time seen;
    } buckets[RATE_CLIENTS]; /* two clients that fall into one start afresh at each turn */
};

/* May this one be answered? Counts it if so. */
bool rate_allows(struct rate *rate, const struct sockaddr *client, il_time now);

#endif
