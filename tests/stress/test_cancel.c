/* SPDX-License-Identifier: MIT */
/*
 * Cancel storms: tasks pending, running and parked are cancelled from everywhere while what they
 * wait for comes true as well. Each future is done exactly once, each wait ends, nothing is left
 * waiting, and whoever was let through was let through.
 */

#include "chaos.h"

#include "task/future.h"

enum { TASKS = 40 };

struct storm {
    il_sem sem;
    il_mutex mutex;
    il_event event;
    int acquired, locked, passed, callbacks;
    int inside, crowded;
};

struct victim {
    struct storm *storm;
    uint64_t random;
};

static int use_mutex(struct storm *storm, uint64_t *random)
{
    int status = il_mutex_lock_until(&storm->mutex, il_after(IL_MS(below(random, 3))));
    if (status) return status;
    storm->crowded += storm->inside++ != 0;
    if (below(random, 2)) il_yield();
    storm->inside--;
    storm->locked++;
    il_mutex_unlock(&storm->mutex);
    return 0;
}

static int suffer(void *in, void *out)
{
    struct victim self = *(struct victim *)in;
    int status = 0;
    for (int i = 0; i < 3 && status != -ECANCELED; i++) {
        switch (below(&self.random, 4)) {
        case 0:
            status =
                il_sem_acquire_until(&self.storm->sem, il_after(IL_MS(below(&self.random, 3))));
            if (!status) il__add(&self.storm->acquired, 1);
            break;
        case 1: status = use_mutex(self.storm, &self.random); break;
        case 2:
            status =
                il_event_wait_until(&self.storm->event, il_after(IL_MS(below(&self.random, 3))));
            if (!status) il__add(&self.storm->passed, 1);
            break;
        default: status = il_sleep(il_after(IL_US(below(&self.random, 200)))); break;
        }
    }
    return status;
}

static void count_callback(il_future *future, void *arg)
{
    il__add((int *)arg, 1);
}

struct canceller {
    il_future **futures;
    uint64_t random;
    int wrong;
};

static int cancel_at_random(void *in, void *out)
{
    struct canceller *self = in;
    for (int i = 0; i < TASKS; i++) {
        int status = il_future_cancel(self->futures[below(&self->random, TASKS)]);
        self->wrong += status != 0 && status != -EALREADY;
        if (below(&self->random, 4) == 0) sched_yield();
    }
    return self->wrong;
}

static void storm_on(unsigned workers)
{
    uint64_t random = seed + workers;
    il_executor *pool = pool_of(workers);
    for (long round = 0; round < rounds; round++) {
        struct storm storm = { .sem = { .count = 0 } };
        il_future *futures[TASKS];
        struct canceller cancellers[2];
        struct crew crew;
        unsigned released = 0;
        for (int i = 0; i < TASKS; i++) {
            struct victim victim = { &storm, draw(&random) };
            assert_int_equal(il_submit(pool, suffer, &victim, sizeof victim, 0, NULL, &futures[i]),
                             0);
            assert_int_equal(il_future_on_done(futures[i], count_callback, &storm.callbacks), 0);
        }
        crew_open(&crew, NULL);
        for (int i = 0; i < 2; i++) {
            cancellers[i] = (struct canceller){ futures, draw(&random), 0 };
            crew_add(&crew, cancel_at_random, &cancellers[i]);
        }
        for (int i = 0; i < TASKS / 2; i++) {
            il_sem_release(&storm.sem);
            released++;
            if (i == TASKS / 4) il_event_set(&storm.event);
            if (below(&random, 3) == 0) sched_yield();
        }
        assert_int_equal(crew_join(&crew), 0);
        for (int i = 0; i < TASKS; i++) {
            int status = il_future_get(futures[i], LATE, NULL);
            assert_true(status == 0 || status == -ECANCELED || status == -ETIMEDOUT);
            assert_int_equal(il_future_get(futures[i], IL_NOW, NULL), status);
        }
        while (il__load_acquire(&storm.callbacks) < TASKS) sched_yield();
        for (int i = 0; i < TASKS; i++) il_future_free(futures[i]);
        assert_int_equal(storm.callbacks, TASKS);
        assert_int_equal(storm.acquired + (int)il_sem_value(&storm.sem), released);
        assert_int_equal(storm.crowded, 0);
        assert_int_equal(il_mutex_lock_until(&storm.mutex, IL_NOW), 0); /* not left locked */
        il_mutex_unlock(&storm.mutex);
        assert_int_equal(il__gate_count(&storm.sem.gate), 0);
        assert_int_equal(il__gate_count(&storm.event.gate), 0);
        count_uses(TASKS);
    }
    il_executor_free(pool);
}

static void futures_are_done_once_whatever_races(void **state)
{
    storm_on(1);
    storm_on(2);
    storm_on(4);
}

/* The whole crowd at once, while it parks, is parked, or wakes. */
static int wait_in_crowd(void *in, void *out)
{
    struct storm *storm = in;
    int status = il_event_wait_until(&storm->event, LATE);
    if (!status) il__add(&storm->passed, 1);
    return status;
}

static void a_crowd_is_cancelled_while_it_is_woken(void **state)
{
    uint64_t random = seed;
    il_executor *pool = pool_of(2);
    for (long round = 0; round < rounds; round++) {
        struct storm storm = { .passed = 0 };
        il_scope *scope = NULL;
        assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = pool }, &scope), 0);
        unsigned crowd = 1 + below(&random, 200);
        for (unsigned i = 0; i < crowd; i++)
            assert_int_equal(il_go(scope, wait_in_crowd, &storm, NULL), 0);
        for (unsigned i = below(&random, 20); i; i--) sched_yield();
        bool first = below(&random, 2);
        if (first) il_event_set(&storm.event);
        il_scope_cancel(scope);
        if (!first) il_event_set(&storm.event);
        int status = il_scope_close(scope);
        assert_int_equal(status, -ECANCELED);
        assert_true(storm.passed <= (int)crowd);
        count_uses(crowd);
        assert_int_equal(il__gate_count(&storm.event.gate), 0);
    }
    il_executor_free(pool);
}

/* Promises that are set, failed, cancelled and dropped by several at once. */
struct scramble {
    il_future **promises;
    uint64_t random;
    int wins;
};

static int scramble(void *in, void *out)
{
    struct scramble *self = in;
    for (int i = 0; i < TASKS; i++) {
        il_future *promise = self->promises[below(&self->random, TASKS)];
        int status = 0;
        switch (below(&self->random, 3)) {
        case 0: status = il_promise_set(promise, NULL); break;
        case 1: status = il_promise_fail(promise, -EIO, "scrambled"); break;
        default: il_future_cancel(promise); continue;
        }
        self->wins += !status;
    }
    return 0;
}

static void promises_are_completed_once_whatever_races(void **state)
{
    uint64_t random = seed;
    for (long round = 0; round < rounds; round++) {
        il_future *promises[TASKS];
        struct scramble scramblers[4];
        struct crew crew;
        static const crew_kind mixed = MIXED;
        const void *kind = &mixed;
        int callbacks = 0, wins = 0, done = 0, cancelled = 0;
        for (int i = 0; i < TASKS; i++) {
            assert_int_equal(il_promise_new(8, &promises[i]), 0);
            assert_int_equal(il_future_on_done(promises[i], count_callback, &callbacks), 0);
        }
        crew_open(&crew, (void **)&kind);
        for (int i = 0; i < 4; i++) {
            scramblers[i] = (struct scramble){ promises, draw(&random), 0 };
            crew_add(&crew, scramble, &scramblers[i]);
        }
        assert_int_equal(crew_join(&crew), 0);
        for (int i = 0; i < 4; i++) wins += scramblers[i].wins;
        for (int i = 0; i < TASKS; i++) {
            done += il_future_done(promises[i]);
            cancelled += il_future_get(promises[i], IL_NOW, NULL) == -ECANCELED;
            il_future_free(promises[i]);
        }
        assert_int_equal(wins, done - cancelled);
        assert_int_equal(callbacks, done);
        count_uses(TASKS);
    }
}

int main(void)
{
    read_environment(IL_TSAN || IL_ASAN ? 60 : 200);
    const struct CMUnitTest tests[] = {
        BOTH(futures_are_done_once_whatever_races),
        BOTH(a_crowd_is_cancelled_while_it_is_woken),
        BOTH(promises_are_completed_once_whatever_races),
    };
    return RUN(tests);
}
