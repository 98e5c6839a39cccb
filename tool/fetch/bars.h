/* SPDX-License-Identifier: MIT */
#ifndef TOOL_FETCH_BARS_H
#define TOOL_FETCH_BARS_H

/*
 * What is drawn while files come: the line of all of them, and one each for the few that have run
 * longest.
 */

#include "fetch/fetch.h"
#include "progress.h"

/* Draw, if it is time to: `over` of `total` files are over, `bytes` came for those. */
void progress_files(const struct slot *slots, const struct fetch_options *options, size_t over,
                    size_t total, int64_t bytes);

#endif
