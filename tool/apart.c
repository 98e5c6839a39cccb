/* SPDX-License-Identifier: MIT */
/*
 * Commands that are in a program of their own, interlock-net. The libraries that speak HTTP bring
 * some forty others along, and to load those takes four milliseconds and more, at each start, of a
 * program that starts in less than one; and workers are started programs too. So the other commands
 * go without.
 *
 * A program, and not a module to be loaded: to become it is one call, it brings the library along
 * within itself as this one does, and its workers are made by executing it again, as ever.
 */

#include "tool.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "interlock-net"

/* Where it may be: beside this program, as in the folder of a build; where it lies as seen from this
 * program once installed, wherever that was moved to; where it was to be installed. */
static const char *const places[] = { "", "../libexec/interlock/", TOOL_LIBEXEC "/" };
enum { PLACES = sizeof places / sizeof *places };

/* The folder of this program, with a slash; empty when nobody knows. */
static void find_folder(char folder[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);

    folder[length < 0 ? 0 : length] = 0;
    char *slash = strrchr(folder, '/');
    if (slash) slash[1] = 0;
}

static bool find_program(char path[2 * PATH_MAX])
{
    char folder[PATH_MAX];

    find_folder(folder);
    for (int i = 0; i < PLACES; i++) {
        snprintf(path, 2 * PATH_MAX, "%s%s" PROGRAM, *places[i] == '/' ? "" : folder, places[i]);
        if (!access(path, X_OK)) return true;
    }
    return false;
}

int cmd_apart(int argc, char **argv)
{
    char path[2 * PATH_MAX];
    const char *name = strrchr(argv[0], ' ') + 1; /* "interlock fetch" */
    char **words = calloc((size_t)argc + 2, sizeof *words);

    if (!words) return tool_failed(name, -ENOMEM);
    words[0] = argv[-1];
    words[1] = (char *)name;
    memcpy(words + 2, argv + 1, (size_t)argc * sizeof *words); /* with the NULL at the end */
    if (find_program(path)) {
        execv(path, words);
        tool_say("%s: %s: %s", name, path, strerror(errno));
    } else {
        tool_say("%s: " PROGRAM " is not installed; it is built where libcurl is", name);
    }
    free(words);
    return TOOL_FAILED;
}
