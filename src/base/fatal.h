/* SPDX-License-Identifier: MIT */
#ifndef IL_BASE_FATAL_H
#define IL_BASE_FATAL_H

/* The end of the road for a bug in the caller: tell the fatal handler in one line, and abort. */

#include <interlock/status.h>

_Noreturn void il__fatal(const char *format, ...) IL__PRINTF(1, 2);

/* The address of a call as "function+0x1a (program)" or "0x...": for il__fatal. */
const char *il__place(const void *address, char *buffer, size_t size);

#endif
