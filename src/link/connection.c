/* SPDX-License-Identifier: MIT */
/* Connections, and how one is made by the side that connects. */

#include "link/connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "proc/watcher.h"

enum { FULL = 5 /* milliseconds until a queue that was full is tried again */ };

struct il_connection {
    il_frames *frames;
    char address[IL__ADDRESS_TEXT];
};

/* --- Both sides ------------------------------------------------------------------------------ */

int il__connection_check(const il_connection_opts *opts)
{
    if (!opts->key != !opts->key_size || opts->handshake < 0) return -EINVAL;
    if (!opts->key || il__mac_works()) return 0;
    return il_fail(-ENOTSUP, "this library was built without libsodium, which keys need");
}

void il__connection_tune(int fd, const il__address *peer)
{
    int on = 1;
    if (peer->any.sa_family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int il__connection_new(int fd, const il__address *peer, const il_connection_opts *opts,
                       il_connection **out_connection)
{
    il_connection *connection = il__zalloc(sizeof *connection);
    if (!connection) return -ENOMEM;
    il__address_print(peer, connection->address);
    int status =
        il_frames_new(fd, fd, &(il_frames_opts){ .most = opts->most }, &connection->frames);
    if (status) il__free(connection);
    else *out_connection = connection;
    return status;
}

int il_connection_send(il_connection *connection, const void *data, size_t size, il_time until)
{
    return il_frames_send(connection->frames, data, size, until);
}

int il_connection_receive(il_connection *connection, void *buffer, size_t size, il_time until,
                          size_t *out_size)
{
    return il_frames_receive(connection->frames, buffer, size, until, out_size);
}

int il_connection_close(il_connection *connection, il_time until)
{
    return il_frames_close(connection->frames, until);
}

const char *il_connection_address(const il_connection *connection)
{
    return connection->address;
}

il_frames *il_connection_frames(il_connection *connection)
{
    return connection->frames;
}

void il_connection_free(il_connection *connection)
{
    if (!connection) return;
    il_frames_free(connection->frames);
    il__free(connection);
}

/* --- Connecting ------------------------------------------------------------------------------ */

static int wait_for(int fd, uint32_t events, const char *what, const char *address, il_time until)
{
    il__watch watch = { .fd = fd, .events = events };
    if (until == IL_NOW) return -EAGAIN;
    int status = il__watch_wait(&watch, what, address, IL__CANCELS, until);
    il__watch_close(&watch);
    return status;
}

static int error_of(int fd)
{
    int failed = 0;
    socklen_t size = sizeof failed;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) ? -errno : -failed;
}

/* A Unix socket whose queue is full tells nobody when it is not any more. */
static int wait_for_queue(il_time until)
{
    il_time soon = il_after(IL_MS(FULL));
    if (until == IL_NOW) return -EAGAIN;
    if (until < soon && until != IL_FOREVER) return -ETIMEDOUT;
    return il_sleep(soon);
}

static int reach(int fd, const il__address *address, const char *text, il_time until)
{
    while (connect(fd, &address->any, address->size)) {
        int failed = *il_errno(), status = 0;
        if (failed == EINPROGRESS || failed == EINTR) {
            status = wait_for(fd, EPOLLOUT, "a connection", text, until);
            return status ? status : error_of(fd);
        }
        if (failed == EAGAIN) status = wait_for_queue(until);
        else status = -failed;
        if (status) return status;
    }
    return 0;
}

static int shake_hands(int fd, const il_connection_opts *opts, const char *text, il_time until)
{
    il__handshake handshake;
    int status;
    il__handshake_init(&handshake, fd, false, opts->key, opts->key_size);
    while ((status = il__handshake_go(&handshake)) == -EAGAIN) {
        status = wait_for(fd, EPOLLIN, "a handshake", text, until);
        if (status) return status;
    }
    if (status == -EACCES)
        return il_fail(status, "%s: the other side has another key, or none is wanted", text);
    return status;
}

static il_time handshake_end(const il_connection_opts *opts, il_time until)
{
    il_time most = il_after(opts->handshake ? opts->handshake : IL_SEC(IL__HANDSHAKE_SECONDS));
    return until < most ? until : most;
}

int il_connect(const char *address, const il_connection_opts *opts, il_time until,
               il_connection **out_connection)
{
    static const il_connection_opts defaults = { 0 };
    if (!opts) opts = &defaults;
    il__address peer;
    int status = il__connection_check(opts);
    if (!status && il__address_parse(address, &peer))
        status = il_fail(-EINVAL, "\"%s\" is no address", address);
    if (status) return status;

    int fd = il__refused()
                 ? -1
                 : socket(peer.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -EMFILE;
    il__connection_tune(fd, &peer);
    status = reach(fd, &peer, address, until);
    if (!status) status = shake_hands(fd, opts, address, handshake_end(opts, until));
    if (!status) status = il__connection_new(fd, &peer, opts, out_connection);
    if (status) close(fd);
    return status;
}
