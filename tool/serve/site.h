/* SPDX-License-Identifier: MIT */
#ifndef TOOL_SERVE_SITE_H
#define TOOL_SERVE_SITE_H

/*
 * The site: what stands behind each path. Parts of it can be had side by side:
 *
 *     --images N   /images/0.png ..., /images/ links them all, /images.txt is a list of them
 *     --pages N    serve/pages.h
 *     --hello      /  /{name}  and what is posted to /; alone
 *     DIR          files, where none of the above is
 *
 * The root is the folder's, or else that of the pages, or else of the pictures.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serve/content.h"
#include "serve/picture.h"

struct site {
    int root; /* descriptor of DIR, -1: none */
    bool hello;
    uint64_t images, pages; /* 0: none */
    struct pictures *pictures;
};

enum method { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_OTHER };

struct question {
    enum method method;
    const char *path; /* decoded */
    const char *base; /* "http://localhost:8080", for lists of URLs */
    const char *body; /* of a POST */
    size_t body_size;
    uint32_t version; /* of what can change */
};

struct answer {
    unsigned status;
    struct content content;
    char *location;    /* of a redirect; owned */
    const char *allow; /* of a 405; constant */
    bool may_fail;     /* faults may hit it: it is what the site is about */
};

/* Fills *out_answer, which the caller closes. */
void site_answer(const struct site *site, const struct question *question,
                 struct answer *out_answer);

/* An answer of a few words, what a status means and why. */
void answer_words(struct answer *answer, unsigned status, const char *why);

/* An answer of text; takes it. */
void answer_text(struct answer *answer, const char *type, char *text, size_t size);

/* 301 to a path that is part of a URL already. */
void answer_redirect(struct answer *answer, const char *location);

void answer_close(struct answer *answer);

/* A number that is all of `text` before `end`, without leading zeros, below `limit`. */
bool site_number(const char *text, const char *end, uint64_t limit, uint64_t *out);

#endif
