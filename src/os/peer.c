/* SPDX-License-Identifier: MIT */
/* Other processes, by pidfd. The start of one stands in /proc/PID/stat, behind its name, which may
 * have anything in it. errno is left as it was. */

#include "os/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"

enum { FIELDS_AFTER_NAME = 20 }; /* the start is field 22 */

static uint64_t field(const char *words)
{
    unsigned long long value = 0;
    for (int i = 0; words && i < FIELDS_AFTER_NAME; i++) {
        words = strchr(words, ' ');
        if (words) words++;
    }
    return words && sscanf(words, "%llu", &value) == 1 ? value : 0;
}

uint64_t il__peer_started(pid_t pid)
{
    char path[40], words[1024];
    int saved = errno;
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, words, sizeof words - 1);
    if (file >= 0) close(file);
    words[length > 0 ? length : 0] = 0;
    errno = saved;
    return field(strrchr(words, ')'));
}

int il__peer_open(pid_t pid, uint64_t started)
{
    int saved = errno;
    if (il__refused()) return -EMFILE;
    int descriptor = (int)syscall(SYS_pidfd_open, pid, 0);
    int status = descriptor < 0 ? -errno : 0;
    uint64_t found = status ? 0 : il__peer_started(pid);
    if (!status && found != started) {
        if (found || il__peer_ended(descriptor)) status = -ESRCH;
        else status = -EMFILE; /* it lives, but we cannot see which it is */
        close(descriptor);
    }
    errno = saved;
    return status ? status : descriptor;
}

bool il__peer_ended(int descriptor)
{
    struct pollfd watched = { .fd = descriptor, .events = POLLIN };
    int saved = errno;
    bool ended = poll(&watched, 1, 0) > 0 && watched.revents;
    errno = saved;
    return ended;
}
