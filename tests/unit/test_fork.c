/* SPDX-License-Identifier: MIT */
/* Fork and join: right in any order, wherever they run, whoever takes them. */

#include "work.h"

/* Run fn(in, NULL) as a task of the executor and give its status. */
static int status_in(il_executor *executor, il_fn *fn, void *in)
{
    il_scope *scope = NULL;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = executor }, &scope), 0);
    assert_int_equal(il_go(scope, fn, in, NULL), 0);
    return il_scope_close(scope);
}

static int fib(void *in, void *out)
{
    long n = *(long *)in, a = 0, b = 0, n1 = n - 1, n2 = n - 2;
    if (n < 2) {
        *(long *)out = n;
        return 0;
    }
    il_fork left;
    il_fork_start(&left, fib, &n1, &a);
    fib(&n2, &b);
    il_fork_join(&left);
    *(long *)out = a + b;
    return 0;
}

static void fib_is_right(void **state)
{
    long n = IL_TSAN ? 18 : 24, result = 0;
    il_future *future = NULL;
    assert_int_equal(il_submit(*state, fib, &n, sizeof n, sizeof n, NULL, &future), 0);
    assert_int_equal(il_future_get(future, LATE, &result), 0);
    assert_int_equal(result, IL_TSAN ? 2584 : 46368);
    il_future_free(future);
}

static void outside_a_pool_a_fork_runs_when_it_is_joined(void **state)
{
    il_fork fork;
    long n = 9, result = 0;
    il_fork_start(&fork, square, &n, &result);
    assert_int_equal(result, 0);
    assert_int_equal(il_fork_join(&fork), 0);
    assert_int_equal(result, 81);

    n = 15;
    assert_int_equal(fib(&n, &result), 0);
    assert_int_equal(result, 610);
}

static void the_status_of_a_fork_comes_back_from_its_join(void **state)
{
    il_fork forks[2];
    int failure = -EIO, success = 0;
    il_fork_start(&forks[0], give, &failure, NULL);
    il_fork_start(&forks[1], give, &success, NULL);
    assert_int_equal(il_fork_join(&forks[1]), 0);
    assert_int_equal(il_fork_join(&forks[0]), -EIO);
}

/* --- Order ----------------------------------------------------------------------------------- */

enum { FORKS = 100 };

enum order { NEWEST_FIRST, OLDEST_FIRST, EVERY_OTHER, FROM_THE_MIDDLE };

struct plan {
    enum order order;
    int count, steps; /* steps: a wait every so many starts, 0: none */
    il_fork *forks;
    long *in, *out;
    int wrong;
};

static int index_in(const struct plan *plan, int i)
{
    switch (plan->order) {
    case NEWEST_FIRST: return plan->count - 1 - i;
    case OLDEST_FIRST: return i;
    case EVERY_OTHER:
        return i < (plan->count + 1) / 2 ? 2 * i : 2 * (i - (plan->count + 1) / 2) + 1;
    default: return (i + plan->count / 2) % plan->count;
    }
}

static int follow(void *in, void *out)
{
    struct plan *plan = in;
    for (int i = 0; i < plan->count; i++) {
        plan->in[i] = i;
        plan->out[i] = -1;
        il_fork_start(&plan->forks[i], square, &plan->in[i], &plan->out[i]);
        if (plan->steps && i % plan->steps == 0) il_yield();
    }
    for (int i = 0; i < plan->count; i++) {
        int at = index_in(plan, i);
        plan->wrong += il_fork_join(&plan->forks[at]) != 0 || plan->out[at] != (long)at * at;
    }
    return 0;
}

static int wrong_in(il_executor *executor, struct plan plan)
{
    plan.forks = calloc((size_t)plan.count, sizeof *plan.forks);
    plan.in = calloc((size_t)plan.count, sizeof *plan.in);
    plan.out = calloc((size_t)plan.count, sizeof *plan.out);
    int status = status_in(executor, follow, &plan);
    free(plan.forks);
    free(plan.in);
    free(plan.out);
    return status ? status : plan.wrong;
}

static void joins_are_right_in_any_order(void **state)
{
    for (int round = 0; round < 20; round++)
        for (int order = NEWEST_FIRST; order <= FROM_THE_MIDDLE; order++)
            assert_int_equal(
                wrong_in(*state, (struct plan){ .order = (enum order)order, .count = FORKS }), 0);
}

static void joins_are_right_when_the_task_waits_between(void **state)
{
    for (int round = 0; round < 10; round++)
        for (int order = NEWEST_FIRST; order <= FROM_THE_MIDDLE; order++)
            for (int steps = 1; steps < FORKS; steps *= 3)
                assert_int_equal(wrong_in(*state, (struct plan){ .order = (enum order)order,
                                                                 .count = FORKS,
                                                                 .steps = steps }),
                                 0);
}

static void forks_over_a_full_deque_are_right(void **state)
{
    for (int order = NEWEST_FIRST; order <= FROM_THE_MIDDLE; order++)
        assert_int_equal(
            wrong_in(*state, (struct plan){ .order = (enum order)order, .count = 20000 }), 0);
}

/* Reused memory: the same fork again and again at one address, some of it stolen. */
static int reuse(void *in, void *out)
{
    int wrong = 0;
    for (long i = 0; i < 3000; i++) {
        il_fork a, b;
        long n = i, m = i + 1, n_squared = 0, m_squared = 0;
        il_fork_start(&a, square, &n, &n_squared);
        il_fork_start(&b, square, &m, &m_squared);
        if (i % 7 == 0) sched_yield();
        wrong += il_fork_join(i % 3 ? &b : &a) != 0;
        wrong += il_fork_join(i % 3 ? &a : &b) != 0;
        wrong += n_squared != i * i || m_squared != (i + 1) * (i + 1);
    }
    return wrong ? -EINVAL : 0;
}

static void a_fork_may_be_used_again_after_its_join(void **state)
{
    assert_int_equal(status_in(*state, reuse, NULL), 0);
}

/* --- Waiting --------------------------------------------------------------------------------- */

struct partners {
    il_event a, b;
};

static int answer(void *in, void *out)
{
    struct partners *partners = in;
    il_event_set(&partners->a);
    return il_event_wait_until(&partners->b, LATE);
}

/* Waits for what only its fork does: parking gives the fork away. */
static int wait_for_own_fork(void *in, void *out)
{
    struct partners partners = { 0 };
    il_fork fork;
    il_fork_start(&fork, answer, &partners, NULL);
    int status = il_event_wait_until(&partners.a, LATE);
    il_event_set(&partners.b);
    int joined = il_fork_join(&fork);
    return status ? status : joined;
}

static void forks_of_a_task_that_waits_are_run_by_others(void **state)
{
    for (int i = 0; i < 100; i++) assert_int_equal(status_in(*state, wait_for_own_fork, NULL), 0);
}

static int tree_that_waits(void *in, void *out)
{
    int depth = *(int *)in - 1, a = 0, b = 0;
    if (depth < 0) {
        il_sleep(il_after(IL_US(50)));
        *(int *)out = 1;
        return 0;
    }
    il_fork left;
    il_fork_start(&left, tree_that_waits, &depth, &a);
    if (depth % 2) il_yield();
    tree_that_waits(&depth, &b);
    il_fork_join(&left);
    *(int *)out = a + b;
    return 0;
}

static void a_tree_of_forks_that_wait_is_right(void **state)
{
    int depth = 9, leaves = 0;
    il_future *future = NULL;
    assert_int_equal(
        il_submit(*state, tree_that_waits, &depth, sizeof depth, sizeof leaves, NULL, &future), 0);
    assert_int_equal(il_future_get(future, LATE, &leaves), 0);
    assert_int_equal(leaves, 512);
    il_future_free(future);
}

/* --- Being stolen ---------------------------------------------------------------------------- */

struct theft {
    bool taken;
    uint64_t thief;
};

static int say_who(void *in, void *out)
{
    struct theft *theft = in;
    il_info me;
    il_self(&me);
    theft->thief = me.id;
    il__store_release(&theft->taken, true);
    return 0;
}

/* Start forks, never waiting, until one of them has been taken by another worker. */
static int be_robbed(void *in, void *out)
{
    bool robbed = false;
    il_time until = LATE;
    while (!robbed && il_now() < until) {
        il_fork forks[2];
        struct theft theft = { 0 }, second = { 0 }; /* a join that runs its fork takes it, too */
        il_fork_start(&forks[0], say_who, &theft, NULL);
        il_fork_start(&forks[1], say_who, &second, NULL);
        for (int i = 0; i < 100 && !il__load_acquire(&theft.taken); i++) sched_yield();
        robbed = il__load_acquire(&theft.taken);
        il_fork_join(&forks[1]);
        il_fork_join(&forks[0]);
    }
    return robbed ? 0 : -ETIMEDOUT;
}

static void an_idle_worker_steals_a_fork(void **state)
{
    il_executor_info info;
    assert_int_equal(status_in(*state, be_robbed, NULL), 0);
    il_executor_describe(*state, &info);
    assert_true(info.stolen > 0);
}

struct stolen_failure {
    bool begun;
};

static int fail_loudly(void *in, void *out)
{
    struct stolen_failure *self = in;
    il__store_release(&self->begun, true);
    return il_fail(-EIO, "a disk is missing");
}

/* Parks, so that the fork is run as a job of its own, then joins it. */
static int join_a_failure(void *in, void *out)
{
    struct stolen_failure self = { 0 };
    il_fork fork;
    il_fork_start(&fork, fail_loudly, &self, NULL);
    while (!il__load_acquire(&self.begun)) il_yield();
    int status = il_fork_join(&fork);
    bool has_words = il_last_error() && !strcmp(il_last_error()->message, "a disk is missing");
    return status == -EIO && has_words ? 0 : -EINVAL;
}

static void the_words_of_a_stolen_failure_come_with_it(void **state)
{
    assert_int_equal(status_in(*state, join_a_failure, NULL), 0);
}

/* --- Scopes and cancellation ----------------------------------------------------------------- */

static int wait_cancelled(void *in, void *out)
{
    return il_event_wait_until(in, LATE) == -ECANCELED ? 0 : -EINVAL;
}

static int fork_and_wait(void *in, void *out)
{
    il_fork forks[10];
    int status = 0;
    for (int i = 0; i < 10; i++) il_fork_start(&forks[i], wait_cancelled, in, NULL);
    int own = wait_cancelled(in, NULL);
    for (int i = 10; i--;) {
        int joined = il_fork_join(&forks[i]);
        if (joined) status = joined;
    }
    return own ? own : status;
}

static void forks_are_cancelled_with_the_task_that_started_them(void **state)
{
    for (int round = 0; round < 20; round++) {
        il_event never = { 0 };
        il_scope *scope = NULL;
        assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
        assert_int_equal(il_go(scope, fork_and_wait, &never, NULL), 0);
        until_waiting(&never.gate, 1);
        il_scope_cancel(scope);
        assert_int_equal(il_scope_close(scope), -ECANCELED);
        assert_int_equal(il__gate_count(&never.gate), 0);
    }
}

/* A fork that is older than a scope is not of that scope. */
static int fork_around_a_scope(void *in, void *out)
{
    struct partners partners = { 0 };
    il_scope *scope = NULL;
    il_fork fork;
    il_fork_start(&fork, answer, &partners, NULL);
    int status = il_scope_open(NULL, &scope);
    if (status) return status;
    il_scope_cancel(scope);
    for (int i = 0; i < 10; i++) il_yield();
    il_scope_close(scope);
    il_event_set(&partners.b);
    return il_fork_join(&fork);
}

static int wait_at(void *event, void *out)
{
    return il_event_wait_until(event, LATE);
}

/* It never waits for anything that can be cancelled, so nothing but the fork needs it in the tree. */
static int give_a_fork_away(void *event, void *out)
{
    il_fork fork;
    il_fork_start(&fork, wait_at, event, NULL);
    il_yield();
    return il_fork_join(&fork);
}

static void a_fork_that_waits_is_cancelled_though_its_task_never_did(void **state)
{
    il_event never = { 0 };
    il_scope *scope = NULL;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    assert_int_equal(il_go(scope, give_a_fork_away, &never, NULL), 0);
    until_waiting(&never.gate, 1);
    il_scope_cancel(scope);
    assert_int_equal(il_scope_close(scope), -ECANCELED);
    assert_int_equal(il__gate_count(&never.gate), 0);
}

static void a_fork_older_than_a_scope_is_not_cancelled_with_it(void **state)
{
    for (int i = 0; i < 50; i++) assert_int_equal(status_in(*state, fork_around_a_scope, NULL), 0);
}

static int yield_a_bit(void *in, void *out)
{
    for (int i = 0; i < 3; i++) il_yield();
    return 0;
}

/* A task in place, which waits and is gone before the fork runs. */
static int fork_around_a_task_in_place(void *in, void *out)
{
    il_executor *here = NULL;
    il_future *future = NULL;
    il_fork forks[20];
    long n = 5, results[20] = { 0 };
    int status = il_inline_new(&here);
    if (status) return status;
    for (int i = 0; i < 20; i++) il_fork_start(&forks[i], square, &n, &results[i]);
    status = il_submit(here, yield_a_bit, NULL, 0, 0, NULL, &future);
    il_future_free(future);
    il_executor_free(here);
    for (int i = 20; i--;) {
        int joined = il_fork_join(&forks[i]);
        if (joined || results[i] != 25) status = -EINVAL;
    }
    return status;
}

static void a_fork_older_than_a_task_in_place_is_not_of_that_task(void **state)
{
    for (int i = 0; i < 50; i++)
        assert_int_equal(status_in(*state, fork_around_a_task_in_place, NULL), 0);
}

static int sleep_a_while(void *in, void *out)
{
    return il_sleep(il_after(IL_MS(10))); /* sleeps: to see whose deadline it obeys */
}

static int sleep_to_the_end(void *in, void *out)
{
    return il_sleep(LATE);
}

/* The task in place waits until its own deadline; the fork, which sleeps longer, is not bound by it. */
static int fork_around_a_short_task_in_place(void *in, void *out)
{
    il_executor *here = NULL;
    il_future *future = NULL;
    il_task_opts opts = { .deadline = il_after(IL_MS(1)) };
    il_fork fork;
    int status = il_inline_new(&here);
    if (status) return status;
    il_fork_start(&fork, sleep_a_while, NULL, NULL);
    status = il_submit(here, sleep_to_the_end, NULL, 0, 0, &opts, &future);
    if (!status) il_future_get(future, LATE, NULL); /* -ETIMEDOUT, which is now seen */
    il_future_free(future);
    il_executor_free(here);
    int joined = il_fork_join(&fork);
    return status ? status : joined;
}

static void a_fork_older_than_a_task_in_place_has_not_its_deadline(void **state)
{
    assert_int_equal(status_in(*state, fork_around_a_short_task_in_place, NULL), 0);
}

/* --- Misuse ---------------------------------------------------------------------------------- */

static il_fork forgotten;

static int forget(void *in, void *out)
{
    static long n = 2, result;
    il_fork_start(&forgotten, square, &n, &result);
    return 0;
}

static void end_without_a_join(void)
{
    il_executor *pool = NULL;
    il_threads_new(&(il_threads_opts){ .workers = 1 }, &pool);
    il_submit(pool, forget, NULL, 0, 0, NULL, NULL);
    for (;;) pause();
}

static void a_task_that_ends_without_joining_is_fatal(void **state)
{
    assert_fatal(end_without_a_join, "without joining 1 of its forks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_EXECUTOR(fib_is_right),
        cmocka_unit_test(outside_a_pool_a_fork_runs_when_it_is_joined),
        cmocka_unit_test(the_status_of_a_fork_comes_back_from_its_join),
        EACH_EXECUTOR(joins_are_right_in_any_order),
        EACH_EXECUTOR(joins_are_right_when_the_task_waits_between),
        EACH_EXECUTOR(forks_over_a_full_deque_are_right),
        EACH_EXECUTOR(a_fork_may_be_used_again_after_its_join),
        EACH_POOL(forks_of_a_task_that_waits_are_run_by_others),
        EACH_EXECUTOR(a_tree_of_forks_that_wait_is_right),
        TWO_WORKERS(an_idle_worker_steals_a_fork),
        EACH_POOL(the_words_of_a_stolen_failure_come_with_it),
        EACH_POOL(forks_are_cancelled_with_the_task_that_started_them),
        EACH_POOL(a_fork_that_waits_is_cancelled_though_its_task_never_did),
        EACH_POOL(a_fork_older_than_a_scope_is_not_cancelled_with_it),
        EACH_POOL(a_fork_older_than_a_task_in_place_is_not_of_that_task),
        EACH_POOL(a_fork_older_than_a_task_in_place_has_not_its_deadline),
        cmocka_unit_test(a_task_that_ends_without_joining_is_fatal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
