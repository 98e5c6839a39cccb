/* SPDX-License-Identifier: MIT */
#ifndef IL_OS_SHARED_H
#define IL_OS_SHARED_H

/*
 * Memory that processes share, and messages between them that carry file descriptors. The memory is
 * behind a descriptor and has no name in any file system: it is gone with the last process that has
 * it, however that one ends.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Make `size` bytes, zero, and map them here. The descriptor is closed on exec. 0 or -errno. */
int il__shared_new(const char *name, size_t size, void **out_memory, int *out_descriptor);

/* Map what another process has made; at `where` if that is free here. NULL: refused. */
void *il__shared_map(int descriptor, size_t size, void *where);
void il__shared_unmap(void *memory, size_t size);

/* Copy between here and the memory of another process, where the kernel lets us: it asks as it would a
 * debugger. 0 or -errno; unless 0, some may have been copied. */
int il__afar_read(pid_t process, uint64_t from, void *to, size_t size);
int il__afar_write(pid_t process, const void *from, uint64_t to, size_t size);

enum { IL__MOST_DESCRIPTORS = 5 };

/* A connected pair of sockets that keep messages whole, closed on exec. 0 or -errno. */
int il__message_pair(int out_ends[2]);

/* Send one message and `count` descriptors, which stay the caller's too. Never waits: -EAGAIN when
 * there is no room. 0 or -errno; no signal when the other end is closed. */
int il__message_send(int socket, const void *bytes, size_t size, const int *descriptors, int count);

/* Receive one without waiting: its length; 0: the other end is closed; -EAGAIN: none there; or
 * -errno. The descriptors are the caller's, closed on exec; those that are missing are -1. */
int il__message_receive(int socket, void *bytes, size_t size, int *descriptors, int count);

#endif
