/* SPDX-License-Identifier: MIT */
/*
 * One transfer: what is asked of libcurl, and what it says afterwards. All state is on the stack of
 * the task; transfer/thread.c or transfer/loop.c moves the bytes.
 */

#include "transfer/transfer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transfer/drive.h"

#define TIME IL_SEC(30)
#define BUFFER (64L << 10)

_Static_assert(TRANSFER_PIECE == CURL_MAX_WRITE_SIZE, "libcurl's word");

struct exchange {
    const struct transfer *want;
    struct transfer_result *out;
    CURL *easy;
    bool headed; /* the head was read and told */
    struct pulse pulse;
    char words[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- The head ---- */

static void read_field(CURL *easy, const char *name, char *out, size_t size)
{
    struct curl_header *header;

    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header)) return;
    if (strlen(header->value) < size) snprintf(out, size, "%s", header->value);
}

/* bytes 100-199/200, with * for what is not said */
static void read_range(struct transfer_head *head, const char *text)
{
    long long from, to, whole;

    if (sscanf(text, "bytes %lld-%lld/", &from, &to) == 2) head->from = from;
    const char *slash = strchr(text, '/');
    if (slash && sscanf(slash, "/%lld", &whole) == 1) head->whole = whole;
}

static void read_head(CURL *easy, struct transfer_head *head)
{
    char range[TRANSFER_FIELD] = "";
    curl_off_t size = -1;
    long status = 0;

    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
    *head = (struct transfer_head){
        .status = (int)status, .size = size, .from = -1, .whole = -1, .modified = -1
    };
    read_field(easy, "Content-Type", head->type, sizeof head->type);
    read_field(easy, "ETag", head->etag, sizeof head->etag);
    read_field(easy, "Last-Modified", head->last_modified, sizeof head->last_modified);
    read_field(easy, "Content-Disposition", head->disposition, sizeof head->disposition);
    read_field(easy, "Content-Range", range, sizeof range);
    if (*range) read_range(head, range);
    if (*head->last_modified) head->modified = curl_getdate(head->last_modified, NULL);
}

static int tell_head(struct exchange *exchange)
{
    if (exchange->headed) return 0;
    exchange->headed = true;
    read_head(exchange->easy, &exchange->out->head);
    if (!exchange->want->on_head) return 0;
    return exchange->want->on_head(exchange->want->arg, &exchange->out->head);
}

static size_t on_body(char *data, size_t one, size_t size, void *arg)
{
    struct exchange *exchange = arg;
    const struct transfer *want = exchange->want;
    int failure = tell_head(exchange);

    (void)one;
    exchange->pulse.last = il_now();
    if (!failure && want->on_body) failure = want->on_body(want->arg, data, size);
    if (!failure) return size;
    exchange->out->failure = failure;
    return size ? 0 : 1; /* not what was given: libcurl stops */
}

/* ---- The request ---- */

static void ask(CURL *easy, const struct transfer *want, char *range, struct curl_slist **headers)
{
    char line[TRANSFER_FIELD + 16];

    if (want->head_only) curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (want->from > 0) {
        sprintf(range, "%lld-", (long long)want->from);
        curl_easy_setopt(easy, CURLOPT_RANGE, range);
    }
    if (want->from > 0 && want->if_range) {
        snprintf(line, sizeof line, "If-Range: %s", want->if_range);
        *headers = curl_slist_append(NULL, line);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *headers);
    }
    if (want->if_modified > 0) {
        curl_easy_setopt(easy, CURLOPT_TIMECONDITION, (long)CURL_TIMECOND_IFMODSINCE);
        curl_easy_setopt(easy, CURLOPT_TIMEVALUE_LARGE, (curl_off_t)want->if_modified);
    }
}

static void set_up(struct exchange *exchange)
{
    const struct transfer *want = exchange->want;
    CURL *easy = exchange->easy;

    curl_easy_setopt(easy, CURLOPT_URL, want->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, want->agent ? want->agent : "interlock/" IL_VERSION);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER);
    curl_easy_setopt(easy, CURLOPT_MAXCONNECTS, (long)TRANSFER_CONNECTIONS);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->words);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)((want->connect_time ? want->connect_time : TIME) / IL_MS(1)));
    if (want->redirects) {
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)want->redirects);
        curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    }
    if (want->insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

int transfer_look(CURL *easy, struct pulse *pulse, il_time *out_next)
{
    il_time now = il_now();
    curl_off_t connected = 0; /* microseconds after the start */

    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    il_time asked =
        connected ? pulse->begun + IL_US(connected) : now; /* connecting has its own limit */
    *out_next = (asked > pulse->last ? asked : pulse->last) + pulse->longest;
    return *out_next <= now ? -ETIMEDOUT : 0;
}

/* ---- What came of it ---- */

static void keep_text(CURL *easy, CURLINFO what, char *out, size_t size)
{
    const char *text = NULL;

    curl_easy_getinfo(easy, what, &text);
    if (text && strlen(text) < size) snprintf(out, size, "%s", text);
}

static int64_t time_of(CURL *easy, CURLINFO what)
{
    curl_off_t microseconds = 0;

    curl_easy_getinfo(easy, what, &microseconds);
    return microseconds * 1000;
}

static void read_result(CURL *easy, struct transfer_result *out)
{
    static const int versions[] = { [CURL_HTTP_VERSION_1_0] = 10,
                                    [CURL_HTTP_VERSION_1_1] = 11,
                                    [CURL_HTTP_VERSION_2_0] = 20,
                                    [CURL_HTTP_VERSION_3] = 30 };
    long status = 0, redirected = 0, connects = 0, version = 0;
    curl_off_t received = 0, wait = 0;

    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_REDIRECT_COUNT, &redirected);
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
    curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &wait);
    out->status = (int)status;
    out->redirected = (unsigned)redirected;
    out->reused = status && !connects;
    out->received = received;
    out->retry_after = wait > 0 && wait < 1000000 ? IL_SEC(wait) : 0;
    if (version >= 0 && version < (long)(sizeof versions / sizeof *versions))
        out->http = versions[version];
    keep_text(easy, CURLINFO_EFFECTIVE_URL, out->url, sizeof out->url);
    keep_text(easy, CURLINFO_REDIRECT_URL, out->location, sizeof out->location);
    keep_text(easy, CURLINFO_PRIMARY_IP, out->address, sizeof out->address);
    out->times = (struct transfer_times){
        .redirects = time_of(easy, CURLINFO_REDIRECT_TIME_T),
        .name = time_of(easy, CURLINFO_NAMELOOKUP_TIME_T),
        .connect = time_of(easy, CURLINFO_CONNECT_TIME_T),
        .tls = time_of(easy, CURLINFO_APPCONNECT_TIME_T),
        .first_byte = time_of(easy, CURLINFO_STARTTRANSFER_TIME_T),
        .total = time_of(easy, CURLINFO_TOTAL_TIME_T),
    };
}

static enum transfer_end end_of_connect(CURL *easy)
{
    long error = 0;

    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
    switch (error) {
    case ETIMEDOUT: return TRANSFER_TIMEOUT;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL: return TRANSFER_UNREACHABLE;
    case EMFILE:
    case ENFILE: return TRANSFER_OTHER;
    default: return TRANSFER_REFUSED;
    }
}

static bool is_redirected(CURL *easy)
{
    long status = 0;

    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return status / 100 == 3;
}

static enum transfer_end end_of(CURL *easy, CURLcode code)
{
    switch (code) {
    case CURLE_OK: return TRANSFER_DONE;
    case CURLE_UNSUPPORTED_PROTOCOL: /* of the URL, or HTTP/0.9, which is no protocol but anything */
        return time_of(easy, CURLINFO_PRETRANSFER_TIME_T) && !is_redirected(easy)
                   ? TRANSFER_PROTOCOL
                   : TRANSFER_BAD_URL;
    case CURLE_URL_MALFORMAT: return TRANSFER_BAD_URL;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST: return TRANSFER_NAME;
    case CURLE_COULDNT_CONNECT: return end_of_connect(easy);
    case CURLE_OPERATION_TIMEDOUT: return TRANSFER_TIMEOUT;
    case CURLE_PARTIAL_FILE: return TRANSFER_SHORT;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR: return TRANSFER_RESET;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_PEER_FAILED_VERIFICATION: return TRANSFER_TLS;
    case CURLE_TOO_MANY_REDIRECTS: return TRANSFER_REDIRECTS;
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WEIRD_SERVER_REPLY: return TRANSFER_PROTOCOL;
    default: return TRANSFER_OTHER;
    }
}

static int status_of(const struct transfer_result *result)
{
    static const int statuses[] = {
        [TRANSFER_DONE] = 0,
        [TRANSFER_BAD_URL] = -EINVAL,
        [TRANSFER_NAME] = -ENXIO,
        [TRANSFER_REFUSED] = -ECONNREFUSED,
        [TRANSFER_UNREACHABLE] = -EHOSTUNREACH,
        [TRANSFER_TIMEOUT] = -ETIMEDOUT,
        [TRANSFER_TLS] = -EPROTO,
        [TRANSFER_RESET] = -ECONNRESET,
        [TRANSFER_SHORT] = -ECONNABORTED,
        [TRANSFER_STALL] = -ETIMEDOUT,
        [TRANSFER_REDIRECTS] = -ELOOP,
        [TRANSFER_PROTOCOL] = -EPROTO,
        [TRANSFER_CANCELED] = -ECANCELED,
        [TRANSFER_OTHER] = -EIO,
    };
    return result->end == TRANSFER_REJECTED ? result->failure : statuses[result->end];
}

/* Also without a body the head is told. */
static void conclude(struct exchange *exchange, CURLcode code)
{
    struct transfer_result *out = exchange->out;

    if (code == CURLE_OK && !out->failure) out->failure = tell_head(exchange);
    read_result(exchange->easy, out);
    out->end = out->failure ? TRANSFER_REJECTED : end_of(exchange->easy, code);
    if (code)
        snprintf(out->detail, sizeof out->detail, "%s",
                 *exchange->words ? exchange->words : curl_easy_strerror(code));
}

int transfer_run(const struct transfer *transfer, struct transfer_result *out)
{
    const struct transfer_driver *driver = il_loop_here() ? &transfer_on_loop : &transfer_on_thread;
    struct exchange exchange = {
        .want = transfer,
        .out = out,
        .pulse = { .begun = il_now(),
                   .longest = transfer->stall_time ? transfer->stall_time : TIME },
    };
    struct curl_slist *headers = NULL;
    CURLcode code = CURLE_OK;
    char range[32];

    memset(out, 0, sizeof *out);
    snprintf(out->url, sizeof out->url, "%s", transfer->url);
    pthread_once(&once, start_curl);
    exchange.easy = driver->take();
    if (exchange.easy) {
        set_up(&exchange);
        ask(exchange.easy, transfer, range, &headers);
    }
    int status = exchange.easy ? driver->perform(exchange.easy, &exchange.pulse, &code) : -ENOMEM;
    if (!status) {
        conclude(&exchange, code);
    } else {
        if (exchange.easy) read_result(exchange.easy, out);
        out->end = status == -ETIMEDOUT   ? TRANSFER_STALL
                   : status == -ECANCELED ? TRANSFER_CANCELED
                                          : TRANSFER_OTHER;
        snprintf(out->detail, sizeof out->detail, "%s", il_strerror(status));
    }
    if (exchange.easy) driver->give(exchange.easy);
    curl_slist_free_all(headers);
    return status_of(out);
}
