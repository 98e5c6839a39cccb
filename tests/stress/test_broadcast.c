/* SPDX-License-Identifier: MIT */
/*
 * Many senders, many subscribers of each kind, receivers that come at them in each way, give up,
 * subscribe late and leave early. Whatever happens: no item twice, none out of order, and for each
 * subscriber what it received and what it lost is what was sent since it subscribed.
 */

#include "chaos.h"

enum { SENDERS = 3, CAPACITY = 8, BATCH = 5, SUBSCRIBERS = 9 };

struct item {
    unsigned sender;
    long number; /* that sender's, from 0 */
};

struct sender {
    il_broadcast *broadcast;
    unsigned index;
    long tries, sent;
    uint64_t random;
};

struct subscriber {
    il_subscriber *subscriber;
    il_lag lag;
    uint64_t random;
    long next[SENDERS]; /* the least number that may still come */
    long received, out_of_order;
    int end; /* the status that ended it */
};

static void pause_somehow(uint64_t *random)
{
    switch (below(random, 8)) {
    case 0: il_yield(); break;
    case 1: il_sleep(il_after(IL_US(below(random, 50)))); break; /* sleeps: to lag behind */
    default: break;
    }
}

/* Some time from now on, or none, or all. */
static il_time somewhen(uint64_t *random)
{
    switch (below(random, 4)) {
    case 0: return IL_NOW;
    case 1: return il_after(IL_US(below(random, 100)));
    default: return IL_FOREVER;
    }
}

/* A send that fails has sent nothing, so its number is used again. */
static int send_all(void *in, void *out)
{
    struct sender *self = in;
    while (self->sent < self->tries) {
        struct item item = { self->index, self->sent };
        int status = il_broadcast_send(self->broadcast, &item, somewhen(&self->random));
        if (!status) self->sent++;
        else if (status == -EAGAIN) il_yield();
        else if (status != -ETIMEDOUT) return status;
        pause_somehow(&self->random);
    }
    return 0;
}

/* One item or several, by a receive, a batch or a select. */
static int receive(struct subscriber *self, struct item *items, size_t *out_count)
{
    il_time until = somewhen(&self->random);
    il_case hear = IL_HEAR(self->subscriber, items);
    *out_count = 1;
    switch (below(&self->random, 3)) {
    case 0: return il_subscriber_recv(self->subscriber, items, until);
    case 1: return il_select(&hear, 1, until, NULL);
    default: return il_subscriber_recv_many(self->subscriber, items, BATCH, until, out_count);
    }
}

static void note(struct subscriber *self, const struct item *item)
{
    long *next = &self->next[item->sender];
    self->out_of_order += item->number < *next;
    if (self->lag == IL_LAG_BLOCK) self->out_of_order += item->number != *next;
    *next = item->number + 1;
    self->received++;
}

static int receive_all(void *in, void *out)
{
    struct subscriber *self = in;
    for (;;) {
        struct item items[BATCH];
        size_t count;
        int status = receive(self, items, &count);
        if (status == -EAGAIN) il_yield();
        else if (status && status != -ETIMEDOUT) return (self->end = status) == -ECANCELED;
        for (size_t i = 0; !status && i < count; i++) note(self, &items[i]);
        pause_somehow(&self->random);
    }
}

static void check(struct subscriber *self, long sent)
{
    long lost = (long)il_subscriber_lost(self->subscriber);
    assert_int_equal(self->out_of_order, 0);
    assert_int_equal(il_subscriber_waiting(self->subscriber), 0);
    assert_int_equal(self->received + lost, sent);
    if (self->lag == IL_LAG_BLOCK) assert_int_equal(lost, 0);
    assert_int_equal(self->end, self->lag == IL_LAG_DISCONNECT && lost ? -EOVERFLOW : -EPIPE);
}

static void broadcast_once(crew_kind kind, uint64_t random)
{
    il_broadcast *broadcast = NULL;
    struct sender senders[SENDERS];
    struct subscriber subscribers[SUBSCRIBERS];
    struct crew sending, receiving;
    void *as = &kind;
    long sent = 0;
    il_broadcast_opts opts = { .capacity = 1 + below(&random, CAPACITY) };
    assert_int_equal(il_broadcast_new(sizeof(struct item), &opts, &broadcast), 0);
    crew_open(&sending, &as);
    crew_open(&receiving, &as);
    for (int i = 0; i < SUBSCRIBERS; i++) {
        struct subscriber *self = &subscribers[i];
        *self = (struct subscriber){ .lag = (il_lag)(i % 3), .random = draw(&random) };
        il_subscriber_opts lag = { .lag = self->lag };
        assert_int_equal(il_broadcast_subscribe(broadcast, &lag, &self->subscriber), 0);
        crew_add(&receiving, receive_all, self);
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ broadcast, i, 200, 0, draw(&random) };
        crew_add(&sending, send_all, &senders[i]);
    }
    assert_int_equal(crew_join(&sending), 0);
    il_broadcast_close(broadcast);
    assert_int_equal(crew_join(&receiving), 0);
    for (int i = 0; i < SENDERS; i++) sent += senders[i].sent;
    il_broadcast_free(broadcast);
    for (int i = 0; i < SUBSCRIBERS; i++) {
        check(&subscribers[i], sent);
        il_subscriber_free(subscribers[i].subscriber);
    }
}

static void received_and_lost_are_what_was_sent(void **state)
{
    uint64_t random = seed;
    for (long round = 0; round < rounds; round++)
        broadcast_once(*(crew_kind *)*state, draw(&random));
}

/* --- Coming and going --------------------------------------------------------------------------- */

struct hall {
    il_broadcast *broadcast;
    long sent; /* atomic: of the one sender, whose items are numbers */
};

struct guest {
    struct hall *hall;
    uint64_t random;
    int wrong; /* a line of this file */
};

static int speak(void *in, void *out)
{
    struct hall *hall = in;
    for (long n = 0;; n++) {
        int status = il_broadcast_send(hall->broadcast, &n, IL_FOREVER);
        if (status) return status == -EPIPE ? 0 : status;
        il__store_release(&hall->sent, n + 1);
    }
}

/* Subscribe, listen for a while, leave. Nothing was skipped that was not counted as lost. */
static int visit(struct guest *self)
{
    il_subscriber *subscriber = NULL;
    il_subscriber_opts opts = { .lag = (il_lag)below(&self->random, 3) };
    long count = below(&self->random, 30), first = -1, last = -1, received = 0, item;
    long before = il__load_acquire(&self->hall->sent);
    int status = il_broadcast_subscribe(self->hall->broadcast, &opts, &subscriber);
    if (status) return 0;
    while (received < count && !(status = il_subscriber_recv(subscriber, &item, IL_FOREVER))) {
        if (first < 0) first = item;
        if (item <= last || first < before) self->wrong = __LINE__;
        last = item;
        received++;
        pause_somehow(&self->random);
    }
    if (below(&self->random, 2)) il_subscriber_close(subscriber);
    if (opts.lag == IL_LAG_BLOCK && received && last - first + 1 != received)
        self->wrong = __LINE__;
    if (opts.lag == IL_LAG_BLOCK && status && status != -EPIPE) self->wrong = __LINE__;
    uint64_t lost = il_subscriber_lost(subscriber);
    if (received && last - first + 1 - received > (long)lost) self->wrong = __LINE__;
    il_subscriber_free(subscriber);
    return 0;
}

static int come_and_go(void *in, void *out)
{
    struct guest *self = in;
    for (int i = 0; i < 20 && !self->wrong; i++) visit(self);
    return self->wrong;
}

static void subscribers_come_and_go_while_a_sender_sends(void **state)
{
    enum { GUESTS = 6 };
    uint64_t random = seed + 1;
    for (long round = 0; round < rounds; round++) {
        struct hall hall = { NULL, 0 };
        struct guest guests[GUESTS];
        struct crew sending, visiting;
        il_broadcast_opts opts = { .capacity = 1 + below(&random, CAPACITY) };
        assert_int_equal(il_broadcast_new(sizeof(long), &opts, &hall.broadcast), 0);
        crew_open(&sending, NULL); /* a thread: it never waits when nobody blocks */
        crew_open(&visiting, state);
        crew_add(&sending, speak, &hall);
        for (int i = 0; i < GUESTS; i++) {
            guests[i] = (struct guest){ .hall = &hall, .random = draw(&random) };
            crew_add(&visiting, come_and_go, &guests[i]);
        }
        int wrong = crew_join(&visiting);
        il_broadcast_close(hall.broadcast);
        assert_int_equal(crew_join(&sending), 0);
        il_broadcast_free(hall.broadcast);
        assert_int_equal(wrong, 0);
    }
}

int main(void)
{
    read_environment(IL_TSAN || IL_ASAN ? 5 : 20);
    const struct CMUnitTest tests[] = {
        EACH_CREW(received_and_lost_are_what_was_sent),
        EACH_CREW(subscribers_come_and_go_while_a_sender_sends),
    };
    fuzz_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fuzz_end();
    return failed;
}
