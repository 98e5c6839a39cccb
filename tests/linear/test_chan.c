/* SPDX-License-Identifier: MIT */
/*
 * Histories of il_chan are those of a queue: bounded, never full, and rendezvous; and those of a
 * channel with a fault planted in it are not.
 */

#include "history.h"
#include "models.h"

#include <interlock/chan.h>

enum { BOUND = 2 };

static void *make_chan(size_t capacity)
{
    il_chan *chan = NULL;
    return il_chan_new(sizeof(long), &(il_chan_opts){ .capacity = capacity }, &chan) ? NULL : chan;
}

static void *make_bounded(void)
{
    return make_chan(BOUND);
}

static void *make_unbounded(void)
{
    return make_chan(IL_UNBOUNDED);
}

static void *make_rendezvous(void)
{
    return make_chan(0);
}

static void release_chan(void *chan)
{
    il_chan_free(chan);
}

/* `expected` is how long it may wait, in microseconds; nobody waits for ever, since nobody may come. */
static void choose_chan_call(uint64_t *random, struct call *call)
{
    unsigned what = below(random, 40);
    call->what = what == 0 ? CLOSE : what % 2 ? SEND : RECV;
    call->expected = below(random, 3) ? 0 : 1 + below(random, 200);
}

static void choose_bounded_call(uint64_t *random, struct call *call)
{
    choose_chan_call(random, call);
    call->key = BOUND;
}

static void choose_unbounded_call(uint64_t *random, struct call *call)
{
    choose_chan_call(random, call);
    call->key = QUEUE_ROOM;
}

static void choose_rendezvous_call(uint64_t *random, struct call *call)
{
    choose_chan_call(random, call);
    call->key = 1;
}

static long receive(il_chan *chan, il_time until)
{
    long item = 0;
    int status = il_chan_recv(chan, &item, until);
    return status ? status : item;
}

static void perform_on_chan(void *chan, struct call *call)
{
    il_time until = call->expected ? il_after(IL_US(call->expected)) : IL_NOW;
    switch ((enum queue_call)call->what) {
    case SEND: call->result = il_chan_send(chan, &call->value, until); break;
    case RECV: call->result = receive(chan, until); break;
    default: il_chan_close(chan); break;
    }
}

static void bounded_channel_is_a_queue(void **state)
{
    static const struct subject chan = { &queue_model,        make_bounded,    release_chan,
                                         choose_bounded_call, perform_on_chan, NULL };
    assert_linearizable(state, &chan);
}

static void unbounded_channel_is_a_queue(void **state)
{
    static const struct subject chan = { &queue_model,          make_unbounded,  release_chan,
                                         choose_unbounded_call, perform_on_chan, NULL };
    assert_linearizable(state, &chan);
}

static void rendezvous_is_where_sender_and_receiver_meet(void **state)
{
    static const struct subject chan = { &rendezvous_model, make_rendezvous,
                                         release_chan,      choose_rendezvous_call,
                                         perform_on_chan,   senders_met_receivers };
    assert_linearizable(state, &chan);
}

/* --- Planted faults ------------------------------------------------------------------------------ */

/* Takes two, keeps one and puts the other back: at the end, if somebody has sent meanwhile. */
static void receive_two_and_put_one_back(void *chan, struct call *call)
{
    perform_on_chan(chan, call);
    if (call->what != RECV || call->result < 0) return;
    long second = receive(chan, IL_NOW);
    il_yield();
    if (second > 0) (void)il_chan_send(chan, &second, IL_NOW);
}

/* Says that an item is in before it is: it waits in a pocket for the sender's next call. */
struct pocket {
    void *chan;
    long items[MEMBERS]; /* each its owner's */
};

static void *make_pocket(void)
{
    struct pocket *pocket = calloc(1, sizeof *pocket);
    if (pocket) pocket->chan = make_unbounded();
    return pocket;
}

static void release_pocket(void *object)
{
    struct pocket *pocket = object;
    release_chan(pocket->chan);
    free(pocket);
}

static void send_too_late(void *object, struct call *call)
{
    struct pocket *pocket = object;
    long *mine = &pocket->items[call->member];
    if (*mine) (void)il_chan_send(pocket->chan, mine, IL_NOW);
    *mine = 0;
    if (call->what == SEND && !il_chan_closed(pocket->chan)) *mine = call->value;
    else perform_on_chan(pocket->chan, call);
}

#define FINDS(fault, make, release, choose)                                                        \
    static void fault##_is_found(void **state)                                                     \
    {                                                                                              \
        static const struct subject subject = {                                                    \
            &queue_model, make, release, choose, fault, NULL                                       \
        };                                                                                         \
        assert_fault_is_found(state, &subject);                                                    \
    }

FINDS(receive_two_and_put_one_back, make_bounded, release_chan, choose_bounded_call)
FINDS(send_too_late, make_pocket, release_pocket, choose_unbounded_call)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_CREW(bounded_channel_is_a_queue),
        EACH_CREW(unbounded_channel_is_a_queue),
        EACH_CREW(rendezvous_is_where_sender_and_receiver_meet),
        EACH_CREW(receive_two_and_put_one_back_is_found),
        EACH_CREW(send_too_late_is_found),
    };
    return cmocka_run_group_tests(tests, announce, NULL);
}
