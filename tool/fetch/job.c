/* SPDX-License-Identifier: MIT */
/*
 * One attempt to get one file.
 *
 * What is in a partial file is gone on with only if the server says that it still has that version:
 * If-Range with a strong ETag, or with the date. A server that knows no ranges, or has another version
 * by now, sends the whole, and the part begins anew with that. What it sends as a range is believed
 * only if it begins where it was asked to and is of the same whole.
 */

#include "fetch/job.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetch/name.h"
#include "fetch/part.h"

/* A file longer than that has its note from the start, so that not even kill -9 loses it. For a
 * shorter one it is written when it turns out that it is not whole. */
#define NOTED_FROM ((int64_t)1 << 20)

struct attempt {
    const struct fetch_in *in;
    struct fetch_out *out;
    struct part part;
};

size_t fetch_in_size(const char *url, const char *path)
{
    return sizeof(struct fetch_in) + strlen(url) + 1 + strlen(path) + 1;
}

void fetch_in_words(struct fetch_in *in, const char *url, const char *path)
{
    char *end = stpcpy(in->text, url);

    in->path = (uint16_t)(end + 1 - in->text);
    memcpy(in->text + in->path, path, strlen(path) + 1);
}

static void show(const struct attempt *attempt)
{
    struct fetch_live *live = attempt->in->live;

    if (!live) return;
    atomic_store_explicit(&live->size, attempt->part.size, memory_order_relaxed);
    atomic_store_explicit(&live->whole, attempt->part.whole, memory_order_relaxed);
}

/* By what the server would know this version again: W/"..." only promises that it looks alike. */
static void keep_validator(struct part *part, const struct transfer_head *head)
{
    const char *validator = head->etag;

    if (!*validator || !strncasecmp(validator, "W/", 2)) validator = head->last_modified;
    snprintf(part->validator, sizeof part->validator, "%s", validator);
}

/* Is this the rest of what we have? */
static bool continues(const struct part *part, const struct transfer_head *head)
{
    if (head->from != part->size) return false;
    if (part->whole >= 0 && head->whole >= 0 && part->whole != head->whole) return false;
    bool by_tag = *part->validator == '"';
    const char *now = by_tag ? head->etag : head->last_modified;
    return !*now || !strcmp(now, part->validator);
}

static int begin_anew(struct attempt *attempt, const struct transfer_head *head)
{
    struct part *part = &attempt->part;

    attempt->out->from = 0;
    part->whole = head->size;
    keep_validator(part, head);
    int status = part_open(part, 0);
    if (!status && (part->noted || head->size < 0 || head->size >= NOTED_FROM))
        status = part_note(part);
    return status;
}

static int go_on(struct attempt *attempt, const struct transfer_head *head)
{
    struct part *part = &attempt->part;

    if (!continues(part, head)) return -ESTALE;
    if (part->whole < 0) part->whole = head->whole;
    return part_open(part, part->size);
}

static int on_head(void *arg, const struct transfer_head *head)
{
    struct attempt *attempt = arg;
    int status = 0;

    if (head->status == 200) status = begin_anew(attempt, head);
    else if (head->status == 206) status = go_on(attempt, head);
    else if (head->status == 416 && attempt->part.size) status = -ESTALE;
    show(attempt);
    return status;
}

static int on_body(void *arg, const void *data, size_t size)
{
    struct attempt *attempt = arg;

    if (!attempt->part.open) return 0; /* the page of an error */
    int status = part_write(&attempt->part, data, size, size == TRANSFER_PIECE);
    show(attempt);
    return status;
}

static void request(struct attempt *attempt)
{
    const struct fetch_in *in = attempt->in;
    struct part *part = &attempt->part;
    struct stat about;

    struct transfer want = {
        .url = in->text,
        .insecure = in->insecure,
        .redirects = in->redirects,
        .connect_time = in->connect_time,
        .stall_time = in->stall_time,
        .on_head = on_head,
        .on_body = on_body,
        .arg = attempt,
    };
    if (part->size) {
        want.from = part->size;
        want.if_range = part->validator;
        attempt->out->from = part->size;
    } else if (!in->empty && !in->digest.bytes && !stat(part->name, &about)) {
        want.if_modified = about.st_mtime;
    }
    if (in->live) atomic_store_explicit(&in->live->from, part->size, memory_order_relaxed);
    show(attempt);
    transfer_run(&want, &attempt->out->result);
}

/* ---- It came ---- */

/* Give it the name that the server says, or the next that is free. */
static int rename_as_told(struct attempt *attempt)
{
    const char *name = attempt->part.name;
    const char *slash = strrchr(name, '/');
    int folder = slash ? (int)(slash + 1 - name) : 0;
    char wanted[FETCH_NAME], numbered[FETCH_NAME], path[PATH_MAX];

    if (!fetch_name_of_disposition(attempt->out->result.head.disposition, wanted)) return 0;
    memcpy(numbered, wanted, sizeof numbered);
    for (unsigned number = 2; number < 10000; number++) {
        snprintf(path, sizeof path, "%.*s%s", folder, name, numbered);
        snprintf(attempt->out->name, sizeof attempt->out->name, "%s", numbered);
        if (!strcmp(path, name)) return 0;
        if (!renameat2(AT_FDCWD, name, AT_FDCWD, path, RENAME_NOREPLACE)) return 0;
        if (errno != EEXIST) break;
        fetch_name_number(wanted, number, numbered);
    }
    *attempt->out->name = 0;
    return -errno;
}

static int check_size(const struct part *part)
{
    return part->whole < 0 || part->whole == part->size ? 0 : -ESTALE;
}

static int check_digest(struct attempt *attempt)
{
    char path[PATH_MAX];
    int status;

    if (!attempt->in->digest.bytes) return 0;
    status = part_flush(&attempt->part);
    if (status) return status;
    snprintf(path, sizeof path, "%s" FETCH_PART, attempt->part.name);
    return digest_check(&attempt->in->digest, path);
}

static void fail(struct attempt *attempt, int status)
{
    struct fetch_out *out = attempt->out;
    bool again = status == -ESTALE || (status == -EBADMSG && out->from);

    out->end = again ? FETCH_CHANGED : status == -EBADMSG ? FETCH_DIGEST : FETCH_FILE;
    out->error = status;
    if (status == -ECANCELED) {
        out->end = FETCH_FAILED;
        out->result.end = TRANSFER_CANCELED;
    }
    if (again || status == -EBADMSG) part_discard(&attempt->part);
    else if (status != -EBUSY) part_leave(&attempt->part);
}

static void finish(struct attempt *attempt)
{
    struct part *part = &attempt->part;
    int64_t modified = attempt->out->result.head.modified;

    int status = check_size(part);
    if (!status) status = check_digest(attempt);
    if (!status) status = part_finish(part, modified, attempt->in->sync);
    if (!status && attempt->in->server_names) status = rename_as_told(attempt);
    if (status) fail(attempt, status);
}

static void conclude(struct attempt *attempt)
{
    const struct transfer_result *result = &attempt->out->result;
    bool came = result->end == TRANSFER_DONE;

    if (came && attempt->part.open) {
        finish(attempt);
    } else if (came && result->status == 304) {
        attempt->out->end = FETCH_KEPT;
    } else if (result->end == TRANSFER_REJECTED) {
        fail(attempt, result->failure);
    } else {
        attempt->out->end = FETCH_FAILED;
        part_leave(&attempt->part);
    }
    attempt->out->size = attempt->part.size;
}

/* A file that is there, with the checksum that it should have, need not be asked for. */
static bool is_there(const struct fetch_in *in, const char *path)
{
    return !in->empty && in->digest.bytes && !digest_check(&in->digest, path);
}

int fetch_job(void *in, void *out)
{
    struct attempt attempt = { .in = in, .out = out };
    const char *url = attempt.in->text, *path = attempt.in->text + attempt.in->path;

    if (is_there(in, path)) {
        attempt.out->end = FETCH_KEPT;
        return 0;
    }
    part_look(&attempt.part, path, url, attempt.in->empty);
    attempt.part.plain = attempt.in->digest.bytes; /* that is of a file */
    request(&attempt);
    conclude(&attempt);
    return 0;
}
