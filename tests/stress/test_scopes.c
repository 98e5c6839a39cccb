/* SPDX-License-Identifier: MIT */
/*
 * Random trees of scopes and tasks, with deadlines, cancellations and errors anywhere. Whatever
 * happens: nothing of a scope is alive after its close, what began has ended, an error comes back
 * only where it may, and no outer cancellation is swallowed by an inner scope.
 */

#include "chaos.h"

struct tree {
    il_executor *executor;
    int begun, ended;
    int alive_after_close, swallowed, spurious;
};

struct node {
    struct tree *tree;
    uint64_t random;
    int depth;
    int *alive; /* children of this scope that have not ended */
};

static int grow(void *in, void *out);

/* A wait of some kind; -ECANCELED or 0. */
static int wait_somehow(uint64_t *random)
{
    il_event never = { 0 };
    switch (below(random, 4)) {
    case 0: il_yield(); return 0;
    case 1: return il_sleep(il_after(IL_US(below(random, 100))));
    case 2: {
        int status = il_event_wait_until(&never, il_after(IL_US(below(random, 200))));
        return status == -ETIMEDOUT ? 0 : status;
    }
    default: return 0;
    }
}

/* Open a scope, fill it with children, perhaps cancel it, close it. */
static int branch(struct node *self)
{
    struct node children[6];
    int alive = 0, status = 0;
    unsigned count = below(&self->random, 6);
    bool before = il_cancelled();
    il_scope *scope = NULL;
    il_scope_opts opts = { .executor = below(&self->random, 3) ? NULL : self->tree->executor };
    if (below(&self->random, 4) == 0) opts.deadline = il_after(IL_US(below(&self->random, 500)));
    if (il_scope_open(&opts, &scope)) return -ENOMEM;

    for (unsigned i = 0; i < count && !status; i++) {
        children[i] = (struct node){ self->tree, draw(&self->random), self->depth - 1, &alive };
        il_task_opts task_opts = { .priority = (int)below(&self->random, 3) - 1,
                                   .retries = below(&self->random, 8) == 0 };
        if (below(&self->random, 8) == 0)
            task_opts.deadline = il_after(IL_US(below(&self->random, 300)));
        status = il_go_with(scope, grow, &children[i], NULL, &task_opts);
    }
    if (below(&self->random, 6) == 0) il_scope_cancel(scope);
    if (below(&self->random, 4) == 0) wait_somehow(&self->random);
    if (below(&self->random, 4) == 0)
        il_scope_wait(scope, il_after(IL_US(below(&self->random, 100))));
    bool inside = il_cancelled();
    status = il_scope_close(scope);

    if (il__load_acquire(&alive)) il__add(&self->tree->alive_after_close, 1);
    if (before && !il_cancelled()) il__add(&self->tree->swallowed, 1);
    if (before && !inside) il__add(&self->tree->swallowed, 1);
    return status;
}

static int grow(void *in, void *out)
{
    struct node self = *(struct node *)in;
    il__add(&self.tree->begun, 1);
    il__add(self.alive, 1);
    int status = wait_somehow(&self.random);
    /* -ECANCELED only because of a cancellation */
    if (status && !il_cancelled()) il__add(&self.tree->spurious, 1);
    if (self.depth > 0 && below(&self.random, 4)) {
        int inner = branch(&self);
        if (!status && below(&self.random, 3) == 0) status = inner;
    }
    if (below(&self.random, 12) == 0) status = il_fail(-EIO, "a branch broke");
    il__sub(self.alive, 1);
    il__add(&self.tree->ended, 1);
    return status;
}

static void grow_trees(unsigned workers)
{
    uint64_t random = seed + workers;
    il_executor *pool = pool_of(workers);
    for (long round = 0; round < rounds; round++) {
        struct tree tree = { .executor = pool };
        int alive = 0;
        struct node root = { &tree, draw(&random), 4, &alive };
        int status = branch(&root);
        assert_true(status == 0 || status == -EIO || status == -ECANCELED || status == -ETIMEDOUT);
        assert_int_equal(tree.begun, tree.ended);
        count_uses(tree.begun);
        assert_int_equal(tree.alive_after_close, 0);
        assert_int_equal(tree.swallowed, 0);
        assert_int_equal(tree.spurious, 0);
        assert_false(il_cancelled());
        assert_null(il__self()->scope);
    }
    il_executor_free(pool);
}

static void trees_leave_nothing_behind_on_one_worker(void **state)
{
    grow_trees(1);
}

static void trees_leave_nothing_behind_on_two_workers(void **state)
{
    grow_trees(2);
}

static void trees_leave_nothing_behind_on_eight_workers(void **state)
{
    grow_trees(8);
}

/* Several trees at a time, each in a thread of its own, and all on one pool. */
struct planter {
    il_executor *pool;
    uint64_t random;
    int wrong;
};

static int plant(void *in, void *out)
{
    struct planter *self = in;
    for (long round = 0; round < rounds / 4; round++) {
        struct tree tree = { .executor = self->pool };
        int alive = 0;
        struct node root = { &tree, draw(&self->random), 3, &alive };
        branch(&root);
        count_uses(tree.begun);
        self->wrong +=
            tree.begun != tree.ended || tree.alive_after_close || tree.swallowed || tree.spurious;
    }
    return self->wrong;
}

static void trees_of_several_threads_share_a_pool(void **state)
{
    enum { PLANTERS = 4 };
    struct planter planters[PLANTERS];
    struct crew crew;
    il_executor *pool = pool_of(2);
    crew_open(&crew, NULL);
    for (unsigned i = 0; i < PLANTERS; i++) {
        planters[i] = (struct planter){ .pool = pool, .random = seed + i * 1000 };
        crew_add(&crew, plant, &planters[i]);
    }
    assert_int_equal(crew_join(&crew), 0);
    il_executor_free(pool);
}

/* A pool that is made, used and freed while tasks come from outside and inside. */
static void pools_come_and_go(void **state)
{
    uint64_t random = seed;
    for (long round = 0; round < rounds; round++) {
        il_executor *pool = pool_of(1 + below(&random, 4));
        int ran = 0;
        unsigned count_of_tasks = below(&random, 40);
        il_event never = { 0 };
        for (unsigned i = 0; i < count_of_tasks; i++) {
            if (below(&random, 4)) il_future_free(submit_pointer(pool, count, &ran));
            else il_future_free(submit_pointer(pool, await, &never));
        }
        if (below(&random, 2)) il_executor_close(pool, il_after(IL_US(below(&random, 100))));
        il_executor_free(pool);
        assert_int_equal(il__gate_count(&never.gate), 0);
    }
}

int main(void)
{
    read_environment(IL_TSAN || IL_ASAN ? 100 : 300);
    const struct CMUnitTest tests[] = {
        BOTH(trees_leave_nothing_behind_on_one_worker),
        BOTH(trees_leave_nothing_behind_on_two_workers),
        BOTH(trees_leave_nothing_behind_on_eight_workers),
        BOTH(trees_of_several_threads_share_a_pool),
        BOTH(pools_come_and_go),
    };
    return RUN(tests);
}
