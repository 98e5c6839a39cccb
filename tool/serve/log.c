/* SPDX-License-Identifier: MIT */
/*
 * What a server says on standard output: where it is, a line a request when it is asked to be
 * verbose, and its totals. Paths come from anywhere, so what is no letter is written as %XX.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "serve/path.h"
#include "serve/server.h"
#include "term.h"
#include "tool.h"

/* Nobody may be left to read it; to serve is what matters. */
static void print(const char *text)
{
    (void)tool_write(text, strlen(text));
}

static void print_json(json_t *object)
{
    char *text = object ? json_dumps(object, JSON_REAL_PRECISION(6)) : NULL, *line;

    if (text && asprintf(&line, "%s\n", text) >= 0) {
        print(line);
        free(line);
    }
    free(text);
    json_decref(object);
}

void log_begin(const struct server *server)
{
    char line[512];

    if (server->json) {
        print_json(json_pack("{s:s, s:i}", "url", server->base, "port", (int)server->port));
        return;
    }
    snprintf(line, sizeof line, "Serving %s at %s/ (Ctrl-C ends it)\n", server->what, server->base);
    print(line);
}

void log_request(const struct server *server, const struct report *report)
{
    char path[ENCODED_MOST * 256 + 1], plain[256], line[sizeof path + 256];
    double milliseconds = (double)report->took / 1e6;

    if (server->json) {
        print_json(json_pack("{s:s, s:s, s:s%, s:i, s:I, s:f, s:s, s:b}", "client", report->client,
                             "method", report->method, "path", report->path, strlen(report->path),
                             "status", (int)report->status, "bytes", (json_int_t)report->bytes,
                             "ms", milliseconds, "fault", fault_name(report->fault), "whole",
                             report->whole));
        return;
    }
    snprintf(plain, sizeof plain, "%s", report->path);
    snprintf(line, sizeof line, "%s %s %s %u %llu %.1f ms%s%s%s\n", report->client, report->method,
             path_encode(plain, path), report->status, (unsigned long long)report->bytes,
             milliseconds, report->fault ? " " : "", fault_name(report->fault),
             report->whole || report->fault ? "" : " cut");
    print(line);
}

static void log_end_json(const struct server *server, double seconds)
{
    const struct totals *totals = &server->totals;

    print_json(json_pack("{s:I, s:I, s:I, s:I, s:i, s:{s:I, s:I, s:I, s:I}, s:f}", "requests",
                         (json_int_t)totals->requests, "bytes", (json_int_t)totals->bytes, "faults",
                         (json_int_t)totals->faults, "connections", (json_int_t)totals->connections,
                         "most_at_once", (int)totals->most_active, "statuses", "2xx",
                         (json_int_t)totals->statuses[2], "3xx", (json_int_t)totals->statuses[3],
                         "4xx", (json_int_t)totals->statuses[4], "5xx",
                         (json_int_t)totals->statuses[5], "seconds", seconds));
}

void log_end(const struct server *server)
{
    const struct totals *totals = &server->totals;
    double seconds = (double)(il_now() - totals->began) / 1e9;
    char requests[32], bytes[32], connections[32], faults[64] = "", number[32], line[256];

    if (server->json) {
        log_end_json(server, seconds);
        return;
    }
    if (totals->faults)
        snprintf(faults, sizeof faults, ", %s faults", term_count(number, totals->faults));
    snprintf(line, sizeof line, "%s requests on %s connections, %u at once, %s bytes%s, %.1f s\n",
             term_count(requests, totals->requests), term_count(connections, totals->connections),
             totals->most_active, term_count(bytes, totals->bytes), faults, seconds);
    print(line);
}
