/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_CONNECTION_H
#define INTERLOCK_CONNECTION_H

/*
 * Connections: frames between two programs, on one machine or on two, each of which has shown the
 * other that it knows the key.
 *
 *     // here                                           // there
 *     il_connection_opts opts = { .key = key, .key_size = 32 };
 *     il_listener_new("unix:/run/hall", &opts, &hall);
 *     il_listener_accept(hall, IL_FOREVER, &guest);     il_connect("unix:/run/hall", &opts, soon, &host);
 *     il_connection_receive(guest, words, 100, ...);    il_connection_send(host, "hello", 5, soon);
 *
 * Addresses: "unix:PATH" (a socket in a file system, for this user only), "unix:@NAME" (without a file;
 * any user of this machine), "tcp:HOST:PORT": HOST is a number ("127.0.0.1", "[::1]"), "localhost"
 * (127.0.0.1) or, to listen, "*"; PORT 0 is one that is free (il_listener_address tells). They are those
 * of sockets (socket.h), but that names of other hosts are not looked up.
 *
 * The key. Each side sends a number that was never used before (32 random bytes); then, first, who
 * connects sends the HMAC-SHA256 under the key of its role and both numbers; only if that is right
 * does the listener send its own. So neither a wrong key nor an answer sent back to where it came
 * from opens anything, and who connects with a wrong one is told nothing by which to try keys faster than
 * by connecting. Use 32 random bytes: what a person can remember, somebody who sees the exchange can
 * guess. It says who is there when the connection is made; what passes then is neither secret nor
 * safe from who sits on the line. A side without a key and one with a key do not meet: -EACCES.
 *
 * A stranger costs the listener a slot, of which there are .strangers, for at most .handshake: he may
 * be silent, slow, or send anything. When all slots are taken the one who has been there longest makes
 * room. Handshakes go on beside each other while somebody waits in il_listener_accept.
 *
 * Any thread or fiber may use these, several at once, until they are freed.
 */

#include <interlock/frames.h>

IL__BEGIN

typedef struct il_listener il_listener;
typedef struct il_connection il_connection;

/* All zero is each default; NULL means all defaults. */
typedef struct il_connection_opts {
    const void *key;    /* copied; NULL: anybody */
    size_t key_size;    /* bytes */
    size_t most;        /* bytes of a frame; 0: 16 MiB */
    int64_t handshake;  /* nanoseconds it may take; 0: 5 s */
    unsigned strangers; /* listener: handshakes under way at most; 0: 64 */
} il_connection_opts;

/* Listen at `address`. A socket file that nobody listens at any more is replaced. 0; -EADDRINUSE;
 * -EINVAL (no such address); -EACCES (no right to it); -ENOTSUP (a key, but this library was built without
 * libsodium); -ENOMEM, -EMFILE. */
IL_API int il_listener_new(const char *address, const il_connection_opts *opts,
                           il_listener **out_listener);

/* Where it listens, with the port that was given for 0. Borrowed from the listener. */
IL_API const char *il_listener_address(const il_listener *listener);

/* Wait for the next who has shown that he knows the key. 0, -EAGAIN, -ETIMEDOUT, -ECANCELED; -EPIPE:
 * it is closed; -EMFILE, -ENOMEM: there was somebody, but no room for him. */
IL_API int il_listener_accept(il_listener *listener, il_time until, il_connection **out_connection);

/* No more: who waits in il_listener_accept, and who comes there later, gets -EPIPE. Strangers are turned
 * away, the file of the socket is removed; connections that were accepted go on. Again is nothing. */
IL_API void il_listener_close(il_listener *listener);

/* Close and release it. Nobody may be using it. NULL is fine. */
IL_API void il_listener_free(il_listener *listener);

/* Connect, and show each other the key. 0; -EACCES: the other side has another key, or one of the two
 * has none; -EPROTO: what listens there speaks otherwise; -ECONNREFUSED, -ENOENT: nobody listens;
 * -ETIMEDOUT (`until` or .handshake), -EAGAIN (IL_NOW), -ECANCELED; -EINVAL, -ENOTSUP, -ENOMEM,
 * -EMFILE. */
IL_API int il_connect(const char *address, const il_connection_opts *opts, il_time until,
                      il_connection **out_connection);

/* As il_frames_send, _receive and _close. */
IL_API int il_connection_send(il_connection *connection, const void *data, size_t size,
                              il_time until);
IL_API int il_connection_receive(il_connection *connection, void *buffer, size_t size,
                                 il_time until, size_t *out_size);
IL_API int il_connection_close(il_connection *connection, il_time until);

/* The other side: "tcp:127.0.0.1:40312", "unix:/run/hall", or "unix:" for one that has no name. */
IL_API const char *il_connection_address(const il_connection *connection);

/* Its frames, for il_frames_flush. Borrowed. */
IL_API il_frames *il_connection_frames(il_connection *connection);

/* Close both directions and release it. Nobody may be using it. NULL is fine. */
IL_API void il_connection_free(il_connection *connection);

IL__END

#endif
