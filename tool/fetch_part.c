/* SPDX-License-Identifier: MIT */
/* The partial file and its note. */

#include "fetch_part.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetch_name.h"

static const char *path_of(const struct part *part, const char *end, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s%s", part->name, end);
    return path;
}

static void read_note(struct part *part, json_t *note)
{
    const char *url = "", *validator = "";
    json_int_t whole = -1;

    json_unpack(note, "{s:s, s:s, s?I}", "url", &url, "validator", &validator, "size", &whole);
    if (strcmp(url, part->url) != 0 || strlen(validator) >= sizeof part->validator) return;
    strcpy(part->validator, validator);
    part->whole = whole;
}

void part_look(struct part *part, const char *name, const char *url)
{
    char path[PATH_MAX];
    struct stat about;

    *part = (struct part){ .name = name, .url = url, .fd = -1, .whole = -1 };
    if (stat(path_of(part, FETCH_PART, path), &about) || !S_ISREG(about.st_mode)) return;
    json_t *note = json_load_file(path_of(part, FETCH_NOTE, path), 0, NULL);
    part->noted = note != NULL;
    if (note) read_note(part, note);
    json_decref(note);
    if (*part->validator) part->size = about.st_size;
}

/* Whoever has it finishes it by giving it another name. So, once the lock is ours, see whether this
 * still is the file of that name. */
static int lock(int fd, const char *path, struct stat *about)
{
    struct stat named;

    if (flock(fd, LOCK_EX | LOCK_NB)) return errno == EWOULDBLOCK ? -EBUSY : -errno;
    if (fstat(fd, about)) return -errno;
    if (stat(path, &named) || named.st_ino != about->st_ino) return -EAGAIN;
    return 0;
}

int part_open(struct part *part, int64_t size)
{
    char path[PATH_MAX];
    struct stat about;
    int status;

    path_of(part, FETCH_PART, path);
    do {
        part->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (part->fd < 0) return -errno;
        status = lock(part->fd, path, &about);
        if (!status && about.st_size < size) status = -ESTALE;
        if (!status && about.st_size > size && ftruncate(part->fd, size)) status = -errno;
        if (!status && size && lseek(part->fd, size, SEEK_SET) < 0) status = -errno;
        if (status) close(part->fd);
    } while (status == -EAGAIN);
    if (status) part->fd = -1;
    else part->size = size;
    return status;
}

int part_note(struct part *part)
{
    char path[PATH_MAX];

    if (!*part->validator) return 0;
    json_t *note = json_pack("{s:s, s:s, s:I}", "url", part->url, "validator", part->validator,
                             "size", (json_int_t)part->whole);
    if (!note) return -ENOMEM;
    int failed = json_dump_file(note, path_of(part, FETCH_NOTE, path), JSON_COMPACT);
    int status = failed ? (errno ? -errno : -EIO) : 0;
    json_decref(note);
    part->noted = true;
    return status;
}

int part_write(struct part *part, const void *data, size_t size)
{
    const char *at = data;

    while (size) {
        ssize_t written = write(part->fd, at, size);
        if (written < 0 && errno != EINTR) return -errno;
        if (written < 0) continue;
        at += written;
        size -= (size_t)written;
        part->size += written;
    }
    return 0;
}

static int close_part(struct part *part)
{
    int fd = part->fd;

    part->fd = -1;
    return fd >= 0 && close(fd) ? -errno : 0;
}

int part_finish(struct part *part, int64_t modified, bool sync)
{
    char path[PATH_MAX];
    int status = 0;

    if (modified >= 0) {
        const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = modified } };
        futimens(part->fd, times); /* of no importance */
    }
    if (sync && fdatasync(part->fd)) status = -errno;
    /* The name first: who waits for the lock then sees that the file has become another's. */
    if (!status && rename(path_of(part, FETCH_PART, path), part->name)) status = -errno;
    int closed = close_part(part);
    if (!status && part->noted) unlink(path_of(part, FETCH_NOTE, path));
    return status ? status : closed;
}

void part_leave(struct part *part)
{
    bool opened = part->fd >= 0;

    if (opened && part->size && !part->noted) part_note(part);
    if (opened && (!part->size || !*part->validator)) part_discard(part);
    close_part(part);
}

void part_discard(struct part *part)
{
    char path[PATH_MAX];

    unlink(path_of(part, FETCH_PART, path));
    if (part->noted) unlink(path_of(part, FETCH_NOTE, path));
    part->noted = false;
    part->size = 0;
    close_part(part);
}
