/* SPDX-License-Identifier: MIT */
#ifndef TOOL_FETCH_JOB_H
#define TOOL_FETCH_JOB_H

/*
 * One attempt to get one file: a job for any executor. It goes on with a partial file where that is
 * safe, and leaves the whole file under its name, or an honest answer and what a next attempt can go
 * on with.
 */

#include <stdatomic.h>

#include "fetch/digest.h"
#include "transfer/transfer.h"

/* How far it is, for whoever draws it. Written by the job, where it runs in the same process. */
struct fetch_live {
    _Atomic int64_t size;  /* bytes in the partial file */
    _Atomic int64_t from;  /* of those, from an earlier attempt */
    _Atomic int64_t whole; /* bytes of the whole; -1: unknown */
};

struct fetch_in {
    struct fetch_live *live;          /* NULL: in another process */
    int64_t connect_time, stall_time; /* ns */
    unsigned redirects;
    bool insecure, sync;
    bool empty;        /* nothing of that name, nor of a part of it, is there */
    bool server_names; /* the name that the server gives it */
    struct digest digest;
    uint16_t path; /* where in .text the path of the file begins; the URL is at 0 */
    char text[];
};

enum fetch_end {
    FETCH_DONE,
    FETCH_KEPT,    /* it was there already */
    FETCH_FAILED,  /* .result says why */
    FETCH_DIGEST,  /* whole, but with another checksum: it was thrown away */
    FETCH_CHANGED, /* it became another one meanwhile: the next attempt begins anew */
    FETCH_FILE     /* .error: a file could not be written */
};

struct fetch_out {
    enum fetch_end end;
    int error;                 /* negative errno */
    int64_t size;              /* bytes there: of the file, or of the partial file that was kept */
    int64_t from;              /* bytes that an earlier attempt had brought */
    char name[TRANSFER_FIELD]; /* with .server_names: the one that it got; else "" */
    struct transfer_result result;
};

int fetch_job(void *in, void *out);

/* Bytes of an input with these words. */
size_t fetch_in_size(const char *url, const char *path);
void fetch_in_words(struct fetch_in *in, const char *url, const char *path);

#endif
