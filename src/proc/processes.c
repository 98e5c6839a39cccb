/* SPDX-License-Identifier: MIT */
/*
 * The processes executor: tasks in, outcomes out, and the monitor, the one thread that talks to the
 * workers. README.md has the whole picture.
 *
 * How a running task hears of its cancellation: while it runs elsewhere it has an agent here, which
 * "waits", cancellable, for the worker. Whoever cancels the task, its scope or the executor claims
 * that wait as any other, and waking that agent means: monitor, look.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <interlock/cpu.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "os/shared.h"
#include "os/thread.h"
#include "proc/pool.h"
#include "task/future.h"
#include "wait/thread_agent.h"

enum { MOST_WORKERS = 1024, GRACE = 100 /* milliseconds */, SPINS = 60, ROUNDS = 64 };
enum { ONE = 1 << IL__GATE_SHIFT };

static il__crew *crew_of(il_executor *executor)
{
    return (il__crew *)executor;
}

static int refuse_after_fork(const il__crew *crew)
{
    if (il__likely(crew->forks == il__forks)) return 0;
    return il_fail(-EPERM, "the pool \"%s\" belongs to the process that this one was forked from",
                   crew->name);
}

/* --- Entering --------------------------------------------------------------------------------- */

static void kick(il__crew *crew)
{
    uint64_t one = 1;
    il__store_seq(&crew->came, 1); /* one of us sees the other: see go_to_sleep */
    if (il__likely(!il__load_seq(&crew->board->asleep))) return;
    if (!il__swap(&crew->board->asleep, 0)) return;
    ssize_t written = write(crew->event, &one, sizeof one);
    (void)written; /* it fails when the counter is full: then it is told already */
}

/* Count one more that lives, unless the door is closed. */
static int enter(il__crew *crew)
{
    for (unsigned round = 0;; round++) {
        uint64_t word = il__load(&crew->live.word);
        if (il__load_seq(&crew->executor.closing)) return -ESHUTDOWN;
        if (!(word & IL__GATE_LOCKED) && il__cas(&crew->live.word, &word, word + ONE)) break;
        il__relax(round);
    }
    if (!il__load_seq(&crew->executor.closing)) return 0;
    il__crew_ended(crew);
    return -ESHUTDOWN;
}

void il__crew_ended(il__crew *crew)
{
    uint64_t word = il__load(&crew->live.word);
    while (!(word & IL__GATE_BITS))
        if (il__cas_weak(&crew->live.word, &word, word - ONE)) return;
    word = il__gate_lock(&crew->live);
    il__waiter *waiters = word < 2 * ONE ? il__gate_claim_all(&crew->live) : NULL;
    il__gate_unlock(&crew->live, word - ONE);
    il__deliver_all(waiters);
}

static int enter_parcel(il__crew *crew, il__parcel *parcel)
{
    il__add(&crew->visitors, 1);
    int status = enter(crew);
    if (!status) {
        il__spin_lock(&crew->inbox_lock);
        il__parcels_append(&crew->inbox, parcel);
        il__spin_unlock(&crew->inbox_lock);
        kick(crew);
    }
    il__sub(&crew->visitors, 1);
    return status;
}

/* --- Tasks ------------------------------------------------------------------------------------ */

/* A task of il_submit while it is away. */
struct remote {
    il__parcel parcel; /* first */
    il__agent agent;   /* in the cancellation tree, from begin to done */
    uint32_t told;     /* atomic: the canceller has made its last access */
    il__crew *crew;
    il__task *task;
    int status;
    il__error *error;
};

static void hear_of_cancellation(il__agent *agent)
{
    struct remote *remote = il__of(agent, struct remote, agent);
    il__crew *crew = remote->crew;
    il__store_seq(&crew->look, 1);
    kick(crew);
    il__store_release(&remote->told, 1); /* pairs with leave_tree */
}

static const il__agent_ops remote_ops = { .unpark = hear_of_cancellation };

static bool begin(il__parcel *parcel)
{
    struct remote *remote = (struct remote *)parcel;
    il__task *task = remote->task;
    if (!il__future_begin(task->future)) {
        il__task_refuse(task, -ECANCELED);
        il__free(remote);
        return false;
    }
    il__agent_init(&remote->agent, &remote_ops);
    remote->agent.cancel = &task->cancel;
    il__store_release(&remote->agent.word, IL__WAITING | IL__CANCELLABLE | IL__PARKED);
    il__cancel_enter(&task->cancel, &remote->agent);
    return true;
}

static void failed(il__parcel *parcel, size_t index, int status, il__error *error)
{
    struct remote *remote = (struct remote *)parcel;
    (void)index;
    il__error_unref(remote->error);
    remote->status = status;
    remote->error = error;
}

/* Who has claimed the agent may still be busy with it. */
static void leave_tree(struct remote *remote)
{
    il__cancel_leave(&remote->task->cancel);
    if ((il__load_seq(&remote->agent.word) & IL__PHASE) == IL__WAITING) return;
    for (unsigned round = 0; !il__load_acquire(&remote->told); round++) il__relax(round);
}

static void done(il__parcel *parcel, int status)
{
    struct remote *remote = (struct remote *)parcel;
    il__task *task = remote->task;
    leave_tree(remote);
    if (!status) status = remote->status;
    int cancelled = status < 0 ? il__cancel_status(&task->cancel) : 0;
    if (cancelled) status = cancelled;
    il__error *error = remote->error;
    if (status < 0 && (!error || error->public.status != status)) {
        il__error_unref(error);
        error = il__error_plain(status, task->name ? task->name : "", NULL);
    }
    il__task_end(task, status, error);
    il__free(remote);
}

static int start(il_executor *executor, il__task *task)
{
    il__crew *crew = crew_of(executor);
    il_future *future = task->future;
    unsigned limit = crew->opts.queue_limit;
    int status = refuse_after_fork(crew);
    if (status) return status;
    if (!future || future->source)
        return il_fail(-EINVAL, "what is passed by reference cannot run in another process");
    struct remote *remote = il__alloc(sizeof *remote);
    if (!remote) return -ENOMEM;
    remote->parcel = (il__parcel){
        .fn = task->fn,
        .name = task->name,
        .in = task->in,
        .out = task->out,
        .in_size = future->in_size,
        .out_size = future->out_size,
        .count = 1,
        .retries = task->retries,
        .priority = task->priority,
        .deadline = task->cancel.deadline,
        .cancel = &task->cancel,
        .begin = begin,
        .failed = failed,
        .done = done,
        .waits = true,
        .kill_at = IL_FOREVER,
    };
    remote->crew = crew;
    remote->task = task;
    remote->told = 0;
    remote->status = 0;
    remote->error = NULL;
    if (limit && il__add(&crew->waiting, 1) >= limit) status = -EAGAIN;
    if (!status) status = enter_parcel(crew, &remote->parcel);
    if (!status) return 0;
    if (limit) il__sub(&crew->waiting, 1);
    il__free(remote);
    return status;
}

static int post(il_executor *executor, il__parcel *parcel)
{
    int status = refuse_after_fork(crew_of(executor));
    parcel->waits = true;
    parcel->kill_at = IL_FOREVER;
    return status ? status : enter_parcel(crew_of(executor), parcel);
}

static void recall(il_executor *executor, il__parcel *parcel)
{
    il__crew *crew = crew_of(executor);
    il__store(&parcel->recalled, -ECANCELED);
    il__store_seq(&crew->recalls, 1);
    il__store_seq(&crew->look, 1);
    kick(crew);
}

/* --- The monitor ------------------------------------------------------------------------------ */

static void take_inbox(il__crew *crew)
{
    il__parcel *parcel;
    il__spin_lock(&crew->inbox_lock);
    il__parcels inbox = crew->inbox;
    crew->inbox.first = NULL;
    il__spin_unlock(&crew->inbox_lock);
    while ((parcel = il__parcels_take(&inbox)))
        il__parcels_append(il__crew_queue_of(crew, parcel), parcel);
}

static bool something_came(il__crew *crew)
{
    if (il__load_seq(&crew->came)) return true;
    for (unsigned i = 0; i < crew->executor.workers; i++) {
        const il__process *process = &crew->processes[i];
        if (process->state == IL__STARTING && il__load_seq(&process->lane->ready) &&
            !process->lane->ready_status)
            return true;
        if (process->held && il__load_seq(&process->lane->finished) != process->collected)
            return true;
    }
    return false;
}

static void read_events(il__crew *crew, int timeout)
{
    struct epoll_event events[16];
    uint64_t count;
    int found = epoll_wait(crew->poll, events, 16, timeout);
    for (int i = 0; i < found; i++) {
        uint32_t which = events[i].data.u32;
        if (which == IL__EVENT) {
            ssize_t length = read(crew->event, &count, sizeof count);
            (void)length; /* that there was one is all we need to know */
        } else if (which != IL__CONTROL) {
            il__crew_read_words(&crew->processes[which]);
        }
    }
    for (int i = 0; i < found; i++) /* last: a worker's words come before its end */
        if (events[i].data.u32 == IL__CONTROL) il__crew_read_reports(crew);
}

static int until_next_timer(const il__crew *crew)
{
    il_time next = crew->next_timer;
    if (crew->absent && crew->retry_at < next) next = crew->retry_at;
    if (next == IL_FOREVER) return -1;
    int64_t left = next - il_now();
    if (left <= 0) return 0;
    return left > IL_SEC(60) ? 60000 : (int)((left + IL_MS(1) - 1) / IL_MS(1));
}

static void go_to_sleep(il__crew *crew)
{
    for (int i = 0; i < SPINS; i++) {
        if (something_came(crew)) return;
        il__pause();
    }
    il__store_seq(&crew->board->asleep, 1); /* then look once more: see kick and tell_parent */
    read_events(crew, something_came(crew) ? 0 : until_next_timer(crew));
    il__store(&crew->board->asleep, 0);
}

static void *monitor(void *arg)
{
    il__crew *crew = arg;
    char name[64];
    snprintf(name, sizeof name, "%s/monitor", crew->name);
    il__thread_agent_rename(name);
    for (unsigned round = 0; !il__load_acquire(&crew->stopping); round++) {
        if (il__load(&crew->came) && il__swap(&crew->came, 0)) take_inbox(crew);
        bool busy = il__crew_collect(crew);
        if (il__load(&crew->look) ||
            (crew->next_timer != IL_FOREVER && il_now() >= crew->next_timer)) {
            il__swap(&crew->look, 0);
            il__crew_look(crew);
        }
        if (crew->starting) il__crew_look_for_ready(crew);
        if (crew->absent) il__crew_start_workers(crew);
        il__crew_fill(crew);
        if (!busy && !il__crew_balance(crew)) go_to_sleep(crew);
        else if (round % ROUNDS == 0) read_events(crew, 0);
    }
    il__crew_dismiss(crew);
    return NULL;
}

/* --- The pool --------------------------------------------------------------------------------- */

static int wait_until_quiet(il__crew *crew, il__cancels cancels, il_time until)
{
    il__store_seq(&crew->executor.closing, 1);
    for (;;) {
        uint64_t word = il__gate_lock(&crew->live);
        if (word < ONE) {
            il__gate_unlock(&crew->live, word);
            return 0;
        }
        int status = il__gate_wait(&crew->live, word, "executor", crew, 0, cancels, until);
        if (status) return status;
    }
}

static int close_pool(il_executor *executor, il_time until)
{
    int status = refuse_after_fork(crew_of(executor));
    return status ? status : wait_until_quiet(crew_of(executor), IL__CANCELS, until);
}

static void release(il__crew *crew)
{
    if (crew->board) il__shared_unmap(crew->board, crew->board_size);
    if (crew->board_descriptor >= 0) close(crew->board_descriptor);
    if (crew->event >= 0) close(crew->event);
    if (crew->poll >= 0) close(crew->poll);
    il__free(crew->modules);
    il__free(crew->processes);
    il__free(crew);
}

static void destroy(il__crew *crew)
{
    for (unsigned round = 0; il__load_seq(&crew->visitors); round++) il__relax(round);
    il__store_seq(&crew->stopping, 1);
    kick(crew);
    pthread_join(crew->monitor, NULL);
    release(crew);
}

static void free_pool(il_executor *executor)
{
    il__crew *crew = crew_of(executor);
    if (crew->forks != il__forks) return; /* the process that made it sees to it */
    il__cancel_fire(&executor->cancel, -ECANCELED);
    wait_until_quiet(crew, IL__PLAIN, IL_FOREVER);
    destroy(crew);
}

static void describe(il_executor *executor, il_executor_info *out_info)
{
    out_info->started = il__load(&crew_of(executor)->started);
}

static const il__executor_ops ops = {
    .kind = "processes",
    .start = start,
    .close = close_pool,
    .free = free_pool,
    .describe = describe,
    .post = post,
    .recall = recall,
};

static int make_board(il__crew *crew)
{
    const il_processes_opts *opts = &crew->opts;
    void *memory;
    crew->board_size = sizeof *crew->board + opts->arg_size;
    int status = il__shared_new("interlock", crew->board_size, &memory, &crew->board_descriptor);
    if (status) return status;
    crew->board = memory;
    crew->board->recycle_tasks = opts->recycle_tasks;
    crew->board->recycle_size = opts->recycle_size;
    crew->board->memory = opts->memory;
    crew->board->cpu_time = opts->cpu_time;
    crew->board->arg_size = opts->arg_size;
    crew->board->here = (uintptr_t)crew->board;
    snprintf(crew->board->name, sizeof crew->board->name, "%.15s", crew->name);
    if (opts->arg_size) memcpy(crew->board->arg, opts->arg, opts->arg_size);
    if (!opts->on_worker_start) return 0;

    uint32_t module;
    crew->board->has_start = 1;
    il_fn *fn = (il_fn *)(void (*)(void))opts->on_worker_start;
    status = il__crew_find_function(crew, fn, &module, &crew->board->start_offset);
    return status == -ENOEXEC
               ? il_fail(status, ".on_worker_start is neither in the program nor in a library")
               : status;
}

static int prepare(il__crew *crew)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = IL__EVENT };
    unsigned workers = crew->executor.workers;
    crew->processes = il__zalloc(workers * sizeof *crew->processes);
    if (!crew->processes) {
        crew->executor.workers = 0; /* none to be dismissed */
        return -ENOMEM;
    }
    for (unsigned i = 0; i < workers; i++)
        crew->processes[i] = (il__process){ .index = i, .socket = -1, .words = -1 };
    crew->absent = workers;
    crew->event = il__refused() ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    crew->poll = il__refused() ? -1 : epoll_create1(EPOLL_CLOEXEC);
    if (crew->event < 0 || crew->poll < 0) return -EMFILE;
    if (epoll_ctl(crew->poll, EPOLL_CTL_ADD, crew->event, &event)) return -ENOMEM;
    int status = make_board(crew);
    return status ? status : il__crew_start_zygote(crew);
}

static il__crew *new_crew(const il_processes_opts *opts, unsigned workers)
{
    il__crew *crew = il__zalloc(sizeof *crew);
    if (!crew) return NULL;
    il__executor_init(&crew->executor, &ops, workers);
    crew->opts = *opts;
    if (!crew->opts.grace) crew->opts.grace = IL_MS(GRACE);
    snprintf(crew->name, sizeof crew->name, "%s", opts->name ? opts->name : "pool");
    crew->executor.name = crew->name;
    crew->forks = il__forks;
    crew->board_descriptor = crew->event = crew->poll = crew->control = -1;
    crew->next_timer = IL_FOREVER;
    crew->retry_at = IL_NOW;
    crew->regions_freed = il__regions_freed();
    return crew;
}

int il_processes_new(const il_processes_opts *opts, il_executor **out_executor)
{
    static const il_processes_opts defaults;
    if (!opts) opts = &defaults;
    unsigned workers = opts->workers ? opts->workers : (unsigned)il_cpu_count(NULL);
    if (workers > MOST_WORKERS || (opts->arg_size && !opts->arg) || opts->grace < 0 ||
        opts->cpu_time < 0)
        return -EINVAL;
    il__crew *crew = new_crew(opts, workers);
    if (!crew) return -ENOMEM;
    int status = prepare(crew);
    if (!status) status = il__thread_create(&crew->monitor, 0, false, monitor, crew);
    if (status) {
        il__crew_dismiss(crew);
        release(crew);
        return status;
    }
    il_event_wait(&crew->ready);
    status = crew->ready_status;
    if (status) {
        il__error *error = crew->ready_error;
        destroy(crew);
        if (error) il__agent_note(il__self(), error);
        return status;
    }
    *out_executor = &crew->executor;
    return 0;
}
