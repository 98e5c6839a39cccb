/* SPDX-License-Identifier: MIT */
/* Fibers: waiting inside a pool, many of them, their stacks, and what moves with them. */

#include "base/sanitize.h"
#include "work.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

/* --- Waiting inside a pool ------------------------------------------------------------------- */

static bool on_valgrind(void)
{
#ifdef RUNNING_ON_VALGRIND
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

/* ThreadSanitizer keeps a shadow for each fiber; Valgrind is slow, and so is the mapping of a guard
 * each under an emulator. */
static bool stacks_are_dear(void)
{
    return IL_TSAN || on_valgrind() || getenv("IL_RUNNER");
}

static int depth_of_nest(void)
{
    return stacks_are_dear() ? 1000 : 10000;
}

struct nest {
    il_executor *executor;
    long depth;
    bool with_lock;
};

static int nest(void *in, void *out)
{
    struct nest self = *(struct nest *)in;
    il_mutex mutex = { 0 };
    il_future *inner = NULL;
    long below = 0;
    if (!self.depth--) return 0;
    if (self.with_lock) il_mutex_lock(&mutex);
    int status = il_submit(self.executor, nest, &self, sizeof self, sizeof below, NULL, &inner);
    if (!status) status = il_future_get(inner, LATE, &below);
    if (self.with_lock) il_mutex_unlock(&mutex);
    il_future_free(inner);
    *(long *)out = below + 1;
    return status;
}

static void nest_to_the_bottom(il_executor *executor, bool with_lock)
{
    long wanted = depth_of_nest(), depth = 0;
    struct nest top = { executor, wanted, with_lock };
    il_future *future = NULL;
    assert_int_equal(il_submit(executor, nest, &top, sizeof top, sizeof depth, NULL, &future), 0);
    assert_int_equal(il_future_get(future, LATE, &depth), 0);
    assert_int_equal(depth, wanted);
    il_future_free(future);
}

static void tasks_wait_for_tasks_ten_thousand_deep(void **state)
{
    nest_to_the_bottom(*state, false);
}

static void tasks_wait_ten_thousand_deep_with_a_mutex_held_each(void **state)
{
    nest_to_the_bottom(*state, true);
}

/* All want the same mutex and wait for another task while they have it: a pool that runs other
 * tasks on top of one that waits locks itself out. */
struct shared_lock {
    il_executor *executor;
    il_mutex mutex;
    int inside, wrong, done;
};

static int hold_and_wait(void *in, void *out)
{
    struct shared_lock *shared = *(struct shared_lock **)in;
    il_future *inner = NULL;
    il_mutex_lock(&shared->mutex);
    shared->wrong += shared->inside++ != 0;
    int status = il_submit(shared->executor, nothing, NULL, 0, 0, NULL, &inner);
    if (!status) status = il_future_get(inner, LATE, NULL);
    shared->inside--;
    shared->done++;
    il_mutex_unlock(&shared->mutex);
    il_future_free(inner);
    return status;
}

static void waiting_with_a_lock_held_that_the_others_want_is_fine(void **state)
{
    enum { TASKS = 500 };
    struct shared_lock shared = { .executor = *state };
    il_future *futures[TASKS];
    for (int i = 0; i < TASKS; i++) futures[i] = submit_pointer(*state, hold_and_wait, &shared);
    for (int i = 0; i < TASKS; i++) assert_int_equal(status_of(futures[i]), 0);
    assert_int_equal(shared.done, TASKS);
    assert_int_equal(shared.wrong, 0);
}

/* --- Many ------------------------------------------------------------------------------------ */

static unsigned crowd_size(void)
{
    return stacks_are_dear() ? 2000 : IL_ASAN ? 5000 : 50000;
}

struct crowd {
    il_event start;
    il_latch here;
    int woken;
};

static int stand_in_the_crowd(void *in, void *out)
{
    struct crowd *crowd = in;
    il_latch_count_down(&crowd->here, 1);
    int status = il_event_wait_until(&crowd->start, LATE);
    il__add(&crowd->woken, status == 0);
    return status;
}

static void fifty_thousand_may_wait_at_once(void **state)
{
    for (int round = 0; round < 2; round++) {
        unsigned size = crowd_size();
        struct crowd crowd = { .here = { .count = size } };
        il_scope *scope = NULL;
        assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
        for (unsigned i = 0; i < size; i++)
            assert_int_equal(il_go(scope, stand_in_the_crowd, &crowd, NULL), 0);
        il_latch_wait(&crowd.here);
        il_event_set(&crowd.start);
        assert_int_equal(il_scope_close(scope), 0);
        assert_int_equal(crowd.woken, size);
    }
}

static void fifty_thousand_are_cancelled_at_once(void **state)
{
    unsigned size = crowd_size();
    struct crowd crowd = { .here = { .count = size } };
    il_scope *scope = NULL;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    for (unsigned i = 0; i < size; i++)
        assert_int_equal(il_go(scope, stand_in_the_crowd, &crowd, NULL), 0);
    il_latch_wait(&crowd.here);
    il_scope_cancel(scope);
    assert_int_equal(il_scope_close(scope), -ECANCELED);
    assert_int_equal(crowd.woken, 0);
}

/* --- Sleeping -------------------------------------------------------------------------------- */

struct sleeper {
    il_time until, woke;
    int status;
};

static int sleep_until(void *in, void *out)
{
    struct sleeper *sleeper = in;
    sleeper->status = il_sleep(sleeper->until);
    sleeper->woke = il_now();
    return 0;
}

static void sleepers_wake_when_their_time_has_come(void **state)
{
    enum { SLEEPERS = 200 };
    struct sleeper sleepers[SLEEPERS];
    il_scope *scope = NULL;
    il_time begin = il_now();
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    for (int i = 0; i < SLEEPERS; i++) {
        sleepers[i] = (struct sleeper){ .until = begin + IL_MS(i * 37 % 50) - IL_MS(5) };
        assert_int_equal(il_go(scope, sleep_until, &sleepers[i], NULL), 0);
    }
    assert_int_equal(il_scope_close(scope), 0);
    for (int i = 0; i < SLEEPERS; i++) {
        assert_int_equal(sleepers[i].status, 0);
        assert_true(sleepers[i].woke >= sleepers[i].until);
    }
}

/* A pool that has fallen asleep with a timer far away has to be told of one that is near. */
static void a_nearer_timer_is_kept_by_a_pool_that_sleeps(void **state)
{
    il_event never = { 0 };
    struct sleeper near = { .until = 0 };
    il_scope *scope = NULL;
    il_future *far = submit_pointer(*state, await, &never);
    until_waiting(&never.gate, 1);
    for (int i = 0; i < 5; i++) {
        il_sleep(il_after(IL_MS(2))); /* let the workers fall asleep, as far as they want to */
        near = (struct sleeper){ .until = il_after(IL_MS(2)) };
        assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
        assert_int_equal(il_go(scope, sleep_until, &near, NULL), 0);
        assert_int_equal(il_scope_close(scope), 0);
        assert_int_equal(near.status, 0);
    }
    il_event_set(&never);
    assert_int_equal(status_of(far), 0);
}

/* The other worker is busy for as long as the test likes: the sleeper needs the one that sleeps. */
static void a_timer_is_kept_while_a_worker_is_busy(void **state)
{
    struct occupation job;
    struct sleeper sleeper = { .until = il_after(IL_MS(10)) };
    il_scope *scope = NULL;
    il_future *busy = occupy_worker(*state, &job);
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    assert_int_equal(il_go(scope, sleep_until, &sleeper, NULL), 0);
    assert_int_equal(il_scope_close(scope), 0);
    assert_int_equal(sleeper.status, 0);
    release_worker(&job, busy);
}

static il_future *submit_sleeper(il_executor *pool, il_time until)
{
    struct sleeper sleeper = { .until = until };
    il_future *future = NULL;
    assert_int_equal(il_submit(pool, sleep_until, &sleeper, sizeof sleeper, 0, NULL, &future), 0);
    return future;
}

/* The worker that was woken by the first timer sleeps last, until the second, and so is the first to be
 * woken for a long job: the other one takes over. */
static void a_timer_is_kept_when_its_keeper_gets_work(void **state)
{
    for (int i = 0; i < 10; i++) {
        struct occupation job;
        il_future *first = submit_sleeper(*state, il_after(IL_MS(3)));
        il_future *second = submit_sleeper(*state, il_after(IL_MS(15)));
        assert_int_equal(status_of(first), 0);
        il_sleep(il_after(IL_MS(2))); /* sleeps: the workers are to, as far as they want */
        il_future *busy = occupy_worker(*state, &job);
        int status = status_of(second);
        release_worker(&job, busy);
        assert_int_equal(status, 0);
    }
}

/* --- Yielding -------------------------------------------------------------------------------- */

struct ping_pong {
    int turn, moves, wrong;
};

static int play(void *in, void *out)
{
    struct ping_pong *game = *(struct ping_pong **)in;
    int me = il__add(&game->turn, 1) & 1;
    for (int i = 0; i < 1000; i++) {
        while ((il__load_acquire(&game->moves) & 1) != me) il_yield();
        il__add(&game->moves, 1);
    }
    return 0;
}

static void fibers_that_yield_take_turns(void **state)
{
    struct ping_pong game = { 0 };
    il_future *a = submit_pointer(*state, play, &game), *b = submit_pointer(*state, play, &game);
    assert_int_equal(status_of(a), 0);
    assert_int_equal(status_of(b), 0);
    assert_int_equal(game.moves, 2000);
}

/* Whichever of them a worker takes first, the other worker has to come for the rest. */
static void what_is_runnable_is_run_while_a_worker_is_free(void **state)
{
    for (int round = 0; round < 200; round++) {
        struct occupation job = { false, false };
        int ran = 0;
        il_future *others[4];
        il_future *busy = submit_pointer(*state, occupy, &job);
        for (int i = 0; i < 4; i++) others[i] = submit_pointer(*state, count, &ran);
        for (int i = 0; i < 4; i++) assert_int_equal(status_of(others[i]), 0);
        release_worker(&job, busy);
    }
}

/* --- What moves with a fiber ----------------------------------------------------------------- */

static il_local local;
static int moved;

struct traveller {
    int number, rounds, wrong;
};

static int travel(void *in, void *out)
{
    struct traveller *self = in;
    il_info before, after;
    self->wrong += il_local_get(&local) != NULL;
    il_local_set(&local, self);
    *il_errno() = self->number;
    for (int i = 0; i < self->rounds; i++) {
        il_self(&before);
        if (i % 3) il_yield();
        else il_sleep(il_after(IL_US(20)));
        il_self(&after);
        if (before.kernel_id != after.kernel_id) il__add(&moved, 1);
        self->wrong += *il_errno() != self->number;
        self->wrong += il_local_get(&local) != self;
        *il_errno() = self->number;
        if (before.id != after.id) self->wrong++;
    }
    il_local_set(&local, NULL);
    return 0;
}

static void errno_and_locals_move_with_the_fiber(void **state)
{
    enum { TRAVELLERS = 16 };
    struct traveller travellers[TRAVELLERS];
    il_scope *scope = NULL;
    moved = 0;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    for (int i = 0; i < TRAVELLERS; i++) {
        travellers[i] = (struct traveller){ .number = 1000 + i, .rounds = IL_TSAN ? 200 : 2000 };
        assert_int_equal(il_go(scope, travel, &travellers[i], NULL), 0);
    }
    assert_int_equal(il_scope_close(scope), 0);
    for (int i = 0; i < TRAVELLERS; i++) assert_int_equal(travellers[i].wrong, 0);
    il_executor_info info;
    il_executor_describe(*state, &info);
    if (info.workers > 1) assert_true(moved > 0);
}

static int look_at_errno(void *in, void *out)
{
    il_event *event = *(il_event **)in;
    *il_errno() = 77;
    il_event_wait(event);
    return *il_errno() == 77 ? 0 : -EINVAL;
}

static void errno_survives_a_wait(void **state)
{
    for (int round = 0; round < 100; round++) {
        il_event event = { 0 };
        il_future *future = submit_pointer(*state, look_at_errno, &event);
        until_waiting(&event.gate, 1);
        il_event_set(&event);
        assert_int_equal(status_of(future), 0);
    }
}

static int leave_a_local(void *in, void *out)
{
    if (il_local_get(&local)) return -EBUSY;
    il_local_set(&local, &local);
    return 0;
}

static void a_task_begins_with_all_locals_null(void **state)
{
    for (int i = 0; i < 50; i++) {
        il_future *future = NULL;
        assert_int_equal(il_submit(*state, leave_a_local, NULL, 0, 0, NULL, &future), 0);
        assert_int_equal(status_of(future), 0);
    }
}

static void a_task_in_place_leaves_the_locals_of_its_caller_alone(void **state)
{
    int mine;
    il_executor *here = NULL;
    il_future *future = NULL;
    assert_int_equal(il_inline_new(&here), 0);
    il_local_set(&local, &mine);
    assert_int_equal(il_submit(here, leave_a_local, NULL, 0, 0, NULL, &future), 0);
    assert_int_equal(status_of(future), 0);
    assert_ptr_equal(il_local_get(&local), &mine);
    il_local_set(&local, NULL);
    il_executor_free(here);
}

/* --- Stacks ---------------------------------------------------------------------------------- */

/* The caller's frame is looked at, so that it cannot be a loop. */
static int __attribute__((noinline)) dig(int depth, volatile char *above)
{
    volatile char space[1000];
    space[0] = 0;
    return depth ? dig(depth - 1, space) + 1 + space[0] : above[0];
}

static int dig_deep(void *in, void *out)
{
    volatile char top = 0;
    return dig(*(int *)in, &top) == *(int *)in ? 0 : -EINVAL;
}

static void a_stack_is_as_large_as_asked_for(void **state)
{
    il_executor *pool = NULL;
    int depth = 3500; /* 3.5 MB and more */
    il_future *future = NULL;
    assert_int_equal(
        il_threads_new(&(il_threads_opts){ .workers = 1, .stack_size = 8 << 20 }, &pool), 0);
    assert_int_equal(il_submit(pool, dig_deep, &depth, sizeof depth, 0, NULL, &future), 0);
    assert_int_equal(status_of(future), 0);
    il_executor_free(pool);
}

static int dig_for_ever(void *in, void *out)
{
    volatile char top = 0;
    return dig(1 << 30, &top);
}

static int overflow_small(void)
{
    il_executor *pool = NULL;
    il_threads_new(&(il_threads_opts){ .workers = 2, .stack_size = 32 * 1024 }, &pool);
    il_submit(pool, dig_for_ever, NULL, 0, 0, &(il_task_opts){ .name = "mole" }, NULL);
    for (;;) pause();
    return 0;
}

static int wait_then_dig(void *in, void *out)
{
    il_sleep(il_after(IL_MS(1)));
    il_yield();
    volatile char top = 0;
    return dig(1 << 30, &top);
}

static int overflow_after_a_wait(void)
{
    il_executor *pool = NULL;
    il_threads_new(&(il_threads_opts){ .workers = 2 }, &pool);
    il_submit(pool, wait_then_dig, NULL, 0, 0, &(il_task_opts){ .name = "badger" }, NULL);
    for (;;) pause();
    return 0;
}

static int __attribute__((noinline)) leap(int depth, volatile char *above)
{
    volatile char space[3 * 4096]; /* frames that could step over a guard of one page */
    space[0] = 0;
    return depth ? leap(depth - 1, space) + 1 + space[0] : above[0];
}

static int leap_for_ever(void *in, void *out)
{
    volatile char top = 0;
    return leap(1 << 30, &top);
}

static int overflow_in_leaps(void)
{
    il_executor *pool = NULL;
    il_threads_new(&(il_threads_opts){ .workers = 2 }, &pool);
    il_submit(pool, leap_for_ever, NULL, 0, 0, &(il_task_opts){ .name = "frog" }, NULL);
    for (;;) pause();
    return 0;
}

static void an_overflow_names_the_fiber(void **state)
{
    assert_fatal_in_child("overflow_small", "fiber \"mole\" overflowed its stack");
    assert_fatal_in_child("overflow_after_a_wait", "fiber \"badger\" overflowed its stack");
}

static void an_overflow_in_large_frames_names_the_fiber(void **state)
{
    assert_fatal_in_child("overflow_in_leaps", "fiber \"frog\" overflowed its stack");
}

static int fault_elsewhere(void)
{
    il_executor *pool = NULL;
    il_threads_new(&(il_threads_opts){ .workers = 1 }, &pool);
    volatile uintptr_t nowhere = 16;
    *(volatile int *)nowhere = 1;
    return 0;
}

static void a_fault_elsewhere_stays_what_it_was(void **state)
{
    char words[2000];
    int ended = in_child("fault_elsewhere", words, sizeof words);
    assert_int_not_equal(ended, 0);
    if (!IL_ASAN && !IL_TSAN) assert_int_equal(ended, 256 + SIGSEGV);
    assert_null(strstr(words, "overflowed its stack"));
}

/* --- Races that ThreadSanitizer is to see ---------------------------------------------------- */

static int race_on_it(void *in, void *out)
{
    volatile int *number = *(int **)in;
    for (int i = 0; i < 10; i++) {
        *number = *number + 1;
        il_yield();
    }
    return 0;
}

static int race_of_two_fibers(void)
{
    static int number;
    struct occupation job;
    il_executor *pool = NULL;
    il_threads_new(&(il_threads_opts){ .workers = 1 }, &pool);
    il_future *busy = occupy_worker(pool, &job); /* so that neither ends before the other begins */
    il_future *a = submit_pointer(pool, race_on_it, &number);
    il_future *b = submit_pointer(pool, race_on_it, &number);
    release_worker(&job, busy);
    il_future_get(a, LATE, NULL);
    il_future_get(b, LATE, NULL);
    il_future_free(a);
    il_future_free(b);
    il_executor_free(pool);
    return 0;
}

static void a_race_between_fibers_of_one_worker_is_reported(void **state)
{
    char words[20000];
    if (!IL_TSAN) skip();
    for (int i = 0; i < 10; i++) {
        int ended = in_child("race_of_two_fibers", words, sizeof words);
        assert_int_not_equal(ended, 0);
        assert_says(words, "data race");
        assert_says(words, "race_on_it");
    }
}

static const struct body bodies[] = {
    { "overflow_small", overflow_small },
    { "overflow_after_a_wait", overflow_after_a_wait },
    { "overflow_in_leaps", overflow_in_leaps },
    { "fault_elsewhere", fault_elsewhere },
    { "race_of_two_fibers", race_of_two_fibers },
    { 0 },
};

int main(int argc, char **argv)
{
    run_body_if_asked(argc, argv, bodies);
    const struct CMUnitTest tests[] = {
        EACH_POOL(tasks_wait_for_tasks_ten_thousand_deep),
        EACH_POOL(tasks_wait_ten_thousand_deep_with_a_mutex_held_each),
        EACH_POOL(waiting_with_a_lock_held_that_the_others_want_is_fine),
        EACH_POOL(fifty_thousand_may_wait_at_once),
        TWO_WORKERS(fifty_thousand_are_cancelled_at_once),
        EACH_POOL(sleepers_wake_when_their_time_has_come),
        EACH_POOL(a_nearer_timer_is_kept_by_a_pool_that_sleeps),
        TWO_WORKERS(a_timer_is_kept_while_a_worker_is_busy),
        TWO_WORKERS(a_timer_is_kept_when_its_keeper_gets_work),
        EACH_POOL(fibers_that_yield_take_turns),
        TWO_WORKERS(what_is_runnable_is_run_while_a_worker_is_free),
        EACH_POOL(errno_and_locals_move_with_the_fiber),
        EACH_POOL(errno_survives_a_wait),
        EACH_POOL(a_task_begins_with_all_locals_null),
        cmocka_unit_test(a_task_in_place_leaves_the_locals_of_its_caller_alone),
        cmocka_unit_test(a_stack_is_as_large_as_asked_for),
        cmocka_unit_test(an_overflow_names_the_fiber),
        cmocka_unit_test(an_overflow_in_large_frames_names_the_fiber),
        cmocka_unit_test(a_fault_elsewhere_stays_what_it_was),
        cmocka_unit_test(a_race_between_fibers_of_one_worker_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
