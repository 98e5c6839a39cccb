/* SPDX-License-Identifier: MIT */
#ifndef IL_PROC_CRASH_H
#define IL_PROC_CRASH_H

/* Where a function's process crashed: the child notes it on its way down, the program reads it. */

#include "proc/call.h"

/* In the zygote: what has to be loaded before a handler can do its work. */
void il__crash_prepare(void);

/* In the child: note into `call` where it crashes, if it does; `base` is where the function's module
 * lies. Signals that are handled by somebody already (a sanitizer) are left to him. */
void il__crash_watch(il__call *call, uintptr_t base);

/* In the program: the places in the function's module, innermost first, as one line; "": none. `base` is
 * where that module lies here. */
void il__crash_print(const il__call *call, uintptr_t base, char *text, size_t size);

#endif
