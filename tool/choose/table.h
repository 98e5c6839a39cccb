/* SPDX-License-Identifier: MIT */
#ifndef TOOL_CHOOSE_TABLE_H
#define TOOL_CHOOSE_TABLE_H

/*
 * What `interlock choose` prints for a person: a table with bars, as wide as the terminal has room
 * for, and a sentence.
 */

#include <stdio.h>

#include <interlock.h>

void table_print(FILE *stream, const il_row *rows, size_t count, size_t chosen);

/* Text in lines of at most `width` columns; `text` is ASCII. */
void table_wrap(FILE *stream, const char *text, unsigned width);

#endif
