/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing a stream. Try, then wait; and where the last read took all there was, wait,
 * then try: a conversation costs one receive and one send a message, as it does without a library.
 */

#include <errno.h>

#include "loop/socket.h"
#include "wait/agent.h"

static int closed_here(const il_socket *socket)
{
    return il__load_acquire(&socket->closed) ? -EPIPE : 0;
}

/* What a receive that got nothing means; 1: try again. */
static int after_failed(il_socket *socket, int failed, il__way way, const char *what, il_time until)
{
    if (failed == EINTR) return 1;
    if (closed_here(socket)) return -EPIPE;
    if (failed != EAGAIN) return -failed;
    il__poll_exhausted(&socket->poll, way);
    int status = il__poll_wait(&socket->poll, way, what, socket, until);
    return status ? status : 1;
}

/* Nothing has come since the last read took all: wait before trying. */
static int wait_first(il_socket *socket, il_time until)
{
    if (il__poll_promising(&socket->poll, IL__IN)) return 0;
    if (until == IL_NOW) return 0; /* a look, whatever the loop has noticed so far */
    return il__poll_wait(&socket->poll, IL__IN, "data", socket, until);
}

/* Less than there was room for: that is all there was. */
static void took(il_socket *socket, size_t count, size_t size)
{
    if (count && count < size) {
        il__poll_exhausted(&socket->poll, IL__IN);
    } else {
        il__poll_more(&socket->poll, IL__IN);
        il__socket_share(socket);
    }
}

int il_socket_read(il_socket *socket, void *buffer, size_t size, il_time until, size_t *out_size)
{
    int status = wait_first(socket, until);
    if (!status) status = closed_here(socket);
    if (status) return status;
    do {
        ssize_t count = recv(socket->poll.fd, buffer, size, MSG_DONTWAIT);
        int failed = *il_errno();
        if (count < 0) {
            status = after_failed(socket, failed, IL__IN, "data", until);
            continue;
        }
        if (!count && size && closed_here(socket)) return -EPIPE;
        took(socket, (size_t)count, size);
        *out_size = (size_t)count;
        return 0;
    } while (status > 0);
    return status;
}

int il_socket_read_all(il_socket *socket, void *buffer, size_t size, il_time until,
                       size_t *out_size)
{
    size_t done = 0, more = 1;
    int status = 0;
    while (!status && done < size && more) {
        status = il_socket_read(socket, (char *)buffer + done, size - done, until, &more);
        if (!status) done += more;
    }
    if (out_size) *out_size = done;
    return status || done == size ? status : -ENODATA;
}

int il_socket_write(il_socket *socket, const void *data, size_t size, il_time until,
                    size_t *out_size)
{
    const char *bytes = data;
    size_t done = 0;
    int status = closed_here(socket);
    while (status >= 0 && done < size) {
        ssize_t count =
            send(socket->poll.fd, bytes + done, size - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        int failed = *il_errno();
        if (count < 0) {
            status = after_failed(socket, failed, IL__OUT, "room to send", until);
            continue;
        }
        done += (size_t)count;
    }
    if (out_size) *out_size = done;
    return status < 0 ? status : 0;
}

int il_socket_shutdown(il_socket *socket)
{
    return shutdown(socket->poll.fd, SHUT_WR) ? -errno : 0;
}
