/* SPDX-License-Identifier: MIT */
#ifndef TOOL_CRAWL_LINKS_H
#define TOOL_CRAWL_LINKS_H

/*
 * What a page of HTML refers to. libxml2 reads it, whatever it is made of: malformed markup is read
 * as far as it makes sense, and never fails. Resolved against <base href>, each reference once.
 *
 * The outcome is one piece of bytes, so that it can cross to another process: records of a
 * letter and two strings (walk them with links_next).
 *
 *     P  a page to go on to: a, area, iframe, frame, meta refresh, link rel=next...
 *     p  the same, marked nofollow
 *     R  something that belongs to the page: img, srcset, script, style sheet, video...
 *     M  a reference that was meant for the web and is no URL; the string is as written
 *     A  an anchor: where a fragment may point to
 */

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

enum link_letter {
    LINK_PAGE = 'P',
    LINK_NOFOLLOW = 'p',
    LINK_RESOURCE = 'R',
    LINK_MALFORMED = 'M',
    LINK_ANCHOR = 'A'
};

/* Read `size` bytes of HTML. `url` is where it came from, in the one spelling of crawl/url.h;
 * `charset` is what the server said of it, NULL or "": nothing. Anchors only when asked for. Adds
 * records to `out`. 0 or -ENOMEM. */
int links_read(const char *html, size_t size, const char *url, const char *charset, bool anchors,
               struct text *out);

struct link_record {
    char letter;
    const char *url;      /* or what was written, or the anchor */
    const char *fragment; /* "" when there is none */
};

/* The record at *at, which moves on; false: no more. Bytes that are cut off anywhere are no harm. */
bool links_next(const char *bytes, size_t size, size_t *at, struct link_record *out);

/* The charset parameter of a media type, into `out`; "" when there is none. */
void links_charset(const char *type, char *out, size_t size);

#endif
