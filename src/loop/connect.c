/* SPDX-License-Identifier: MIT */
/* Connecting: each address of a name in turn, until one answers or the time is up. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "loop/address.h"
#include "loop/socket.h"

static int error_of(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size)) return -*il_errno();
    return -error;
}

/* Wait until it is connected or has failed. */
static int wait_until_connected(il_socket *socket, il_time until)
{
    il_address peer;
    int status = 0;
    il__poll_exhausted(&socket->poll, IL__OUT);
    while (!status) {
        status = il__poll_wait(&socket->poll, IL__OUT, "connection", socket, until);
        if (!status) status = error_of(socket->poll.fd);
        if (!status && !il_socket_peer(socket, &peer)) return 0;
        il__poll_exhausted(&socket->poll, IL__OUT);
    }
    return status;
}

/* A Unix socket whose listener has more waiting than it wants: there is nothing to be told by. */
static int try_again_later(il_time until)
{
    if (until == IL_NOW) return -EAGAIN;
    il_time next = il_after(IL_MS(1));
    int status = il_sleep(next < until ? next : until);
    return status || il_now() < until ? status : -ETIMEDOUT;
}

static int connect_socket(il_socket *socket, const il_address *to, il_time until)
{
    for (;;) {
        if (!connect(socket->poll.fd, il__sockaddr_of(to), to->size)) return 0;
        int failed = *il_errno();
        if (failed == EINPROGRESS || failed == EINTR) return wait_until_connected(socket, until);
        if (failed != EAGAIN || il__family_of(to) != AF_UNIX)
            return failed == EAGAIN ? -EADDRNOTAVAIL : -failed; /* EAGAIN: no free port */
        int status = try_again_later(until);
        if (status) return status;
    }
}

static int connect_to(il__loop *loop, const il_address *to, const il_socket_opts *opts,
                      il_time until, il_socket **out_socket)
{
    il_socket *socket = NULL;
    int fd = il__socket_open(il__family_of(to), SOCK_STREAM);
    if (fd < 0) return fd;
    int status = il__socket_set(fd, il__family_of(to), opts, false);
    if (!status) status = il__socket_new(loop, fd, opts, false, &socket);
    if (status) {
        close(fd);
        return status;
    }
    status = connect_socket(socket, to, until);
    if (status) il_socket_free(socket);
    else *out_socket = socket;
    return status;
}

/* The caller's own affair: another address would not help. */
static bool is_final(int status)
{
    return status == -ETIMEDOUT || status == -ECANCELED || status == -EAGAIN || status == -ENOMEM ||
           status == -EMFILE || status == -ENFILE;
}

int il_socket_connect(const char *address, const il_socket_opts *opts, il_time until,
                      il_socket **out_socket)
{
    il_address addresses[IL__ADDRESSES];
    il__place place;
    size_t count = 0;
    il__loop *loop = il__socket_loop(opts);
    int status = loop ? il__place_parse(address, NULL, &place) : -EINVAL;
    if (!status) status = il__place_resolve(&place, false, until, addresses, &count);
    if (status) return status;
    for (size_t i = 0; i < count; i++) {
        status = connect_to(loop, &addresses[i], opts, until, out_socket);
        if (!status) return 0;
        if (is_final(status)) break;
    }
    return il_fail(status, "connect to %s: %s", address, il_strerror(status));
}
