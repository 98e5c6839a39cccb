/* SPDX-License-Identifier: MIT */
#ifndef IL_LINK_CONNECTION_H
#define IL_LINK_CONNECTION_H

/* What both ways to a connection share. */

#include <interlock/connection.h>

#include "link/address.h"
#include "link/handshake.h"

enum { IL__HANDSHAKE_SECONDS = 5 };

/* The handshake is over: a connection over `fd`, which is the connection's on success. */
int il__connection_new(int fd, const il__address *peer, const il_connection_opts *opts,
                       il_connection **out_connection);

/* Small messages are not to wait for each other. */
void il__connection_tune(int fd, const il__address *peer);

/* 0, or why these options cannot be served. */
int il__connection_check(const il_connection_opts *opts);

#endif
