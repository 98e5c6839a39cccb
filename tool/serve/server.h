/* SPDX-License-Identifier: MIT */
#ifndef TOOL_SERVE_SERVER_H
#define TOOL_SERVE_SERVER_H

/*
 * A server of one thread: libmicrohttpd says HTTP, this says when. Whoever has to wait (--latency,
 * --bandwidth, a stall) is suspended and costs a timer and no thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <interlock.h>
#include <microhttpd.h>

#include "serve/fault.h"
#include "serve/rate.h"
#include "serve/site.h"
#include "serve/timers.h"

struct request;

struct totals {
    uint64_t requests, bytes, faults, connections;
    uint64_t statuses[6]; /* [2]: 200 to 299 */
    unsigned active, most_active;
    il_time began;
};

struct server {
    /* As asked for. */
    struct site site;
    struct faults faults;
    struct rate rate;
    const char *address; /* numeric */
    uint16_t port;       /* 0: any; then the one that it is */
    il_time latency;
    uint64_t bandwidth; /* bytes a second of a connection; 0: what there is */
    uint64_t most_header, most_body;
    unsigned most_connections; /* 0: as many as there are descriptors for */
    unsigned retry_after;      /* seconds */
    char *certificate, *key;   /* PEM; NULL: no TLS */
    bool verbose, json;

    struct MHD_Daemon *daemon;
    struct timers timers; /* of requests */
    struct totals totals;
    bool ending;      /* nobody waits any more */
    char base[80];    /* "http://127.0.0.1:8080" */
    const char *what; /* is served, for a person */
};

/* Serve until SIGINT or SIGTERM. Returns how the command ends. */
int server_run(struct server *server);

/* ---- serve/request.c, for the server ---- */

enum MHD_Result request_on_part(void *server, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **slot);
void request_on_end(void *arg, struct MHD_Connection *connection, void **slot,
                    enum MHD_RequestTerminationCode how);

/* What a request waited for is over. */
void request_on_timer(struct timer *timer);

/* ---- serve/log.c ---- */

/* A request is over. */
struct report {
    const char *client, *method, *path;
    unsigned status;
    uint64_t bytes;
    il_time took;
    enum fault fault;
    bool whole; /* all that there was to be sent */
};

void log_begin(const struct server *server);
void log_request(const struct server *server, const struct report *report);
void log_end(const struct server *server);

#endif
