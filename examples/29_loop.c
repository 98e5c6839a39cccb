/* SPDX-License-Identifier: MIT */
/*
 * A thousand tasks on one thread: each waits for something slow, all at the same time. Then a timer
 * that does not drift, and a pool whose tasks have the loop do what they wait for.
 */
#include <interlock.h>
#include <stdio.h>

enum { ORDERS = 1000 };

/* What a server far away takes 200 ms for. */
static int order(void *in, void *out)
{
    int status = il_sleep(il_after(IL_MS(200)));
    *(long *)out = *(long *)in + 1;
    return status;
}

/* Called by the loop every 20 ms, as long as it returns 0. */
static int beat(const il_beat *beat, void *arg)
{
    il_chan *heart = arg;
    il_chan_send(heart, beat, IL_NOW); /* a callback never waits */
    return 0;
}

/* A task of a pool: it computes here, and waits there. */
static int buy(void *in, void *out)
{
    il_executor *loop = *(il_executor **)in;
    long number = 41;
    return il_loop_call(loop, order, &number, out, il_after(IL_SEC(10)));
}

int main(void)
{
    static long in[ORDERS], out[ORDERS];
    il_executor *loop = NULL, *pool = NULL;
    il_chan *heart = NULL;
    il_timer *timer = NULL;
    il_future *future = NULL;
    long bought = 0, right = 0;

    int status = il_loop_new(&(il_loop_opts){ .name = "orders" }, &loop);
    if (!status) status = il_threads_new(NULL, &pool);
    if (!status) status = il_chan_new(sizeof(il_beat), &(il_chan_opts){ .capacity = 8 }, &heart);

    /* All at once: some 200 ms, not 200 s. */
    il_time began = il_now();
    for (long i = 0; i < ORDERS; i++) in[i] = i;
    if (!status) status = il_map(loop, order, in, out, ORDERS, NULL);
    for (long i = 0; i < ORDERS; i++) right += out[i] == i + 1;
    printf("%ld orders in %.1f s\n", right, (double)(il_now() - began) / 1e9);

    /* Beat k is due at first + k * 20 ms, however late the one before came. */
    il_time first = il_after(IL_MS(20));
    if (!status) status = il_timer_start(loop, first, IL_MS(20), beat, heart, &timer);
    for (int i = 0; !status && i < 3; i++) {
        il_beat one;
        status = il_chan_recv(heart, &one, il_after(IL_SEC(10)));
        if (!status)
            printf("beat %d, due after %d ms\n", (int)one.number,
                   (int)((one.due - first) / IL_MS(1)));
    }
    il_timer_free(timer);

    if (!status) status = il_submit(pool, buy, &loop, sizeof(void *), sizeof(long), NULL, &future);
    if (!status) status = il_future_get(future, IL_FOREVER, &bought);
    printf("%s: %ld\n", il_strerror(status), bought);

    il_future_free(future);
    il_executor_free(pool);
    il_executor_free(loop);
    il_chan_free(heart);
    return status || right != ORDERS || bought != 42;
}
