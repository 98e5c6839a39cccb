/* SPDX-License-Identifier: MIT */
/* VmHWM of /proc/self/status, which "5" in /proc/self/clear_refs sets back (proc(5)). */

#include "choose/peak.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int il__peak_reset(void)
{
    int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (file < 0) return -errno;
    int status = write(file, "5", 1) == 1 ? 0 : -errno;
    close(file);
    return status;
}

int64_t il__peak_read(void)
{
    char text[4096];
    int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    if (size < 0) return -1;
    text[size] = 0;
    const char *line = strstr(text, "\nVmHWM:");
    return line ? strtoll(line + strlen("\nVmHWM:"), NULL, 10) : -1;
}
