/* SPDX-License-Identifier: MIT */
#ifndef TOOL_CRAWL_PERCENT_H
#define TOOL_CRAWL_PERCENT_H

/* Percent-encoding, as RFC 3986 has it: which octets need none, and how one is read and written. */

#include <ctype.h>
#include <stdbool.h>

static inline bool percent_is_unreserved(unsigned char c)
{
    return isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static inline int percent_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The octet that "%xx" at `text` stands for, or -1: it is no such thing. Reads up to the first byte
 * that does not fit. */
static inline int percent_decode(const char *text)
{
    if (*text != '%') return -1;
    int high = percent_digit(text[1]), low = high < 0 ? -1 : percent_digit(text[2]);
    return low < 0 ? -1 : high << 4 | low;
}

static inline void percent_encode(char out[3], unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";

    out[0] = '%';
    out[1] = digits[c >> 4];
    out[2] = digits[c & 15];
}

#endif
