/* SPDX-License-Identifier: MIT */
#ifndef TOOL_CRAWL_ROBOTS_H
#define TOOL_CRAWL_ROBOTS_H

/*
 * robots.txt: what a host asks crawlers to leave alone. RFC 9309, and Crawl-delay, which is older
 * than it. The longest rule that matches decides, Allow where two are as long; * and $ are known.
 * The groups for our name count, all of them together, or those for * if there is none.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More of a file is not read: RFC 9309 asks for at least this much. */
#define ROBOTS_MOST ((size_t)500 * 1024)

struct robots_rule {
    char *pattern; /* normalised */
    size_t length;
    bool allow;
};

/* All zero: everything is allowed. */
struct robots {
    struct robots_rule *rules;
    size_t count;
    int64_t delay;  /* Crawl-delay in nanoseconds; 0: none */
    bool forbidden; /* all of it: the file should be there and cannot be had */
};

/* Read a file, any bytes, for the crawler `agent`. 0 or -ENOMEM. */
int robots_read(struct robots *robots, const char *text, size_t size, const char *agent);

/* May this be asked for? `path` is the part of a normalised URL from the path on. */
bool robots_allow(const struct robots *robots, const char *path);

void robots_free(struct robots *robots);

#endif
