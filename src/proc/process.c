/* SPDX-License-Identifier: MIT */
/*
 * Processes: starting, waiting for, ending.
 *
 * `lock` of a process makes looking at it, reaping it and signalling its group one step each. Until
 * it is reaped its number, and so its group's, is its own; so no signal can reach another's. The
 * list of all has a lock of its own, taken before nothing.
 *
 * Whoever asks reaps: there is no thread that must run for a process to be reaped, and a program
 * that only ever polls never has one. Who must wait is told by the watcher that the pidfd is
 * readable, and then asks.
 *
 * A daemon dies with the thread that started it (Linux's parent-death signal is of the thread). So
 * unless that is the main thread, the watcher starts it, and stays until it has ended.
 */

#include "proc/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/spawn.h"
#include "os/thread.h"

static il__spin list_lock;
static il__list list;

/* --- Starting -------------------------------------------------------------------------------- */

/* The files that argv[0] may be, in the order of PATH: one piece of memory, NULL without any. */
static char **paths_of(const char *name)
{
    const char *path = strchr(name, '/') ? NULL : getenv("PATH");
    if (!path) path = strchr(name, '/') ? "" : "/usr/local/bin:/usr/bin:/bin";
    size_t folders = 1, length = strlen(path), name_size = strlen(name) + 1;
    for (const char *c = path; *c; c++) folders += *c == ':';

    char **paths = il__alloc((folders + 1) * sizeof *paths + length + folders * (name_size + 1));
    if (!paths) return NULL;
    char *text = (char *)(paths + folders + 1);
    for (size_t i = 0; i < folders; i++) {
        size_t size = strcspn(path, ":");
        paths[i] = text;
        memcpy(text, path, size);
        text += size;
        if (size) *text++ = '/';
        memcpy(text, name, name_size);
        text += name_size;
        path += size + (path[size] == ':');
    }
    paths[folders] = NULL;
    return paths;
}

typedef struct start {
    const il__spawn *spawn;
    il_process *process;
    const char *step;
    int status;
} start;

static void spawn(void *arg)
{
    start *one = arg;
    one->status = il__spawn_start(one->spawn, &one->process->pid, &one->process->pidfd, &one->step);
}

static bool is_main_thread(void)
{
    return il__thread_kernel_id() == getpid();
}

static int spawn_somewhere(start *one)
{
    if (!one->spawn->daemon || is_main_thread()) {
        spawn(one);
        return one->status;
    }
    int status = il__watcher_call(spawn, one, true);
    if (status) return status;
    if (one->status) il__watcher_release();
    else one->process->kept = true;
    return one->status;
}

void il__process_enter(il_process *process, const il_process_opts *opts, const il__stdio *stdio)
{
    process->group = opts->group || opts->session;
    process->daemon = opts->daemon;
    process->end = (il__watch){ .fd = process->pidfd, .events = EPOLLIN, .lasting = true };
    for (int i = 0; i < 3; i++)
        process->pipe[i] = (il__watch){ .fd = stdio->ours[i], .events = i ? EPOLLIN : EPOLLOUT };
    il__spin_lock(&list_lock);
    il__list_append(&list, &process->link);
    il__spin_unlock(&list_lock);
}

static int start_with(il_process *process, const char *const *argv, const il_process_opts *opts,
                      char **paths)
{
    il__stdio stdio;
    int status = il__stdio_open(&stdio, opts);
    if (status) return il_fail(status, "%s: its input and output", argv[0]);

    il__spawn wanted = {
        .paths = paths,
        .argv = (char *const *)argv,
        .env = opts->env ? (char *const *)opts->env : environ,
        .directory = opts->directory,
        .fds = { stdio.child[0], stdio.child[1], stdio.child[2] },
        .group = opts->group,
        .session = opts->session,
        .daemon = opts->daemon,
    };
    start one = { .spawn = &wanted, .process = process, .step = "start a process" };
    process->started = il_now();
    status = spawn_somewhere(&one);
    il__stdio_close_child(&stdio);
    if (status) {
        il__stdio_close_ours(&stdio);
        return il_fail(status, "%s: cannot %s: %s", argv[0], one.step, strerror(-status));
    }
    il__process_enter(process, opts, &stdio);
    return 0;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

int il_process_start(const char *const *argv, const il_process_opts *opts, il_process **out_process)
{
    static const il_process_opts defaults = { 0 };
    if (!opts) opts = &defaults;
    if (!argv || !argv[0] || !*argv[0]) return -EINVAL;

    il_process *process = il__zalloc(sizeof *process);
    char **paths = process ? paths_of(argv[0]) : NULL;
    if (paths) process->name = il__copy_string(opts->name ? opts->name : last_part(argv[0]));
    int status = paths && process->name ? start_with(process, argv, opts, paths) : -ENOMEM;
    il__free(paths);
    if (status) {
        if (process) il__free(process->name);
        il__free(process);
        return status;
    }
    *out_process = process;
    return 0;
}

/* --- Its end --------------------------------------------------------------------------------- */

static int64_t nanoseconds(struct timeval time)
{
    return time.tv_sec * INT64_C(1000000000) + time.tv_usec * INT64_C(1000);
}

static void note_end(il_process *process, int status, const il__ended *ended)
{
    process->status = status;
    process->exit = (il_exit){
        .code = ended->code,
        .signal = ended->signal,
        .core = ended->core,
        .cpu_time = nanoseconds(ended->usage.ru_utime) + nanoseconds(ended->usage.ru_stime),
        .peak_memory = (uint64_t)ended->usage.ru_maxrss << 10,
        .started = process->started,
        .ended = il_now(),
    };
    if (process->kept) il__watcher_release();
    il__store_release(&process->ended, true); /* pairs with the acquire in has_ended */
}

/* The last moment at which the number of its group is its own. */
static void end_group(const il_process *process)
{
    if (process->group) kill(-process->pid, SIGKILL);
}

static void look(il_process *process)
{
    il__ended ended = { 0 };

    il__spin_lock(&process->lock);
    if (!process->ended && il__spawn_has_ended(process->pidfd)) {
        int kept = errno;
        end_group(process);
        errno = kept;
        int status = il__spawn_reap(process->pidfd, &ended);
        if (status != -EAGAIN) note_end(process, status, &ended);
    }
    il__spin_unlock(&process->lock);
}

static bool has_ended(il_process *process)
{
    if (!il__load_acquire(&process->ended)) look(process);
    return il__load_acquire(&process->ended);
}

static int wait(il_process *process, il__cancels cancels, il_time until, il_exit *out_exit)
{
    int status = 0;

    while (!has_ended(process)) {
        if (status || until == IL_NOW) return status ? status : -EAGAIN;
        status = il__watch_wait(&process->end, "process", process, cancels, until);
    }
    if (!process->status && out_exit) *out_exit = process->exit;
    return process->status;
}

int il_process_wait(il_process *process, il_time until, il_exit *out_exit)
{
    return wait(process, IL__CANCELS, until, out_exit);
}

static int send(il_process *process, int number)
{
    int status = 0;

    il__spin_lock(&process->lock);
    if (process->ended) status = -ESRCH;
    else if (!process->group) status = il__spawn_signal(process->pidfd, number);
    else if (kill(-process->pid, number)) status = -errno;
    il__spin_unlock(&process->lock);
    return status;
}

int il_process_signal(il_process *process, int number)
{
    int kept = errno;
    int status = has_ended(process) ? -ESRCH : send(process, number);
    errno = kept;
    return status;
}

/* Without a watcher to be told by, look again and again: it is about to end. */
static int wait_surely(il_process *process, il_exit *out_exit)
{
    int status;
    while ((status = wait(process, IL__PLAIN, IL_FOREVER, out_exit)), !has_ended(process))
        il__relax(100);
    return status;
}

int il_process_terminate(il_process *process, int64_t grace, il_exit *out_exit)
{
    int status = il_process_signal(process, SIGTERM);
    if (status == -EPERM) return status;
    if (!status) il_process_signal(process, SIGCONT); /* a stopped one would not see it */
    if (!status) wait(process, IL__CANCELS, grace > 0 ? il_after(grace) : IL_NOW, NULL);
    if (!has_ended(process)) il_process_signal(process, SIGKILL);
    return wait_surely(process, out_exit);
}

void il_process_free(il_process *process)
{
    if (!process) return;
    if (!has_ended(process)) {
        il_process_signal(process, SIGKILL);
        wait_surely(process, NULL);
    }
    il__spin_lock(&list_lock);
    il__list_remove(&list, &process->link);
    il__spin_unlock(&list_lock);
    il__watch_close(&process->end);
    close(process->pidfd);
    for (int i = 0; i < 3; i++) {
        if (process->pipe[i].fd < 0) continue;
        il__watch_close(&process->pipe[i]);
        close(process->pipe[i].fd);
    }
    il__process_forget_call(process);
    il__free(process->name);
    il__free(process);
}

/* --- Looking at it --------------------------------------------------------------------------- */

int il_process_fd(const il_process *process)
{
    return process->pidfd;
}

long il_process_id(const il_process *process)
{
    return process->pid;
}

void il_process_describe(const il_process *process, il_process_info *out_info)
{
    bool ended = il__load_acquire(&process->ended);
    bool well = ended && !process->status && !process->exit.code && !process->exit.signal;

    *out_info = (il_process_info){
        .pid = process->pid,
        .state = well    ? IL_DONE
                 : ended ? IL_FAILED
                         : IL_RUNNING,
        .daemon = process->daemon,
        .since = process->started,
    };
    snprintf(out_info->name, sizeof out_info->name, "%s", process->name);
}

size_t il_process_list(il_process_info *out_infos, size_t capacity)
{
    size_t count = 0;

    il__spin_lock(&list_lock);
    for (il__link *link = il__list_first(&list); link; link = il__list_next(link)) {
        if (count < capacity)
            il_process_describe(il__of(link, il_process, link), &out_infos[count]);
        count++;
    }
    il__spin_unlock(&list_lock);
    return count;
}
