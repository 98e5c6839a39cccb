/* SPDX-License-Identifier: MIT */
#ifndef IL_OS_RANDOM_H
#define IL_OS_RANDOM_H

/* Fill with bytes that a stranger cannot guess. Where the kernel refuses (an odd sandbox), with what
 * is merely unlikely to come again. Not for cryptography. */

#include <stddef.h>

void il__random(void *bytes, size_t size);

#endif
