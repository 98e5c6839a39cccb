/* SPDX-License-Identifier: MIT */
/* Paths and texts, decoded and encoded. */

#include "serve/path.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* "http://host/path" is allowed too (RFC 9112, 3.2.2). */
static const char *skip_host(const char *target)
{
    if (strncasecmp(target, "http://", 7) != 0 && strncasecmp(target, "https://", 8) != 0)
        return target;
    const char *host = strchr(target, ':') + 3;
    const char *path = strchr(host, '/');
    return path ? path : "/";
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that *text begins with, which is stepped over; 0: none that is fine. */
static char next_byte(const char **text)
{
    if (**text != '%') return *(*text)++;
    int high = hex((*text)[1]), low = high < 0 ? -1 : hex((*text)[2]);
    char byte = low < 0 ? 0 : (char)(high << 4 | low);
    *text += 3;
    return byte == '/' ? 0 : byte;
}

static bool has_dots(const char *segment, const char *end)
{
    size_t size = (size_t)(end - segment);
    return (size == 1 || size == 2) && !strncmp(segment, "..", size);
}

bool path_decode(const char *target, char *out)
{
    const char *begin = out, *segment = out;

    target = skip_host(target);
    if (*target != '/') return false;
    while (*target) {
        if (*target != '/') {
            *out = next_byte(&target);
            if (!*out++) return false;
            continue;
        }
        target++;
        if (has_dots(segment, out)) return false;
        if (out == begin || out[-1] != '/') *out++ = '/';
        segment = out;
    }
    *out = 0;
    return !has_dots(segment, out);
}

char *path_encode(const char *text, char *out)
{
    char *end = out;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 128 && (isalnum(c) || strchr("-._~/", c))) *end++ = *text;
        else end += sprintf(end, "%%%02X", c);
    }
    *end = 0;
    return out;
}

char *html_escape(const char *text, char *out)
{
    char *end = out;

    for (; *text; text++) {
        switch (*text) {
        case '&': end = stpcpy(end, "&amp;"); break;
        case '<': end = stpcpy(end, "&lt;"); break;
        case '>': end = stpcpy(end, "&gt;"); break;
        case '"': end = stpcpy(end, "&quot;"); break;
        case '\'': end = stpcpy(end, "&#39;"); break;
        default: *end++ = *text;
        }
    }
    *end = 0;
    return out;
}
