/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_RESOLVE_H
#define INTERLOCK_RESOLVE_H

/*
 * Names and addresses.
 *
 *     il_address addresses[4];
 *     size_t count;
 *     int status = il_resolve("example.org", "https", il_after(IL_SEC(2)), addresses, 4, &count);
 *
 * The system's resolver has no deadline and can hang for many seconds. So it is called on threads of
 * its own, up to sixteen, started when they are needed and gone a second after; files have others
 * (file.h), so that a name that hangs holds up no file. Who waits for a name parks, and may give up:
 * the call is then left to end by itself. Any thread or fiber, any executor.
 *
 * Statuses of a name: 0; -ENOENT (there is no such name or service, or it has no address);
 * -EHOSTUNREACH (no resolver answered); -EIO (the resolver failed); -EINVAL (too long);
 * -ETIMEDOUT, -EAGAIN, -ECANCELED; -ENOMEM. il_last_error has the words.
 */

#include <interlock/status.h>
#include <interlock/time.h>

IL__BEGIN

/* Where a socket can be: of the network, or of a Unix socket. */
typedef struct il_address {
    uint32_t size;                            /* a socklen_t: bytes of it in use */
    char at[128] __attribute__((aligned(8))); /* a struct sockaddr of one kind or another */
} il_address;

/* The addresses of a name, in the order in which to try them. `host`: a name or a number; NULL: of
 * this machine, loopback. `service`: a name or a number; NULL: port 0. Numbers are not looked up, so
 * they never wait. Writes up to `capacity` (at least 1); *out_count: how many were written. */
IL_API int il_resolve(const char *host, const char *service, il_time until,
                      il_address *out_addresses, size_t capacity, size_t *out_count);

/* One of many names. */
typedef struct il_lookup {
    const char *host, *service; /* as above; borrowed for the call */
    il_time until;              /* of this one; 0: that of the call */
    int status;                 /* gives: as above */
    size_t count;               /* gives: how many there are */
    il_address addresses[4];    /* gives */
} il_lookup;

/* Look up many at once, each with a deadline of its own. Waits for all, but not beyond `until` or a
 * cancellation: those that are not there by then say -ETIMEDOUT or -ECANCELED, the others what
 * came of them. Returns how many have status 0. */
IL_API size_t il_resolve_many(il_lookup *lookups, size_t count, il_time until);

/* Write an address as text, snprintf-like: "tcp:127.0.0.1:80", "tcp:[::1]:80", "unix:/run/x",
 * "unix:@abstract", "unix:" (a Unix socket without a name). Returns the length that all of it has. */
IL_API size_t il_address_format(const il_address *address, char *buffer, size_t size);

IL__END

#endif
