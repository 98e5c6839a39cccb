/* SPDX-License-Identifier: MIT */
/* Scopes: children end before them, the first error cancels the rest, cancellations and deadlines
 * nest and are never swallowed. */

#include "task/scope.h"
#include "work.h"

static il_scope *open_on(il_executor *executor)
{
    il_scope *scope = NULL;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = executor }, &scope), 0);
    return scope;
}

/* --- Children -------------------------------------------------------------------------------- */

static int slow_count(void *in, void *out)
{
    for (int i = 0; i < 5; i++) il_yield(); /* costly in place: a busy machine takes its time */
    il__add((int *)in, 1);
    return 0;
}

static void children_end_before_their_scope(void **state)
{
    for (int round = 0; round < 20; round++) {
        int ended = 0;
        il_scope *scope = open_on(*state);
        for (int i = 0; i < 20; i++) assert_int_equal(il_go(scope, slow_count, &ended, NULL), 0);
        assert_int_equal(il_scope_close(scope), 0);
        assert_int_equal(ended, 20);
    }
}

static void children_take_and_give_by_reference(void **state)
{
    long in[100], out[100];
    il_scope *scope = open_on(*state);
    for (long i = 0; i < 100; i++) {
        in[i] = i;
        assert_int_equal(il_go(scope, square, &in[i], &out[i]), 0);
    }
    assert_int_equal(il_scope_close(scope), 0);
    for (long i = 0; i < 100; i++) assert_int_equal(out[i], i * i);
}

static void an_empty_scope_closes_at_once(void **state)
{
    il_scope *scope = open_on(*state);
    assert_int_equal(il_scope_wait(scope, IL_NOW), 0);
    assert_int_equal(il_scope_close(scope), 0);
    assert_int_equal(il_scope_close(NULL), 0);
}

static void wait_may_be_called_again_and_children_added_between(void **state)
{
    int ended = 0;
    il_scope *scope = open_on(*state);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(il_go(scope, slow_count, &ended, NULL), 0);
        assert_int_equal(il_scope_wait(scope, LATE), 0);
        assert_int_equal(ended, i);
    }
    assert_int_equal(il_scope_close(scope), 0);
}

static int wait_for_event(void *in, void *out)
{
    return il_event_wait_until(in, LATE);
}

static void wait_gives_up_at_its_deadline_and_children_go_on(void **state)
{
    il_event go_on = { 0 };
    il_scope *scope = open_on(*state);
    assert_int_equal(il_go(scope, wait_for_event, &go_on, NULL), 0);
    assert_int_equal(il_scope_wait(scope, IL_NOW), -EAGAIN);
    assert_int_equal(il_scope_wait(scope, SOON), -ETIMEDOUT);
    il_event_set(&go_on);
    assert_int_equal(il_scope_wait(scope, LATE), 0);
    assert_int_equal(il_scope_close(scope), 0);
}

static void tasks_submitted_inside_end_before_the_scope(void **state)
{
    int ended = 0, *counter = &ended;
    il_scope *scope = open_on(*state);
    for (int i = 0; i < 50; i++)
        assert_int_equal(il_submit(*state, count, &counter, sizeof counter, 0, NULL, NULL), 0);
    assert_int_equal(il_scope_close(scope), 0);
    assert_int_equal(ended, 50);
}

struct grandchild {
    il_scope *scope;
    int *ended;
    int depth;
};

static int have_children(void *in, void *out)
{
    struct grandchild *self = in;
    struct grandchild child = { self->scope, self->ended, self->depth - 1 };
    il__add(self->ended, 1);
    if (!self->depth) return 0;
    il_scope *inner = NULL;
    int status = il_scope_open(NULL, &inner);
    if (status) return status;
    for (int i = 0; i < 3 && !status; i++) status = il_go(inner, have_children, &child, NULL);
    int closed = il_scope_close(inner);
    return status ? status : closed;
}

static void scopes_nest_in_tasks(void **state)
{
    int ended = 0;
    struct grandchild root = { .ended = &ended, .depth = 5 };
    il_scope *scope = open_on(*state);
    assert_int_equal(il_go(scope, have_children, &root, NULL), 0);
    assert_int_equal(il_scope_close(scope), 0);
    assert_int_equal(ended, 1 + 3 + 9 + 27 + 81 + 243);
}

static int add_siblings(void *in, void *out)
{
    struct grandchild *self = in;
    il__add(self->ended, 1);
    for (int i = 0; i < 10; i++) {
        int status = il_go(self->scope, slow_count, self->ended, NULL);
        if (status) return status;
    }
    return 0;
}

static void children_may_start_siblings(void **state)
{
    int ended = 0;
    struct grandchild self = { .scope = open_on(*state), .ended = &ended };
    for (int i = 0; i < 10; i++) assert_int_equal(il_go(self.scope, add_siblings, &self, NULL), 0);
    assert_int_equal(il_scope_close(self.scope), 0);
    assert_int_equal(ended, 110);
}

static int kind_of_self(void *in, void *out)
{
    il_info me;
    il_self(&me);
    *(int *)out = (int)me.kind;
    return 0;
}

static void without_an_executor_children_run_where_the_scope_around_does(void **state)
{
    int kind = -1;
    il_scope *outer = open_on(*state), *inner = NULL;
    assert_int_equal(il_scope_open(NULL, &inner), 0);
    assert_int_equal(il_go(inner, kind_of_self, NULL, &kind), 0);
    assert_int_equal(il_scope_close(inner), 0);
    assert_int_equal(il_scope_close(outer), 0);
    assert_int_equal(kind, IL_FIBER);
}

static void without_any_executor_children_run_in_place(void **state)
{
    int kind = -1;
    il_scope *scope = open_on(NULL);
    assert_int_equal(il_go(scope, kind_of_self, NULL, &kind), 0);
    assert_int_equal(kind, IL_THREAD); /* it has run already */
    assert_int_equal(il_scope_close(scope), 0);
}

static void go_on_a_closed_executor_is_eshutdown(void **state)
{
    int ended = 0;
    il_scope *scope = open_on(*state);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(il_go(scope, slow_count, &ended, NULL), -ESHUTDOWN);
    assert_int_equal(il_scope_close(scope), 0);
    assert_int_equal(ended, 0);
}

static void submit_on_a_closed_executor_leaves_no_child_behind(void **state)
{
    il_scope *scope = open_on(*state);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(il_submit(*state, nothing, NULL, 0, 0, NULL, NULL), -ESHUTDOWN);
    assert_int_equal(il_scope_close(scope), 0);
}

/* --- Errors ---------------------------------------------------------------------------------- */

static int fail_as_told(void *in, void *out)
{
    return il_fail(*(int *)in, "told to");
}

static void the_first_error_comes_back_with_its_words(void **state)
{
    int status = -ENOENT;
    unsigned more = 9;
    il_scope *scope = open_on(*state);
    assert_null(il_scope_error(scope, &more));
    assert_int_equal(more, 0);
    assert_int_equal(
        il_go_with(scope, fail_as_told, &status, NULL, &(il_task_opts){ .name = "a child" }), 0);
    assert_int_equal(il_scope_wait(scope, LATE), -ENOENT);
    assert_string_equal(il_scope_error(scope, NULL)->message, "told to");
    assert_string_equal(il_scope_error(scope, NULL)->task, "a child");
    assert_int_equal(il_scope_close(scope), -ENOENT);
    assert_string_equal(il_last_error()->message, "told to");
}

static void the_first_error_cancels_the_rest(void **state)
{
    int status = -EIO;
    unsigned more = 9;
    il_event never = { 0 };
    il_scope *scope = open_on(*state);
    for (int i = 0; i < 20; i++) assert_int_equal(il_go(scope, wait_for_event, &never, NULL), 0);
    until_waiting(&never.gate, 20);
    assert_int_equal(il_go(scope, fail_as_told, &status, NULL), 0);
    assert_int_equal(il_scope_wait(scope, LATE), -EIO);
    il_scope_error(scope, &more);
    assert_int_equal(more, 0); /* the cancelled are not failures of their own */
    assert_int_equal(il_scope_close(scope), -EIO);
}

struct late_failure {
    il_event *first;
    int status;
};

static int fail_when_cancelled(void *in, void *out)
{
    struct late_failure *self = in;
    il_event_set(self->first);
    il_sleep(LATE);
    return self->status;
}

static void failures_after_the_first_are_counted(void **state)
{
    il_event begun = { 0 };
    struct late_failure late = { &begun, -EPIPE };
    int status = -EIO;
    unsigned more = 0;
    il_scope *scope = open_on(*state);
    assert_int_equal(il_go(scope, fail_when_cancelled, &late, NULL), 0);
    il_event_wait(&begun);
    assert_int_equal(il_go(scope, fail_as_told, &status, NULL), 0);
    assert_int_equal(il_scope_wait(scope, LATE), -EIO);
    il_scope_error(scope, &more);
    /* a failure of a cancelled task is reported as the cancellation */
    assert_int_equal(more, 0);
    assert_int_equal(il_scope_close(scope), -EIO);
}

/* Two that fail before either is cancelled. */
static void of_failures_at_once_the_first_is_the_status(void **state)
{
    unsigned more = 9;
    il_scope *scope = open_on(*state);
    il__scope_fail(scope, -EIO, il__error_plain(-EIO, "", NULL));
    il__scope_fail(scope, -EPIPE, il__error_plain(-EPIPE, "", NULL));
    assert_int_equal(il_scope_error(scope, &more)->status, -EIO);
    assert_int_equal(more, 1);
    assert_int_equal(il_scope_close(scope), -EIO);
}

static void after_an_error_go_is_ecanceled(void **state)
{
    int status = -EIO, ended = 0;
    il_scope *scope = open_on(*state);
    assert_int_equal(il_go(scope, fail_as_told, &status, NULL), 0);
    assert_int_equal(il_scope_wait(scope, LATE), -EIO);
    assert_int_equal(il_go(scope, slow_count, &ended, NULL), -ECANCELED);
    assert_int_equal(il_submit(*state, nothing, NULL, 0, 0, NULL, NULL), -ECANCELED);
    assert_int_equal(il_scope_close(scope), -EIO);
    assert_int_equal(ended, 0);
}

static void the_body_of_a_scope_is_cancelled_with_it(void **state)
{
    int status = -EIO;
    il_scope *scope = open_on(*state);
    assert_false(il_cancelled());
    assert_int_equal(il_go(scope, fail_as_told, &status, NULL), 0);
    assert_int_equal(il_sleep(LATE), -ECANCELED);
    assert_true(il_cancelled());
    assert_int_equal(il_scope_close(scope), -EIO);
    assert_false(il_cancelled());
    assert_int_equal(il_sleep(SOON), 0);
}

static void an_error_of_an_inner_scope_stays_inside(void **state)
{
    int status = -EIO, ended = 0;
    il_scope *outer = open_on(*state), *inner = open_on(*state);
    assert_int_equal(il_go(inner, fail_as_told, &status, NULL), 0);
    assert_int_equal(il_scope_close(inner), -EIO);
    assert_false(il_cancelled());
    assert_int_equal(il_go(outer, slow_count, &ended, NULL), 0);
    assert_int_equal(il_scope_close(outer), 0);
    assert_int_equal(ended, 1);
}

static void a_child_that_returns_ecanceled_by_itself_is_a_failure(void **state)
{
    int status = -ECANCELED;
    il_scope *scope = open_on(*state);
    assert_int_equal(il_go(scope, fail_as_told, &status, NULL), 0);
    assert_int_equal(il_scope_close(scope), -ECANCELED);
}

static void a_child_whose_deadline_passes_is_a_failure(void **state)
{
    il_event never = { 0 };
    il_scope *scope = open_on(*state);
    assert_int_equal(il_go(scope, wait_for_event, &never, NULL), 0);
    assert_int_equal(
        il_go_with(scope, wait_for_event, &never, NULL, &(il_task_opts){ .deadline = SOON }), 0);
    assert_int_equal(il_scope_close(scope), -ETIMEDOUT);
}

/* --- Cancelling ------------------------------------------------------------------------------ */

static void cancel_ends_all_that_wait(void **state)
{
    il_event never = { 0 };
    il_scope *scope = open_on(*state);
    for (int i = 0; i < 100; i++) assert_int_equal(il_go(scope, wait_for_event, &never, NULL), 0);
    until_waiting(&never.gate, 100);
    il_scope_cancel(scope);
    il_scope_cancel(scope);
    assert_int_equal(il_go(scope, wait_for_event, &never, NULL), -ECANCELED);
    assert_int_equal(il_scope_wait(scope, LATE), -ECANCELED);
    assert_int_equal(il_scope_close(scope), -ECANCELED);
    assert_int_equal(il__gate_count(&never.gate), 0);
}

static void children_not_begun_when_cancelled_never_run(void **state)
{
    struct occupation job;
    int ended = 0;
    il_future *busy = occupy_worker(*state, &job);
    il_scope *scope = open_on(*state);
    for (int i = 0; i < 20; i++) assert_int_equal(il_go(scope, slow_count, &ended, NULL), 0);
    il_scope_cancel(scope);
    il__store_release(&job.enough, true);
    assert_int_equal(il_scope_close(scope), -ECANCELED);
    assert_int_equal(ended, 0);
    release_worker(&job, busy);
}

struct inner_scope {
    il_event *never;
    int inner_status;
    bool cancelled_after;
    int wait_after;
};

static int close_inner_scope(void *in, void *out)
{
    struct inner_scope *self = in;
    il_scope *inner = NULL;
    int status = il_scope_open(&(il_scope_opts){ .name = "inner" }, &inner);
    if (status) return status;
    il_go(inner, wait_for_event, self->never, NULL);
    self->inner_status = il_scope_close(inner);
    self->cancelled_after = il_cancelled();
    self->wait_after = il_sleep(LATE);
    return 0;
}

static void an_outer_cancel_is_not_swallowed_by_an_inner_scope(void **state)
{
    il_event never = { 0 };
    struct inner_scope self = { .never = &never };
    il_scope *outer = open_on(*state);
    assert_int_equal(il_go(outer, close_inner_scope, &self, NULL), 0);
    until_waiting(&never.gate, 1);
    il_scope_cancel(outer);
    assert_int_equal(il_scope_close(outer), -ECANCELED);
    assert_int_equal(self.inner_status, -ECANCELED);
    assert_true(self.cancelled_after);
    assert_int_equal(self.wait_after, -ECANCELED);
}

static int open_when_cancelled(void *in, void *out)
{
    struct inner_scope *self = in;
    il_scope *inner = NULL;
    while (!il_cancelled()) il_yield();
    int status = il_scope_open(NULL, &inner);
    if (status) return status;
    self->wait_after = il_sleep(LATE);
    self->cancelled_after = il_cancelled();
    int go = il_go(inner, wait_for_event, self->never, NULL);
    self->inner_status = il_scope_close(inner);
    return go == -ECANCELED ? 0 : -EINVAL;
}

static void a_scope_opened_in_a_cancelled_one_is_cancelled(void **state)
{
    struct inner_scope self = { 0 };
    il_scope *outer = open_on(*state);
    assert_int_equal(il_go(outer, open_when_cancelled, &self, NULL), 0);
    il_scope_cancel(outer);
    assert_int_equal(il_scope_close(outer), -ECANCELED);
    if (!self.wait_after) return; /* it never began */
    assert_int_equal(self.wait_after, -ECANCELED);
    assert_int_equal(self.inner_status, -ECANCELED);
    assert_true(self.cancelled_after);
}

static int cancel_own_scope(void *in, void *out)
{
    il_scope_cancel(in);
    return 0;
}

static void a_child_may_cancel_its_scope(void **state)
{
    il_event never = { 0 };
    il_scope *scope = open_on(*state);
    assert_int_equal(il_go(scope, wait_for_event, &never, NULL), 0);
    assert_int_equal(il_go(scope, cancel_own_scope, scope, NULL), 0);
    assert_int_equal(il_scope_close(scope), -ECANCELED);
}

/* One fiber with a tower of scopes. */
struct tower {
    int floors;
    il_event up;
    int opened, wrong;
    int wait;
};

static int climb(void *in, void *out)
{
    struct tower *tower = in;
    il_scope **scopes = calloc((size_t)tower->floors, sizeof *scopes);
    if (!scopes) return -ENOMEM;
    while (tower->opened < tower->floors && !il_scope_open(NULL, &scopes[tower->opened]))
        tower->opened++;
    il_event_set(&tower->up);
    tower->wait = il_sleep(LATE);
    for (int i = tower->opened; i--;) tower->wrong += il_scope_close(scopes[i]) != -ECANCELED;
    free(scopes);
    return 0;
}

static void ten_thousand_scopes_deep_is_cancelled_without_recursion(void **state)
{
    struct tower tower = { .floors = 10000 };
    il_scope *scope = open_on(*state);
    assert_int_equal(il_go(scope, climb, &tower, NULL), 0);
    il_event_wait(&tower.up);
    il_scope_cancel(scope);
    assert_int_equal(il_scope_close(scope), -ECANCELED);
    assert_int_equal(tower.opened, tower.floors);
    assert_int_equal(tower.wait, -ECANCELED);
    assert_int_equal(tower.wrong, 0);
}

/* A chain of tasks, each in a scope of the one before. */
struct chain {
    int left;
    int *ended;
    il_event *bottom;
};

static int descend(void *in, void *out)
{
    struct chain *self = in, next = { self->left - 1, self->ended, self->bottom };
    il_scope *scope = NULL;
    int status;
    if (!self->left) {
        il_event_set(self->bottom);
        status = il_sleep(LATE);
    } else if (!(status = il_scope_open(NULL, &scope))) {
        il_go(scope, descend, &next, NULL);
        status = il_scope_close(scope);
    }
    il__add(self->ended, status == -ECANCELED);
    return status;
}

static void a_deep_chain_of_tasks_is_cancelled_from_the_top(void **state)
{
    int depth = IL_TSAN ? 500 : 5000, ended = 0;
    il_event bottom = { 0 };
    struct chain chain = { depth, &ended, &bottom };
    il_scope *scope = open_on(*state);
    assert_int_equal(il_go(scope, descend, &chain, NULL), 0);
    il_event_wait(&bottom);
    il_scope_cancel(scope);
    assert_int_equal(il_scope_close(scope), -ECANCELED);
    assert_int_equal(ended, depth + 1);
}

/* --- Deadlines ------------------------------------------------------------------------------- */

/* A deadline may pass before a child is started: whether il_go was in time is not asked here. */

static void a_deadline_cancels_the_children_and_is_etimedout(void **state)
{
    il_event never = { 0 };
    il_scope *scope = NULL;
    il_time deadline = SOON;
    il_scope_opts opts = { .executor = *state, .deadline = deadline };
    assert_int_equal(il_scope_open(&opts, &scope), 0);
    for (int i = 0; i < 10; i++) il_go(scope, wait_for_event, &never, NULL);
    assert_int_equal(il_scope_wait(scope, LATE), -ETIMEDOUT);
    assert_true(il_now() >= deadline);
    assert_int_equal(il_scope_close(scope), -ETIMEDOUT);
    assert_int_equal(il__gate_count(&never.gate), 0);
}

static int spin(void *in, void *out)
{
    while (!il_cancelled()) sched_yield();
    return -EIO;
}

static void a_deadline_is_seen_by_children_that_never_wait(void **state)
{
    il_scope *scope = NULL;
    assert_int_equal(
        il_scope_open(&(il_scope_opts){ .executor = *state, .deadline = SOON }, &scope), 0);
    il_go(scope, spin, NULL, NULL);
    assert_int_equal(il_scope_close(scope), -ETIMEDOUT);
}

static void a_deadline_ends_the_waits_of_the_body(void **state)
{
    il_scope *scope = NULL;
    assert_int_equal(
        il_scope_open(&(il_scope_opts){ .executor = *state, .deadline = SOON }, &scope), 0);
    assert_int_equal(il_sleep(LATE), -ECANCELED);
    assert_int_equal(il_scope_close(scope), -ETIMEDOUT);
    assert_int_equal(il_sleep(SOON), 0);
}

static void an_inner_deadline_leaves_the_outer_scope_alone(void **state)
{
    il_event never = { 0 };
    il_scope *outer = open_on(*state), *inner = NULL;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .deadline = SOON }, &inner), 0);
    il_go(inner, wait_for_event, &never, NULL);
    assert_int_equal(il_scope_close(inner), -ETIMEDOUT);
    assert_false(il_cancelled());
    assert_int_equal(il_scope_close(outer), 0);
}

static void an_inner_deadline_is_never_later_than_the_outer(void **state)
{
    il_event never = { 0 };
    il_scope *outer = NULL, *inner = NULL;
    il_time deadline = SOON;
    assert_int_equal(
        il_scope_open(&(il_scope_opts){ .executor = *state, .deadline = deadline }, &outer), 0);
    assert_int_equal(il_scope_open(&(il_scope_opts){ .deadline = LATE }, &inner), 0);
    il_go(inner, wait_for_event, &never, NULL);
    assert_int_equal(il_scope_close(inner), -ECANCELED); /* it was the outer's */
    assert_true(il_cancelled());
    assert_int_equal(il_scope_close(outer), -ETIMEDOUT);
}

/* Busy until its scope is cancelled, which it does not ask the library. */
static int look_from_outside(void *in, void *out)
{
    il_scope *scope = in;
    for (il_time until = LATE; !il__load_acquire(&scope->cancel.status);) {
        if (il_now() > until) return 0;
        sched_yield();
    }
    return 0;
}

static void a_deadline_cancels_children_that_never_look(void **state)
{
    il_scope *scope = NULL;
    il_scope_opts opts = { .executor = *state, .deadline = SOON };
    assert_int_equal(il_scope_open(&opts, &scope), 0);
    int status = il_go(scope, look_from_outside, scope, NULL);
    assert_true(status == 0 || status == -ECANCELED); /* it may have passed already */
    assert_int_equal(il_scope_close(scope), -ETIMEDOUT);
}

static void a_deadline_that_has_passed_starts_nothing(void **state)
{
    int ended = 0;
    il_scope *scope = NULL;
    assert_int_equal(
        il_scope_open(&(il_scope_opts){ .executor = *state, .deadline = PAST }, &scope), 0);
    assert_int_equal(il_go(scope, slow_count, &ended, NULL), -ECANCELED);
    assert_int_equal(il_scope_close(scope), -ETIMEDOUT);
    assert_int_equal(ended, 0);
}

static void an_error_before_the_deadline_is_the_status(void **state)
{
    int status = -EIO;
    il_scope *scope = NULL;
    il_time deadline = il_after(IL_MS(200));
    assert_int_equal(
        il_scope_open(&(il_scope_opts){ .executor = *state, .deadline = deadline }, &scope), 0);
    assert_int_equal(il_go(scope, fail_as_told, &status, NULL), 0);
    assert_int_equal(il_scope_wait(scope, LATE), -EIO);
    while (il_now() < deadline) sched_yield();
    assert_int_equal(il_scope_close(scope), -EIO);
}

/* --- Locks ----------------------------------------------------------------------------------- */

static int lock_until_cancelled(void *in, void *out)
{
    int status = il_mutex_lock_until(in, LATE);
    if (!status) il_mutex_unlock(in);
    return status;
}

static void cancelled_waits_leave_no_mutex_locked(void **state)
{
    il_mutex mutex = { 0 };
    il_scope *scope = open_on(*state);
    il_mutex_lock(&mutex);
    for (int i = 0; i < 20; i++)
        assert_int_equal(il_go(scope, lock_until_cancelled, &mutex, NULL), 0);
    until_waiting(&mutex.gate, 20);
    il_scope_cancel(scope);
    assert_int_equal(il_scope_close(scope), -ECANCELED);
    il_mutex_unlock(&mutex);
    assert_int_equal(il_mutex_lock_until(&mutex, IL_NOW), 0);
    il_mutex_unlock(&mutex);
}

/* --- Misuse ---------------------------------------------------------------------------------- */

static int close_that(void *in, void *out)
{
    return il_scope_close(in);
}

static void close_by_another(void)
{
    il_executor *pool = NULL;
    il_scope *scope = NULL;
    il_threads_new(&(il_threads_opts){ .workers = 1 }, &pool);
    il_scope_open(&(il_scope_opts){ .executor = pool, .name = "mine" }, &scope);
    il_go(scope, close_that, scope, NULL);
    for (;;) pause();
}

static void close_out_of_order(void)
{
    il_scope *outer = NULL, *inner = NULL;
    il_scope_open(&(il_scope_opts){ .name = "outer" }, &outer);
    il_scope_open(NULL, &inner);
    il_scope_close(outer);
}

static int leave_open(void *in, void *out)
{
    il_scope *scope = NULL;
    return il_scope_open(NULL, &scope);
}

static void end_with_a_scope_open(void)
{
    il_executor *here = NULL;
    il_inline_new(&here);
    il_submit(here, leave_open, NULL, 0, 0, &(il_task_opts){ .name = "sloppy" }, NULL);
}

static int leave_locked(void *in, void *out)
{
    static il_mutex mutex;
    il_mutex_lock(&mutex);
    return 0;
}

static void end_with_a_mutex_held(void)
{
    il_executor *here = NULL;
    il_inline_new(&here);
    il_submit(here, leave_locked, NULL, 0, 0, &(il_task_opts){ .name = "sloppy" }, NULL);
}

static void misuse_is_fatal_and_named(void **state)
{
    assert_fatal(close_by_another, "\"mine\"");
    assert_fatal(close_by_another, "by somebody else than its opener");
    assert_fatal(close_out_of_order, "\"outer\"");
    assert_fatal(end_with_a_scope_open, "task \"sloppy\" ended and left a scope open");
    assert_fatal(end_with_a_mutex_held, "task \"sloppy\" ended and still holds 1 mutex");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_EXECUTOR(children_end_before_their_scope),
        EACH_EXECUTOR(children_take_and_give_by_reference),
        EACH_EXECUTOR(an_empty_scope_closes_at_once),
        EACH_EXECUTOR(wait_may_be_called_again_and_children_added_between),
        EACH_POOL(wait_gives_up_at_its_deadline_and_children_go_on),
        EACH_EXECUTOR(tasks_submitted_inside_end_before_the_scope),
        EACH_EXECUTOR(scopes_nest_in_tasks),
        EACH_EXECUTOR(children_may_start_siblings),
        EACH_POOL(without_an_executor_children_run_where_the_scope_around_does),
        cmocka_unit_test(without_any_executor_children_run_in_place),
        EACH_EXECUTOR(go_on_a_closed_executor_is_eshutdown),
        EACH_EXECUTOR(submit_on_a_closed_executor_leaves_no_child_behind),
        EACH_EXECUTOR(the_first_error_comes_back_with_its_words),
        EACH_POOL(the_first_error_cancels_the_rest),
        EACH_POOL(failures_after_the_first_are_counted),
        INLINE(of_failures_at_once_the_first_is_the_status),
        EACH_EXECUTOR(after_an_error_go_is_ecanceled),
        EACH_EXECUTOR(the_body_of_a_scope_is_cancelled_with_it),
        EACH_EXECUTOR(an_error_of_an_inner_scope_stays_inside),
        EACH_EXECUTOR(a_child_that_returns_ecanceled_by_itself_is_a_failure),
        EACH_POOL(a_child_whose_deadline_passes_is_a_failure),
        EACH_POOL(cancel_ends_all_that_wait),
        ONE_WORKER(children_not_begun_when_cancelled_never_run),
        EACH_POOL(an_outer_cancel_is_not_swallowed_by_an_inner_scope),
        EACH_POOL(a_scope_opened_in_a_cancelled_one_is_cancelled),
        EACH_POOL(a_child_may_cancel_its_scope),
        EACH_POOL(ten_thousand_scopes_deep_is_cancelled_without_recursion),
        EACH_POOL(a_deep_chain_of_tasks_is_cancelled_from_the_top),
        EACH_EXECUTOR(a_deadline_cancels_the_children_and_is_etimedout),
        EACH_EXECUTOR(a_deadline_is_seen_by_children_that_never_wait),
        EACH_POOL(a_deadline_cancels_children_that_never_look),
        EACH_EXECUTOR(a_deadline_ends_the_waits_of_the_body),
        EACH_POOL(an_inner_deadline_leaves_the_outer_scope_alone),
        EACH_POOL(an_inner_deadline_is_never_later_than_the_outer),
        EACH_EXECUTOR(a_deadline_that_has_passed_starts_nothing),
        EACH_EXECUTOR(an_error_before_the_deadline_is_the_status),
        EACH_POOL(cancelled_waits_leave_no_mutex_locked),
        cmocka_unit_test(misuse_is_fatal_and_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
