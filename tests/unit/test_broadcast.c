/* SPDX-License-Identifier: MIT */
/* Claims about il_broadcast and its subscribers. */

#include "work.h"

enum { CAPACITY = 4, MEMBERS = 4 };

static il_broadcast *broadcast_of(size_t capacity)
{
    il_broadcast *broadcast = NULL;
    il_broadcast_opts opts = { .capacity = capacity, .name = "numbers" };
    assert_int_equal(il_broadcast_new(sizeof(long), &opts, &broadcast), 0);
    return broadcast;
}

static il_subscriber *subscribe(il_broadcast *broadcast, il_lag lag)
{
    il_subscriber *subscriber = NULL;
    il_subscriber_opts opts = { .lag = lag };
    assert_int_equal(il_broadcast_subscribe(broadcast, &opts, &subscriber), 0);
    return subscriber;
}

/* Until n threads or fibers wait to do that. */
static void until_waits(const char *what, unsigned n)
{
    for (;;) {
        il_info infos[64];
        unsigned waiting = 0;
        for (int kind = 0; kind < 2; kind++) {
            size_t there = kind ? il_fiber_list(infos, 64) : il_thread_list(infos, 64);
            for (size_t i = 0; i < there && i < 64; i++)
                waiting += infos[i].waits_for && !strcmp(infos[i].waits_for, what);
        }
        if (waiting >= n) return;
        il_yield();
    }
}

static const char sends[] = "broadcast (send)", receives[] = "broadcast (receive)";

static void assert_sends(il_broadcast *broadcast, long first, long last)
{
    for (long n = first; n <= last; n++)
        assert_int_equal(il_broadcast_send(broadcast, &n, IL_NOW), 0);
}

static void assert_receives(il_subscriber *subscriber, long first, long last)
{
    for (long n = first; n <= last; n++) {
        long item = -1;
        assert_int_equal(il_subscriber_recv(subscriber, &item, IL_NOW), 0);
        assert_int_equal(item, n);
    }
}

static void assert_is_over(il_subscriber *subscriber, int status)
{
    long item = -1;
    assert_int_equal(il_subscriber_recv(subscriber, &item, IL_NOW), status);
    assert_int_equal(il_subscriber_recv(subscriber, &item, LATE), status);
    assert_int_equal(item, -1);
}

/* --- What is for whom ------------------------------------------------------------------------- */

static void each_subscriber_receives_each_item_in_order(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    il_subscriber *a = subscribe(broadcast, IL_LAG_BLOCK);
    il_subscriber *b = subscribe(broadcast, IL_LAG_DROP_OLDEST);
    il_subscriber *c = subscribe(broadcast, IL_LAG_DISCONNECT);
    for (long n = 0; n < 3 * CAPACITY; n += 3) { /* more than once around the ring */
        assert_sends(broadcast, n, n + 2);
        assert_int_equal(il_subscriber_waiting(a), 3);
        assert_receives(a, n, n + 2);
        assert_receives(b, n, n + 2);
        assert_receives(c, n, n + 2);
    }
    assert_int_equal(il_subscriber_lost(a) + il_subscriber_lost(b) + il_subscriber_lost(c), 0);
    il_subscriber_free(a);
    il_subscriber_free(b);
    il_subscriber_free(c);
    il_broadcast_free(broadcast);
}

static void what_is_sent_before_subscribing_is_not_received(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    assert_sends(broadcast, 0, 2 * CAPACITY); /* to nobody */
    il_subscriber *late = subscribe(broadcast, IL_LAG_BLOCK);
    long item;
    assert_int_equal(il_subscriber_recv(late, &item, IL_NOW), -EAGAIN);
    assert_int_equal(il_subscriber_waiting(late), 0);
    assert_int_equal(il_subscriber_lost(late), 0);
    il_subscriber_free(late);
    il_broadcast_free(broadcast);
}

static void items_are_whole_whatever_their_size(void **state)
{
    static const size_t sizes[] = { 0, 1, 7, 64, 1000 };
    unsigned char item[1000], got[1000];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        il_broadcast *broadcast = NULL;
        assert_int_equal(il_broadcast_new(sizes[i], NULL, &broadcast), 0);
        il_subscriber *subscriber = subscribe(broadcast, IL_LAG_BLOCK);
        for (int n = 0; n < 100; n++) {
            memset(item, n, sizeof item);
            memset(got, 0xff, sizeof got);
            assert_int_equal(il_broadcast_send(broadcast, item, IL_NOW), 0);
            assert_int_equal(il_subscriber_recv(subscriber, got, IL_NOW), 0);
            assert_memory_equal(got, item, sizes[i]);
            assert_true(sizes[i] == sizeof got || got[sizes[i]] == 0xff);
        }
        il_subscriber_free(subscriber);
        il_broadcast_free(broadcast);
    }
}

static void more_bytes_than_addresses_are_einval(void **state)
{
    il_broadcast *broadcast = NULL;
    il_broadcast_opts opts = { .capacity = SIZE_MAX / 2 };
    assert_int_equal(il_broadcast_new(16, &opts, &broadcast), -EINVAL);
    assert_null(broadcast);
}

/* --- Lagging ----------------------------------------------------------------------------------- */

static void one_that_blocks_loses_nothing_and_holds_the_sender_up(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    il_subscriber *slow = subscribe(broadcast, IL_LAG_BLOCK);
    il_subscriber *quick = subscribe(broadcast, IL_LAG_BLOCK);
    long item = CAPACITY;
    assert_sends(broadcast, 0, CAPACITY - 1);
    assert_receives(quick, 0, CAPACITY - 1);
    assert_int_equal(il_broadcast_send(broadcast, &item, IL_NOW), -EAGAIN);
    assert_int_equal(il_broadcast_send(broadcast, &item, PAST), -ETIMEDOUT);
    assert_receives(slow, 0, 0);
    assert_sends(broadcast, CAPACITY, CAPACITY);
    assert_int_equal(il_broadcast_send(broadcast, &item, IL_NOW), -EAGAIN);
    assert_receives(slow, 1, CAPACITY);
    assert_receives(quick, CAPACITY, CAPACITY); /* and nothing of what was not sent */
    assert_int_equal(il_subscriber_waiting(quick), 0);
    assert_int_equal(il_subscriber_lost(slow), 0);
    il_subscriber_free(slow);
    il_subscriber_free(quick);
    il_broadcast_free(broadcast);
}

static void one_that_drops_loses_the_oldest_and_counts_them(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    il_subscriber *subscriber = subscribe(broadcast, IL_LAG_DROP_OLDEST);
    assert_sends(broadcast, 0, 9);
    assert_int_equal(il_subscriber_lost(subscriber), 10 - CAPACITY);
    assert_int_equal(il_subscriber_waiting(subscriber), CAPACITY);
    assert_receives(subscriber, 10 - CAPACITY, 7);
    assert_sends(broadcast, 10, 14);
    assert_receives(subscriber, 15 - CAPACITY, 14);
    assert_int_equal(il_subscriber_lost(subscriber), 10 - CAPACITY + 3);
    il_subscriber_free(subscriber);
    il_broadcast_free(broadcast);
}

static void one_that_is_let_go_drains_what_is_left_and_is_told(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    il_subscriber *subscriber = subscribe(broadcast, IL_LAG_DISCONNECT);
    assert_sends(broadcast, 0, CAPACITY - 1); /* as much as it may lag */
    assert_int_equal(il_subscriber_lost(subscriber), 0);
    assert_sends(broadcast, CAPACITY, CAPACITY); /* one too many: takes the place of item 0 */
    assert_int_equal(il_subscriber_waiting(subscriber), CAPACITY - 1);
    assert_int_equal(il_subscriber_lost(subscriber), 2); /* that one, and the one too many */
    assert_receives(subscriber, 1, 1);
    assert_sends(broadcast, CAPACITY + 1, CAPACITY + 2); /* over items 1 and 2 */
    assert_int_equal(il_subscriber_lost(subscriber), 5); /* of 7, 1 received and 1 waits */
    assert_receives(subscriber, CAPACITY - 1, CAPACITY - 1);
    assert_is_over(subscriber, -EOVERFLOW);
    assert_int_equal(il_subscriber_lost(subscriber), 5);
    il_subscriber_free(subscriber);
    il_broadcast_free(broadcast);
}

static void one_that_lags_as_much_as_it_may_is_kept(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    il_subscriber *subscriber = subscribe(broadcast, IL_LAG_DISCONNECT);
    for (long n = 0; n < 3 * CAPACITY; n += CAPACITY) {
        assert_sends(broadcast, n, n + CAPACITY - 1);
        assert_receives(subscriber, n, n + CAPACITY - 1);
    }
    assert_int_equal(il_subscriber_lost(subscriber), 0);
    il_subscriber_free(subscriber);
    il_broadcast_free(broadcast);
}

static void one_that_is_let_go_long_ago_finds_nothing(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    il_subscriber *subscriber = subscribe(broadcast, IL_LAG_DISCONNECT);
    assert_sends(broadcast, 0, 99);
    assert_is_over(subscriber, -EOVERFLOW);
    assert_int_equal(il_subscriber_lost(subscriber), 100);
    il_subscriber_free(subscriber);
    il_broadcast_free(broadcast);
}

static void those_that_do_not_block_hold_nobody_up(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    il_subscriber *a = subscribe(broadcast, IL_LAG_DROP_OLDEST);
    il_subscriber *b = subscribe(broadcast, IL_LAG_DISCONNECT);
    assert_sends(broadcast, 0, 100);
    il_subscriber_free(a);
    il_subscriber_free(b);
    il_broadcast_free(broadcast);
}

static void leaving_frees_the_senders_that_one_held_up(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    il_subscriber *first = subscribe(broadcast, IL_LAG_BLOCK);
    assert_sends(broadcast, 0, 1);
    il_subscriber *second = subscribe(broadcast, IL_LAG_BLOCK); /* stands 2 further on */
    long item = CAPACITY;
    assert_sends(broadcast, 2, CAPACITY - 1);
    assert_int_equal(il_broadcast_send(broadcast, &item, IL_NOW), -EAGAIN);
    il_subscriber_free(first);
    assert_sends(broadcast, CAPACITY, CAPACITY + 1);
    assert_int_equal(il_broadcast_send(broadcast, &item, IL_NOW), -EAGAIN);
    il_subscriber_close(second);
    assert_sends(broadcast, CAPACITY + 2, 100);
    il_subscriber_free(second);
    il_broadcast_free(broadcast);
}

/* --- Waiting ----------------------------------------------------------------------------------- */

struct party {
    il_broadcast *broadcast;
    il_subscriber *subscriber;
    long item;
};

static int receive_one(void *in, void *out)
{
    struct party *party = in;
    return il_subscriber_recv(party->subscriber, &party->item, LATE);
}

static int send_one(void *in, void *out)
{
    struct party *party = in;
    return il_broadcast_send(party->broadcast, &party->item, LATE);
}

static void a_send_wakes_one_receiver_of_each_subscriber(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    il_subscriber *a = subscribe(broadcast, IL_LAG_BLOCK), *b = subscribe(broadcast, IL_LAG_BLOCK);
    struct party parties[4] = {
        { .subscriber = a }, { .subscriber = a }, { .subscriber = b }, { .subscriber = b }
    };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < 4; i++) {
        crew_add(&crew, receive_one, &parties[i]);
        until_waits(receives, (unsigned)i + 1);
    }
    assert_sends(broadcast, 7, 8);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(parties[0].item, 7); /* who waited longest is first */
    assert_int_equal(parties[1].item, 8);
    assert_int_equal(parties[2].item, 7);
    assert_int_equal(parties[3].item, 8);
    assert_int_equal(il_subscriber_waiting(a) + il_subscriber_waiting(b), 0);
    il_subscriber_free(a);
    il_subscriber_free(b);
    il_broadcast_free(broadcast);
}

static void senders_that_wait_are_served_in_order(void **state)
{
    il_broadcast *broadcast = broadcast_of(1);
    il_subscriber *subscriber = subscribe(broadcast, IL_LAG_BLOCK);
    struct party parties[MEMBERS];
    struct crew crew;
    crew_open(&crew, state);
    assert_sends(broadcast, 0, 0);
    for (int i = 0; i < MEMBERS; i++) {
        parties[i] = (struct party){ .broadcast = broadcast, .item = i + 1 };
        crew_add(&crew, send_one, &parties[i]);
        until_waits(sends, (unsigned)i + 1);
    }
    /* Each receive makes room, and the sender that waited longest has it. */
    assert_receives(subscriber, 0, MEMBERS);
    assert_int_equal(crew_join(&crew), 0);
    il_subscriber_free(subscriber);
    il_broadcast_free(broadcast);
}

static void closing_sends_waiting_senders_and_receivers_away(void **state)
{
    il_broadcast *broadcast = broadcast_of(1);
    il_subscriber *full = subscribe(broadcast, IL_LAG_BLOCK);
    assert_sends(broadcast, 0, 0);
    il_subscriber *empty = subscribe(broadcast, IL_LAG_BLOCK);
    struct party party = { .broadcast = broadcast, .subscriber = empty, .item = 5 };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, send_one, &party);
    crew_add(&crew, receive_one, &party);
    until_waits(sends, 1);
    until_waits(receives, 1);
    il_broadcast_close(broadcast);
    assert_int_equal(crew_join(&crew), 2);
    assert_int_equal(crew.members[0].status, -EPIPE);
    assert_int_equal(crew.members[1].status, -EPIPE);
    assert_int_equal(il_broadcast_send(broadcast, &party.item, LATE), -EPIPE);
    assert_receives(full, 0, 0);
    assert_is_over(full, -EPIPE);
    assert_is_over(empty, -EPIPE);
    il_subscriber_free(full);
    il_subscriber_free(empty);
    il_broadcast_free(broadcast);
}

static void closing_a_subscriber_sends_only_its_receivers_away(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    il_subscriber *closed = subscribe(broadcast, IL_LAG_BLOCK);
    il_subscriber *other = subscribe(broadcast, IL_LAG_BLOCK);
    struct party parties[2] = { { .subscriber = closed }, { .subscriber = other } };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, receive_one, &parties[0]);
    crew_add(&crew, receive_one, &parties[1]);
    until_waits(receives, 2);
    il_subscriber_close(closed);
    assert_sends(broadcast, 3, 3);
    assert_int_equal(crew_join(&crew), 1);
    assert_int_equal(crew.members[0].status, -EPIPE);
    assert_int_equal(parties[1].item, 3);
    il_subscriber_free(closed);
    il_subscriber_free(other);
    il_broadcast_free(broadcast);
}

static void a_closed_subscriber_drains_what_came_before(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    il_subscriber *subscriber = subscribe(broadcast, IL_LAG_BLOCK);
    assert_sends(broadcast, 0, 2);
    il_subscriber_close(subscriber);
    assert_sends(broadcast, 3, 4); /* nobody blocks; item 0 is gone */
    assert_int_equal(il_subscriber_lost(subscriber), 1);
    assert_receives(subscriber, 1, 2);
    assert_is_over(subscriber, -EPIPE);
    il_subscriber_close(subscriber);
    assert_int_equal(il_subscriber_lost(subscriber), 1);
    il_subscriber_free(subscriber);
    il_broadcast_free(broadcast);
}

static void a_subscriber_outlives_its_broadcast(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    il_subscriber *subscriber = subscribe(broadcast, IL_LAG_DROP_OLDEST);
    assert_sends(broadcast, 0, 5);
    il_broadcast_free(broadcast);
    assert_receives(subscriber, 2, 5);
    assert_is_over(subscriber, -EPIPE);
    assert_int_equal(il_subscriber_lost(subscriber), 2);
    il_subscriber_free(subscriber);
}

static void subscribing_to_a_closed_one_is_epipe(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    il_subscriber *subscriber = NULL;
    il_broadcast_close(broadcast);
    il_broadcast_close(broadcast);
    assert_int_equal(il_broadcast_subscribe(broadcast, NULL, &subscriber), -EPIPE);
    assert_null(subscriber);
    il_broadcast_free(broadcast);
    il_broadcast_free(NULL);
    il_subscriber_free(NULL);
}

/* --- Giving up --------------------------------------------------------------------------------- */

static int receive_until(void *subscriber, il_time until)
{
    long item;
    return il_subscriber_recv(subscriber, &item, until);
}

static int send_until(void *broadcast, il_time until)
{
    long item = 99;
    return il_broadcast_send(broadcast, &item, until);
}

static void a_receive_gives_up_and_loses_nothing(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    il_subscriber *subscriber = subscribe(broadcast, IL_LAG_BLOCK);
    assert_gives_up(state, receive_until, subscriber);
    assert_sends(broadcast, 0, 1);
    assert_receives(subscriber, 0, 1);
    il_subscriber_free(subscriber);
    il_broadcast_free(broadcast);
}

static void a_send_gives_up_and_sends_nothing(void **state)
{
    il_broadcast *broadcast = broadcast_of(2);
    il_subscriber *subscriber = subscribe(broadcast, IL_LAG_BLOCK);
    assert_sends(broadcast, 0, 1);
    assert_gives_up(state, send_until, broadcast);
    assert_receives(subscriber, 0, 1);
    assert_int_equal(il_subscriber_waiting(subscriber), 0);
    il_subscriber_free(subscriber);
    il_broadcast_free(broadcast);
}

struct release {
    il_broadcast *broadcast;
    il_subscriber *subscriber;
};

static int receive_at(void *object, il_time until)
{
    return receive_until(((struct release *)object)->subscriber, until);
}

static void send_to(void *object)
{
    send_until(((struct release *)object)->broadcast, IL_NOW);
}

static int send_at(void *object, il_time until)
{
    return send_until(((struct release *)object)->broadcast, until);
}

static void receive_from(void *object)
{
    receive_until(((struct release *)object)->subscriber, IL_NOW);
}

static void no_wake_up_is_lost_in_the_narrow_places(void **state)
{
    struct release both = { .broadcast = broadcast_of(1) };
    both.subscriber = subscribe(both.broadcast, IL_LAG_BLOCK);
    il__gate *gate = (il__gate *)both.broadcast; /* its first field */
    assert_true(sees_a_late_release(receive_at, &both, gate, send_to));
    send_to(&both);
    assert_true(sees_a_late_release(send_at, &both, gate, receive_from));
    il_subscriber_free(both.subscriber);
    il_broadcast_free(both.broadcast);
}

/* --- Many at a time ----------------------------------------------------------------------------- */

static void many_takes_what_is_there(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    il_subscriber *subscriber = subscribe(broadcast, IL_LAG_BLOCK);
    long items[8];
    size_t got = 77;
    assert_int_equal(il_subscriber_recv_many(subscriber, items, 8, IL_NOW, &got), -EAGAIN);
    assert_int_equal(got, 77);
    assert_int_equal(il_subscriber_recv_many(subscriber, NULL, 0, IL_NOW, &got), 0);
    assert_int_equal(got, 0);
    assert_sends(broadcast, 0, 2);
    assert_int_equal(il_subscriber_recv_many(subscriber, items, 8, IL_NOW, &got), 0);
    assert_int_equal(got, 3);
    assert_sends(broadcast, 3, 6); /* around the end of the ring */
    assert_int_equal(il_subscriber_recv_many(subscriber, items + 3, 3, IL_NOW, &got), 0);
    assert_int_equal(got, 3);
    assert_int_equal(il_subscriber_recv_many(subscriber, items + 6, 1, IL_NOW, &got), 0);
    assert_int_equal(got, 1);
    for (int i = 0; i < 7; i++) assert_int_equal(items[i], i);
    il_broadcast_close(broadcast);
    assert_int_equal(il_subscriber_recv_many(subscriber, items, 8, LATE, &got), -EPIPE);
    il_subscriber_free(subscriber);
    il_broadcast_free(broadcast);
}

struct many {
    il_subscriber *subscriber;
    long items[3];
    size_t got;
};

static int receive_many(void *in, void *out)
{
    struct many *many = in;
    return il_subscriber_recv_many(many->subscriber, many->items, 3, LATE, &many->got);
}

static void many_waits_for_the_first(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    struct many many = { .subscriber = subscribe(broadcast, IL_LAG_BLOCK) };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, receive_many, &many);
    until_waits(receives, 1);
    assert_sends(broadcast, 0, 0);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(many.got, 1);
    assert_int_equal(many.items[0], 0);
    assert_sends(broadcast, 1, 1);
    assert_receives(many.subscriber, 1, 1);
    il_subscriber_free(many.subscriber);
    il_broadcast_free(broadcast);
}

static void a_batch_makes_room_for_as_many_senders(void **state)
{
    il_broadcast *broadcast = broadcast_of(3);
    struct many many = { .subscriber = subscribe(broadcast, IL_LAG_BLOCK) };
    struct party parties[2];
    struct crew crew;
    crew_open(&crew, state);
    assert_sends(broadcast, 0, 2);
    for (int i = 0; i < 2; i++) {
        parties[i] = (struct party){ .broadcast = broadcast, .item = 3 + i };
        crew_add(&crew, send_one, &parties[i]);
        until_waits(sends, (unsigned)i + 1);
    }
    assert_int_equal(receive_many(&many, NULL), 0);
    assert_int_equal(many.got, 3);
    assert_int_equal(crew_join(&crew), 0);
    assert_receives(many.subscriber, 3, 4);
    il_subscriber_free(many.subscriber);
    il_broadcast_free(broadcast);
}

/* --- In a select -------------------------------------------------------------------------------- */

static void a_select_hears_the_first_that_has_something(void **state)
{
    il_broadcast *a = broadcast_of(CAPACITY), *b = broadcast_of(CAPACITY);
    il_subscriber *at_a = subscribe(a, IL_LAG_BLOCK), *at_b = subscribe(b, IL_LAG_DISCONNECT);
    long x = -1, y = -1;
    size_t which = 9;
    il_case cases[] = { IL_HEAR(at_a, &x), IL_HEAR(at_b, &y) };
    assert_int_equal(il_select(cases, 2, IL_NOW, &which), -EAGAIN);
    assert_sends(b, 5, 5 + CAPACITY);
    assert_int_equal(il_select(cases, 2, IL_NOW, &which), 0);
    assert_int_equal(which, 1);
    assert_int_equal(y, 6);
    assert_sends(a, 8, 8);
    assert_int_equal(il_select(cases, 2, IL_NOW, &which), 0);
    assert_int_equal(which, 0);
    assert_int_equal(x, 8);
    assert_receives(at_b, 7, 4 + CAPACITY);
    assert_int_equal(il_select(cases, 2, LATE, &which), -EOVERFLOW);
    assert_int_equal(which, 1);
    il_broadcast_close(a);
    assert_int_equal(il_select(cases, 2, LATE, &which), -EPIPE);
    assert_int_equal(which, 0);
    il_subscriber_free(at_a);
    il_subscriber_free(at_b);
    il_broadcast_free(a);
    il_broadcast_free(b);
}

/* Two subscribers of the same broadcast, in one select. */
struct listener {
    il_subscriber *subscribers[2];
    long items[2];
    size_t which;
};

static int hear_one(void *in, void *out)
{
    struct listener *self = in;
    il_case cases[] = { IL_HEAR(self->subscribers[0], &self->items[0]),
                        IL_HEAR(self->subscribers[1], &self->items[1]) };
    return il_select(cases, 2, LATE, &self->which);
}

static void a_select_that_waits_is_handed_one_item_and_only_one(void **state)
{
    il_broadcast *broadcast = broadcast_of(CAPACITY);
    struct listener self = { .items = { -1, -1 } };
    for (int i = 0; i < 2; i++) self.subscribers[i] = subscribe(broadcast, IL_LAG_BLOCK);
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, hear_one, &self);
    until_waits("select", 1);
    assert_sends(broadcast, 4, 4);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(self.items[self.which], 4);
    assert_int_equal(self.items[1 - self.which], -1);
    assert_int_equal(il_subscriber_waiting(self.subscribers[self.which]), 0);
    assert_receives(self.subscribers[1 - self.which], 4, 4);
    for (int i = 0; i < 2; i++) il_subscriber_free(self.subscribers[i]);
    il_broadcast_free(broadcast);
}

static void a_select_lets_a_waiting_sender_in(void **state)
{
    il_broadcast *broadcast = broadcast_of(1);
    il_subscriber *subscriber = subscribe(broadcast, IL_LAG_BLOCK);
    struct party party = { .broadcast = broadcast, .item = 1 };
    struct crew crew;
    long item = -1;
    il_case hear = IL_HEAR(subscriber, &item);
    crew_open(&crew, state);
    assert_sends(broadcast, 0, 0);
    crew_add(&crew, send_one, &party);
    until_waits(sends, 1);
    assert_int_equal(il_select(&hear, 1, IL_NOW, NULL), 0);
    assert_int_equal(item, 0);
    assert_int_equal(crew_join(&crew), 0);
    assert_receives(subscriber, 1, 1);
    il_subscriber_free(subscriber);
    il_broadcast_free(broadcast);
}

/* --- Misuse ------------------------------------------------------------------------------------- */

static void *wait_to_send(void *arg)
{
    send_until(arg, LATE);
    return NULL;
}

static void *wait_to_receive(void *arg)
{
    receive_until(arg, LATE);
    return NULL;
}

static void free_with_a_sender(void)
{
    pthread_t thread;
    il_broadcast *broadcast = broadcast_of(1);
    subscribe(broadcast, IL_LAG_BLOCK);
    send_until(broadcast, IL_NOW);
    if (pthread_create(&thread, NULL, wait_to_send, broadcast)) return;
    until_waits(sends, 1);
    il_broadcast_free(broadcast);
}

static void free_with_a_receiver(void)
{
    pthread_t thread;
    il_broadcast *broadcast = broadcast_of(1);
    il_subscriber *subscriber = subscribe(broadcast, IL_LAG_BLOCK);
    if (pthread_create(&thread, NULL, wait_to_receive, subscriber)) return;
    until_waits(receives, 1);
    il_subscriber_free(subscriber);
}

static void freeing_while_somebody_waits_is_fatal(void **state)
{
    assert_fatal(free_with_a_sender, "waits to send");
    assert_fatal(free_with_a_receiver, "waits to receive");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_subscriber_receives_each_item_in_order),
        cmocka_unit_test(what_is_sent_before_subscribing_is_not_received),
        cmocka_unit_test(items_are_whole_whatever_their_size),
        cmocka_unit_test(more_bytes_than_addresses_are_einval),
        cmocka_unit_test(one_that_blocks_loses_nothing_and_holds_the_sender_up),
        cmocka_unit_test(one_that_drops_loses_the_oldest_and_counts_them),
        cmocka_unit_test(one_that_is_let_go_drains_what_is_left_and_is_told),
        cmocka_unit_test(one_that_lags_as_much_as_it_may_is_kept),
        cmocka_unit_test(one_that_is_let_go_long_ago_finds_nothing),
        cmocka_unit_test(those_that_do_not_block_hold_nobody_up),
        cmocka_unit_test(leaving_frees_the_senders_that_one_held_up),
        EACH_CREW(a_send_wakes_one_receiver_of_each_subscriber),
        EACH_CREW(senders_that_wait_are_served_in_order),
        EACH_CREW(closing_sends_waiting_senders_and_receivers_away),
        EACH_CREW(closing_a_subscriber_sends_only_its_receivers_away),
        cmocka_unit_test(a_closed_subscriber_drains_what_came_before),
        cmocka_unit_test(a_subscriber_outlives_its_broadcast),
        cmocka_unit_test(subscribing_to_a_closed_one_is_epipe),
        EACH_CREW(a_receive_gives_up_and_loses_nothing),
        EACH_CREW(a_send_gives_up_and_sends_nothing),
        cmocka_unit_test(no_wake_up_is_lost_in_the_narrow_places),
        cmocka_unit_test(many_takes_what_is_there),
        EACH_CREW(many_waits_for_the_first),
        EACH_CREW(a_batch_makes_room_for_as_many_senders),
        cmocka_unit_test(a_select_hears_the_first_that_has_something),
        EACH_CREW(a_select_that_waits_is_handed_one_item_and_only_one),
        EACH_CREW(a_select_lets_a_waiting_sender_in),
        cmocka_unit_test(freeing_while_somebody_waits_is_fatal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
