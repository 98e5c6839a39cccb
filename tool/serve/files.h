/* SPDX-License-Identifier: MIT */
#ifndef TOOL_SERVE_FILES_H
#define TOOL_SERVE_FILES_H

/*
 * The files below a folder, and nothing outside it.
 */

#include "serve/content.h"

/* What `path` stands for below the folder `root`: a file; of a folder its index.html or a list of
 * what is in it. `path` begins with a slash and was decoded. Returns a status of HTTP: 200, with
 * *out_content filled; 301: it is a folder and wants a slash at its end; 403, 404, 500, 503. */
unsigned files_open(int root, const char *path, struct content *out_content);

#endif
