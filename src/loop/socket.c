/* SPDX-License-Identifier: MIT */
/*
 * Sockets: made, set, closed, looked at.
 *
 * A descriptor is closed only when its socket is freed: a close from elsewhere shuts the connection
 * down, which wakes who waits and lets no number of a descriptor be another's while somebody still
 * uses it.
 */

#include "loop/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"
#include "wait/choice.h"

enum { TURN = 32 };

static const il_socket_opts defaults;

/* --- Making ---------------------------------------------------------------------------------- */

il__loop *il__socket_loop(const il_socket_opts *opts)
{
    il__loop *loop = opts && opts->loop ? il__loop_of(opts->loop) : il__loop_here();
    if (!loop) il_fail(-EINVAL, "a socket needs a loop: .loop, or a task of one");
    return loop;
}

int il__socket_open(int family, int type)
{
    if (il__refused()) return -EMFILE;
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static int set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) ? -errno : 0;
}

static int set_keep_alive(int fd, int64_t silence)
{
    int64_t seconds = silence / IL_SEC(1);
    int64_t most = 32767; /* Linux' own limit */
    int count = (int)(seconds < 1 ? 1 : seconds > most ? most : seconds);
    int status = set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (!status) status = set(fd, IPPROTO_TCP, TCP_KEEPIDLE, count);
    if (!status) status = set(fd, IPPROTO_TCP, TCP_KEEPINTVL, count > 10 ? count / 10 : 1);
    return status;
}

int il__socket_set(int fd, int family, const il_socket_opts *opts, bool listening)
{
    bool tcp = family == AF_INET || family == AF_INET6;
    int status = 0;
    if (!opts) opts = &defaults;
    if (opts->send_buffer) status = set(fd, SOL_SOCKET, SO_SNDBUF, opts->send_buffer);
    if (!status && opts->receive_buffer)
        status = set(fd, SOL_SOCKET, SO_RCVBUF, opts->receive_buffer);
    if (status || !tcp) return status;
    /* Those that come in inherit what their listener has. */
    if (!opts->delay) status = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (!status && opts->keep_alive > 0) status = set_keep_alive(fd, opts->keep_alive);
    if (!status && listening) status = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!status && listening && opts->share) status = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (!status && listening && family == AF_INET6)
        status = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, opts->only_v6);
    return status;
}

int il__socket_new(il__loop *loop, int fd, const il_socket_opts *opts, bool listening,
                   il_socket **out_socket)
{
    il_socket *socket = il__zalloc(sizeof *socket);
    if (!socket) return -ENOMEM;
    il__poll_init(&socket->poll, loop, fd);
    socket->listening = listening;
    socket->high_water = opts && opts->high_water ? opts->high_water : 64 << 10;
    *out_socket = socket;
    return 0;
}

int il_socket_adopt(int fd, const il_socket_opts *opts, il_socket **out_socket)
{
    il__loop *loop = il__socket_loop(opts);
    int family = AF_UNSPEC;
    socklen_t size = sizeof family;
    if (!loop) return -EINVAL;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size)) return -errno;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC)) return -errno;
    int status = il__socket_set(fd, family, opts, false);
    return status ? status : il__socket_new(loop, fd, opts, false, out_socket);
}

/* --- Ending ---------------------------------------------------------------------------------- */

static void close_with(il_socket *socket, void (*end)(int fd))
{
    if (!socket || il__swap(&socket->closed, 1)) return;
    if (!socket->listening) end(socket->poll.fd);
    il__poll_shut(&socket->poll, IL__IN);
    il__poll_shut(&socket->poll, IL__OUT);
    il__follower_closed(socket);
}

static void shut_down(int fd)
{
    shutdown(fd, SHUT_RDWR);
}

/* To connect to nothing at all is to forget, in Linux; what is no TCP has no reset. (By its number, as
 * TSan takes connect() for the making of a descriptor, which others may be watching already.) */
static void forget(int fd)
{
    struct sockaddr nothing = { .sa_family = AF_UNSPEC };
    if (syscall(SYS_connect, fd, &nothing, sizeof nothing)) shut_down(fd);
}

void il_socket_close(il_socket *socket)
{
    close_with(socket, shut_down);
}

void il_socket_reset(il_socket *socket)
{
    close_with(socket, forget);
}

static void released(il__poll *poll)
{
    il_socket *socket = (il_socket *)poll;
    il__follower_free(socket);
    il__free(socket->path);
    il__free(socket);
}

void il_socket_free(il_socket *socket)
{
    if (!socket) return;
    bool ours =
        il__loop_of(il_socket_loop(socket)); /* and not of the process that forked this one */
    if (socket->path && ours) unlink(socket->path);
    il__poll_close(&socket->poll, released);
}

/* --- Looking at it --------------------------------------------------------------------------- */

static int address_of(int (*ask)(int, struct sockaddr *, socklen_t *), const il_socket *socket,
                      il_address *out_address)
{
    il_address address = { .size = sizeof address.at };
    if (ask(socket->poll.fd, (struct sockaddr *)&address.at, &address.size)) return -errno;
    *out_address = address;
    return 0;
}

static int ask_name(int fd, struct sockaddr *at, socklen_t *size)
{
    return getsockname(fd, at, size);
}

static int ask_peer(int fd, struct sockaddr *at, socklen_t *size)
{
    return getpeername(fd, at, size);
}

int il_socket_name(const il_socket *socket, il_address *out_address)
{
    return address_of(ask_name, socket, out_address);
}

int il_socket_peer(const il_socket *socket, il_address *out_address)
{
    return address_of(ask_peer, socket, out_address);
}

int il_socket_port(const il_socket *socket)
{
    il_address address = { 0 };
    if (il_socket_name(socket, &address)) return 0;
    if (il__family_of(&address) == AF_INET)
        return ntohs(((struct sockaddr_in *)&address.at)->sin_port);
    if (il__family_of(&address) == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address.at)->sin6_port);
    return 0;
}

int il_socket_fd(const il_socket *socket)
{
    return socket->poll.fd;
}

il_executor *il_socket_loop(const il_socket *socket)
{
    return &socket->poll.loop->pool.executor;
}

void il__socket_share(il_socket *socket)
{
    unsigned eager = il__load(&socket->eager) + 1; /* a hint: reader and writer may both count */
    il__store(&socket->eager, eager);
    if (eager % TURN == 0) il_yield();
}

/* --- Select ---------------------------------------------------------------------------------- */

/* Before a select waits it looks at each case, so this is where the loop is asked to watch. */
static bool promising(const il_case *what, il__way way)
{
    il_socket *socket = what->il__on;
    if (il__poll_promising(&socket->poll, way)) return true;
    il__poll_arm(&socket->poll, way);
    return il__poll_promising(&socket->poll, way);
}

static il__gate *gate_in(const il_case *what)
{
    return &((il_socket *)what->il__on)->poll.gate[IL__IN];
}

static il__gate *gate_out(const il_case *what)
{
    return &((il_socket *)what->il__on)->poll.gate[IL__OUT];
}

static bool promising_in(const il_case *what)
{
    return promising(what, IL__IN);
}

static bool promising_out(const il_case *what)
{
    return promising(what, IL__OUT);
}

static int take(const il__gate *gate)
{
    return il__gate_state(gate) & (IL__POLL_READY | IL__POLL_SHUT) ? 0 : -EAGAIN;
}

static int take_in(il_case *what, il__waiter **woken)
{
    (void)woken;
    return take(gate_in(what));
}

static int take_out(il_case *what, il__waiter **woken)
{
    (void)woken;
    return take(gate_out(what));
}

const il__choice il__choice_readable = {
    .gate = gate_in,
    .promising = promising_in,
    .take = take_in,
};
const il__choice il__choice_writable = {
    .gate = gate_out,
    .promising = promising_out,
    .take = take_out,
};
