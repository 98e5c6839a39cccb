/* SPDX-License-Identifier: MIT */
/* Claims about il_rmutex. */

#include "check.h"

#include <interlock/rmutex.h>

enum { ROUNDS = 5000, MEMBERS = 4 };

static int lock(void *rmutex, il_time until)
{
    return il_rmutex_lock_until(rmutex, until);
}

static void holder_locks_again_and_unlocks_as_often(void **state)
{
    (void)state;
    il_rmutex rmutex = { 0 };
    il_rmutex_lock(&rmutex);
    il_rmutex_lock(&rmutex);
    assert_int_equal(il_rmutex_lock_until(&rmutex, IL_NOW), 0);
    assert_int_equal(il_rmutex_depth(&rmutex), 3);
    for (unsigned depth = 3; depth--;) {
        il_rmutex_unlock(&rmutex);
        assert_int_equal(il_rmutex_depth(&rmutex), depth);
    }
    assert_int_equal(rmutex.mutex.gate.word, 0);
}

struct tally {
    il_rmutex rmutex;
    long count; /* guarded by rmutex, plain */
};

static void count_down_from(struct tally *tally, int depth)
{
    il_rmutex_lock(&tally->rmutex);
    tally->count++;
    if (depth) count_down_from(tally, depth - 1);
    if (depth == 1 && tally->count % 16 == 0) il_yield();
    il_rmutex_unlock(&tally->rmutex);
}

static int recurse(void *in, void *out)
{
    (void)out;
    for (int i = 0; i < ROUNDS; i++) count_down_from(in, 3);
    return 0;
}

static void only_one_holds_it_at_any_depth(void **state)
{
    struct tally tally = { 0 };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, recurse, &tally);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(tally.count, MEMBERS * ROUNDS * 4);
}

static void held_by_another_it_is_waited_for_until_the_deadline_or_a_cancel(void **state)
{
    il_rmutex rmutex = { 0 };
    il_rmutex_lock(&rmutex);
    assert_gives_up(state, lock, &rmutex);
    int status = status_when_cancelled(state, lock, &rmutex, &rmutex.mutex.gate);
    assert_int_equal(status, -ECANCELED);
    il_rmutex_unlock(&rmutex);
}

struct look {
    il_rmutex rmutex;
    unsigned depth, waiters;
    uint64_t owner;
};

static int look_from_outside(void *in, void *out)
{
    (void)out;
    struct look *look = in;
    look->depth = il_rmutex_depth(&look->rmutex);
    look->owner = il_rmutex_owner(&look->rmutex);
    look->waiters = il_rmutex_waiters(&look->rmutex);
    return 0;
}

static int lock_and_unlock(void *in, void *out)
{
    (void)out;
    il_rmutex_lock(in);
    il_rmutex_unlock(in);
    return 0;
}

static void owner_depth_and_waiters_can_be_asked(void **state)
{
    struct look look = { 0 };
    struct crew crew, onlookers;
    il_info self;
    il_self(&self);
    il_rmutex_lock(&look.rmutex);
    crew_open(&crew, state);
    for (int i = 0; i < 3; i++) crew_add(&crew, lock_and_unlock, &look.rmutex);
    until_waiting(&look.rmutex.mutex.gate, 3);

    crew_open(&onlookers, state);
    crew_add(&onlookers, look_from_outside, &look);
    int failed = crew_join(&onlookers);
    il_rmutex_unlock(&look.rmutex);
    failed += crew_join(&crew);
    assert_int_equal(failed, 0);
    assert_int_equal(look.depth, 0);
    assert_int_equal(look.waiters, 3);
    assert_int_equal(look.owner, self.id);
    assert_int_equal(il_rmutex_owner(&look.rmutex), 0);
}

static il_rmutex misused;

static void unlock_too_often(void)
{
    il_rmutex_lock(&misused);
    il_rmutex_unlock(&misused);
    il_rmutex_unlock(&misused);
}

static void one_unlock_too_many_is_fatal(void **state)
{
    (void)state;
    assert_fatal(unlock_too_often, "but held by nobody");
}

static void unlock_of_another(void)
{
    il__agent *self = become_another("recluse");
    il_rmutex_lock(&misused);
    il__self_set(self);
    il_rmutex_unlock(&misused);
}

static void unlock_by_another_is_fatal(void **state)
{
    (void)state;
    assert_fatal(unlock_of_another, "\"recluse\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holder_locks_again_and_unlocks_as_often),
        EACH_CREW(only_one_holds_it_at_any_depth),
        EACH_CREW(held_by_another_it_is_waited_for_until_the_deadline_or_a_cancel),
        EACH_CREW(owner_depth_and_waiters_can_be_asked),
        cmocka_unit_test(one_unlock_too_many_is_fatal),
        cmocka_unit_test(unlock_by_another_is_fatal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
