/* SPDX-License-Identifier: MIT */
#ifndef TOOL_CRAWL_REPORT_H
#define TOOL_CRAWL_REPORT_H

/*
 * What came of a crawl: for a person, by the pages that have the links in question; as a list; or as
 * JSON, an object a line. Everything in the order of the alphabet, and nothing in it that depends
 * on how many visits were under way at once.
 */

#include <stdint.h>

#include "crawl/crawl.h"
#include "text.h"

enum report_form { REPORT_TEXT, REPORT_LIST, REPORT_JSON };

/* What a link is in the end. */
enum fate { FATE_OK, FATE_REDIRECTED, FATE_BROKEN, FATE_UNKNOWN, FATE_SKIPPED, FATES };

/* A link that is not as it should be, and a page that has it. */
struct complaint_on {
    uint32_t page, link; /* page FRONTIER_NONE: the command line */
};

struct report {
    struct crawl *crawl;
    uint32_t *order; /* ids, in the order of their URLs */
    uint32_t *rank;  /* place in .order, by id */
    uint8_t *fates;  /* enum fate, by id */
    bool *common;    /* on many pages, and told once, by id */
    struct complaint_on *complaints;
    size_t complaint_count, complaint_room;
    uint64_t counts[FATES];
    bool partial;
    int status; /* of writing */
};

/* Draw conclusions: where redirects end, whether fragments exist, who has which link. 0 or -ENOMEM. */
int report_make(struct report *report, struct crawl *crawl, bool partial);

/* Write it to standard output. `colour`: for a terminal. 0, or why it could not be written. */
int report_write(struct report *report, enum report_form form, bool colour);

/* The line that sums it up, without an end of line. */
void report_summary(const struct report *report, struct text *out);

void report_free(struct report *report);

#endif
