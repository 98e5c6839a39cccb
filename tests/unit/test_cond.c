/* SPDX-License-Identifier: MIT */
/* Claims about il_cond. */

#include "check.h"

#include <interlock/cond.h>

enum { ITEMS = 4000, MEMBERS = 4 };

/* A store of items, and what is guarded by its mutex. */
struct store {
    il_mutex mutex;
    il_cond changed;
    long items, taken;
    bool closed;
};

static int wait_in_store(void *in, il_time until)
{
    struct store *store = in;
    il_mutex_lock(&store->mutex);
    int status = il_cond_wait_until(&store->changed, &store->mutex, until);
    bool held = il_mutex_held(&store->mutex);
    if (held) il_mutex_unlock(&store->mutex);
    return held ? status : 1;
}

static int consume(void *in, void *out)
{
    (void)out;
    struct store *store = in;
    il_mutex_lock(&store->mutex);
    for (;;) {
        while (!store->items && !store->closed) il_cond_wait(&store->changed, &store->mutex);
        if (!store->items) break;
        store->items--;
        store->taken++;
    }
    il_mutex_unlock(&store->mutex);
    return 0;
}

static int produce(void *in, void *out)
{
    (void)out;
    struct store *store = in;
    for (int i = 0; i < ITEMS; i++) {
        il_mutex_lock(&store->mutex);
        store->items++;
        if (i % 2) il_cond_notify(&store->changed, 1); /* with the mutex */
        il_mutex_unlock(&store->mutex);
        if (i % 2 == 0) il_cond_notify(&store->changed, 1); /* without */
        if (i % 256 == 0) il_yield();
    }
    return 0;
}

static void every_item_produced_is_consumed(void **state)
{
    struct store store = { 0 };
    struct crew consumers, producers;
    crew_open(&consumers, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&consumers, consume, &store);
    crew_open(&producers, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&producers, produce, &store);
    int failed = crew_join(&producers);

    il_mutex_lock(&store.mutex);
    store.closed = true;
    il_cond_notify_all(&store.changed);
    il_mutex_unlock(&store.mutex);
    failed += crew_join(&consumers);
    assert_int_equal(failed, 0);
    assert_int_equal(store.items, 0);
    assert_int_equal(store.taken, MEMBERS * ITEMS);
}

static void waiting_without_the_mutex_returns_eperm(void **state)
{
    (void)state;
    struct store store = { 0 };
    assert_int_equal(il_cond_wait(&store.changed, &store.mutex), -EPERM);
    assert_int_equal(il_cond_wait_until(&store.changed, &store.mutex, IL_FOREVER), -EPERM);
    assert_int_equal(il_cond_wait_for(&store.changed, &store.mutex, NULL, NULL, IL_FOREVER),
                     -EPERM);
}

static int wait_without_the_mutex(void *in, void *out)
{
    (void)out;
    struct store *store = in;
    return il_cond_wait(&store->changed, &store->mutex) == -EPERM ? 0 : 1;
}

static void waiting_with_a_mutex_of_another_returns_eperm(void **state)
{
    struct store store = { 0 };
    struct crew crew;
    il_mutex_lock(&store.mutex);
    crew_open(&crew, state);
    crew_add(&crew, wait_without_the_mutex, &store);
    int failed = crew_join(&crew);
    il_mutex_unlock(&store.mutex);
    assert_int_equal(failed, 0);
}

static void mutex_is_held_again_after_a_deadline_or_a_cancel(void **state)
{
    struct store store = { 0 };
    assert_gives_up(state, wait_in_store, &store);
    int status = status_when_cancelled(state, wait_in_store, &store, &store.changed.gate);
    assert_int_equal(status, -ECANCELED);
    assert_int_equal(store.mutex.gate.word, 0);
    assert_int_equal(store.changed.gate.word, 0);
}

/* Cancelled before it has the mutex again, but notified before that: the notify counts. */
static void notified_waiter_is_not_cancelled_while_it_takes_the_mutex(void **state)
{
    struct store store = { 0 };
    struct outside_cancel waiter = { .call = wait_in_store, .object = &store };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, wait_to_be_cancelled, &waiter);
    until_waiting(&store.changed.gate, 1);

    il_mutex_lock(&store.mutex);
    unsigned woken = il_cond_notify(&store.changed, 1);
    until_waiting(&store.mutex.gate, 1);
    il__cancel_fire(&waiter.wait.node, -ECANCELED);
    il_mutex_unlock(&store.mutex);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(woken, 1);
    assert_int_equal(waiter.status, 0);
}

static void notify(void *arg)
{
    struct store *store = arg;
    store->taken = il_cond_notify(&store->changed, 1);
}

static bool slipped_in;

/* Before the waiter is in the list nobody gets the mutex, and so nobody has anything to notify. */
static void slip_in(void *arg)
{
    struct store *store = arg;
    il__agent *self = become_another("other");
    slipped_in = !il_mutex_lock_until(&store->mutex, IL_NOW);
    if (slipped_in) il_mutex_unlock(&store->mutex);
    il__self_set(self);
    step_in(IL__PROBE_WAIT, NULL, notify, store);
}

static void the_mutex_is_not_free_before_the_waiter_is_in_the_list(void **state)
{
    (void)state;
    struct store store = { 0 };
    slipped_in = true;
    step_in(IL__PROBE_GATE, &store.changed.gate, slip_in, &store);
    assert_int_equal(wait_in_store(&store, LATE), 0);
    assert_false(slipped_in);
}

static void notify_between_the_unlock_and_the_sleep_is_not_missed(void **state)
{
    (void)state;
    struct store store = { 0 };
    step_in(IL__PROBE_WAIT, NULL, notify, &store);
    assert_int_equal(wait_in_store(&store, LATE), 0);
    assert_int_equal(store.taken, 1);
}

struct place {
    struct store *store;
    int *next; /* guarded by the store's mutex */
    int woken_as;
};

static int wait_for_turn(void *in, void *out)
{
    (void)out;
    struct place *place = in;
    struct store *store = place->store;
    il_mutex_lock(&store->mutex);
    int status = il_cond_wait(&store->changed, &store->mutex);
    place->woken_as = (*place->next)++;
    il_mutex_unlock(&store->mutex);
    return status;
}

static void notify_wakes_as_many_as_it_says_the_first_first(void **state)
{
    struct store store = { 0 };
    struct place places[4];
    struct crew crew;
    int next = 0;
    crew_open(&crew, state);
    for (unsigned i = 0; i < 4; i++) {
        places[i] = (struct place){ .store = &store, .next = &next };
        crew_add(&crew, wait_for_turn, &places[i]);
        until_waiting(&store.changed.gate, i + 1);
    }
    unsigned none = il_cond_notify(&store.changed, 0);
    unsigned two = il_cond_notify(&store.changed, 2);
    unsigned left = il__gate_count(&store.changed.gate);
    for (int woken = 0; woken < 2; il_yield()) { /* the first two have gone before the rest go */
        il_mutex_lock(&store.mutex);
        woken = next;
        il_mutex_unlock(&store.mutex);
    }
    unsigned rest = il_cond_notify_all(&store.changed);
    unsigned nobody = il_cond_notify_all(&store.changed);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(none, 0);
    assert_int_equal(two, 2);
    assert_int_equal(left, 2);
    assert_int_equal(rest, 2);
    assert_int_equal(nobody, 0);
    assert_true(places[0].woken_as < 2 && places[1].woken_as < 2);
}

static bool is_closed(void *arg)
{
    return ((struct store *)arg)->closed;
}

static int wait_until_closed(void *in, void *out)
{
    (void)out;
    struct store *store = in;
    il_mutex_lock(&store->mutex);
    int status = il_cond_wait_for(&store->changed, &store->mutex, is_closed, store, LATE);
    int wrong = status || !store->closed;
    il_mutex_unlock(&store->mutex);
    return wrong;
}

static void wait_for_returns_when_it_holds(void **state)
{
    struct store store = { 0 };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, wait_until_closed, &store);
    until_waiting(&store.changed.gate, MEMBERS);
    il_cond_notify_all(&store.changed); /* for nothing: it does not hold */
    until_waiting(&store.changed.gate, MEMBERS);
    il_mutex_lock(&store.mutex);
    store.closed = true;
    il_mutex_unlock(&store.mutex);
    il_cond_notify_all(&store.changed);
    assert_int_equal(crew_join(&crew), 0);
}

static void wait_for_what_holds_or_never_will(void **state)
{
    (void)state;
    struct store store = { .closed = true };
    il_mutex_lock(&store.mutex);
    assert_int_equal(il_cond_wait_for(&store.changed, &store.mutex, is_closed, &store, IL_NOW), 0);
    store.closed = false;
    assert_int_equal(il_cond_wait_for(&store.changed, &store.mutex, is_closed, &store, IL_NOW),
                     -EAGAIN);
    assert_int_equal(il_cond_wait_for(&store.changed, &store.mutex, is_closed, &store, SOON),
                     -ETIMEDOUT);
    assert_true(il_mutex_held(&store.mutex));
    il_mutex_unlock(&store.mutex);
}

static bool holds_the_second_time(void *arg)
{
    return ++*(int *)arg > 1;
}

static void wait_for_what_comes_true_at_the_deadline(void **state)
{
    (void)state;
    struct store store = { .closed = false };
    int looks = 0;
    il_mutex_lock(&store.mutex);
    assert_int_equal(
        il_cond_wait_for(&store.changed, &store.mutex, holds_the_second_time, &looks, PAST), 0);
    assert_int_equal(looks, 2);
    il_mutex_unlock(&store.mutex);
}

/* A notify meets a deadline or a cancel: who was notified says so, and nobody else is missed. */
static int wait_briefly(void *in, void *out)
{
    (void)out;
    struct store *store = in;
    il_mutex_lock(&store->mutex);
    while (!store->closed) {
        int status = il_cond_wait_until(&store->changed, &store->mutex, il_after(IL_US(20)));
        if (!status) store->taken++;
    }
    il_mutex_unlock(&store->mutex);
    return 0;
}

static void notify_that_meets_a_deadline_is_counted_once(void **state)
{
    struct store store = { 0 };
    struct crew crew;
    long notified = 0;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, wait_briefly, &store);
    for (int i = 0; i < 2000; i++) {
        notified += il_cond_notify(&store.changed, 1);
        if (i % 8 == 0) il_yield();
    }
    il_mutex_lock(&store.mutex);
    store.closed = true;
    il_mutex_unlock(&store.mutex);
    notified += il_cond_notify_all(&store.changed);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(store.taken, notified);
}

struct doomed {
    il_mutex *mutex;
    il_cond *cond;
};

static int wait_and_destroy(void *in, void *out)
{
    (void)out;
    struct doomed *doomed = in;
    il_mutex_lock(doomed->mutex);
    int status = il_cond_wait(doomed->cond, doomed->mutex);
    il_mutex_unlock(doomed->mutex);
    memset(doomed->cond, 0xff, sizeof *doomed->cond);
    free(doomed->cond);
    return status;
}

static void last_woken_may_free_it_at_once(void **state)
{
    for (int i = 0; i < 100; i++) {
        il_mutex mutex = { 0 };
        struct doomed doomed = { .mutex = &mutex, .cond = calloc(1, sizeof(il_cond)) };
        struct crew crew;
        crew_open(&crew, state);
        crew_add(&crew, wait_and_destroy, &doomed);
        until_waiting(&doomed.cond->gate, 1);
        il_cond_notify_all(doomed.cond);
        assert_int_equal(crew_join(&crew), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_CREW(every_item_produced_is_consumed),
        cmocka_unit_test(waiting_without_the_mutex_returns_eperm),
        EACH_CREW(waiting_with_a_mutex_of_another_returns_eperm),
        EACH_CREW(mutex_is_held_again_after_a_deadline_or_a_cancel),
        EACH_CREW(notified_waiter_is_not_cancelled_while_it_takes_the_mutex),
        cmocka_unit_test(notify_between_the_unlock_and_the_sleep_is_not_missed),
        cmocka_unit_test(the_mutex_is_not_free_before_the_waiter_is_in_the_list),
        EACH_CREW(notify_wakes_as_many_as_it_says_the_first_first),
        EACH_CREW(wait_for_returns_when_it_holds),
        cmocka_unit_test(wait_for_what_holds_or_never_will),
        cmocka_unit_test(wait_for_what_comes_true_at_the_deadline),
        EACH_CREW(notify_that_meets_a_deadline_is_counted_once),
        EACH_CREW(last_woken_may_free_it_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
