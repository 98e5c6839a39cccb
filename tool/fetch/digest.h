/* SPDX-License-Identifier: MIT */
#ifndef TOOL_FETCH_DIGEST_H
#define TOOL_FETCH_DIGEST_H

/*
 * The checksum that a file should have: sha256:<64 hexadecimal digits>, or sha512:<128>.
 */

#include <stdbool.h>

struct digest {
    int bytes; /* 32 or 64; 0: none is known */
    unsigned char value[64];
};

/* False: that is none. The name before the colon may be left out. */
bool digest_parse(const char *text, struct digest *out);

/* Read the file and compare. 0, -EBADMSG (it has another), or why it cannot be read. On a loop the
 * others get their turn between two pieces. */
int digest_check(const struct digest *digest, const char *path);

#endif
