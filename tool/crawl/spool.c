/* SPDX-License-Identifier: MIT */
/* Bytes put away in chunks; a piece never lies across two. A chunk of the file that is full is
 * unmapped from this process (MADV_DONTNEED keeps what is in the file) until somebody reads it. */

#include "crawl/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { UNOPENED = -1, UNAVAILABLE = -2 };

void spool_init(struct spool *spool, size_t memory)
{
    size_t chunks = memory / SPOOL_CHUNK;
    *spool = (struct spool){ .memory = chunks ? chunks : 1, .fd = UNOPENED };
}

static int open_file(void)
{
    const char *folder = getenv("TMPDIR");

    int fd = open(folder && *folder ? folder : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd < 0 ? UNAVAILABLE : fd;
}

/* posix_fallocate and not ftruncate: a disk that is full is found here, not by SIGBUS later. */
static char *map_file(struct spool *spool)
{
    off_t at = (off_t)((spool->count - spool->memory) * SPOOL_CHUNK);

    char *chunk = MAP_FAILED;

    if (spool->fd == UNOPENED) spool->fd = open_file();
    if (spool->fd < 0) return MAP_FAILED;
    if (!posix_fallocate(spool->fd, at, (off_t)SPOOL_CHUNK))
        chunk = mmap(NULL, SPOOL_CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, spool->fd, at);
    if (chunk == MAP_FAILED) { /* from now on in memory; what is mapped stays */
        close(spool->fd);
        spool->fd = UNAVAILABLE;
    }
    return chunk;
}

static int add_chunk(struct spool *spool)
{
    char **chunks = realloc(spool->chunks, (spool->count + 1) * sizeof *chunks);
    if (!chunks) return -ENOMEM;
    spool->chunks = chunks;

    char *chunk = spool->count < spool->memory ? MAP_FAILED : map_file(spool);
    if (chunk == MAP_FAILED)
        chunk = mmap(NULL, SPOOL_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    else if (spool->count > spool->memory)
        madvise(spool->chunks[spool->count - 1], SPOOL_CHUNK, MADV_DONTNEED);
    if (chunk == MAP_FAILED) return -ENOMEM;
    spool->chunks[spool->count++] = chunk;
    spool->used = 0;
    return 0;
}

int spool_put(struct spool *spool, const void *bytes, size_t size, uint64_t *out_place)
{
    if (!spool->count || SPOOL_CHUNK - spool->used < size) {
        int status = size > SPOOL_CHUNK ? -ENOMEM : add_chunk(spool);
        if (status) return status;
    }
    memcpy(spool->chunks[spool->count - 1] + spool->used, bytes, size);
    *out_place = (spool->count - 1) * SPOOL_CHUNK + spool->used;
    spool->used += size;
    return 0;
}

const char *spool_at(const struct spool *spool, uint64_t place)
{
    return spool->chunks[place / SPOOL_CHUNK] + place % SPOOL_CHUNK;
}

void spool_free(struct spool *spool)
{
    for (size_t i = 0; i < spool->count; i++) munmap(spool->chunks[i], SPOOL_CHUNK);
    free(spool->chunks);
    if (spool->fd >= 0) close(spool->fd);
    *spool = (struct spool){ .fd = UNOPENED };
}
