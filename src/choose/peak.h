/* SPDX-License-Identifier: MIT */
#ifndef IL_CHOOSE_PEAK_H
#define IL_CHOOSE_PEAK_H

/*
 * The most memory that the process had resident. The kernel keeps one mark for all of the process;
 * whoever sets it back does so for everybody, which is why this is not a public call.
 */

#include <stdint.h>

/* Set the mark back to what is resident now. 0 or a negative errno. */
int il__peak_reset(void);

/* KiB since then, or -1. */
int64_t il__peak_read(void);

#endif
