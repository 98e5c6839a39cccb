/* SPDX-License-Identifier: MIT */
/*
 * Futures and promises.
 *
 * `state` decides by compare-and-swap who completes a future: the worker that begins its task, a
 * cancel that comes before, or the one who sets the promise. The winner fills in status and error
 * and then unlocks the gate with "done"; after that they never change. Callbacks are guarded by the
 * gate until it is done, then they are the winner's.
 */

#include "task/future.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "task/executor.h"
#include "task/scope.h"
#include "wait/thread_agent.h"
#include "wait/choice.h"

#define DONE (UINT64_C(1) << IL__GATE_SHIFT)

struct il__callback {
    il__callback *next;
    void (*call)(il_future *, void *arg);
    void *arg;
};

il_future *il__future_new(size_t out_size, size_t in_size)
{
    size_t room = ((out_size + 15) & ~(size_t)15) + in_size;
    if (room < out_size || room > SIZE_MAX - sizeof(il_future)) return NULL;
    il_future *future = il__alloc(sizeof *future + room);
    if (!future) return NULL;
    *future = (il_future){
        .refs = 1,
        .forks = il__forks,
        .out_size = out_size,
        .in_size = in_size,
    };
    memset(future->bytes, 0, out_size);
    return future;
}

il_future *il_future_ref(il_future *future)
{
    il__add(&future->refs, 1);
    return future;
}

void il__future_unref(il_future *future)
{
    if (il__sub(&future->refs, 1) != 1) return;
    if (future->status < 0 && future->status != -ECANCELED && !future->observed)
        il__error_unobserved(&future->error->public);
    il_future *source = future->source;
    for (il__callback *callback; (callback = future->first_callback);) { /* it never was done */
        future->first_callback = callback->next;
        il__free(callback);
    }
    il__error_unref(future->error);
    il__free(future);
    if (source) il__future_unref(source);
}

void il_future_free(il_future *future)
{
    if (future) il__future_unref(future);
}

static bool move(il_future *future, il__future_state from, il__future_state to)
{
    int expected = from;
    return il__cas(&future->state, &expected, to);
}

bool il__future_begin(il_future *future)
{
    return move(future, IL__PENDING, IL__RUNNING);
}

void il__future_complete(il_future *future, int status, il__error *error)
{
    future->status = status;
    future->error = error;
    /* A cancellation is not a failure to be told; and it may be by somebody who does not keep the
     * scope from ending meanwhile. */
    if (status < 0 && status != -ECANCELED && future->task.scope)
        il__scope_keep_failed(future->task.scope, future);
    il__store(&future->state, IL__COMPLETED);

    il__gate_lock(&future->gate);
    il__waiter *waiters = il__gate_claim_all(&future->gate);
    il__callback *callback = future->first_callback;
    future->first_callback = NULL;
    il__gate_unlock(&future->gate, DONE); /* release: pairs with is_done */
    il__deliver_all(waiters);
    while (callback) {
        il__callback *next = callback->next;
        callback->call(future, callback->arg);
        il__free(callback);
        callback = next;
    }
}

static bool is_done(const il_future *future)
{
    return il__load_acquire(&future->gate.word) & DONE;
}

bool il_future_done(il_future *future)
{
    return is_done(future);
}

bool il__future_orphaned(const il_future *future)
{
    return future->forks != il__forks && future->task.executor && !is_done(future);
}

int il__future_wait(il_future *future, il_time until)
{
    if (is_done(future)) return 0;
    if (il__unlikely(il__future_orphaned(future)))
        return il_fail(-EPIPE, "the task stayed in the process that forked this one");
    uint64_t word = il__gate_lock(&future->gate);
    if (!(word & DONE))
        return il__gate_wait(&future->gate, word, "future", future, 0, IL__CANCELS, until);
    il__gate_unlock(&future->gate, word);
    return 0;
}

/* The outcome, looked at: a failure becomes the caller's note. */
static int observe(il_future *future)
{
    if (future->status < 0) {
        il__store(&future->observed, true);
        il__agent_note(il__self(), il__error_ref(future->error));
    }
    return future->status;
}

int il_future_get(il_future *future, il_time until, void *out)
{
    for (const il__task *task = il__self()->task; task; task = task->around)
        if (task == &future->task)
            return il_fail(-EDEADLK, "a task cannot wait for its own future");
    int status = il__future_wait(future, until);
    if (!status) status = observe(future);
    if (!status && out && future->out_size) memcpy(out, future->bytes, future->out_size);
    return status;
}

const il_error *il_future_error(il_future *future)
{
    if (!is_done(future) || future->status >= 0) return NULL;
    il__store(&future->observed, true);
    return &future->error->public;
}

/* Whoever is woken may free it, though we are not done with it. */
static void complete_by_hand(il_future *future, int status, il__error *error)
{
    il_future_ref(future);
    il__future_complete(future, status, error);
    il__future_unref(future);
}

int il_future_cancel(il_future *future)
{
    if (is_done(future)) return -EALREADY;
    if (move(future, IL__PENDING, IL__COMPLETED)) {
        const char *name = future->task.name ? future->task.name : "";
        complete_by_hand(future, -ECANCELED, il__error_plain(-ECANCELED, name, NULL));
    } else {
        il__cancel_fire(&future->task.cancel, -ECANCELED);
    }
    return 0;
}

int il_future_on_done(il_future *future, void (*call)(il_future *, void *arg), void *arg)
{
    il__callback *callback = il__alloc(sizeof *callback);
    if (!callback) return -ENOMEM;
    *callback = (il__callback){ .call = call, .arg = arg };

    uint64_t word = il__gate_lock(&future->gate);
    bool done = word & DONE;
    if (!done) {
        if (future->first_callback) future->last_callback->next = callback;
        else future->first_callback = callback;
        future->last_callback = callback;
    }
    il__gate_unlock(&future->gate, word);
    if (done) {
        il__free(callback);
        call(future, arg);
    }
    return 0;
}

/* Chains: the task of the new future is made at once, and started when the old one is done. */

typedef struct chain_link {
    il_chain chain;
    il_future *before;
} chain_link;

static int run_link(void *in, void *out)
{
    const il_chain *chain = &((chain_link *)in)->chain;
    il_future *before = ((chain_link *)in)->before;
    int status = observe(before);
    if (status < 0) {
        if (chain->rescue) status = chain->rescue(&before->error->public, out);
    } else if (chain->then) {
        status = chain->then(before->out_size ? before->bytes : NULL, out);
    } else if (out) {
        bool cut = chain->out_size < before->out_size;
        memcpy(out, before->bytes, cut ? chain->out_size : before->out_size);
    }
    if (chain->finally) chain->finally(chain->arg);
    return status;
}

static void start_link(il_future *before, void *arg)
{
    (void)before;
    il__task *task = arg;
    il_executor *executor = task->executor;
    int status = executor->ops->start(executor, task);
    if (status) il__task_refuse(task, status);
}

int il_future_then(il_future *future, il_executor *executor, const il_chain *chain,
                   il_future **out_future)
{
    size_t out_size = (chain->out_size + 15) & ~(size_t)15;
    il_future *made = il__future_new(chain->out_size, sizeof(chain_link));
    if (!made) return -ENOMEM;
    chain_link *next = (chain_link *)(void *)(made->bytes + out_size);
    *next = (chain_link){ .chain = *chain, .before = future };
    il__task *task = &made->task;
    int status = il__task_init(task, executor, il__self()->scope, run_link, next,
                               chain->out_size ? made->bytes : NULL, NULL);
    if (status) goto free_made;
    task->future = made;

    made->source = il_future_ref(future);
    if (out_future) il_future_ref(made);
    status = il_future_on_done(future, start_link, task);
    if (status) goto undo;
    if (out_future) *out_future = made;
    return 0;

undo:
    if (out_future) il__future_unref(made);
    il__task_undo(task);
free_made:
    il__future_unref(made);
    return status;
}

int il_promise_new(size_t out_size, il_future **out_future)
{
    il_future *future = il__future_new(out_size, 0);
    if (!future) return -ENOMEM;
    il__cancel_init(&future->task.cancel, NULL, 0);
    *out_future = future;
    return 0;
}

int il_promise_set(il_future *promise, const void *out)
{
    if (!move(promise, IL__PENDING, IL__RUNNING)) return -EALREADY;
    if (out && promise->out_size) memcpy(promise->bytes, out, promise->out_size);
    complete_by_hand(promise, 0, NULL);
    return 0;
}

static il__error *error_with_words(int status, const char *format, ...)
{
    va_list words;
    va_start(words, format);
    il__error *error = il__error_new(status, "", 0, "", NULL, format, words);
    va_end(words);
    return error;
}

int il_promise_fail(il_future *promise, int status, const char *message)
{
    if (status >= 0) return -EINVAL;
    if (!move(promise, IL__PENDING, IL__RUNNING)) return -EALREADY;
    complete_by_hand(promise, status,
                     error_with_words(status, "%s", message ? message : il_strerror(status)));
    return 0;
}

void il_promise_drop(il_future *promise)
{
    if (!promise) return;
    if (!is_done(promise)) il_promise_fail(promise, -EPIPE, "the promise was dropped unset");
    il_future_free(promise);
}

/* Select. */

static il__gate *gate_of(const il_case *what)
{
    return &((il_future *)what->il__on)->gate;
}

static bool promising(const il_case *what)
{
    return is_done(what->il__on);
}

static int take_done(il_case *what, il__waiter **woken)
{
    (void)woken;
    return il__gate_state(gate_of(what)) & DONE ? 0 : -EAGAIN;
}

const il__choice il__choice_done = { .gate = gate_of, .promising = promising, .take = take_done };
