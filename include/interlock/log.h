/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_LOG_H
#define INTERLOCK_LOG_H

/*
 * Log: lines from any thread, task and process, whole and in one file.
 *
 *     il_log_open("crawl.log", IL_LOG_INFO);
 *     il_log(IL_LOG_WARN, "%s: no answer after %d s", host, 30);
 *
 *     2026-11-22T17:29:58.123456789Z WARN  crawl[4711] pool/1 "fetch 7": example.org: no answer after 30 s
 *
 * UTC to the nanosecond, level, program and process, thread, and the task if there is one; then the
 * words. A line is one write() of at most IL_LOG_LINE bytes to a descriptor in append mode, or to a
 * pipe: the kernel puts such writes one after the other, so no line begins in another's middle,
 * whoever writes: threads, worker processes, children, or programs that know nothing of each other. No
 * lock is taken and no memory allocated. A line that would be longer is cut, and says by how much; a
 * control character becomes a space. What has several lines, or may be long, goes through il_log_lines.
 *
 * Until il_log_open or il_log_to, lines go to the file that the environment names (INTERLOCK_LOG; least
 * level in INTERLOCK_LOG_LEVEL), else to standard error. il_log_open sets these two, so that what is
 * started afterwards logs to the same file: pools of processes, functions and programs as children.
 *
 * Any thread or fiber. A write that must wait (a full pipe) makes the thread wait. errno is left alone.
 */

#include <interlock/api.h>

IL__BEGIN

enum { IL_LOG_LINE = 4096 }; /* bytes, with the newline: what the kernel writes to a pipe as one */

typedef enum il_log_level { IL_LOG_DEBUG, IL_LOG_INFO, IL_LOG_WARN, IL_LOG_ERROR } il_log_level;

/* From now on lines of at least `least` go to the end of the file `path`, made if need be, and so do those
 * of the processes that are started from now on. It changes the environment, so early in main is the
 * place, before there are threads that look at it. 0, -ENOENT, -EACCES, -EMFILE, -ENOMEM ... */
IL_API int il_log_open(const char *path, il_log_level least);

/* To a descriptor, borrowed for good: a pipe, a socket, a terminal, a file in append mode. In this
 * process only, and in those that are forked from it. */
IL_API void il_log_to(int fd, il_log_level least);

/* Would a line of this level be written? */
IL_API bool il_log_wants(il_log_level level);

/* Write one line (printf format). Not in a signal handler. */
IL_API void il_log(il_log_level level, const char *format, ...) IL__PRINTF(2, 3);

/* Write each line of a text as one; what is too long for one goes on in the next, which begins with
 * "... ". Each has the time of the call. Lines of others may come between. */
IL_API void il_log_lines(il_log_level level, const char *text, size_t size);

/* As il_log, without a format, for a signal handler: names the process and the number of the thread
 * only, and calls nothing that a handler may not. (il_log_open or il_log_to must have been called
 * before; else it goes to standard error.) */
IL_API void il_log_in_handler(il_log_level level, const char *words);

/* How many lines could not be written, whole or in part (a full disk). */
IL_API unsigned long il_log_lost(void);

IL__END

#endif
