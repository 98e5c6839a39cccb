/* SPDX-License-Identifier: MIT */
/*
 * Scopes. The number of children is the state of the gate, modulo 2^62, less those that the opener
 * has started and counts for itself (`started`) until it joins: so that starting is free for the
 * opener, and ending is one compare-and-swap. While nobody waits, the number says nothing and may
 * pass zero. A join adds `started` under the gate's lock; from then on the last child to leave is
 * the one that makes it zero, under the lock, too, as there is a waiter; it unlocks with the store
 * that says so: the scope may be freed then.
 */

#include "task/scope.h"

#include <errno.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "os/spin.h"
#include "task/executor.h"
#include "task/future.h"
#include "wait/choice.h"

enum { ONE = 1 << IL__GATE_SHIFT };

static bool has_children(uint64_t word)
{
    return word & ~IL__GATE_BITS;
}

void il__scope_enter_from_inside(il_scope *scope)
{
    for (unsigned round = 0;; round++) {
        uint64_t word = il__load(&scope->gate.word);
        if (!(word & IL__GATE_LOCKED) && il__cas(&scope->gate.word, &word, word + ONE)) return;
        il__relax(round);
    }
}

void il__scope_leave(il_scope *scope)
{
    /* release in the swap: what the child wrote is seen by who waits for the scope */
    uint64_t word = il__load(&scope->gate.word);
    while (il__likely(!(word & IL__GATE_LOCKED) && !(word & IL__GATE_WAITERS && word < 2 * ONE)))
        if (il__cas_weak(&scope->gate.word, &word, word - ONE)) return;

    word = il__gate_lock(&scope->gate);
    il__waiter *waiters = has_children(word - ONE) ? NULL : il__gate_claim_all(&scope->gate);
    il__gate_unlock(&scope->gate, word - ONE);
    il__deliver_all(waiters);
}

void il__scope_fail(il_scope *scope, int status, il__error *error)
{
    uint64_t word = il__gate_lock(&scope->gate);
    bool echo = status == -ECANCELED && il__load(&scope->cancel.status);
    bool first = !echo && !scope->status;
    if (first) {
        scope->status = status;
        scope->error = error;
        error = NULL;
    } else if (!echo) {
        scope->more++;
    }
    il__gate_unlock(&scope->gate, word);
    il__error_unref(error);
    if (first) il__cancel_fire(&scope->cancel, -ECANCELED);
}

void il__scope_keep_failed(il_scope *scope, il_future *future)
{
    il_future_ref(future);
    uint64_t word = il__gate_lock(&scope->gate);
    future->next_failed = scope->failed;
    scope->failed = future;
    il__gate_unlock(&scope->gate, word);
}

void il__scope_add_ward(il_scope *scope, il__ward *ward)
{
    uint64_t word = il__gate_lock(&scope->gate);
    il__list_append(&scope->wards, &ward->link);
    il__gate_unlock(&scope->gate, word);
}

void il__scope_remove_ward(il_scope *scope, il__ward *ward)
{
    uint64_t word = il__gate_lock(&scope->gate);
    if (il__linked(&ward->link)) il__list_remove(&scope->wards, &ward->link);
    il__gate_unlock(&scope->gate, word);
}

/* After a join: let a ward end. False: there is none and, seen under the same lock, nobody else is
 * left either. A ward that was cancelled may have become a child since the join, and be none of the
 * list any more. */
static bool end_ward(il_scope *scope)
{
    uint64_t word = il__gate_lock(&scope->gate);
    il__link *link = il__list_take(&scope->wards);
    il__ward *ward = link ? il__of(link, il__ward, link) : NULL;
    if (ward) ward->hold(ward);
    il__gate_unlock(&scope->gate, word);
    if (ward) ward->end(ward);
    return ward || has_children(word);
}

int il_scope_open(const il_scope_opts *opts, il_scope **out_scope)
{
    static const il_scope_opts defaults;
    il__agent *self = il__self();
    il_scope *outer = self->scope;
    il_scope *scope = il__alloc(sizeof *scope);
    if (!scope) return -ENOMEM;
    if (!opts) opts = &defaults;

    /* Forks started before this are not of this scope. */
    if (self->ops->settle) self->ops->settle(self);

    *scope = (il_scope){
        .opener = self,
        .outer = outer,
        .outer_cancel = self->cancel,
        .executor = opts->executor ? opts->executor
                    : outer        ? outer->executor
                                   : self->executor,
        .name = opts->name,
    };
    if (self->cancel) il__cancel_enter(self->cancel, self);
    il__cancel_init(&scope->cancel, self->cancel, opts->deadline);
    il__cancel_enter(&scope->cancel, self);
    self->scope = scope;
    il__store(&self->cancel, &scope->cancel);
    *out_scope = scope;
    return 0;
}

int il_go_with(il_scope *scope, il_fn *fn, void *in, void *out, const il_task_opts *opts)
{
    il_executor *executor = scope->executor ? scope->executor : il__in_place();
    il__task *task = il__task_alloc();
    if (!task) return -ENOMEM;
    int status = il__task_init(task, executor, scope, fn, in, out, opts);
    if (status) goto free_task;
    status = executor->ops->start(executor, task);
    if (status) goto undo;
    return 0;

undo:
    il__task_undo(task);
free_task:
    il__task_free(task);
    return status;
}

int il_go(il_scope *scope, il_fn *fn, void *in, void *out)
{
    return il_go_with(scope, fn, in, out, NULL);
}

static void check_opener(il_scope *scope, const char *call)
{
    il__agent *self = il__self();
    const char *name = scope->name ? scope->name : "";
    if (scope->opener != self)
        il__fatal("%s of scope \"%s\" at %p by somebody else than its opener", call, name,
                  (void *)scope);
    if (self->scope != scope)
        il__fatal("%s of scope \"%s\" at %p while a scope inside it is open", call, name,
                  (void *)scope);
}

/* Wait for the children. The scope's own deadline does not end the wait: it cancels the children. */
static int join(il_scope *scope, il_time until)
{
    for (;;) {
        uint64_t word = il__gate_lock(&scope->gate) + scope->started * ONE;
        scope->started = 0;
        if (!has_children(word)) {
            il__gate_unlock(&scope->gate, word);
            return 0;
        }
        bool bounded = scope->cancel.deadline < until && !il__load(&scope->cancel.status);
        il_time bound = bounded ? scope->cancel.deadline : until;
        int status = il__gate_wait(&scope->gate, word, "scope", scope, 0, IL__PLAIN, bound);
        if (status && !bounded) return status;
        if (status) il__cancel_expire(&scope->cancel, il_now());
    }
}

static int outcome(il_scope *scope)
{
    return scope->status ? scope->status : il__load_acquire(&scope->cancel.status);
}

int il_scope_wait(il_scope *scope, il_time until)
{
    check_opener(scope, "il_scope_wait");
    int status = join(scope, until);
    if (status) return status;
    if (scope->error) il__agent_note(scope->opener, il__error_ref(scope->error));
    return outcome(scope);
}

void il_scope_cancel(il_scope *scope)
{
    il__cancel_fire(&scope->cancel, -ECANCELED);
}

/* Futures that failed and that nobody looked at: the oldest is as good as a child's failure. */
static void judge_failed(il_scope *scope)
{
    for (il_future *future; (future = scope->failed);) {
        scope->failed = future->next_failed;
        if (!il__swap(&future->observed, true) && future->status != -ECANCELED) {
            il__error_unref(scope->error);
            scope->error = il__error_ref(future->error);
            scope->status = future->status;
        }
        il__future_unref(future);
    }
}

int il_scope_close(il_scope *scope)
{
    if (!scope) return 0;
    check_opener(scope, "il_scope_close");
    il__agent *self = scope->opener;

    do join(scope, IL_FOREVER);
    while (end_ward(scope));
    if (!scope->status) judge_failed(scope);
    int status = outcome(scope);
    il__cancel_leave(&scope->cancel);
    self->scope = scope->outer;
    il__store(&self->cancel, scope->outer_cancel);
    if (scope->error) il__agent_note(self, scope->error);
    while (scope->failed) {
        il_future *future = scope->failed;
        scope->failed = future->next_failed;
        il__future_unref(future);
    }
    il__free(scope);
    return status;
}

const il_error *il_scope_error(il_scope *scope, unsigned *out_more)
{
    uint64_t word = il__gate_lock(&scope->gate);
    il__error *error = scope->error;
    if (out_more) *out_more = scope->more;
    il__gate_unlock(&scope->gate, word);
    return error ? &error->public : NULL;
}

bool il_cancelled(void)
{
    il__cancel *node = il__self()->cancel;
    return node && il__cancel_status(node);
}

/* Select. */

static il__gate *gate_of(const il_case *what)
{
    return &((il_scope *)what->il__on)->gate;
}

static int take_empty(il_case *what, il__waiter **woken)
{
    (void)woken;
    il_scope *scope = what->il__on;
    check_opener(scope, "IL_EMPTY");
    uint64_t state = il__gate_state(&scope->gate) + scope->started * ONE;
    scope->started = 0;
    il__gate_become(&scope->gate, state);
    return has_children(state) ? -EAGAIN : 0;
}

const il__choice il__choice_empty = { .gate = gate_of, .take = take_empty };
