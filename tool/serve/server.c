/* SPDX-License-Identifier: MIT */
/*
 * The loop: libmicrohttpd's epoll, our timers and the signals that end it, watched by one ppoll,
 * which is told to the nanosecond when the next timer is due.
 */

#include "serve/server.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tool.h"

enum { BACKLOG = 4096, IDLE_SECONDS = 60, SPARE_DESCRIPTORS = 32 };
#define GRACE IL_MS(500) /* for answers that are under way at the end */

/* ---- Before ---- */

static int bind_to(const struct server *server, const struct addrinfo *at)
{
    const int yes = 1;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (!bind(fd, at->ai_addr, at->ai_addrlen) && !listen(fd, BACKLOG)) return fd;
    int status = -errno;
    close(fd);
    return status;
}

/* Descriptor, or -1: what is wrong was said. */
static int open_listener(const struct server *server)
{
    struct addrinfo *found, hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                                      .ai_socktype = SOCK_STREAM };
    char port[8];

    snprintf(port, sizeof port, "%u", server->port);
    if (getaddrinfo(server->address, port, &hints, &found)) {
        tool_say("--bind: '%s' is no address of this machine", server->address);
        return -1;
    }
    int fd = bind_to(server, found);
    freeaddrinfo(found);
    if (fd >= 0) return fd;
    tool_say("cannot listen at %s, port %s: %s", server->address, port, strerror(-fd));
    return -1;
}

static void find_address(struct server *server, int listener)
{
    struct sockaddr_storage at;
    socklen_t size = sizeof at;
    char host[64] = "", port[8] = "0";

    if (!getsockname(listener, (struct sockaddr *)&at, &size))
        getnameinfo((struct sockaddr *)&at, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    server->port = (uint16_t)atoi(port);
    snprintf(server->base, sizeof server->base, "http%s://%s%s%s:%s", server->key ? "s" : "",
             strchr(host, ':') ? "[" : "", host, strchr(host, ':') ? "]" : "", port);
}

/* As many as the hard limit allows. */
static unsigned find_room(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit)) return 256;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t room = limit.rlim_cur > 2 * SPARE_DESCRIPTORS ? limit.rlim_cur - SPARE_DESCRIPTORS : 16;
    return room > 100000 ? 100000 : (unsigned)room;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode what)
{
    struct server *server = arg;
    (void)connection, (void)slot;
    server->totals.connections += what == MHD_CONNECTION_NOTIFY_STARTED;
}

/* Paths are decoded by us, who want to see an encoded slash. */
static size_t leave_encoded(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg, (void)connection;
    return strlen(text);
}

/* What it complains about is what clients do. */
static void be_silent(void *arg, const char *format, va_list words)
{
    (void)arg, (void)format, (void)words;
}

static struct MHD_Daemon *start_daemon(struct server *server, int listener)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, server->certificate },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, server->key },
        { MHD_OPTION_END, 0, NULL },
    };

    if (server->key) flags |= MHD_USE_TLS;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, request_on_part, server, MHD_OPTION_EXTERNAL_LOGGER, be_silent, NULL,
        MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT, server->most_connections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)server->most_header,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_NOTIFY_COMPLETED,
        request_on_end, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_encoded, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, server->key ? tls : tls + 2,
        MHD_OPTION_END);
}

/* ---- While ---- */

static void run_timers(struct server *server)
{
    il_time now = il_now();

    for (struct timer *next; (next = timers_first(&server->timers)) && next->due <= now;)
        request_on_timer(next);
}

/* Nanoseconds until something is to be done, IL_FOREVER: nobody knows. */
static int64_t time_left(const struct server *server, il_time until)
{
    MHD_UNSIGNED_LONG_LONG milliseconds;
    const struct timer *next = timers_first(&server->timers);

    if (next && next->due < until) until = next->due;
    int64_t left = until == IL_FOREVER ? IL_FOREVER : until - il_now();
    if (MHD_get_timeout(server->daemon, &milliseconds) == MHD_YES &&
        milliseconds < (uint64_t)IL_SEC(3600) / IL_MS(1) && IL_MS((int64_t)milliseconds) < left)
        left = IL_MS((int64_t)milliseconds);
    return left < 0 ? 0 : left;
}

/* One turn. True: a signal wants it to end. */
static bool turn(struct server *server, int epoll, int signals, il_time until)
{
    struct pollfd fds[] = { { .fd = epoll, .events = POLLIN },
                            { .fd = signals, .events = POLLIN } };

    run_timers(server);
    MHD_run(server->daemon);
    int64_t left = time_left(server, until);
    struct timespec wait = { left / IL_SEC(1), left % IL_SEC(1) };
    if (left) ppoll(fds, 2, left == IL_FOREVER ? NULL : &wait, NULL);
    else poll(fds, 2, 0);
    struct signalfd_siginfo signal;
    return fds[1].revents && read(signals, &signal, sizeof signal) == sizeof signal;
}

static void serve(struct server *server, int signals)
{
    int epoll = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;

    while (!turn(server, epoll, signals, IL_FOREVER)) continue;
    int listener = MHD_quiesce_daemon(server->daemon);
    server->ending = true;
    for (struct timer *next; (next = timers_first(&server->timers));) request_on_timer(next);
    il_time until = il_after(GRACE);
    while (server->totals.active && il_now() < until && !turn(server, epoll, signals, until))
        continue;
    MHD_run(server->daemon); /* none may be suspended when it is stopped */
    if (listener >= 0) close(listener);
}

int server_run(struct server *server)
{
    sigset_t ends;
    int listener = open_listener(server);
    if (listener < 0) return TOOL_FAILED;

    unsigned room = find_room();
    if (!server->most_connections || server->most_connections > room)
        server->most_connections = room;
    find_address(server, listener);
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1);
    int signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
    server->daemon = start_daemon(server, listener);
    if (!server->daemon || signals < 0) {
        tool_say(server->key ? "cannot start; are certificate and key PEM files of one another?"
                             : "cannot start");
        return TOOL_FAILED;
    }
    server->totals.began = il_now();
    log_begin(server);
    serve(server, signals);
    MHD_stop_daemon(server->daemon);
    log_end(server);
    timers_free(&server->timers);
    close(signals);
    return TOOL_OK;
}
