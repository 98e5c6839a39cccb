/* SPDX-License-Identifier: MIT */
/*
 * Steal storms: irregular trees of forks, with waits, joins out of order, scopes and tasks in
 * between, on several workers that rob each other. The sum over the leaves must be right.
 */

#include "chaos.h"

static int fib(void *in, void *out)
{
    long n = *(long *)in, a = 0, b = 0, n1 = n - 1, n2 = n - 2;
    if (n < 2) {
        *(long *)out = n;
        return 0;
    }
    il_fork left;
    il_fork_start(&left, fib, &n1, &a);
    int status = fib(&n2, &b);
    int joined = il_fork_join(&left);
    *(long *)out = a + b;
    return status ? status : joined;
}

static void fib_on(unsigned workers)
{
    il_executor *pool = pool_of(workers);
    for (long round = 0; round < rounds; round++) {
        long n = IL_TSAN || IL_ASAN ? 14 : 18, result = 0;
        il_future *futures[3];
        for (int i = 0; i < 3; i++)
            assert_int_equal(il_submit(pool, fib, &n, sizeof n, sizeof n, NULL, &futures[i]), 0);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(il_future_get(futures[i], LATE, &result), 0);
            assert_int_equal(result, n == 14 ? 377 : 2584);
            count_uses(result);
            il_future_free(futures[i]);
        }
    }
    il_executor_free(pool);
}

static void fib_is_right_on_two_to_eight_workers(void **state)
{
    fib_on(2);
    fib_on(3);
    fib_on(8);
}

/* An irregular tree; each node knows how many leaves it was told to have. */
struct branch {
    uint64_t random;
    long leaves;
};

enum { FORKS = 8 };

static int count_leaves(void *in, void *out);

static void pause_somehow(uint64_t *random)
{
    switch (below(random, 12)) {
    case 0: il_yield(); break;
    case 1: il_sleep(il_after(IL_US(below(random, 50)))); break;
    case 2: sched_yield(); break;
    default: break;
    }
}

/* Join in some order: the place in `order` says which. */
static int join_all(il_fork *forks, unsigned made, uint64_t *random)
{
    unsigned order[FORKS];
    int status = 0;
    for (unsigned i = 0; i < made; i++) order[i] = made - 1 - i;
    if (below(random, 3) == 0)
        for (unsigned i = made; i > 1; i--) {
            unsigned k = below(random, i), swap = order[i - 1];
            order[i - 1] = order[k];
            order[k] = swap;
        }
    for (unsigned i = 0; i < made; i++) {
        pause_somehow(random);
        int joined = il_fork_join(&forks[order[i]]);
        if (joined) status = joined;
    }
    return status;
}

static int split_by_forks(struct branch *self, long *sum)
{
    il_fork forks[FORKS];
    struct branch parts[FORKS];
    long sums[FORKS] = { 0 };
    unsigned made = 0;
    while (self->leaves > 1 && made < FORKS) {
        long share = 1 + (long)below(&self->random, (unsigned)(self->leaves - 1));
        parts[made] = (struct branch){ draw(&self->random), share };
        self->leaves -= share;
        il_fork_start(&forks[made], count_leaves, &parts[made], &sums[made]);
        made++;
        pause_somehow(&self->random);
    }
    long own = 0;
    struct branch rest = { draw(&self->random), self->leaves };
    int status = count_leaves(&rest, &own);
    int joined = join_all(forks, made, &self->random);
    *sum = own;
    for (unsigned i = 0; i < made; i++) *sum += sums[i];
    return status ? status : joined;
}

static int split_by_scope(struct branch *self, long *sum)
{
    struct branch parts[2] = { { draw(&self->random), self->leaves / 2 },
                               { draw(&self->random), self->leaves - self->leaves / 2 } };
    long sums[2] = { 0, 0 };
    il_scope *scope = NULL;
    int status = il_scope_open(NULL, &scope);
    if (status) return status;
    for (int i = 0; i < 2 && !status; i++) status = il_go(scope, count_leaves, &parts[i], &sums[i]);
    int closed = il_scope_close(scope);
    *sum = sums[0] + sums[1];
    return status ? status : closed;
}

static int count_leaves(void *in, void *out)
{
    struct branch self = *(struct branch *)in;
    long *sum = out;
    if (self.leaves <= 1) {
        *sum = self.leaves;
        pause_somehow(&self.random);
        return 0;
    }
    return below(&self.random, 8) ? split_by_forks(&self, sum) : split_by_scope(&self, sum);
}

static void irregular_on(unsigned workers)
{
    uint64_t random = seed + workers;
    il_executor *pool = pool_of(workers);
    for (long round = 0; round < rounds; round++) {
        enum { TREES = 4 };
        il_future *futures[TREES];
        long sizes[TREES], sum = 0;
        for (int i = 0; i < TREES; i++) {
            sizes[i] = 1 + below(&random, 500);
            struct branch root = { draw(&random), sizes[i] };
            assert_int_equal(
                il_submit(pool, count_leaves, &root, sizeof root, sizeof sum, NULL, &futures[i]),
                0);
        }
        for (int i = 0; i < TREES; i++) {
            assert_int_equal(il_future_get(futures[i], LATE, &sum), 0);
            assert_int_equal(sum, sizes[i]);
            count_uses(sizes[i]);
            il_future_free(futures[i]);
        }
    }
    il_executor_free(pool);
}

static void irregular_trees_are_right_on_one_to_eight_workers(void **state)
{
    irregular_on(1);
    irregular_on(2);
    irregular_on(3);
    irregular_on(8);
}

int main(void)
{
    read_environment(IL_TSAN || IL_ASAN ? 15 : 40);
    const struct CMUnitTest tests[] = {
        BOTH(fib_is_right_on_two_to_eight_workers),
        BOTH(irregular_trees_are_right_on_one_to_eight_workers),
    };
    return RUN(tests);
}
