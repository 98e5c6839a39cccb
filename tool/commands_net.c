/* SPDX-License-Identifier: MIT */
/* The commands of `interlock-net`, which `interlock` has too: there they lead here. */

#include "tool.h"

const struct command commands[] = {
#ifdef TOOL_SERVE
    { "choose", cmd_choose, "Measure where a job runs best, and say whether it is worth it" },
#endif
    { "crawl", cmd_crawl, "Visit every page of a site, and report its broken links" },
    { "fetch", cmd_fetch, "Download files, many at a time, each whole or not at all" },
#ifdef TOOL_SERVE
    { "serve", cmd_serve, "Serve files, or a made-up site, with delays and faults" },
#endif
    { 0 },
};
