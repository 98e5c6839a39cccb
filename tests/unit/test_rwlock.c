/* SPDX-License-Identifier: MIT */
/* Claims about il_rwlock. */

#include "check.h"

#include <interlock/latch.h>
#include <interlock/rwlock.h>

enum { ROUNDS = 4000, MEMBERS = 6 };

static int lock(void *object, il_time until)
{
    return il_rwlock_lock_until(object, until);
}

static int lock_shared(void *object, il_time until)
{
    return il_rwlock_lock_shared_until(object, until);
}

static void zero_is_a_free_lock(void **state)
{
    (void)state;
    il_rwlock rwlock = { 0 };
    il_rwlock_lock(&rwlock);
    il_rwlock_unlock(&rwlock);
    il_rwlock_lock_shared(&rwlock);
    il_rwlock_lock_shared(&rwlock);
    il_rwlock_unlock_shared(&rwlock);
    il_rwlock_unlock_shared(&rwlock);
    assert_int_equal(il_rwlock_lock_until(&rwlock, IL_NOW), 0);
    il_rwlock_unlock(&rwlock);
    assert_int_equal(il_rwlock_lock_shared_until(&rwlock, IL_NOW), 0);
    il_rwlock_unlock_shared(&rwlock);
    assert_int_equal(rwlock.gate.word, 0);
}

struct pair {
    il_rwlock lock;
    long a, b; /* guarded by lock, plain; equal whenever it is not held for writing */
    il_latch inside;
};

static int write_pair(struct pair *pair, int round)
{
    il_rwlock_lock(&pair->lock);
    pair->a++;
    if (round % 16 == 0) il_yield();
    pair->b++;
    il_rwlock_unlock(&pair->lock);
    return 0;
}

static int read_pair(struct pair *pair, int round)
{
    il_rwlock_lock_shared(&pair->lock);
    long a = pair->a;
    if (round % 16 == 0) il_yield();
    int status = a != pair->b;
    il_rwlock_unlock_shared(&pair->lock);
    return status;
}

static int read_and_write(void *in, void *out)
{
    (void)out;
    int wrong = 0;
    for (int i = 0; i < ROUNDS; i++) wrong += i % 4 ? read_pair(in, i) : write_pair(in, i);
    return wrong;
}

static void writers_are_alone(void **state)
{
    struct pair pair = { 0 };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, read_and_write, &pair);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(pair.a, MEMBERS * ROUNDS / 4);
    assert_int_equal(pair.lock.gate.word, 0);
}

static int read_together(void *in, void *out)
{
    (void)out;
    struct pair *pair = in;
    il_rwlock_lock_shared(&pair->lock);
    il_latch_count_down(&pair->inside, 1);
    il_latch_wait(&pair->inside); /* all of them are inside */
    il_rwlock_unlock_shared(&pair->lock);
    return 0;
}

static void readers_read_together(void **state)
{
    struct pair pair = { .inside = { .count = 4 } };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < 4; i++) crew_add(&crew, read_together, &pair);
    assert_int_equal(crew_join(&crew), 0);
}

static void readers_that_waited_together_are_let_in_together(void **state)
{
    struct pair pair = { .inside = { .count = 4 } };
    struct crew crew;
    il_rwlock_lock(&pair.lock);
    crew_open(&crew, state);
    for (int i = 0; i < 4; i++) crew_add(&crew, read_together, &pair);
    until_waiting(&pair.lock.gate, 4);
    il_rwlock_unlock(&pair.lock);
    assert_int_equal(crew_join(&crew), 0);
}

static void lock_is_waited_for_until_the_deadline_or_a_cancel(void **state)
{
    il_rwlock rwlock = { 0 };
    il_rwlock_lock(&rwlock);
    assert_gives_up(state, lock, &rwlock);
    assert_gives_up(state, lock_shared, &rwlock);
    int status = status_when_cancelled(state, lock, &rwlock, &rwlock.gate);
    assert_int_equal(status, -ECANCELED);
    status = status_when_cancelled(state, lock_shared, &rwlock, &rwlock.gate);
    assert_int_equal(status, -ECANCELED);
    il_rwlock_unlock(&rwlock);

    il_rwlock_lock_shared(&rwlock);
    assert_gives_up(state, lock, &rwlock);
    il_rwlock_unlock_shared(&rwlock);
    assert_int_equal(rwlock.gate.word, 0);
}

struct order {
    il_rwlock lock;
    int turns; /* atomic: how many have been inside */
    int wrote_as;
    int read_as; /* atomic: of the last reader */
};

static int write_in_order(void *in, void *out)
{
    (void)out;
    struct order *order = in;
    il_rwlock_lock(&order->lock);
    order->wrote_as = il__add(&order->turns, 1);
    il_rwlock_unlock(&order->lock);
    return 0;
}

static int read_in_order(void *in, void *out)
{
    (void)out;
    struct order *order = in;
    il_rwlock_lock_shared(&order->lock);
    il__store(&order->read_as, il__add(&order->turns, 1));
    il_rwlock_unlock_shared(&order->lock);
    return 0;
}

static void reader_does_not_pass_a_waiting_writer(void **state)
{
    struct order order = { 0 };
    struct crew crew;
    il_rwlock_lock_shared(&order.lock);
    crew_open(&crew, state);
    crew_add(&crew, write_in_order, &order);
    until_waiting(&order.lock.gate, 1);
    int status = il_rwlock_lock_shared_until(&order.lock, IL_NOW);
    crew_add(&crew, read_in_order, &order);
    until_waiting(&order.lock.gate, 2);
    il_rwlock_unlock_shared(&order.lock);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(status, -EAGAIN);
    assert_int_equal(order.wrote_as, 0);
    assert_int_equal(order.read_as, 1);
}

static void writer_that_leaves_lets_the_readers_behind_it_in(void **state)
{
    struct order order = { 0 };
    struct outside_cancel writer = { .call = lock, .object = &order.lock };
    struct crew crew, readers;
    il_rwlock_lock_shared(&order.lock);
    crew_open(&crew, state);
    crew_add(&crew, wait_to_be_cancelled, &writer);
    until_waiting(&order.lock.gate, 1);
    crew_open(&readers, state);
    crew_add(&readers, read_in_order, &order);
    crew_add(&readers, read_in_order, &order);
    until_waiting(&order.lock.gate, 3);

    il__cancel_fire(&writer.wait.node, -ECANCELED);
    int failed = crew_join(&readers); /* we still read */
    failed += crew_join(&crew);
    il_rwlock_unlock_shared(&order.lock);
    assert_int_equal(failed, 0);
    assert_int_equal(writer.status, -ECANCELED);
    assert_int_equal(order.turns, 2);
    assert_int_equal(order.lock.gate.word, 0);
}

static int lock_and_unlock(void *object, il_time until)
{
    int status = il_rwlock_lock_until(object, until);
    if (!status) il_rwlock_unlock(object);
    if (!status) il_rwlock_lock_shared(object); /* for the next to wait for */
    return status;
}

static void unlock_shared(void *lock)
{
    il_rwlock_unlock_shared(lock);
}

static void unlock_that_comes_late_is_not_missed(void **state)
{
    (void)state;
    il_rwlock rwlock = { 0 };
    il_rwlock_lock_shared(&rwlock);
    assert_true(sees_a_late_release(lock_and_unlock, &rwlock, &rwlock.gate, unlock_shared));
    il_rwlock_unlock_shared(&rwlock);
    assert_int_equal(rwlock.gate.word, 0);
}

static void relock_by_the_writer_returns_edeadlk(void **state)
{
    (void)state;
    il_rwlock rwlock = { 0 };
    il_rwlock_lock(&rwlock);
    assert_int_equal(il_rwlock_lock_until(&rwlock, IL_FOREVER), -EDEADLK);
    assert_int_equal(il_rwlock_lock_until(&rwlock, IL_NOW), -EDEADLK);
    assert_int_equal(il_rwlock_lock_shared_until(&rwlock, IL_FOREVER), -EDEADLK);
    il_rwlock_unlock(&rwlock);
    assert_int_equal(rwlock.gate.word, 0);
}

static il_rwlock misused;

static void relock(void)
{
    il_rwlock_lock(&misused);
    il_rwlock_lock(&misused);
}

static void relock_shared(void)
{
    il_rwlock_lock(&misused);
    il_rwlock_lock_shared(&misused);
}

static void unlock_of_a_reader(void)
{
    il_rwlock_lock_shared(&misused);
    il_rwlock_unlock(&misused);
}

static void unlock_of_another(void)
{
    il__agent *self = become_another("scribe");
    il_rwlock_lock(&misused);
    il__self_set(self);
    il_rwlock_unlock(&misused);
}

static void unlock_shared_of_nobody(void)
{
    il_rwlock_unlock_shared(&misused);
}

static void unlock_shared_of_a_writer(void)
{
    il_rwlock_lock(&misused);
    il_rwlock_unlock_shared(&misused);
}

static void misuse_is_fatal_and_names_the_writer(void **state)
{
    (void)state;
    char address[60];
    snprintf(address, sizeof address, "rwlock %p locked, though its own already,",
             (void *)&misused);
    assert_fatal(relock, address);
    assert_fatal(relock_shared, "locked shared, though its own already,");
    assert_fatal(unlock_of_a_reader, "its writer is nobody");
    assert_fatal(unlock_of_another, "\"scribe\"");
    assert_fatal(unlock_shared_of_nobody, "unlocked shared, though nobody reads,");
    assert_fatal(unlock_shared_of_a_writer, "unlocked shared, though nobody reads,");
}

static int write_and_destroy(void *in, void *out)
{
    (void)out;
    il_rwlock *rwlock = in;
    il_rwlock_lock(rwlock);
    il_rwlock_unlock(rwlock);
    memset(rwlock, 0xff, sizeof *rwlock);
    free(rwlock);
    return 0;
}

static void last_holder_may_free_it_at_once(void **state)
{
    for (int i = 0; i < 100; i++) {
        il_rwlock *rwlock = calloc(1, sizeof *rwlock);
        bool shared = i % 4 < 2;
        struct crew crew;
        if (shared) il_rwlock_lock_shared(rwlock);
        else il_rwlock_lock(rwlock);
        crew_open(&crew, state);
        crew_add(&crew, write_and_destroy, rwlock);
        if (i % 2) until_waiting(&rwlock->gate, 1);
        if (shared) il_rwlock_unlock_shared(rwlock);
        else il_rwlock_unlock(rwlock);
        assert_int_equal(crew_join(&crew), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_is_a_free_lock),
        EACH_CREW(writers_are_alone),
        EACH_CREW(readers_read_together),
        EACH_CREW(readers_that_waited_together_are_let_in_together),
        EACH_CREW(lock_is_waited_for_until_the_deadline_or_a_cancel),
        EACH_CREW(reader_does_not_pass_a_waiting_writer),
        EACH_CREW(writer_that_leaves_lets_the_readers_behind_it_in),
        cmocka_unit_test(unlock_that_comes_late_is_not_missed),
        EACH_CREW(last_holder_may_free_it_at_once),
        cmocka_unit_test(relock_by_the_writer_returns_edeadlk),
        cmocka_unit_test(misuse_is_fatal_and_names_the_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
