/* SPDX-License-Identifier: MIT */
/*
 * A request, from its first line to its last byte.
 *
 *     begins      the headers are there; what is too large is refused before it is sent
 *     decides     rate, faults, site, conditions, ranges: what the answer is
 *     waits       --latency, counted from the beginning
 *     answers     a file by the kernel, what is small in one piece, the rest piece by piece; only
 *                 the pieces can be paced and cut
 *     ends        however: it is counted, and all it had is released
 *
 * All of it on the server's thread. Waiting is suspending the connection until a timer resumes it.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "serve/body.h"
#include "serve/path.h"
#include "serve/server.h"

enum {
    IN_ONE_PIECE = 256 * 1024,
    PIECE = 64 * 1024,
    PATIENCE = 1024 * 1024, /* more than what may be sent that is read and thrown away */
};
#define STALL_LOOK IL_MS(100) /* has the client gone? */
#define PACE IL_MS(10)        /* a piece of a paced body */

struct request {
    struct timer timer;
    struct server *server;
    struct MHD_Connection *connection;
    const char *method_name; /* the connection's */
    enum method method;
    il_time began;

    char *path; /* decoded; NULL: it was none */
    char *upload;
    uint64_t upload_size;
    bool too_large;

    bool decided, waited, stalled, gone;
    struct answer answer;
    struct body body;
    struct fate fate;
    il_time pace_began;
    uint64_t sent, cut; /* of the body's bytes */
};

/* ---- Begins ---- */

static enum method find_method(const char *name)
{
    if (!strcmp(name, "GET")) return METHOD_GET;
    if (!strcmp(name, "HEAD")) return METHOD_HEAD;
    return !strcmp(name, "POST") ? METHOD_POST : METHOD_OTHER;
}

static const char *header(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

static const struct sockaddr *client(const struct request *request)
{
    return MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
        ->client_addr;
}

static int socket_of(const struct request *request)
{
    return MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD)
        ->connect_fd;
}

static struct request *request_new(struct server *server, struct MHD_Connection *connection,
                                   const char *url, const char *method)
{
    struct request *request = calloc(1, sizeof *request);
    if (!request) return NULL;
    request->server = server;
    request->connection = connection;
    request->method_name = method;
    request->method = find_method(method);
    request->began = il_now();
    request->answer.content = content_none();
    request->path = malloc(strlen(url) + 2);
    if (request->path && !path_decode(url, request->path)) {
        free(request->path);
        request->path = NULL;
    }
    const char *length = header(request, "Content-Length");
    request->too_large = length && strtoull(length, NULL, 10) > server->most_body;
    server->totals.requests++;
    if (++server->totals.active > server->totals.most_active)
        server->totals.most_active = server->totals.active;
    return request;
}

/* False: enough is enough. */
static bool take_upload(struct request *request, const char *upload, size_t size)
{
    uint64_t sum = request->upload_size + size;

    request->too_large = request->too_large || sum > request->server->most_body;
    if (request->too_large) {
        request->upload_size = sum;
        return sum < request->server->most_body + PATIENCE;
    }
    if (request->method != METHOD_POST) return true;
    char *more = realloc(request->upload, sum);
    if (!more) return false;
    memcpy(more + request->upload_size, upload, size);
    request->upload = more;
    request->upload_size = sum;
    return true;
}

/* ---- Decides ---- */

static void apply_fault(struct request *request)
{
    struct answer *answer = &request->answer;

    request->cut = UINT64_MAX;
    switch (request->fate.fault) {
    case FAULT_UNAVAILABLE: answer_words(answer, 503, NULL); break;
    case FAULT_TOO_MANY: answer_words(answer, 429, NULL); break;
    case FAULT_NONE: return;
    default: request->cut = 0; break; /* once its size is known */
    }
    request->server->totals.faults++;
}

static void answer_from_site(struct request *request)
{
    struct server *server = request->server;
    struct answer *answer = &request->answer;
    char base[320];
    const char *host = header(request, "Host");

    snprintf(base, sizeof base, "%.*s%s", (int)(strstr(server->base, "//") + 2 - server->base),
             server->base, host ? host : strstr(server->base, "//") + 2);
    request->fate = faults_draw(&server->faults, request->path, false);
    struct question question = {
        .method = request->method,
        .path = request->path,
        .base = base,
        .body = request->upload,
        .body_size = request->upload_size,
        .version = request->fate.version,
    };
    site_answer(&server->site, &question, answer);
    if (answer->may_fail && request->method == METHOD_GET)
        request->fate = faults_draw(&server->faults, request->path, true);
    apply_fault(request);
}

/* What the client has, and which part it wants. */
static void narrow(struct request *request)
{
    struct answer *answer = &request->answer;
    const struct content *content = &answer->content;
    const char *if_range = header(request, "If-Range"), *wanted = header(request, "Range");
    struct conditions given = {
        .match = header(request, "If-Match"),
        .none_match = header(request, "If-None-Match"),
        .modified_since = header(request, "If-Modified-Since"),
        .unmodified_since = header(request, "If-Unmodified-Since"),
    };
    struct range ranges[RANGES_MOST];

    answer->status = conditions_check(&given, content->etag, content->modified);
    if (answer->status == 412) answer_words(answer, 412, NULL);
    if (answer->status != 200 || !wanted || request->method != METHOD_GET || !*content->etag ||
        request->fate.no_range ||
        (if_range && !is_unchanged(if_range, content->etag, content->modified)))
        return;
    int count = range_parse(wanted, content->size, ranges);
    if (!count) return;
    answer->status = count < 0 ? 416 : 206;
    if (count == 1) body_range(&request->body, content, ranges[0]);
    else if (count > 1 && body_ranges(&request->body, content, ranges, (unsigned)count))
        answer_words(answer, 500, NULL);
}

static void decide(struct request *request)
{
    struct answer *answer = &request->answer;

    request->decided = true;
    request->cut = UINT64_MAX;
    if (request->too_large) {
        answer_words(answer, 413, NULL);
    } else if (!request->path) {
        answer_words(answer, 400, NULL);
    } else if (!rate_allows(&request->server->rate, client(request), request->began)) {
        answer_words(answer, 429, NULL);
    } else {
        answer_from_site(request);
        if (answer->status == 200 &&
            (request->method == METHOD_GET || request->method == METHOD_HEAD))
            narrow(request);
    }
    if (answer->status != 416 && !request->body.count) body_whole(&request->body, &answer->content);
    if (request->cut != UINT64_MAX) request->cut = request->body.size / 2;
}

/* ---- Waits ---- */

/* False: nobody waits any more. */
static bool wait_until(struct request *request, il_time due)
{
    struct server *server = request->server;

    request->timer.due = due;
    if (server->ending || !timers_add(&server->timers, &request->timer)) return false;
    MHD_suspend_connection(request->connection);
    return true;
}

static bool has_gone(const struct request *request)
{
    char byte;
    ssize_t got = recv(socket_of(request), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

void request_on_timer(struct timer *timer)
{
    struct request *request = (struct request *)timer; /* its first member */
    struct server *server = request->server;

    timers_remove(&server->timers, timer);
    if (request->stalled && !server->ending && !has_gone(request)) {
        timer->due = il_after(STALL_LOOK);
        if (timers_add(&server->timers, timer)) return;
    }
    request->gone = request->stalled;
    MHD_resume_connection(request->connection);
}

/* ---- Answers ---- */

static ssize_t cut_body(struct request *request)
{
    const struct linger reset = { .l_onoff = 1 };

    if (request->fate.fault == FAULT_STALL && !request->gone) {
        request->stalled = true;
        if (wait_until(request, il_after(STALL_LOOK))) return 0;
    }
    if (request->fate.fault == FAULT_DROP)
        setsockopt(socket_of(request), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* How much of what is left may be sent by now. 0: it waits. */
static uint64_t pace(struct request *request, uint64_t at)
{
    uint64_t rate = request->server->bandwidth, piece = rate / (IL_SEC(1) / PACE);
    il_time now = il_now();

    if (!request->pace_began) request->pace_began = now;
    if (!piece) piece = 1;
    if (piece > request->body.size - at) piece = request->body.size - at;
    il_time due =
        request->pace_began + (il_time)((double)(at + piece) / (double)rate * (double)IL_SEC(1));
    if (due > now && wait_until(request, due)) return 0;
    return piece;
}

static ssize_t on_read(void *arg, uint64_t at, char *out, size_t room)
{
    struct request *request = arg;
    const struct body *body = &request->body;
    uint64_t size = room;

    if (at >= request->cut) return cut_body(request);
    if (size > body->size - at) size = body->size - at;
    if (size > request->cut - at) size = request->cut - at;
    if (request->server->bandwidth && !request->server->ending) {
        uint64_t paced = pace(request, at);
        if (!paced) return 0;
        if (paced < size) size = paced;
    }
    if (body_read(body, at, out, (size_t)size)) return MHD_CONTENT_READER_END_WITH_ERROR;
    request->sent = at + size;
    return (ssize_t)size;
}

static struct MHD_Response *respond_at_once(struct request *request)
{
    const struct body *body = &request->body;
    char *bytes = malloc(body->size + 1);

    if (!bytes || body_read(body, 0, bytes, body->size)) {
        free(bytes);
        return NULL;
    }
    return MHD_create_response_from_buffer(body->size, bytes, MHD_RESPMEM_MUST_FREE);
}

static struct MHD_Response *respond(struct request *request)
{
    struct body *body = &request->body;
    struct content *content = &request->answer.content;

    /* What has a length but is not sent (304, HEAD) is never read. */
    bool sends = request->answer.status != 304 && request->method != METHOD_HEAD;
    if (sends && request->cut == UINT64_MAX && !request->server->bandwidth) {
        request->sent = body->size;
        if (content->fd >= 0 && body->count == 1) {
            int fd = content->fd;
            content->fd = -1; /* the response's now */
            return MHD_create_response_from_fd_at_offset64(body->size, fd, body->parts[0].range.at);
        }
        if (body->size <= IN_ONE_PIECE) return respond_at_once(request);
        request->sent = 0;
    }
    return MHD_create_response_from_callback(body->size, PIECE, on_read, request, NULL);
}

static void add(struct MHD_Response *response, const char *name, const char *value)
{
    MHD_add_response_header(response, name, value);
}

static void add_validators(const struct request *request, struct MHD_Response *response)
{
    const struct content *content = &request->answer.content;
    char date[HTTP_DATE];

    if (*content->etag) add(response, "ETag", content->etag);
    if (content->modified) add(response, "Last-Modified", http_date(content->modified, date));
    if (*content->etag && !request->fate.no_range) add(response, "Accept-Ranges", "bytes");
}

static void add_headers(const struct request *request, struct MHD_Response *response)
{
    const struct answer *answer = &request->answer;
    const struct body *body = &request->body;
    char text[96];

    add_validators(request, response);
    if (body->count && body->size)
        add(response, "Content-Type", *body->type ? body->type : answer->content.type);
    if (answer->status == 206 && body->count == 1) {
        struct range range = body->parts[0].range;
        snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)range.at,
                 (unsigned long long)(range.at + range.size - 1),
                 (unsigned long long)answer->content.size);
        add(response, "Content-Range", text);
    }
    if (answer->status == 416) {
        snprintf(text, sizeof text, "bytes */%llu", (unsigned long long)answer->content.size);
        add(response, "Content-Range", text);
    }
    if (answer->status == 429 || answer->status == 503) {
        snprintf(text, sizeof text, "%u", request->server->retry_after);
        add(response, "Retry-After", text);
    }
    if (answer->location) add(response, "Location", answer->location);
    if (answer->allow) add(response, "Allow", answer->allow);
}

static enum MHD_Result answer(struct request *request)
{
    struct MHD_Response *response = respond(request);
    if (!response) return MHD_NO;
    add_headers(request, response);
    enum MHD_Result queued =
        MHD_queue_response(request->connection, request->answer.status, response);
    MHD_destroy_response(response);
    return queued;
}

enum MHD_Result request_on_part(void *server, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **slot)
{
    struct request *request = *slot;
    (void)version;

    if (!request) {
        *slot = request = request_new(server, connection, url, method);
        if (!request) return MHD_NO;
        if (!request->too_large) return MHD_YES;
        decide(request);
        return answer(request);
    }
    if (*upload_size) {
        bool goes_on = take_upload(request, upload, *upload_size);
        *upload_size = 0;
        return goes_on ? MHD_YES : MHD_NO;
    }
    if (!request->decided) decide(request);
    il_time due = request->began + request->server->latency;
    if (!request->waited && due > il_now()) {
        request->waited = true;
        if (wait_until(request, due)) return MHD_YES;
    }
    return answer(request);
}

/* ---- Ends ---- */

static void report(const struct request *request, bool whole)
{
    char address[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr *from = client(request);

    if (from->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, address,
                  sizeof address);
    else
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)from)->sin_addr, address,
                  sizeof address);
    struct report about = {
        .client = address,
        .method = request->method_name,
        .path = request->path ? request->path : "?",
        .status = request->answer.status,
        .bytes = request->sent,
        .took = il_now() - request->began,
        .fault = request->fate.fault,
        .whole = whole,
    };
    log_request(request->server, &about);
}

void request_on_end(void *arg, struct MHD_Connection *connection, void **slot,
                    enum MHD_RequestTerminationCode how)
{
    struct server *server = arg;
    struct request *request = *slot;
    (void)connection;

    if (!request) return;
    *slot = NULL;
    server->totals.active--;
    server->totals.bytes += request->sent;
    server->totals.statuses[request->answer.status / 100 % 6]++;
    if (server->verbose) report(request, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    timers_remove(&server->timers, &request->timer);
    body_close(&request->body);
    answer_close(&request->answer);
    free(request->upload);
    free(request->path);
    free(request);
}
