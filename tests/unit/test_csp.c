/* SPDX-License-Identifier: MIT */
/* Claims about parallel, sequence and poison, and about whole networks of them. */

#include "work.h"

static il_chan *chan_of(size_t capacity)
{
    il_chan *chan = NULL;
    assert_int_equal(il_chan_new(sizeof(long), &(il_chan_opts){ .capacity = capacity }, &chan), 0);
    return chan;
}

/* --- Parallel ----------------------------------------------------------------------------------- */

static int meet(void *in, void *out)
{
    return il_barrier_wait_until(in, LATE) < 0 ? -EIO : 0;
}

static void parallel_runs_all_at_once(void **state)
{
    il_barrier barrier = { .parties = 3 };
    assert_int_equal(il_par(*state, IL_PROCESS(meet, &barrier), IL_PROCESS(meet, &barrier),
                            IL_PROCESS(meet, &barrier)),
                     0);
}

static void parallel_gives_results(void **state)
{
    long in[3] = { 2, 3, 4 }, out[3] = { 0 };
    const il_csp_process processes[] = { { square, &in[0], &out[0] },
                                         { square, &in[1], &out[1] },
                                         { square, &in[2], &out[2] } };
    assert_int_equal(il_par_many(*state, processes, 3), 0);
    assert_int_equal(out[0] + out[1] + out[2], 29);
    assert_int_equal(il_par_many(*state, processes, 0), 0);
}

static int fail_with_words(void *in, void *out)
{
    return il_fail(-EIO, "one of them failed");
}

static int wait_until_cancelled(void *in, void *out)
{
    *(int *)in = il_sleep(IL_FOREVER);
    return *(int *)in;
}

static void the_first_error_ends_the_others_and_is_returned(void **state)
{
    int statuses[2] = { 0 };
    assert_int_equal(il_par(*state, IL_PROCESS(wait_until_cancelled, &statuses[0]),
                            IL_PROCESS(fail_with_words, NULL),
                            IL_PROCESS(wait_until_cancelled, &statuses[1])),
                     -EIO);
    assert_string_equal(il_last_error()->message, "one of them failed");
    for (int i = 0; i < 2; i++) /* 0: it had not begun */
        assert_true(statuses[i] == -ECANCELED || statuses[i] == 0);
}

static void parallel_in_a_cancelled_task_is_cancelled(void **state)
{
    il_scope *scope = NULL;
    int ran = 0, *pointer = &ran;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
    il_scope_cancel(scope);
    assert_int_equal(il_par(NULL, IL_PROCESS(count, &pointer), IL_PROCESS(count, &pointer)),
                     -ECANCELED);
    assert_int_equal(il_scope_close(scope), -ECANCELED);
    assert_int_equal(ran, 0);
}

/* --- Sequence ----------------------------------------------------------------------------------- */

static char a[] = "a", b[] = "b", c[] = "c", bang[] = "!";

static int append(void *in, void *out)
{
    size_t length = strlen(out);
    ((char *)out)[length] = *(char *)in;
    return *(char *)in == '!' ? -EIO : 0;
}

static void sequence_runs_one_after_the_other(void **state)
{
    char word[8] = "";
    assert_int_equal(il_seq({ append, a, word }, { append, b, word }, { append, c, word }), 0);
    assert_string_equal(word, "abc");
}

static void sequence_ends_with_the_first_that_fails(void **state)
{
    char word[8] = "";
    assert_int_equal(il_seq({ append, a, word }, { append, bang, word }, { append, c, word }),
                     -EIO);
    assert_string_equal(word, "a!");
}

static int cancel_scope(void *in, void *out)
{
    il_scope_cancel(in);
    return 0;
}

static void sequence_ends_when_it_is_cancelled(void **state)
{
    char word[8] = "";
    il_scope *scope = NULL;
    assert_int_equal(il_scope_open(NULL, &scope), 0);
    assert_int_equal(
        il_seq({ append, a, word }, { cancel_scope, scope, NULL }, { append, c, word }),
        -ECANCELED);
    assert_int_equal(il_scope_close(scope), -ECANCELED);
    assert_string_equal(word, "a");
}

/* --- Poison ------------------------------------------------------------------------------------- */

static void poison_closes_each_end_and_swallows_epipe_only(void **state)
{
    il_chan *one = chan_of(1), *two = chan_of(0);
    assert_int_equal(il_poison(-EIO, one, NULL), -EIO);
    assert_true(il_chan_closed(one));
    assert_int_equal(il_poison(-EPIPE, one, two), 0);
    assert_true(il_chan_closed(two));
    assert_int_equal(il_poison(0, one), 0);
    il_chan_free(one);
    il_chan_free(two);
}

enum { STAGES = 20 };

struct stage {
    il_chan *from, *to; /* NULL: it is the first, the last */
    long limit;         /* items until it is done by itself; -1: never */
    long passed;
};

static int pass_on(void *in, void *out)
{
    struct stage *self = in;
    int status = 0;
    for (long n = 0; !status && self->passed != self->limit; n++) {
        if (self->from) status = il_chan_recv(self->from, &n, IL_FOREVER);
        if (!status && self->to) status = il_chan_send(self->to, &n, IL_FOREVER);
        if (!status) self->passed++;
    }
    return il_poison(status, self->from, self->to);
}

static void run_network(il_executor *pool, struct stage *stages, size_t capacity)
{
    il_csp_process processes[STAGES];
    il_chan *chans[STAGES - 1];
    for (int i = 0; i < STAGES - 1; i++) {
        chans[i] = chan_of(capacity);
        stages[i].to = stages[i + 1].from = chans[i];
    }
    for (int i = 0; i < STAGES; i++) processes[i] = IL_PROCESS(pass_on, &stages[i]);
    int status = il_par_many(pool, processes, STAGES);
    for (int i = 0; i < STAGES - 1; i++) il_chan_free(chans[i]);
    assert_int_equal(status, 0);
}

static void assert_ends_from(il_executor *pool, int where, size_t capacity)
{
    struct stage stages[STAGES];
    for (int i = 0; i < STAGES; i++) stages[i] = (struct stage){ .limit = i == where ? 50 : -1 };
    run_network(pool, stages, capacity);
    assert_int_equal(stages[where].passed, 50);
    for (int i = where; i < STAGES; i++) /* what was sent before is received */
        assert_int_equal(stages[i].passed, 50);
}

static void poison_ends_a_network_wherever_it_begins(void **state)
{
    for (size_t capacity = 0; capacity < 3; capacity++) {
        assert_ends_from(*state, 0, capacity);
        assert_ends_from(*state, STAGES / 2, capacity);
        assert_ends_from(*state, STAGES - 1, capacity);
    }
}

static void cancelling_ends_a_network_as_well(void **state)
{
    struct stage stages[2] = { { .limit = -1 }, { .limit = -1 } };
    il_scope *scope = NULL;
    stages[0].to = stages[1].from = chan_of(3);
    assert_int_equal(
        il_scope_open(&(il_scope_opts){ .executor = *state, .deadline = SOON }, &scope), 0);
    int status = il_par(NULL, IL_PROCESS(pass_on, &stages[0]), IL_PROCESS(pass_on, &stages[1]));
    assert_int_equal(il_scope_close(scope), -ETIMEDOUT);
    assert_int_equal(status, -ECANCELED);
    il_chan_free(stages[0].to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_POOL(parallel_runs_all_at_once),
        EACH_EXECUTOR(parallel_gives_results),
        EACH_POOL(the_first_error_ends_the_others_and_is_returned),
        EACH_EXECUTOR(parallel_in_a_cancelled_task_is_cancelled),
        cmocka_unit_test(sequence_runs_one_after_the_other),
        cmocka_unit_test(sequence_ends_with_the_first_that_fails),
        cmocka_unit_test(sequence_ends_when_it_is_cancelled),
        cmocka_unit_test(poison_closes_each_end_and_swallows_epipe_only),
        EACH_POOL(poison_ends_a_network_wherever_it_begins),
        EACH_POOL(cancelling_ends_a_network_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
