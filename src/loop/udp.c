/* SPDX-License-Identifier: MIT */
/* UDP: a descriptor on a loop, as a stream is (poll.h). Each call tries before it waits. */

#include <interlock/udp.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "loop/address.h"
#include "loop/socket.h"

struct il_udp {
    il__poll poll;   /* first */
    uint32_t closed; /* atomic */
};

/* --- Opening --------------------------------------------------------------------------------- */

static int set(int fd, int name, int value)
{
    return setsockopt(fd, SOL_SOCKET, name, &value, sizeof value) ? -*il_errno() : 0;
}

static int set_all(int fd, const il_udp_opts *opts)
{
    int status = 0;
    if (opts->share) status = set(fd, SO_REUSEPORT, 1);
    if (!status && opts->broadcast) status = set(fd, SO_BROADCAST, 1);
    if (!status && opts->send_buffer) status = set(fd, SO_SNDBUF, opts->send_buffer);
    if (!status && opts->receive_buffer) status = set(fd, SO_RCVBUF, opts->receive_buffer);
    return status;
}

static int open_at(const il_address *address, const il_udp_opts *opts)
{
    int fd = il__socket_open(il__family_of(address), SOCK_DGRAM);
    if (fd < 0) return fd;
    int status = set_all(fd, opts);
    if (!status && bind(fd, il__sockaddr_of(address), address->size)) status = -*il_errno();
    if (!status) return fd;
    close(fd);
    return status;
}

/* The first of the addresses that can be had: a descriptor, or a status. */
static int open_any(const char *text, const il_udp_opts *opts)
{
    il_address addresses[IL__ADDRESSES];
    il__place place;
    size_t count = 0;
    int status = il__place_parse(text, "udp", &place);
    if (!status) status = il__place_resolve(&place, true, IL_FOREVER, addresses, &count);
    if (status) return status;
    for (size_t i = 0; i < count; i++)
        if ((status = open_at(&addresses[i], opts)) >= 0) return status;
    return il_fail(status, "open %s: %s", text, strerror(-status));
}

/* Of the addresses of the peer the first that this descriptor can reach. */
static int join(int fd, const char *text)
{
    il_address addresses[IL__ADDRESSES];
    il__place place;
    size_t count = 0;
    int status = il__place_parse(text, "udp", &place);
    if (!status) status = il__place_resolve(&place, false, IL_FOREVER, addresses, &count);
    if (status) return status;
    for (size_t i = 0; i < count; i++) {
        if (!connect(fd, (struct sockaddr *)&addresses[i].at, addresses[i].size)) return 0;
        status = -*il_errno();
    }
    return il_fail(status, "%s: %s", text, strerror(-status));
}

int il_udp_open(const char *address, const il_udp_opts *opts, il_udp **out_udp)
{
    static const il_udp_opts defaults;
    if (!opts) opts = &defaults;
    il__loop *loop = il__socket_loop(&(il_socket_opts){ .loop = opts->loop });
    if (!loop) return -EINVAL;
    int fd = open_any(address, opts);
    if (fd < 0) return fd;
    int status = opts->peer ? join(fd, opts->peer) : 0;
    il_udp *udp = status ? NULL : il__zalloc(sizeof *udp);
    if (!udp) {
        close(fd);
        return status ? status : -ENOMEM;
    }
    il__poll_init(&udp->poll, loop, fd);
    *out_udp = udp;
    return 0;
}

/* --- Messages -------------------------------------------------------------------------------- */

/* 1: try again. */
static int after_failed(il_udp *udp, int failed, il__way way, const char *what, il_time until)
{
    if (failed == EINTR) return 1;
    if (failed != EAGAIN) return -failed;
    il__poll_exhausted(&udp->poll, way);
    int status = il__poll_wait(&udp->poll, way, what, udp, until);
    return status ? status : 1;
}

int il_udp_send(il_udp *udp, const void *data, size_t size, const il_address *to, il_time until)
{
    const struct sockaddr *at = to ? il__sockaddr_of(to) : NULL;
    int status = 1;
    while (status > 0) {
        if (il__load_acquire(&udp->closed)) return -EPIPE;
        ssize_t count =
            sendto(udp->poll.fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL, at, to ? to->size : 0);
        int failed = *il_errno();
        status = count >= 0 ? 0 : after_failed(udp, failed, IL__OUT, "room to send", until);
    }
    return status;
}

int il_udp_recv(il_udp *udp, void *buffer, size_t size, il_time until, size_t *out_size,
                il_address *out_from)
{
    il_address from = { .size = 0 };
    int status = 1;
    while (status > 0) {
        if (il__load_acquire(&udp->closed)) return -EPIPE;
        from.size = sizeof from.at;
        ssize_t count = recvfrom(udp->poll.fd, buffer, size, MSG_DONTWAIT | MSG_TRUNC,
                                 (struct sockaddr *)&from.at, &from.size);
        int failed = *il_errno();
        if (count < 0) {
            status = after_failed(udp, failed, IL__IN, "message", until);
            continue;
        }
        il__poll_more(&udp->poll, IL__IN);
        *out_size = (size_t)count;
        if (out_from) *out_from = from;
        return 0;
    }
    return status;
}

/* --- The end --------------------------------------------------------------------------------- */

void il_udp_close(il_udp *udp)
{
    if (!udp || il__swap(&udp->closed, 1)) return;
    il__poll_shut(&udp->poll, IL__IN);
    il__poll_shut(&udp->poll, IL__OUT);
}

static void released(il__poll *poll)
{
    il__free((il_udp *)poll);
}

void il_udp_free(il_udp *udp)
{
    if (udp) il__poll_close(&udp->poll, released);
}

int il_udp_name(const il_udp *udp, il_address *out_address)
{
    il_address address = { .size = sizeof address.at };
    if (getsockname(udp->poll.fd, (struct sockaddr *)&address.at, &address.size))
        return -*il_errno();
    *out_address = address;
    return 0;
}

int il_udp_fd(const il_udp *udp)
{
    return udp->poll.fd;
}
