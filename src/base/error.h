/* SPDX-License-Identifier: MIT */
#ifndef IL_BASE_ERROR_H
#define IL_BASE_ERROR_H

/*
 * Error records: what il_error points to. Immutable once made and shared by counting references, so
 * that an error travels from task to future to scope to the next task's cause without copies.
 */

#include <stdarg.h>

#include <interlock/status.h>

typedef struct il__error {
    il_error public; /* first: il_error * and il__error * are one address */
    unsigned refs;   /* atomic; 0: static, never freed */
    bool fresh;      /* atomic: noted by the task that still has it, so nobody's cause */
    char text[];     /* message, then task name */
} il__error;

/* Makes a record; takes the reference of `cause` (may be NULL). Copies the words, borrows `file`,
 * which is a literal. Without memory it is a static record that has the status only. Never NULL. */
il__error *il__error_new(int status, const char *file, int line, const char *task, il__error *cause,
                         const char *format, va_list words);

/* The same without words of its own. */
il__error *il__error_plain(int status, const char *task, il__error *cause);

/* One that happened in the process `pid`, which ended by `signal` if that is not 0: copies all words,
 * of which `cause` may be "". */
il__error *il__error_elsewhere(int status, long pid, int signal, const char *task, const char *file,
                               int line, const char *message, const char *cause);

il__error *il__error_ref(il__error *error); /* NULL is fine */
void il__error_unref(il__error *error);     /* NULL is fine */

/* Tell the handler of il_on_unobserved. */
void il__error_unobserved(const il_error *error);

#endif
