/* SPDX-License-Identifier: MIT */
/*
 * A network of processes with alternation. In the middle is a buffer that is nothing but a process
 * (Hoare 1978): it selects between taking an item, if it has room, and giving one, if it has any;
 * whoever asks for its state comes first, and when nothing happens for a minute it gives up. Two
 * producers, three consumers, and poison that ends it all.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>

enum { ROOM = 8, EACH = 2000, PRODUCERS = 2, CONSUMERS = 3 };

struct network {
    il_chan *in, *out, *state; /* all of them rendezvous */
    il_latch producing;        /* how many producers have not ended */
    long least, most;          /* items in the buffer, as the observer saw them */
};

static int buffer(void *in, void *out)
{
    struct network *net = in;
    long items[ROOM], first = 0, count = 0, coming;
    bool open = true;
    int status = 0;
    while (!status && (open || count)) {
        size_t which;
        il_case cases[] = {
            IL_SEND(net->state, &count),
            IL_WHEN(open && count < ROOM, IL_RECV(net->in, &coming)),
            IL_WHEN(count > 0, IL_SEND(net->out, &items[first])),
            IL_AFTER(IL_SEC(60)),
        };
        status = il_select(cases, 4, IL_FOREVER, &which);
        if (which == 1 && status == -EPIPE) {
            open = false; /* the producers are through: give what is left */
            status = 0;
        } else if (which == 1) {
            items[(first + count++) % ROOM] = coming;
        } else if (which == 2) {
            first = (first + 1) % ROOM;
            count--;
        } else if (which == 3) {
            status = il_fail(-ETIMEDOUT, "nobody wants anything any more");
        }
    }
    return il_poison(status, net->in, net->out, net->state);
}

static int produce(void *in, void *out)
{
    struct network *net = in;
    int status = 0;
    for (long n = 1; !status && n <= EACH; n++) status = il_chan_send(net->in, &n, IL_FOREVER);
    il_latch_count_down(&net->producing, 1);
    if (il_latch_open(&net->producing)) il_chan_close(net->in); /* the last one */
    return status;
}

static int consume(void *in, void *out)
{
    struct network *net = in;
    long n, *sum = out;
    int status;
    while (!(status = il_chan_recv(net->out, &n, IL_FOREVER))) *sum += n;
    return il_poison(status, net->out);
}

static int observe(void *in, void *out)
{
    struct network *net = in;
    long count;
    int status;
    while (!(status = il_chan_recv(net->state, &count, IL_FOREVER))) {
        if (count < net->least) net->least = count;
        if (count > net->most) net->most = count;
        ++*(long *)out;
        il_sleep(il_after(IL_US(200)));
    }
    return il_poison(status, net->state);
}

int main(void)
{
    struct network net = { .producing = { .count = PRODUCERS }, .least = ROOM };
    long sums[CONSUMERS] = { 0 }, looks = 0, sum = 0;
    long expected = (long)PRODUCERS * EACH * (EACH + 1) / 2;
    il_executor *pool = NULL;
    int status = il_threads_new(NULL, &pool);
    if (!status) status = il_chan_new(sizeof(long), NULL, &net.in);
    if (!status) status = il_chan_new(sizeof(long), NULL, &net.out);
    if (!status) status = il_chan_new(sizeof(long), NULL, &net.state);
    if (!status)
        status =
            il_par(pool, { buffer, &net, NULL }, { observe, &net, &looks }, { produce, &net, NULL },
                   { produce, &net, NULL }, { consume, &net, &sums[0] },
                   { consume, &net, &sums[1] }, { consume, &net, &sums[2] });
    for (int i = 0; i < CONSUMERS; i++) sum += sums[i];
    printf("%s: sum %ld, expected %ld\n", il_strerror(status), sum, expected);
    printf("looked at %ld times: between %ld and %ld of %d items in the buffer\n", looks, net.least,
           net.most, ROOM);
    il_chan_free(net.in);
    il_chan_free(net.out);
    il_chan_free(net.state);
    il_executor_free(pool);
    return status || sum != expected || net.most > ROOM;
}
