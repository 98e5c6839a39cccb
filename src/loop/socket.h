/* SPDX-License-Identifier: MIT */
#ifndef IL_LOOP_SOCKET_H
#define IL_LOOP_SOCKET_H

/* What a socket is made of: socket.c makes and ends it, stream.c reads and writes, listen.c and
 * connect.c meet others, follow.c calls back. */

#include <interlock/socket.h>

#include "loop/address.h"
#include "loop/poll.h"

typedef struct il__follower il__follower; /* follow.c */

struct il_socket {
    il__poll poll;   /* first */
    bool listening;  /* set at init */
    uint32_t closed; /* atomic */
    unsigned eager;  /* reads and writes since the last wait; a hint */
    size_t high_water;
    char *path;             /* of a listening Unix socket: to be removed; or NULL */
    il__follower *follower; /* the loop's thread, but for the first time: atomic */
};

/* The loop that the options or the caller mean; NULL, with words: none. */
il__loop *il__socket_loop(const il_socket_opts *opts);

/* Make a socket of a descriptor: takes it, unless it fails. */
int il__socket_new(il__loop *loop, int fd, const il_socket_opts *opts, bool listening,
                   il_socket **out_socket);

/* A descriptor that does not block and is closed by exec. Or -errno. */
int il__socket_open(int family, int type);

/* Set the options that a descriptor has before it is bound or connected. */
int il__socket_set(int fd, int family, const il_socket_opts *opts, bool listening);

/* So many reads and writes went without a wait: let others have a turn. */
void il__socket_share(il_socket *socket);

/* The socket was closed: the follower is to hear of it. It was freed: nothing is called any more. */
void il__follower_closed(il_socket *socket);
void il__follower_free(il_socket *socket);

#endif
