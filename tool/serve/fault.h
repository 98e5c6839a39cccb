/* SPDX-License-Identifier: MIT */
#ifndef TOOL_SERVE_FAULT_H
#define TOOL_SERVE_FAULT_H

/*
 * What a server does to those who must be able to live with it. Which request is hit follows from
 * the seed, its path and how often that path was asked for: so a run can be repeated, and trying
 * again helps. Each further request for a path is hit half as often as the one before.
 */

#include <stdbool.h>
#include <stdint.h>

#include <interlock.h>

enum fault {
    FAULT_NONE,
    FAULT_DROP,        /* half of the body, then the connection is reset */
    FAULT_STALL,       /* half of the body, then nothing until the client goes */
    FAULT_SHORT,       /* half of the body, then an orderly end */
    FAULT_UNAVAILABLE, /* 503, Retry-After */
    FAULT_CHANGED,     /* short; and from then on it is another file */
    FAULT_NO_RANGE,    /* short; and from then on ranges are ignored */
    FAULT_TOO_MANY,    /* 429, Retry-After */
    FAULTS
};

struct faults {
    double share[FAULTS]; /* of first requests; their sum is 1 at most */
    uint64_t seed;
    il_table *paths; /* NULL until the first draw */
};

/* What has become of a path, and what is to become of this request. */
struct fate {
    enum fault fault;
    uint32_t version; /* 0 until it was changed */
    bool no_range;
};

const char *fault_name(enum fault fault); /* "" for FAULT_NONE */

/* "drop,stall:0.3,503". 0, or EINVAL: what is wrong was said. */
int faults_parse(struct faults *faults, const char *text);

bool faults_any(const struct faults *faults);

/* A request for `path` begins; one that does not `count` is not hit and changes nothing. FAULT_NONE
 * where there is no memory. */
struct fate faults_draw(struct faults *faults, const char *path, bool count);

void faults_free(struct faults *faults);

#endif
