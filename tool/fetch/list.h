/* SPDX-License-Identifier: MIT */
#ifndef TOOL_FETCH_LIST_H
#define TOOL_FETCH_LIST_H

/*
 * The files to get: from the command line, and from lists. No two get the same name.
 */

#include "fetch/fetch.h"

struct fetch_list {
    struct fetch_file *files;
    size_t count, room;
    il_set *names;
    char **texts; /* what was read; the words of the files lie in it */
    size_t texts_count;
};

int list_init(struct fetch_list *list);
void list_free(struct fetch_list *list);

/* One more. `name` NULL: out of the URL; that is numbered when it is taken. Borrows the URL; 0, or
 * EINVAL: what is wrong was said, with `where` in front ("" or "list:12: "). */
int list_add(struct fetch_list *list, const char *where, char *url, char *name, const char *sum);

/* The lines of a file, or of standard input for "-": URL, then a name and a checksum if wanted, between
 * spaces. Empty lines and those that begin with # are passed over. As list_add. */
int list_read(struct fetch_list *list, const char *path);

#endif
