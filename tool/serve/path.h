/* SPDX-License-Identifier: MIT */
#ifndef TOOL_SERVE_PATH_H
#define TOOL_SERVE_PATH_H

/*
 * What a request asks for, made plain: "/a%20b/../c" is bad news before it is a file name.
 */

#include <stdbool.h>

/* Decode the path of a request, without its query, into `out`, which has room for as many bytes:
 * one slash at its head and none doubled. A scheme and a host before it are left out. False: it is
 * no path that a well-meaning client sends: a wrong %, a NUL, an encoded slash, a "." or "..". */
bool path_decode(const char *target, char *out);

/* Text as part of a URL's path, and as part of HTML. `out` has room for ENCODED_MOST times as many bytes
 * and one more. Return `out`. */
enum { ENCODED_MOST = 6 }; /* bytes that one byte may become */
char *path_encode(const char *text, char *out);
char *html_escape(const char *text, char *out);

#endif
