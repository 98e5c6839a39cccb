/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_UDP_H
#define INTERLOCK_UDP_H

/*
 * UDP: messages to and from anybody, each whole or not at all, in any order, perhaps never.
 *
 *     il_udp *udp = NULL;
 *     il_address from;
 *     int status = il_udp_open("udp:127.0.0.1:0", NULL, &udp);
 *     if (!status) status = il_udp_recv(udp, buffer, sizeof buffer, IL_FOREVER, &size, &from);
 *     if (!status) status = il_udp_send(udp, buffer, size, &from, IL_FOREVER);
 *     il_udp_free(udp);
 *
 * It belongs to a loop and is freed before that. Any task of any executor, and any thread, may use it;
 * several may receive, each message goes to one of them.
 */

#include <interlock/executor.h>
#include <interlock/resolve.h>

IL__BEGIN

typedef struct il_udp il_udp;

/* All zero is each default; NULL means all defaults. */
typedef struct il_udp_opts {
    il_executor *loop; /* that it belongs to; NULL: the one that the caller runs on */
    const char *peer;  /* "udp:HOST:PORT": send to, and receive from, nobody else; NULL: anybody */
    bool share;        /* others may receive at the same port; the kernel spreads the senders */
    bool broadcast;    /* may send to broadcast addresses */
    int send_buffer;   /* bytes that the kernel queues; 0: the system's default */
    int receive_buffer;
} il_udp_opts;

/* Open one at an address: "udp:HOST:PORT", "*" for every address of this machine, port 0 for one that
 * is free. Waits for a resolver if there is a name. 0; -EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -EMFILE,
 * -ENOMEM, -EINVAL (no such form of address, or no loop), and of names those of resolve.h. */
IL_API int il_udp_open(const char *address, const il_udp_opts *opts, il_udp **out_udp);

/* Send one message; waits for room in the kernel's queue. `to` NULL: to the peer. 0; -EMSGSIZE: too
 * long, nothing was sent; -ECONNREFUSED: the peer refused an earlier one; -EDESTADDRREQ, -EPIPE
 * (closed), -EAGAIN, -ETIMEDOUT, -ECANCELED. */
IL_API int il_udp_send(il_udp *udp, const void *data, size_t size, const il_address *to,
                       il_time until);

/* Receive one; waits for it. *out_size: how long it is, which may be more than `size`: then the rest
 * of it is lost. *out_from (may be NULL): who sent it. 0, -ECONNREFUSED as above, -EPIPE (closed),
 * -EAGAIN, -ETIMEDOUT, -ECANCELED. */
IL_API int il_udp_recv(il_udp *udp, void *buffer, size_t size, il_time until, size_t *out_size,
                       il_address *out_from);

/* Who waits, and whoever comes later, gets -EPIPE. Never waits. */
IL_API void il_udp_close(il_udp *udp);

/* Close and release it. Nobody may be using it. NULL is fine. */
IL_API void il_udp_free(il_udp *udp);

/* Where it is. 0 or -errno. */
IL_API int il_udp_name(const il_udp *udp, il_address *out_address);

/* The descriptor, which does not block: borrowed, for options of the system. */
IL_API int il_udp_fd(const il_udp *udp);

IL__END

#endif
