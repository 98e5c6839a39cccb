/* SPDX-License-Identifier: MIT */
/* What the commands share: reading options, saying what is wrong, writing the output. */

#include "tool.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <interlock.h>

#include "progress.h"

static const char *speaker = "interlock";

/* argp and getopt each write a line about a wrong option; getopt's is the one that names it. */
int tool_parse_init(struct argp_state *state)
{
    state->err_stream = NULL;
    return 0;
}

int tool_parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *input)
{
    speaker = argv[0];
    return argp_parse(argp, argc, argv, flags, NULL, input) ? TOOL_USAGE : TOOL_OK;
}

static void __attribute__((format(printf, 1, 0))) say(const char *format, va_list words)
{
    char line[1024];
    int start = snprintf(line, sizeof line, "%s: ", speaker);
    int length = start + vsnprintf(line + start, sizeof line - (size_t)start, format, words);

    if (length > (int)sizeof line - 2) length = (int)sizeof line - 2;
    line[length] = '\n';
    progress_hide();
    if (write(STDERR_FILENO, line, (size_t)length + 1) < 0) return; /* nobody left to tell */
}

void tool_say(const char *format, ...)
{
    va_list words;

    va_start(words, format);
    say(format, words);
    va_end(words);
}

int tool_usage(const char *format, ...)
{
    va_list words;

    va_start(words, format);
    say(format, words);
    va_end(words);
    return EINVAL;
}

int tool_failed(const char *what, int status)
{
    const il_error *error = il_last_error();

    if (error && error->status == status) {
        char words[512];
        il_error_format(error, words, sizeof words);
        tool_say("%s: %s", what, words);
    } else {
        tool_say("%s: %s", what, il_strerror(status));
    }
    return TOOL_FAILED;
}

int tool_number(const char *option, const char *text, uint64_t low, uint64_t high, uint64_t *out)
{
    uint64_t number = 0;
    bool fits = true, digits = *text;

    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9') digits = false;
        fits = fits && !__builtin_mul_overflow(number, 10, &number) &&
               !__builtin_add_overflow(number, (uint64_t)(*c - '0'), &number);
    }
    if (!digits) return tool_usage("%s: '%s' is not a whole number", option, text);
    if (!fits || number < low || number > high)
        return tool_usage("%s: %s is not from %llu to %llu", option, text, (unsigned long long)low,
                          (unsigned long long)high);
    *out = number;
    return 0;
}

int tool_write(const char *text, size_t size)
{
    while (size) {
        ssize_t written = write(STDOUT_FILENO, text, size);

        if (written >= 0) {
            text += written;
            size -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd room = { .fd = STDOUT_FILENO, .events = POLLOUT };
            poll(&room, 1, -1);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}
