/* SPDX-License-Identifier: MIT */
#ifndef IL_SYNC_WHO_H
#define IL_SYNC_WHO_H

/* An agent in words, for il__fatal. */

#include <stddef.h>

#include "wait/agent.h"

/* "thread 4 "reader"", "fiber 9 "fetch"" or, of NULL, "nobody". Of another agent: it must live; one
 * that holds a lock does, unless it ended without giving it back. */
const char *il__who(il__agent *agent, char *buffer, size_t size);

#endif
