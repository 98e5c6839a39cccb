/* SPDX-License-Identifier: MIT */
/*
 * Callbacks of sockets: a follower takes the place of those who wait at the poll.
 *
 * All of a follower is the loop's thread's, but for `posts`, which counts the posts on their way:
 * one begins it, one tells it that the socket was closed. When the socket is freed before the second
 * comes, that releases the follower.
 *
 * The protocol may close or free the socket in any call, so after each call it is looked at anew. The
 * memory of a freed one stays until libuv has let go of its handle, which is after this event.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "loop/socket.h"

enum { SCRATCH = 64 << 10, ROUNDS = 16, ACCEPTS = 64 };

struct chunk {
    struct chunk *next;
    size_t size, sent;
    char bytes[];
};

struct il__follower {
    il_socket *socket; /* NULL: freed */
    const il_protocol *protocol;
    void *arg;
    il__post begin, closed;
    unsigned posts; /* atomic */
    int spare;      /* of a listener: a descriptor to have one left, or -1 */
    bool paused;
    bool ended;     /* the other side sends no more */
    bool finishing; /* we send no more than what is queued */
    bool finished;  /* nor that */
    bool above;     /* the high-water mark, and not down to the lower one since */
    bool over;      /* on_close was called, or is to be called no more */
    int failure;    /* of a send, to be told by the next event */
    size_t queued;
    struct chunk *first, *last;
};

/* --- The end --------------------------------------------------------------------------------- */

static void drop_queue(il__follower *follower)
{
    for (struct chunk *chunk; (chunk = follower->first);) {
        follower->first = chunk->next;
        il__free(chunk);
    }
    follower->last = NULL;
    follower->queued = 0;
}

static void release(il__follower *follower)
{
    drop_queue(follower);
    if (follower->spare >= 0) close(follower->spare);
    il__free(follower);
}

static bool is_over(const il__follower *follower)
{
    return follower->over || uv_is_closing((const uv_handle_t *)&follower->socket->poll.handle);
}

static void stop(il__follower *follower)
{
    il_socket *socket = follower->socket;
    follower->over = true;
    drop_queue(follower);
    socket->poll.tell = NULL;
    il__poll_disarm(&socket->poll, IL__IN);
    il__poll_disarm(&socket->poll, IL__OUT);
}

static void end(il__follower *follower, int status)
{
    if (is_over(follower)) return;
    stop(follower);
    if (follower->protocol->on_close)
        follower->protocol->on_close(follower->socket, status, follower->arg);
    else il_socket_free(follower->socket);
}

void il__follower_free(il_socket *socket)
{
    il__follower *follower = socket->follower;
    if (!follower) return;
    follower->socket = NULL;
    if (!il__load_acquire(&follower->posts)) release(follower);
}

/* --- Sending --------------------------------------------------------------------------------- */

/* What the kernel takes of it; or, when it has failed, nothing, which the next event tells. */
static size_t send_some(il__follower *follower, const void *data, size_t size)
{
    ssize_t count = send(follower->socket->poll.fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN && errno != EINTR) follower->failure = -errno;
    return count < 0 ? 0 : (size_t)count;
}

static bool queue(il__follower *follower, const void *data, size_t size)
{
    struct chunk *chunk = il__alloc(sizeof *chunk + size);
    if (!chunk) return false;
    *chunk = (struct chunk){ .size = size };
    memcpy(chunk->bytes, data, size);
    if (follower->last) follower->last->next = chunk;
    else follower->first = chunk;
    follower->last = chunk;
    follower->queued += size;
    return true;
}

int il_socket_send(il_socket *socket, const void *data, size_t size)
{
    il__follower *follower = socket->follower;
    if (!follower || is_over(follower) || follower->finishing || follower->failure) return -EPIPE;
    size_t sent = follower->first || !size ? 0 : send_some(follower, data, size);
    if (!follower->failure && sent < size &&
        !queue(follower, (const char *)data + sent, size - sent))
        follower->failure = -ENOMEM;
    if (follower->failure || follower->first) il__poll_arm(&socket->poll, IL__OUT);
    if (follower->failure) return follower->failure == -ENOMEM ? -ENOMEM : -EPIPE;
    if (follower->queued > socket->high_water) follower->above = true;
    return follower->above;
}

static void send_queue(il__follower *follower)
{
    for (struct chunk *chunk; (chunk = follower->first) && !follower->failure;) {
        size_t sent = send_some(follower, chunk->bytes + chunk->sent, chunk->size - chunk->sent);
        chunk->sent += sent;
        follower->queued -= sent;
        if (chunk->sent < chunk->size) return;
        follower->first = chunk->next;
        if (!follower->first) follower->last = NULL;
        il__free(chunk);
    }
}

/* Nothing is left to be sent: half-close; and if the other side has ended too, that was it. */
static void finish_now(il__follower *follower)
{
    if (!follower->finished) shutdown(follower->socket->poll.fd, SHUT_WR);
    follower->finished = true;
    if (follower->ended) end(follower, 0);
}

static void on_writable(il__follower *follower)
{
    il_socket *socket = follower->socket;
    send_queue(follower);
    if (follower->failure) {
        end(follower, follower->failure);
        return;
    }
    if (!follower->first) il__poll_disarm(&socket->poll, IL__OUT);
    if (follower->above && follower->queued <= socket->high_water / 4) {
        follower->above = false;
        if (follower->protocol->on_drain) follower->protocol->on_drain(socket, follower->arg);
        if (is_over(follower)) return;
    }
    if (follower->finishing && !follower->first) finish_now(follower);
}

void il_socket_finish(il_socket *socket)
{
    il__follower *follower = socket->follower;
    if (!follower || is_over(follower) || follower->finishing) return;
    follower->finishing = true;
    il__poll_arm(&socket->poll, IL__OUT); /* the rest is said by the next event */
}

size_t il_socket_queued(const il_socket *socket)
{
    return socket->follower ? socket->follower->queued : 0;
}

/* --- Receiving ------------------------------------------------------------------------------- */

static void on_end(il__follower *follower)
{
    follower->ended = true;
    il__poll_disarm(&follower->socket->poll, IL__IN);
    if (follower->protocol->on_end) follower->protocol->on_end(follower->socket, follower->arg);
    else il_socket_finish(follower->socket);
    if (!is_over(follower) && follower->finished) end(follower, 0);
}

/* One buffer for all sockets of a loop. */
static void *scratch_of(il__loop *loop)
{
    if (!loop->scratch) loop->scratch = il__alloc(SCRATCH);
    return loop->scratch;
}

/* True: there may be more. */
static bool receive(il__follower *follower)
{
    il_socket *socket = follower->socket;
    void *buffer = scratch_of(socket->poll.loop);
    if (!buffer) {
        end(follower, -ENOMEM);
        return false;
    }
    ssize_t count = recv(socket->poll.fd, buffer, SCRATCH, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (count < 0) end(follower, -errno);
    else if (!count) on_end(follower);
    else if (follower->protocol->on_data)
        follower->protocol->on_data(socket, buffer, (size_t)count, follower->arg);
    return count == SCRATCH;
}

static void on_readable(il__follower *follower)
{
    bool more = true;
    for (int i = 0; i < ROUNDS && more; i++) {
        if (is_over(follower) || follower->paused || follower->ended) return;
        more = receive(follower);
    }
}

void il_socket_pause(il_socket *socket)
{
    il__follower *follower = socket->follower;
    if (!follower || is_over(follower)) return;
    follower->paused = true;
    il__poll_disarm(&socket->poll, IL__IN);
}

void il_socket_resume(il_socket *socket)
{
    il__follower *follower = socket->follower;
    if (!follower || is_over(follower) || follower->ended) return;
    follower->paused = false;
    il__poll_arm(&socket->poll, IL__IN);
}

/* --- Connections that come in ---------------------------------------------------------------- */

static int follow(il_socket *socket, const il_protocol *protocol, void *arg, bool now);

/* No descriptor is left: let go of the spare one, so that who waits learns that nobody will come.
 * False: that did not help. */
static bool turn_away(il__follower *follower)
{
    if (follower->spare >= 0) close(follower->spare);
    int fd = accept4(follower->socket->poll.fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) close(fd);
    follower->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0;
}

/* False: nothing more has come in. */
static bool take_one(il__follower *follower)
{
    il_socket *listener = follower->socket, *socket = NULL;
    int status = il_socket_accept(listener, IL_NOW, &socket);
    if (status == -EMFILE || status == -ENFILE) return turn_away(follower);
    if (status) return status == -ENOMEM;
    if (follow(socket, follower->protocol, follower->arg, true)) il_socket_free(socket);
    return true;
}

static void on_connection(il__follower *follower)
{
    for (int i = 0; i < ACCEPTS && !is_over(follower); i++)
        if (!take_one(follower)) return;
}

/* --- Beginning ------------------------------------------------------------------------------- */

static void tell(il__poll *poll, il__way way)
{
    il_socket *socket = (il_socket *)poll;
    il__follower *follower = socket->follower;
    if (is_over(follower)) return;
    if (socket->listening) on_connection(follower);
    else if (way == IL__IN) on_readable(follower);
    else on_writable(follower);
}

/* Armed first, so that there is a handle, which keeps a socket that is freed in its first call. */
static void begin(il__follower *follower)
{
    il_socket *socket = follower->socket;
    socket->poll.tell = tell;
    il__poll_arm(&socket->poll, IL__IN);
    int status = il__load(&socket->poll.status);
    if (status) end(follower, status); /* the loop cannot watch it */
    else if (!socket->listening && follower->protocol->on_open)
        follower->protocol->on_open(socket, follower->arg);
}

/* A post has come. NULL: it was the last thing to do with that follower. */
static il__follower *arrived(il__follower *follower)
{
    unsigned left = il__sub(&follower->posts, 1) - 1;
    if (follower->socket) return follower;
    if (!left) release(follower);
    return NULL;
}

static void begin_posted(il__post *post)
{
    il__follower *follower = arrived(il__of((void *)post, il__follower, begin));
    if (follower) begin(follower);
}

static void closed_posted(il__post *post)
{
    il__follower *follower = arrived(il__of((void *)post, il__follower, closed));
    if (!follower || is_over(follower)) return;
    if (!follower->socket->listening) {
        end(follower, -EPIPE);
        return;
    }
    while (!is_over(follower) && take_one(follower)) {} /* those that are waiting already */
    stop(follower);
}

void il__follower_closed(il_socket *socket)
{
    il__follower *follower = il__load_acquire(&socket->follower);
    if (!follower) return;
    il__add(&follower->posts, 1);
    il__loop_post(socket->poll.loop, &follower->closed);
}

static int follow(il_socket *socket, const il_protocol *protocol, void *arg, bool now)
{
    il__follower *follower = il__zalloc(sizeof *follower), *nobody = NULL;
    if (!follower) return -ENOMEM;
    follower->socket = socket;
    follower->protocol = protocol;
    follower->arg = arg;
    follower->begin.fn = begin_posted;
    follower->closed.fn = closed_posted;
    follower->posts = !now;
    follower->spare = socket->listening ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    /* release: pairs with the acquire in il__follower_closed */
    if (!il__cas(&socket->follower, &nobody, follower)) {
        release(follower);
        return -EALREADY;
    }
    if (now) begin(follower);
    else il__loop_post(socket->poll.loop, &follower->begin);
    return 0;
}

int il_socket_follow(il_socket *socket, const il_protocol *protocol, void *arg)
{
    return socket->listening ? -EINVAL : follow(socket, protocol, arg, false);
}

int il_socket_serve(il_socket *listener, const il_protocol *protocol, void *arg)
{
    return listener->listening ? follow(listener, protocol, arg, false) : -EINVAL;
}
