/* SPDX-License-Identifier: MIT */
/*
 * Stress of the synchronisation primitives: threads and fibers, each taking random steps with
 * random deadlines while another cancels their waits at random, and invariants that must hold when
 * all are done. A lost wake-up shows as a run that does not end. IL_STRESS: steps of each member.
 */

#include "chaos.h"

#include <interlock/barrier.h>
#include <interlock/cond.h>
#include <interlock/event.h>
#include <interlock/latch.h>
#include <interlock/mutex.h>
#include <interlock/once.h>
#include <interlock/rmutex.h>
#include <interlock/rwlock.h>
#include <interlock/sem.h>

enum { MEMBERS = 8 };

/* --- Members --------------------------------------------------------------------------------- */

struct member {
    struct arena *arena;
    uint64_t random;
    int index;
    long step; /* how many it has taken */
    long done; /* steps that did what they were meant to; plain */
    il__spin lock;
    il__cancel *cancellable; /* the node of its wait, or NULL; guarded by lock */
};

/* What can be used up: there is a new one for each step, which all members come to. */
struct round {
    il_latch latch;
    il_event event;
    il_once once;
    int came, inside, succeeded; /* atomic */
    long runs;                   /* plain; guarded by once */
};

/* What they do it to. One of each, and what it guards. */
struct arena {
    struct member members[MEMBERS];
    struct round *rounds; /* or NULL */
    int left;             /* atomic: members that are not done */
    int wrong;            /* atomic: line of a broken invariant */
    void (*step)(struct member *);

    il_mutex mutex;
    il_rmutex rmutex;
    il_rwlock rwlock;
    il_cond more, less;
    il_sem sem;
    il_event event;
    il_barrier barrier;
    il_once once;
    long a, b;   /* plain; guarded by whatever the run is about */
    int inside;  /* atomic */
    long met;    /* plain; counted by the action of the barrier */
    long serial; /* atomic */
    void *box;   /* atomic: somebody waits for this to be opened */
};

static uint64_t next_random(struct member *member)
{
    member->random ^= member->random << 13;
    member->random ^= member->random >> 7;
    member->random ^= member->random << 17;
    return member->random >> 11;
}

static bool one_in(struct member *member, unsigned n)
{
    return next_random(member) % n == 0;
}

static void expect(struct member *member, bool holds, int line)
{
    if (!holds) il__store(&member->arena->wrong, line);
}

#define HOLDS(condition) expect(member, (condition), __LINE__)

static void dawdle(struct member *member)
{
    if (one_in(member, 4)) il_yield();
    else
        for (uint64_t i = next_random(member) % 64; i; i--) il__pause();
}

/* For ever, now, past, or in a moment. */
static il_time some_deadline(struct member *member)
{
    switch (next_random(member) % 6) {
    case 0: return IL_NOW;
    case 1: return PAST;
    case 2:
    case 3: return il_after((int64_t)(next_random(member) % 50000));
    default: return IL_FOREVER;
    }
}

static bool gave_up(int status)
{
    return status == -EAGAIN || status == -ETIMEDOUT || status == -ECANCELED;
}

/* One step, with its waits open to be cancelled by another. */
static void step_cancellable(struct member *member)
{
    struct cancelled_wait wait;
    cancellable_begin(&wait, one_in(member, 4) ? il_after(IL_US(20)) : 0);
    il__spin_lock(&member->lock);
    member->cancellable = &wait.node;
    il__spin_unlock(&member->lock);

    member->arena->step(member);

    il__spin_lock(&member->lock);
    member->cancellable = NULL;
    il__spin_unlock(&member->lock);
    cancellable_end(&wait);
}

static int take_steps(void *in, void *out)
{
    (void)out;
    struct member *member = in;
    for (; member->step < rounds; member->step++) {
        if (one_in(member, 2)) step_cancellable(member);
        else member->arena->step(member);
        if (one_in(member, 3)) dawdle(member);
    }
    il__sub(&member->arena->left, 1);
    return 0;
}

/* Cancel whoever is there to be cancelled, as long as anybody is at it. */
static int cancel_at_random(void *in, void *out)
{
    (void)out;
    struct arena *arena = in;
    struct member self = { .arena = arena, .random = seed ^ 0x9e3779b97f4a7c15u };
    while (il__load(&arena->left)) {
        struct member *member = &arena->members[next_random(&self) % MEMBERS];
        il__spin_lock(&member->lock);
        if (member->cancellable) il__cancel_fire(member->cancellable, -ECANCELED);
        il__spin_unlock(&member->lock);
        for (int i = 0; i < 4; i++) dawdle(&self);
    }
    return 0;
}

static void run(void **state, struct arena *arena, void (*step)(struct member *))
{
    struct crew crew;
    arena->step = step;
    arena->left = MEMBERS;
    for (int i = 0; i < MEMBERS; i++) {
        arena->members[i] = (struct member){ .arena = arena, .index = i };
        arena->members[i].random = (seed + (uint64_t)i + 1) * 0x9e3779b97f4a7c15u;
    }
    crew_open(&crew, state);
    crew_add(&crew, cancel_at_random, arena);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, take_steps, &arena->members[i]);
    assert_int_equal(crew_join(&crew), 0);
    count_uses(rounds * MEMBERS);
    if (arena->wrong) fail_msg("line %d, IL_SEED=%llu", arena->wrong, (unsigned long long)seed);
}

/* To be freed. */
static struct round *new_rounds(void)
{
    struct round *made = calloc((size_t)rounds, sizeof *made);
    assert_non_null(made);
    for (long i = 0; i < rounds; i++) made[i].latch.count = MEMBERS;
    return made;
}

static long all_done(struct arena *arena)
{
    long done = 0;
    for (int i = 0; i < MEMBERS; i++) done += arena->members[i].done;
    return done;
}

/* --- Mutexes --------------------------------------------------------------------------------- */

/* Alone inside: two plain counters, equal whenever nobody is. */
static void be_alone(struct member *member)
{
    struct arena *arena = member->arena;
    HOLDS(il__add(&arena->inside, 1) == 0);
    HOLDS(arena->a == arena->b);
    arena->a++;
    if (one_in(member, 3)) dawdle(member);
    arena->b++;
    il__sub(&arena->inside, 1);
    member->done++;
}

static void lock_mutex(struct member *member)
{
    il_mutex *mutex = &member->arena->mutex;
    int status = 0;
    if (one_in(member, 3)) il_mutex_lock(mutex);
    else status = il_mutex_lock_until(mutex, some_deadline(member));
    HOLDS(il_mutex_held(mutex) == !status);
    if (status) HOLDS(gave_up(status));
    if (status) return;
    be_alone(member);
    il_mutex_unlock(mutex);
}

static void mutex_excludes_whatever_befalls_its_waiters(void **state)
{
    struct arena arena = { 0 };
    run(state, &arena, lock_mutex);
    assert_int_equal(arena.a, all_done(&arena));
    assert_int_equal(arena.mutex.gate.word, 0);
}

static void lock_rmutex(struct member *member)
{
    il_rmutex *rmutex = &member->arena->rmutex;
    int status = il_rmutex_lock_until(rmutex, some_deadline(member));
    if (status) HOLDS(gave_up(status));
    if (status) return;
    if (one_in(member, 2)) {
        HOLDS(il_rmutex_lock_until(rmutex, IL_NOW) == 0);
        HOLDS(il_rmutex_depth(rmutex) == 2);
        il_rmutex_unlock(rmutex);
    }
    be_alone(member);
    il_rmutex_unlock(rmutex);
}

static void rmutex_excludes_whatever_befalls_its_waiters(void **state)
{
    struct arena arena = { 0 };
    run(state, &arena, lock_rmutex);
    assert_int_equal(arena.a, all_done(&arena));
    assert_int_equal(arena.rmutex.mutex.gate.word, 0);
}

static void lock_rwlock(struct member *member)
{
    struct arena *arena = member->arena;
    bool writes = one_in(member, 3);
    il_time until = some_deadline(member);
    int status = writes ? il_rwlock_lock_until(&arena->rwlock, until)
                        : il_rwlock_lock_shared_until(&arena->rwlock, until);
    if (status) HOLDS(gave_up(status));
    if (status) return;
    if (writes) {
        be_alone(member);
        il_rwlock_unlock(&arena->rwlock);
    } else {
        long a = arena->a;
        if (one_in(member, 8)) dawdle(member);
        HOLDS(a == arena->b);
        il_rwlock_unlock_shared(&arena->rwlock);
    }
}

static void rwlock_keeps_writers_alone(void **state)
{
    struct arena arena = { 0 };
    run(state, &arena, lock_rwlock);
    assert_int_equal(arena.a, all_done(&arena));
    assert_int_equal(arena.rwlock.gate.word, 0);
}

/* --- Semaphore, event -------------------------------------------------------------------------- */

enum { SEATS = 5 };

static void take_seats(struct member *member)
{
    struct arena *arena = member->arena;
    uint32_t n = 1 + (uint32_t)(next_random(member) % SEATS);
    int status = il_sem_acquire_many(&arena->sem, n, some_deadline(member));
    if (status) HOLDS(gave_up(status));
    if (status) return;
    HOLDS(il__add(&arena->inside, (int)n) + (int)n <= SEATS);
    if (one_in(member, 4)) dawdle(member);
    il__sub(&arena->inside, (int)n);
    while (n) { /* in one or several parts */
        uint32_t part = 1 + (uint32_t)(next_random(member) % n);
        HOLDS(il_sem_release_many(&arena->sem, part) == 0);
        n -= part;
    }
    member->done++;
}

static void semaphore_conserves_its_units(void **state)
{
    struct arena arena = { .sem = { .count = SEATS, .max = SEATS } };
    run(state, &arena, take_seats);
    assert_int_equal(il_sem_value(&arena.sem), SEATS);
    assert_int_equal(arena.sem.gate.word, 0);
}

static void take_turn(struct member *member)
{
    struct arena *arena = member->arena;
    int status = il_event_wait_until(&arena->event, some_deadline(member));
    if (status) HOLDS(gave_up(status));
    if (status) return;
    be_alone(member);
    il_event_set(&arena->event);
}

static void automatic_event_is_one_turn(void **state)
{
    struct arena arena = { .event.automatic = true };
    il_event_set(&arena.event);
    run(state, &arena, take_turn);
    assert_int_equal(arena.a, all_done(&arena));
    assert_true(il_event_is_set(&arena.event));
    assert_int_equal(il__gate_count(&arena.event.gate), 0);
}

/* --- Condition --------------------------------------------------------------------------------- */

enum { ROOM = 3 };

/* Even members put in, odd ones take out, the same number of times. Every success is notified to
 * one, so a notify that got lost leaves somebody waiting for ever. */
static void put_or_take(struct member *member)
{
    struct arena *arena = member->arena;
    bool puts = member->index % 2 == 0;
    il_cond *mine = puts ? &arena->less : &arena->more;
    il_mutex_lock(&arena->mutex);
    while (arena->a == (puts ? ROOM : 0)) {
        int status = one_in(member, 2)
                         ? il_cond_wait(mine, &arena->mutex)
                         : il_cond_wait_until(mine, &arena->mutex, some_deadline(member));
        HOLDS(il_mutex_held(&arena->mutex));
        if (status) HOLDS(gave_up(status));
        if (status == -EAGAIN) { /* otherwise nobody else would get to it */
            il_mutex_unlock(&arena->mutex);
            il_yield();
            il_mutex_lock(&arena->mutex);
        }
    }
    HOLDS(il__add(&arena->inside, 1) == 0);
    arena->a += puts ? 1 : -1;
    member->done++;
    il__sub(&arena->inside, 1);
    bool outside = one_in(member, 2);
    if (outside) il_mutex_unlock(&arena->mutex);
    il_cond_notify(puts ? &arena->more : &arena->less, 1);
    if (!outside) il_mutex_unlock(&arena->mutex);
}

static void condition_loses_no_notify(void **state)
{
    struct arena arena = { 0 };
    run(state, &arena, put_or_take);
    assert_int_equal(arena.a, 0);
    assert_int_equal(all_done(&arena), MEMBERS * rounds);
    assert_int_equal(arena.mutex.gate.word, 0);
    assert_int_equal(arena.more.gate.word, 0);
    assert_int_equal(arena.less.gate.word, 0);
}

/* --- Barrier ----------------------------------------------------------------------------------- */

static void count_meeting(void *arg)
{
    struct arena *arena = arg;
    arena->met++;
}

/* Everybody gives up sometimes, and then it is made whole again. Nobody waits for ever, since who
 * has taken all its steps comes no more. */
static void meet(struct member *member)
{
    struct arena *arena = member->arena;
    il_time until = one_in(member, 16) ? some_deadline(member) : IL_FOREVER;
    if (until == IL_FOREVER) until = il_after(IL_US(500));
    int status = il_barrier_wait_until(&arena->barrier, until);
    if (status == IL_SERIAL) il__add(&arena->serial, 1);
    if (status >= 0) member->done++;
    else HOLDS(gave_up(status) || status == -EPIPE);
    if (one_in(member, 64)) il_barrier_abort(&arena->barrier);
    if (status == -EPIPE) il_barrier_reset(&arena->barrier);
}

static void barrier_lets_all_through_or_none(void **state)
{
    /* As many parties as members: no two meetings at once, so that `met` may be plain. */
    struct arena arena = { .barrier = { .parties = MEMBERS, .action = count_meeting } };
    arena.barrier.arg = &arena;
    run(state, &arena, meet);
    assert_int_equal(arena.serial, arena.met);
    assert_int_equal(all_done(&arena), arena.met * MEMBERS);
    assert_int_equal(il_barrier_waiting(&arena.barrier), 0);
}

/* --- Once -------------------------------------------------------------------------------------- */

/* One for every four steps. */
static struct round *once_round(struct member *member)
{
    return &member->arena->rounds[member->step / 4];
}

static int succeed_sometimes(void *arg)
{
    struct member *member = arg;
    struct round *round = once_round(member);
    HOLDS(!il__load(&round->succeeded));
    HOLDS(il__add(&round->inside, 1) == 0);
    round->runs++;
    if (one_in(member, 3)) dawdle(member);
    il__sub(&round->inside, 1);
    member->done++;
    if (!one_in(member, 12)) return -EIO;
    il__store(&round->succeeded, 1);
    return 0;
}

static void run_once(struct member *member)
{
    struct round *round = once_round(member);
    int status = il_once_run_until(&round->once, succeed_sometimes, member, some_deadline(member));
    if (!status) HOLDS(il__load(&round->succeeded));
    else HOLDS(gave_up(status) || status == -EIO);
}

static void once_succeeds_once_and_one_runs_at_a_time(void **state)
{
    struct arena arena = { .rounds = new_rounds() };
    long runs = 0;
    run(state, &arena, run_once);
    for (long i = 0; i < rounds; i++) {
        struct round *round = &arena.rounds[i];
        runs += round->runs;
        assert_int_equal(il_once_done(&round->once), round->succeeded);
        assert_int_equal(il__gate_count(&round->once.gate), 0);
    }
    assert_int_equal(runs, all_done(&arena));
    free(arena.rounds);
}

/* --- Latch, event: who waits for ever is let through --------------------------------------------- */

static void come_to_latch(struct member *member)
{
    struct round *round = &member->arena->rounds[member->step];
    int status = 0;
    il__add(&round->came, 1);
    il_latch_count_down(&round->latch, 1);
    if (one_in(member, 2)) il_latch_wait(&round->latch);
    else status = il_latch_wait_until(&round->latch, some_deadline(member));
    if (status) HOLDS(gave_up(status));
    else HOLDS(il__load(&round->came) == MEMBERS);
    member->done += !status;
}

static void latch_lets_through_when_all_have_come(void **state)
{
    struct arena arena = { .rounds = new_rounds() };
    run(state, &arena, come_to_latch);
    assert_true(all_done(&arena) > 0);
    for (long i = 0; i < rounds; i++) {
        assert_true(il_latch_open(&arena.rounds[i].latch));
        assert_int_equal(il__gate_count(&arena.rounds[i].latch.gate), 0);
    }
    free(arena.rounds);
}

/* One of them sets it; a second time, if it took it back at once, for those who missed it. */
static void come_to_event(struct member *member)
{
    struct round *round = &member->arena->rounds[member->step];
    int status = 0;
    if (member->step % MEMBERS == member->index) {
        il__store(&round->came, 1);
        il_event_set(&round->event);
        if (one_in(member, 2)) return;
        il_event_clear(&round->event);
        if (one_in(member, 2)) dawdle(member);
        il_event_set(&round->event);
        return;
    }
    if (one_in(member, 2)) il_event_wait(&round->event);
    else status = il_event_wait_until(&round->event, some_deadline(member));
    if (status) HOLDS(gave_up(status));
    else HOLDS(il__load(&round->came));
    member->done += !status;
}

static void event_lets_all_through(void **state)
{
    struct arena arena = { .rounds = new_rounds() };
    run(state, &arena, come_to_event);
    assert_true(all_done(&arena) > 0);
    for (long i = 0; i < rounds; i++) {
        assert_true(il_event_is_set(&arena.rounds[i].event));
        assert_int_equal(il__gate_count(&arena.rounds[i].event.gate), 0);
    }
    free(arena.rounds);
}

/* --- Things on the stack of the one who waits --------------------------------------------------- */

enum { LATCH, EVENT, TURN, SEM, KINDS };

struct box {
    int kind;
    il_latch latch;
    il_event event;
    il_sem sem;
};

static void open_box(struct box *box)
{
    switch (box->kind) {
    case LATCH: il_latch_count_down(&box->latch, 1); break;
    case SEM: il_sem_release(&box->sem); break;
    default: il_event_set(&box->event); break;
    }
}

static int wait_for_box(struct box *box, il_time until)
{
    switch (box->kind) {
    case LATCH: return il_latch_wait_until(&box->latch, until);
    case SEM: return il_sem_acquire_until(&box->sem, until);
    default: return il_event_wait_until(&box->event, until);
    }
}

/* Somebody has taken it and will open it; the last one is perhaps never taken. */
static il_time box_deadline(struct member *member, struct box *box)
{
    il_time until = some_deadline(member);
    bool taken = il__load(&member->arena->box) != box;
    return taken || until != IL_FOREVER ? until : il_after(IL_US(100));
}

/* Put up a box for somebody else to open, and open the one that was there. It is gone as soon as the
 * wait for it has returned. */
static void swap_box(struct member *member)
{
    struct arena *arena = member->arena;
    struct box box = { .kind = (int)(next_random(member) % KINDS), .latch.count = 1 };
    box.event.automatic = box.kind == TURN;
    struct box *other = il__swap(&arena->box, &box);
    if (other) open_box(other);
    if (one_in(member, 2)) dawdle(member);

    void *ours = &box;
    while (wait_for_box(&box, box_deadline(member, &box))) {
        if (il__cas(&arena->box, &ours, NULL)) open_box(&box); /* nobody took it */
        ours = &box;
        il_yield();
    }
    member->done++;
    memset(&box, 0xff, sizeof box);
}

static void waiter_may_forget_what_it_waited_for(void **state)
{
    struct arena arena = { 0 };
    run(state, &arena, swap_box);
    assert_int_equal(all_done(&arena), MEMBERS * rounds);
    assert_null(arena.box);
}

/* --- */

int main(void)
{
    read_environment(500);
    const struct CMUnitTest tests[] = {
        EACH_CREW_BOTH(mutex_excludes_whatever_befalls_its_waiters),
        EACH_CREW_BOTH(rmutex_excludes_whatever_befalls_its_waiters),
        EACH_CREW_BOTH(rwlock_keeps_writers_alone),
        EACH_CREW_BOTH(semaphore_conserves_its_units),
        EACH_CREW_BOTH(automatic_event_is_one_turn),
        EACH_CREW_BOTH(event_lets_all_through),
        EACH_CREW_BOTH(condition_loses_no_notify),
        EACH_CREW_BOTH(barrier_lets_all_through_or_none),
        EACH_CREW_BOTH(latch_lets_through_when_all_have_come),
        EACH_CREW_BOTH(once_succeeds_once_and_one_runs_at_a_time),
        EACH_CREW_BOTH(waiter_may_forget_what_it_waited_for),
    };
    return RUN(tests);
}
