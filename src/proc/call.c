/* SPDX-License-Identifier: MIT */
/*
 * Functions as child processes: the program's side.
 *
 * One zygote, made at the first call, forks them all (called.c). Only the watcher's thread talks to it,
 * so nothing of it needs a lock; and being the thread that made it, that one counts as the parent of
 * all its children, and stays until each has ended, so a daemon does not die early. The zygote goes
 * when the watcher does: when there has been nothing to watch for a second.
 *
 * From the moment it is made such a child is an il_process like any other: a child of this program,
 * known by its pidfd. What is more is the block with its result.
 */

#include "proc/call.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/shared.h"
#include "proc/crash.h"
#include "proc/process.h"
#include "proc/zygote.h"
#include "wait/agent.h"

enum { ALIGNMENT = 64, PATIENCE = 30 /* seconds that the zygote may take to answer */ };

/* --- The zygote: on the watcher's thread ------------------------------------------------------ */

static struct {
    pid_t owner; /* a fork has its own */
    pid_t pid;   /* 0: none */
    int control;
} zygote;

static void dismiss(void)
{
    if (!zygote.pid) return;
    if (zygote.owner == getpid()) {
        shutdown(zygote.control, SHUT_RDWR); /* also for those who have inherited it */
        while (waitpid(zygote.pid, NULL, 0) < 0 && errno == EINTR) continue;
    }
    close(zygote.control);
    zygote.pid = 0;
}

static int ensure_zygote(void)
{
    if (zygote.pid && zygote.owner != getpid()) dismiss();
    if (zygote.pid) return 0;
    zygote.owner = getpid();
    return il__zygote_start("zygote", IL__ZYGOTE_OF_CALLS, &zygote.control, &zygote.pid);
}

struct request {
    const il__call_order *order;
    const int *descriptors; /* STREAMS + 3 of them, see called.c */
    il_process *process;
    int status;
};

enum { DESCRIPTORS = 5 };

/* 0, -EPIPE (the zygote is gone, and the child was not made), or why there is no child. */
static int ask(struct request *request)
{
    struct pollfd came = { .fd = zygote.control, .events = POLLIN };
    il__call_answer answer;
    int pidfd = -1;
    int status = il__message_send(zygote.control, request->order, sizeof *request->order,
                                  request->descriptors, DESCRIPTORS);
    if (status) return status == -ECONNRESET ? -EPIPE : status;
    while (poll(&came, 1, PATIENCE * 1000) < 0 && errno == EINTR) continue;
    int length = il__message_receive(zygote.control, &answer, sizeof answer, &pidfd, 1);
    if (length == -EAGAIN) {
        kill(zygote.pid, SIGKILL);
        return -EAGAIN;
    }
    if (length != (int)sizeof answer) return -EPIPE;
    if (answer.pid < 0) return (int)answer.pid;
    if (pidfd < 0) return -EMFILE; /* no room for it here; the child is on its own */
    request->process->pid = (pid_t)answer.pid;
    request->process->pidfd = pidfd;
    return 0;
}

static void start_on_watcher(void *arg)
{
    struct request *request = arg;
    request->status = -EPIPE;
    for (int tries = 0; tries < 2 && request->status == -EPIPE; tries++) {
        request->status = ensure_zygote();
        if (!request->status) request->status = ask(request);
        if (request->status == -EPIPE || request->status == -EAGAIN) dismiss();
    }
    if (request->status == -EPIPE) request->status = -EAGAIN;
}

static int start_process(struct request *request)
{
    il__watcher_at_rest(dismiss);
    int status = il__watcher_call(start_on_watcher, request, true);
    if (status) return status;
    if (request->status) il__watcher_release();
    else request->process->kept = true;
    return request->status;
}

/* --- The block ------------------------------------------------------------------------------- */

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

struct outline {
    size_t in_at, out_at, env_at, size;
    uint64_t env_count;
};

static struct outline outline_of(size_t in_size, size_t out_size, char *const *env)
{
    struct outline at = { .in_at = aligned(sizeof(il__call)) };
    at.out_at = at.in_at + aligned(in_size);
    at.env_at = at.out_at + aligned(out_size);
    at.size = at.env_at + 1;
    for (; env[at.env_count]; at.env_count++) at.size += strlen(env[at.env_count]) + 1;
    return at;
}

static void copy_environment(char *to, char *const *env, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        size_t size = strlen(env[i]) + 1;
        memcpy(to, env[i], size);
        to += size;
    }
}

static int make_block(il_process *process, il_fn *fn, const void *in, size_t in_size,
                      size_t out_size, const il_process_opts *opts, int *out_descriptor)
{
    char *const *env = opts->env ? (char *const *)opts->env : environ;
    struct outline at = outline_of(in_size, out_size, env);
    void *memory;
    int status = il__shared_new("interlock", at.size, &memory, out_descriptor);
    if (status) return status;

    il__call *call = memory;
    process->call = call;
    process->call_size = at.size;
    process->out = (char *)memory + at.out_at;
    process->out_size = out_size;
    call->in_size = in_size;
    call->in_at = at.in_at;
    call->out_at = at.out_at;
    call->env_at = at.env_at;
    call->env_count = at.env_count;
    snprintf(call->name, sizeof call->name, "%s", process->name);
    if (in_size) memcpy((char *)memory + at.in_at, in, in_size);
    copy_environment((char *)memory + at.env_at, env, at.env_count);
    status = il__module_of(fn, &call->module, &call->offset);
    process->base = (uintptr_t)fn - call->offset;
    return status ? il_fail(status, "the function is neither in the program nor in a library") : 0;
}

/* --- Starting -------------------------------------------------------------------------------- */

static int open_directory(const il_process_opts *opts)
{
    const char *path = opts->directory ? opts->directory : ".";
    bool refused = il__refused();
    int fd = refused ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) return fd;
    int failed = refused ? EMFILE : errno;
    return il_fail(-failed, "%s: cannot enter its directory: %s", path, strerror(failed));
}

static int start_with(il_process *process, const il_process_opts *opts, int block, int directory)
{
    il__stdio stdio;
    int status = il__stdio_open(&stdio, opts);
    if (status) return il_fail(status, "%s: its input and output", process->name);
    const il__call_order order = {
        .size = process->call_size,
        .program = getpid(),
        .group = opts->group,
        .session = opts->session,
        .daemon = opts->daemon,
    };
    const int descriptors[DESCRIPTORS] = { block, directory, stdio.child[0], stdio.child[1],
                                           stdio.child[2] };
    struct request request = { .order = &order, .descriptors = descriptors, .process = process };
    status = start_process(&request);
    il__stdio_close_child(&stdio);
    if (status) {
        il__stdio_close_ours(&stdio);
        return il_fail(status, "%s: cannot start a process: %s", process->name, strerror(-status));
    }
    il__process_enter(process, opts, &stdio);
    return 0;
}

static int start(il_process *process, il_fn *fn, const void *in, size_t in_size, size_t out_size,
                 const il_process_opts *opts)
{
    int block = -1;
    int status = make_block(process, fn, in, in_size, out_size, opts, &block);
    int directory = status ? status : open_directory(opts);
    if (!status) status = directory < 0 ? directory : start_with(process, opts, block, directory);
    if (directory >= 0) close(directory);
    if (block >= 0) close(block);
    return status;
}

int il_process_call(il_fn *fn, const void *in, size_t in_size, size_t out_size,
                    const il_process_opts *opts, il_process **out_process)
{
    static const il_process_opts defaults = { 0 };
    if (!opts) opts = &defaults;
    il_process *process = il__zalloc(sizeof *process);
    if (!process) return -ENOMEM;
    process->started = il_now();
    process->name = il__copy_string(opts->name ? opts->name : program_invocation_short_name);
    int status = process->name ? start(process, fn, in, in_size, out_size, opts) : -ENOMEM;
    if (status) {
        if (process->call) il__shared_unmap(process->call, process->call_size);
        il__free(process->name);
        il__free(process);
        return status;
    }
    *out_process = process;
    return 0;
}

/* --- Its outcome ----------------------------------------------------------------------------- */

static il__error *error_of_end(const il_process *process)
{
    char how[100], words[200], where[IL__CALL_WORDS];
    const il_exit *end = &process->exit;
    if (process->status) snprintf(how, sizeof how, "ended, and somebody else took its exit");
    else if (end->signal)
        snprintf(how, sizeof how, "was killed by signal %d (%s)", end->signal,
                 strsignal(end->signal));
    else snprintf(how, sizeof how, "exited with %d before its function returned", end->code);
    snprintf(words, sizeof words, "process %ld %s, peak memory %.1f MiB", (long)process->pid, how,
             (double)end->peak_memory / (1 << 20));
    il__crash_print(process->call, process->base, where, sizeof where);
    return il__error_elsewhere(-EOWNERDEAD, process->pid, end->signal, process->name, "", 0, words,
                               where);
}

/* The child may have written anything: a 0 of ours at the end of each. */
static il__error *error_of_function(const il_process *process, int status)
{
    il__call *call = process->call;
    call->words[IL__CALL_WORDS - 1] = call->cause[IL__CALL_WORDS - 1] = 0;
    call->file[IL__CALL_FILE - 1] = 0;
    return il__error_elsewhere(status, process->pid, 0, process->name, call->file, call->line,
                               call->words, call->cause);
}

/* It has ended: its status, and if that is a failure its error is there. */
static int outcome(il_process *process)
{
    bool done = il__load_acquire(&process->call->done); /* pairs with the release in become_child */
    int status = done ? process->call->status : -EOWNERDEAD;
    if (status >= 0 || il__load_acquire(&process->error)) return status;
    il__error *error = done ? error_of_function(process, status) : error_of_end(process),
              *none = NULL;
    if (!il__cas(&process->error, &none, error)) il__error_unref(error);
    return status;
}

int il_process_get(il_process *process, il_time until, void *out)
{
    if (!process->call) return -EINVAL;
    int status = il_process_wait(process, until, NULL);
    if (status && status != -ECHILD) return status;
    status = outcome(process);
    if (status < 0) il__agent_note(il__self(), il__error_ref(process->error));
    if (status >= 0 && out && process->out_size) memcpy(out, process->out, process->out_size);
    return status;
}

const il_error *il_process_error(il_process *process)
{
    int status = process->call ? il_process_wait(process, IL_NOW, NULL) : -EINVAL;
    if (status && status != -ECHILD) return NULL;
    return outcome(process) < 0 ? &process->error->public : NULL;
}

void il__process_forget_call(il_process *process)
{
    if (!process->call) return;
    il__shared_unmap(process->call, process->call_size);
    il__error_unref(process->error);
}
