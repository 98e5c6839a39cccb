/* SPDX-License-Identifier: MIT */
#ifndef TOOL_SERVE_BODY_H
#define TOOL_SERVE_BODY_H

/*
 * What is sent of a content: all of it, a range, or several ranges, each with a text before it
 * (multipart/byteranges, RFC 9110, 14.6).
 */

#include <stddef.h>

#include "serve/content.h"
#include "serve/range.h"

struct part {
    char *text; /* owned; before it; NULL: none */
    size_t text_size;
    struct range range; /* .size 0: nothing */
};

struct body {
    const struct content *content; /* borrowed */
    struct part parts[RANGES_MOST + 1];
    unsigned count;
    uint64_t size; /* of it all */
    char type[96]; /* "": that of the content */
};

void body_whole(struct body *body, const struct content *content);
void body_range(struct body *body, const struct content *content, struct range range);
/* 0 or -ENOMEM. */
int body_ranges(struct body *body, const struct content *content, const struct range *ranges,
                unsigned count);

/* As content.read. */
int body_read(const struct body *body, uint64_t at, char *out, size_t size);

void body_close(struct body *body);

#endif
