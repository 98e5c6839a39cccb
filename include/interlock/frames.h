/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_FRAMES_H
#define INTERLOCK_FRAMES_H

/*
 * Frames: messages through a stream of bytes: a pipe, a socket, a named pipe.
 *
 *     il_frames *ends[2];
 *     int status = il_frames_pair(NULL, ends);
 *     if (!status) status = il_frames_send(ends[0], "hello", 5, IL_FOREVER);
 *     if (!status) status = il_frames_receive(ends[1], words, sizeof words, il_after(IL_SEC(1)), &size);
 *
 * A frame arrives whole, as it was sent, or not at all: four bytes that say its length (the lowest
 * first), then so many bytes. One of 0 bytes is a frame too. The end of the stream between two frames is
 * -EPIPE; the end in the middle of one is -EPROTO, so that what was cut short is never taken for what
 * is complete. A length above the limit is -EMSGSIZE; memory is taken as the bytes come, not as they are
 * announced. After any of the three no more is received.
 *
 * Any thread or fiber, several at once: frames of several senders stand one after the other, each
 * frame goes to one receiver, and receiving and sending do not get in each other's way. A wait that
 * is given up, half a frame into it, loses nothing: who receives next goes on where it stopped.
 */

#include <interlock/process.h>

IL__BEGIN

typedef struct il_frames il_frames;

/* All zero is each default; NULL means all defaults. */
typedef struct il_frames_opts {
    size_t most; /* bytes of a frame, sent or received; 0: 16 MiB. At most 2 GiB */
} il_frames_opts;

/* Frames over two descriptors, or over the same twice (a socket), or in one direction (-1 for the
 * other). Makes them non-blocking. Takes them: il_frames_free closes them; on failure they are the
 * caller's still. 0, -ENOMEM, -EMFILE, -EBADF, -EINVAL. */
IL_API int il_frames_new(int in, int out, const il_frames_opts *opts, il_frames **out_frames);

/* Two ends, connected, both ways. */
IL_API int il_frames_pair(const il_frames_opts *opts, il_frames *out_ends[2]);

/* Frames with a child: what is sent is its input, what is received its output (both IL_PIPE at its
 * start, or one of them). Takes the two pipes from it. In the child, if it uses this library:
 * il_frames_new(0, 1, ...). -EINVAL: it has no such pipe. */
IL_API int il_frames_of_process(il_process *process, const il_frames_opts *opts,
                                il_frames **out_frames);

/* One end of the named pipe `path`, which is made if it is not there (for this user only). To receive,
 * it is open at once, and the first receive waits for somebody to send; to send, wait here until
 * somebody receives. 0, -EEXIST (it is something else), -EAGAIN, -ETIMEDOUT, -ECANCELED, -EACCES ... */
typedef enum il_direction { IL_TO_RECEIVE, IL_TO_SEND } il_direction;
IL_API int il_frames_open(const char *path, il_direction direction, const il_frames_opts *opts,
                          il_time until, il_frames **out_frames);

/* Send one frame. Waits for room. Copies the bytes. 0: it is on its way, whole. That holds as soon as
 * its first byte was taken: if the wait for the rest is given up, the rest goes out before the next
 * frame, or with il_frames_flush. Unless 0, nothing of it was or will be sent: -EAGAIN, -ETIMEDOUT,
 * -ECANCELED; -EMSGSIZE (above the limit); -EPIPE (nobody receives any more, or it is closed; no
 * SIGPIPE is raised). */
IL_API int il_frames_send(il_frames *frames, const void *data, size_t size, il_time until);

/* Wait until all that was sent is with the system. Status as above. */
IL_API int il_frames_flush(il_frames *frames, il_time until);

/* Receive one frame into `buffer`; *out_size (may be NULL): its length. Waits until it is there as a
 * whole. 0; -ENOBUFS: it is longer than `size`, *out_size says how long, and it stays to be received;
 * -EPIPE, -EPROTO, -EMSGSIZE: see above; -EAGAIN, -ETIMEDOUT, -ECANCELED; -ENOMEM; -ECONNRESET. */
IL_API int il_frames_receive(il_frames *frames, void *buffer, size_t size, il_time until,
                             size_t *out_size);

/* Nothing more will be sent: flushes, then the other side sees the end. Receiving goes on. Again is
 * nothing. Status as of flush; unless 0 it is open still. */
IL_API int il_frames_close(il_frames *frames, il_time until);

/* Close both directions and release it. Nobody may be using it. NULL is fine. */
IL_API void il_frames_free(il_frames *frames);

IL__END

#endif
