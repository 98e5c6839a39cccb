/* SPDX-License-Identifier: MIT */
#ifndef TOOL_TERM_H
#define TOOL_TERM_H

/*
 * What can be shown: is it a terminal, how wide, does it know UTF-8, may there be colour.
 */

#include <stdbool.h>
#include <stddef.h>

/* A terminal that can go back over its line. */
bool term_is_tty(int fd);

/* Columns; 80 where nobody knows ($COLUMNS, then that). Asked afresh, since windows change. */
unsigned term_width(int fd);

/* Of the locale (LC_ALL, LC_CTYPE, LANG). */
bool term_is_utf8(void);

/* A terminal, and $NO_COLOR is not set (no-color.org). */
bool term_has_colour(int fd);

/* Write a bar of `cells` columns of which `share` (0 to 1) is filled to `out`, which has room for
 * TERM_BAR(cells) bytes: blocks of an eighth in UTF-8, otherwise #. Padded with `rest`, unless that
 * is 0. Returns the bytes. */
#define TERM_BAR(cells) (3 * (size_t)(cells) + 1)
size_t term_bar(char *out, unsigned cells, double share, char rest);

/* A number with commas: 12,345. */
const char *term_count(char buffer[32], unsigned long long number);

#endif
