/* SPDX-License-Identifier: MIT */
#ifndef TOOL_PROGRESS_H
#define TOOL_PROGRESS_H

/*
 * The line on standard error that shows how far a command has come:
 *
 *     factor  ████████████▌            52%  5,200,000 numbers  1.3 M/s  4 s left
 *
 * Only on a terminal, drawn ten times a second at most, and gone at the end, also when a signal
 * ends the program. Nothing is drawn in the first half second: what is quick needs no bar. One at a
 * time; used by the main thread.
 */

#include <stdbool.h>
#include <stdint.h>

/* Begin. `what` names the work and `unit` what is counted, in the plural; both are borrowed until the
 * end. */
void progress_begin(const char *what, const char *unit);

/* `share` of it is done, 0 to 1; negative: nobody knows. `count` units are. */
void progress_show(double share, uint64_t count);

/* What is beside and below the line from now on: words in place of the rate of units, NULL for that
 * rate; and lines, each cut to the width of the terminal. Copied; drawn by the next show. */
enum { PROGRESS_LINES = 4, PROGRESS_WIDTH = 256 };
void progress_more(const char *words, const char lines[][PROGRESS_WIDTH], unsigned count);

/* Would it be drawn now? To spare the work of progress_more. */
bool progress_is_due(void);

/* Take the line away, before something else is written to the terminal; the next show redraws. */
void progress_hide(void);

void progress_end(void);

#endif
