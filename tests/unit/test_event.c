/* SPDX-License-Identifier: MIT */
/* Claims about il_event. */

#include "check.h"

#include <interlock/event.h>

enum { ROUNDS = 4000, MEMBERS = 4 };

static int wait_until(void *event, il_time until)
{
    return il_event_wait_until(event, until);
}

static int wait_for_it(void *in, void *out)
{
    (void)out;
    il_event_wait(in);
    return 0;
}

static void manual_one_stays_set_until_it_is_cleared(void **state)
{
    (void)state;
    il_event event = { 0 };
    assert_false(il_event_is_set(&event));
    assert_int_equal(il_event_wait_until(&event, IL_NOW), -EAGAIN);
    il_event_set(&event);
    il_event_set(&event);
    il_event_wait(&event);
    assert_int_equal(il_event_wait_until(&event, IL_NOW), 0);
    assert_true(il_event_is_set(&event));
    il_event_clear(&event);
    il_event_clear(&event);
    assert_false(il_event_is_set(&event));
    assert_int_equal(il_event_wait_until(&event, IL_NOW), -EAGAIN);
}

static void automatic_one_lets_one_through(void **state)
{
    (void)state;
    il_event event = { .automatic = true };
    il_event_set(&event);
    il_event_set(&event); /* still one */
    assert_true(il_event_is_set(&event));
    assert_int_equal(il_event_wait_until(&event, PAST), 0);
    assert_false(il_event_is_set(&event));
    assert_int_equal(il_event_wait_until(&event, IL_NOW), -EAGAIN);
    il_event_set(&event);
    il_event_clear(&event);
    assert_int_equal(il_event_wait_until(&event, IL_NOW), -EAGAIN);
}

static void manual_set_wakes_all(void **state)
{
    il_event event = { 0 };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, wait_for_it, &event);
    until_waiting(&event.gate, MEMBERS);
    il_event_set(&event);
    assert_int_equal(crew_join(&crew), 0);
    assert_true(il_event_is_set(&event));
    assert_int_equal(il__gate_count(&event.gate), 0);
}

static void automatic_set_wakes_one_and_stays_clear(void **state)
{
    il_event event = { .automatic = true };
    struct crew crew;
    unsigned left[MEMBERS];
    bool set = false;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, wait_for_it, &event);
    until_waiting(&event.gate, MEMBERS);
    for (int i = 0; i < MEMBERS; i++) {
        il_event_set(&event);
        left[i] = il__gate_count(&event.gate);
        set |= il_event_is_set(&event);
    }
    assert_int_equal(crew_join(&crew), 0);
    assert_false(set);
    for (unsigned i = 0; i < MEMBERS; i++) assert_int_equal(left[i], MEMBERS - 1 - i);
}

static void clear_one_is_waited_for_until_the_deadline_or_a_cancel(void **state)
{
    for (int automatic = 0; automatic < 2; automatic++) {
        il_event event = { .automatic = automatic };
        assert_gives_up(state, wait_until, &event);
        int status = status_when_cancelled(state, wait_until, &event, &event.gate);
        assert_int_equal(status, -ECANCELED);
        assert_int_equal(event.gate.word, 0);
    }
}

static void set(void *event)
{
    il_event_set(event);
}

static void set_that_comes_late_is_not_missed(void **state)
{
    (void)state;
    il_event turn = { .automatic = true };
    assert_true(sees_a_late_release(wait_until, &turn, &turn.gate, set));
    assert_false(il_event_is_set(&turn));
}

/* Ping and pong: what one did before it set the event is seen by the one who was let through. */
struct game {
    il_event ping, pong;
    long ball; /* plain */
};

static int play(void *in, void *out)
{
    (void)out;
    struct game *game = in;
    for (int i = 0; i < ROUNDS; i++) {
        il_event_wait(&game->ping);
        game->ball++;
        il_event_set(&game->pong);
    }
    return 0;
}

static int serve(void *in, void *out)
{
    (void)out;
    struct game *game = in;
    for (int i = 0; i < ROUNDS; i++) {
        game->ball++;
        il_event_set(&game->ping);
        il_event_wait(&game->pong);
    }
    return 0;
}

static void automatic_events_hand_work_to_and_fro(void **state)
{
    struct game game = { .ping.automatic = true, .pong.automatic = true };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, serve, &game);
    crew_add(&crew, play, &game);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(game.ball, 2 * ROUNDS);
}

/* Sets and deadlines race; every set lets exactly one through, or is still there at the end. */
struct hurry {
    il_event event;
    long passed; /* atomic */
    bool over;   /* atomic */
};

static int wait_briefly(void *in, void *out)
{
    (void)out;
    struct hurry *hurry = in;
    while (!il__load(&hurry->over)) {
        int status = il_event_wait_until(&hurry->event, il_after(IL_US(10)));
        if (!status) il__add(&hurry->passed, 1);
        else if (status != -ETIMEDOUT) return 1;
    }
    return 0;
}

static void set_that_meets_a_deadline_is_not_lost(void **state)
{
    struct hurry hurry = { .event.automatic = true };
    struct crew crew;
    long set = 0;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, wait_briefly, &hurry);
    while (set < 1000) {
        if (il_event_is_set(&hurry.event)) {
            il_yield();
            continue;
        }
        il_event_set(&hurry.event); /* we alone set it, so this one counts */
        set++;
    }
    il__store(&hurry.over, true);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(hurry.passed + il_event_is_set(&hurry.event), set);
}

static int wait_and_destroy(void *in, void *out)
{
    (void)out;
    il_event_wait(in);
    memset(in, 0xff, sizeof(il_event));
    free(in);
    return 0;
}

static void waiter_may_free_it_at_once(void **state)
{
    for (int i = 0; i < 200; i++) {
        il_event *event = calloc(1, sizeof *event);
        struct crew crew;
        event->automatic = i % 4 < 2;
        crew_open(&crew, state);
        crew_add(&crew, wait_and_destroy, event);
        if (i % 2) until_waiting(&event->gate, 1);
        il_event_set(event);
        assert_int_equal(crew_join(&crew), 0);
    }
}

/* Two set it, one after the other, and nothing but the event orders what they write. */
struct twice {
    il_event event;
    int turn; /* atomic, relaxed: whose turn it is */
    long first, second;
};

static int set_first(void *in, void *out)
{
    (void)out;
    struct twice *twice = in;
    twice->first = 1;
    il_event_set(&twice->event);
    il__store(&twice->turn, 1);
    return 0;
}

static int set_again(void *in, void *out)
{
    (void)out;
    struct twice *twice = in;
    while (il__load(&twice->turn) < 1) sched_yield();
    twice->second = 2;
    il_event_set(&twice->event);
    il__store(&twice->turn, 2);
    return 0;
}

static int take_once(void *in, void *out)
{
    (void)out;
    struct twice *twice = in;
    while (il__load(&twice->turn) < 2) sched_yield();
    int status = il_event_wait_until(&twice->event, IL_NOW);
    return status ? status : twice->first + twice->second != 3;
}

static void who_takes_a_set_sees_what_each_setter_did(void **state)
{
    (void)state;
    struct twice twice = { .event.automatic = true };
    struct crew crew;
    crew_open(&crew, NULL);
    crew_add(&crew, take_once, &twice);
    crew_add(&crew, set_again, &twice);
    crew_add(&crew, set_first, &twice);
    assert_int_equal(crew_join(&crew), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manual_one_stays_set_until_it_is_cleared),
        cmocka_unit_test(automatic_one_lets_one_through),
        cmocka_unit_test(who_takes_a_set_sees_what_each_setter_did),
        EACH_CREW(manual_set_wakes_all),
        EACH_CREW(automatic_set_wakes_one_and_stays_clear),
        EACH_CREW(clear_one_is_waited_for_until_the_deadline_or_a_cancel),
        cmocka_unit_test(set_that_comes_late_is_not_missed),
        EACH_CREW(automatic_events_hand_work_to_and_fro),
        EACH_CREW(set_that_meets_a_deadline_is_not_lost),
        EACH_CREW(waiter_may_free_it_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
