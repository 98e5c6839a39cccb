/* SPDX-License-Identifier: MIT */
#ifndef TOOL_SERVE_RANGE_H
#define TOOL_SERVE_RANGE_H

/*
 * What a client has already, and which part it wants: conditional and range requests, RFC 9110,
 * sections 13 and 14.
 */

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct range {
    uint64_t at, size;
};

enum { RANGES_MOST = 16 };

/* What a Range header asks for of `size` bytes. Returns the number of ranges; 0: all of it, since it
 * asks for nothing that makes sense, or for more than all; -1: for nothing that is there (416). */
int range_parse(const char *header, uint64_t size, struct range out[RANGES_MOST]);

/* Headers of a request; NULL: not there. */
struct conditions {
    const char *match, *none_match, *modified_since, *unmodified_since, *range;
};

/* 200: go on; 304: the client has it; 412: it is not what the client thinks. `etag` "" and
 * `modified` 0: there is none. */
unsigned conditions_check(const struct conditions *given, const char *etag, time_t modified);

/* If-Range: is what the client has a part of, still what there is? */
bool is_unchanged(const char *if_range, const char *etag, time_t modified);

enum { HTTP_DATE = 32 };
char *http_date(time_t time, char out[HTTP_DATE]);

#endif
