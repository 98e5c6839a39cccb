/* SPDX-License-Identifier: MIT */
/*
 * Static files. That nothing outside the folder is ever opened is the kernel's promise
 * (RESOLVE_BENEATH): it resolves "..", links and whatever is renamed meanwhile in one piece. A
 * kernel that knows no openat2 (before 5.6), or a sandbox that forbids it, gets a walk that follows
 * no links at all. What is opened is opened so that it cannot block: a pipe would wait for a writer.
 */

#include "serve/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "serve/path.h"

enum { HOW = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC };

/* ---- Below the folder ---- */

/* One name after the other; none of them may be a link. */
static int walk(int folder, const char *path)
{
    char name[NAME_MAX + 1];
    int at = openat(folder, ".", HOW | O_DIRECTORY); /* not a duplicate: those share their offset */

    while (at >= 0 && *(path += strspn(path, "/"))) {
        size_t size = strcspn(path, "/");
        int next = -1;
        if (size > NAME_MAX) {
            errno = ENAMETOOLONG;
        } else {
            memcpy(name, path, size);
            name[size] = 0;
            next = openat(at, name, HOW | O_NOFOLLOW | (path[size] ? O_DIRECTORY : 0));
        }
        int reason = errno;
        close(at);
        errno = reason;
        at = next;
        path += size;
    }
    return at;
}

/* Relative to `folder`; "" is itself. Descriptor or -1. */
static int open_below(int folder, const char *path)
{
    const struct open_how how = { .flags = HOW,
                                  .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    long fd;

    path += strspn(path, "/");
    for (int tries = 0; tries < 32; tries++) { /* EAGAIN: something was renamed on the way */
        fd = syscall(SYS_openat2, folder, *path ? path : ".", &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN) break;
    }
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return (int)fd;
    return walk(folder, path);
}

static unsigned status_of(int reason)
{
    switch (reason) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case EXDEV: /* it leads out */
    case ELOOP:
    case ENXIO: /* a socket */
    case EINVAL: return 404;
    case EACCES:
    case EPERM: return 403;
    case EMFILE:
    case ENFILE: return 503;
    default: return 500;
    }
}

/* ---- Types ---- */

static const struct type {
    const char *ending, *type;
} types[] = {
    { "avif", "image/avif" },
    { "c", "text/plain; charset=utf-8" },
    { "css", "text/css; charset=utf-8" },
    { "csv", "text/csv; charset=utf-8" },
    { "gif", "image/gif" },
    { "gz", "application/gzip" },
    { "h", "text/plain; charset=utf-8" },
    { "htm", "text/html; charset=utf-8" },
    { "html", "text/html; charset=utf-8" },
    { "ico", "image/vnd.microsoft.icon" },
    { "jpeg", "image/jpeg" },
    { "jpg", "image/jpeg" },
    { "js", "text/javascript; charset=utf-8" },
    { "json", "application/json" },
    { "md", "text/markdown; charset=utf-8" },
    { "mjs", "text/javascript; charset=utf-8" },
    { "mp3", "audio/mpeg" },
    { "mp4", "video/mp4" },
    { "ogg", "audio/ogg" },
    { "otf", "font/otf" },
    { "pdf", "application/pdf" },
    { "png", "image/png" },
    { "svg", "image/svg+xml" },
    { "tar", "application/x-tar" },
    { "ttf", "font/ttf" },
    { "txt", "text/plain; charset=utf-8" },
    { "wasm", "application/wasm" },
    { "wav", "audio/wav" },
    { "webm", "video/webm" },
    { "webp", "image/webp" },
    { "woff2", "font/woff2" },
    { "xhtml", "application/xhtml+xml" },
    { "xml", "application/xml" },
    { "zip", "application/zip" },
};
enum { TYPES = sizeof types / sizeof *types };

static int compare_type(const void *key, const void *type)
{
    return strcasecmp(key, ((const struct type *)type)->ending);
}

static const char *type_of(const char *path)
{
    const char *name = strrchr(path, '/') + 1, *dot = strrchr(name, '.');
    const struct type *found =
        dot ? bsearch(dot + 1, types, TYPES, sizeof *types, compare_type) : NULL;
    return found ? found->type : "application/octet-stream";
}

/* ---- A folder ---- */

static int compare_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_name(FILE *page, const char *name, bool folder)
{
    char url[ENCODED_MOST * NAME_MAX + 1], text[ENCODED_MOST * NAME_MAX + 1];

    fprintf(page, "<li><a href=\"./%s%s\">%s%s</a></li>\n", path_encode(name, url),
            folder ? "/" : "", html_escape(name, text), folder ? "/" : "");
}

/* Names of all that is in there but . and .., a slash before those of folders. */
static size_t read_names(DIR *folder, char ***out_names)
{
    struct dirent *entry;
    char **names = NULL;
    size_t count = 0;

    while ((entry = readdir(folder))) {
        const char *name = entry->d_name;
        if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
        if (!(count & (count - 1))) { /* a power of two: full */
            char **more = realloc(names, (count ? 2 * count : 1) * sizeof *names);
            if (!more) break;
            names = more;
        }
        if (asprintf(&names[count], "%s%s", entry->d_type == DT_DIR ? "/" : "", name) < 0) break;
        count++;
    }
    *out_names = names;
    return count;
}

/* Takes the descriptor. */
static int list(int fd, const char *path, struct content *out_content)
{
    DIR *folder = fdopendir(fd);
    char *text = NULL, **names, title[ENCODED_MOST * PATH_MAX];
    size_t size, count;

    if (!folder) {
        close(fd);
        return -ENOMEM;
    }
    FILE *page = open_memstream(&text, &size);
    count = read_names(folder, &names);
    closedir(folder);
    if (page) {
        if (strlen(path) >= PATH_MAX) path = "/";
        if (count) qsort(names, count, sizeof *names, compare_name);
        fprintf(page,
                "<!doctype html>\n<meta charset=\"utf-8\">\n<title>%s</title>\n<h1>%s</h1>\n<ul>\n",
                html_escape(path, title), title);
        if (path[1]) fputs("<li><a href=\"../\">../</a></li>\n", page);
        for (size_t i = 0; i < count; i++)
            list_name(page, names[i] + (*names[i] == '/'), *names[i] == '/');
        fputs("</ul>\n", page);
        if (fclose(page)) free(text), text = NULL;
    }
    for (size_t i = 0; i < count; i++) free(names[i]);
    free(names);
    return content_text(out_content, "text/html; charset=utf-8", text, size);
}

/* ---- */

/* Takes the descriptor. */
static unsigned give_file(int fd, const struct stat *about, const char *type,
                          struct content *out_content)
{
    content_file(out_content, type, fd, (uint64_t)about->st_size);
    out_content->modified = about->st_mtim.tv_sec;
    snprintf(out_content->etag, sizeof out_content->etag, "\"%llx-%llx-%llx%08lx\"",
             (unsigned long long)about->st_ino, (unsigned long long)about->st_size,
             (unsigned long long)about->st_mtim.tv_sec, (unsigned long)about->st_mtim.tv_nsec);
    return 200;
}

/* Takes the descriptor. */
static unsigned give_folder(int root, int fd, const char *path, struct content *out_content)
{
    struct stat about;
    char name[PATH_MAX];
    int size = snprintf(name, sizeof name, "%sindex.html", path);
    int index = size < PATH_MAX ? open_below(root, name) : -1;

    if (index >= 0 && !fstat(index, &about) && S_ISREG(about.st_mode)) {
        close(fd);
        return give_file(index, &about, "text/html; charset=utf-8", out_content);
    }
    if (index >= 0) close(index);
    return list(fd, path, out_content) ? 500 : 200;
}

unsigned files_open(int root, const char *path, struct content *out_content)
{
    struct stat about;
    bool slash = path[strlen(path) - 1] == '/';
    int fd = open_below(root, path);
    unsigned status = 404;

    if (fd < 0) return status_of(errno);
    if (fstat(fd, &about)) {
        status = 500;
    } else if (S_ISDIR(about.st_mode)) {
        if (slash) return give_folder(root, fd, path, out_content);
        status = 301;
    } else if (S_ISREG(about.st_mode) && !slash) {
        return give_file(fd, &about, type_of(path), out_content);
    }
    close(fd);
    return status;
}
