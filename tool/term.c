/* SPDX-License-Identifier: MIT */
/* What a terminal can show, and the few things that are drawn on it. */

#include "term.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool term_is_tty(int fd)
{
    const char *term = getenv("TERM");

    return isatty(fd) && !(term && !strcmp(term, "dumb"));
}

unsigned term_width(int fd)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");

    if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col) return size.ws_col;
    int width = columns ? atoi(columns) : 0;
    return width > 0 && width < 10000 ? (unsigned)width : 80;
}

bool term_is_utf8(void)
{
    return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

bool term_has_colour(int fd)
{
    const char *no = getenv("NO_COLOR");

    return term_is_tty(fd) && !(no && *no);
}

size_t term_bar(char *out, unsigned cells, double share, char rest)
{
    static const char *const eighths[] = { "", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
    const bool utf8 = term_is_utf8();
    double filled = (share < 0 ? 0 : share > 1 ? 1 : share) * cells;
    unsigned whole = (unsigned)(utf8 ? filled : filled + 0.5), used = whole;
    char *end = out;

    for (unsigned i = 0; i < whole; i++) end = stpcpy(end, utf8 ? "█" : "#");
    if (utf8 && whole < cells) {
        const char *part = eighths[(unsigned)((filled - whole) * 8)];
        end = stpcpy(end, part);
        used += *part != 0;
    }
    while (rest && used++ < cells) *end++ = rest;
    *end = 0;
    return (size_t)(end - out);
}

const char *term_count(char buffer[32], unsigned long long number)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", number);
    char *end = buffer;

    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) *end++ = ',';
        *end++ = digits[i];
    }
    *end = 0;
    return buffer;
}
