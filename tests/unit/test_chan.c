/* SPDX-License-Identifier: MIT */
/* Claims about il_chan. */

#include "check.h"

#include <interlock/chan.h>
#include <interlock/event.h>

#include "base/memory.h"

enum { ITEMS = 3000, MEMBERS = 4, SMALL = 3 };

static int by_value(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

/* Every kind of channel there is. */
static const struct variant {
    size_t capacity;
    il_order order;
} variants[] = {
    { 0, IL_FIFO },
    { 1, IL_FIFO },
    { SMALL, IL_FIFO },
    { 128, IL_FIFO },
    { IL_UNBOUNDED, IL_FIFO },
    { 1, IL_LIFO },
    { SMALL, IL_LIFO },
    { IL_UNBOUNDED, IL_LIFO },
    { 1, IL_PRIORITY },
    { SMALL, IL_PRIORITY },
    { IL_UNBOUNDED, IL_PRIORITY },
};
enum { VARIANTS = sizeof variants / sizeof *variants };

static il_chan *new_of(const struct variant *variant, size_t size)
{
    il_chan *chan = NULL;
    il_chan_opts opts = {
        .capacity = variant->capacity,
        .order = variant->order,
        .compare = by_value,
        .name = "test",
    };
    assert_int_equal(il_chan_new(size, &opts, &chan), 0);
    return chan;
}

static il_chan *new_chan(size_t capacity, il_order order)
{
    return new_of(&(struct variant){ capacity, order }, sizeof(long));
}

/* The gate is what a channel begins with. */
static il__gate *gate_of(il_chan *chan)
{
    return (il__gate *)(void *)chan;
}

static int send_until(void *chan, il_time until)
{
    long item = 77;
    return il_chan_send(chan, &item, until);
}

static int receive_until(void *chan, il_time until)
{
    long item = 0;
    return il_chan_recv(chan, &item, until);
}

static int join_until(void *chan, il_time until)
{
    return il_chan_join(chan, until);
}

static void put(il_chan *chan, long item)
{
    assert_int_equal(il_chan_send(chan, &item, IL_NOW), 0);
}

static long get(il_chan *chan)
{
    long item = -1;
    assert_int_equal(il_chan_recv(chan, &item, IL_NOW), 0);
    return item;
}

/* --- One after the other --------------------------------------------------------------------- */

static void fifo_gives_the_oldest_first_also_when_it_grows_while_it_is_wrapped(void **state)
{
    for (int i = 0; i < VARIANTS; i++) {
        if (variants[i].order != IL_FIFO || !variants[i].capacity) continue;
        il_chan *chan = new_of(&variants[i], sizeof(long));
        long sent = 0, received = 0;
        for (int round = 1; round < 60; round++) {
            for (int k = 0; k < round && il_chan_length(chan) < il_chan_capacity(chan); k++)
                put(chan, sent++);
            for (int k = 0; k < round / 2 && il_chan_length(chan); k++)
                assert_int_equal(get(chan), received++);
        }
        while (il_chan_length(chan)) assert_int_equal(get(chan), received++);
        assert_int_equal(sent, received);
        il_chan_free(chan);
    }
}

static void lifo_gives_the_newest_first(void **state)
{
    const size_t capacities[] = { 100, IL_UNBOUNDED };
    for (int i = 0; i < 2; i++) {
        il_chan *chan = new_chan(capacities[i], IL_LIFO);
        for (long item = 0; item < 100; item++) put(chan, item);
        for (long item = 99; item >= 50; item--) assert_int_equal(get(chan), item);
        put(chan, 1000);
        assert_int_equal(get(chan), 1000);
        for (long item = 49; item >= 0; item--) assert_int_equal(get(chan), item);
        il_chan_free(chan);
    }
}

/* An item of which only the first half is compared. */
struct job {
    long urgency, number;
    char words[40];
};

static void priority_gives_the_smallest_first_and_of_equals_the_oldest(void **state)
{
    const size_t capacities[] = { 500, IL_UNBOUNDED };
    for (int i = 0; i < 2; i++) {
        const struct variant variant = { capacities[i], IL_PRIORITY };
        il_chan *chan = new_of(&variant, sizeof(struct job));
        uint32_t random = 7;
        struct job job = { .words = "words" }, last = { -1, -1, "" };
        for (int k = 0; k < 500; k++) {
            random = random * 1664525 + 1013904223;
            job.urgency = random >> 28;
            job.number = k;
            assert_int_equal(il_chan_send(chan, &job, IL_NOW), 0);
            if (k % 5 == 4) assert_int_equal(il_chan_recv(chan, NULL, IL_NOW), 0);
        }
        assert_int_equal(il_chan_length(chan), 400);
        while (!il_chan_recv(chan, &job, IL_NOW)) {
            assert_true(job.urgency > last.urgency ||
                        (job.urgency == last.urgency && job.number > last.number));
            assert_string_equal(job.words, "words");
            last = job;
        }
        assert_int_equal(il_chan_length(chan), 0);
        il_chan_free(chan);
    }
}

static void items_of_any_size_come_out_as_they_went_in(void **state)
{
    static unsigned char in[1000], out[1000];
    const size_t sizes[] = { 0, 1, 7, 8, 9, 16, 1000 };
    for (size_t i = 0; i < sizeof in; i++) in[i] = (unsigned char)(i * 7 + 1);
    for (int kind = 0; kind < 2; kind++) {
        for (int i = 0; i < 7; i++) {
            const struct variant variant = { kind ? IL_UNBOUNDED : 40, IL_FIFO };
            il_chan *chan = new_of(&variant, sizes[i]);
            for (int k = 0; k < 40; k++)
                assert_int_equal(il_chan_send(chan, sizes[i] ? in : NULL, IL_NOW), 0);
            memset(out, 0, sizeof out);
            for (int k = 0; k < 40; k++)
                assert_int_equal(il_chan_recv(chan, sizes[i] ? out : NULL, IL_NOW), 0);
            assert_memory_equal(in, out, sizes[i]);
            for (size_t k = sizes[i]; k < sizeof out; k++) assert_int_equal(out[k], 0);
            assert_int_equal(il_chan_recv(chan, out, IL_NOW), -EAGAIN);
            il_chan_free(chan);
        }
    }
}

static void length_capacity_and_closed_are_told(void **state)
{
    for (int i = 0; i < VARIANTS; i++) {
        il_chan *chan = new_of(&variants[i], sizeof(long));
        size_t holds = variants[i].capacity == IL_UNBOUNDED ? 1000 : variants[i].capacity;
        long item = 1;
        assert_int_equal(il_chan_capacity(chan), variants[i].capacity);
        for (size_t k = 0; k < holds; k++) {
            assert_int_equal(il_chan_length(chan), k);
            put(chan, item);
        }
        if (holds < 1000) assert_int_equal(il_chan_send(chan, &item, IL_NOW), -EAGAIN);
        assert_false(il_chan_closed(chan));
        il_chan_close(chan);
        assert_true(il_chan_closed(chan));
        assert_int_equal(il_chan_length(chan), holds);
        il_chan_free(chan);
    }
    il_chan_free(NULL);
}

static void closed_one_is_drained_then_both_sides_get_epipe(void **state)
{
    for (int i = 0; i < VARIANTS; i++) {
        il_chan *chan = new_of(&variants[i], sizeof(long));
        long item = 5;
        bool holds = variants[i].capacity;
        if (holds) put(chan, 4);
        il_chan_close(chan);
        il_chan_close(chan);
        assert_int_equal(il_chan_send(chan, &item, IL_NOW), -EPIPE);
        assert_int_equal(il_chan_send(chan, &item, IL_FOREVER), -EPIPE);
        if (holds) assert_int_equal(get(chan), 4);
        assert_int_equal(il_chan_recv(chan, &item, IL_NOW), -EPIPE);
        assert_int_equal(il_chan_recv(chan, &item, IL_FOREVER), -EPIPE);
        assert_int_equal(item, 5);
        il_chan_free(chan);
    }
}

static void what_can_never_be_right_is_einval_and_what_is_too_large_enomem(void **state)
{
    il_chan *chan = NULL;
    il_chan_opts opts = { .capacity = 4, .order = IL_PRIORITY };
    assert_int_equal(il_chan_new(8, &opts, &chan), -EINVAL);
    opts = (il_chan_opts){ .order = IL_LIFO };
    assert_int_equal(il_chan_new(8, &opts, &chan), -EINVAL);
    opts = (il_chan_opts){ .order = IL_PRIORITY, .compare = by_value };
    assert_int_equal(il_chan_new(8, &opts, &chan), -EINVAL);
    opts = (il_chan_opts){ .capacity = SIZE_MAX / 4 };
    assert_int_equal(il_chan_new(8, &opts, &chan), -ENOMEM);
    opts = (il_chan_opts){ 0 };
    assert_int_equal(il_chan_new((size_t)UINT32_MAX + 1, &opts, &chan), -EINVAL);
    assert_null(chan);
    opts = (il_chan_opts){ .capacity = SIZE_MAX / 4 };
    assert_int_equal(il_chan_new(0, &opts, &chan), 0); /* items of size 0 take no room */
    il_chan_free(chan);
}

static void unbounded_one_that_cannot_grow_is_enomem_and_stays_as_it_was(void **state)
{
    il_chan *chan = new_chan(IL_UNBOUNDED, IL_FIFO);
    long items[2] = { 1, 2 };
    size_t n = 9;
    il__refuse(1);
    assert_int_equal(il_chan_send(chan, items, IL_FOREVER), -ENOMEM);
    il__refuse(1);
    assert_int_equal(il_chan_send_many(chan, items, 2, IL_FOREVER, &n), -ENOMEM);
    il__refuse(0);
    assert_int_equal(n, 0);
    assert_int_equal(il_chan_length(chan), 0);
    assert_int_equal(il_chan_recv(chan, items, IL_NOW), -EAGAIN);
    put(chan, 3);
    assert_int_equal(get(chan), 3);
    il_chan_free(chan);
}

static void unbounded_one_gives_memory_back_as_it_empties(void **state)
{
    for (int order = IL_FIFO; order <= IL_PRIORITY; order++) {
        il_chan *chan = new_chan(IL_UNBOUNDED, (il_order)order);
        il__refuse(0);
        for (long item = 0; item < 100000; item++) put(chan, item);
        unsigned long grown = il__refuse(0);
        for (long item = 0; item < 100000; item++)
            assert_int_equal(get(chan), order == IL_LIFO ? 99999 - item : item);
        unsigned long shrunk = il__refuse(0);
        assert_int_equal(grown, 14);  /* 16, 32 ... 131072 slots */
        assert_int_equal(shrunk, 13); /* 65536 ... 16 */
        il_chan_free(chan);
    }
}

/* --- Many at once ---------------------------------------------------------------------------- */

static void batches_send_and_receive_what_fits(void **state)
{
    for (int i = 0; i < VARIANTS; i++) {
        il_chan *chan = new_of(&variants[i], sizeof(long));
        size_t holds = variants[i].capacity == IL_UNBOUNDED ? 300 : variants[i].capacity, n = 0;
        if (holds > 300) holds = 300;
        long in[300], out[300] = { 0 };
        for (long k = 0; k < 300; k++) in[k] = k;
        int status = il_chan_send_many(chan, in, 300, IL_NOW, &n);
        assert_int_equal(status, holds == 300 ? 0 : -EAGAIN);
        assert_int_equal(n, holds);
        n = 7;
        assert_int_equal(il_chan_recv_many(chan, out, 0, IL_NOW, &n), 0);
        assert_int_equal(n, 0);
        if (holds) {
            assert_int_equal(il_chan_recv_many(chan, out, 300, IL_NOW, &n), 0);
            assert_int_equal(n, holds);
            for (size_t k = 0; k < holds; k++)
                assert_int_equal(out[k], variants[i].order == IL_LIFO ? holds - 1 - k : k);
        }
        n = 7;
        assert_int_equal(il_chan_recv_many(chan, out, 300, IL_NOW, &n), -EAGAIN);
        il_chan_close(chan);
        assert_int_equal(il_chan_recv_many(chan, out, 300, IL_FOREVER, &n), -EPIPE);
        assert_int_equal(n, 7);
        assert_int_equal(il_chan_send_many(chan, in, 2, IL_NOW, &n), -EPIPE);
        assert_int_equal(n, 0);
        assert_int_equal(il_chan_send_many(chan, in, 0, IL_NOW, NULL), 0);
        il_chan_free(chan);
    }
}

struct stream {
    il_chan *chan;
    bool batches;
    int count;
    long from, sum;
    int wrong;
};

static int send_stream(void *in, void *out)
{
    struct stream *stream = in;
    long items[100];
    for (int i = 0; i < stream->count;) {
        size_t sent = 0, most = stream->batches ? 1 + (size_t)i % 100 : 1;
        if (most > (size_t)(stream->count - i)) most = (size_t)(stream->count - i);
        for (size_t k = 0; k < most; k++) items[k] = stream->from + i + (long)k;
        int status = stream->batches ? il_chan_send_many(stream->chan, items, most, LATE, &sent)
                                     : il_chan_send(stream->chan, items, LATE);
        if (status) return status;
        if (stream->batches && sent != most) return -1;
        for (size_t k = 0; k < most; k++) stream->sum += items[k];
        i += (int)most;
    }
    return 0;
}

/* Until it is closed. Items of one sender come in its order, if the channel keeps it. */
static int receive_stream(void *in, void *out)
{
    struct stream *stream = in;
    long items[50], last[MEMBERS] = { -1, -1, -1, -1 };
    for (;;) {
        size_t got = 1, most = stream->batches ? 50 : 1;
        int status = stream->batches ? il_chan_recv_many(stream->chan, items, most, LATE, &got)
                                     : il_chan_recv(stream->chan, items, LATE);
        if (status) return status == -EPIPE ? 0 : status;
        if (!got || got > most) return -1;
        for (size_t k = 0; k < got; k++) {
            long sender = items[k] / ITEMS;
            if (items[k] <= last[sender]) stream->wrong++;
            last[sender] = items[k];
            stream->sum += items[k];
            stream->count++;
        }
    }
}

/* Senders, receivers, and what they have sent and received. */
struct market {
    struct stream senders[MEMBERS], receivers[MEMBERS];
};

static int run_senders_then_close(void **state, il_chan *chan, struct market *market, bool batches)
{
    struct crew senders, receivers;
    crew_open(&receivers, state);
    crew_open(&senders, state);
    for (int i = 0; i < MEMBERS; i++) {
        market->receivers[i] = (struct stream){ .chan = chan, .batches = batches };
        market->senders[i] = (struct stream){
            .chan = chan, .batches = batches, .count = ITEMS, .from = (long)i * ITEMS
        };
        crew_add(&receivers, receive_stream, &market->receivers[i]);
        crew_add(&senders, send_stream, &market->senders[i]);
    }
    int failed = crew_join(&senders);
    il_chan_close(chan);
    return failed + crew_join(&receivers);
}

static void each_item_is_received_once(void **state)
{
    for (int i = 0; i < 2 * VARIANTS; i++) {
        const struct variant *variant = &variants[i / 2];
        il_chan *chan = new_of(variant, sizeof(long));
        struct market market;
        int failed = run_senders_then_close(state, chan, &market, i % 2), count = 0, wrong = 0;
        long sum = 0;
        for (int k = 0; k < MEMBERS; k++) {
            count += market.receivers[k].count;
            sum += market.receivers[k].sum - market.senders[k].sum;
            wrong += market.receivers[k].wrong;
        }
        assert_int_equal(failed, 0);
        assert_int_equal(count, MEMBERS * ITEMS);
        assert_int_equal(sum, 0);
        if (variant->order == IL_FIFO) assert_int_equal(wrong, 0);
        assert_int_equal(il_chan_length(chan), 0);
        assert_int_equal(il__gate_count(gate_of(chan)), 0);
        il_chan_free(chan);
    }
}

/* --- Waiting --------------------------------------------------------------------------------- */

static void full_one_makes_senders_wait_empty_one_receivers_until_they_give_up(void **state)
{
    for (int i = 0; i < VARIANTS; i++) {
        il_chan *chan = new_of(&variants[i], sizeof(long));
        il__gate *gate = gate_of(chan);
        assert_gives_up(state, receive_until, chan);
        assert_int_equal(status_when_cancelled(state, receive_until, chan, gate), -ECANCELED);
        if (variants[i].capacity != IL_UNBOUNDED) {
            for (size_t k = 0; k < variants[i].capacity; k++) put(chan, 1);
            assert_gives_up(state, send_until, chan);
            assert_int_equal(status_when_cancelled(state, send_until, chan, gate), -ECANCELED);
            assert_int_equal(il_chan_length(chan), variants[i].capacity);
        }
        assert_int_equal(il__gate_count(gate), 0);
        il_chan_free(chan);
    }
}

struct exchange {
    il_chan *chan;
    long item;
    int status;
};

static int send_one(void *in, void *out)
{
    struct exchange *exchange = in;
    exchange->status = il_chan_send(exchange->chan, &exchange->item, LATE);
    return 0;
}

static int receive_one(void *in, void *out)
{
    struct exchange *exchange = in;
    exchange->status = il_chan_recv(exchange->chan, &exchange->item, LATE);
    return 0;
}

static void close_tells_the_senders_and_receivers_that_wait(void **state)
{
    for (int i = 0; i < VARIANTS; i++) {
        for (int side = 0; side < 2; side++) {
            if (side && variants[i].capacity == IL_UNBOUNDED) continue;
            il_chan *chan = new_of(&variants[i], sizeof(long));
            struct exchange exchanges[MEMBERS];
            struct crew crew;
            for (size_t k = 0; side && k < variants[i].capacity; k++) put(chan, 1);
            crew_open(&crew, state);
            for (int k = 0; k < MEMBERS; k++) {
                exchanges[k] = (struct exchange){ chan, 9, 1 };
                crew_add(&crew, side ? send_one : receive_one, &exchanges[k]);
            }
            until_waiting(gate_of(chan), MEMBERS);
            il_chan_close(chan);
            assert_int_equal(crew_join(&crew), 0);
            for (int k = 0; k < MEMBERS; k++) {
                assert_int_equal(exchanges[k].status, -EPIPE);
                assert_int_equal(exchanges[k].item, 9);
            }
            for (size_t k = 0; side && k < variants[i].capacity; k++)
                assert_int_equal(get(chan), 1);
            assert_int_equal(il_chan_recv(chan, NULL, IL_NOW), -EPIPE);
            il_chan_free(chan);
        }
    }
}

static void those_who_wait_are_served_in_turn(void **state)
{
    il_chan *chan = new_chan(1, IL_FIFO);
    struct exchange exchanges[MEMBERS];
    struct crew crew;
    put(chan, -1);
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS;
         i++) { /* one by one, so that it is known in which order they wait */
        exchanges[i] = (struct exchange){ chan, i, 1 };
        crew_add(&crew, send_one, &exchanges[i]);
        until_waiting(gate_of(chan), (unsigned)i + 1);
    }
    for (int i = -1; i < MEMBERS; i++) assert_int_equal(get(chan), i);
    assert_int_equal(crew_join(&crew), 0);

    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) {
        exchanges[i] = (struct exchange){ chan, -1, 1 };
        crew_add(&crew, receive_one, &exchanges[i]);
        until_waiting(gate_of(chan), (unsigned)i + 1);
    }
    for (int i = 0; i < MEMBERS; i++) put(chan, i);
    assert_int_equal(crew_join(&crew), 0);
    for (int i = 0; i < MEMBERS; i++) assert_int_equal(exchanges[i].item, i);
    il_chan_free(chan);
}

static void rendezvous_ends_for_both_at_once(void **state)
{
    il_chan *chan = new_chan(0, IL_FIFO);
    struct exchange exchange = { chan, 42, 1 };
    struct crew crew;
    long item = 0;
    assert_int_equal(il_chan_send(chan, &item, IL_NOW), -EAGAIN);
    crew_open(&crew, state);
    crew_add(&crew, send_one, &exchange);
    until_waiting(gate_of(chan), 1);
    int before = il__load(&exchange.status);
    assert_int_equal(il_chan_length(chan), 0); /* what a waiting sender has is not inside */
    assert_int_equal(il_chan_recv(chan, &item, IL_NOW), 0);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(before, 1);
    assert_int_equal(exchange.status, 0);
    assert_int_equal(item, 42);
    il_chan_free(chan);
}

static void take_from_it(void *chan)
{
    il_chan_recv(chan, NULL, IL_NOW);
}

static void add_to_it(void *chan)
{
    long item = 3;
    il_chan_send(chan, &item, IL_NOW);
}

/* A wake-up that comes at the narrowest moment. (A rendezvous has nothing that comes before.) */
static void what_comes_just_before_the_wait_is_not_missed(void **state)
{
    il_chan *chan = new_chan(1, IL_FIFO);
    assert_true(sees_a_late_release(receive_until, chan, gate_of(chan), add_to_it));
    put(chan, 1);
    assert_true(sees_a_late_release(send_until, chan, gate_of(chan), take_from_it));
    il_chan_free(chan);
}

/* A receiver whose deadline passes while an item comes gets the one or the other. */
static int receive_shortly(void *in, void *out)
{
    struct exchange *exchange = in;
    exchange->status = il_chan_recv(exchange->chan, &exchange->item, il_after(IL_US(20)));
    return 0;
}

static void an_item_and_a_deadline_never_both_win(void **state)
{
    il_chan *chan = new_chan(0, IL_FIFO);
    for (int i = 0; i < 300; i++) {
        struct exchange exchange = { chan, -1, 1 };
        struct crew crew;
        long item = i;
        crew_open(&crew, state);
        crew_add(&crew, receive_shortly, &exchange);
        int status = il_chan_send(chan, &item, il_after(IL_US(i % 2 ? 40 : 10)));
        assert_int_equal(crew_join(&crew), 0);
        assert_int_equal(status, exchange.status);
        assert_true(status == 0 || status == -ETIMEDOUT);
        assert_int_equal(exchange.item, status ? -1 : i);
    }
    il_chan_free(chan);
}

static int send_five(void *in, void *out)
{
    struct exchange *exchange = in;
    long items[5] = { 0, 1, 2, 3, 4 };
    size_t sent = 99;
    exchange->status = il_chan_send_many(exchange->chan, items, 5, LATE, &sent);
    exchange->item = (long)sent;
    return 0;
}

static void send_many_says_how_many_were_sent_when_it_is_closed(void **state)
{
    il_chan *chan = new_chan(SMALL, IL_FIFO);
    struct exchange exchange = { chan, -1, 1 };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, send_five, &exchange);
    until_waiting(gate_of(chan), 1);
    assert_int_equal(get(chan), 0);
    until_waiting(gate_of(chan), 1);
    il_chan_close(chan);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(exchange.status, -EPIPE);
    assert_int_equal(exchange.item, SMALL + 1);
    for (long item = 1; item < SMALL + 1; item++) assert_int_equal(get(chan), item);
    assert_int_equal(il_chan_recv(chan, NULL, IL_NOW), -EPIPE);
    il_chan_free(chan);
}

static void recv_many_takes_the_items_of_senders_that_wait(void **state)
{
    for (size_t capacity = 0; capacity < 3; capacity++) {
        il_chan *chan = new_chan(capacity, IL_FIFO);
        struct exchange exchanges[MEMBERS];
        struct crew crew;
        long items[10], inside = (long)capacity;
        size_t got = 0;
        for (long i = 0; i < inside; i++) put(chan, i);
        crew_open(&crew, state);
        for (int i = 0; i < MEMBERS; i++) {
            exchanges[i] = (struct exchange){ chan, inside + i, 1 };
            crew_add(&crew, send_one, &exchanges[i]);
            until_waiting(gate_of(chan), (unsigned)i + 1);
        }
        assert_int_equal(il_chan_recv_many(chan, items, 10, IL_NOW, &got), 0);
        assert_int_equal(crew_join(&crew), 0);
        assert_int_equal(got, inside + MEMBERS);
        for (long i = 0; i < inside + MEMBERS; i++) assert_int_equal(items[i], i);
        for (int i = 0; i < MEMBERS; i++) assert_int_equal(exchanges[i].status, 0);
        il_chan_free(chan);
    }
}

static void who_waits_is_listed_with_what_for(void **state)
{
    il_chan *chan = new_chan(0, IL_FIFO);
    struct exchange exchange = { chan, 0, 1 };
    il_thread thread = { 0 };
    il_info info;
    assert_int_equal(il_thread_start(&thread, receive_one, &exchange, NULL, NULL), 0);
    until_waiting(gate_of(chan), 1);
    assert_int_equal(il_thread_describe(&thread, &info), 0);
    put(chan, 8);
    assert_int_equal(il_thread_join(&thread, LATE), 0);
    assert_string_equal(info.waits_for, "channel (receive)");
    assert_ptr_equal(info.waits_on, chan);
    assert_int_equal(exchange.item, 8);
    il_chan_free(chan);
}

/* --- A queue of work ------------------------------------------------------------------------- */

static int work(void *in, void *out)
{
    struct stream *stream = in;
    while (!il_chan_recv(stream->chan, NULL, LATE)) {
        stream->count++;
        il_chan_done(stream->chan);
    }
    return 0;
}

static void join_waits_until_every_item_is_done(void **state)
{
    for (int i = 0; i < VARIANTS; i++) {
        il_chan *chan = new_of(&variants[i], sizeof(long));
        struct stream workers[MEMBERS];
        struct crew crew;
        int count = 0;
        assert_int_equal(il_chan_join(chan, IL_NOW), 0);
        crew_open(&crew, state);
        for (int k = 0; k < MEMBERS; k++) {
            workers[k] = (struct stream){ .chan = chan };
            crew_add(&crew, work, &workers[k]);
        }
        for (long item = 0; item < 100; item++) il_chan_send(chan, &item, LATE);
        assert_int_equal(il_chan_join(chan, LATE), 0);
        assert_int_equal(il_chan_join(chan, IL_NOW), 0);
        il_chan_close(chan);
        assert_int_equal(crew_join(&crew), 0);
        for (int k = 0; k < MEMBERS; k++) count += workers[k].count;
        assert_int_equal(count, 100);
        il_chan_free(chan);
    }
}

static int wait_for_the_work(void *in, void *out)
{
    return il_chan_join(in, LATE);
}

static void join_gives_up_and_is_not_ended_by_a_close(void **state)
{
    il_chan *chan = new_chan(SMALL, IL_FIFO);
    struct crew crew;
    put(chan, 1);
    put(chan, 2);
    assert_gives_up(state, join_until, chan);
    assert_int_equal(status_when_cancelled(state, join_until, chan, gate_of(chan)), -ECANCELED);
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, wait_for_the_work, chan);
    until_waiting(gate_of(chan), MEMBERS);
    get(chan);
    get(chan);
    il_chan_close(chan);
    il_chan_done(chan);
    unsigned waiting = il__gate_count(gate_of(chan));
    il_chan_done(chan);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(waiting, MEMBERS);
    il_chan_free(chan);
}

/* --- Misuse, and the end --------------------------------------------------------------------- */

static void done_too_often(void)
{
    il_chan *chan = NULL;
    long item = 1;
    il_chan_new(sizeof item, &(il_chan_opts){ .capacity = 1, .name = "orders" }, &chan);
    il_chan_send(chan, &item, IL_NOW);
    il_chan_done(chan);
    il_chan_done(chan);
}

static void free_while_one_waits(void)
{
    il_chan *chan = NULL;
    il__waiter waiter = { .agent = il__self(), .mode = 1 };
    il_chan_new(8, &(il_chan_opts){ .name = "orders" }, &chan);
    il__gate_lock(gate_of(chan));
    il__gate_add(gate_of(chan), &waiter);
    il__gate_unlock(gate_of(chan), 0);
    il_chan_free(chan);
}

static void done_too_often_and_free_while_somebody_waits_are_fatal(void **state)
{
    assert_fatal(done_too_often, "\"orders\": il_chan_done at ");
    assert_fatal(free_while_one_waits, "\"orders\" freed at ");
}

/* Each makes a channel for its reply, hands it over, and frees it as soon as the reply is there. */
static int ask(void *in, void *out)
{
    il_chan *questions = in;
    for (long i = 0; i < ITEMS; i++) {
        il_chan *reply = NULL;
        long answer = -1;
        if (il_chan_new(sizeof answer, &(il_chan_opts){ .capacity = (size_t)(i % 2) }, &reply))
            return -1;
        if (il_chan_send(questions, &reply, LATE)) return -2;
        if (il_chan_recv(reply, &answer, LATE) || answer != 1) return -3;
        il_chan_free(reply);
    }
    return 0;
}

static int answer(void *in, void *out)
{
    il_chan *questions = in, *reply;
    long one = 1;
    while (!il_chan_recv(questions, &reply, LATE))
        if (il_chan_send(reply, &one, LATE)) return -1;
    return 0;
}

static void it_may_be_freed_as_soon_as_the_last_item_was_received(void **state)
{
    il_chan *questions = new_chan(1, IL_FIFO);
    struct crew askers, answerers;
    crew_open(&answerers, state);
    crew_open(&askers, state);
    for (int i = 0; i < 2; i++) crew_add(&answerers, answer, questions);
    for (int i = 0; i < 2; i++) crew_add(&askers, ask, questions);
    assert_int_equal(crew_join(&askers), 0);
    il_chan_close(questions);
    assert_int_equal(crew_join(&answerers), 0);
    il_chan_free(questions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifo_gives_the_oldest_first_also_when_it_grows_while_it_is_wrapped),
        cmocka_unit_test(lifo_gives_the_newest_first),
        cmocka_unit_test(priority_gives_the_smallest_first_and_of_equals_the_oldest),
        cmocka_unit_test(items_of_any_size_come_out_as_they_went_in),
        cmocka_unit_test(length_capacity_and_closed_are_told),
        cmocka_unit_test(closed_one_is_drained_then_both_sides_get_epipe),
        cmocka_unit_test(what_can_never_be_right_is_einval_and_what_is_too_large_enomem),
        cmocka_unit_test(unbounded_one_that_cannot_grow_is_enomem_and_stays_as_it_was),
        cmocka_unit_test(unbounded_one_gives_memory_back_as_it_empties),
        cmocka_unit_test(batches_send_and_receive_what_fits),
        EACH_CREW(each_item_is_received_once),
        EACH_CREW(full_one_makes_senders_wait_empty_one_receivers_until_they_give_up),
        EACH_CREW(close_tells_the_senders_and_receivers_that_wait),
        EACH_CREW(those_who_wait_are_served_in_turn),
        EACH_CREW(rendezvous_ends_for_both_at_once),
        cmocka_unit_test(what_comes_just_before_the_wait_is_not_missed),
        EACH_CREW(an_item_and_a_deadline_never_both_win),
        EACH_CREW(send_many_says_how_many_were_sent_when_it_is_closed),
        EACH_CREW(recv_many_takes_the_items_of_senders_that_wait),
        cmocka_unit_test(who_waits_is_listed_with_what_for),
        EACH_CREW(join_waits_until_every_item_is_done),
        EACH_CREW(join_gives_up_and_is_not_ended_by_a_close),
        cmocka_unit_test(done_too_often_and_free_while_somebody_waits_are_fatal),
        EACH_CREW(it_may_be_freed_as_soon_as_the_last_item_was_received),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
