/* SPDX-License-Identifier: MIT */
/* Claims about il_emitter. */

#include "check.h"

#include <interlock/emitter.h>

#include "base/memory.h"

static il_emitter *emitter;
static char heard[64]; /* a letter a call */
static char a[] = "a", b[] = "b", c[] = "c", d[] = "d", n[] = "n", o[] = "o", s[] = "s";

static int open_emitter(void **state)
{
    (void)state;
    heard[0] = 0;
    return il_emitter_new(&emitter);
}

static int free_emitter(void **state)
{
    (void)state;
    il_emitter_free(emitter);
    emitter = NULL;
    return 0;
}

static void note(const char *letter)
{
    if (strlen(heard) + 1 < sizeof heard) strcat(heard, letter);
}

static int hear(il_emitter *from, const char *event, void *data, void *arg)
{
    (void)from, (void)event, (void)data;
    note(arg);
    return 0;
}

static void add(const char *event, il_handler *handler, void *arg)
{
    assert_int_equal(il_emitter_on(emitter, event, handler, arg), 0);
}

static void emit(const char *event, int expected, size_t expected_called)
{
    size_t called = 99;
    assert_int_equal(il_emitter_emit(emitter, event, NULL, &called), expected);
    assert_int_equal(called, expected_called);
}

static void handlers_are_called_in_the_order_they_were_added(void **state)
{
    (void)state;
    add("x", hear, a);
    add("y", hear, d);
    add("x", hear, b);
    add("x", hear, a); /* twice is fine */
    emit("x", 0, 3);
    assert_string_equal(heard, "aba");
    assert_int_equal(il_emitter_handlers(emitter, "x"), 3);
    assert_int_equal(il_emitter_emits(emitter, "x"), 1);
    assert_int_equal(il_emitter_emits(emitter, "y"), 0);
}

static void event_that_nobody_hears_is_no_failure(void **state)
{
    (void)state;
    emit("x", 0, 0);
    assert_int_equal(il_emitter_emit(emitter, "x", NULL, NULL), 0);
    assert_int_equal(il_emitter_handlers(emitter, "x"), 0);
    assert_int_equal(il_emitter_emits(emitter, "x"), 0);
}

struct got {
    il_emitter *from;
    char event[8];
    void *data;
};

static int look(il_emitter *from, const char *event, void *data, void *arg)
{
    struct got *got = arg;
    got->from = from;
    snprintf(got->event, sizeof got->event, "%s", event);
    got->data = data;
    return 0;
}

static void handler_gets_what_was_emitted(void **state)
{
    (void)state;
    struct got got = { 0 };
    int data;
    char name[] = "x";
    add(name, look, &got);
    name[0] = '?'; /* it was copied */
    assert_int_equal(il_emitter_emit(emitter, "x", &data, NULL), 0);
    assert_ptr_equal(got.from, emitter);
    assert_string_equal(got.event, "x");
    assert_ptr_equal(got.data, &data);
}

static void once_is_called_once(void **state)
{
    (void)state;
    add("x", hear, a);
    assert_int_equal(il_emitter_once(emitter, "x", hear, b), 0);
    add("x", hear, c);
    emit("x", 0, 3);
    emit("x", 0, 2);
    assert_string_equal(heard, "abcac");
}

static int emit_again(il_emitter *from, const char *event, void *data, void *arg)
{
    note(arg);
    return il_emitter_emit(from, event, data, NULL);
}

static void once_that_emits_its_own_event_is_not_called_again(void **state)
{
    (void)state;
    assert_int_equal(il_emitter_once(emitter, "x", emit_again, o), 0);
    add("x", hear, a);
    emit("x", 0, 2);
    assert_string_equal(heard, "oaa"); /* the inner emit runs to its end at once */
    assert_int_equal(il_emitter_handlers(emitter, "x"), 1);
}

static void off_removes_the_last_of_its_kind(void **state)
{
    (void)state;
    add("x", hear, a);
    add("x", hear, b);
    add("x", hear, a);
    add("x", hear, c);
    add("x", hear, a);
    assert_true(il_emitter_off(emitter, "x", hear, a));
    emit("x", 0, 4);
    assert_string_equal(heard, "abac");
    assert_true(il_emitter_off(emitter, "x", hear, a));
    assert_true(il_emitter_off(emitter, "x", hear, a));
    assert_false(il_emitter_off(emitter, "x", hear, a));
    assert_false(il_emitter_off(emitter, "x", look, c));
    assert_false(il_emitter_off(emitter, "y", hear, c));
}

static void clear_removes_those_of_an_event_or_all(void **state)
{
    (void)state;
    add("x", hear, a);
    add("x", hear, b);
    add("y", hear, c);
    add("z", hear, d);
    assert_int_equal(il_emitter_clear(emitter, "x"), 2);
    emit("x", 0, 0);
    emit("y", 0, 1);
    assert_int_equal(il_emitter_clear(emitter, NULL), 2);
    assert_int_equal(il_emitter_clear(emitter, "never"), 0);
    emit("y", 0, 0);
    assert_string_equal(heard, "c");
}

/* --- Changes during a dispatch --------------------------------------------------------------- */

static int drop(il_emitter *from, const char *event, void *data, void *arg)
{
    (void)data;
    note("!");
    return il_emitter_off(from, event, hear, arg) ? 0 : -EINVAL;
}

static int drop_self(il_emitter *from, const char *event, void *data, void *arg)
{
    (void)data;
    note("!");
    return il_emitter_off(from, event, drop_self, arg) ? 0 : -EINVAL;
}

static void removed_during_a_dispatch_is_not_called_in_it(void **state)
{
    (void)state;
    add("x", drop, b);
    add("x", hear, a);
    add("x", hear, b);
    add("x", hear, c);
    emit("x", 0, 3);
    assert_string_equal(heard, "!ac");
}

static void handler_may_remove_itself_and_all(void **state)
{
    (void)state;
    add("x", drop_self, s);
    add("x", hear, a);
    emit("x", 0, 2);
    emit("x", 0, 1);
    assert_string_equal(heard, "!aa");
}

static int clear_all(il_emitter *from, const char *event, void *data, void *arg)
{
    (void)event, (void)data, (void)arg;
    note("!");
    il_emitter_clear(from, NULL);
    return 0;
}

static void clear_during_a_dispatch_ends_it(void **state)
{
    (void)state;
    add("x", clear_all, NULL);
    add("x", hear, a);
    emit("x", 0, 1);
    emit("x", 0, 0);
    assert_string_equal(heard, "!");
}

static int add_another(il_emitter *from, const char *event, void *data, void *arg)
{
    (void)data;
    note("+");
    return il_emitter_on(from, event, hear, arg);
}

static void added_during_a_dispatch_hears_from_the_next_on(void **state)
{
    (void)state;
    add("x", add_another, n);
    add("x", hear, a);
    emit("x", 0, 2);
    assert_string_equal(heard, "+a");
    emit("x", 0, 3);
    assert_string_equal(heard, "+a+an");
}

static int free_it(il_emitter *from, const char *event, void *data, void *arg)
{
    (void)event, (void)data, (void)arg;
    note("!");
    il_emitter_free(from);
    emitter = NULL;
    return 0;
}

static void freed_during_a_dispatch_calls_nobody_any_more(void **state)
{
    (void)state;
    add("x", free_it, NULL);
    add("x", hear, a);
    emit("x", 0, 1);
    assert_string_equal(heard, "!");
}

/* --- Failures -------------------------------------------------------------------------------- */

static int give_up_with(il_emitter *from, const char *event, void *data, void *arg)
{
    (void)from, (void)event, (void)data;
    note("f");
    return il_fail(*(int *)arg, "it is number %d", -*(int *)arg);
}

struct failed {
    char event[8], words[32];
    int status, count, give;
};

static int take_failure(il_emitter *from, const char *event, void *data, void *arg)
{
    (void)from, (void)event;
    struct failed *failed = arg;
    const il_emitter_failure *failure = data;
    snprintf(failed->event, sizeof failed->event, "%s", failure->event);
    snprintf(failed->words, sizeof failed->words, "%s",
             failure->error ? failure->error->message : "");
    failed->status = failure->status;
    failed->count++;
    return failed->give;
}

static int io = -EIO, bad = -EBADMSG;

static void failure_without_an_error_handler_is_the_callers(void **state)
{
    (void)state;
    add("x", hear, a);
    add("x", give_up_with, &io);
    add("x", give_up_with, &bad);
    add("x", hear, b);
    emit("x", -EIO, 4); /* the first one; the others are called all the same */
    assert_string_equal(heard, "affb");
}

static void failure_goes_to_the_error_handlers(void **state)
{
    (void)state;
    struct failed failed = { .count = 0 };
    add("x", give_up_with, &io);
    add("x", give_up_with, &bad);
    add(IL_EMITTER_ERROR, take_failure, &failed);
    emit("x", 0, 2);
    assert_int_equal(failed.count, 2);
    assert_int_equal(failed.status, -EBADMSG);
    assert_string_equal(failed.event, "x");
    assert_string_equal(failed.words, "it is number 74");
}

static void error_handler_that_fails_has_the_last_word(void **state)
{
    (void)state;
    struct failed failed = { .give = -EPERM };
    add("x", give_up_with, &io);
    add(IL_EMITTER_ERROR, take_failure, &failed);
    emit("x", -EPERM, 1);
    assert_int_equal(failed.count, 1); /* it is not told of its own failure */
    assert_int_equal(il_emitter_off(emitter, IL_EMITTER_ERROR, take_failure, &failed), true);
    emit("x", -EIO, 1);
}

static void no_memory_adds_nothing(void **state)
{
    (void)state;
    for (unsigned long nth = 1; nth <= 2; nth++) {
        il__refuse(nth);
        int status = il_emitter_on(emitter, "x", hear, a);
        il__refuse(0);
        assert_int_equal(status, -ENOMEM);
    }
    il_emitter *another = NULL;
    il__refuse(1);
    int status = il_emitter_new(&another);
    il__refuse(0);
    assert_int_equal(status, -ENOMEM);
    assert_null(another);
    emit("x", 0, 0);
}

/* --- Several at once ------------------------------------------------------------------------- */

enum { ROUNDS = 500, MEMBERS = 4 };

static unsigned long calls, onces;

static int count_call(il_emitter *from, const char *event, void *data, void *arg)
{
    (void)from, (void)event, (void)data;
    il__add((unsigned long *)arg, 1);
    il_yield();
    return 0;
}

/* Adds, emits and removes its own, while the others do. */
static int take_part(void *in, void *out)
{
    (void)out;
    unsigned long own = 0;
    for (int i = 0; i < ROUNDS; i++) {
        EXPECT(!il_emitter_once(in, "x", count_call, &onces));
        EXPECT(!il_emitter_on(in, "x", count_call, &own));
        EXPECT(!il_emitter_emit(in, "x", NULL, NULL));
        EXPECT(il_emitter_off(in, "x", count_call, &own));
        EXPECT(!il_emitter_emit(in, "quiet", NULL, NULL));
    }
    EXPECT(il__load(&own) >= ROUNDS);
    /* The others may still be in the middle of a call of ours: wait for their last emit. */
    il__sub(&calls, 1);
    while (il__load_acquire(&calls)) il_yield();
    return 0;
}

static void several_may_add_emit_and_remove_at_once(void **state)
{
    struct crew crew;
    onces = 0;
    calls = MEMBERS;
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) crew_add(&crew, take_part, emitter);
    int failed = crew_join(&crew);
    assert_int_equal(failed, 0);
    assert_int_equal(il_emitter_emit(emitter, "x", NULL, NULL), 0);
    assert_int_equal(onces, MEMBERS * ROUNDS); /* each exactly once */
    assert_int_equal(il_emitter_handlers(emitter, "x"), 0);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, open_emitter, free_emitter)

static void several_may_add_emit_and_remove_at_once_in_each_crew(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof crew_kinds / sizeof *crew_kinds; i++) {
        void *kind = (void *)&crew_kinds[i];
        several_may_add_emit_and_remove_at_once(&kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(handlers_are_called_in_the_order_they_were_added),
        WITH(event_that_nobody_hears_is_no_failure),
        WITH(handler_gets_what_was_emitted),
        WITH(once_is_called_once),
        WITH(once_that_emits_its_own_event_is_not_called_again),
        WITH(off_removes_the_last_of_its_kind),
        WITH(clear_removes_those_of_an_event_or_all),
        WITH(removed_during_a_dispatch_is_not_called_in_it),
        WITH(handler_may_remove_itself_and_all),
        WITH(clear_during_a_dispatch_ends_it),
        WITH(added_during_a_dispatch_hears_from_the_next_on),
        WITH(freed_during_a_dispatch_calls_nobody_any_more),
        WITH(failure_without_an_error_handler_is_the_callers),
        WITH(failure_goes_to_the_error_handlers),
        WITH(error_handler_that_fails_has_the_last_word),
        WITH(no_memory_adds_nothing),
        WITH(several_may_add_emit_and_remove_at_once_in_each_crew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
