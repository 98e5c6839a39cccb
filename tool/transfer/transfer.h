/* SPDX-License-Identifier: MIT */
#ifndef TOOL_TRANSFER_H
#define TOOL_TRANSFER_H

/*
 * One HTTP transfer: a request, and its answer as it comes in. What `fetch` and `crawl` have in
 * common; libcurl underneath.
 *
 *     static int keep(void *arg, const void *data, size_t size);  // 0, or a failure: end it
 *
 *     struct transfer_result result;
 *     transfer_run(&(struct transfer){ .url = url, .on_body = keep, .arg = &page }, &result);
 *     if (result.end != TRANSFER_DONE || result.status != 200) ... transfer_words(...)
 *
 * It is called inside a job, and the same on every executor: inline and on threads it holds the
 * thread while it lasts, in a worker process the process; on a loop only its fiber waits. Connections
 * are kept for the next transfer of the same thread, process or loop. A cancellation of the task ends
 * it within a fifth of a second.
 *
 * The callbacks are called by whoever transfers, on a loop outside of any task: they must not wait,
 * and no thread-local counts. Redirects are followed within http and https, never to anything else.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <interlock.h>

enum {
    TRANSFER_PIECE = 16384, /* bytes of body at a time, at most; after that many more are at hand */
    TRANSFER_URL = 2048,    /* bytes of the longest URL, with its 0 */
    TRANSFER_FIELD =
        256 /* of the longest field of a header that is kept; longer ones are left out */
};

/* How it ended. Whatever the server said is TRANSFER_DONE, also 404. */
enum transfer_end {
    TRANSFER_DONE,        /* an answer came, and its body was whole */
    TRANSFER_BAD_URL,     /* no URL, or neither http nor https */
    TRANSFER_NAME,        /* the host's name was not found */
    TRANSFER_REFUSED,     /* nobody listens there */
    TRANSFER_UNREACHABLE, /* no way there */
    TRANSFER_TIMEOUT,     /* not connected in time */
    TRANSFER_TLS,         /* the certificate, or what comes before it, is wrong */
    TRANSFER_RESET,       /* the server broke off */
    TRANSFER_SHORT,       /* the body ended early */
    TRANSFER_STALL,       /* connected, and no byte came for too long */
    TRANSFER_REDIRECTS,   /* too many */
    TRANSFER_PROTOCOL,    /* what came is no HTTP */
    TRANSFER_REJECTED,    /* a callback ended it; .failure is what it returned */
    TRANSFER_CANCELED,
    TRANSFER_OTHER /* memory, descriptors...; .detail says what */
};

/* What stands above the body of the last answer. A field that was not sent is "". */
struct transfer_head {
    int status;       /* 200, ... */
    int64_t size;     /* bytes of this body; -1: not said */
    int64_t from;     /* 206: its first byte in the whole; -1: not said */
    int64_t whole;    /* 206 and 416: bytes of the whole; -1: not said */
    int64_t modified; /* Last-Modified, seconds since 1970; -1: not said */
    char type[TRANSFER_FIELD], etag[TRANSFER_FIELD], last_modified[64];
    char disposition[TRANSFER_FIELD];
};

/* All zero is each default. Strings and pointers are borrowed until the end. */
struct transfer {
    const char *url;
    bool head_only;       /* HEAD */
    bool insecure;        /* any certificate will do */
    unsigned redirects;   /* to follow at most; 0: none, .location says where it would go */
    int64_t connect_time; /* ns to get connected in, name and TLS included; 0: 30 s */
    int64_t stall_time;   /* ns without a byte, once connected; 0: 30 s */
    const char *agent;    /* User-Agent; NULL: interlock/VERSION */
    const char *if_range; /* with .from: only if it is still that; an ETag or a date */
    int64_t from;         /* > 0: ask for the bytes from there on */
    int64_t if_modified;  /* > 0: only if modified since, in seconds since 1970 */

    /* The head of the answer, before its first byte and also when there is no body; never of one that
     * is redirected from. Then the body, piece by piece. Either may be NULL. A failure ends it. */
    int (*on_head)(void *arg, const struct transfer_head *head);
    int (*on_body)(void *arg, const void *data, size_t size);
    void *arg;
};

/* When things were done, in ns from the start of the last request: 0 where it was not come to, or
 * where nothing was to do. Redirects come before. */
struct transfer_times {
    int64_t redirects;                             /* spent on them */
    int64_t name, connect, tls, first_byte, total; /* each measured from the start */
};

/* What came of it: plain bytes, which may cross to another process. */
struct transfer_result {
    enum transfer_end end;
    int failure;         /* of TRANSFER_REJECTED: what the callback returned */
    int status;          /* of the last answer; 0: none came */
    unsigned redirected; /* times */
    int64_t received;    /* bytes of body */
    int64_t retry_after; /* ns that the server wants us to wait; 0: not said */
    bool reused;         /* no new connection was made */
    int http;            /* 10, 11, 20, 30; 0: unknown */
    struct transfer_times times;
    struct transfer_head head;
    char address[48];            /* of the server */
    char url[TRANSFER_URL];      /* where redirects led */
    char location[TRANSFER_URL]; /* where the answer redirects to, absolute; "": nowhere */
    char detail[TRANSFER_FIELD]; /* libcurl's words about a failure */
};

/* Do it. Waits until it is over. Returns 0 for TRANSFER_DONE, else a negative errno that fits; *out is
 * filled in either case. */
int transfer_run(const struct transfer *transfer, struct transfer_result *out);

/* Before a loop that had transfers is freed: closes the connections that it kept for more. To be called
 * when none is left, for a manual loop by one of its tasks. Nothing for other executors: their
 * threads do it at their end. */
void transfer_end(il_executor *executor);

/* The reason in a few words, for a line: "404 Not Found", "name not found: nowhere.example",
 * "connection refused"... */
void transfer_words(const struct transfer_result *result, char *out, size_t size);

/* Could it be another time? Broken off, stalled, short, 408, 429, 5xx but for
 * 501 and 505; not a certificate, a wrong URL or a callback. */
bool transfer_may_retry(const struct transfer_result *result);

#endif
