/* SPDX-License-Identifier: MIT */
/* Claims about the checker of histories: those whose answer is known, by hand or by trying every
 * order of the calls. */

#include "../stress/chaos.h"
#include "models.h"

/* Histories are drawn as in the papers: a call's begin and end are columns. */
#define AT(first, last) .begin = (first), .end = (last)
#define CHECK(model, ...)                                                                          \
    is_linearizable(&(model), (const struct call[]){ __VA_ARGS__ },                                \
                    sizeof((const struct call[]){ __VA_ARGS__ }) / sizeof(struct call))

static void nothing_is_linearizable(void **state)
{
    assert_true(is_linearizable(&table_model, NULL, 0));
}

static void calls_in_turn_are_what_the_model_says(void **state)
{
    assert_true(CHECK(
        table_model, { AT(1, 2), .what = PUT, .value = 7 }, { AT(3, 4), .what = GET, .result = 7 },
        { AT(5, 6), .what = REMOVE, .result = 7 }, { AT(7, 8), .what = GET, .result = 0 }));
    assert_false(CHECK(table_model, { AT(1, 2), .what = PUT, .value = 7 },
                       { AT(3, 4), .what = GET, .result = 0 }));
}

static void stale_read_is_found(void **state)
{
    /*  put 1 |--|
     *  put 2      |--|
     *  get 1           |--|   */
    assert_false(CHECK(table_model, { AT(1, 2), .what = PUT, .value = 1 },
                       { AT(3, 4), .what = PUT, .value = 2 },
                       { AT(5, 6), .what = GET, .result = 1 }));
}

static void overlapping_calls_may_have_happened_in_either_order(void **state)
{
    /*  put 1 |--------|
     *  put 2   |--|
     *  get 1          ...  |--|  or get 2   */
    for (long seen = 1; seen <= 2; seen++)
        assert_true(CHECK(table_model, { AT(1, 4), .what = PUT, .value = 1 },
                          { AT(2, 3), .what = PUT, .value = 2 },
                          { AT(5, 6), .what = GET, .result = seen }));
}

static void two_readers_must_agree_about_the_order(void **state)
{
    /*  put 1 |-----------------|
     *  put 2 |-----------------|
     *  get 1    |--|  then 2     |--|
     *  get 2    |--|  then 1     |--|   */
    assert_false(
        CHECK(table_model, { AT(1, 20), .what = PUT, .value = 1 },
              { AT(2, 21), .what = PUT, .value = 2 }, { AT(3, 4), .what = GET, .result = 1 },
              { AT(5, 6), .what = GET, .result = 2 }, { AT(7, 8), .what = GET, .result = 1 }));
    assert_true(
        CHECK(table_model, { AT(1, 20), .what = PUT, .value = 1 },
              { AT(2, 21), .what = PUT, .value = 2 }, { AT(3, 4), .what = GET, .result = 1 },
              { AT(5, 6), .what = GET, .result = 2 }, { AT(7, 8), .what = GET, .result = 2 }));
}

static void two_who_both_added_the_same_are_found(void **state)
{
    assert_false(CHECK(set_model, { AT(1, 3), .what = SET_ADD, .key = 5 },
                       { AT(2, 4), .what = SET_ADD, .key = 5 }));
    assert_true(CHECK(set_model, { AT(1, 3), .what = SET_ADD, .key = 5 },
                      { AT(2, 4), .what = SET_ADD, .key = 5, .result = -EALREADY }));
}

static void snapshot_of_two_moments_is_found(void **state)
{
    /* 0 goes in before 1 does, so nobody can see 1 alone. */
    assert_false(CHECK(set_model, { AT(1, 3), .what = SET_ADD, .key = 0 },
                       { AT(4, 5), .what = SET_ADD, .key = 1 },
                       { AT(2, 6), .what = SET_SNAPSHOT, .result = 2 }));
    assert_true(CHECK(set_model, { AT(1, 3), .what = SET_ADD, .key = 0 },
                      { AT(4, 5), .what = SET_ADD, .key = 1 },
                      { AT(2, 6), .what = SET_SNAPSHOT, .result = 1 }));
}

static void call_that_has_not_returned_may_have_happened_or_not(void **state)
{
    for (long seen = 0; seen <= 1; seen++)
        assert_true(CHECK(table_model, { AT(1, 0), .what = PUT, .value = 1 },
                          { AT(2, 3), .what = GET, .result = seen }));
    assert_false(CHECK(table_model, { AT(1, 0), .what = PUT, .value = 1 },
                       { AT(2, 3), .what = GET, .result = 1 },
                       { AT(4, 5), .what = GET, .result = 0 }));
    assert_false(CHECK(table_model, { AT(4, 0), .what = PUT, .value = 1 },
                       { AT(2, 3), .what = GET, .result = 1 })); /* before it began */
}

#define QUEUE .key = 2 /* its capacity */

static void queue_keeps_the_order(void **state)
{
    assert_true(CHECK(queue_model, { AT(1, 2), QUEUE, .what = SEND, .value = 1 },
                      { AT(3, 4), QUEUE, .what = SEND, .value = 2 },
                      { AT(5, 6), QUEUE, .what = RECV, .result = 1 },
                      { AT(7, 8), QUEUE, .what = RECV, .result = 2 }));
    assert_false(CHECK(queue_model, { AT(1, 2), QUEUE, .what = SEND, .value = 1 },
                       { AT(3, 4), QUEUE, .what = SEND, .value = 2 },
                       { AT(5, 6), QUEUE, .what = RECV, .result = 2 }));
}

static void queue_loses_and_doubles_nothing(void **state)
{
    assert_false(CHECK(queue_model, { AT(1, 2), QUEUE, .what = SEND, .value = 1 },
                       { AT(3, 4), QUEUE, .what = RECV, .result = -EAGAIN }));
    assert_false(CHECK(queue_model, { AT(1, 2), QUEUE, .what = SEND, .value = 1 },
                       { AT(3, 5), QUEUE, .what = RECV, .result = 1 },
                       { AT(4, 6), QUEUE, .what = RECV, .result = 1 }));
}

static void full_queue_takes_nothing(void **state)
{
    assert_false(CHECK(queue_model, { AT(1, 2), QUEUE, .what = SEND, .value = 1 },
                       { AT(3, 4), QUEUE, .what = SEND, .value = 2 },
                       { AT(5, 6), QUEUE, .what = SEND, .value = 3 }));
    assert_true(CHECK(queue_model, { AT(1, 2), QUEUE, .what = SEND, .value = 1 },
                      { AT(3, 4), QUEUE, .what = SEND, .value = 2 },
                      { AT(5, 8), QUEUE, .what = SEND, .value = 3 }, /* waited for this: */
                      { AT(6, 7), QUEUE, .what = RECV, .result = 1 }));
    assert_false(CHECK(queue_model, { AT(1, 2), QUEUE, .what = SEND, .value = 1 },
                       { AT(3, 4), QUEUE, .what = SEND, .value = 2, .result = -EAGAIN }));
}

static void closed_queue_gives_what_it_has_and_takes_nothing(void **state)
{
    assert_true(CHECK(queue_model, { AT(1, 2), QUEUE, .what = SEND, .value = 1 },
                      { AT(3, 4), QUEUE, .what = CLOSE },
                      { AT(5, 6), QUEUE, .what = SEND, .value = 2, .result = -EPIPE },
                      { AT(7, 8), QUEUE, .what = RECV, .result = 1 },
                      { AT(9, 10), QUEUE, .what = RECV, .result = -EPIPE }));
    assert_false(CHECK(queue_model, { AT(1, 2), QUEUE, .what = CLOSE },
                       { AT(3, 4), QUEUE, .what = SEND, .value = 2 }));
    assert_false(CHECK(queue_model, { AT(1, 2), QUEUE, .what = SEND, .value = 1 },
                       { AT(3, 4), QUEUE, .what = CLOSE },
                       { AT(5, 6), QUEUE, .what = RECV, .result = -EPIPE }));
}

static void call_that_gave_up_did_nothing(void **state)
{
    assert_true(CHECK(queue_model,
                      { AT(1, 2), QUEUE, .what = SEND, .value = 1, .result = -ETIMEDOUT },
                      { AT(3, 4), QUEUE, .what = RECV, .result = -EAGAIN }));
    assert_false(CHECK(queue_model,
                       { AT(1, 2), QUEUE, .what = SEND, .value = 1, .result = -ECANCELED },
                       { AT(3, 4), QUEUE, .what = RECV, .result = 1 }));
}

/* --- Against trying everything ------------------------------------------------------------------ */

/* The definition, word for word: some order of all the calls, in which none comes before one that
 * had ended when it began, is a run of the model. */
static bool some_order_works(const struct model *model, const struct call *calls, int count,
                             unsigned done, const void *state)
{
    unsigned char next[MAX_STATE];
    if (done == (1u << count) - 1) return true;
    for (int i = 0; i < count; i++) {
        bool may = !(done >> i & 1);
        for (int j = 0; j < count; j++) may &= done >> j & 1 || calls[j].end > calls[i].begin;
        memcpy(next, state, model->state_size);
        if (may && model->step(next, &calls[i]) &&
            some_order_works(model, calls, count, done | 1u << i, next))
            return true;
    }
    return false;
}

enum { FEW = 6, HISTORIES = 20000 };

/* Calls of three members at random moments, with results that are often right. */
static void draw_history(uint64_t *random, struct call *calls)
{
    unsigned char moments[2 * FEW];
    uint64_t set = 0;
    for (int i = 0; i < 2 * FEW; i++) moments[i] = (unsigned char)(i / 2);
    for (unsigned i = 2 * FEW - 1; i; i--) { /* whose moment it is; its first is its begin */
        unsigned j = below(random, i + 1);
        unsigned char other = moments[i];
        moments[i] = moments[j];
        moments[j] = other;
    }
    memset(calls, 0, FEW * sizeof *calls);
    for (uint64_t time = 0; time < 2 * FEW; time++) {
        struct call *call = &calls[moments[time]];
        if (!call->begin) {
            call->begin = time + 1;
            call->what = (int)below(random, SET_CALLS);
            call->key = below(random, 2);
            call->result = set_apply(&set, call); /* as if it happened at once */
            if (!below(random, 12)) call->result = call->result == 0;
        } else {
            call->end = time + 1;
        }
    }
}

static void every_history_is_judged_as_by_trying_every_order(void **state)
{
    static const unsigned char empty[MAX_STATE];
    uint64_t random = seed;
    int good = 0;
    for (int i = 0; i < HISTORIES; i++) {
        struct call calls[FEW];
        draw_history(&random, calls);
        bool right = some_order_works(&set_model, calls, FEW, 0, empty);
        if (is_linearizable(&set_model, calls, FEW) != right) {
            print_history(&set_model, calls, FEW);
            fail_msg("it is %slinearizable, IL_SEED=%llu", right ? "" : "not ",
                     (unsigned long long)seed);
        }
        good += right;
    }
    assert_in_range(good, HISTORIES / 10, HISTORIES * 9 / 10); /* both kinds were tried */
}

/* Without the memory of states this would take some 10^13 steps. */
static void wide_history_is_judged_at_once(void **state)
{
    struct call calls[40];
    for (int i = 0; i < 40; i++) {
        uint64_t turn = (uint64_t)i / 4 * 8, place = (uint64_t)i % 4;
        calls[i] = (struct call){ .begin = turn + place + 1, .end = turn + place + 5, .what = PUT };
        calls[i].key = i % 3;
        calls[i].value = i % VALUES + 1;
    }
    calls[39].what = GET;
    calls[39].result = 14; /* never put under that key */
    assert_false(is_linearizable(&table_model, calls, 40));
}

static int announce(void **state)
{
    read_environment(1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_linearizable),
        cmocka_unit_test(calls_in_turn_are_what_the_model_says),
        cmocka_unit_test(stale_read_is_found),
        cmocka_unit_test(overlapping_calls_may_have_happened_in_either_order),
        cmocka_unit_test(two_readers_must_agree_about_the_order),
        cmocka_unit_test(two_who_both_added_the_same_are_found),
        cmocka_unit_test(snapshot_of_two_moments_is_found),
        cmocka_unit_test(call_that_has_not_returned_may_have_happened_or_not),
        cmocka_unit_test(queue_keeps_the_order),
        cmocka_unit_test(queue_loses_and_doubles_nothing),
        cmocka_unit_test(full_queue_takes_nothing),
        cmocka_unit_test(closed_queue_gives_what_it_has_and_takes_nothing),
        cmocka_unit_test(call_that_gave_up_did_nothing),
        cmocka_unit_test(every_history_is_judged_as_by_trying_every_order),
        cmocka_unit_test(wide_history_is_judged_at_once),
    };
    return cmocka_run_group_tests(tests, announce, NULL);
}
