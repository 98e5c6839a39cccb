/* SPDX-License-Identifier: MIT */
/*
 * Waiting inside a pool does not starve it: one worker, and ten thousand tasks of which each waits
 * for the next, with a lock held. A task that waits gives up its worker and keeps its stack.
 */
#include <interlock.h>
#include <stdio.h>

enum { DEPTH = 10000 };

/* How deep is it below here? */
static int descend(void *in, void *out)
{
    long left = *(long *)in - 1, below = 0;
    il_mutex mine = { 0 };
    il_scope *scope = NULL;
    if (left < 0) return 0;

    il_mutex_lock(&mine); /* whoever runs meanwhile does not run on top of us */
    int status = il_scope_open(NULL, &scope);
    if (!status) status = il_go(scope, descend, &left, &below);
    int closed = il_scope_close(scope);
    il_mutex_unlock(&mine);

    *(long *)out = below + 1;
    return status ? status : closed;
}

int main(void)
{
    long depth = DEPTH, found = 0;
    il_executor *pool = NULL;
    il_future *future = NULL;
    il_executor_info info = { 0 };
    int status = il_threads_new(&(il_threads_opts){ .workers = 1, .stack_size = 32768 }, &pool);
    if (!status)
        status = il_submit(pool, descend, &depth, sizeof depth, sizeof found, NULL, &future);
    if (!status) status = il_future_get(future, IL_FOREVER, &found);
    if (pool) il_executor_describe(pool, &info);
    il_future_free(future);
    il_executor_free(pool);

    printf("%s: %ld deep on %u worker; %lu tasks, parked %lu times\n", il_strerror(status), found,
           info.workers, info.started, info.parked);
    return !(status == 0 && found == DEPTH);
}
