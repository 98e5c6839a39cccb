/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_SCOPE_H
#define INTERLOCK_SCOPE_H

/*
 * Scope: what a task belongs to. Children end before their scope does.
 *
 *     il_scope *scope = NULL;
 *     int status = il_scope_open(&(il_scope_opts){ .executor = pool }, &scope);
 *     if (status) return status;
 *     il_go(scope, fetch, &a, &page_a);
 *     il_go(scope, fetch, &b, &page_b);
 *     return il_scope_close(scope);     // waits for both; first error; the other was cancelled
 *
 * The first child that fails cancels the rest. A scope opened inside another is cancelled with it,
 * and its deadline is never later. Cancelling kills nothing: waits return -ECANCELED, il_cancelled()
 * is true, and the task returns when it has cleaned up. That goes for the opener, too, until it has
 * closed the scope. Opened and closed by the same task or
 * thread, innermost first; il_go and il_scope_cancel from any of its tasks as well.
 */

#include <interlock/executor.h>
#include <interlock/status.h>

IL__BEGIN

typedef struct il_scope il_scope;

typedef struct il_scope_opts {
    il_executor *executor; /* where children run; NULL: that of the scope around, else of the
                              current task, else in place. Borrowed: it outlives the scope */
    il_time deadline; /* absolute; the scope is cancelled then, its status -ETIMEDOUT; 0: none */
    const char *name; /* borrowed as long as the scope */
} il_scope_opts;

/* Open a scope inside the current one (if any) and make it current. 0 or -ENOMEM. */
IL_API int il_scope_open(const il_scope_opts *opts, il_scope **out_scope);

/* Start fn(in, out) as a child. Borrows both until the scope has ended. Never waits (inline: runs
 * it first). 0; -ECANCELED when the scope was cancelled, -ENOMEM, -ESHUTDOWN: it will not run. */
IL_API int il_go(il_scope *scope, il_fn *fn, void *in, void *out);
IL_API int il_go_with(il_scope *scope, il_fn *fn, void *in, void *out, const il_task_opts *opts);

/* Wait until no child is left. Returns the first error (or -ETIMEDOUT when the scope's deadline
 * passed, -ECANCELED when it was cancelled from outside), else 0; -ETIMEDOUT or -EAGAIN also when
 * `until` passed first: children go on. The opener only; may be called again. */
IL_API int il_scope_wait(il_scope *scope, il_time until);

/* Cancel the children, and theirs. Never waits; again is fine. */
IL_API void il_scope_cancel(il_scope *scope);

/* Wait as above without a deadline, then release. Also the failure of a task submitted in this
 * scope whose future nobody looked at comes back here, so that none is lost. NULL is fine: 0. */
IL_API int il_scope_close(il_scope *scope);

/* The error behind the status of il_scope_wait, or NULL. Borrowed until il_scope_close. After
 * close, il_last_error() has it. `out_more` (may be NULL): how many further children failed. */
IL_API const il_error *il_scope_error(il_scope *scope, unsigned *out_more);

/* Has the current task been asked to stop? Cheap enough for inner loops. Never waits. */
IL_API bool il_cancelled(void);

IL__END

#endif
