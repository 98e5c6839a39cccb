/* SPDX-License-Identifier: MIT */
/*
 * Deadlines and cancelling. Every wait takes an absolute deadline, so that a series of waits shares
 * one. A deadline that belongs to a task or a scope cancels it, which kills nothing: its waits
 * return -ECANCELED, il_cancelled() is true, and it cleans up and returns.
 */
#include <errno.h>
#include <interlock.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_int begun, cleaned_up;

static int wait_long(void *in, void *out)
{
    atomic_fetch_add(&begun, 1);
    int status = il_sleep(IL_FOREVER);
    atomic_fetch_add(&cleaned_up, 1);
    return status;
}

/* One that computes does not wait, so it has to look. */
static int compute_long(void *in, void *out)
{
    unsigned long n = 0;
    atomic_fetch_add(&begun, 1);
    while (!il_cancelled()) n++;
    atomic_fetch_add(&cleaned_up, 1);
    return -ECANCELED;
}

/* The deadline of the one who waits: it goes on without the result, the task goes on as well. */
static int impatient(il_executor *pool)
{
    il_future *futures[2] = { NULL };
    il_time until = il_after(IL_MS(10)); /* for both together */
    int status = il_submit(pool, wait_long, NULL, 0, 0, NULL, &futures[0]);
    if (!status) status = il_submit(pool, compute_long, NULL, 0, 0, NULL, &futures[1]);
    if (!status) status = il_futures_wait(futures, 2, IL_ALL, until);
    printf("waiting for both: %s; is the first done? %s\n", il_strerror(status),
           futures[0] && il_future_done(futures[0]) ? "yes" : "no");

    /* Cancel both before waiting for either: with one worker, the one that computes has it. */
    for (int i = 0; i < 2; i++)
        if (futures[i]) il_future_cancel(futures[i]);
    for (int i = 0; i < 2; i++) {
        int outcome = futures[i] ? il_future_get(futures[i], IL_FOREVER, NULL) : 0;
        printf("  after a cancel: %s\n", il_strerror(outcome));
        il_future_free(futures[i]);
    }
    return status;
}

/* The deadline of a task. */
static int limited_task(il_executor *pool)
{
    il_future *future = NULL;
    il_task_opts opts = { .deadline = il_after(IL_MS(10)), .name = "limited" };
    int status = il_submit(pool, compute_long, NULL, 0, 0, &opts, &future);
    if (!status) status = il_future_get(future, IL_FOREVER, NULL);
    il_future_free(future);
    printf("a task with a deadline: %s\n", il_strerror(status));
    return status;
}

/* The deadline of a scope: of all that is begun in it, however far down. */
static int limited_scope(il_executor *pool)
{
    il_scope *scope = NULL;
    il_scope_opts opts = { .executor = pool, .deadline = il_after(IL_MS(10)) };
    int status = il_scope_open(&opts, &scope);
    if (!status) status = il_go(scope, wait_long, NULL, NULL);
    if (!status) status = il_go(scope, compute_long, NULL, NULL);
    int closed = il_scope_close(scope);
    if (!status) status = closed;
    printf("a scope with a deadline: %s\n", il_strerror(status));
    return status;
}

int main(void)
{
    il_executor *pool = NULL;
    if (il_threads_new(NULL, &pool)) return 1;
    int first = impatient(pool), second = limited_task(pool), third = limited_scope(pool);
    il_executor_free(pool);

    printf("%d begun, %d cleaned up\n", begun, cleaned_up);
    return !(first == -ETIMEDOUT && second == -ETIMEDOUT && third == -ETIMEDOUT &&
             cleaned_up == begun);
}
