/* SPDX-License-Identifier: MIT */
/*
 * Channels and selects under load: senders and receivers of every kind with deadlines, cancellations
 * and a close at a random moment. What is conserved is counted item by item: each that was sent is
 * received once, each that was not, never.
 */

#include "chaos.h"

enum { MEMBERS = 4, ITEMS = 400, ALL = MEMBERS * ITEMS };

static int by_number(const void *a, const void *b)
{
    return *(const long *)a < *(const long *)b ? -1 : *(const long *)a > *(const long *)b;
}

static il_chan *some_chan(uint64_t *random)
{
    static const size_t capacities[] = { 0, 0, 1, 2, 16, IL_UNBOUNDED };
    size_t capacity = capacities[below(random, 6)];
    il_chan_opts opts = {
        .capacity = capacity,
        .order = capacity ? (il_order)below(random, 3) : IL_FIFO,
        .compare = by_number,
    };
    il_chan *chan = NULL;
    assert_int_equal(il_chan_new(sizeof(long), &opts, &chan), 0);
    return chan;
}

/* --- Conservation ---------------------------------------------------------------------------- */

struct market {
    il_chan *chan[2];
    uint8_t sent[ALL];     /* by its one sender */
    uint8_t received[ALL]; /* atomic: how often */
    il_event stop;
    int wrong;
};

struct trader {
    struct market *market;
    uint64_t random;
    int number;
};

static il_time some_time(uint64_t *random)
{
    unsigned chance = below(random, 8);
    return chance == 0 ? IL_NOW : chance == 1 ? il_after(IL_US(below(random, 200))) : LATE;
}

/* Offer one item in one of the ways there are; true: it was sent. */
static int offer(struct trader *trader, long item)
{
    struct market *market = trader->market;
    uint64_t *random = &trader->random;
    il_chan *chan = market->chan[below(random, 2)];
    size_t index = 9, count = 0;
    il_case cases[] = {
        IL_SET(&market->stop),
        IL_SEND(market->chan[0], &item),
        IL_SEND(market->chan[1], &item),
    };
    switch (below(random, 3)) {
    case 0: return il_chan_send(chan, &item, some_time(random));
    case 1: return il_chan_send_many(chan, &item, 1, some_time(random), &count);
    default:;
    }
    int status = il_select_fair(cases, 3, some_time(random), &index);
    return !status && index == 0 ? -ECANCELED : status;
}

static int sell(void *in, void *out)
{
    struct trader *trader = in;
    for (int i = 0; i < ITEMS; i++) {
        long item = (long)trader->number * ITEMS + i;
        int status = offer(trader, item);
        trader->market->sent[item] = !status;
        if (status == -ECANCELED || status == -EPIPE) return 0;
        if (status && status != -EAGAIN && status != -ETIMEDOUT) il__add(&trader->market->wrong, 1);
    }
    return 0;
}

static int take(struct trader *trader, long *items, size_t *count)
{
    struct market *market = trader->market;
    uint64_t *random = &trader->random;
    il_chan *chan = market->chan[below(random, 2)];
    size_t index = 9;
    *count = 1;
    il_case cases[] = {
        IL_WHEN(!il_event_is_set(&market->stop), IL_SET(&market->stop)),
        IL_RECV(market->chan[0], items),
        IL_RECV(market->chan[1], items),
    };
    switch (below(random, 3)) {
    case 0: return il_chan_recv(chan, items, some_time(random));
    case 1: return il_chan_recv_many(chan, items, 8, some_time(random), count);
    default:;
    }
    int status = il_select_fair(cases, 3, some_time(random), &index);
    if (!status && index == 0) *count = 0;
    return status;
}

/* Until both channels are closed and empty, or it was cancelled. */
static int buy(void *in, void *out)
{
    struct trader *trader = in;
    struct market *market = trader->market;
    for (;;) {
        long items[8];
        size_t count;
        int status = take(trader, items, &count);
        if (status == -ECANCELED) return 0;
        for (size_t i = 0; !status && i < count; i++)
            __atomic_fetch_add(&market->received[items[i]], 1, __ATOMIC_RELAXED);
        if (status == -EPIPE && il_chan_closed(market->chan[0]) && il_chan_closed(market->chan[1]))
            return 0;
    }
}

static void receive_the_rest(struct market *market)
{
    for (int i = 0; i < 2; i++) {
        long item;
        while (!il_chan_recv(market->chan[i], &item, IL_NOW)) market->received[item]++;
    }
}

static void run_market(struct market *market, il_executor *pool, uint64_t *random)
{
    struct trader traders[2 * MEMBERS];
    il_thread threads[2 * MEMBERS];
    il_scope *scope = NULL;
    memset(threads, 0, sizeof threads);
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = pool }, &scope), 0);
    for (int i = 0; i < 2 * MEMBERS; i++) {
        traders[i] = (struct trader){ market, draw(random), i % MEMBERS };
        il_fn *fn = i < MEMBERS ? sell : buy;
        if (below(random, 3)) il_go(scope, fn, &traders[i], NULL);
        else il_thread_start(&threads[i], fn, &traders[i], NULL, NULL);
    }
    for (unsigned i = below(random, 200); i; i--) il_yield();
    unsigned ending = below(random, 4);
    if (ending == 0) il_scope_cancel(scope);
    if (ending == 1) il_event_set(&market->stop);
    for (unsigned i = below(random, 200); i; i--) il_yield();
    for (int i = 0; i < 2 * MEMBERS; i++)
        if (below(random, 8) == 0) il_thread_cancel(&threads[i]);
    il_chan_close(market->chan[0]);
    il_yield();
    il_chan_close(market->chan[1]);
    il_scope_close(scope);
    for (int i = 0; i < 2 * MEMBERS; i++)
        if (il_thread_state(&threads[i]) != IL_NEW) il_thread_join(&threads[i], LATE);
}

static void each_item_that_was_sent_is_received_once(void **state)
{
    uint64_t random = seed;
    for (long i = 0; i < rounds; i++) {
        struct market *market = calloc(1, sizeof *market);
        il_executor *pool = pool_of(1 + below(&random, 3));
        for (int k = 0; k < 2; k++) market->chan[k] = some_chan(&random);
        run_market(market, pool, &random);
        receive_the_rest(market);
        il_executor_free(pool);
        for (int k = 0; k < ALL; k++) assert_int_equal(market->received[k], market->sent[k]);
        assert_int_equal(market->wrong, 0);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(il_chan_length(market->chan[k]), 0);
            il_chan_free(market->chan[k]);
        }
        free(market);
    }
}

/* --- Ten different things at once -------------------------------------------------------------- */

struct fair {
    il_chan *goods, *orders;
    il_sem seats;
    il_mutex counter, desk;
    il_rwlock book;
    il_event bell, gate; /* the bell is automatic */
    il_latch *opening;
    il_future *news;
    il_thread *clerk;
    long counted, noted;               /* plain, guarded by counter and desk */
    long made, bought, ordered, heard; /* atomic */
    int seated, writers, wrong;
};

struct guest {
    struct fair *fair;
    uint64_t random;
};

enum {
    GOODS,
    ORDERS,
    SEATS,
    COUNTER,
    DESK,
    BOOK,
    WRITE_BOOK,
    BELL,
    TIME,
    NEWS,
    CLERK,
    OPENING,
    THINGS
};

static void hold_write(struct fair *fair)
{
    if (il__add(&fair->writers, 1)) il__add(&fair->wrong, 1);
    il__sub(&fair->writers, 1);
    il_rwlock_unlock(&fair->book);
}

static void hold_seat(struct fair *fair)
{
    if (il__add(&fair->seated, 1) >= 2) il__add(&fair->wrong, 1);
    il_yield();
    il__sub(&fair->seated, 1);
    il_sem_release(&fair->seats);
}

static void use(struct fair *fair, size_t which)
{
    switch (which) {
    case GOODS: il__add(&fair->bought, 1); break;
    case ORDERS: il__add(&fair->ordered, 1); break;
    case SEATS: hold_seat(fair); break;
    case COUNTER:
        fair->counted++;
        il_mutex_unlock(&fair->counter);
        break;
    case DESK:
        fair->noted++;
        il_yield();
        il_mutex_unlock(&fair->desk);
        break;
    case BOOK:
        if (il__load(&fair->writers)) il__add(&fair->wrong, 1);
        il_rwlock_unlock_shared(&fair->book);
        break;
    case WRITE_BOOK: hold_write(fair); break;
    case BELL: il__add(&fair->heard, 1); break;
    default: break;
    }
}

/* Wait for a random choice of everything, again and again, until there are no more goods. */
static int visit(void *in, void *out)
{
    struct guest *guest = in;
    struct fair *fair = guest->fair;
    uint64_t *random = &guest->random;
    for (;;) {
        long good = 0, order = 1;
        size_t which = THINGS;
        il_case cases[THINGS] = {
            [GOODS] = IL_RECV(fair->goods, &good),
            [ORDERS] = IL_SEND(fair->orders, &order),
            [SEATS] = IL_ACQUIRE(&fair->seats),
            [COUNTER] = IL_LOCK(&fair->counter),
            [DESK] = IL_LOCK(&fair->desk),
            [BOOK] = IL_READ(&fair->book),
            [WRITE_BOOK] = IL_WRITE(&fair->book),
            [BELL] = IL_SET(&fair->bell),
            [TIME] = IL_AFTER(IL_US(below(random, 400))),
            [NEWS] = IL_DONE(fair->news),
            [CLERK] = IL_ENDED(fair->clerk),
            [OPENING] = IL_OPEN(fair->opening),
        };
        bool over = il_event_is_set(&fair->gate); /* then these are ready all the time */
        for (int i = 0; i < THINGS; i++) cases[i].off = below(random, 3) == 0;
        cases[GOODS].off = cases[TIME].off = false;
        if (over) cases[NEWS].off = cases[CLERK].off = cases[OPENING].off = true;
        int status = below(random, 2) ? il_select(cases, THINGS, LATE, &which)
                                      : il_select_fair(cases, THINGS, LATE, &which);
        if (status == -EPIPE && which == GOODS) return 0;
        if (status) return status;
        use(fair, which);
    }
}

/* Makes what the others wait for. */
static int supply(void *in, void *out)
{
    struct guest *guest = in;
    struct fair *fair = guest->fair;
    uint64_t *random = &guest->random;
    for (int i = 0; i < ITEMS; i++) {
        long item = i;
        switch (below(random, 5)) {
        case 0:
        case 1:
            if (!il_chan_send(fair->goods, &item, LATE)) il__add(&fair->made, 1);
            break;
        case 2: il_event_set(&fair->bell); break;
        case 3:
            il_mutex_lock(&fair->desk);
            il_yield();
            fair->noted++;
            il_mutex_unlock(&fair->desk);
            break;
        default:
            il_rwlock_lock(&fair->book);
            hold_write(fair);
            break;
        }
    }
    return 0;
}

static int take_orders(void *in, void *out)
{
    struct fair *fair = in;
    long *taken = out;
    while (!il_chan_recv(fair->orders, NULL, LATE)) ++*taken;
    return 0;
}

static void hold_a_fair(uint64_t *random)
{
    struct fair fair = { .seats = { .count = 2 }, .bell = { .automatic = true } };
    il_latch opening = { .count = 1 };
    il_thread clerk = { 0 };
    struct guest guests[6], suppliers[2];
    il_scope *scope = NULL, *shop = NULL;
    il_executor *pool = pool_of(1 + below(random, 3));
    long taken = 0;
    fair.goods = some_chan(random);
    fair.orders = some_chan(random);
    fair.opening = &opening;
    fair.clerk = &clerk;
    assert_int_equal(il_promise_new(0, &fair.news), 0);
    assert_int_equal(il_thread_start(&clerk, take_orders, &fair, &taken, NULL), 0);
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = pool }, &scope), 0);
    for (int i = 0; i < 6; i++) {
        guests[i] = (struct guest){ &fair, draw(random) };
        il_go(scope, visit, &guests[i], NULL);
    }
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = pool }, &shop), 0);
    for (int i = 0; i < 2; i++) {
        suppliers[i] = (struct guest){ &fair, draw(random) };
        il_go(shop, supply, &suppliers[i], NULL);
    }
    int supplied = il_scope_close(shop);
    il_event_set(&fair.gate);
    il_latch_count_down(&opening, 1);
    il_promise_set(fair.news, NULL);
    il_chan_close(fair.goods);
    int visited = il_scope_close(scope);
    il_chan_close(fair.orders);
    assert_int_equal(il_thread_join(&clerk, LATE), 0);
    il_executor_free(pool);

    assert_int_equal(supplied, 0);
    assert_int_equal(visited, 0);
    assert_int_equal(fair.wrong, 0);
    assert_int_equal(fair.made, fair.bought);
    assert_int_equal(fair.ordered, taken);
    assert_int_equal(fair.counter.gate.word | fair.desk.gate.word | fair.book.gate.word, 0);
    assert_int_equal(il_sem_value(&fair.seats), 2);
    il_future_free(fair.news);
    il_chan_free(fair.goods);
    il_chan_free(fair.orders);
}

static void twelve_things_in_one_select(void **state)
{
    uint64_t random = seed;
    for (long i = 0; i < rounds; i++) hold_a_fair(&random);
}

int main(void)
{
    read_environment(IL_TSAN || IL_ASAN ? 20 : 60);
    const struct CMUnitTest tests[] = {
        BOTH(each_item_that_was_sent_is_received_once),
        BOTH(twelve_things_in_one_select),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
