/* SPDX-License-Identifier: MIT */
/* Claims about the gate, the one waiter and the one parking call. */

#include "check.h"

#include "wait/gate.h"

enum { MEMBERS = 4, ROUNDS = 3000 };

#define STATE(n) ((uint64_t)(n) << IL__GATE_SHIFT)

static void lock_gives_the_state_and_unlock_sets_it(void **state)
{
    (void)state;
    il__gate gate = { 0 };
    assert_int_equal(il__gate_lock(&gate), 0);
    assert_int_equal(gate.word, IL__GATE_LOCKED);
    il__gate_unlock(&gate, STATE(7));
    assert_int_equal(gate.word, STATE(7));
    assert_int_equal(il__gate_lock(&gate), STATE(7));
    il__gate_unlock(&gate, STATE(8) | IL__GATE_BITS); /* its own bits are its own business */
    assert_int_equal(gate.word, STATE(8));
}

/* Waiters of agents that do not exist, in the order of a list. */
struct fake {
    il__agent agent;
    il__waiter waiter;
};

static void add_fakes(il__gate *gate, struct fake *fakes, int count)
{
    uint64_t word = il__gate_lock(gate);
    for (int i = 0; i < count; i++) {
        il__agent_init(&fakes[i].agent, il__self()->ops);
        fakes[i].waiter = (il__waiter){ .agent = &fakes[i].agent, .index = (uint32_t)i };
        il__wait_begin(&fakes[i].agent, "test", NULL, IL__PLAIN);
        il__gate_add(gate, &fakes[i].waiter);
    }
    il__gate_unlock(gate, word);
}

static void who_came_first_is_claimed_first(void **state)
{
    (void)state;
    il__gate gate = { 0 };
    struct fake fakes[3];
    add_fakes(&gate, fakes, 3);
    assert_int_equal(gate.word, IL__GATE_WAITERS);
    assert_int_equal(il__gate_count(&gate), 3);
    il__gate_lock(&gate);
    for (int i = 0; i < 3; i++) assert_ptr_equal(il__gate_claim(&gate), &fakes[i].waiter);
    assert_null(il__gate_claim(&gate));
    il__gate_unlock(&gate, 0);
    assert_int_equal(gate.word, 0);
}

static void who_is_put_in_front_is_claimed_first(void **state)
{
    (void)state;
    il__gate gate = { 0 };
    struct fake fakes[3];
    add_fakes(&gate, fakes, 3);
    il__gate_lock(&gate);
    assert_true(il__gate_remove(&gate, &fakes[2].waiter));
    il__gate_add_first(&gate, &fakes[2].waiter);
    assert_ptr_equal(il__gate_claim(&gate), &fakes[2].waiter);
    assert_ptr_equal(il__gate_claim(&gate), &fakes[0].waiter);
    il__gate_unlock(&gate, 0);
    assert_int_equal(il__gate_count(&gate), 1);
}

static void who_has_lost_its_wait_is_passed_over_and_taken_off(void **state)
{
    (void)state;
    il__gate gate = { 0 };
    struct fake fakes[3];
    add_fakes(&gate, fakes, 3);
    assert_true(il__claim(&fakes[0].agent, IL__BY_DEADLINE));
    assert_true(il__claim(&fakes[2].agent, IL__BY_DEADLINE));
    il__gate_lock(&gate);
    assert_ptr_equal(il__gate_claim(&gate), &fakes[1].waiter);
    assert_null(il__gate_claim(&gate));
    assert_false(il__gate_remove(&gate, &fakes[0].waiter));
    assert_false(il__gate_remove(&gate, &fakes[2].waiter));
    il__gate_unlock(&gate, 0);
    assert_int_equal(il__gate_count(&gate), 0);
}

static void all_are_claimed_in_order(void **state)
{
    (void)state;
    il__gate gate = { 0 };
    struct fake fakes[4];
    add_fakes(&gate, fakes, 4);
    assert_true(il__claim(&fakes[1].agent, IL__BY_DEADLINE));
    il__gate_lock(&gate);
    il__waiter *chain = il__gate_claim_all(&gate);
    il__gate_unlock(&gate, 0);
    assert_ptr_equal(chain, &fakes[0].waiter);
    assert_ptr_equal(chain->next, &fakes[2].waiter);
    assert_ptr_equal(chain->next->next, &fakes[3].waiter);
    assert_null(chain->next->next->next);
}

static void any_waiter_can_leave(void **state)
{
    (void)state;
    for (int leaver = 0; leaver < 3; leaver++) {
        il__gate gate = { 0 };
        struct fake fakes[3];
        add_fakes(&gate, fakes, 3);
        il__gate_leave(&gate, &fakes[leaver].waiter);
        il__gate_leave(&gate, &fakes[leaver].waiter); /* it has left: nothing */
        assert_int_equal(il__gate_count(&gate), 2);
        il__gate_lock(&gate);
        for (int i = 0; i < 3; i++)
            if (i != leaver) assert_ptr_equal(il__gate_claim(&gate), &fakes[i].waiter);
        il__gate_unlock(&gate, 0);
    }
}

static void wait_is_claimed_once(void **state)
{
    (void)state;
    il__agent agent;
    il__agent_init(&agent, il__self()->ops);
    assert_false(il__claim(&agent, 3)); /* it does not wait */
    il__wait_begin(&agent, "test", NULL, IL__PLAIN);
    assert_false(il__claim(&agent, IL__BY_CANCEL)); /* it may not be cancelled */
    assert_true(il__claim(&agent, 3));
    assert_false(il__claim(&agent, 4));
    assert_false(il__claim(&agent, IL__BY_DEADLINE));
    assert_int_equal(agent.word >> IL__REASON, 3);
}

/* Claims race: of those who try for one wait, exactly one wins. */
struct race {
    il__agent agents[ROUNDS];
    int wins[ROUNDS]; /* atomic */
};

static int claim_each(void *in, void *out)
{
    (void)out;
    struct race *race = in;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        if (il__claim(&race->agents[i], i)) il__add(&race->wins[i], 1);
        if (i % 64 == 0) il_yield();
    }
    return 0;
}

static void of_many_claims_one_wins(void **state)
{
    static struct race race;
    struct crew crew;
    for (int i = 0; i < ROUNDS; i++) {
        il__agent_init(&race.agents[i], il__self()->ops);
        il__wait_begin(&race.agents[i], "test", NULL, IL__PLAIN);
        race.wins[i] = 0;
    }
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, claim_each, &race);
    assert_int_equal(crew_join(&crew), 0);
    for (int i = 0; i < ROUNDS; i++) assert_int_equal(race.wins[i], 1);
}

/* A token goes from gate to gate; a wake-up lost anywhere would stop it. */
struct ring {
    il__gate gates[MEMBERS]; /* state 1: the token is here */
    int next;                /* atomic: whose place is it */
    long passed;             /* plain: who has the token */
};

static void wait_for_token(il__gate *gate, il_time until, int *out_status)
{
    uint64_t word = il__gate_lock(gate);
    if (word & STATE(1)) {
        il__gate_unlock(gate, 0);
        *out_status = 0;
        return;
    }
    *out_status = il__gate_wait(gate, word, "token", gate, 0, IL__PLAIN, until);
}

static void give_token(il__gate *gate)
{
    il__gate_lock(gate);
    il__waiter *waiter = il__gate_claim(gate);
    il__agent *agent = waiter ? waiter->agent : NULL;
    il__gate_unlock(gate, agent ? 0 : STATE(1));
    if (agent) il__deliver(agent);
}

static int pass_on(void *in, void *out)
{
    (void)out;
    struct ring *ring = in;
    int me = il__add(&ring->next, 1);
    for (int i = 0; i < ROUNDS; i++) {
        int status;
        do /* often too short, so that deadline and hand-over meet */
            wait_for_token(&ring->gates[me], i % 2 ? IL_FOREVER : il_after(IL_US(2)), &status);
        while (status == -ETIMEDOUT);
        if (status) return 1;
        ring->passed++;
        give_token(&ring->gates[(me + 1) % MEMBERS]);
    }
    return 0;
}

static void token_is_never_lost(void **state)
{
    struct ring ring = { 0 };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, pass_on, &ring);
    give_token(&ring.gates[0]);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(ring.passed, MEMBERS * ROUNDS);
}

struct look {
    il__gate gate;
    il__agent *agent; /* set before it waits */
    uint64_t waits;
};

static int wait_to_be_seen(void *in, void *out)
{
    (void)out;
    struct look *look = in;
    look->agent = il__self();
    uint64_t before = look->agent->waits, word = il__gate_lock(&look->gate);
    int status = il__gate_wait(&look->gate, word, "thing", look, 0, IL__PLAIN, LATE);
    look->waits = look->agent->waits - before;
    return status;
}

static void who_waits_says_for_what(void **state)
{
    struct look look = { 0 };
    struct crew crew;
    il_info info;
    crew_open(&crew, state);
    crew_add(&crew, wait_to_be_seen, &look);
    until_waiting(&look.gate, 1);
    il__agent_describe(look.agent, &info);
    give_token(&look.gate);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(info.state, IL_BLOCKED);
    assert_string_equal(info.waits_for, "thing");
    assert_ptr_equal(info.waits_on, &look);
    assert_int_equal(look.waits, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lock_gives_the_state_and_unlock_sets_it),
        cmocka_unit_test(who_came_first_is_claimed_first),
        cmocka_unit_test(who_is_put_in_front_is_claimed_first),
        cmocka_unit_test(who_has_lost_its_wait_is_passed_over_and_taken_off),
        cmocka_unit_test(all_are_claimed_in_order),
        cmocka_unit_test(any_waiter_can_leave),
        cmocka_unit_test(wait_is_claimed_once),
        EACH_CREW(of_many_claims_one_wins),
        EACH_CREW(token_is_never_lost),
        EACH_CREW(who_waits_says_for_what),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
