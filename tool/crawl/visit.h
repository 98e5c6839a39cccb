/* SPDX-License-Identifier: MIT */
#ifndef TOOL_CRAWL_VISIT_H
#define TOOL_CRAWL_VISIT_H

/*
 * One visit: a URL is asked for, and a page is read for its links. It is a task, for any executor.
 * What comes back are bytes: the records of crawl/links.h for a page, the file itself for robots.txt.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

#include "transfer/transfer.h"

/* What is wanted; copied to the task, as far as the URL is long. */
struct visit_order {
    bool head;     /* HEAD will do */
    bool page;     /* read it, if it is HTML */
    bool anchors;  /* its anchors as well */
    bool robots;   /* this is robots.txt: redirects are followed, the body is wanted as it is */
    bool insecure; /* any certificate will do */
    il_executor *readers; /* where pages are read; NULL: where the visit runs */
    size_t room;          /* apart: bytes that there is room for in the answer */
    char url[TRANSFER_URL];
};

struct visit_answer {
    enum transfer_end end;
    int status;          /* HTTP's; 0: none */
    int64_t retry_after; /* ns; 0: not said */
    bool retry;          /* it could be another time */
    bool html;           /* it was read */
    int failure;         /* of the visit itself: -ENOMEM */
    char location[TRANSFER_URL];
    char words[128]; /* the reason, for a line */
    char type[64];   /* media type, without parameters */
    size_t size;     /* of the bytes; apart: more than the room means that they did not come */
    char *bytes;     /* to be freed by who asked; apart: NULL, they stand behind the answer */
};

/* The task, in this process. in is a visit_order, out a visit_answer. 0: the answer says what came of
 * it; -ECANCELED. */
int visit_here(void *in, void *out);

/* The same in a process of its own; out is a visit_answer with .room bytes behind it. */
int visit_apart(void *in, void *out);

/* The bytes of an answer to a visit that was made here, or apart. */
const char *visit_bytes(const struct visit_answer *answer, bool apart);

/* Bytes of an order, to be copied. */
size_t visit_order_size(const struct visit_order *order);

#endif
