/* SPDX-License-Identifier: MIT */
/* Claims about il_select. */

#include "work.h"

enum { ROUNDS = 2000, MEMBERS = 4 };

static il_chan *new_chan(size_t capacity)
{
    il_chan *chan = NULL;
    assert_int_equal(il_chan_new(sizeof(long), &(il_chan_opts){ .capacity = capacity }, &chan), 0);
    return chan;
}

static il__gate *gate_of(il_chan *chan)
{
    return (il__gate *)(void *)chan;
}

static void put(il_chan *chan, long item)
{
    assert_int_equal(il_chan_send(chan, &item, IL_NOW), 0);
}

/* --- Things to wait for: one of each kind ----------------------------------------------------- */

static int leave_at_once(void *in, void *out)
{
    return 0;
}

static int leave_when_told(void *in, void *out)
{
    return il_event_wait_until(in, LATE);
}

/* All that a case can stand for. None is ready at first; make_ready makes one so. */
enum {
    RECV,
    SEND,
    DONE,
    ACQUIRE,
    LOCK,
    SET_MANUAL,
    SET_AUTOMATIC,
    OPEN,
    READ,
    WRITE,
    ENDED,
    KINDS
};

struct things {
    il_chan *empty, *full;
    il_future *future;
    il_sem sem;
    il_mutex mutex;
    il_event manual, automatic, leave;
    il_latch latch;
    il_rwlock read, write;
    il_thread thread;
    long in, out;
    il__agent *holder; /* of the mutex and the rwlocks */
};

static void as_holder(struct things *things, void (*act)(struct things *))
{
    il__agent *self = il__self();
    il__self_set(things->holder);
    act(things);
    il__self_set(self);
}

static void lock_all(struct things *things)
{
    il_mutex_lock(&things->mutex);
    il_rwlock_lock(&things->read);
    il_rwlock_lock(&things->write);
}

static void unlock_mutex(struct things *things)
{
    il_mutex_unlock(&things->mutex);
}

static void unlock_read(struct things *things)
{
    il_rwlock_unlock(&things->read);
}

static void unlock_write(struct things *things)
{
    il_rwlock_unlock(&things->write);
}

static void things_make(struct things *things)
{
    static il__agent holder;
    memset(things, 0, sizeof *things);
    il__agent_init(&holder, il__self()->ops);
    holder.name = "holder";
    things->holder = &holder;
    things->empty = new_chan(1);
    things->full = new_chan(1);
    put(things->full, 1);
    things->out = 2;
    things->automatic.automatic = true;
    things->latch.count = 1;
    assert_int_equal(il_promise_new(0, &things->future), 0);
    int status = il_thread_start(&things->thread, leave_when_told, &things->leave, NULL, NULL);
    assert_int_equal(status, 0);
    as_holder(things, lock_all);
}

static void things_case(struct things *things, int kind, il_case *out_case)
{
    const il_case cases[KINDS] = {
        [RECV] = IL_RECV(things->empty, &things->in),
        [SEND] = IL_SEND(things->full, &things->out),
        [DONE] = IL_DONE(things->future),
        [ACQUIRE] = IL_ACQUIRE(&things->sem),
        [LOCK] = IL_LOCK(&things->mutex),
        [SET_MANUAL] = IL_SET(&things->manual),
        [SET_AUTOMATIC] = IL_SET(&things->automatic),
        [OPEN] = IL_OPEN(&things->latch),
        [READ] = IL_READ(&things->read),
        [WRITE] = IL_WRITE(&things->write),
        [ENDED] = IL_ENDED(&things->thread),
    };
    *out_case = cases[kind];
}

static void things_cases(struct things *things, il_case *cases)
{
    for (int kind = 0; kind < KINDS; kind++) things_case(things, kind, &cases[kind]);
}

static void make_ready(struct things *things, int kind)
{
    long item = 7;
    if (kind == RECV) il_chan_send(things->empty, &item, IL_NOW);
    if (kind == SEND) il_chan_recv(things->full, NULL, IL_NOW);
    if (kind == DONE) il_promise_set(things->future, NULL);
    if (kind == ACQUIRE) il_sem_release(&things->sem);
    if (kind == LOCK) as_holder(things, unlock_mutex);
    if (kind == SET_MANUAL) il_event_set(&things->manual);
    if (kind == SET_AUTOMATIC) il_event_set(&things->automatic);
    if (kind == OPEN) il_latch_count_down(&things->latch, 1);
    if (kind == READ) as_holder(things, unlock_read);
    if (kind == WRITE) as_holder(things, unlock_write);
    if (kind == ENDED) il_event_set(&things->leave);
}

static il__gate *gate_of_kind(struct things *things, int kind)
{
    il__gate *const gates[KINDS] = {
        [RECV] = gate_of(things->empty),     [SEND] = gate_of(things->full),
        [ACQUIRE] = &things->sem.gate,       [LOCK] = &things->mutex.gate,
        [SET_MANUAL] = &things->manual.gate, [SET_AUTOMATIC] = &things->automatic.gate,
        [OPEN] = &things->latch.gate,        [READ] = &things->read.gate,
        [WRITE] = &things->write.gate,
    };
    return gates[kind];
}

/* Was exactly what the chosen case stands for done, and of the others nothing? */
static void assert_only(struct things *things, int chosen)
{
    assert_int_equal(things->in, chosen == RECV ? 7 : 0);
    assert_int_equal(il_chan_length(things->empty), 0);
    assert_int_equal(il_chan_length(things->full), 1);
    long inside = 0;
    assert_int_equal(il_chan_recv(things->full, &inside, IL_NOW), 0);
    assert_int_equal(inside, chosen == SEND ? 2 : 1);
    assert_int_equal(il_sem_value(&things->sem), 0);
    assert_int_equal(il_mutex_held(&things->mutex), chosen == LOCK);
    assert_false(il_event_is_set(&things->automatic));
    if (chosen == READ) il_rwlock_unlock_shared(&things->read);
    if (chosen == WRITE) il_rwlock_unlock(&things->write);
    if (chosen == LOCK) il_mutex_unlock(&things->mutex);
    for (int kind = 0; kind < KINDS; kind++)
        if (gate_of_kind(things, kind))
            assert_int_equal(il__gate_count(gate_of_kind(things, kind)), 0);
}

static void things_free(struct things *things, int ready)
{
    if (ready != LOCK) as_holder(things, unlock_mutex);
    if (ready != READ) as_holder(things, unlock_read);
    if (ready != WRITE) as_holder(things, unlock_write);
    assert_int_equal(things->mutex.gate.word, 0);
    assert_int_equal(things->read.gate.word, 0);
    assert_int_equal(things->write.gate.word, 0);
    il_event_set(&things->leave);
    assert_int_equal(il_thread_join(&things->thread, LATE), 0);
    assert_int_equal(il__self()->held, 0);
    il_future_free(things->future);
    il_chan_free(things->empty);
    il_chan_free(things->full);
}

/* --- Every kind ------------------------------------------------------------------------------ */

static void each_kind_is_chosen_when_it_is_ready_before(void **state)
{
    for (int kind = 0; kind < KINDS; kind++) {
        struct things things;
        il_case cases[KINDS];
        size_t index = 99;
        things_make(&things);
        things_cases(&things, cases);
        assert_int_equal(il_select(cases, KINDS, IL_NOW, &index), -EAGAIN);
        assert_int_equal(il_select(cases, KINDS, PAST, &index), -ETIMEDOUT);
        assert_int_equal(index, 99);
        make_ready(&things, kind);
        assert_int_equal(il_select(cases, KINDS, kind == ENDED ? LATE : IL_NOW, &index), 0);
        assert_int_equal(index, kind);
        assert_only(&things, kind);
        things_free(&things, kind);
    }
}

struct choice {
    struct things *things;
    il_case cases[KINDS];
    int status;
    size_t index;
    bool held;
};

static int choose(void *in, void *out)
{
    struct choice *choice = in;
    choice->status = il_select(choice->cases, KINDS, LATE, &choice->index);
    choice->held = il_mutex_held(&choice->things->mutex);
    if (choice->held) il_mutex_unlock(&choice->things->mutex);
    if (!choice->status && choice->index == READ) il_rwlock_unlock_shared(&choice->things->read);
    if (!choice->status && choice->index == WRITE) il_rwlock_unlock(&choice->things->write);
    return il__self()->held != 0;
}

static void each_kind_wakes_the_select_that_waits_and_no_other_case_is_done(void **state)
{
    for (int kind = 0; kind < KINDS; kind++) {
        struct things things;
        struct choice choice = { .things = &things, .index = 99 };
        struct crew crew;
        things_make(&things);
        things_cases(&things, choice.cases);
        crew_open(&crew, state);
        crew_add(&crew, choose, &choice);
        until_waiting(gate_of(things.empty), 1);
        make_ready(&things, kind);
        assert_int_equal(crew_join(&crew), 0);
        assert_int_equal(choice.status, 0);
        assert_int_equal(choice.index, kind);
        assert_int_equal(choice.held, kind == LOCK);
        assert_only(&things, kind == LOCK || kind == READ || kind == WRITE ? -1 : kind);
        things_free(&things, kind);
    }
}

static int select_from_things(void *object, il_time until)
{
    struct things *things = object;
    il_case cases[KINDS];
    size_t index;
    things_cases(things, cases);
    int status = il_select(cases, KINDS, until, &index);
    return status;
}

static void select_gives_up_as_any_wait_and_leaves_no_trace(void **state)
{
    struct things things;
    things_make(&things);
    assert_gives_up(state, select_from_things, &things);
    int status = status_when_cancelled(state, select_from_things, &things, gate_of(things.empty));
    assert_int_equal(status, -ECANCELED);
    assert_only(&things, -1);
    things_free(&things, -1);
}

struct late {
    struct things *things;
    int kind;
};

static void make_ready_now(void *in)
{
    struct late *late = in;
    make_ready(late->things, late->kind);
}

/* At the narrowest moments: before the gates are locked, and before it parks. */
static void what_becomes_ready_just_before_the_wait_is_not_missed(void **state)
{
    for (int kind = 0; kind < KINDS; kind++) {
        for (int moment = 0; moment < 2; moment++) {
            struct things things;
            struct late late = { &things, kind };
            il_case cases[KINDS];
            size_t index = 99;
            things_make(&things);
            things_cases(&things, cases);
            step_in(moment ? IL__PROBE_WAIT : IL__PROBE_GATE, NULL, make_ready_now, &late);
            int status = il_select(cases, KINDS, LATE, &index);
            il__store(&il__probe_listener, NULL);
            assert_int_equal(status, 0);
            assert_int_equal(index, kind);
            assert_only(&things, kind);
            things_free(&things, kind);
        }
    }
}

/* --- Which one ------------------------------------------------------------------------------- */

static void first_in_the_array_wins(void **state)
{
    il_event events[5] = { 0 };
    il_case cases[5];
    size_t index;
    for (int i = 0; i < 5; i++) cases[i] = IL_SET(&events[i]);
    for (int i = 4; i >= 0; i--) {
        il_event_set(&events[i]);
        assert_int_equal(il_select(cases, 5, IL_FOREVER, &index), 0);
        assert_int_equal(index, i);
    }
}

static void fair_choice_comes_to_each_that_is_ready(void **state)
{
    il_event events[5] = { 0 };
    il_case cases[5];
    int chosen[5] = { 0 };
    for (int i = 0; i < 5; i++) cases[i] = IL_SET(&events[i]);
    for (int i = 0; i < 5; i++)
        if (i != 2) il_event_set(&events[i]);
    for (int i = 0; i < 1000; i++) {
        size_t index = 99;
        assert_int_equal(il_select_fair(cases, 5, IL_NOW, &index), 0);
        chosen[index]++;
    }
    assert_int_equal(chosen[2], 0);
    for (int i = 0; i < 5; i++)
        if (i != 2) assert_true(chosen[i] > 100);
}

static void cases_that_are_off_or_of_null_are_passed_over(void **state)
{
    il_event set = { 0 }, clear = { 0 };
    size_t index = 99;
    il_event_set(&set);
    il_case cases[] = {
        IL_WHEN(false, IL_SET(&set)),
        IL_SET((il_event *)NULL),
        IL_SET(&clear),
        IL_WHEN(true, IL_SET(&set)),
        IL_WHEN(true, IL_RECV((il_chan *)NULL, NULL)),
    };
    assert_int_equal(il_select(cases, 5, IL_NOW, &index), 0);
    assert_int_equal(index, 3);
    cases[3].off = true;
    assert_int_equal(il_select(cases, 5, IL_NOW, &index), -EAGAIN);
    assert_int_equal(il_select(cases, 5, SOON, &index), -ETIMEDOUT);
    cases[0].off = false;
    assert_int_equal(il_select(cases, 5, IL_NOW, &index), 0);
    assert_int_equal(index, 0);
}

static void with_nothing_on_it_is_a_sleep_but_not_for_ever(void **state)
{
    il_event clear = { 0 };
    il_case off = IL_WHEN(false, IL_SET(&clear));
    il_time until = SOON;
    assert_int_equal(il_select(&off, 1, IL_FOREVER, NULL), -EINVAL);
    assert_int_equal(il_select(NULL, 0, IL_FOREVER, NULL), -EINVAL);
    assert_int_equal(il_select(NULL, 0, IL_NOW, NULL), -EAGAIN);
    assert_int_equal(il_select_fair(NULL, 0, IL_NOW, NULL), -EAGAIN);
    assert_int_equal(il_select(NULL, 0, until, NULL), -ETIMEDOUT);
    assert_int_equal(il_select(&off, 1, PAST, NULL), -ETIMEDOUT);
    assert_true(il_now() >= until);
}

static void a_time_is_a_case_and_the_earliest_counts(void **state)
{
    il_event clear = { 0 };
    size_t index = 99;
    il_time soon = il_after(IL_MS(2));
    il_case cases[] = { IL_SET(&clear), IL_AFTER(IL_SEC(60)), IL_AT(soon), IL_AT(IL_FOREVER) };
    assert_int_equal(il_select(cases, 4, IL_NOW, &index), -EAGAIN);
    assert_int_equal(il_select(cases, 4, LATE, &index), 0);
    assert_int_equal(index, 2);
    assert_true(il_now() >= soon);
    assert_int_equal(il_select(cases, 4, IL_NOW, &index), 0); /* it is past by now */
    assert_int_equal(index, 2);

    cases[2] = IL_AT(il_after(IL_SEC(60)));
    index = 99;
    assert_int_equal(il_select(cases, 4, SOON, &index), -ETIMEDOUT);
    assert_int_equal(index, 99);
    cases[1] = IL_AT(IL_NOW); /* a default */
    assert_int_equal(il_select(cases, 4, LATE, &index), 0);
    assert_int_equal(index, 1);
}

static void cases_may_be_used_again_and_again(void **state)
{
    il_chan *a = new_chan(1), *b = new_chan(1);
    long item = -1;
    size_t index;
    il_case cases[] = { IL_RECV(a, &item), IL_RECV(b, &item) };
    for (long i = 0; i < 100; i++) {
        put(i % 2 ? b : a, i);
        assert_int_equal(il_select(cases, 2, IL_NOW, &index), 0);
        assert_int_equal(index, i % 2);
        assert_int_equal(item, i);
        assert_int_equal(il_select(cases, 2, PAST, &index), -ETIMEDOUT);
    }
    il_chan_free(a);
    il_chan_free(b);
}

/* --- Statuses -------------------------------------------------------------------------------- */

static void closed_channel_is_ready_with_epipe_on_both_sides(void **state)
{
    il_chan *closed = new_chan(1), *open = new_chan(0);
    long item = 5;
    size_t index = 99;
    put(closed, 4);
    il_chan_close(closed);
    il_case receive[] = { IL_RECV(open, &item), IL_RECV(closed, &item) };
    il_case send[] = { IL_SEND(open, &item), IL_SEND(closed, &item) };
    assert_int_equal(il_select(receive, 2, IL_FOREVER, &index), 0);
    assert_int_equal(item, 4);
    assert_int_equal(il_select(receive, 2, IL_FOREVER, &index), -EPIPE);
    assert_int_equal(index, 1);
    index = 99;
    assert_int_equal(il_select(send, 2, IL_FOREVER, &index), -EPIPE);
    assert_int_equal(index, 1);
    il_chan_free(open);
    il_chan_free(closed);
}

struct between {
    il_chan *one, *other;
    long in, out;
    int status;
    size_t index;
};

static int receive_or_send(void *in, void *out)
{
    struct between *between = in;
    il_case cases[] = { IL_RECV(between->one, &between->in),
                        IL_SEND(between->other, &between->out) };
    between->status = il_select(cases, 2, LATE, &between->index);
    return 0;
}

static void closing_wakes_the_select_with_epipe(void **state)
{
    for (int side = 0; side < 2; side++) {
        struct between between = { new_chan(0), new_chan(0), 3, 4, 1, 99 };
        struct crew crew;
        crew_open(&crew, state);
        crew_add(&crew, receive_or_send, &between);
        until_waiting(gate_of(between.other), 1);
        il_chan_close(side ? between.other : between.one);
        assert_int_equal(crew_join(&crew), 0);
        assert_int_equal(between.status, -EPIPE);
        assert_int_equal(between.index, side);
        assert_int_equal(between.in, 3);
        il_chan_free(between.one);
        il_chan_free(between.other);
    }
}

static void unbounded_one_is_always_ready_to_send_and_grows(void **state)
{
    il_chan *chan = new_chan(IL_UNBOUNDED);
    il_event clear = { 0 };
    long item = 0;
    size_t index;
    il_case cases[] = { IL_SET(&clear), IL_SEND(chan, &item) };
    for (item = 0; item < 1000; item++) {
        index = 99;
        assert_int_equal(il_select(cases, 2, IL_NOW, &index), 0);
        assert_int_equal(index, 1);
    }
    assert_int_equal(il_chan_length(chan), 1000);
    for (long i = 0; i < 1000; i++) {
        assert_int_equal(il_chan_recv(chan, &item, IL_NOW), 0);
        assert_int_equal(item, i);
    }
    il_chan_free(chan);
}

static void what_is_ours_already_is_edeadlk(void **state)
{
    il_mutex mutex = { 0 };
    il_rwlock lock = { 0 };
    il_mutex_lock(&mutex);
    il_rwlock_lock(&lock);
    il_case cases[] = { IL_LOCK(&mutex), IL_READ(&lock), IL_WRITE(&lock) };
    for (size_t i = 0, index = 99; i < 3; i++) {
        assert_int_equal(il_select(&cases[i], 1, IL_FOREVER, &index), -EDEADLK);
        assert_int_equal(index, 0);
    }
    il_mutex_unlock(&mutex);
    il_rwlock_unlock(&lock);
}

static int end_of_itself(void *in, void *out)
{
    il_case cases[] = { IL_ENDED((il_thread *)in) };
    size_t index;
    return il_select(cases, 1, IL_FOREVER, &index) == -EDEADLK ? 0 : -1;
}

static void a_thread_that_was_not_started_is_einval_and_itself_edeadlk(void **state)
{
    il_thread thread = { 0 };
    il_case cases[] = { IL_ENDED(&thread) };
    size_t index;
    assert_int_equal(il_select(cases, 1, IL_FOREVER, &index), -EINVAL);
    assert_int_equal(il_thread_start(&thread, end_of_itself, &thread, NULL, NULL), 0);
    assert_int_equal(il_select(cases, 1, LATE, &index), 0);
    assert_int_equal(il_thread_join(&thread, IL_NOW), 0);
}

/* --- Scopes ---------------------------------------------------------------------------------- */

static void empty_scope_is_a_case_of_its_opener(void **state)
{
    il_scope *scope = NULL;
    il_event leave = { 0 }, clear = { 0 };
    size_t index = 99;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    il_case cases[] = { IL_SET(&clear), IL_EMPTY(scope) };
    assert_int_equal(il_select(cases, 2, IL_NOW, &index), 0);
    assert_int_equal(index, 1);
    for (int i = 0; i < 20; i++) {
        for (int k = 0; k < 3; k++)
            assert_int_equal(il_go(scope, leave_when_told, &leave, NULL), 0);
        assert_int_equal(il_select(cases, 2, i % 2 ? IL_NOW : PAST, &index),
                         i % 2 ? -EAGAIN : -ETIMEDOUT);
        il_event_set(&leave);
        assert_int_equal(il_select(cases, 2, LATE, &index), 0);
        assert_int_equal(index, 1);
        assert_int_equal(il_scope_wait(scope, IL_NOW), 0);
        il_event_clear(&leave);
        assert_int_equal(il_go(scope, leave_at_once, NULL, NULL), 0);
        assert_int_equal(il_select(cases, 2, LATE, &index), 0);
    }
    assert_int_equal(il_scope_close(scope), 0);
}

/* --- Selects among each other ------------------------------------------------------------------ */

static void select_never_meets_itself(void **state)
{
    il_chan *chan = new_chan(0);
    struct between between = { chan, chan, 3, 4, 1, 99 };
    struct crew crew;
    long item = 8;
    size_t index = 99;
    il_case both[] = { IL_SEND(chan, &item), IL_RECV(chan, &item) };
    assert_int_equal(il_select(both, 2, IL_NOW, &index), -EAGAIN);
    assert_int_equal(il_select(both, 2, SOON, &index), -ETIMEDOUT);
    for (int side = 0; side < 2; side++) { /* but others meet either of its sides */
        crew_open(&crew, state);
        crew_add(&crew, receive_or_send, &between);
        until_waiting(gate_of(chan), 2);
        int status = side ? il_chan_recv(chan, &item, IL_NOW) : il_chan_send(chan, &item, IL_NOW);
        assert_int_equal(crew_join(&crew), 0);
        assert_int_equal(status, 0);
        assert_int_equal(between.status, 0);
        assert_int_equal(between.index, side);
        if (side) assert_int_equal(item, 4);
        else assert_int_equal(between.in, 8);
    }
    il_chan_free(chan);
}

struct pair {
    il_chan *a, *b;
    long sent, received, sum_sent, sum_received;
    int side;
};

/* Everybody offers to send on one channel and to receive from the other, or on the same. */
static int meet(void *in, void *out)
{
    struct pair *pair = in;
    for (long i = 0; i < ROUNDS; i++) {
        long received = -1, sent = i;
        size_t index;
        il_case cases[] = { IL_SEND(pair->a, &sent), IL_RECV(pair->b, &received) };
        int status = il_select_fair(cases, 2, LATE, &index);
        if (status == -EPIPE) return 0;
        if (status) return status;
        if (index == 0) pair->sent++, pair->sum_sent += sent;
        else pair->received++, pair->sum_received += received;
    }
    il_chan_close(pair->a); /* one has enough: the others, too */
    il_chan_close(pair->b);
    return 0;
}

static void two_selects_meet_in_a_rendezvous(void **state)
{
    for (int same = 0; same < 2; same++) {
        il_chan *a = new_chan(0), *b = same ? a : new_chan(0);
        struct pair pairs[MEMBERS];
        struct crew crew;
        crew_open(&crew, state);
        for (int i = 0; i < MEMBERS; i++) {
            pairs[i] = (struct pair){ .a = i % 2 ? a : b, .b = i % 2 ? b : a };
            crew_add(&crew, meet, &pairs[i]);
        }
        assert_int_equal(crew_join(&crew), 0);
        long balance = 0, sums = 0, met = 0;
        for (int i = 0; i < MEMBERS; i++) {
            balance += pairs[i].sent - pairs[i].received;
            sums += pairs[i].sum_sent - pairs[i].sum_received;
            met += pairs[i].sent;
        }
        assert_int_equal(balance, 0);
        assert_int_equal(sums, 0);
        assert_true(met >= ROUNDS / 2);
        assert_int_equal(il__gate_count(gate_of(a)), 0);
        il_chan_free(a);
        if (!same) il_chan_free(b);
    }
}

static void one_thing_may_stand_in_many_cases(void **state)
{
    enum { MANY = 1000 };
    static il_case cases[MANY];
    il_chan *chan = new_chan(0);
    il_sem sem = { 0 };
    il_mutex mutex = { 0 };
    long item = -1;
    size_t index = 0;
    for (int i = 0; i < MANY; i++) cases[i] = i % 2 ? IL_RECV(chan, &item) : IL_ACQUIRE(&sem);
    assert_int_equal(il_select(cases, MANY, SOON, &index), -ETIMEDOUT);
    assert_int_equal(il__gate_count(gate_of(chan)), 0);
    assert_int_equal(il__gate_count(&sem.gate), 0);
    il_sem_release(&sem);
    assert_int_equal(il_select_fair(cases, MANY, LATE, &index), 0);
    assert_int_equal(index % 2, 0);
    assert_int_equal(il_sem_value(&sem), 0);
    cases[0] = cases[1] = IL_LOCK(&mutex);
    assert_int_equal(il_select(cases, 2, LATE, &index), 0);
    assert_true(il_mutex_held(&mutex));
    il_mutex_unlock(&mutex);
    il_chan_free(chan);
}

/* --- Locks ----------------------------------------------------------------------------------- */

struct contest {
    il_mutex mutex;
    il_sem sem;
    long count; /* plain, guarded by mutex */
    bool selects;
};

static int count_up(struct contest *contest, bool selects)
{
    il_event clear = { 0 };
    il_case cases[] = { IL_SET(&clear), IL_LOCK(&contest->mutex), IL_AFTER(IL_SEC(60)) };
    for (int i = 0; i < ROUNDS; i++) {
        size_t index = 1;
        if (!selects) il_mutex_lock(&contest->mutex);
        else if (il_select(cases, 3, LATE, &index) || index != 1) return -1;
        contest->count++;
        if (i % 64 == 0) il_yield();
        il_mutex_unlock(&contest->mutex);
    }
    return 0;
}

static int count_by_select(void *in, void *out)
{
    return count_up(in, true);
}

static int count_by_lock(void *in, void *out)
{
    return count_up(in, false);
}

static void a_mutex_is_handed_to_selects_among_others_who_lock_it(void **state)
{
    struct contest contest = { 0 };
    struct crew crew;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++)
        crew_add(&crew, i % 2 ? count_by_lock : count_by_select, &contest);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(contest.count, (long)MEMBERS * ROUNDS);
    assert_int_equal(contest.mutex.gate.word, 0);
}

static int acquire_two(void *in, void *out)
{
    return il_sem_acquire_many(in, 2, LATE);
}

static int wait_for_seat_or_leave(void *in, void *out)
{
    struct contest *contest = ((void **)in)[0];
    il_event *leave = ((void **)in)[1];
    il_case cases[] = { IL_ACQUIRE(&contest->sem), IL_SET(leave) };
    size_t index = 99;
    int status = il_select(cases, 2, LATE, &index);
    return status ? status : index == 1 ? 0 : -1;
}

static void a_select_keeps_its_turn_in_a_queue_and_none_if_it_chooses_otherwise(void **state)
{
    struct contest contest = { 0 };
    il_event leave = { 0 };
    void *both[] = { &contest, &leave };
    struct crew first, crew;
    crew_open(&first, state);
    crew_add(&first, acquire_two, &contest.sem);
    until_waiting(&contest.sem.gate, 1);
    crew_open(&crew, state);
    crew_add(&crew, wait_for_seat_or_leave, both);
    until_waiting(&contest.sem.gate, 2);
    il_sem_release(&contest.sem); /* too few for the first, who holds up the select */
    il_event_set(&leave);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(il_sem_value(&contest.sem), 1);
    il_sem_release(&contest.sem);
    assert_int_equal(crew_join(&first), 0);
    assert_int_equal(il_sem_value(&contest.sem), 0);
}

static int read_it(void *in, void *out)
{
    int status = il_rwlock_lock_shared_until(in, LATE);
    if (!status) il_rwlock_unlock_shared(in);
    return status;
}

struct writer {
    il_rwlock *lock;
    il_event leave;
};

static int write_or_leave(void *in, void *out)
{
    struct writer *writer = in;
    il_case cases[] = { IL_WRITE(writer->lock), IL_SET(&writer->leave) };
    size_t index = 99;
    int status = il_select(cases, 2, LATE, &index);
    return status ? status : index == 1 ? 0 : -1;
}

static void a_writer_that_chooses_otherwise_lets_the_readers_behind_it_in(void **state)
{
    il_rwlock lock = { 0 };
    struct writer writer = { .lock = &lock };
    struct crew crew;
    il_rwlock_lock_shared(&lock);
    crew_open(&crew, state);
    crew_add(&crew, write_or_leave, &writer);
    until_waiting(&lock.gate, 1);
    crew_add(&crew, read_it, &lock);
    until_waiting(&lock.gate, 2);
    il_event_set(&writer.leave);
    assert_int_equal(crew_join(&crew), 0);
    il_rwlock_unlock_shared(&lock);
    assert_int_equal(lock.gate.word, 0);
}

static void who_selects_is_listed_as_such(void **state)
{
    struct between between = { new_chan(0), new_chan(0), 3, 4, 1, 99 };
    il_thread thread = { 0 };
    il_info info;
    long item = 9;
    assert_int_equal(il_thread_start(&thread, receive_or_send, &between, NULL, NULL), 0);
    until_waiting(gate_of(between.one), 1);
    assert_int_equal(il_thread_describe(&thread, &info), 0);
    assert_int_equal(il_chan_send(between.one, &item, IL_NOW), 0);
    assert_int_equal(il_thread_join(&thread, LATE), 0);
    assert_string_equal(info.waits_for, "select");
    assert_int_equal(between.in, 9);
    il_chan_free(between.one);
    il_chan_free(between.other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_chosen_when_it_is_ready_before),
        EACH_CREW(each_kind_wakes_the_select_that_waits_and_no_other_case_is_done),
        EACH_CREW(select_gives_up_as_any_wait_and_leaves_no_trace),
        cmocka_unit_test(what_becomes_ready_just_before_the_wait_is_not_missed),
        cmocka_unit_test(first_in_the_array_wins),
        cmocka_unit_test(fair_choice_comes_to_each_that_is_ready),
        cmocka_unit_test(cases_that_are_off_or_of_null_are_passed_over),
        cmocka_unit_test(with_nothing_on_it_is_a_sleep_but_not_for_ever),
        cmocka_unit_test(a_time_is_a_case_and_the_earliest_counts),
        cmocka_unit_test(cases_may_be_used_again_and_again),
        cmocka_unit_test(closed_channel_is_ready_with_epipe_on_both_sides),
        EACH_CREW(closing_wakes_the_select_with_epipe),
        cmocka_unit_test(unbounded_one_is_always_ready_to_send_and_grows),
        cmocka_unit_test(what_is_ours_already_is_edeadlk),
        cmocka_unit_test(a_thread_that_was_not_started_is_einval_and_itself_edeadlk),
        EACH_POOL(empty_scope_is_a_case_of_its_opener),
        EACH_CREW(select_never_meets_itself),
        EACH_CREW(two_selects_meet_in_a_rendezvous),
        cmocka_unit_test(one_thing_may_stand_in_many_cases),
        EACH_CREW(a_mutex_is_handed_to_selects_among_others_who_lock_it),
        EACH_CREW(a_select_keeps_its_turn_in_a_queue_and_none_if_it_chooses_otherwise),
        EACH_CREW(a_writer_that_chooses_otherwise_lets_the_readers_behind_it_in),
        cmocka_unit_test(who_selects_is_listed_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
