/* SPDX-License-Identifier: MIT */
/* Claims about il_generator: laziness, ends of every kind, early close, belonging to a scope. */

#include "work.h"

/* What a body is told, and what it notes: the test looks when it is suspended or has ended. */
struct story {
    long limit; /* values to yield; then `status` is returned */
    int status;
    long yielded;   /* times it reached a yield */
    bool cleaned;   /* it returned by its last line */
    int refused;    /* what the yield returned that was not 0 */
    il_event *hold; /* waited for before the first yield, if set */
    bool begun;
};

static int tell(void *in, void *out)
{
    struct story *story = in;
    int status = 0;
    il__store_release(&story->begun, true);
    if (story->hold) status = il_event_wait_until(story->hold, IL_FOREVER);
    for (long n = 0; !status && n < story->limit; n++) {
        il__add(&story->yielded, 1);
        status = il_generator_yield(out, &n);
    }
    story->refused = status;
    il__store_release(&story->cleaned, true);
    if (status) return status;
    return story->status ? il_fail(story->status, "the story ends badly") : 0;
}

static il_generator *begin(il_executor *pool, struct story *story)
{
    il_generator *generator = NULL;
    il_generator_opts opts = { .name = "story" };
    assert_int_equal(il_generator_new(pool, tell, story, sizeof(long), &opts, &generator), 0);
    return generator;
}

static void assert_yields(il_generator *generator, long first, long last)
{
    for (long n = first; n <= last; n++) {
        long value = -1;
        assert_int_equal(il_generator_next(generator, &value, LATE), 0);
        assert_int_equal(value, n);
    }
}

static void assert_ends(il_generator *generator, int status)
{
    long value = -1;
    for (int again = 0; again < 3; again++)
        assert_int_equal(il_generator_next(generator, &value, LATE), status);
    assert_int_equal(il_generator_next(generator, &value, IL_NOW), status);
    assert_int_equal(value, -1);
}

/* --- Values and ends ---------------------------------------------------------------------------- */

static void values_come_in_order_and_then_the_end(void **state)
{
    struct story story = { .limit = 100 };
    il_generator *generator = begin(*state, &story);
    assert_yields(generator, 0, 99);
    assert_ends(generator, -EPIPE);
    assert_true(story.cleaned);
    assert_int_equal(il_generator_close(generator, LATE), 0);
    il_generator_free(generator);
    il_generator_free(NULL);
}

static void one_without_values_ends_at_once(void **state)
{
    struct story story = { 0 };
    il_generator *generator = begin(*state, &story);
    assert_ends(generator, -EPIPE);
    il_generator_free(generator);
}

static void the_error_of_the_body_comes_after_its_values_with_its_words(void **state)
{
    struct story story = { .limit = 2, .status = -EIO };
    il_generator *generator = begin(*state, &story);
    assert_yields(generator, 0, 1);
    assert_ends(generator, -EIO);
    assert_string_equal(il_last_error()->message, "the story ends badly");
    assert_string_equal(il_last_error()->task, "story");
    assert_int_equal(il_generator_close(generator, LATE), -EIO);
    il_generator_free(generator);
}

static void the_body_does_not_run_ahead(void **state)
{
    struct story story = { .limit = 100 };
    il_generator *generator = begin(*state, &story);
    for (int i = 0; i < 100; i++) il_yield();
    assert_false(il__load_acquire(&story.begun));
    for (long n = 0; n < 10; n++) {
        assert_yields(generator, n, n);
        for (int i = 0; i < 20; i++) il_yield();
        assert_int_equal(il__load(&story.yielded), n + 1);
    }
    il_generator_free(generator);
}

/* --- Giving up ---------------------------------------------------------------------------------- */

static void a_value_that_nobody_waited_for_is_kept(void **state)
{
    long value = -1;
    il_event hold = { 0 };
    struct story story = { .limit = 3, .hold = &hold };
    il_generator *generator = begin(*state, &story);
    assert_int_equal(il_generator_next(generator, &value, IL_NOW), -EAGAIN); /* it has asked */
    until_true(&story.begun);
    assert_int_equal(il_generator_next(generator, &value, PAST), -ETIMEDOUT);
    assert_int_equal(il_generator_next(generator, &value, SOON), -ETIMEDOUT);
    assert_int_equal(value, -1);
    il_event_set(&hold);
    while (!il__load(&story.yielded)) il_yield();
    assert_yields(generator, 0, 2);
    assert_ends(generator, -EPIPE);
    il_generator_free(generator);
}

static int next_until(void *generator, il_time until)
{
    long value;
    return il_generator_next(generator, &value, until);
}

static void asking_gives_up_in_each_way(void **state)
{
    il_event hold = { 0 };
    struct story story = { .limit = 3, .hold = &hold };
    il_executor *pool = pool_of(1);
    il_generator *generator = begin(pool, &story);
    assert_gives_up(state, next_until, generator);
    assert_int_equal(status_when_cancelled(state, next_until, generator, (il__gate *)generator),
                     -ECANCELED);
    il_event_set(&hold);
    assert_yields(generator, 0, 2);
    il_generator_free(generator);
    il_executor_free(pool);
}

/* --- Closing early ------------------------------------------------------------------------------ */

static void an_early_close_lets_the_body_clean_up(void **state)
{
    struct story story = { .limit = 100 };
    il_generator *generator = begin(*state, &story);
    assert_yields(generator, 0, 4);
    assert_int_equal(il_generator_close(generator, LATE), 0);
    assert_true(story.cleaned);
    assert_int_equal(story.refused, -ECANCELED);
    assert_int_equal(story.yielded, 5);
    assert_ends(generator, -EPIPE);
    assert_int_equal(il_generator_close(generator, IL_NOW), 0);
    il_generator_free(generator);
}

static void freeing_closes_and_joins(void **state)
{
    struct story story = { .limit = 100 };
    il_generator *generator = begin(*state, &story);
    assert_yields(generator, 0, 0);
    il_generator_free(generator);
    assert_true(story.cleaned);
    assert_int_equal(story.refused, -ECANCELED);
}

static void one_that_was_never_asked_never_runs(void **state)
{
    struct story stories[20] = { 0 };
    for (int i = 0; i < 20; i++) {
        il_generator *generator = begin(*state, &stories[i]);
        if (i % 2) il_yield();
        il_generator_free(generator);
        assert_false(stories[i].begun);
    }
}

static void closing_waits_until_a_deadline(void **state)
{
    il_event hold = { 0 };
    struct story story = { .limit = 3, .hold = &hold };
    il_generator *generator = begin(*state, &story);
    assert_int_equal(next_until(generator, IL_NOW), -EAGAIN);
    until_true(&story.begun);
    assert_int_equal(il_generator_close(generator, IL_NOW), -EAGAIN);
    assert_int_equal(il_generator_close(generator, SOON), -ETIMEDOUT);
    il_event_set(&hold);
    assert_int_equal(il_generator_close(generator, LATE), 0);
    assert_int_equal(story.refused, -ECANCELED); /* every yield from then on */
    il_generator_free(generator);
}

/* One that pays no heed to the answer, and fails in the end. */
static int stubborn(void *in, void *out)
{
    long n = 0;
    for (int i = 0; i < 10; i++) *(int *)in += il_generator_yield(out, &n) == -ECANCELED;
    return il_fail(-EIO, "cleaning up failed");
}

static void a_failure_while_cleaning_up_is_returned_by_close(void **state)
{
    int refused = 0;
    il_generator *generator = NULL;
    assert_int_equal(il_generator_new(*state, stubborn, &refused, sizeof(long), NULL, &generator),
                     0);
    assert_int_equal(next_until(generator, LATE), 0);
    assert_int_equal(il_generator_close(generator, LATE), -EIO);
    assert_string_equal(il_last_error()->message, "cleaning up failed");
    assert_int_equal(refused, 10);
    il_generator_free(generator);
}

/* --- Scopes, deadlines, executors ---------------------------------------------------------------- */

static void a_suspended_one_is_closed_with_its_scope(void **state)
{
    struct story used = { .limit = 100 }, unused = { .limit = 100 };
    il_scope *scope = NULL;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    il_generator *a = begin(NULL, &used), *b = begin(NULL, &unused);
    assert_yields(a, 0, 2);
    assert_int_equal(il_scope_close(scope), 0);
    assert_true(used.cleaned);
    assert_int_equal(used.refused, -ECANCELED);
    assert_false(unused.begun);
    assert_ends(a, -EPIPE);
    assert_ends(b, -EPIPE);
    il_generator_free(a);
    il_generator_free(b);
}

static void waiting_for_a_scope_does_not_close_its_generators(void **state)
{
    struct story story = { .limit = 100 };
    il_scope *scope = NULL;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    il_generator *generator = begin(NULL, &story);
    assert_yields(generator, 0, 2);
    assert_int_equal(il_scope_wait(scope, LATE), 0);
    assert_yields(generator, 3, 5);
    il_generator_free(generator);
    assert_int_equal(il_scope_close(scope), 0);
}

struct consumer {
    il_generator *generator;
    long sum;
    int status;
};

static int consume(void *in, void *out)
{
    struct consumer *self = in;
    long value;
    while (!(self->status = il_generator_next(self->generator, &value, LATE))) self->sum += value;
    return self->status == -EPIPE ? 0 : self->status;
}

static void a_scope_waits_for_those_who_still_ask(void **state)
{
    struct story story = { .limit = 100 };
    il_scope *scope = NULL;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    struct consumer consumers[3];
    il_generator *generator = begin(NULL, &story);
    for (int i = 0; i < 3; i++) {
        consumers[i] = (struct consumer){ .generator = generator };
        assert_int_equal(il_go(scope, consume, &consumers[i], NULL), 0);
    }
    assert_int_equal(il_scope_close(scope), 0);
    assert_int_equal(consumers[0].sum + consumers[1].sum + consumers[2].sum, 99 * 100 / 2);
    assert_int_equal(story.yielded, 100);
    il_generator_free(generator);
}

static void a_cancelled_scope_cancels_its_generators(void **state)
{
    struct story story = { .limit = 100 };
    il_scope *scope = NULL;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    il_generator *generator = begin(NULL, &story);
    assert_yields(generator, 0, 2);
    il_scope_cancel(scope);
    while (!il__load_acquire(&story.cleaned)) il_yield();
    assert_int_equal(il_scope_close(scope), -ECANCELED);
    assert_int_equal(story.refused, -ECANCELED);
    assert_ends(generator, -ECANCELED);
    il_generator_free(generator);
}

static void a_deadline_of_its_own_ends_it(void **state)
{
    struct story story = { .limit = 100 };
    il_generator *generator = NULL;
    il_generator_opts opts = { .deadline = il_after(IL_MS(20)) };
    assert_int_equal(il_generator_new(*state, tell, &story, sizeof(long), &opts, &generator), 0);
    while (!il__load_acquire(&story.cleaned) && il_now() < opts.deadline + IL_SEC(60)) {
        int status = next_until(generator, LATE);
        if (status == -ETIMEDOUT) break;
        assert_int_equal(status, 0);
        if (story.yielded >= 5) il_sleep(opts.deadline); /* sleeps: that is its deadline */
    }
    assert_ends(generator, -ETIMEDOUT);
    il_generator_free(generator);
}

static void a_failure_that_nobody_asked_for_comes_out_of_the_scope(void **state)
{
    int refused = 0;
    il_generator *generator = NULL;
    il_scope *scope = NULL;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    assert_int_equal(il_generator_new(NULL, stubborn, &refused, sizeof(long), NULL, &generator), 0);
    assert_int_equal(next_until(generator, LATE), 0);
    il_generator_free(generator);
    assert_int_equal(il_scope_close(scope), -EIO);
    assert_string_equal(il_last_error()->message, "cleaning up failed");
}

static void freeing_the_pool_cancels_it(void **state)
{
    struct story story = { .limit = 100 };
    il_executor *pool = pool_of(2);
    il_generator *generator = begin(pool, &story), *unused = begin(pool, &story);
    assert_yields(generator, 0, 2);
    il_executor_free(pool);
    assert_true(story.cleaned);
    assert_ends(generator, -ECANCELED);
    assert_ends(unused, -ECANCELED);
    il_generator_free(generator);
    il_generator_free(unused);
}

static void an_executor_without_fibers_is_einval(void **state)
{
    struct story story = { 0 };
    il_generator *generator = NULL;
    il_executor *in_place = NULL;
    assert_int_equal(il_inline_new(&in_place), 0);
    assert_int_equal(il_generator_new(in_place, tell, &story, 8, NULL, &generator), -EINVAL);
    assert_int_equal(il_generator_new(NULL, tell, &story, 8, NULL, &generator), -EINVAL);
    assert_null(generator);
    il_executor_free(in_place);
}

static void a_closed_pool_takes_none(void **state)
{
    struct story story = { 0 };
    il_generator *generator = NULL;
    il_executor *pool = pool_of(1);
    assert_int_equal(il_executor_close(pool, LATE), 0);
    assert_int_equal(il_generator_new(pool, tell, &story, 8, NULL, &generator), -ESHUTDOWN);
    assert_null(generator);
    il_executor_free(pool);
}

/* --- Who asks ------------------------------------------------------------------------------------ */

static void consumers_of_every_kind_share_the_values(void **state)
{
    struct story story = { .limit = 400 };
    struct consumer consumers[4];
    struct crew crew;
    il_executor *pool = pool_of(2);
    il_generator *generator = begin(pool, &story);
    crew_open(&crew, state);
    for (int i = 0; i < 4; i++) {
        consumers[i] = (struct consumer){ .generator = generator };
        crew_add(&crew, consume, &consumers[i]);
    }
    assert_int_equal(crew_join(&crew), 0);
    long sum = 0;
    for (int i = 0; i < 4; i++) sum += consumers[i].sum;
    assert_int_equal(sum, 399 * 400 / 2);
    il_generator_free(generator);
    il_executor_free(pool);
}

/* In order: a tree's left part, itself, its right part; each part is a generator of its own. */
struct range {
    long first, last;
};

static int yield_all(il_generator *from, il_generator *to)
{
    long value;
    int status;
    while (!(status = il_generator_next(from, &value, IL_FOREVER)))
        if ((status = il_generator_yield(to, &value))) return status;
    return status == -EPIPE ? 0 : status;
}

static int walk(void *in, void *out)
{
    struct range *range = in;
    if (range->first > range->last) return 0;
    long middle = (range->first + range->last) / 2;
    struct range parts[2] = { { range->first, middle - 1 }, { middle + 1, range->last } };
    il_scope *scope = NULL;
    int status = il_scope_open(NULL, &scope);
    for (int i = 0; !status && i < 2; i++) {
        il_generator *part = NULL;
        status = il_generator_new(NULL, walk, &parts[i], sizeof(long), NULL, &part);
        if (!status) status = yield_all(part, out);
        if (!status && i == 0) status = il_generator_yield(out, &middle);
        il_generator_free(part);
    }
    int closed = il_scope_close(scope);
    return status ? status : closed;
}

static void generators_may_ask_generators(void **state)
{
    struct range range = { 0, 62 };
    il_generator *generator = NULL;
    assert_int_equal(il_generator_new(*state, walk, &range, sizeof(long), NULL, &generator), 0);
    assert_yields(generator, 0, 62);
    assert_ends(generator, -EPIPE);
    il_generator_free(generator);
    assert_int_equal(il_generator_new(*state, walk, &range, sizeof(long), NULL, &generator), 0);
    assert_yields(generator, 0, 20);
    il_generator_free(generator); /* and with it all that it asks */
}

static int ask_oneself(void *in, void *out)
{
    int *statuses = in;
    long n = 0;
    statuses[0] = il_generator_next(out, &n, LATE);
    statuses[1] = il_generator_close(out, LATE);
    return il_generator_yield(out, &n);
}

static void asking_oneself_is_edeadlk(void **state)
{
    int statuses[2] = { 0 };
    il_generator *generator = NULL;
    assert_int_equal(
        il_generator_new(*state, ask_oneself, statuses, sizeof(long), NULL, &generator), 0);
    assert_int_equal(next_until(generator, LATE), 0);
    assert_int_equal(statuses[0], -EDEADLK);
    assert_int_equal(statuses[1], -EDEADLK);
    il_generator_free(generator);
}

static void yield_outside(void)
{
    struct story story = { .limit = 3 };
    il_generator *generator = begin(pool_of(1), &story);
    long n = 0;
    next_until(generator, LATE);
    il_generator_yield(generator, &n);
}

static int free_oneself(void *in, void *out)
{
    il_generator_free(out);
    return 0;
}

static void free_inside(void)
{
    il_generator *generator = NULL;
    if (il_generator_new(pool_of(1), free_oneself, NULL, 8, NULL, &generator)) return;
    next_until(generator, LATE);
}

static void misuse_is_fatal(void **state)
{
    assert_fatal(yield_outside, "by somebody else than its body");
    assert_fatal(free_inside, "freed by its own body");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_POOL(values_come_in_order_and_then_the_end),
        EACH_POOL(one_without_values_ends_at_once),
        EACH_POOL(the_error_of_the_body_comes_after_its_values_with_its_words),
        EACH_POOL(the_body_does_not_run_ahead),
        EACH_POOL(a_value_that_nobody_waited_for_is_kept),
        EACH_CREW(asking_gives_up_in_each_way),
        EACH_POOL(an_early_close_lets_the_body_clean_up),
        EACH_POOL(freeing_closes_and_joins),
        EACH_POOL(one_that_was_never_asked_never_runs),
        EACH_POOL(closing_waits_until_a_deadline),
        EACH_POOL(a_failure_while_cleaning_up_is_returned_by_close),
        EACH_POOL(a_suspended_one_is_closed_with_its_scope),
        EACH_POOL(waiting_for_a_scope_does_not_close_its_generators),
        EACH_POOL(a_scope_waits_for_those_who_still_ask),
        EACH_POOL(a_cancelled_scope_cancels_its_generators),
        EACH_POOL(a_deadline_of_its_own_ends_it),
        EACH_POOL(a_failure_that_nobody_asked_for_comes_out_of_the_scope),
        cmocka_unit_test(freeing_the_pool_cancels_it),
        cmocka_unit_test(an_executor_without_fibers_is_einval),
        cmocka_unit_test(a_closed_pool_takes_none),
        EACH_CREW(consumers_of_every_kind_share_the_values),
        EACH_POOL(generators_may_ask_generators),
        EACH_POOL(asking_oneself_is_edeadlk),
        cmocka_unit_test(misuse_is_fatal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
