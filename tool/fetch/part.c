/* SPDX-License-Identifier: MIT */
/* The partial file and its note. */

#include "fetch/part.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetch/name.h"

/* Below what makes free() tidy up all of the heap. */
#define HELD (48 << 10)

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
    snprintf(part->validator, sizeof part->validator, "%s", validator);
    part->whole = whole;
}

void part_look(struct part *part, const char *name, const char *url, bool none)
{
    char path[PATH_MAX];
    struct stat about;

    *part = (struct part){ .name = name, .url = url, .fd = -1, .whole = -1 };
    part->there = !none && !stat(path_of(part, FETCH_PART, path), &about);
    if (!part->there || !S_ISREG(about.st_mode)) return;
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

static int open_file(struct part *part, int64_t size)
{
    char path[PATH_MAX];
    struct stat about = { 0 };
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
    else part->there = true;
    return status;
}

static void make_room(struct part *part, size_t size)
{
    part->held = malloc(size);
    part->held_room = part->held ? size : 0;
}

int part_open(struct part *part, int64_t size)
{
    bool small = !size && !part->there && !part->plain && part->whole >= 0 && part->whole <= HELD;
    int status = 0;

    if (small) make_room(part, part->whole ? (size_t)part->whole : 1);
    if (!part->held) status = open_file(part, size);
    part->open = !status;
    if (!status) part->size = size;
    return status;
}

/* It is a file after all. */
static int leave_memory(struct part *part)
{
    int64_t size = part->size;
    int status = part->fd < 0 ? open_file(part, 0) : 0;

    part->size = size;
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

static int write_all(int fd, const char *at, size_t size)
{
    while (size) {
        ssize_t written = write(fd, at, size);
        if (written < 0 && errno != EINTR) return -errno;
        if (written < 0) continue;
        at += written;
        size -= (size_t)written;
    }
    return 0;
}

/* What fails to be written is no part of the part. */
int part_flush(struct part *part)
{
    int status = leave_memory(part);
    size_t size = part->held_size;

    part->held_size = 0;
    if (!status && size) status = write_all(part->fd, part->held, size);
    if (status) part->size = part->fd < 0 ? 0 : lseek(part->fd, 0, SEEK_CUR);
    return status;
}

static void hold(struct part *part, const void *data, size_t size)
{
    memcpy(part->held + part->held_size, data, size);
    part->held_size += size;
}

int part_write(struct part *part, const void *data, size_t size, bool more)
{
    bool in_memory = part->fd < 0;
    int status = 0;

    if (more && !part->held) make_room(part, HELD);
    if (part->held_size + size > part->held_room) {
        status = part->held ? part_flush(part) : 0;
        in_memory = false;
    }
    part->size += (int64_t)size;
    if (!status && part->held && size <= part->held_room) {
        hold(part, data, size);
        return more || in_memory ? 0 : part_flush(part);
    }
    if (!status) status = write_all(part->fd, data, size);
    if (status) part->size = lseek(part->fd, 0, SEEK_CUR);
    return status;
}

static int close_part(struct part *part)
{
    int fd = part->fd;

    free(part->held);
    part->held = NULL;
    part->held_size = 0;
    part->open = false;
    part->fd = -1;
    return fd >= 0 && close(fd) ? -errno : 0;
}

/* "." or "folder/", of a path */
static const char *folder_of(const char *name, char folder[PATH_MAX])
{
    const char *slash = strrchr(name, '/');

    snprintf(folder, PATH_MAX, "%.*s", slash ? (int)(slash + 1 - name) : 1, slash ? name : ".");
    return folder;
}

/* The name, too, is to be on the disk. */
static int sync_folder(const struct part *part)
{
    char folder[PATH_MAX];
    int fd = open(folder_of(part->name, folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) return -errno;
    int status = fsync(fd) ? -errno : 0;
    close(fd);
    return status;
}

static void set_date(int fd, int64_t modified)
{
    const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = modified } };

    if (modified >= 0) futimens(fd, times); /* of no importance */
}

/* Some kernels, or rights, want the way through /proc. */
static int link_nameless(int fd, const char *name)
{
    char self[32];

    if (!linkat(fd, "", AT_FDCWD, name, AT_EMPTY_PATH)) return 0;
    if (errno != ENOENT && errno != EPERM) return -errno;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) ? -errno : 0;
}

/* From memory: a file without a name, which gets one, unless another has that. False: it must be done
 * in some other way. */
static bool finish_nameless(struct part *part, int64_t modified, bool sync)
{
    char folder[PATH_MAX];

    int fd = open(folder_of(part->name, folder), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
    if (fd < 0) return false;
    bool done = !write_all(fd, part->held, part->held_size);
    set_date(fd, modified);
    done = done && (!sync || !fdatasync(fd)) && !link_nameless(fd, part->name);
    return !close(fd) && done;
}

/* The name first: who waits for the lock then sees that the file has become another's. */
static int finish_file(struct part *part, int64_t modified, bool sync)
{
    char path[PATH_MAX];
    int status = part_flush(part);

    if (!status) set_date(part->fd, modified);
    if (!status && sync && fdatasync(part->fd)) status = -errno;
    if (!status && rename(path_of(part, FETCH_PART, path), part->name)) status = -errno;
    return status;
}

int part_finish(struct part *part, int64_t modified, bool sync)
{
    char path[PATH_MAX];
    bool whole = part->fd < 0 && finish_nameless(part, modified, sync);
    int status = whole ? 0 : finish_file(part, modified, sync);
    if (status) return status;

    if (sync) status = sync_folder(part);
    int closed = close_part(part);
    if (!status) status = closed;
    if (part->noted) unlink(path_of(part, FETCH_NOTE, path));
    return status;
}

void part_leave(struct part *part)
{
    bool worth = part->size && *part->validator;

    if (part->open && worth) part_flush(part);
    if (part->open && worth && !part->noted) part_note(part);
    if (part->open && !worth) part_discard(part);
    close_part(part);
}

void part_discard(struct part *part)
{
    char path[PATH_MAX];

    if (part->there) unlink(path_of(part, FETCH_PART, path));
    if (part->noted) unlink(path_of(part, FETCH_NOTE, path));
    part->noted = part->there = false;
    part->size = 0;
    close_part(part);
}
