/* SPDX-License-Identifier: MIT */
#ifndef TOOL_FETCH_NAME_H
#define TOOL_FETCH_NAME_H

/*
 * What a file is called. Names that come from elsewhere, out of a URL or a header, become harmless
 * ones: no folder, no hidden file, no option to a program, nothing that a terminal takes for a command,
 * and not what is taken here for a partial file.
 */

#include <stdbool.h>
#include <stddef.h>

enum { FETCH_NAME = 236 }; /* bytes of the longest, with its 0: the endings below fit behind it */

#define FETCH_PART ".part"      /* of a file that is not whole yet */
#define FETCH_NOTE ".part.json" /* of what is known about that */

/* The last part of the URL's path, or index.html. */
void fetch_name_of_url(const char *url, char out[FETCH_NAME]);

/* The filename of a Content-Disposition; false: it has none. */
bool fetch_name_of_disposition(const char *field, char out[FETCH_NAME]);

/* May a person, or a list, call a file that? */
bool fetch_name_is_fine(const char *name);

/* The nth of that name: "cat.png" and 2 is "cat-2.png". */
void fetch_name_number(const char *name, unsigned number, char out[FETCH_NAME]);

#endif
