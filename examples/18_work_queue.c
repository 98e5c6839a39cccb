/* SPDX-License-Identifier: MIT */
/*
 * A queue of work, as Python's queue.Queue with task_done and join: workers take a number, and
 * unless it is 1 they put its two halves back. Nobody knows how many there will be; join returns
 * when the last of them is done. A queue that its own readers fill has no limit, or they would wait
 * for each other to make room.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>

enum { WORKERS = 4, START = 50000 };

static int work(void *in, void *out)
{
    il_chan *queue = in;
    long n, *ones = out;
    int status;
    while (!(status = il_chan_recv(queue, &n, IL_FOREVER))) {
        long halves[2] = { n / 2, n - n / 2 };
        if (n == 1) ++*ones;
        else status = il_chan_send_many(queue, halves, 2, IL_FOREVER, NULL);
        il_chan_done(queue); /* last: with the halves inside, the queue is not done yet */
        if (status) break;
        il_yield(); /* there is always more to do: without this, as many as there are CPUs do it all */
    }
    return status == -EPIPE ? 0 : status; /* closed: that is how it ends */
}

int main(void)
{
    long ones[WORKERS] = { 0 }, sum = 0, start = START;
    il_executor *pool = NULL;
    il_chan *queue = NULL;
    il_scope *scope = NULL;
    il_chan_opts opts = { .capacity = IL_UNBOUNDED, .name = "work" };
    if (il_threads_new(NULL, &pool)) return 1;

    int status = il_chan_new(sizeof(long), &opts, &queue);
    if (!status) status = il_scope_open(&(il_scope_opts){ .executor = pool }, &scope);
    for (int i = 0; !status && i < WORKERS; i++) status = il_go(scope, work, queue, &ones[i]);
    if (!status) status = il_chan_send(queue, &start, IL_FOREVER);
    if (!status) status = il_chan_join(queue, IL_FOREVER); /* all done, by whomever */
    if (queue) il_chan_close(queue);                       /* the workers may go home */
    int closed = il_scope_close(scope);

    for (int i = 0; i < WORKERS; i++) {
        printf("worker %d found %ld ones\n", i, ones[i]);
        sum += ones[i];
    }
    printf("%s: %ld ones in %d\n", il_strerror(status), sum, START);
    il_chan_free(queue);
    il_executor_free(pool);
    return status || closed || sum != START;
}
