/* SPDX-License-Identifier: MIT */
/* Claims about il_sem. */

#include "check.h"

#include <interlock/sem.h>

enum { ROUNDS = 4000, MEMBERS = 4 };

static int acquire(void *sem, il_time until)
{
    return il_sem_acquire_until(sem, until);
}

static int acquire_three(void *sem, il_time until)
{
    return il_sem_acquire_many(sem, 3, until);
}

static void zero_has_nothing_to_take(void **state)
{
    (void)state;
    il_sem sem = { 0 };
    assert_int_equal(il_sem_value(&sem), 0);
    assert_int_equal(il_sem_acquire_until(&sem, IL_NOW), -EAGAIN);
    assert_int_equal(il_sem_release(&sem), 0);
    assert_int_equal(il_sem_value(&sem), 1);
    assert_int_equal(il_sem_acquire_until(&sem, IL_NOW), 0);
    assert_int_equal(il_sem_value(&sem), 0);
}

static void as_many_are_taken_as_there_are(void **state)
{
    (void)state;
    il_sem sem = { .count = 4 };
    il_sem_acquire(&sem);
    assert_int_equal(il_sem_acquire_many(&sem, 3, IL_NOW), 0);
    assert_int_equal(il_sem_acquire_many(&sem, 0, IL_NOW), 0);
    assert_int_equal(il_sem_acquire_many(&sem, 1, IL_NOW), -EAGAIN);
    assert_int_equal(il_sem_release_many(&sem, 2), 0);
    assert_int_equal(il_sem_acquire_many(&sem, 3, IL_NOW), -EAGAIN);
    assert_int_equal(il_sem_value(&sem), 2);
}

static void more_than_the_maximum_is_refused_and_named(void **state)
{
    (void)state;
    char words[60];
    il_sem sem = { .count = 2, .max = 2 };
    snprintf(words, sizeof words, "semaphore %p given 1 at", (void *)&sem);
    assert_int_equal(il_sem_release(&sem), -EOVERFLOW);
    assert_int_equal(il_last_error()->status, -EOVERFLOW);
    assert_says(il_last_error()->message, words);
    assert_says(il_last_error()->message, "it has 2 of at most 2");
    assert_int_equal(il_sem_value(&sem), 2);

    il_sem_acquire(&sem);
    assert_int_equal(il_sem_release_many(&sem, 2), -EOVERFLOW);
    assert_int_equal(il_sem_value(&sem), 1);
    assert_int_equal(il_sem_release(&sem), 0);
    assert_int_equal(il_sem_acquire_many(&sem, 3, IL_FOREVER), -EINVAL);
    assert_int_equal(il_sem_value(&sem), 2);
}

static void unbounded_one_is_bounded_by_its_type(void **state)
{
    (void)state;
    il_sem sem = { .count = UINT32_MAX - 1 };
    assert_int_equal(il_sem_release(&sem), 0);
    assert_int_equal(il_sem_release(&sem), -EOVERFLOW);
    assert_int_equal(il_sem_value(&sem), UINT32_MAX);
    assert_int_equal(il_sem_acquire_many(&sem, UINT32_MAX, IL_NOW), 0);
    assert_int_equal(il_sem_value(&sem), 0);
}

struct room {
    il_sem seats;
    int inside, most; /* atomic */
};

static int sit_down(void *in, void *out)
{
    (void)out;
    struct room *room = in;
    for (int i = 0; i < ROUNDS; i++) {
        il_sem_acquire(&room->seats);
        int inside = il__add(&room->inside, 1) + 1;
        if (inside > il__load(&room->most)) il__store(&room->most, inside);
        if (i % 32 == 0) il_yield();
        il__sub(&room->inside, 1);
        if (il_sem_release(&room->seats)) return 1;
    }
    return 0;
}

static void no_more_are_inside_than_there_are_seats(void **state)
{
    struct room room = { .seats = { .count = 3, .max = 3 } };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS + 2; i++) crew_add(&crew, sit_down, &room);
    assert_int_equal(crew_join(&crew), 0);
    assert_true(room.most <= 3);
    assert_int_equal(il_sem_value(&room.seats), 3);
}

/* Two hundred tickets, sold by four sellers: the book's example. */
struct office {
    il_sem tickets;
    int sold[MEMBERS];
    int sellers; /* atomic: have come */
};

static int sell(void *in, void *out)
{
    (void)out;
    struct office *office = in;
    int me = il__add(&office->sellers, 1);
    while (!il_sem_acquire_until(&office->tickets, IL_NOW)) {
        office->sold[me]++;
        il_yield();
    }
    return 0;
}

static void sellers_sell_every_ticket_once(void **state)
{
    struct office office = { .tickets = { .count = 200 } };
    struct crew crew;
    int sold = 0;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, sell, &office);
    assert_int_equal(crew_join(&crew), 0);
    for (int i = 0; i < MEMBERS; i++) sold += office.sold[i];
    assert_int_equal(sold, 200);
}

static void empty_one_is_waited_for_until_the_deadline_or_a_cancel(void **state)
{
    il_sem sem = { 0 };
    assert_gives_up(state, acquire, &sem);
    assert_gives_up(state, acquire_three, &sem);
    int status = status_when_cancelled(state, acquire_three, &sem, &sem.gate);
    assert_int_equal(status, -ECANCELED);
    assert_int_equal(il_sem_value(&sem), 0);
    assert_int_equal(sem.gate.word, 0);
}

static void release(void *sem)
{
    il_sem_release(sem);
}

static void release_that_comes_late_is_not_missed(void **state)
{
    (void)state;
    il_sem sem = { 0 };
    assert_true(sees_a_late_release(acquire, &sem, &sem.gate, release));
    assert_int_equal(il_sem_value(&sem), 0);
}

struct want {
    il_sem *sem;
    uint32_t n;
    int *next;     /* atomic */
    int served_as; /* atomic: of the last, if several share one */
};

static int want(void *in, void *out)
{
    (void)out;
    struct want *want = in;
    int status = il_sem_acquire_many(want->sem, want->n, LATE);
    il__store(&want->served_as, il__add(want->next, 1));
    return status;
}

static void who_wants_many_is_not_passed_by_who_wants_one(void **state)
{
    il_sem sem = { .count = 2 };
    int next = 0;
    struct want many = { .sem = &sem, .n = 3, .next = &next }, one = many;
    struct crew first, second;
    one.n = 1;
    crew_open(&first, state);
    crew_add(&first, want, &many);
    until_waiting(&sem.gate, 1);
    int status = il_sem_acquire_until(&sem, IL_NOW);
    crew_open(&second, state);
    crew_add(&second, want, &one);
    until_waiting(&sem.gate, 2);

    il_sem_release(&sem);
    int failed = crew_join(&first);
    unsigned left = il__gate_count(&sem.gate);
    il_sem_release(&sem);
    failed += crew_join(&second);
    assert_int_equal(failed, 0);
    assert_int_equal(status, -EAGAIN);
    assert_int_equal(left, 1);
    assert_int_equal(many.served_as, 0);
    assert_int_equal(one.served_as, 1);
    assert_int_equal(il_sem_value(&sem), 0);
}

static void release_of_many_serves_many(void **state)
{
    il_sem sem = { 0 };
    int next = 0;
    struct want wants[4];
    struct crew crew;
    crew_open(&crew, state);
    for (unsigned i = 0; i < 4; i++) {
        wants[i] = (struct want){ .sem = &sem, .n = i + 1, .next = &next };
        crew_add(&crew, want, &wants[i]);
        until_waiting(&sem.gate, i + 1);
    }
    il_sem_release_many(&sem, 11);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(il_sem_value(&sem), 1);
}

static void waiter_that_leaves_lets_those_behind_it_through(void **state)
{
    il_sem sem = { .count = 2 };
    int next = 0;
    struct want one = { .sem = &sem, .n = 1, .next = &next };
    struct outside_cancel many = { .call = acquire_three, .object = &sem };
    struct crew first, second;
    crew_open(&first, state);
    crew_add(&first, wait_to_be_cancelled, &many);
    until_waiting(&sem.gate, 1);
    crew_open(&second, state);
    crew_add(&second, want, &one);
    crew_add(&second, want, &one);
    until_waiting(&sem.gate, 3);
    il__cancel_fire(&many.wait.node, -ECANCELED);
    int failed = crew_join(&second) + crew_join(&first);
    assert_int_equal(failed, 0);
    assert_int_equal(many.status, -ECANCELED);
    assert_int_equal(il_sem_value(&sem), 0);
}

/* Units handed to a waiter that gives up at that moment are either taken or left, never lost. */
static int take_briefly(void *in, void *out)
{
    (void)out;
    for (int i = 0; i < ROUNDS / 8; i++) {
        int status = il_sem_acquire_many(in, 1 + i % 3, il_after(IL_US(i % 30)));
        if (!status && il_sem_release_many(in, 1 + i % 3)) return 1;
        if (status && status != -ETIMEDOUT) return 2;
    }
    return 0;
}

static void units_are_conserved_when_deadlines_meet_releases(void **state)
{
    il_sem sem = { .count = 3, .max = 3 };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, take_briefly, &sem);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(il_sem_value(&sem), 3);
}

static int acquire_and_destroy(void *in, void *out)
{
    (void)out;
    il_sem_acquire(in);
    memset(in, 0xff, sizeof(il_sem));
    free(in);
    return 0;
}

static void who_took_the_last_unit_may_free_it_at_once(void **state)
{
    for (int i = 0; i < 200; i++) {
        il_sem *sem = calloc(1, sizeof *sem);
        struct crew crew;
        crew_open(&crew, state);
        crew_add(&crew, acquire_and_destroy, sem);
        if (i % 2) until_waiting(&sem->gate, 1);
        il_sem_release(sem);
        assert_int_equal(crew_join(&crew), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_has_nothing_to_take),
        cmocka_unit_test(as_many_are_taken_as_there_are),
        cmocka_unit_test(more_than_the_maximum_is_refused_and_named),
        cmocka_unit_test(unbounded_one_is_bounded_by_its_type),
        EACH_CREW(no_more_are_inside_than_there_are_seats),
        EACH_CREW(sellers_sell_every_ticket_once),
        EACH_CREW(empty_one_is_waited_for_until_the_deadline_or_a_cancel),
        cmocka_unit_test(release_that_comes_late_is_not_missed),
        EACH_CREW(who_wants_many_is_not_passed_by_who_wants_one),
        EACH_CREW(release_of_many_serves_many),
        EACH_CREW(waiter_that_leaves_lets_those_behind_it_through),
        EACH_CREW(units_are_conserved_when_deadlines_meet_releases),
        EACH_CREW(who_took_the_last_unit_may_free_it_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
