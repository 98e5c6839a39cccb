/* SPDX-License-Identifier: MIT */
#ifndef TOOL_FETCH_PART_H
#define TOOL_FETCH_PART_H

/*
 * The partial file, and the note beside it that says what it is a part of. NAME.part gets the name
 * NAME when it is whole. NAME.part.json says of which URL it is, and what the server called that
 * version: without a note, or with another one's, the part is begun anew.
 *
 * What is small stays in memory until it is whole, and is a file first when it has its name: then
 * nobody ever sees a part, and there is nothing to lock, to rename or to leave behind.
 *
 * States: closed, open. One task uses it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "transfer/transfer.h"

struct part {
    const char *name; /* of the whole file; borrowed. The longest path is PATH_MAX - 16 bytes */
    const char *url;  /* borrowed */
    bool open;
    bool there;    /* in the folder: a file of ours, or of before */
    bool plain;    /* set before it is opened: never in memory */
    int fd;        /* -1: in memory, or closed */
    int64_t size;  /* bytes in it */
    int64_t whole; /* bytes of the whole; -1: unknown */
    bool noted;    /* there is a note */
    char *held;    /* bytes that are to be written together with the next, or all; or NULL */
    size_t held_size, held_room;
    char validator[TRANSFER_FIELD]; /* of this version: its ETag or its date; "": has none */
};

/* What is there already: .size > 0 says that it may be gone on with. Opens nothing. `none`: there is
 * nothing, the caller knows. */
void part_look(struct part *part, const char *name, const char *url, bool none);

/* Open it: with `size` bytes in it to be gone on with, else empty. Another program that is at it is
 * -EBUSY. 0 or a negative errno. */
int part_open(struct part *part, int64_t size);

/* Write the note, when there is a validator that a server would know again. 0 or a negative errno. */
int part_note(struct part *part);

/* `more`: the next bytes are at hand already, and those may wait for them. 0 or a negative errno. */
int part_write(struct part *part, const void *data, size_t size, bool more);

/* Write what was held back: then the file is what .size says. 0 or a negative errno. */
int part_flush(struct part *part);

/* It is whole: give it its date (-1: none) and its name, instead of what has that. With `sync`, what
 * was written is on the disk before. Closed in any case. */
int part_finish(struct part *part, int64_t modified, bool sync);

/* It is not: keep it when it can be gone on with, else take it away. */
void part_leave(struct part *part);

/* Away with it and its note. */
void part_discard(struct part *part);

#endif
