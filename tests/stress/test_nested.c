/* SPDX-License-Identifier: MIT */
/*
 * Waiting inside a pool of one worker, as deep as it goes: each task waits for one that can only run
 * while it waits; for its future, its scope, a fork, a map; with a mutex held, or not; and for all of
 * them in turn. Nobody runs on top of a waiter's stack, so the depth costs stacks and nothing else.
 *
 *     IL_DEPTH=N    10000; 8000 under TSan, which ends at 8128 fibers, and 1000 under Valgrind
 *                   or an emulator
 */

#include "chaos.h"

#ifdef IL_VALGRIND
#include <valgrind/valgrind.h>
#endif

enum how { BY_FUTURE, BY_SCOPE, BY_FORK, BY_MAP, KINDS, IN_TURN = KINDS };

struct level {
    il_executor *pool;
    enum how how;
    bool locks;
    long left;
};

static long usual_depth(void)
{
    const char *depth = getenv("IL_DEPTH");
    if (depth) return atol(depth);
#ifdef IL_VALGRIND
    if (RUNNING_ON_VALGRIND) return 1000;
#endif
    if (getenv("IL_RUNNER")) return 1000; /* an emulator */
    return IL_TSAN ? 8000 : 10000;
}

static int descend(void *in, void *out);

static int wait_for_future(struct level *next, long *below)
{
    il_future *future = NULL;
    int status = il_submit(next->pool, descend, next, sizeof *next, sizeof *below, NULL, &future);
    if (!status) status = il_future_get(future, IL_FOREVER, below);
    il_future_free(future);
    return status;
}

static int wait_for_scope(struct level *next, long *below)
{
    il_scope *scope = NULL;
    int status = il_scope_open(NULL, &scope);
    if (status) return status;
    status = il_go(scope, descend, next, below);
    int closed = il_scope_close(scope);
    return status ? status : closed;
}

/* A fork that nobody steals is called by its join. The yield gives it away, so it is waited for. */
static int wait_for_fork(struct level *next, long *below)
{
    il_fork fork;
    il_fork_start(&fork, descend, next, below);
    il_yield();
    return il_fork_join(&fork);
}

static int wait_for_map(struct level *next, long *below)
{
    return il_map(next->pool, descend, next, below, 1, NULL);
}

static int descend(void *in, void *out)
{
    static int (*const waits[])(struct level *, long *) = {
        [BY_FUTURE] = wait_for_future,
        [BY_SCOPE] = wait_for_scope,
        [BY_FORK] = wait_for_fork,
        [BY_MAP] = wait_for_map,
    };
    struct level next = *(struct level *)in;
    long below = 0;
    il_mutex mutex = { 0 };
    if (!next.left) return 0;
    enum how how = next.how == IN_TURN ? (enum how)(next.left % KINDS) : next.how;
    next.left--;
    if (next.locks) il_mutex_lock(&mutex);
    int status = waits[how](&next, &below);
    if (next.locks) il_mutex_unlock(&mutex);
    *(long *)out = below + 1;
    return status;
}

static void reach(enum how how, bool locks)
{
    long depth = usual_depth(), reached = 0;
    il_executor *pool = pool_of(1);
    struct level top = { pool, how, locks, depth };
    assert_int_equal(wait_for_future(&top, &reached), 0);
    assert_int_equal(reached, depth);
    count_uses(depth);
    il_executor_free(pool);
}

static void one_worker_is_enough_by_future(void **state)
{
    reach(BY_FUTURE, false);
    reach(BY_FUTURE, true);
}

static void one_worker_is_enough_by_scope(void **state)
{
    reach(BY_SCOPE, false);
    reach(BY_SCOPE, true);
}

static void one_worker_is_enough_by_fork(void **state)
{
    reach(BY_FORK, false);
    reach(BY_FORK, true);
}

static void one_worker_is_enough_by_map(void **state)
{
    reach(BY_MAP, false);
    reach(BY_MAP, true);
}

static void one_worker_is_enough_by_all_in_turn(void **state)
{
    reach(IN_TURN, false);
    reach(IN_TURN, true);
}

/* The lock is one and the same, and whoever is below wants it too: it comes when all are back. */
struct shared {
    il_executor *pool;
    il_mutex *mutex;
    long left, *in_turn;
};

static int want_the_lock(void *in, void *out)
{
    struct shared *self = in;
    il_mutex_lock(self->mutex);
    ++*self->in_turn;
    il_mutex_unlock(self->mutex);
    return 0;
}

static int hold_the_lock(void *in, void *out)
{
    struct shared *self = in;
    il_scope *scope = NULL;
    int status = il_scope_open(NULL, &scope);
    if (status) return status;
    il_mutex_lock(self->mutex);
    for (long i = 0; i < self->left && !status; i++)
        status = il_go(scope, want_the_lock, self, NULL);
    for (int i = 0; i < 3; i++) il_yield(); /* all of them run into it */
    int result = 0;
    long n = 3, square_of_n = 0;
    il_future *future = NULL;
    if (!status) status = il_submit(self->pool, square, &n, sizeof n, sizeof n, NULL, &future);
    if (!status) result = il_future_get(future, IL_FOREVER, &square_of_n); /* with the lock held */
    il_future_free(future);
    il_mutex_unlock(self->mutex);
    int closed = il_scope_close(scope);
    return status ? status : result ? result : closed;
}

static void a_wait_with_a_lock_that_all_others_want_ends(void **state)
{
    long in_turn = 0;
    il_mutex mutex = { 0 };
    il_executor *pool = pool_of(1);
    struct shared top = { pool, &mutex, usual_depth(), &in_turn };
    il_future *future = NULL;
    assert_int_equal(il_submit(pool, hold_the_lock, &top, sizeof top, 0, NULL, &future), 0);
    assert_int_equal(status_of(future), 0);
    assert_int_equal(in_turn, usual_depth());
    il_executor_free(pool);
}

int main(void)
{
    read_environment(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_worker_is_enough_by_future),
        cmocka_unit_test(one_worker_is_enough_by_scope),
        cmocka_unit_test(one_worker_is_enough_by_fork),
        cmocka_unit_test(one_worker_is_enough_by_map),
        cmocka_unit_test(one_worker_is_enough_by_all_in_turn),
        cmocka_unit_test(a_wait_with_a_lock_that_all_others_want_ends),
    };
    return RUN(tests);
}
