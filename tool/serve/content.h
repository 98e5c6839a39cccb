/* SPDX-License-Identifier: MIT */
#ifndef TOOL_SERVE_CONTENT_H
#define TOOL_SERVE_CONTENT_H

/*
 * Content: the bytes that a path stands for, wherever they come from, a file or a text or a picture
 * that is made while it is read, and what HTTP says about them. Any part of it can be read at any
 * time, so that ranges, pacing and cuts are written once.
 */

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct content {
    const char *type; /* of HTTP; constant */
    uint64_t size;
    char etag[64];   /* with its quotes; "": none, and no ranges */
    time_t modified; /* 0: nobody knows */

    /* Exactly `size` bytes from `at` on, which are there. 0 or a negative errno. */
    int (*read)(const struct content *content, uint64_t at, char *out, size_t size);
    int fd;           /* of a file; owned. -1: none */
    char *text;       /* owned. NULL: none */
    const void *made; /* what .read makes bytes from; borrowed */
    uint64_t number;  /* for .read */
};

/* Nothing; what every content is before it is filled and after it is closed. */
struct content content_none(void);

/* The bytes of a text; takes it, also when it is NULL: -ENOMEM. */
int content_text(struct content *out_content, const char *type, char *text, size_t size);

/* A regular file; takes the descriptor. */
void content_file(struct content *out_content, const char *type, int fd, uint64_t size);

void content_close(struct content *content);

#endif
