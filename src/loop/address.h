/* SPDX-License-Identifier: MIT */
#ifndef IL_LOOP_ADDRESS_H
#define IL_LOOP_ADDRESS_H

/* Addresses as text: "tcp:HOST:PORT" and "unix:PATH", taken apart. */

#include <sys/socket.h>

#include <interlock/resolve.h>

enum { IL__HOST_MAX = 256, IL__SERVICE_MAX = 32, IL__ADDRESSES = 16 };

_Static_assert(sizeof(struct sockaddr_storage) <= sizeof((il_address){ 0 }.at), "any fits");

static inline const struct sockaddr *il__sockaddr_of(const il_address *address)
{
    return (const struct sockaddr *)address->at;
}

/* AF_INET, AF_INET6 or AF_UNIX. */
static inline int il__family_of(const il_address *address)
{
    return il__sockaddr_of(address)->sa_family;
}

typedef struct il__place {
    bool local; /* a Unix socket: `address` says where */
    bool any;   /* "*": every address of this machine */
    char host[IL__HOST_MAX], service[IL__SERVICE_MAX];
    il_address address;
} il__place;

/* `kind`: "tcp" or "udp", or NULL: "tcp" or "unix". 0, or -EINVAL with words. */
int il__place_parse(const char *text, const char *kind, il__place *out_place);

/* The addresses that it stands for: to listen at, or to go to. As il_resolve. */
int il__place_resolve(const il__place *place, bool listen, il_time until,
                      il_address out_addresses[IL__ADDRESSES], size_t *out_count);

/* The same as il_address_format, with "udp:" for "tcp:". */
size_t il__address_format(const il_address *address, const char *kind, char *buffer, size_t size);

#endif
