/* SPDX-License-Identifier: MIT */
/* Claims about il_barrier. */

#include "check.h"

#include <interlock/barrier.h>

enum { ROUNDS = 500, MEMBERS = 4 };

struct meeting {
    il_barrier barrier;
    int arrived;         /* atomic: in this round */
    int held;            /* plain: meetings, counted by the action */
    int serial;          /* atomic: IL_SERIAL seen */
    int wrong;           /* atomic */
    int status[MEMBERS]; /* of those who come once */
    int guests;          /* atomic: have come */
};

static int wait_until(void *meeting, il_time until)
{
    return il_barrier_wait_until(&((struct meeting *)meeting)->barrier, until);
}

/* Called by the last to come: all are here and nobody has gone on. */
static void begin(void *arg)
{
    struct meeting *meeting = arg;
    if (il__load(&meeting->arrived) == meeting->held * MEMBERS) return; /* the second of a round */
    if (il__load(&meeting->arrived) != (meeting->held + 1) * MEMBERS) il__add(&meeting->wrong, 1);
    meeting->held++;
}

static int come_every_time(void *in, void *out)
{
    (void)out;
    struct meeting *meeting = in;
    for (int i = 0; i < ROUNDS; i++) {
        il__add(&meeting->arrived, 1);
        int status = il_barrier_wait(&meeting->barrier);
        if (status == IL_SERIAL) il__add(&meeting->serial, 1);
        else if (status) return 1;
        if (meeting->held != i + 1) return 2;
        /* A second one, so that nobody begins the next round while others still look. */
        if (il_barrier_wait(&meeting->barrier) < 0) return 3;
    }
    return 0;
}

static void all_meet_again_and_again_and_one_is_told_apart(void **state)
{
    struct meeting meeting = { .barrier = { .parties = MEMBERS, .action = begin } };
    struct crew crew;
    meeting.barrier.arg = &meeting;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, come_every_time, &meeting);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(meeting.held, ROUNDS);
    assert_int_equal(meeting.serial, ROUNDS);
    assert_int_equal(meeting.wrong, 0);
    assert_int_equal(il_barrier_waiting(&meeting.barrier), 0);
}

static void nobody_to_wait_for_is_no_wait(void **state)
{
    (void)state;
    il_barrier none = { 0 }, one = { .parties = 1 };
    assert_int_equal(il_barrier_wait(&none), IL_SERIAL);
    assert_int_equal(il_barrier_wait_until(&one, IL_NOW), IL_SERIAL);
    assert_int_equal(il_barrier_wait(&one), IL_SERIAL);
}

static int come_once(void *in, void *out)
{
    (void)out;
    struct meeting *meeting = in;
    int me = il__add(&meeting->guests, 1);
    meeting->status[me] = il_barrier_wait(&meeting->barrier);
    return 0;
}

static void deadline_of_one_breaks_it_for_all(void **state)
{
    struct meeting meeting = { .barrier.parties = MEMBERS };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, come_once, &meeting);
    crew_add(&crew, come_once, &meeting);
    until_waiting(&meeting.barrier.gate, 2);
    unsigned waiting = il_barrier_waiting(&meeting.barrier);
    int status = il_barrier_wait_until(&meeting.barrier, SOON);
    int after = il_barrier_wait(&meeting.barrier);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(waiting, 2);
    assert_int_equal(status, -ETIMEDOUT);
    assert_int_equal(after, -EPIPE);
    assert_int_equal(meeting.status[0], -EPIPE);
    assert_int_equal(meeting.status[1], -EPIPE);
    assert_true(il_barrier_broken(&meeting.barrier));
    assert_int_equal(il_barrier_waiting(&meeting.barrier), 0);
}

static void cancel_of_one_breaks_it_for_all(void **state)
{
    struct meeting meeting = { .barrier.parties = MEMBERS };
    struct outside_cancel quitter = { .call = wait_until, .object = &meeting };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, wait_to_be_cancelled, &quitter);
    until_waiting(&meeting.barrier.gate, 1);
    crew_add(&crew, come_once, &meeting);
    until_waiting(&meeting.barrier.gate, 2);
    il__cancel_fire(&quitter.wait.node, -ECANCELED);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(quitter.status, -ECANCELED);
    assert_int_equal(meeting.status[0], -EPIPE);
    assert_true(il_barrier_broken(&meeting.barrier));
}

static void one_that_will_not_wait_breaks_it(void **state)
{
    struct meeting meeting = { .barrier.parties = MEMBERS };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, come_once, &meeting);
    until_waiting(&meeting.barrier.gate, 1);
    int status = il_barrier_wait_until(&meeting.barrier, IL_NOW);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(status, -EAGAIN);
    assert_int_equal(meeting.status[0], -EPIPE);
    assert_int_equal(il_barrier_wait_until(&meeting.barrier, PAST), -EPIPE);
}

static void abort_sends_all_away(void **state)
{
    struct meeting meeting = { .barrier.parties = MEMBERS };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS - 1; i++) crew_add(&crew, come_once, &meeting);
    until_waiting(&meeting.barrier.gate, MEMBERS - 1);
    il_barrier_abort(&meeting.barrier);
    assert_int_equal(crew_join(&crew), 0);
    for (int i = 0; i < MEMBERS - 1; i++) assert_int_equal(meeting.status[i], -EPIPE);
    assert_int_equal(il_barrier_wait(&meeting.barrier), -EPIPE);
}

static void reset_makes_it_whole_and_sends_those_away_who_wait(void **state)
{
    struct meeting meeting = { .barrier.parties = 2 };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, come_once, &meeting);
    until_waiting(&meeting.barrier.gate, 1);
    il_barrier_reset(&meeting.barrier);
    int failed = crew_join(&crew);
    assert_int_equal(failed, 0);
    assert_int_equal(meeting.status[0], -EPIPE);
    assert_false(il_barrier_broken(&meeting.barrier));

    il_barrier_abort(&meeting.barrier);
    il_barrier_reset(&meeting.barrier);
    crew_open(&crew, state);
    crew_add(&crew, come_once, &meeting);
    until_waiting(&meeting.barrier.gate, 1);
    int last = il_barrier_wait(&meeting.barrier);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(last, IL_SERIAL);
    assert_int_equal(meeting.status[1], 0);
}

/* Deadlines race with the last to come: either all meet, or nobody does. */
static int come_for_a_moment(void *in, void *out)
{
    (void)out;
    struct meeting *meeting = in;
    int me = il__add(&meeting->guests, 1);
    meeting->status[me] = il_barrier_wait_until(&meeting->barrier, il_after(IL_US(30)));
    return 0;
}

static void deadline_that_meets_the_last_to_come_splits_nobody(void **state)
{
    for (int i = 0; i < 200; i++) {
        struct meeting meeting = { .barrier.parties = MEMBERS };
        struct crew crew;
        int met = 0, serial = 0, late = 0;
        crew_open(&crew, state);
        for (int member = 0; member < MEMBERS; member++)
            crew_add(&crew, come_for_a_moment, &meeting);
        assert_int_equal(crew_join(&crew), 0);
        for (int member = 0; member < MEMBERS; member++) {
            met += meeting.status[member] >= 0;
            serial += meeting.status[member] == IL_SERIAL;
            late += meeting.status[member] == -ETIMEDOUT;
        }
        if (met) assert_true(met == MEMBERS && serial == 1);
        else assert_true(late && il_barrier_broken(&meeting.barrier));
    }
}

static int meet_and_destroy(void *in, void *out)
{
    (void)out;
    il_barrier *barrier = in;
    if (il_barrier_wait(barrier) != IL_SERIAL) {
        memset(barrier, 0xff, sizeof *barrier);
        free(barrier);
    }
    return 0;
}

static void who_met_may_free_it_at_once(void **state)
{
    for (int i = 0; i < 100; i++) {
        static il_barrier *barrier;
        struct crew crew;
        barrier = calloc(1, sizeof *barrier);
        barrier->parties = 2;
        crew_open(&crew, state);
        crew_add(&crew, meet_and_destroy, barrier);
        crew_add(&crew, meet_and_destroy, barrier);
        assert_int_equal(crew_join(&crew), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_CREW(all_meet_again_and_again_and_one_is_told_apart),
        cmocka_unit_test(nobody_to_wait_for_is_no_wait),
        EACH_CREW(deadline_of_one_breaks_it_for_all),
        EACH_CREW(cancel_of_one_breaks_it_for_all),
        EACH_CREW(one_that_will_not_wait_breaks_it),
        EACH_CREW(abort_sends_all_away),
        EACH_CREW(reset_makes_it_whole_and_sends_those_away_who_wait),
        EACH_CREW(deadline_that_meets_the_last_to_come_splits_nobody),
        EACH_CREW(who_met_may_free_it_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
