/* SPDX-License-Identifier: MIT */
/*
 * Maps from everywhere at once: threads of both kinds and fibers map over arrays of random length in
 * random chunks on shared pools, inside tasks as well, while items fail, deadlines pass and scopes
 * are cancelled. What is there afterwards must be what a plain loop would have left.
 */

#include "chaos.h"

enum { LONGEST = 60, FAILS = 7 };

struct mapper {
    il_executor *pools[2];
    uint64_t random;
    int line; /* where something was wrong, or 0 */
};

struct item {
    long number;
    bool fails, dawdles;
    int *ran;     /* atomic: of the whole map */
    int *already; /* atomic: this one's */
};

static int work_on(void *in, void *out)
{
    const struct item *item = in;
    int twice = il__add(item->already, 1);
    il__add(item->ran, 1);
    if (item->dawdles) il_yield();
    *(long *)out = item->number * item->number;
    if (twice) return -ENOTRECOVERABLE;
    return item->fails ? -FAILS : 0;
}

struct attempt {
    struct item items[LONGEST];
    long squares[LONGEST];
    int already[LONGEST], ran;
    unsigned count, fail; /* items, and how many of them fail */
    il_map_opts opts;
};

static void prepare(struct attempt *attempt, uint64_t *random)
{
    bool may_fail = below(random, 3) == 0;
    *attempt = (struct attempt){ .count = below(random, LONGEST + 1) };
    for (unsigned i = 0; i < attempt->count; i++) {
        struct item *item = &attempt->items[i];
        *item = (struct item){ .number = (long)below(random, 1000),
                               .fails = may_fail && below(random, 20) == 0,
                               .dawdles = below(random, 16) == 0,
                               .ran = &attempt->ran,
                               .already = &attempt->already[i] };
        attempt->fail += item->fails;
    }
    attempt->opts.chunk = below(random, 2) ? 0 : 1 + below(random, 9);
    attempt->opts.stop_on_error = below(random, 2);
    if (below(random, 4) == 0) attempt->opts.until = il_after(IL_US(below(random, 200)));
}

/* The line of what is not as it should be, or 0. */
static int check(struct attempt *attempt, int status, bool cancelled)
{
    bool may_leave_out = cancelled || attempt->opts.until;
    bool may_stop = may_leave_out || attempt->opts.stop_on_error;
    int ran = 0;
    for (unsigned i = 0; i < attempt->count; i++) {
        struct item *item = &attempt->items[i];
        EXPECT(attempt->already[i] <= 1);
        if (attempt->already[i]) EXPECT(attempt->squares[i] == item->number * item->number);
        ran += attempt->already[i];
    }
    EXPECT(ran == attempt->ran);
    EXPECT(!status || status == -FAILS || may_leave_out);
    EXPECT(status || ran == (int)attempt->count);
    EXPECT(status != -FAILS || attempt->fail);
    EXPECT(status || !attempt->fail);
    EXPECT(may_stop || ran == (int)attempt->count);
    EXPECT(status != -ETIMEDOUT || attempt->opts.until);
    EXPECT(status != -ECANCELED || cancelled);
    return 0;
}

/* One map; sometimes in a scope that is cancelled before it, so that nothing may begin. */
static int map_once(struct mapper *self)
{
    struct attempt attempt;
    il_executor *pool = self->pools[below(&self->random, 2)];
    bool cancels = below(&self->random, 16) == 0;
    il_scope *scope = NULL;
    prepare(&attempt, &self->random);
    if (cancels) {
        EXPECT(il_scope_open(NULL, &scope) == 0);
        il_scope_cancel(scope);
    }
    int status =
        il_map(pool, work_on, attempt.items, attempt.squares, attempt.count, &attempt.opts);
    if (cancels) il_scope_close(scope);
    count_uses(1);
    return check(&attempt, status, cancels);
}

static int map_again_and_again(void *in, void *out)
{
    struct mapper *self = in;
    for (long i = 0; i < rounds && !self->line; i++) self->line = map_once(self);
    return self->line;
}

static void maps_are_what_a_loop_would_be(void **state)
{
    enum { MAPPERS = 6 };
    struct mapper mappers[MAPPERS];
    il_executor *pools[2] = { pool_of(1), pool_of(3) };
    struct crew crew;
    int line = 0;
    uint64_t random = seed;
    crew_open(&crew, state);
    for (int i = 0; i < MAPPERS; i++) {
        mappers[i] = (struct mapper){ { pools[0], pools[1] }, draw(&random), 0 };
        crew_add(&crew, map_again_and_again, &mappers[i]);
    }
    crew_join(&crew);
    for (int i = 0; i < MAPPERS; i++)
        if (mappers[i].line) line = mappers[i].line;
    if (line) fail_msg("line %d", line);
    il_executor_free(pools[0]);
    il_executor_free(pools[1]);
}

/* A task maps on its own pool, and so do the items of that map. */
struct level {
    il_executor *pool;
    int depth;
};

static int descend(void *in, void *out)
{
    struct level *self = in;
    struct level below[3] = { { self->pool, self->depth - 1 },
                              { self->pool, self->depth - 1 },
                              { self->pool, self->depth - 1 } };
    long sums[3] = { 0 };
    *(long *)out = 1;
    if (!self->depth) return 0;
    int status = il_map(self->pool, descend, below, sums, 3, NULL);
    *(long *)out = sums[0] + sums[1] + sums[2];
    count_uses(1);
    return status;
}

static void maps_inside_maps_end(void **state)
{
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        il_executor *pool = pool_of(workers);
        for (long i = 0; i < rounds / 10 + 1; i++) {
            struct level top = { pool, 4 };
            long leaves = 0;
            assert_int_equal(descend(&top, &leaves), 0);
            assert_int_equal(leaves, 81);
        }
        il_executor_free(pool);
    }
}

int main(void)
{
    read_environment(IL_TSAN || IL_ASAN ? 100 : 300);
    const struct CMUnitTest tests[] = {
        EACH_CREW_BOTH(maps_are_what_a_loop_would_be),
        BOTH(maps_inside_maps_end),
    };
    return RUN(tests);
}
