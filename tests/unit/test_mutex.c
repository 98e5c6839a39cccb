/* SPDX-License-Identifier: MIT */
/* Claims about il_mutex. */

#include "check.h"

#include <interlock/mutex.h>

enum { ROUNDS = 20000, MEMBERS = 4 };

static int lock(void *mutex, il_time until)
{
    return il_mutex_lock_until(mutex, until);
}

static void zero_is_a_free_mutex(void **state)
{
    (void)state;
    il_mutex mutex = { 0 };
    assert_false(il_mutex_held(&mutex));
    il_mutex_lock(&mutex);
    assert_true(il_mutex_held(&mutex));
    il_mutex_unlock(&mutex);
    assert_false(il_mutex_held(&mutex));
    assert_int_equal(mutex.gate.word, 0);
}

static void free_mutex_is_locked_without_waiting(void **state)
{
    (void)state;
    il_mutex mutex = { 0 };
    assert_int_equal(il_mutex_lock_until(&mutex, IL_NOW), 0);
    il_mutex_unlock(&mutex);
    assert_int_equal(il_mutex_lock_until(&mutex, PAST), 0);
    il_mutex_unlock(&mutex);
}

struct tally {
    il_mutex mutex;
    long count; /* guarded by mutex, and plain: who is let in beside another loses counts */
};

static int count_up(void *in, void *out)
{
    (void)out;
    struct tally *tally = in;
    for (int i = 0; i < ROUNDS; i++) {
        il_mutex_lock(&tally->mutex);
        long seen = tally->count;
        if (i % 64 == 0) il_yield();
        tally->count = seen + 1;
        il_mutex_unlock(&tally->mutex);
    }
    return 0;
}

static void only_one_holds_it_at_a_time(void **state)
{
    struct tally tally = { 0 };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, count_up, &tally);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(tally.count, MEMBERS * ROUNDS);
    assert_int_equal(tally.mutex.gate.word, 0);
}

static void held_mutex_is_waited_for_until_the_deadline_or_a_cancel(void **state)
{
    il_mutex mutex = { 0 };
    il_mutex_lock(&mutex);
    assert_gives_up(state, lock, &mutex);

    il_mutex_unlock(&mutex);
    assert_int_equal(mutex.gate.word, 0);
}

static void waiter_is_cancelled_while_parked(void **state)
{
    il_mutex mutex = { 0 };
    il_mutex_lock(&mutex);
    int status = status_when_cancelled(state, lock, &mutex, &mutex.gate);
    il_mutex_unlock(&mutex);
    assert_int_equal(status, -ECANCELED);
    assert_int_equal(mutex.gate.word, 0);
}

struct attempt {
    il_mutex mutex;
    il_time until;
    int status;
};

static int lock_and_unlock(void *in, void *out)
{
    (void)out;
    struct attempt *attempt = in;
    attempt->status = il_mutex_lock_until(&attempt->mutex, attempt->until);
    if (!attempt->status) il_mutex_unlock(&attempt->mutex);
    return 0;
}

static void waiter_gets_it_before_its_deadline(void **state)
{
    struct attempt attempt = { .until = LATE };
    struct crew crew;
    il_mutex_lock(&attempt.mutex);
    crew_open(&crew, state);
    crew_add(&crew, lock_and_unlock, &attempt);
    until_waiting(&attempt.mutex.gate, 1);
    il_mutex_unlock(&attempt.mutex);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(attempt.status, 0);
}

static int lock_plainly(void *in, void *out)
{
    (void)out;
    struct attempt *attempt = in;
    struct cancelled_wait wait;
    cancellable_begin(&wait, 0);
    il__cancel_fire(&wait.node, -ECANCELED);
    il_mutex_lock(&attempt->mutex);
    bool held = il_mutex_held(&attempt->mutex);
    il_mutex_unlock(&attempt->mutex);
    cancellable_end(&wait);
    return held ? 0 : 1;
}

static void plain_lock_is_not_cancelled(void **state)
{
    struct attempt attempt = { 0 };
    struct crew crew;
    il_mutex_lock(&attempt.mutex);
    crew_open(&crew, state);
    crew_add(&crew, lock_plainly, &attempt);
    until_waiting(&attempt.mutex.gate, 1);
    il_mutex_unlock(&attempt.mutex);
    assert_int_equal(crew_join(&crew), 0);
}

static void one_that_gave_up_does_not_keep_the_mutex_from_the_next(void **state)
{
    for (int i = 0; i < 20; i++) {
        struct attempt patient = { .until = LATE };
        struct outside_cancel hasty = { .call = lock, .object = &patient.mutex };
        struct crew crew;
        il_mutex_lock(&patient.mutex);
        crew_open(&crew, state);
        crew_add(&crew, wait_to_be_cancelled, &hasty);
        until_waiting(&patient.mutex.gate, 1);
        crew_add(&crew, lock_and_unlock, &patient);
        until_waiting(&patient.mutex.gate, 2);
        il__cancel_fire(&hasty.wait.node, -ECANCELED);
        il_mutex_unlock(&patient.mutex);
        assert_int_equal(crew_join(&crew), 0);
        assert_int_equal(patient.status, 0);
        assert_int_equal(hasty.status, -ECANCELED);
        assert_int_equal(patient.mutex.gate.word, 0);
    }
}

/* The bit that a waiter sets when it has been overtaken for too long: see mutex.c. */
#define STARVING (UINT64_C(2) << IL__GATE_SHIFT)

static void starving_waiter_is_handed_the_mutex(void **state)
{
    struct attempt attempt = { .until = LATE, .status = 1 };
    struct crew crew;
    il_mutex_lock(&attempt.mutex);
    crew_open(&crew, state);
    crew_add(&crew, lock_and_unlock, &attempt);
    until_waiting(&attempt.mutex.gate, 1);
    uint64_t word = il__gate_lock(&attempt.mutex.gate);
    il__gate_unlock(&attempt.mutex.gate, word | STARVING);

    il_mutex_unlock(&attempt.mutex);
    il_mutex_lock(&attempt.mutex); /* behind it, however quick we are */
    int status = attempt.status;
    il_mutex_unlock(&attempt.mutex);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(status, 0);
    assert_int_equal(attempt.mutex.gate.word, 0);
}

struct patient {
    il_mutex *mutex;
    il__agent *agent; /* set before it waits */
    bool served;      /* guarded by *mutex */
};

static int be_patient(void *in, void *out)
{
    (void)out;
    struct patient *patient = in;
    patient->agent = il__self();
    il_mutex_lock(patient->mutex);
    patient->served = true;
    il_mutex_unlock(patient->mutex);
    return 0;
}

/* The second of two waits behind the first, which is woken after a long wait and finds the mutex taken
 * again. True: it was, and then *out_first says whether it is the first still, and *out_word how the
 * mutex stands. */
static bool wake_in_vain(void **state, bool *out_first, uint64_t *out_word)
{
    il_mutex mutex = { 0 };
    struct patient patients[2] = { { .mutex = &mutex }, { .mutex = &mutex } };
    struct crew crew;
    il_mutex_lock(&mutex);
    crew_open(&crew, state);
    for (unsigned i = 0; i < 2; i++) {
        crew_add(&crew, be_patient, &patients[i]);
        until_waiting(&mutex.gate, i + 1);
    }
    il_sleep(il_after(IL_MS(2))); /* sleeps: longer than it is patient */
    il_mutex_unlock(&mutex);
    bool ours = !il_mutex_lock_until(&mutex, IL_NOW), vain = ours && !patients[0].served;
    if (vain) {
        until_waiting(&mutex.gate, 2);
        *out_word = il__gate_lock(&mutex.gate);
        *out_first = mutex.gate.waiters->agent == patients[0].agent;
        il__gate_unlock(&mutex.gate, *out_word);
    }
    if (ours) il_mutex_unlock(&mutex);
    return crew_join(&crew) == 0 && vain;
}

static void one_woken_in_vain_stays_the_first_and_starves(void **state)
{
    bool first = false;
    uint64_t word = 0;
    while (!wake_in_vain(state, &first, &word)) continue; /* it was quicker than we are */
    assert_true(first);
    assert_true(word & STARVING);
}

static void the_mutex_is_handed_over_up_to_the_last_who_starved(void **state)
{
    (void)state;
    enum { LAST = 1 }; /* waiter.mode: see mutex.c */
    il_mutex mutex = { 0 };
    il__agent agents[2];
    il__waiter waiters[2];
    il_mutex_lock(&mutex);
    uint64_t word = il__gate_lock(&mutex.gate);
    for (int i = 0; i < 2; i++) {
        il__agent_init(&agents[i], il__self()->ops);
        waiters[i] = (il__waiter){ .agent = &agents[i], .mode = i ? 0 : LAST };
        il__wait_begin(&agents[i], "mutex", &mutex, IL__PLAIN);
        il__gate_add(&mutex.gate, &waiters[i]);
    }
    il__gate_unlock(&mutex.gate, word | STARVING);

    il_mutex_unlock(&mutex);
    assert_int_equal(mutex.gate.word, (uintptr_t)&agents[0] | IL__GATE_WAITERS);
    il__gate_leave(&mutex.gate, &waiters[1]);
}

static void one_that_gives_up_starves_no_more(void **state)
{
    struct outside_cancel hasty = { .call = lock };
    il_mutex mutex = { 0 };
    struct crew crew;
    hasty.object = &mutex;
    il_mutex_lock(&mutex);
    crew_open(&crew, state);
    crew_add(&crew, wait_to_be_cancelled, &hasty);
    until_waiting(&mutex.gate, 1);
    uint64_t word = il__gate_lock(&mutex.gate);
    il__gate_unlock(&mutex.gate, word | STARVING);

    il__cancel_fire(&hasty.wait.node, -ECANCELED);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(hasty.status, -ECANCELED);
    assert_int_equal(mutex.gate.word & STARVING, 0);
    il_mutex_unlock(&mutex);
}

static int lock_once(void *in, void *out)
{
    (void)out;
    struct tally *tally = in;
    il_mutex_lock(&tally->mutex);
    tally->count = 1;
    il_mutex_unlock(&tally->mutex);
    return 0;
}

static void one_that_never_rests_does_not_starve_a_waiter(void **state)
{
    struct tally tally = { 0 };
    struct crew crew;
    bool let_in = false;
    il_mutex_lock(&tally.mutex);
    crew_open(&crew, state);
    crew_add(&crew, lock_once, &tally);
    until_waiting(&tally.mutex.gate, 1);
    while (!let_in) { /* free for an instant only */
        il_mutex_unlock(&tally.mutex);
        il_mutex_lock(&tally.mutex);
        let_in = tally.count;
    }
    il_mutex_unlock(&tally.mutex);
    assert_int_equal(crew_join(&crew), 0);
}

/* Held by another agent, who gives it back at a moment that the test chooses. */
struct other {
    il_mutex mutex;
    il__agent *agent;
};

static void lock_as_other(struct other *other)
{
    il__agent *self = become_another("other");
    other->agent = il__self();
    il_mutex_lock(&other->mutex);
    il__self_set(self);
}

static void unlock_as_other(void *arg)
{
    struct other *other = arg;
    il__agent *self = il__self();
    il__self_set(other->agent);
    il_mutex_unlock(&other->mutex);
    il__self_set(self);
}

static void unlock_that_comes_late_is_not_missed(void **state)
{
    (void)state;
    struct other other = { .agent = NULL };
    lock_as_other(&other);
    step_in(IL__PROBE_GATE, &other.mutex.gate, unlock_as_other, &other);
    int before_the_list = il_mutex_lock_until(&other.mutex, LATE);
    il_mutex_unlock(&other.mutex);
    lock_as_other(&other);
    step_in(IL__PROBE_WAIT, NULL, unlock_as_other, &other);
    int before_parking = il_mutex_lock_until(&other.mutex, LATE);
    il_mutex_unlock(&other.mutex);
    assert_int_equal(before_the_list, 0);
    assert_int_equal(before_parking, 0);
    assert_int_equal(other.mutex.gate.word, 0);
}

static void unlock_wakes_one_and_the_next_when_that_one_has_tried(void **state)
{
    (void)state;
    il_mutex mutex = { 0 };
    il__agent agents[2];
    il__waiter waiters[2];
    il_mutex_lock(&mutex);
    uint64_t word = il__gate_lock(&mutex.gate);
    for (int i = 0; i < 2; i++) {
        il__agent_init(&agents[i], il__self()->ops);
        waiters[i] = (il__waiter){ .agent = &agents[i] };
        il__wait_begin(&agents[i], "mutex", &mutex, IL__PLAIN);
        il__gate_add(&mutex.gate, &waiters[i]);
    }
    il__gate_unlock(&mutex.gate, word);

    il_mutex_unlock(&mutex);
    il_mutex_lock(&mutex);
    il_mutex_unlock(&mutex); /* the first is still on its way */
    assert_int_equal(agents[0].word & IL__PHASE, IL__WOKEN);
    assert_int_equal(agents[1].word & IL__PHASE, IL__WAITING);
    il__gate_leave(&mutex.gate, &waiters[1]);
}

static void relock_by_the_owner_returns_edeadlk(void **state)
{
    (void)state;
    il_mutex mutex = { 0 };
    il_mutex_lock(&mutex);
    assert_int_equal(il_mutex_lock_until(&mutex, IL_FOREVER), -EDEADLK);
    assert_int_equal(il_mutex_lock_until(&mutex, IL_NOW), -EDEADLK);
    assert_int_equal(il_mutex_lock_until(&mutex, PAST), -EDEADLK);
    il_mutex_unlock(&mutex);
    assert_false(il_mutex_held(&mutex));
}

static il_mutex misused;

static void relock(void)
{
    il_thread_rename("keeper");
    il_mutex_lock(&misused);
    il_mutex_lock(&misused);
}

static void relock_by_the_owner_is_fatal(void **state)
{
    (void)state;
    char line[1000], address[40];
    assert_true(aborts(relock, line, sizeof line));
    snprintf(address, sizeof address, "mutex %p locked at", (void *)&misused);
    assert_says(line, address);
    assert_says(line, "by thread ");
    assert_says(line, "\"keeper\", which holds it already, since ");
}

static void unlock_of_another(void)
{
    il__agent *self = become_another("owner of all");
    il_mutex_lock(&misused);
    il__self_set(self);
    il_mutex_unlock(&misused);
}

static void unlock_by_another_is_fatal(void **state)
{
    (void)state;
    char line[1000], address[40];
    assert_true(aborts(unlock_of_another, line, sizeof line));
    snprintf(address, sizeof address, "mutex %p unlocked at", (void *)&misused);
    assert_says(line, address);
    assert_says(line, "but held by fiber ");
    assert_says(line, "\"owner of all\", since ");
}

static void unlock_of_a_free_one(void)
{
    il_mutex_unlock(&misused);
}

static void unlock_of_a_free_mutex_is_fatal(void **state)
{
    (void)state;
    assert_fatal(unlock_of_a_free_one, "but held by nobody");
}

/* The second holder frees it while the first one is perhaps still on its way out of unlock. */
static int lock_and_destroy(void *in, void *out)
{
    (void)out;
    struct attempt *attempt = in;
    il_mutex_lock(&attempt->mutex);
    il_mutex_unlock(&attempt->mutex);
    memset(attempt, 0xff, sizeof *attempt);
    free(attempt);
    return 0;
}

static void next_holder_may_free_it_at_once(void **state)
{
    for (int i = 0; i < 200; i++) {
        struct attempt *attempt = calloc(1, sizeof *attempt);
        struct crew crew;
        il_mutex_lock(&attempt->mutex);
        crew_open(&crew, state);
        crew_add(&crew, lock_and_destroy, attempt);
        if (i % 2) until_waiting(&attempt->mutex.gate, 1);
        il_mutex_unlock(&attempt->mutex);
        assert_int_equal(crew_join(&crew), 0);
    }
}

static int check_held(void *in, void *out)
{
    (void)out;
    il_mutex *mutex = in;
    uint32_t before = il__self()->held;
    EXPECT(!il_mutex_held(mutex));
    il_mutex_lock(mutex);
    EXPECT(il_mutex_held(mutex) && il__self()->held == before + 1);
    EXPECT(il_mutex_lock_until(mutex, IL_NOW) == -EDEADLK && il__self()->held == before + 1);
    il_mutex_unlock(mutex);
    EXPECT(il__self()->held == before);
    return 0;
}

static void holder_is_known_and_how_many_it_holds(void **state)
{
    il_mutex mutex = { 0 };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, check_held, &mutex);
    assert_int_equal(crew_join(&crew), 0);
}

static int keep_errno(void *in, void *out)
{
    (void)out;
    *il_errno() = ERANGE;
    il_mutex_lock(in);
    int seen = *il_errno();
    il_mutex_unlock(in);
    return seen == ERANGE ? 0 : 1;
}

static void waiting_leaves_errno_alone(void **state)
{
    il_mutex mutex = { 0 };
    struct crew crew;
    il_mutex_lock(&mutex);
    crew_open(&crew, state);
    crew_add(&crew, keep_errno, &mutex);
    until_waiting(&mutex.gate, 1);
    il_mutex_unlock(&mutex);
    assert_int_equal(crew_join(&crew), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_is_a_free_mutex),
        cmocka_unit_test(free_mutex_is_locked_without_waiting),
        EACH_CREW(only_one_holds_it_at_a_time),
        EACH_CREW(held_mutex_is_waited_for_until_the_deadline_or_a_cancel),
        EACH_CREW(waiter_is_cancelled_while_parked),
        EACH_CREW(waiter_gets_it_before_its_deadline),
        EACH_CREW(plain_lock_is_not_cancelled),
        EACH_CREW(one_that_gave_up_does_not_keep_the_mutex_from_the_next),
        EACH_CREW(starving_waiter_is_handed_the_mutex),
        EACH_CREW(one_that_never_rests_does_not_starve_a_waiter),
        EACH_CREW(one_woken_in_vain_stays_the_first_and_starves),
        EACH_CREW(one_that_gives_up_starves_no_more),
        cmocka_unit_test(the_mutex_is_handed_over_up_to_the_last_who_starved),
        EACH_CREW(next_holder_may_free_it_at_once),
        EACH_CREW(holder_is_known_and_how_many_it_holds),
        EACH_CREW(waiting_leaves_errno_alone),
        cmocka_unit_test(unlock_that_comes_late_is_not_missed),
        cmocka_unit_test(unlock_wakes_one_and_the_next_when_that_one_has_tried),
        cmocka_unit_test(relock_by_the_owner_returns_edeadlk),
        cmocka_unit_test(relock_by_the_owner_is_fatal),
        cmocka_unit_test(unlock_by_another_is_fatal),
        cmocka_unit_test(unlock_of_a_free_mutex_is_fatal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
