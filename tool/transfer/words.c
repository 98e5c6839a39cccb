/* SPDX-License-Identifier: MIT */
/* What came of a transfer, in words for a person, and whether it could be another time. */

#include "transfer/transfer.h"

#include <stdio.h>
#include <string.h>

static const struct phrase {
    int status;
    const char *words;
} phrases[] = {
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 303, "See Other" },
    { 304, "Not Modified" },
    { 307, "Temporary Redirect" },
    { 308, "Permanent Redirect" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 407, "Proxy Authentication Required" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 410, "Gone" },
    { 416, "Range Not Satisfiable" },
    { 429, "Too Many Requests" },
    { 451, "Unavailable For Legal Reasons" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 502, "Bad Gateway" },
    { 503, "Service Unavailable" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
    { 0 },
};

static void put_status(int status, char *out, size_t size)
{
    const struct phrase *one = phrases;

    while (one->status && one->status != status) one++;
    snprintf(out, size, "%d%s%s", status, one->status ? " " : "", one->status ? one->words : "");
}

/* Of http://user@name:80/path the name. */
static void put_host(const char *url, char *out, size_t size)
{
    const char *from = strstr(url, "://");

    from = from ? from + 3 : url;
    size_t length = strcspn(from, "/?#");
    const char *at = memchr(from, '@', length);
    if (at) {
        length -= (size_t)(at + 1 - from);
        from = at + 1;
    }
    snprintf(out, size, "%.*s", (int)(length < size ? length : size - 1), from);
}

void transfer_words(const struct transfer_result *result, char *out, size_t size)
{
    char host[128];
    put_host(result->url, host, sizeof host);

    switch (result->end) {
    case TRANSFER_DONE: put_status(result->status, out, size); return;
    case TRANSFER_BAD_URL:
        snprintf(out, size, "%s: %s",
                 result->status ? "redirected to what is no URL of HTTP" : "no URL of HTTP",
                 result->detail);
        return;
    case TRANSFER_NAME: snprintf(out, size, "name not found: %s", host); return;
    case TRANSFER_REFUSED: snprintf(out, size, "connection refused by %s", host); return;
    case TRANSFER_UNREACHABLE: snprintf(out, size, "no route to %s", host); return;
    case TRANSFER_TIMEOUT: snprintf(out, size, "timeout: no connection to %s", host); return;
    case TRANSFER_TLS: snprintf(out, size, "not secure: %s", result->detail); return;
    case TRANSFER_RESET: snprintf(out, size, "the server broke off the connection"); return;
    case TRANSFER_SHORT:
        if (result->head.size >= 0)
            snprintf(out, size, "short: %lld of %lld bytes came", (long long)result->received,
                     (long long)result->head.size);
        else snprintf(out, size, "short: the body ended early");
        return;
    case TRANSFER_STALL: snprintf(out, size, "stalled: no byte came for too long"); return;
    case TRANSFER_REDIRECTS: snprintf(out, size, "too many redirects"); return;
    case TRANSFER_PROTOCOL: snprintf(out, size, "no HTTP: %s", result->detail); return;
    case TRANSFER_REJECTED: snprintf(out, size, "%s", il_strerror(result->failure)); return;
    case TRANSFER_CANCELED: snprintf(out, size, "cancelled"); return;
    case TRANSFER_OTHER: break;
    }
    snprintf(out, size, "%s", result->detail);
}

bool transfer_may_retry(const struct transfer_result *result)
{
    switch (result->end) {
    case TRANSFER_DONE:
        return result->status == 408 || result->status == 429 ||
               (result->status >= 500 && result->status != 501 && result->status != 505);
    case TRANSFER_TIMEOUT:
    case TRANSFER_RESET:
    case TRANSFER_SHORT:
    case TRANSFER_STALL:
    case TRANSFER_PROTOCOL:
    case TRANSFER_OTHER: return true;
    default: return false;
    }
}
