/* SPDX-License-Identifier: MIT */
/*
 * Futures: submit a task, go on, ask for its result later. Then several, taken in the order in
 * which they are done; and one that is no longer wanted.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>

/* How many numbers divide n? */
static int divisors(void *in, void *out)
{
    long n = *(long *)in, count = 0;
    for (long d = 1; d <= n; d++) count += n % d == 0;
    *(long *)out = count;
    return 0;
}

/* The input is copied when it is submitted, the result when it is asked for. */
static int one(il_executor *pool)
{
    il_future *future = NULL;
    long n = 5040, count = 0;
    int status = il_submit(pool, divisors, &n, sizeof n, sizeof count, NULL, &future);
    n = 0; /* ours again: the task has its copy */
    if (!status) status = il_future_get(future, IL_FOREVER, &count);
    il_future_free(future);
    if (status) return status;
    printf("5040 has %ld divisors\n", count);
    return count == 60 ? 0 : -EBADMSG;
}

static int snooze(void *in, void *out)
{
    int64_t duration = *(int64_t *)in;
    *(int64_t *)out = duration / IL_MS(1);
    return il_sleep(il_after(duration));
}

/* Several: whichever is done is taken next, each exactly once. */
static int as_completed(il_executor *pool)
{
    enum { COUNT = 3 };
    const int64_t naps[COUNT] = { IL_MS(60), IL_MS(5), IL_MS(30) };
    il_future *futures[COUNT] = { NULL }, *done;
    int64_t slept, sum = 0;
    int status = 0;

    for (int i = 0; !status && i < COUNT; i++)
        status = il_submit(pool, snooze, &naps[i], sizeof naps[i], sizeof slept, NULL, &futures[i]);
    while (!status && !(status = il_futures_next(futures, COUNT, IL_FOREVER, &done, NULL))) {
        status = il_future_get(done, IL_NOW, &slept);
        il_future_free(done);
        if (status) break;
        printf("slept %d ms\n", (int)slept);
        sum += slept;
    }
    for (int i = 0; i < COUNT; i++) il_future_free(futures[i]); /* NULL where it was taken */
    if (status != -EPIPE) return status;                        /* -EPIPE: none is left */
    return sum == 95 ? 0 : -EBADMSG;
}

static int wait_for_rain(void *in, void *out)
{
    return il_sleep(IL_FOREVER);
}

/* Cancelling ends the task's waits. It never ends a thread. */
static int no_longer_wanted(il_executor *pool)
{
    il_future *future = NULL;
    int status = il_submit(pool, wait_for_rain, NULL, 0, 0, NULL, &future);
    if (status) return status;
    il_future_cancel(future);
    status = il_future_get(future, IL_FOREVER, NULL);
    il_future_free(future);
    printf("the rain was %s\n", il_strerror(status));
    return status == -ECANCELED ? 0 : -EBADMSG;
}

int main(void)
{
    il_executor *pool = NULL;
    int status = il_threads_new(NULL, &pool);
    if (!status) status = one(pool);
    if (!status) status = as_completed(pool);
    if (!status) status = no_longer_wanted(pool);
    il_executor_free(pool);
    if (status) fprintf(stderr, "02_futures: %s\n", il_strerror(status));
    return status != 0;
}
