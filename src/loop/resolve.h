/* SPDX-License-Identifier: MIT */
#ifndef IL_LOOP_RESOLVE_H
#define IL_LOOP_RESOLVE_H

#include <netdb.h>

/* The system's resolver: getaddrinfo, or what a test puts in its place before any lookup. Its results
 * are released by freeaddrinfo. */
extern int (*il__resolver)(const char *host, const char *service, const struct addrinfo *hints,
                           struct addrinfo **out_found);

#endif
