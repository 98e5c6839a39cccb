/* SPDX-License-Identifier: MIT */
/*
 * Threads that come and go: started, joined by several at once, asked to stop at any moment, and
 * threads that the library did not start, which use it, and end. Each is joined once, its outcome
 * is the same for all who ask, and afterwards nothing of it is left.
 */

#include "chaos.h"

/* --- il_thread ----------------------------------------------------------------------------------- */

enum { STARTERS = 4 };

struct errand {
    uint64_t random;
    il_event *home; /* set by whoever started it, at some time */
};

/* Waits or not; what it returns says how that ended. */
static int run_errand(void *in, void *out)
{
    struct errand *errand = in;
    switch (below(&errand->random, 4)) {
    case 0: return 7;
    case 1: return il_event_wait_until(errand->home, LATE);
    case 2: return il_sleep(il_after(IL_US(below(&errand->random, 50))));
    default: il_yield(); return il_cancelled() ? -ECANCELED : 0;
    }
}

struct joiner {
    il_thread *thread;
    int status;
};

static int join_it(void *in, void *out)
{
    struct joiner *joiner = in;
    joiner->status = il_thread_join(joiner->thread, LATE);
    return 0;
}

struct starter {
    il_executor *pool;
    uint64_t random;
    int line;
};

/* Joins before its time end with the clock or at once, the last one with the thread. */
static int start_and_join(struct starter *self)
{
    il_event home = { 0 };
    il_thread thread = { 0 };
    struct errand errand = { draw(&self->random), &home };
    struct joiner other = { &thread, 1 };
    bool cancels = below(&self->random, 3) == 0, both = below(&self->random, 8) == 0;

    EXPECT(il_thread_start(&thread, run_errand, &errand, NULL, NULL) == 0);
    if (both) {
        il_scope *scope = NULL; /* the joiner on a fiber */
        EXPECT(il_scope_open(&(il_scope_opts){ .executor = self->pool }, &scope) == 0);
        EXPECT(il_go(scope, join_it, &other, NULL) == 0);
        if (below(&self->random, 2)) il_yield();
        il_event_set(&home);
        EXPECT(il_scope_close(scope) == 0);
    }
    int early = il_thread_join(
        &thread, below(&self->random, 2) ? IL_NOW : il_after(IL_US(below(&self->random, 60))));
    EXPECT(early != -ECANCELED || both);
    if (cancels) {
        int asked = il_thread_cancel(&thread);
        EXPECT(asked == 0 || asked == -EALREADY);
    }
    il_event_set(&home);
    int status = il_thread_join(&thread, LATE);
    EXPECT(status == 0 || status == 7 || (status == -ECANCELED && cancels));
    EXPECT(status == il_thread_join(&thread, IL_NOW));
    EXPECT(!both || other.status == status);
    EXPECT(early == -EAGAIN || early == -ETIMEDOUT || early == status);
    EXPECT(il_thread_state(&thread) >= IL_DONE);
    count_uses(1);
    return 0;
}

static int start_again_and_again(void *in, void *out)
{
    struct starter *self = in;
    for (long i = 0; i < rounds && !self->line; i++) self->line = start_and_join(self);
    return self->line;
}

static void threads_end_once_for_all_who_join(void **state)
{
    struct starter starters[STARTERS];
    il_executor *pool = pool_of(2);
    struct crew crew;
    int line = 0;
    uint64_t random = seed;
    size_t before = il_thread_list(NULL, 0);
    crew_open(&crew, state);
    for (int i = 0; i < STARTERS; i++) {
        starters[i] = (struct starter){ pool, draw(&random), 0 };
        crew_add(&crew, start_again_and_again, &starters[i]);
    }
    crew_join(&crew);
    for (int i = 0; i < STARTERS; i++)
        if (starters[i].line) line = starters[i].line;
    if (line) fail_msg("line %d", line);
    assert_int_equal(il_thread_list(NULL, 0), before);
    il_executor_free(pool);
}

/* --- Threads of others --------------------------------------------------------------------------- */

enum { CROWD = 32 };

/* What foreigners meet at. The pool is ours. */
struct town {
    il_executor *pool;
    il_mutex mutex;
    il_cond cond;
    il_sem sem;
    il_rwlock rwlock;
    il_event market;
    long inside, visits; /* guarded by mutex */
    int wrong;           /* atomic: a line */
};

struct foreigner {
    struct town *town;
    uint64_t random;
};

static int lock_town(struct town *town)
{
    il_mutex_lock(&town->mutex);
    long alone = ++town->inside;
    town->visits++;
    if (town->visits % 7 == 0) il_cond_wait_until(&town->cond, &town->mutex, il_after(IL_US(20)));
    else il_cond_notify(&town->cond, 1);
    town->inside--;
    il_mutex_unlock(&town->mutex);
    return alone >= 1 ? 0 : __LINE__;
}

static int use_pool(struct town *town, uint64_t *random)
{
    long n = below(random, 100), square_of_n = 0;
    il_future *future = NULL;
    EXPECT(il_submit(town->pool, square, &n, sizeof n, sizeof n, NULL, &future) == 0);
    bool cancels = below(random, 4) == 0;
    if (cancels) il_future_cancel(future);
    int status = il_future_get(future, LATE, &square_of_n);
    il_future_free(future);
    EXPECT(status == 0 || (status == -ECANCELED && cancels));
    EXPECT(status || square_of_n == n * n);
    return 0;
}

static int map_from_outside(struct town *town)
{
    long in[20], out[20];
    for (long i = 0; i < 20; i++) in[i] = i;
    EXPECT(il_map(town->pool, square, in, out, 20, NULL) == 0);
    for (long i = 0; i < 20; i++) EXPECT(out[i] == i * i);
    return 0;
}

static int use_scope(struct town *town)
{
    long in = 5, out = 0;
    il_scope *scope = NULL;
    EXPECT(il_scope_open(&(il_scope_opts){ .executor = town->pool }, &scope) == 0);
    EXPECT(il_go(scope, square, &in, &out) == 0);
    EXPECT(il_scope_close(scope) == 0);
    EXPECT(out == 25);
    return 0;
}

static int take_seat(struct town *town)
{
    int status = il_sem_acquire_until(&town->sem, LATE);
    EXPECT(status == 0);
    il_rwlock_lock_shared(&town->rwlock);
    il_yield();
    il_rwlock_unlock_shared(&town->rwlock);
    EXPECT(il_sem_release(&town->sem) == 0);
    return 0;
}

/* A visit of one that was not there before and will not be there afterwards. It leaves a note, which
 * goes with it. */
static int visit(struct foreigner *self)
{
    struct town *town = self->town;
    EXPECT(il_thread_self() == NULL);
    il_fail(-EIO, "of a foreigner");
    switch (below(&self->random, 6)) {
    case 0: return lock_town(town);
    case 1: return use_pool(town, &self->random);
    case 2: return map_from_outside(town);
    case 3: return use_scope(town);
    case 4: return take_seat(town);
    default: return il_event_wait_until(&town->market, LATE) ? __LINE__ : 0;
    }
}

static void *visit_as_thread(void *arg)
{
    struct foreigner *self = arg;
    int line = visit(self);
    if (line) il__store(&self->town->wrong, line);
    return NULL;
}

static void foreign_threads_come_and_go_and_leave_nothing(void **state)
{
    struct town town = { .pool = pool_of(2), .sem = { .count = 3 } };
    struct foreigner crowd[CROWD];
    pthread_t threads[CROWD];
    uint64_t random = seed;
    size_t before = il_thread_list(NULL, 0);
    for (long i = 0; i < rounds / 2 + 1; i++) {
        for (int k = 0; k < CROWD; k++) {
            crowd[k] = (struct foreigner){ &town, draw(&random) };
            assert_int_equal(pthread_create(&threads[k], NULL, visit_as_thread, &crowd[k]), 0);
        }
        il_event_set(&town.market);
        for (int k = 0; k < CROWD; k++) pthread_join(threads[k], NULL);
        il_event_clear(&town.market);
        if (town.wrong) fail_msg("line %d", town.wrong);
        assert_int_equal(il_thread_list(NULL, 0), before);
        count_uses(CROWD);
    }
    assert_int_equal(town.inside, 0);
    assert_int_equal(town.mutex.gate.word, 0);
    assert_int_equal(il_sem_value(&town.sem), 3);
    il_executor_free(town.pool);
}

int main(void)
{
    read_environment(IL_TSAN || IL_ASAN ? 60 : 200);
    const struct CMUnitTest tests[] = {
        EACH_CREW_BOTH(threads_end_once_for_all_who_join),
        BOTH(foreign_threads_come_and_go_and_leave_nothing),
    };
    return RUN(tests);
}
