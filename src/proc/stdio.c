/* SPDX-License-Identifier: MIT */
/*
 * The three descriptors of a child, and what goes through its pipes.
 *
 * Our ends are non-blocking; the child's are not, since programs do not expect that.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "proc/process.h"

/* --- Opening --------------------------------------------------------------------------------- */

static int open_pipe(il__stdio *stdio, int which)
{
    int ends[2];

    if (il__refused()) return -EMFILE;
    if (pipe2(ends, O_CLOEXEC)) return -errno;
    int ours = which == 0; /* the end to write to */
    stdio->ours[which] = ends[ours];
    stdio->child[which] = ends[!ours];
    stdio->close_child[which] = true;
    return fcntl(ends[ours], F_SETFL, O_NONBLOCK) ? -errno : 0;
}

static int open_null(il__stdio *stdio, int which)
{
    int fd = il__refused() ? -1 : open("/dev/null", (which ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
    if (fd < 0) return -EMFILE;
    stdio->child[which] = fd;
    stdio->close_child[which] = true;
    return 0;
}

static int open_one(il__stdio *stdio, int which, int wanted)
{
    switch (wanted) {
    case IL_PIPE: return open_pipe(stdio, which);
    case IL_NULL: return open_null(stdio, which);
    case IL_SAME:
        if (which != 2) return -EINVAL;
        stdio->child[2] = stdio->child[1];
        return 0;
    default:
        if (wanted < 0) return -EINVAL;
        stdio->child[which] = wanted ? wanted : which;
        return 0;
    }
}

int il__stdio_open(il__stdio *stdio, const il_process_opts *opts)
{
    const int wanted[3] = { opts->in, opts->out, opts->err };
    int status = 0;

    *stdio = (il__stdio){ .ours = { -1, -1, -1 } };
    for (int i = 0; i < 3 && !status; i++) status = open_one(stdio, i, wanted[i]);
    if (status) {
        il__stdio_close_child(stdio);
        il__stdio_close_ours(stdio);
    }
    return status;
}

void il__stdio_close_child(il__stdio *stdio)
{
    for (int i = 0; i < 3; i++) {
        if (stdio->close_child[i]) close(stdio->child[i]);
        stdio->close_child[i] = false;
    }
}

void il__stdio_close_ours(il__stdio *stdio)
{
    for (int i = 0; i < 3; i++) {
        if (stdio->ours[i] >= 0) close(stdio->ours[i]);
        stdio->ours[i] = -1;
    }
}

/* --- Reading and writing --------------------------------------------------------------------- */

/* After EAGAIN: wait, or say why not. */
static int wait_for(il_process *process, int which, il_time until)
{
    static const char *const what[] = { "room in a pipe", "output", "output" };
    if (until == IL_NOW) return -EAGAIN;
    return il__watch_wait(&process->pipe[which], what[which], process, IL__CANCELS, until);
}

int il_process_read(il_process *process, int which, void *buffer, size_t size, il_time until,
                    size_t *out_size)
{
    if (which < 1 || which > 2 || process->pipe[which].fd < 0) return -EINVAL;
    for (;;) {
        ssize_t count = read(process->pipe[which].fd, buffer, size);
        int failed = *il_errno();
        if (count >= 0) {
            *out_size = (size_t)count;
            return 0;
        }
        if (failed != EAGAIN && failed != EINTR) return -failed;
        int status = failed == EAGAIN ? wait_for(process, which, until) : 0;
        if (status) return status;
    }
}

ssize_t il__write_quietly(int fd, const struct iovec *parts, int count)
{
    sigset_t pipe, before, pending;
    struct timespec now = { 0 };

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    ssize_t written = writev(fd, parts, count);
    int failed = errno;
    if (written < 0 && failed == EPIPE && !was_pending) sigtimedwait(&pipe, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failed;
    return written;
}

int il_process_write(il_process *process, const void *data, size_t size, il_time until,
                     size_t *out_size)
{
    const char *bytes = data;
    size_t done = 0;
    int status = process->pipe[0].fd < 0 ? -EINVAL : 0;

    while (!status && done < size) {
        struct iovec part = { (void *)(uintptr_t)(bytes + done), size - done };
        ssize_t count = il__write_quietly(process->pipe[0].fd, &part, 1);
        int failed = *il_errno();
        if (count >= 0) done += (size_t)count;
        else if (failed == EAGAIN) status = wait_for(process, 0, until);
        else if (failed != EINTR) status = -failed;
    }
    if (out_size) *out_size = done;
    return status;
}

void il_process_close_in(il_process *process)
{
    if (!process || process->pipe[0].fd < 0) return;
    il__watch_close(&process->pipe[0]);
    close(process->pipe[0].fd);
    process->pipe[0].fd = -1;
}

int il_process_pipe(const il_process *process, int which)
{
    return which < 0 || which > 2 ? -1 : process->pipe[which].fd;
}
