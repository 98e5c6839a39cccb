/* SPDX-License-Identifier: MIT */
#ifndef TOOL_SERVE_PICTURE_H
#define TOOL_SERVE_PICTURE_H

/*
 * Pictures without end: PNG, valid, each different, all of one size in bytes, made while they are
 * read and cheaper to make than to send.
 */

#include <stdint.h>

#include "serve/content.h"

enum { PICTURE_LEAST = 256 };
#define PICTURE_MOST (UINT64_C(1) << 30)

struct pictures; /* what all of them share */

/* Pictures of `size` bytes, PICTURE_LEAST to PICTURE_MOST. NULL: no memory. */
struct pictures *pictures_new(uint64_t size);
void pictures_free(struct pictures *pictures);

/* The one with this number; another version of it has other bytes. Borrows `pictures`. */
void picture_open(const struct pictures *pictures, uint64_t number, uint32_t version,
                  struct content *out_content);

#endif
