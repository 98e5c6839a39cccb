/* SPDX-License-Identifier: MIT */
/*
 * il_thread: one kernel thread by hand.
 *
 * The object is the caller's memory and is laid out here. `state` is atomic and goes forward only;
 * who moves it from new to starting owns the start. The thread writes its outcome and then opens
 * `done`, its last access to the object. The first join that sees it open also joins the kernel
 * thread, which by then is on its way out.
 */

#include <interlock/thread.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "os/thread.h"
#include "task/task.h"
#include "wait/choice.h"
#include "wait/thread_agent.h"

#define DONE (UINT64_C(1) << IL__GATE_SHIFT)
enum { ONE = 1 << IL__GATE_SHIFT };

struct thread {
    int state; /* atomic il_state */
    int status;
    bool daemon;
    bool joined; /* atomic */
    il_fn *fn;
    void *in, *out;
    char *name; /* until it ends */
    pthread_t pthread;
    uint64_t parent;
    il__cancel cancel;
    il__gate done;
    unsigned forks; /* il__forks at the start */
    il_error error; /* if status < 0; a copy, since nobody frees what the object would own */
    char words[160], own_name[48];
};

_Static_assert(sizeof(struct thread) <= sizeof(il_thread), "il_thread is too small");

static il__gate daemons; /* state: how many live */
static int64_t grace = IL_MS(100);

static struct thread *inside(const il_thread *handle)
{
    return (struct thread *)(uintptr_t)handle;
}

static void count_daemon(int64_t change)
{
    uint64_t word = il__gate_lock(&daemons) + (uint64_t)(change * ONE);
    il__waiter *waiters = word < ONE ? il__gate_claim_all(&daemons) : NULL;
    il__gate_unlock(&daemons, word);
    il__deliver_all(waiters);
}

/* --- Life ------------------------------------------------------------------------------------ */

/* Copy what there is to say, causes in the same line. */
static void keep_error(struct thread *self, il__error *error)
{
    const il_error *cause = error->public.cause;
    int length =
        snprintf(self->words, sizeof self->words, "%s%s", error->public.message, cause ? ": " : "");
    if (cause && length > 0 && (size_t)length < sizeof self->words)
        il_error_format(cause, self->words + length, sizeof self->words - (size_t)length);
    snprintf(self->own_name, sizeof self->own_name, "%s", error->public.task);
    self->error = error->public;
    self->error.message = self->words;
    self->error.task = self->own_name;
    self->error.cause = NULL;
    il__error_unref(error);
}

static il__error *error_again(const il_error *error, const char *format, ...)
{
    va_list words;
    va_start(words, format);
    il__error *again =
        il__error_new(error->status, error->file, error->line, error->task, NULL, format, words);
    va_end(words);
    return again;
}

static void call(struct thread *self)
{
    il__frame frame;
    il__agent *agent = il__self();
    il__task task = { .name = self->name };
    il__store(&agent->parent, self->parent);
    il__frame_enter(&frame, &task);
    il__store(&agent->cancel, &self->cancel);
    agent->task = &task;

    int status = self->fn(self->in, self->out);
    self->status = status;
    if (status < 0) keep_error(self, il__frame_error(&frame, status));
    il__frame_leave(&frame);
}

static void *run(void *arg)
{
    struct thread *self = arg;
    il__thread_agent *agent = il__thread_agent_here();
    bool daemon = self->daemon;
    il__self_set(&agent->agent);
    agent->handle = self;
    il__thread_agent_rename(self->name);
    il__store_release(&self->state, IL_RUNNING);
    call(self);

    il__thread_agent_disown(agent);
    il__free(self->name);
    self->name = NULL;
    il__store_release(&self->state, self->status >= 0            ? IL_DONE
                                    : self->status == -ECANCELED ? IL_CANCELED
                                                                 : IL_FAILED);
    il__gate_lock(&self->done);
    il__waiter *waiters = il__gate_claim_all(&self->done);
    il__gate_unlock(&self->done, DONE);
    il__deliver_all(waiters);
    if (daemon) count_daemon(-1);
    return NULL;
}

static void cancel_daemon(il__thread_agent *agent, void *unused)
{
    (void)unused;
    struct thread *thread = agent->handle;
    if (thread && thread->daemon) il__cancel_fire(&thread->cancel, -ECANCELED);
}

static void report(il__thread_agent *agent, void *unused)
{
    (void)unused;
    struct thread *thread = agent->handle;
    if (!thread) return;
    il_error error = {
        .status = -EBUSY,
        .message = thread->daemon ? "a daemon thread still ran when the process ended"
                                  : "a thread was not joined before the process ended",
        .file = "",
        .task = agent->name,
    };
    il__error_unobserved(&error);
}

static void end_threads(void)
{
    il_time until = il_after(il__load(&grace));
    il__thread_agents_visit(cancel_daemon, NULL);
    for (int status = 0; !status;) {
        uint64_t word = il__gate_lock(&daemons);
        if (word < ONE) {
            il__gate_unlock(&daemons, word);
            break;
        }
        status = il__gate_wait(&daemons, word, "daemons", &daemons, 0, IL__PLAIN, until);
    }
    il__thread_agents_visit(report, NULL);
}

/* The daemons of the parent are not here, unless one of them forked. */
static void after_fork_in_child(void)
{
    struct thread *self = il__thread_agent_here()->handle;
    daemons = (il__gate){ .word = self && self->daemon ? ONE : 0 };
}

static void register_end(void)
{
    pthread_atfork(NULL, NULL, after_fork_in_child);
    atexit(end_threads);
}

int il_thread_start(il_thread *handle, il_fn *fn, void *in, void *out, const il_thread_opts *opts)
{
    static const il_thread_opts defaults;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct thread *made = inside(handle);
    int state = IL_NEW;
    if (!fn) return -EINVAL;
    if (!opts) opts = &defaults;
    if (!il__cas(&made->state, &state, IL_STARTING)) return -EALREADY;

    *made = (struct thread){
        .state = IL_STARTING,
        .daemon = opts->daemon,
        .fn = fn,
        .in = in,
        .out = out,
        .name = il__copy_string(opts->name ? opts->name : "thread"),
        .parent = il__agent_id(il__self()),
        .forks = il__forks,
    };
    il__cancel_init(&made->cancel, NULL, 0);
    int status = made->name ? 0 : -ENOMEM;
    if (status) goto back;
    pthread_once(&once, register_end);
    if (opts->daemon) count_daemon(1);
    bool daemon = opts->daemon;
    made->joined = daemon; /* nobody has to join it, so the system need not keep anything */
    status = il__thread_create(&made->pthread, opts->stack_size, daemon, run, made);
    if (status) goto uncount;
    return 0;

uncount:
    if (opts->daemon) count_daemon(-1);
back:
    il__free(made->name);
    made->name = NULL;
    il__store_release(&made->state, IL_NEW);
    return status;
}

int il_thread_join(il_thread *handle, il_time until)
{
    struct thread *joined = inside(handle);
    if (il__load_acquire(&joined->state) == IL_NEW)
        return il_fail(-EINVAL, "the thread was never started");
    if (il_thread_self() == handle) return il_fail(-EDEADLK, "a thread cannot join itself");
    if (joined->forks != il__forks && !(il__load_acquire(&joined->done.word) & DONE))
        return il_fail(-EPIPE, "the thread stayed in the process that forked this one");

    uint64_t word = il__gate_lock(&joined->done);
    int status = 0;
    if (word & DONE) il__gate_unlock(&joined->done, word);
    else status = il__gate_wait(&joined->done, word, "thread", handle, 0, IL__CANCELS, until);
    if (status) return status;

    if (!il__swap(&joined->joined, true) && joined->forks == il__forks)
        pthread_join(joined->pthread, NULL);
    if (joined->status < 0)
        il__agent_note(il__self(), error_again(&joined->error, "%s", joined->words));
    return joined->status;
}

int il_thread_cancel(il_thread *handle)
{
    struct thread *thread = inside(handle);
    int state = il__load_acquire(&thread->state);
    if (state == IL_NEW) return -EINVAL;
    if (state >= IL_DONE) return -EALREADY;
    il__cancel_fire(&thread->cancel, -ECANCELED);
    return 0;
}

int64_t il_thread_grace(int64_t duration)
{
    return il__swap(&grace, duration);
}

/* --- Looking at it --------------------------------------------------------------------------- */

typedef struct search {
    const void *handle;
    il_info *info;
    bool found;
} search;

static void look(il__thread_agent *agent, void *arg)
{
    search *wanted = arg;
    if (agent->handle != wanted->handle) return;
    il__thread_agent_describe_locked(agent, wanted->info);
    wanted->found = true;
}

int il_thread_describe(const il_thread *handle, il_info *out_info)
{
    search wanted = { .handle = handle, .info = out_info };
    if (il__load_acquire(&inside(handle)->state) == IL_NEW) return -EINVAL;
    il__thread_agents_visit(look, &wanted);
    return wanted.found ? 0 : -ESRCH;
}

il_state il_thread_state(const il_thread *handle)
{
    il_info info;
    il_state state = (il_state)il__load_acquire(&inside(handle)->state);
    if (state != IL_RUNNING || il_thread_describe(handle, &info)) return state;
    return info.state;
}

const il_error *il_thread_error(const il_thread *handle)
{
    struct thread *thread = inside(handle);
    if (il__load_acquire(&thread->state) < IL_DONE || thread->status >= 0) return NULL;
    return &thread->error;
}

il_thread *il_thread_self(void)
{
    il__thread_agent *agent = il__thread_agent_here();
    return il__self() == &agent->agent ? agent->handle : NULL;
}

/* --- Select ---------------------------------------------------------------------------------- */

static il__gate *gate_of(const il_case *what)
{
    return &inside(what->il__on)->done;
}

static int take_ended(il_case *what, il__waiter **woken)
{
    (void)woken;
    if (il__load_acquire(&inside(what->il__on)->state) == IL_NEW) return -EINVAL;
    if (il_thread_self() == what->il__on) return -EDEADLK;
    return il__gate_state(gate_of(what)) & DONE ? 0 : -EAGAIN;
}

const il__choice il__choice_ended = { .gate = gate_of, .take = take_ended };
