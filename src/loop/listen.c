/* SPDX-License-Identifier: MIT */
/* Sockets that listen, and taking what comes in. */

#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "loop/address.h"
#include "loop/socket.h"

enum { BACKLOG = 4096 };

/* --- Listening ------------------------------------------------------------------------------- */

static const char *path_of(const il_address *address)
{
    const char *path = ((const struct sockaddr_un *)&address->at)->sun_path;
    return il__family_of(address) == AF_UNIX && *path ? path : NULL;
}

/* Does nobody listen at this file any more? */
static bool is_left_over(const il_address *address)
{
    int fd = il__socket_open(AF_UNIX, SOCK_STREAM);
    if (fd < 0) return false;
    bool refused =
        connect(fd, il__sockaddr_of(address), address->size) && *il_errno() == ECONNREFUSED;
    close(fd);
    return refused;
}

static int bind_to(int fd, const il_address *address)
{
    const struct sockaddr *at = il__sockaddr_of(address);
    if (!bind(fd, at, address->size)) return 0;
    int status = -*il_errno();
    if (status != -EADDRINUSE || !path_of(address) || !is_left_over(address)) return status;
    unlink(path_of(address));
    return bind(fd, at, address->size) ? -*il_errno() : 0;
}

static int open_at(const il_address *address, const il_socket_opts *opts, int *out_fd)
{
    int backlog = opts && opts->backlog > 0 ? opts->backlog : BACKLOG;
    int fd = il__socket_open(il__family_of(address), SOCK_STREAM);
    if (fd < 0) return fd;
    int status = il__socket_set(fd, il__family_of(address), opts, true);
    if (!status) status = bind_to(fd, address);
    if (!status && listen(fd, backlog)) status = -*il_errno();
    if (status) close(fd);
    else *out_fd = fd;
    return status;
}

static int listen_at(il__loop *loop, const il_address *address, const il_socket_opts *opts,
                     il_socket **out_socket)
{
    int fd = -1, status = open_at(address, opts, &fd);
    if (status) return status;
    const char *path = path_of(address);
    char *copy = path ? il__copy_string(path) : NULL;
    status = path && !copy ? -ENOMEM : il__socket_new(loop, fd, opts, true, out_socket);
    if (!status) {
        (*out_socket)->path = copy;
        return 0;
    }
    if (path) unlink(path);
    il__free(copy);
    close(fd);
    return status;
}

int il_socket_listen(const char *address, const il_socket_opts *opts, il_socket **out_socket)
{
    il_address addresses[IL__ADDRESSES];
    il__place place;
    size_t count = 0;
    il__loop *loop = il__socket_loop(opts);
    int status = loop ? il__place_parse(address, NULL, &place) : -EINVAL;
    if (!status) status = il__place_resolve(&place, true, IL_FOREVER, addresses, &count);
    if (status) return status;
    for (size_t i = 0; i < count; i++) {
        status = listen_at(loop, &addresses[i], opts, out_socket);
        if (!status) return 0;
    }
    return il_fail(status, "listen at %s: %s", address, strerror(-status));
}

/* --- Accepting ------------------------------------------------------------------------------- */

/* Of the network, or of that one connection: the next may be fine. */
static bool passes(int failed)
{
    static const int those[] = { EINTR,     ECONNABORTED, EPROTO,       ENETDOWN,   ENOPROTOOPT,
                                 EHOSTDOWN, ENONET,       EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH };
    for (size_t i = 0; i < sizeof those / sizeof *those; i++)
        if (those[i] == failed) return true;
    return false;
}

/* Nothing has come in. Closed: and nothing more is let in. */
static int wait_for_one(il_socket *listener, il_time until)
{
    if (il__load_acquire(&listener->closed)) {
        shutdown(listener->poll.fd, SHUT_RD);
        return -EPIPE;
    }
    il__poll_exhausted(&listener->poll, IL__IN);
    int status = il__poll_wait(&listener->poll, IL__IN, "connection", listener, until);
    return status == -EPIPE ? 0 : status; /* closed while it waited: look what is left */
}

/* A descriptor, or a status. */
static int accept_one(il_socket *listener, il_time until)
{
    int status = 0;
    if (!il__poll_promising(&listener->poll, IL__IN) && until != IL_NOW)
        status = wait_for_one(listener, until);
    while (!status) {
        if (il__refused()) return -EMFILE;
        int fd = accept4(listener->poll.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        int failed = *il_errno();
        if (fd >= 0) return fd;
        if (failed == EINVAL && il__load_acquire(&listener->closed)) return -EPIPE;
        if (failed == EAGAIN) status = wait_for_one(listener, until);
        else if (!passes(failed)) return -failed;
    }
    return status;
}

int il_socket_accept(il_socket *listener, il_time until, il_socket **out_socket)
{
    if (!listener->listening) return -EINVAL;
    int fd = accept_one(listener, until);
    if (fd < 0) return fd;
    il__poll_more(&listener->poll, IL__IN);
    il__socket_share(listener);
    il__loop *here = il__loop_here();
    il_socket_opts opts = { .high_water = listener->high_water };
    int status = il__socket_new(here ? here : listener->poll.loop, fd, &opts, false, out_socket);
    if (status) close(fd);
    return status;
}
