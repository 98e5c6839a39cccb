/* SPDX-License-Identifier: MIT */
#ifndef TOOL_CRAWL_SPOOL_H
#define TOOL_CRAWL_SPOOL_H

/*
 * Bytes that are put away, one piece after the other, to be read again at their place: URLs, and who
 * links where. The first part is in memory; what comes after that is in a temporary file without a
 * name, in $TMPDIR or /var/tmp, that is mapped: the kernel keeps as much of it in memory as there is
 * room for. Where no file can be made, all of it is in memory.
 */

#include <stddef.h>
#include <stdint.h>

struct spool {
    char **chunks;
    size_t count;
    size_t used;   /* of the last chunk */
    size_t memory; /* chunks that are kept in memory; the others are in the file */
    int fd;        /* -1: no file yet; -2: there cannot be one */
};

#define SPOOL_CHUNK ((size_t)1 << 20) /* the longest piece */

/* `memory`: bytes that are kept in memory, in whole chunks, at least one. */
void spool_init(struct spool *spool, size_t memory);

/* Put `size` bytes away (size <= SPOOL_CHUNK), side by side. Gives their place. 0 or -ENOMEM. */
int spool_put(struct spool *spool, const void *bytes, size_t size, uint64_t *out_place);

/* What is at a place, valid as long as the spool. */
const char *spool_at(const struct spool *spool, uint64_t place);

void spool_free(struct spool *spool);

#endif
