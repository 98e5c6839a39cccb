/* SPDX-License-Identifier: MIT */
/*
 * Who holds the loop? A task that computes where others wait is told of while it does, with its place.
 * Then the same task where it belongs, on a pool.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>

static int told; /* atomic */

/* By a thread of its own, while the loop is held. */
static void complain(const il_hold *hold, void *arg)
{
    printf("loop \"%s\" is held by task \"%s\"%s%s\n", hold->loop, hold->task,
           hold->depth ? ", at " : "", hold->depth ? hold->places[0] : "");
    __atomic_store_n(&told, 1, __ATOMIC_RELEASE);
}

/* Computes until somebody complains, or for good. */
static int compute(void *in, void *out)
{
    il_time enough = il_after(*(int64_t *)in);
    double sum = 0;
    while (il_now() < enough && !__atomic_load_n(&told, __ATOMIC_ACQUIRE))
        for (int i = 1; i < 1000; i++) sum += 1.0 / i;
    return sum < 0 ? -ERANGE : 0;
}

/* On the loop, but it has a pool compute, and parks. */
static int have_computed(void *in, void *out)
{
    il_executor *pool = *(il_executor **)in;
    int64_t length = IL_MS(20);
    il_future *future = NULL;
    int status = il_submit(pool, compute, &length, sizeof length, 0, NULL, &future);
    if (!status) status = il_future_get(future, IL_FOREVER, NULL);
    il_future_free(future);
    return status;
}

int main(void)
{
    il_executor *loop = NULL, *pool = NULL;
    il_future *future = NULL;
    int64_t length = IL_SEC(60);
    il_loop_info before, info;
    il_loop_opts opts = { .hold_limit = IL_MS(5), .on_hold = complain };

    int status = il_loop_new(&opts, &loop);
    if (!status) status = il_threads_new(NULL, &pool);
    if (!status)
        status = il_submit(loop, compute, &length, sizeof length, 0,
                           &(il_task_opts){ .name = "compute" }, &future);
    if (!status) status = il_future_get(future, IL_FOREVER, NULL);
    il_future_free(future);
    if (!status) status = il_loop_describe(loop, &before);

    if (!status) status = il_loop_call(loop, have_computed, &pool, NULL, IL_FOREVER);
    if (!status) status = il_loop_describe(loop, &info);
    if (!status) printf("at most %.0f ms between two looks\n", (double)info.longest / 1e6);
    il_executor_free(loop);
    il_executor_free(pool);
    return status || !before.holds;
}
