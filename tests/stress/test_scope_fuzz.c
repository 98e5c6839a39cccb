/* SPDX-License-Identifier: MIT */
/*
 * Random trees of tasks that do everything at once: scopes in scopes, deadlines, cancellations and
 * errors anywhere, and meanwhile sends, receives and selects on shared channels, mutexes held across
 * waits, semaphores, generators, forks. (test_scopes.c has the trees alone.)
 *
 * After each tree: what began has ended; nobody lives that belonged to a scope that was closed; a
 * cancellation or deadline from outside is seen inside and after each scope, and reported by its
 * close; no mutex is locked, no unit of a semaphore missing; every item that was sent was received
 * or is still in the channel. After each pool: no fiber. At the end AddressSanitizer looks at the
 * heap. IL_STRESS is the number of trees.
 */

#include "chaos.h"

enum { CHANS = 3, MUTEXES = 3, UNITS = 3, CHILDREN = 5, TREES_A_POOL = 256, PLANTERS = 4 };

/* What the tasks of a tree share. */
struct world {
    il_executor *executor;
    il_chan *chans[CHANS];
    il_mutex mutexes[MUTEXES];
    il_sem sem;
    int begun, ended;
    long sent, received;
    int wrong; /* the last line at which something was not as it must be */
};

struct node {
    struct world *world;
    uint64_t random;
    int depth;
    int above;    /* mutexes up to this one may be held by those who wait for this node */
    bool bounded; /* there is a deadline somewhere above: it may wait for ever */
    int *alive;   /* nodes of this scope that have not ended */
};

#define MUST(world, condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) il__store(&(world)->wrong, __LINE__);                                    \
    } while (0)

static int act(struct node *self);

static il_time somewhen(struct node *self)
{
    switch (below(&self->random, 8)) {
    case 0: return il_after(IL_US(below(&self->random, 60)));
    case 1: return self->bounded ? IL_FOREVER : PAST;
    case 2: return PAST;
    default: return IL_NOW;
    }
}

/* What a wait may return; what is an error to the node, or 0. */
static int after_wait(struct node *self, int status)
{
    if (status == -ECANCELED) MUST(self->world, il_cancelled());
    return status == -ECANCELED ? status : 0;
}

/* --- What a node may do ------------------------------------------------------------------------- */

static int send_one(struct node *self)
{
    long item = self->depth;
    int status =
        il_chan_send(self->world->chans[below(&self->random, CHANS)], &item, somewhen(self));
    if (!status) il__add(&self->world->sent, 1);
    return after_wait(self, status);
}

static int receive_one(struct node *self)
{
    long item;
    int status =
        il_chan_recv(self->world->chans[below(&self->random, CHANS)], &item, somewhen(self));
    if (!status) il__add(&self->world->received, 1);
    return after_wait(self, status);
}

static int select_one(struct node *self)
{
    struct world *world = self->world;
    long in = 7, out;
    size_t which = 99;
    il_case cases[] = {
        IL_SEND(world->chans[below(&self->random, CHANS)], &in),
        IL_RECV(world->chans[below(&self->random, CHANS)], &out),
        IL_WHEN(below(&self->random, 2), IL_ACQUIRE(&world->sem)),
        IL_WHEN(self->above < MUTEXES - 1, IL_LOCK(&world->mutexes[MUTEXES - 1])),
        IL_WHEN(below(&self->random, 2), IL_AFTER(IL_US(below(&self->random, 60)))),
    };
    il_time until = somewhen(self);
    int status = below(&self->random, 2) ? il_select(cases, 5, until, &which)
                                         : il_select_fair(cases, 5, until, &which);
    if (status) return after_wait(self, status);
    if (which == 0) il__add(&world->sent, 1);
    if (which == 1) il__add(&world->received, 1);
    if (which == 2) il_sem_release(&world->sem);
    if (which == 3) il_mutex_unlock(&world->mutexes[MUTEXES - 1]);
    return 0;
}

/* Something else, while a mutex is held. Only upwards, also for those that it waits for: else they
 * would wait for each other. */
static int hold_a_mutex(struct node *self)
{
    struct node inner = *self;
    inner.above = self->above + 1 + (int)below(&self->random, 2);
    if (inner.above >= MUTEXES) return 0;
    il_mutex *mutex = &self->world->mutexes[inner.above];
    if (below(&self->random, 2)) {
        il_mutex_lock(mutex);
    } else {
        int status = il_mutex_lock_until(mutex, somewhen(self));
        if (status) return after_wait(self, status);
    }
    int status = act(&inner);
    MUST(self->world, il_mutex_held(mutex));
    il_mutex_unlock(mutex);
    self->random = inner.random;
    return status;
}

static int hold_a_unit(struct node *self)
{
    int status = il_sem_acquire_until(&self->world->sem, somewhen(self));
    if (status) return after_wait(self, status);
    status = receive_one(self);
    MUST(self->world, !il_sem_release(&self->world->sem));
    return status;
}

static int tell(void *in, void *out)
{
    struct node self = *(struct node *)in;
    int status = 0;
    for (long n = 0; !status && n < 5; n++) {
        status = below(&self.random, 2) ? send_one(&self) : receive_one(&self);
        if (!status) status = il_generator_yield(out, &n);
    }
    return status ? status : below(&self.random, 4) ? 0 : -EIO;
}

struct told {
    il_generator *generator; /* NULL: there is none */
    struct node node;
};

static int begin_to_tell(struct node *self, struct told *told)
{
    *told = (struct told){ .node = *self };
    told->node.random = draw(&self->random);
    return il_generator_new(self->world->executor, tell, &told->node, sizeof(long), NULL,
                            &told->generator);
}

/* Some of its values, or all. */
static int listen(struct node *self, struct told *told)
{
    long expected = 0, value = 0;
    int status = 0;
    for (unsigned i = below(&self->random, 8); !status && i; i--) {
        status = il_generator_next(told->generator, &value, LATE);
        if (!status) MUST(self->world, value == expected++);
    }
    MUST(self->world, status != -ETIMEDOUT || il_cancelled()); /* the scope's, not ours */
    return status == -ECANCELED ? status : 0; /* it may have been told of that before we are */
}

/* It has ended; a value that somebody asked for and did not wait for may still be there. */
static bool is_over(il_generator *generator)
{
    long value;
    return il_generator_next(generator, &value, LATE) < 0 ||
           il_generator_next(generator, &value, LATE) < 0;
}

static int ask_a_generator(struct node *self)
{
    struct told told;
    int status = begin_to_tell(self, &told);
    if (!status) status = listen(self, &told);
    il_generator_free(told.generator);
    return status;
}

static int fork_two(struct node *self)
{
    long in[2] = { 3, 4 }, out[2] = { 0 };
    il_fork one;
    il_fork_start(&one, square, &in[0], &out[0]);
    int status = below(&self->random, 2) ? send_one(self) : square(&in[1], &out[1]);
    MUST(self->world, !il_fork_join(&one) && out[0] == 9);
    return status;
}

/* --- Trees -------------------------------------------------------------------------------------- */

static int grow(void *in, void *out);

/* Open a scope, fill it with children, do something inside, perhaps cancel it, close it. */
static int branch(struct node *self)
{
    struct world *world = self->world;
    struct node children[CHILDREN];
    struct told told = { 0 };
    int alive = 0, status = 0;
    bool before = il_cancelled();
    il_scope *scope = NULL;
    il_scope_opts opts = { .executor = below(&self->random, 4) ? world->executor : NULL };
    if (below(&self->random, 4) == 0) opts.deadline = il_after(IL_US(below(&self->random, 200)));
    if (il_scope_open(&opts, &scope)) return -ENOMEM;

    if (below(&self->random, 6) == 0 && !begin_to_tell(self, &told)) listen(self, &told);
    for (unsigned i = below(&self->random, CHILDREN); i && !status; i--) {
        children[i] = (struct node){
            .world = world,
            .random = draw(&self->random),
            .depth = self->depth - 1,
            .above = self->above,
            .bounded = self->bounded || opts.deadline,
            .alive = &alive,
        };
        il_task_opts task_opts = { .priority = (int)below(&self->random, 3) - 1,
                                   .retries = below(&self->random, 8) == 0 };
        if (below(&self->random, 8) == 0)
            task_opts.deadline = il_after(IL_US(below(&self->random, 200)));
        status = il_go_with(scope, grow, &children[i], NULL, &task_opts);
    }
    if (below(&self->random, 8) == 0) il_scope_cancel(scope);
    if (below(&self->random, 3) == 0) act(self);
    if (below(&self->random, 6) == 0) il_scope_wait(scope, somewhen(self));
    bool inside = il_cancelled();
    status = il_scope_close(scope);

    MUST(world, !il__load_acquire(&alive));
    MUST(world, !before || (inside && il_cancelled()));
    MUST(world, !inside || status < 0);
    MUST(world, !told.generator || is_over(told.generator));
    il_generator_free(told.generator);
    return status;
}

static int act(struct node *self)
{
    switch (below(&self->random, 14)) {
    case 0: return send_one(self);
    case 1: return receive_one(self);
    case 2: return select_one(self);
    case 3: return hold_a_mutex(self);
    case 4: return hold_a_unit(self);
    case 5: return ask_a_generator(self);
    case 6: return fork_two(self);
    case 7: il_yield(); return 0;
    default: return self->depth > 0 ? branch(self) : send_one(self);
    }
}

static int grow(void *in, void *out)
{
    struct node self = *(struct node *)in;
    struct world *world = self.world;
    il__add(&world->begun, 1);
    il__add(self.alive, 1);
    int status = 0;
    for (unsigned i = 1 + below(&self.random, 3); i && !status; i--) status = act(&self);
    if (below(&self.random, 12) == 0) status = il_fail(-EIO, "a branch broke");
    il__sub(self.alive, 1);
    il__add(&world->ended, 1);
    return status;
}

/* --- Planting ----------------------------------------------------------------------------------- */

static int open_world(struct world *world, il_executor *executor, uint64_t *random)
{
    *world = (struct world){ .executor = executor, .sem = { .count = UNITS, .max = UNITS } };
    for (int i = 0; i < CHANS; i++) {
        il_chan_opts opts = { .capacity = i == 0 ? 0 : i == 1 ? 2 : IL_UNBOUNDED };
        if (i && below(random, 2)) opts.order = IL_LIFO;
        if (il_chan_new(sizeof(long), &opts, &world->chans[i])) return -ENOMEM;
    }
    return 0;
}

/* Nobody is left: everything is as it was. Returns a line, or 0. */
static int close_world(struct world *world)
{
    long left = 0;
    for (int i = 0; i < CHANS; i++) {
        left += (long)il_chan_length(world->chans[i]);
        il_chan_free(world->chans[i]);
    }
    MUST(world, world->sent == world->received + left);
    MUST(world, world->begun == world->ended);
    MUST(world, il_sem_value(&world->sem) == UNITS);
    for (int i = 0; i < MUTEXES; i++) {
        bool free = !il_mutex_lock_until(&world->mutexes[i], IL_NOW);
        MUST(world, free);
        if (free) il_mutex_unlock(&world->mutexes[i]);
    }
    MUST(world, !il_cancelled() && !il__self()->scope);
    return world->wrong;
}

struct planter {
    il_executor *pool;
    uint64_t seed; /* of its first tree; that of the one that went wrong */
    long trees;
    int wrong;
};

static int plant(void *in, void *out)
{
    struct planter *self = in;
    uint64_t random = self->seed;
    for (; self->trees && !self->wrong; self->trees--) {
        struct world world;
        self->seed = random;
        struct node root = { .world = &world, .random = draw(&random), .depth = 3, .above = -1 };
        if (open_world(&world, self->pool, &random)) return -ENOMEM;
        branch(&root);
        self->wrong = close_world(&world);
    }
    return self->wrong;
}

/* `planters` threads plant the trees of one pool; more than one: they share its workers. */
static void plant_all(unsigned workers, int planters)
{
    uint64_t random = seed + workers;
    for (long left = rounds; left > 0; left -= TREES_A_POOL) {
        struct planter all[PLANTERS];
        struct crew crew;
        il_executor *pool = pool_of(workers);
        long trees = left < TREES_A_POOL ? left : TREES_A_POOL;
        crew_open(&crew, NULL);
        for (int i = 0; i < planters; i++) {
            all[i] = (struct planter){
                .pool = pool,
                .seed = draw(&random),
                .trees = (trees + i) / planters,
            };
            crew_add(&crew, plant, &all[i]);
        }
        crew_join(&crew);
        for (int i = 0; i < planters; i++)
            if (all[i].wrong)
                fail_msg("line %d, tree %llu", all[i].wrong, (unsigned long long)all[i].seed);
        assert_int_equal(il_executor_close(pool, LATE), 0);
        assert_int_equal(il_fiber_list(NULL, 0), 0);
        il_executor_free(pool);
    }
}

static void trees_leave_everything_as_it_was_on_one_worker(void **state)
{
    plant_all(1, 1);
}

static void trees_leave_everything_as_it_was_on_two_workers(void **state)
{
    plant_all(2, 1);
}

static void trees_of_several_threads_leave_everything_as_it_was(void **state)
{
    plant_all(3, PLANTERS);
}

int main(void)
{
    read_environment(IL_TSAN || IL_ASAN ? 500 : 2000);
    const struct CMUnitTest tests[] = {
        BOTH(trees_leave_everything_as_it_was_on_one_worker),
        BOTH(trees_leave_everything_as_it_was_on_two_workers),
        BOTH(trees_of_several_threads_leave_everything_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
