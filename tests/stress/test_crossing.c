/* SPDX-License-Identifier: MIT */
/*
 * Two sides that meet within nanoseconds: one stores and looks, the other stores and looks, and at
 * least one must see the other (Dekker's argument). A fence less, or a look left out, and once in
 * some thousand meetings neither does. So there are many meetings, each at a moment of its own: who
 * comes second spends a random while after the first has said that it is about to begin.
 */

#include "chaos.h"

#include "os/spin.h"
#include "sched/pool.h"

enum { OFTEN = 8 };    /* times as many rounds, of what is quick and hard to meet */
enum { SPINS = 2000 }; /* looks before the CPU is given away: longer than a worker takes to sleep */

/* Some nanoseconds each; finer than a pause of the CPU. */
static void spend(unsigned moments)
{
    for (volatile unsigned i = 0; i < moments; i++) continue;
}

/* Mostly short, sometimes as long as it takes to park, or to fall asleep. */
static void spend_some(uint64_t *random)
{
    static const unsigned longest[] = { 30, 200, 1500, 15000 };
    spend(below(random, longest[below(random, 4)]));
}

/* Until *counter is at least n. On a busy machine the other side may not be running. */
static void until_at_least(const long *counter, long n)
{
    for (unsigned round = 0; il__load_acquire(counter) < n; round++) il__relax(round);
}

/* --- One that waits, one that wakes or cancels ------------------------------------------------ */

struct meeting {
    struct cancelled_wait wait;
    il_event event; /* automatic */
    il__agent *waiter;
    _Alignas(64) long begun; /* atomic: rounds that the waiter is about to begin */
    _Alignas(64) long ended; /* atomic: rounds that the other side has ended */
    int strange;
};

static int wait_each_round(void *in, void *out)
{
    struct meeting *meeting = in;
    for (long i = 1; i <= rounds; i++) {
        il__store_release(&meeting->begun, i);
        meeting->strange += il_event_wait_until(&meeting->event, LATE) != 0;
        until_at_least(&meeting->ended, i);
    }
    return meeting->strange;
}

static int set_each_round(void *in, void *out)
{
    struct meeting *meeting = in;
    uint64_t random = seed;
    for (long i = 1; i <= rounds; i++) {
        until_at_least(&meeting->begun, i);
        spend_some(&random);
        il_event_set(&meeting->event);
        il__store_release(&meeting->ended, i);
    }
    return 0;
}

static void a_set_that_crosses_a_wait_is_not_missed(void **state)
{
    struct meeting meeting = { .event.automatic = true };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, set_each_round, &meeting); /* a thread, in both kinds of crew */
    crew_add(&crew, wait_each_round, &meeting);
    assert_int_equal(crew_join(&crew), 0);
}

/* A sleep has no gate, whose lock would be a fence. And the one who cancels looks at the waiter's word
 * all the while, so that the waiter has not got its cache line: its store of WAITING takes a moment
 * to arrive. */
static void spend_looking(il__agent *agent, unsigned looks)
{
    while (looks--) (void)il__load(&agent->word);
}

static int sleep_each_round(void *in, void *out)
{
    struct meeting *meeting = in;
    uint64_t random = ~seed;
    for (long i = 1; i <= OFTEN * rounds; i++) {
        cancellable_begin(&meeting->wait, 0);
        meeting->waiter = il__self();
        il__cancel_enter(&meeting->wait.node, meeting->waiter); /* who cancels sees an owner */
        il_time late = LATE;
        il__store_release(&meeting->begun, i);
        spend(below(&random, 100)); /* until the other one has begun to look */
        meeting->strange += il_sleep(late) != -ECANCELED;
        until_at_least(&meeting->ended, i);
        cancellable_end(&meeting->wait);
    }
    return meeting->strange;
}

static int cancel_each_round(void *in, void *out)
{
    struct meeting *meeting = in;
    uint64_t random = ~seed;
    for (long i = 1; i <= OFTEN * rounds; i++) {
        until_at_least(&meeting->begun, i);
        if (i % OFTEN == 0) spend_some(&random);
        else spend_looking(meeting->waiter, 20 + below(&random, 400));
        il__cancel_fire(&meeting->wait.node, -ECANCELED);
        il__store_release(&meeting->ended, i);
    }
    return 0;
}

static void a_cancellation_that_crosses_a_wait_is_not_missed(void **state)
{
    struct meeting meeting = { .strange = 0 };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, cancel_each_round, &meeting);
    crew_add(&crew, sleep_each_round, &meeting);
    assert_int_equal(crew_join(&crew), 0);
}

/* --- One that falls asleep, one that has work -------------------------------------------------- */

static long sleepers_seen; /* atomic: how often a worker was about to sleep */

static void note_sleepers(il__probe_point point, const void *object)
{
    if (point == IL__PROBE_SLEEP) il__add(&sleepers_seen, 1);
}

/* Run body(rounds) on a worker of a pool of two while the probe counts. */
static int beside_a_sleeper(il_fn *body)
{
    il_executor *pool = pool_of(2);
    il_future *future = NULL;
    il__store(&sleepers_seen, 0);
    il__store_release(&il__probe_listener, note_sleepers);
    int status = il_submit(pool, body, &pool, sizeof pool, 0, NULL, &future);
    if (!status) status = status_of(future);
    il__store_release(&il__probe_listener, NULL);
    il_executor_free(pool);
    return status;
}

/* Until the other worker is about to sleep; false: it does not. */
static bool until_one_falls_asleep(long *seen)
{
    il_time until = LATE;
    long now;
    for (unsigned round = 0; (now = il__load(&sleepers_seen)) == *seen; round++) {
        if (round > SPINS) sched_yield();
        if (il_now() > until) return false;
    }
    *seen = now;
    return true;
}

/* It may have slept since before the probe counted. This worker is busy, so only it can run this. */
static int wake_the_other(il_executor *pool)
{
    return il_submit(pool, nothing, NULL, 0, 0, NULL, NULL);
}

static int run_aside(void *in, void *out)
{
    il__store_release(*(bool **)in, true);
    return 0;
}

/* This worker is busy until the other one, which falls asleep, has run what it is given. */
static int give_work_away(void *in, void *out)
{
    il_executor *pool = *(il_executor **)in;
    uint64_t random = seed;
    long seen = 0;
    if (wake_the_other(pool)) return 4;
    for (long i = 0; i < rounds; i++) {
        bool ran = false, *flag = &ran;
        il_time until = LATE;
        if (!until_one_falls_asleep(&seen)) return 1;
        spend(below(&random, i % 2 ? 100 : 1000));
        if (il_submit(pool, run_aside, &flag, sizeof flag, 0, NULL, NULL)) return 2;
        for (unsigned round = 0; !il__load_acquire(&ran); round++) {
            if (round > SPINS) sched_yield();
            if (il_now() > until) _exit(3); /* `ran` is on this stack: there is no way back */
        }
    }
    return 0;
}

static void work_that_crosses_a_worker_falling_asleep_is_run(void **state)
{
    assert_int_equal(beside_a_sleeper(give_work_away), 0);
}

/* The same by a thread from outside: through the inbox. */
static void work_from_outside_that_crosses_it_is_run(void **state)
{
    il_executor *pool = pool_of(1);
    uint64_t random = seed;
    long seen = 0;
    int failed = 0;
    il__store(&sleepers_seen, 0);
    il__store_release(&il__probe_listener, note_sleepers);
    failed += status_of(submit_pointer(pool, nothing, NULL)) != 0;
    for (long i = 0; i < rounds && !failed; i++) {
        failed = !until_one_falls_asleep(&seen);
        spend(below(&random, i % 2 ? 100 : 1000));
        long n = i, result = -1;
        il_future *future = NULL;
        failed += il_submit(pool, square, &n, sizeof n, sizeof n, NULL, &future) != 0;
        failed += il_future_get(future, LATE, &result) != 0 || result != n * n;
        il_future_free(future);
    }
    il__store_release(&il__probe_listener, NULL);
    il_executor_free(pool);
    assert_int_equal(failed, 0);
}

/* Long enough that this worker sleeps as well before it is over. */
static int sleep_beside(void *in, void *out)
{
    uint64_t random = seed;
    long seen = 0;
    for (long i = 0; i < rounds / 16; i++) {
        if (wake_the_other(*(il_executor **)in)) return 4;
        if (!until_one_falls_asleep(&seen)) return 1;
        spend(below(&random, 1000));
        if (il_sleep(il_after(IL_US(150)))) return 2;
    }
    return 0;
}

static void a_timer_that_crosses_a_worker_falling_asleep_is_kept(void **state)
{
    assert_int_equal(beside_a_sleeper(sleep_beside), 0);
}

/* A worker that has nothing to do comes to rest: it sleeps until there is something. */
static void a_pool_without_work_comes_to_rest(void **state)
{
    il_executor *pool = pool_of(2);
    bool at_rest = false;
    il__store_release(&il__probe_listener, note_sleepers);
    for (int i = 0; i < 20; i++) {
        int ran = 0;
        assert_int_equal(status_of(submit_pointer(pool, count, &ran)), 0);
    }
    for (int tries = 0; tries < 2000 && !at_rest; tries++) {
        long before = il__load(&sleepers_seen);
        for (int i = 0; i < 5; i++) il_sleep(il_after(IL_MS(1))); /* sleeps: nothing is to happen */
        at_rest = il__load(&sleepers_seen) == before;
    }
    il__store_release(&il__probe_listener, NULL);
    il_executor_free(pool);
    assert_true(at_rest);
}

/* --- One that closes, one that is the last ------------------------------------------------------ */

struct relay {
    il_executor *pool;
    long left;  /* atomic: tasks to come */
    long alive; /* atomic */
};

static int hand_over(void *in, void *out)
{
    struct relay *relay = *(struct relay **)in;
    il__add(&relay->alive, 1);
    if (il__sub(&relay->left, 1) > 1)
        il_submit(relay->pool, hand_over, &relay, sizeof relay, 0, NULL, NULL);
    il__sub(&relay->alive, 1);
    return 0;
}

/* There is always one, never the same for long; who looks task by task may see none. */
static void close_is_not_fooled_by_tasks_that_hand_over(void **state)
{
    il_executor *pool = pool_of(64); /* to look at them all takes a while */
    struct relay relay = { .pool = pool, .left = 4 * rounds };
    int status;
    il_future_free(submit_pointer(pool, hand_over, &relay));
    do status = il_executor_close(pool, IL_NOW);
    while (status == -EAGAIN);
    long left = il__load(&relay.left), alive = il__load(&relay.alive);
    il_executor_free(pool);
    assert_int_equal(status, 0);
    assert_int_equal(left, 0);
    assert_int_equal(alive, 0);
}

static int linger(void *in, void *out)
{
    spend(**(unsigned **)in);
    return 0;
}

static void close_that_crosses_the_last_task_returns(void **state)
{
    uint64_t random = seed;
    for (long i = 0; i < rounds / 16; i++) {
        il_executor *pool = pool_of(1 + below(&random, 2));
        unsigned moments[2] = { below(&random, 3000), below(&random, 3000) };
        for (int k = 0; k < 2; k++) il_future_free(submit_pointer(pool, linger, &moments[k]));
        int status = il_executor_close(pool, LATE);
        il_executor_free(pool);
        assert_int_equal(status, 0);
    }
}

/* --- Freeing ----------------------------------------------------------------------------------- */

struct freeing {
    il_executor *pool;
    bool done;
};

static int free_pool(void *in, void *out)
{
    struct freeing *freeing = in;
    il_executor_free(freeing->pool);
    il__store_release(&freeing->done, true);
    return 0;
}

/* Who made the last job visible may be on its way out of the pool still. */
static void free_waits_for_who_still_touches_the_pool(void **state)
{
    if (IL_TSAN) skip(); /* it does not see how the scheduler, which frees, looks at `visitors` */
    struct freeing freeing = { .pool = pool_of(2) };
    struct crew crew;
    uint32_t *visitors = &((il__pool *)freeing.pool)->visitors;
    il__add(visitors, 1); /* as start_from_outside does */
    crew_open(&crew, NULL);
    crew_add(&crew, free_pool, &freeing);
    for (int i = 0; i < 20 && !il__load_acquire(&freeing.done); i++)
        il_sleep(il_after(IL_MS(1))); /* sleeps: nothing is to happen */
    bool too_early = il__load_acquire(&freeing.done);
    if (!too_early) il__sub(visitors, 1);
    assert_int_equal(crew_join(&crew), 0);
    assert_false(too_early);
}

int main(void)
{
    read_environment(IL_TSAN || IL_ASAN ? 2000 : 10000);
    const struct CMUnitTest tests[] = {
        CREW(a_set_that_crosses_a_wait_is_not_missed, 0, "threads"),
        CREW(a_set_that_crosses_a_wait_is_not_missed, 3, "a fiber, by a thread"),
        CREW(a_cancellation_that_crosses_a_wait_is_not_missed, 0, "threads"),
        CREW(a_cancellation_that_crosses_a_wait_is_not_missed, 3, "a fiber, by a thread"),
        cmocka_unit_test(work_that_crosses_a_worker_falling_asleep_is_run),
        cmocka_unit_test(work_from_outside_that_crosses_it_is_run),
        cmocka_unit_test(a_timer_that_crosses_a_worker_falling_asleep_is_kept),
        cmocka_unit_test(a_pool_without_work_comes_to_rest),
        cmocka_unit_test(close_is_not_fooled_by_tasks_that_hand_over),
        cmocka_unit_test(close_that_crosses_the_last_task_returns),
        cmocka_unit_test(free_waits_for_who_still_touches_the_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
