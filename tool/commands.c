/* SPDX-License-Identifier: MIT */
/* The commands of `interlock`. */

#include "tool.h"

const struct command commands[] = {
    { "choose", cmd_choose, "Measure where a job runs best, and say whether it is worth it" },
    { "crawl", cmd_apart, "Visit every page of a site, and report its broken links" },
    { "factor", cmd_factor, "Print the prime factors of numbers" },
    { "fetch", cmd_apart, "Download files, many at a time, each whole or not at all" },
    { "run", cmd_run, "Run command lines in parallel, and lose none" },
#ifdef TOOL_SERVE
    { "serve", cmd_apart, "Serve files, or a made-up site, with delays and faults" },
#endif
    { 0 },
};
