/* SPDX-License-Identifier: MIT */
/* Where bytes come from: a text in memory, a file. */

#include "serve/content.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct content content_none(void)
{
    return (struct content){ .fd = -1 };
}

static int read_text(const struct content *content, uint64_t at, char *out, size_t size)
{
    memcpy(out, content->text + at, size);
    return 0;
}

int content_text(struct content *out_content, const char *type, char *text, size_t size)
{
    if (!text) return -ENOMEM;
    *out_content =
        (struct content){ .type = type, .size = size, .read = read_text, .fd = -1, .text = text };
    return 0;
}

/* A file that became shorter meanwhile is an error: what was promised cannot be sent. */
static int read_file(const struct content *content, uint64_t at, char *out, size_t size)
{
    while (size) {
        ssize_t got = pread(content->fd, out, size, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got ? -errno : -EIO;
        out += got;
        at += (uint64_t)got;
        size -= (size_t)got;
    }
    return 0;
}

void content_file(struct content *out_content, const char *type, int fd, uint64_t size)
{
    *out_content = (struct content){ .type = type, .size = size, .read = read_file, .fd = fd };
}

void content_close(struct content *content)
{
    if (content->fd >= 0) close(content->fd);
    free(content->text);
    *content = content_none();
}
