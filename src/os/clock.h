/* SPDX-License-Identifier: MIT */
#ifndef IL_OS_CLOCK_H
#define IL_OS_CLOCK_H

#include <interlock/time.h>

/* il_now() as of the last tick of the kernel, some milliseconds ago at most: for a fifth of the
 * price. */
il_time il__now_coarse(void);

#endif
