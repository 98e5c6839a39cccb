/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_SOCKET_H
#define INTERLOCK_SOCKET_H

/*
 * Socket: bytes to and from another program, in order, over TCP or a Unix socket; or a place where
 * such connections come in, a listening one.
 *
 *     il_socket *listener = NULL, *one = NULL;
 *     int status = il_socket_listen("tcp:127.0.0.1:7000", NULL, &listener);
 *     while (!status && !(status = il_socket_accept(listener, IL_FOREVER, &one)))
 *         status = il_go(scope, serve, one, NULL);       // one fiber a connection
 *     il_socket_free(listener);
 *
 * It belongs to a loop (loop.h), which watches it, and is freed before that. What waits for it parks:
 * a task of the loop, of another loop or of a pool, or a thread. Any of them may use it, but at any
 * time one reads and one writes; accept, and what does not wait, is for several at once.
 *
 * States: open; ended one way (il_socket_shutdown, or the other side did); closed (il_socket_close);
 * freed. A listening one is open, draining (il_socket_close: what has come in is still accepted,
 * nothing new) or closed.
 *
 * Addresses are text: "tcp:HOST:PORT" (a name, a number, "[::1]", "*" for every address of this
 * machine; port 0: one that is free), "unix:PATH" (a file), "unix:@NAME" (Linux' names without one).
 *
 * Failures are the system's: -ECONNREFUSED, -ECONNRESET, -EADDRINUSE, -ENETUNREACH, ..., -EPIPE (the
 * other side reads no more, or it was closed here; no SIGPIPE is raised), and of names those of
 * resolve.h. Where an address is part of it, il_last_error has it in words.
 *
 * Data that the other side does not take stays with the one who writes, who waits: a socket has no
 * queue of its own beside the kernel's, unless callbacks use it (il_socket_follow).
 */

#include <interlock/executor.h>
#include <interlock/resolve.h>
#include <interlock/select.h>

IL__BEGIN

typedef struct il_socket il_socket;

/* All zero is each default; NULL means all defaults. */
typedef struct il_socket_opts {
    il_executor *loop;  /* that it belongs to; NULL: the one that the caller runs on */
    int backlog;        /* listening: connections that the kernel accepts ahead; 0: 4096 */
    bool share;         /* listening, TCP: others may listen at the same port, and share what comes
                               in: several loops, or several processes of the same user */
    bool only_v6;       /* listening at "[::]": without IPv4 */
    bool delay;         /* TCP: collect small writes (Nagle). Otherwise each goes out at once */
    int64_t keep_alive; /* TCP: nanoseconds of silence before the other side is asked whether it
                               is still there, at least a second; 0: never */
    int send_buffer;    /* bytes that the kernel queues for sending; 0: the system's default */
    int receive_buffer; /* and received, not yet read */
    size_t high_water;  /* of il_socket_send: bytes queued above which it says so; 0: 64 KiB */
} il_socket_opts;

/* Listen at an address. Waits for a resolver if HOST is a name. A file that is left of a Unix socket
 * nobody listens at any more is replaced; it is removed when the socket is freed. 0; -EADDRINUSE,
 * -EADDRNOTAVAIL, -EACCES, -EMFILE, -ENOMEM; -EINVAL: no such form of address, or no loop. */
IL_API int il_socket_listen(const char *address, const il_socket_opts *opts,
                            il_socket **out_socket);

/* Take a connection that has come in; waits for one. It belongs to the caller's loop if that runs
 * on one, else to the listener's. 0; -EPIPE: closed, and none is left; -EMFILE: no more descriptors,
 * the connection stays where it is; -EAGAIN, -ETIMEDOUT, -ECANCELED, -ENOMEM. Connections that
 * were reset before anybody took them are passed over. */
IL_API int il_socket_accept(il_socket *listener, il_time until, il_socket **out_socket);

/* Connect to an address. Waits for names and for the connection; of several addresses of a name each
 * is tried in turn. 0; -ECONNREFUSED and the like: that of the last one tried; -EAGAIN, -ETIMEDOUT,
 * -ECANCELED, -EMFILE, -ENOMEM, -EINVAL as above. */
IL_API int il_socket_connect(const char *address, const il_socket_opts *opts, il_time until,
                             il_socket **out_socket);

/* Make a socket of a stream's descriptor (of socketpair, or inherited): takes it, unless it fails.
 * 0, -ENOMEM, -EINVAL (no loop), -ENOTSOCK. */
IL_API int il_socket_adopt(int fd, const il_socket_opts *opts, il_socket **out_socket);

/* Read what there is, as soon as there is something. *out_size: how much, at most `size`, which is at
 * least 1; 0: the other side sends no more. 0, -EPIPE (closed here), -ECONNRESET, -EAGAIN, -ETIMEDOUT,
 * -ECANCELED; unless 0, nothing was read. */
IL_API int il_socket_read(il_socket *socket, void *buffer, size_t size, il_time until,
                          size_t *out_size);

/* Read exactly `size` bytes. As above, and -ENODATA: it ended before. *out_size (may be NULL), also on
 * failure: how many were read. */
IL_API int il_socket_read_all(il_socket *socket, void *buffer, size_t size, il_time until,
                              size_t *out_size);

/* Write all of it; waits while the other side is slower. 0, -EPIPE, -ECONNRESET, -EAGAIN,
 * -ETIMEDOUT, -ECANCELED. *out_size (may be NULL), also on failure: how much went out. */
IL_API int il_socket_write(il_socket *socket, const void *data, size_t size, il_time until,
                           size_t *out_size);

/* Send no more; the other side reads an end. Reading goes on. Never waits. 0, -ENOTCONN. */
IL_API int il_socket_shutdown(il_socket *socket);

/* End it, both ways: what was written still goes out, who waits gets -EPIPE. A listening one: as said
 * above. Any thread or fiber, also while others use it; never waits; again is nothing. */
IL_API void il_socket_close(il_socket *socket);

/* Forget the connection: the other side gets a reset, and what was written may be lost. Then as
 * il_socket_close. */
IL_API void il_socket_reset(il_socket *socket);

/* Close and release it. Nobody may be using it. NULL is fine. Off its loop it waits, plainly, until
 * that has let go of the descriptor. */
IL_API void il_socket_free(il_socket *socket);

/* Where it is, and where the other side: a copy. 0, -ENOTCONN. */
IL_API int il_socket_name(const il_socket *socket, il_address *out_address);
IL_API int il_socket_peer(const il_socket *socket, il_address *out_address);

/* The port that it has, of TCP; else 0. */
IL_API int il_socket_port(const il_socket *socket);

/* The descriptor, which does not block: borrowed, for options of the system. */
IL_API int il_socket_fd(const il_socket *socket);

/* The loop it belongs to. */
IL_API il_executor *il_socket_loop(const il_socket *socket);

static inline il_case il__case_readable(const il_socket *socket)
{
    return il__case(IL__READABLE, socket, NULL);
}
static inline il_case il__case_writable(const il_socket *socket)
{
    return il__case(IL__WRITABLE, socket, NULL);
}

/* Cases of il_select: reading or accepting, or writing, is worth a try, also to see that it ended.
 * Status 0. Nothing is read; and as with poll(2) the try may find that it has to wait. */
#define IL_READABLE(socket) il__case_readable(socket)
#define IL_WRITABLE(socket) il__case_writable(socket)

/*
 * Callbacks, for those who would rather be called than wait.
 *
 *     static void on_data(il_socket *socket, const void *data, size_t size, void *arg)
 *     {
 *         if (il_socket_send(socket, data, size) > 0) il_socket_pause(socket);
 *     }
 *     static void on_drain(il_socket *socket, void *arg) { il_socket_resume(socket); }
 *     static void on_end(il_socket *socket, void *arg) { il_socket_finish(socket); }
 *     static void on_close(il_socket *socket, int status, void *arg) { il_socket_free(socket); }
 *
 * They are called on the loop's thread, one at a time, as every callback of a loop: see loop.h for
 * what they may do. A socket that is followed is read and written by nothing else. Any call may close
 * or free it; il_socket_close then drops what is queued, il_socket_finish sends it.
 */
typedef struct il_protocol {
    /* It is followed from now on: the first call. */
    void (*on_open)(il_socket *socket, void *arg);
    /* It has sent this; borrowed for the call. */
    void (*on_data)(il_socket *socket, const void *data, size_t size, void *arg);
    /* It sends no more; writing goes on. NULL: finish, as il_socket_finish. */
    void (*on_end)(il_socket *socket, void *arg);
    /* What was queued is down to a quarter of the high-water mark, having been above it. */
    void (*on_drain)(il_socket *socket, void *arg);
    /* The last call: it ended both ways (0), or failed, or was closed (-EPIPE). May free the socket; NULL
     * does. */
    void (*on_close)(il_socket *socket, int status, void *arg);
} il_protocol;

/* Call these on what happens to a connection, from soon on. Borrows both until on_close. Any thread;
 * never waits. 0; -EALREADY: it is followed. */
IL_API int il_socket_follow(il_socket *socket, const il_protocol *protocol, void *arg);

/* The same for every connection that comes in: each is accepted, and followed, with the same arg. It
 * ends when the listener is closed, or freed. */
IL_API int il_socket_serve(il_socket *listener, const il_protocol *protocol, void *arg);

/* What follows is for sockets that are followed, on the loop's thread only. Never waits.
 *
 * Send: what does not go out at once is copied to a queue. 0; 1: the queue is above the high-water
 * mark, let on_drain call for more; -EPIPE: it has finished, or failed; -ENOMEM: there is no
 * room for what did not go out, and it is closed: on_close says the same. */
IL_API int il_socket_send(il_socket *socket, const void *data, size_t size);

/* Read nothing for now, so that the other side has to wait; and on. */
IL_API void il_socket_pause(il_socket *socket);
IL_API void il_socket_resume(il_socket *socket);

/* When the queue is empty, send no more: a half-close. When the other side has ended too, on_close. */
IL_API void il_socket_finish(il_socket *socket);

/* Bytes in the queue. */
IL_API size_t il_socket_queued(const il_socket *socket);

IL__END

#endif
