/* SPDX-License-Identifier: MIT */
/*
 * Everybody together: threads that the library did not start, threads that it did, and fibers of
 * two pools use the same mutexes, semaphores, events and conditions, submit to each other's pools,
 * wait for each other's futures, and sleep. All must end, and the sums must be right.
 */

#include "chaos.h"

enum { SLOTS = 8 };

struct world {
    il_executor *pools[2];
    il_mutex mutex;
    il_cond more, less;
    int items[SLOTS], count; /* guarded by mutex */
    long put, taken;         /* guarded by mutex */
    il_sem seats;
    int seated, most_seated;
    il_event turn; /* automatic */
    long turns;
    int wrong;
    long steps;
};

struct member {
    struct world *world;
    uint64_t random;
};

static bool has_room(void *arg)
{
    return ((struct world *)arg)->count < SLOTS;
}

static bool has_item(void *arg)
{
    return ((struct world *)arg)->count > 0;
}

static int put(struct world *world, int number)
{
    il_mutex_lock(&world->mutex);
    int status = il_cond_wait_for(&world->less, &world->mutex, has_room, world, LATE);
    if (!status) {
        world->items[world->count++] = number;
        world->put += number;
        il_cond_notify(&world->more, 1);
    }
    il_mutex_unlock(&world->mutex);
    return status;
}

static int take(struct world *world)
{
    il_mutex_lock(&world->mutex);
    int status = il_cond_wait_for(&world->more, &world->mutex, has_item, world, LATE);
    if (!status) {
        world->taken += world->items[--world->count];
        il_cond_notify(&world->less, 1);
    }
    il_mutex_unlock(&world->mutex);
    return status;
}

static int sit(struct world *world, uint64_t *random)
{
    int status = il_sem_acquire_until(&world->seats, LATE);
    if (status) return status;
    int seated = il__add(&world->seated, 1) + 1;
    if (seated > 3) il__add(&world->wrong, 1);
    if (below(random, 2)) il_yield();
    il__sub(&world->seated, 1);
    return il_sem_release(&world->seats);
}

static int have_a_turn(struct world *world)
{
    int status = il_event_wait_until(&world->turn, LATE);
    if (status) return status;
    world->turns++; /* alone, between wait and set */
    il_event_set(&world->turn);
    return 0;
}

static int ask_a_pool(struct world *world, uint64_t *random)
{
    long n = below(random, 1000), result = 0;
    il_future *future = NULL;
    int status =
        il_submit(world->pools[below(random, 2)], square, &n, sizeof n, sizeof n, NULL, &future);
    if (!status) status = il_future_get(future, LATE, &result);
    if (!status && result != n * n) status = -EINVAL;
    il_future_free(future);
    return status;
}

/* Puts and takes are as many, by each: so all can end. */
static int live(void *in, void *out)
{
    struct member *self = in;
    struct world *world = self->world;
    int status = 0;
    for (long i = 0; i < world->steps && !status; i++) {
        if (!status) status = put(world, (int)below(&self->random, 100));
        if (!status && below(&self->random, 3) == 0) status = sit(world, &self->random);
        if (!status && below(&self->random, 3) == 0) status = have_a_turn(world);
        if (!status && below(&self->random, 8) == 0) status = ask_a_pool(world, &self->random);
        if (!status && below(&self->random, 8) == 0)
            status = il_sleep(il_after(IL_US(below(&self->random, 50))));
        if (!status) status = take(world);
    }
    return status;
}

static void *live_as_foreigner(void *arg)
{
    return (void *)(intptr_t)live(arg, NULL);
}

enum { EACH = 4 };

static void everybody_together(void **state)
{
    uint64_t random = seed;
    struct world world = { .seats = { .count = 3, .max = 3 },
                           .turn = { .automatic = true },
                           .steps = rounds };
    struct member members[4 * EACH];
    pthread_t foreigners[EACH];
    il_thread threads[EACH];
    memset(threads, 0, sizeof threads);
    world.pools[0] = pool_of(1);
    world.pools[1] = pool_of(2);
    for (int i = 0; i < 4 * EACH; i++) members[i] = (struct member){ &world, draw(&random) };
    il_event_set(&world.turn);

    for (int i = 0; i < EACH; i++) {
        assert_int_equal(pthread_create(&foreigners[i], NULL, live_as_foreigner, &members[i]), 0);
        assert_int_equal(il_thread_start(&threads[i], live, &members[EACH + i], NULL, NULL), 0);
    }
    il_scope *scopes[2];
    for (int k = 0; k < 2; k++)
        assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = world.pools[k] }, &scopes[k]),
                         0);
    for (int i = 0; i < 2 * EACH; i++)
        assert_int_equal(il_go(scopes[i % 2], live, &members[2 * EACH + i], NULL), 0);
    int closed[2] = { 0, 0 };
    for (int k = 2; k--;) closed[k] = il_scope_close(scopes[k]);

    for (int i = 0; i < EACH; i++) {
        void *status = NULL;
        pthread_join(foreigners[i], &status);
        assert_null(status);
        assert_int_equal(il_thread_join(&threads[i], LATE), 0);
    }
    assert_int_equal(closed[0], 0);
    assert_int_equal(closed[1], 0);
    assert_int_equal(world.put, world.taken);
    assert_int_equal(world.count, 0);
    assert_int_equal(world.wrong, 0);
    count_uses(4 * EACH * rounds);
    assert_int_equal(il_sem_value(&world.seats), 3);
    il_executor_free(world.pools[0]);
    il_executor_free(world.pools[1]);
}

/* One thread waits for each kind of wake-up that comes from the other side, to and fro. */
struct rally {
    il_event here, there; /* automatic */
    long strokes;
};

static int return_ball(void *in, void *out)
{
    struct rally *rally = in;
    for (long i = 0; i < rally->strokes; i++) {
        int status = il_event_wait_until(&rally->here, LATE);
        if (status) return status;
        il_event_set(&rally->there);
    }
    return 0;
}

static void a_wake_up_to_and_fro_is_never_lost(void **state)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        struct rally rally = { .here = { .automatic = true },
                               .there = { .automatic = true },
                               .strokes = rounds * 10 };
        il_executor *pool = pool_of(workers);
        il_scope *scope = NULL;
        assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = pool }, &scope), 0);
        assert_int_equal(il_go(scope, return_ball, &rally, NULL), 0);
        int status = 0;
        for (long i = 0; i < rally.strokes && !status; i++) {
            il_event_set(&rally.here);
            status = il_event_wait_until(&rally.there, LATE);
        }
        assert_int_equal(il_scope_close(scope), 0);
        assert_int_equal(status, 0);
        count_uses(rally.strokes);
        il_executor_free(pool);
    }
}

/* The pool sleeps and is woken for one task, again and again. */
static void a_sleeping_pool_is_woken_for_each_task(void **state)
{
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        uint64_t random = seed + workers;
        il_executor *pool = pool_of(workers);
        for (long i = 0; i < rounds * 5; i++) {
            int ran = 0;
            il_future *future = submit_pointer(pool, count, &ran);
            assert_int_equal(status_of(future), 0);
            assert_int_equal(ran, 1);
            count_uses(1);
            for (unsigned k = below(&random, 300); k; k--) il__pause();
        }
        il_executor_free(pool);
    }
}

static void close_is_never_missed(void **state)
{
    uint64_t random = seed;
    for (long i = 0; i < rounds; i++) {
        il_executor *pool = pool_of(2);
        int ran = 0;
        unsigned tasks = 1 + below(&random, 4);
        for (unsigned k = 0; k < tasks; k++) il_future_free(submit_pointer(pool, count, &ran));
        assert_int_equal(il_executor_close(pool, LATE), 0);
        assert_int_equal(ran, (int)tasks);
        il_executor_free(pool);
    }
}

int main(void)
{
    read_environment(IL_TSAN || IL_ASAN ? 100 : 300);
    const struct CMUnitTest tests[] = {
        BOTH(everybody_together),
        BOTH(a_wake_up_to_and_fro_is_never_lost),
        BOTH(a_sleeping_pool_is_woken_for_each_task),
        BOTH(close_is_never_missed),
    };
    return RUN(tests);
}
