/* SPDX-License-Identifier: MIT */
#ifndef IL_PROC_ZYGOTE_H
#define IL_PROC_ZYGOTE_H

/* Starting the program once more, as a zygote. */

#include <sys/types.h>

#define IL__ZYGOTE_PRELOAD "IL__ZYGOTE_PRELOAD" /* what LD_PRELOAD was before */

/* Whose children it makes: those of a pool, or those of il_process_call (called.c). */
enum { IL__ZYGOTE_OF_POOL = 'p', IL__ZYGOTE_OF_CALLS = 'c' };

/* Start one: our end of its socket, and its number. 0 or -errno. Any thread, at any time. */
int il__zygote_start(const char *name, char kind, int *out_control, pid_t *out_pid);

/* If this process was started to be one, be it, and do not return. `prepare` is called before, once,
 * with the arguments of a constructor; NULL: nothing is to be prepared. */
typedef void il__prepare(int argc, char **argv, char **environment);
void il__zygote_become_if_asked(il__prepare *prepare, int argc, char **argv);

il__prepare il__run_constructors; /* those of the program */

#endif
