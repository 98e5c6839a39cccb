/* SPDX-License-Identifier: MIT */
/*
 * il_fatal. It may be reached from a signal handler (stack overflow) and from any lock order, so it
 * takes no lock and allocates nothing.
 */

#include "base/fatal.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"

static void print_line(const char *message)
{
    char line[600];
    int length = snprintf(line, sizeof line, "interlock: fatal: %s\n", message);
    if (length >= (int)sizeof line) length = sizeof line - 1;
    (void)!write(STDERR_FILENO, line, (size_t)length);
}

static il_fatal_fn *handler = print_line;

il_fatal_fn *il_on_fatal(il_fatal_fn *new_handler)
{
    return il__swap(&handler, new_handler ? new_handler : print_line);
}

void il__fatal(const char *format, ...)
{
    char message[512];
    va_list words;
    va_start(words, format);
    vsnprintf(message, sizeof message, format, words);
    va_end(words);
    il__load_acquire (&handler)(message);
    abort();
}

const char *il__place(const void *address, char *buffer, size_t size)
{
    Dl_info info;
    if (!address) return "an unknown place";
    if (dladdr(address, &info) && info.dli_fname) {
        const char *file = strrchr(info.dli_fname, '/');
        file = file ? file + 1 : info.dli_fname;
        if (info.dli_sname)
            snprintf(buffer, size, "%s+0x%tx (%s)", info.dli_sname,
                     (const char *)address - (const char *)info.dli_saddr, file);
        else
            snprintf(buffer, size, "%s+0x%tx", file,
                     (const char *)address - (const char *)info.dli_fbase);
    } else {
        snprintf(buffer, size, "%p", address);
    }
    return buffer;
}
