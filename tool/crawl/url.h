/* SPDX-License-Identifier: MIT */
#ifndef TOOL_CRAWL_URL_H
#define TOOL_CRAWL_URL_H

/*
 * URLs in one spelling, so that a page has one name: what a reference on a page means (libcurl's URL
 * API resolves it), then scheme and host in small letters, the host in ASCII, no default port, no dot
 * segments, a path that is at least /, percent-encoding in capitals and only where it is needed, and
 * the fragment apart.
 */

#include <curl/curl.h>
#include <stdbool.h>

#include "text.h"

enum { URL_MOST = 2047 }; /* bytes; what is longer is malformed */

struct resolver {
    CURLU *base;   /* NULL: none, only whole URLs can be resolved */
    char *text;    /* the base in the one spelling, without its query */
    size_t origin; /* of .text: scheme and authority */
    size_t folder; /* of .text: up to the last / of the path, and with it */
};

/* What a reference is. */
enum url_kind {
    URL_WEB,      /* http or https */
    URL_OTHER,    /* mailto:, javascript:, data: ...: nothing to ask for */
    URL_MALFORMED /* meant for the web, and no URL */
};

/* Gives a resolver for references on the page `base`, a URL in the one spelling. 0, -EINVAL, -ENOMEM. */
int resolver_open(struct resolver *resolver, const char *base);

/* <base href=...>: relative to what it was. Nonsense changes nothing. */
void resolver_base(struct resolver *resolver, const char *href);

/* The URL that a reference means, added to `out` with a 0 behind it, and behind that the fragment,
 * percent-decoded, with its 0. Only URL_WEB adds anything. */
enum url_kind resolver_resolve(const struct resolver *resolver, const char *reference,
                               struct text *out);

void resolver_close(struct resolver *resolver);

/* A URL as typed: http:// is added where there is no scheme. Gives the one spelling, without its
 * fragment, to be freed; NULL: it is none. */
char *url_typed(const char *typed);

/* In a URL of the one spelling: the length of scheme and authority; where the path begins. */
size_t url_origin(const char *url);

/* The host's name and port in it: "example.com", "localhost:8080". */
void url_host(const char *url, const char **out_host, size_t *out_size);

#endif
