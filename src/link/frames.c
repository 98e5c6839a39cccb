/* SPDX-License-Identifier: MIT */
/*
 * Frames: messages cut out of a stream.
 *
 * `reading` guards what is on its way in, `writing` what is on its way out; each is held over waits, so
 * that one frame is finished before the next begins, and both are locks of the library: who waits for
 * them parks, with the deadline and the cancellation of the call.
 *
 * What was read lies in `bytes`, whatever becomes of the call that read it. So a receive can be given
 * up at any byte. The buffer doubles when it is full, so a peer that announces much and sends little
 * costs what it sent. What a send could not hand over before it was given up lies in `rest`.
 *
 * epoll takes a descriptor once only; so a socket is duplicated, to be waited for in both directions.
 */

#include <interlock/frames.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <interlock/mutex.h>

#include "base/memory.h"
#include "proc/process.h"

enum { HEAD = 4, FIRST = 4 << 10, KEPT = 64 << 10, MOST = 16 << 20 };

struct il_frames {
    size_t most;
    bool is_socket; /* the way out: no SIGPIPE to be kept from the program */

    il_mutex reading; /* of what follows */
    il__watch in;     /* fd -1: none */
    unsigned char *bytes;
    size_t begin, end, capacity; /* [begin, end) was read and not received */
    int ended;                   /* why nothing more will be read; 0: more may come */

    il_mutex writing; /* of what follows */
    il__watch out;    /* fd -1: none, or closed */
    unsigned char *rest;
    size_t rest_begin, rest_end; /* [begin, end) must go out before the next frame */
    int broken;                  /* why nothing more can be written */
};

/* --- Receiving ------------------------------------------------------------------------------- */

static size_t read_length(const unsigned char *head)
{
    return (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
}

/* Room for at least one byte more. */
static int make_room(il_frames *frames)
{
    if (frames->begin) {
        memmove(frames->bytes, frames->bytes + frames->begin, frames->end - frames->begin);
        frames->end -= frames->begin;
        frames->begin = 0;
    }
    if (frames->end < frames->capacity) return 0;
    size_t capacity = frames->capacity ? 2 * frames->capacity : FIRST;
    if (capacity > HEAD + frames->most && frames->capacity) capacity = HEAD + frames->most;
    unsigned char *grown = il__realloc(frames->bytes, capacity);
    if (!grown) return -ENOMEM;
    frames->bytes = grown;
    frames->capacity = capacity;
    return 0;
}

/* read() gave 0. That of a named pipe which nobody has opened to write yet is not its end. */
static bool is_end(int fd)
{
    struct pollfd look = { .fd = fd, .events = POLLIN };
    return poll(&look, 1, 0) != 0;
}

static int wait_for(il__watch *watch, const char *what, const void *on, il_time until)
{
    return until == IL_NOW ? -EAGAIN : il__watch_wait(watch, what, on, IL__CANCELS, until);
}

static int read_more(il_frames *frames, il_time until)
{
    int status = make_room(frames);
    if (status) return status;
    ssize_t count =
        read(frames->in.fd, frames->bytes + frames->end, frames->capacity - frames->end);
    int failed = *il_errno();
    if (count > 0) {
        frames->end += (size_t)count;
        return 0;
    }
    if (count < 0 && failed == EINTR) return 0;
    if ((count < 0 && failed == EAGAIN) || (!count && !is_end(frames->in.fd)))
        return wait_for(&frames->in, "frame", frames, until);
    frames->ended = count < 0 ? -failed : frames->end > frames->begin ? -EPROTO : -EPIPE;
    return 0;
}

/* Until a frame is there as a whole; gives its length. */
static int complete(il_frames *frames, il_time until, size_t *out_length)
{
    int status = 0;
    while (!status) {
        size_t have = frames->end - frames->begin;
        size_t length = have < HEAD ? 0 : read_length(frames->bytes + frames->begin);
        if (length > frames->most) frames->ended = -EMSGSIZE;
        if (have >= HEAD && have - HEAD >= length && length <= frames->most) {
            *out_length = length;
            return 0;
        }
        status = frames->ended ? frames->ended : read_more(frames, until);
    }
    return status;
}

/* Memory for one large frame is not kept for ever. */
static void consume(il_frames *frames, size_t size)
{
    frames->begin += size;
    if (frames->begin < frames->end) return;
    frames->begin = frames->end = 0;
    if (frames->capacity <= KEPT) return;
    il__free(frames->bytes);
    frames->bytes = NULL;
    frames->capacity = 0;
}

int il_frames_receive(il_frames *frames, void *buffer, size_t size, il_time until, size_t *out_size)
{
    size_t length;
    if (frames->in.fd < 0) return -EINVAL;
    int status = il_mutex_lock_until(&frames->reading, until);
    if (status) return status;
    status = complete(frames, until, &length);
    if (!status && out_size) *out_size = length;
    if (!status && length > size) status = -ENOBUFS;
    if (!status) {
        if (length) memcpy(buffer, frames->bytes + frames->begin + HEAD, length);
        consume(frames, HEAD + length);
    }
    il_mutex_unlock(&frames->reading);
    return status;
}

/* --- Sending --------------------------------------------------------------------------------- */

static ssize_t put(const il_frames *frames, struct iovec *parts, int count)
{
    if (!frames->is_socket) return il__write_quietly(frames->out.fd, parts, count);
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = (size_t)count };
    return sendmsg(frames->out.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Once: how much was taken, which may be 0 after a wait; or why none will be. */
static int write_some(il_frames *frames, struct iovec *parts, int count, il_time until,
                      size_t *out_done)
{
    *out_done = 0;
    ssize_t done = put(frames, parts, count);
    int failed = *il_errno();
    if (done >= 0) {
        *out_done = (size_t)done;
        return 0;
    }
    if (failed == EINTR) return 0;
    if (failed == EAGAIN) return wait_for(&frames->out, "room for a frame", frames, until);
    frames->broken = failed == ECONNRESET ? -EPIPE : -failed;
    return frames->broken;
}

static int write_rest(il_frames *frames, il_time until)
{
    int status = frames->broken;
    size_t done;
    while (!status && frames->rest_begin < frames->rest_end) {
        struct iovec part = { frames->rest + frames->rest_begin,
                              frames->rest_end - frames->rest_begin };
        status = write_some(frames, &part, 1, until, &done);
        frames->rest_begin += done;
    }
    if (status) return status;
    il__free(frames->rest);
    frames->rest = NULL;
    frames->rest_begin = frames->rest_end = 0;
    return 0;
}

/* A frame was begun, so it must be finished some time. */
static int keep_rest(il_frames *frames, const struct iovec *parts)
{
    size_t size = parts[0].iov_len + parts[1].iov_len;
    frames->rest = il__alloc(size);
    if (!frames->rest) {
        frames->broken = -EPIPE;
        return -ENOMEM;
    }
    memcpy(frames->rest, parts[0].iov_base, parts[0].iov_len);
    if (parts[1].iov_len)
        memcpy(frames->rest + parts[0].iov_len, parts[1].iov_base, parts[1].iov_len);
    frames->rest_end = size;
    return 0;
}

static void advance(struct iovec *parts, size_t done)
{
    for (int i = 0; i < 2; i++) {
        size_t part = done < parts[i].iov_len ? done : parts[i].iov_len;
        parts[i].iov_base = part ? (char *)parts[i].iov_base + part : parts[i].iov_base;
        parts[i].iov_len -= part;
        done -= part;
    }
}

static int write_frame(il_frames *frames, const void *data, size_t size, il_time until)
{
    unsigned char head[HEAD] = { (unsigned char)size, (unsigned char)(size >> 8),
                                 (unsigned char)(size >> 16), (unsigned char)(size >> 24) };
    struct iovec parts[2] = { { head, HEAD }, { (void *)(uintptr_t)data, size } };
    bool begun = false;
    size_t done;

    while (parts[0].iov_len + parts[1].iov_len) {
        int status = write_some(frames, parts, 2, until, &done);
        advance(parts, done);
        begun |= done > 0;
        if (status == frames->broken && status) return status;
        if (status) return begun ? keep_rest(frames, parts) : status;
    }
    return 0;
}

/* 0: locked, and all that was sent before is out. */
static int begin_writing(il_frames *frames, il_time until)
{
    int status = il_mutex_lock_until(&frames->writing, until);
    if (status) return status;
    status = frames->out.fd < 0 ? -EPIPE : write_rest(frames, until);
    if (status) il_mutex_unlock(&frames->writing);
    return status;
}

int il_frames_send(il_frames *frames, const void *data, size_t size, il_time until)
{
    if (size > frames->most) return -EMSGSIZE;
    int status = begin_writing(frames, until);
    if (status) return status;
    status = write_frame(frames, data, size, until);
    il_mutex_unlock(&frames->writing);
    return status;
}

int il_frames_flush(il_frames *frames, il_time until)
{
    int status = begin_writing(frames, until);
    if (!status) il_mutex_unlock(&frames->writing);
    return status;
}

static void close_out(il_frames *frames)
{
    if (frames->out.fd < 0) return;
    il__watch_close(&frames->out);
    if (frames->is_socket) shutdown(frames->out.fd, SHUT_WR);
    close(frames->out.fd);
    frames->out.fd = -1;
}

int il_frames_close(il_frames *frames, il_time until)
{
    int status = il_mutex_lock_until(&frames->writing, until);
    if (status) return status;
    if (frames->out.fd >= 0 && !frames->broken) status = write_rest(frames, until);
    if (!status || frames->broken) close_out(frames);
    il_mutex_unlock(&frames->writing);
    return frames->broken ? 0 : status;
}

/* --- Making and ending ----------------------------------------------------------------------- */

static int make_nonblocking(int fd)
{
    int flags = fd < 0 ? 0 : fcntl(fd, F_GETFL);
    if (flags < 0) return -errno;
    return fd < 0 || flags & O_NONBLOCK || !fcntl(fd, F_SETFL, flags | O_NONBLOCK) ? 0 : -errno;
}

static bool is_socket(int fd)
{
    int type;
    socklen_t size = sizeof type;
    return fd >= 0 && !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
}

int il_frames_new(int in, int out, const il_frames_opts *opts, il_frames **out_frames)
{
    size_t most = opts && opts->most ? opts->most : MOST;
    if ((in < 0 && out < 0) || most > (size_t)1 << 31) return -EINVAL;
    int status = make_nonblocking(in);
    if (!status) status = make_nonblocking(out);
    if (status) return status;

    il_frames *frames = il__zalloc(sizeof *frames);
    if (!frames) return -ENOMEM;
    if (in == out) {
        out = il__refused() ? -1 : fcntl(in, F_DUPFD_CLOEXEC, 3);
        if (out < 0) {
            il__free(frames);
            return -EMFILE;
        }
    }
    frames->most = most;
    frames->is_socket = is_socket(out);
    frames->in = (il__watch){ .fd = in, .events = EPOLLIN };
    frames->out = (il__watch){ .fd = out, .events = EPOLLOUT };
    *out_frames = frames;
    return 0;
}

int il_frames_pair(const il_frames_opts *opts, il_frames *out_ends[2])
{
    int ends[2];
    il_frames *one = NULL, *other = NULL;

    if (il__refused()) return -EMFILE;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends)) return -errno;
    int status = il_frames_new(ends[0], ends[0], opts, &one);
    if (!status) status = il_frames_new(ends[1], ends[1], opts, &other);
    if (status) {
        if (!one) close(ends[0]);
        close(ends[1]);
        il_frames_free(one);
        return status;
    }
    out_ends[0] = one;
    out_ends[1] = other;
    return 0;
}

int il_frames_of_process(il_process *process, const il_frames_opts *opts, il_frames **out_frames)
{
    int status = il_frames_new(process->pipe[1].fd, process->pipe[0].fd, opts, out_frames);
    for (int i = 0; i < 2 && !status; i++) {
        il__watch_close(&process->pipe[i]);
        process->pipe[i].fd = -1;
    }
    return status;
}

void il_frames_free(il_frames *frames)
{
    if (!frames) return;
    close_out(frames);
    if (frames->in.fd >= 0) {
        il__watch_close(&frames->in);
        close(frames->in.fd);
    }
    il__free(frames->bytes);
    il__free(frames->rest);
    il__free(frames);
}

/* --- Named pipes ----------------------------------------------------------------------------- */

/* The sending end can be opened only when the other one is; the kernel tells of each opening. */
static int open_to_send(const char *path, il_time until, int *out_fd)
{
    char news[sizeof(struct inotify_event) + NAME_MAX + 1];
    int told = il__refused() ? -1 : inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (told < 0) return -EMFILE;
    il__watch opened = { .fd = told, .events = EPOLLIN };
    int status = inotify_add_watch(told, path, IN_OPEN) < 0 ? -errno : 0;
    while (!status) {
        *out_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (*out_fd >= 0) break;
        int failed = *il_errno();
        status = failed == ENXIO ? wait_for(&opened, "a receiver", path, until) : -failed;
        while (!status && read(told, news, sizeof news) > 0) continue;
    }
    il__watch_close(&opened);
    close(told);
    return status;
}

static int open_to_receive(const char *path, int *out_fd)
{
    *out_fd = il__refused() ? -1 : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return *out_fd < 0 ? -EMFILE : 0;
}

int il_frames_open(const char *path, il_direction direction, const il_frames_opts *opts,
                   il_time until, il_frames **out_frames)
{
    struct stat found;
    bool sends = direction == IL_TO_SEND;
    int fd = -1;

    if (mkfifo(path, 0600) && errno != EEXIST) return -errno;
    if (stat(path, &found)) return -errno;
    if (!S_ISFIFO(found.st_mode)) return il_fail(-EEXIST, "%s is no named pipe", path);
    int status = sends ? open_to_send(path, until, &fd) : open_to_receive(path, &fd);
    if (!status) status = il_frames_new(sends ? -1 : fd, sends ? fd : -1, opts, out_frames);
    if (status && fd >= 0) close(fd);
    return status;
}
