/* SPDX-License-Identifier: MIT */
/* Claims about errors: words, place, cause. */

#include "check.h"

#include "base/error.h"
#include "base/memory.h"

static int forget(void **state)
{
    (void)state;
    il__agent_note(il__self(), NULL);
    return 0;
}

static void nothing_failed_yet(void **state)
{
    (void)state;
    assert_null(il_last_error());
}

static void failing_notes_words_and_place_and_returns_the_status(void **state)
{
    (void)state;
    int line = __LINE__ + 1;
    assert_int_equal(il_fail(-ENOENT, "no such image: %s", "a.png"), -ENOENT);
    const il_error *error = il_last_error();
    assert_non_null(error);
    assert_int_equal(error->status, -ENOENT);
    assert_string_equal(error->message, "no such image: a.png");
    assert_int_equal(error->line, line);
    assert_non_null(strstr(error->file, "test_error.c"));
    assert_string_equal(error->task, "");
    assert_null(error->cause);
    assert_int_equal(error->signal, 0);
    assert_int_equal(error->pid, 0);
}

static void function_without_the_macro_has_no_place(void **state)
{
    (void)state;
    assert_int_equal((il_fail)(-EINVAL, "bad"), -EINVAL);
    assert_string_equal(il_last_error()->file, "");
    assert_int_equal(il_last_error()->line, 0);
}

static void note_is_replaced_by_the_next(void **state)
{
    (void)state;
    il_fail(-ENOENT, "first");
    il_fail(-EINVAL, "second");
    assert_string_equal(il_last_error()->message, "second");
    assert_null(il_last_error()->cause);
}

static void own_note_is_no_cause_however_often_it_fails(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) il_fail(-EOVERFLOW, "again %d", i);
    assert_string_equal(il_last_error()->message, "again 2");
    assert_null(il_last_error()->cause);
}

static void receive(int status, const char *task)
{
    il__agent_note(il__self(), il__error_plain(status, task, NULL));
}

static void received_note_becomes_the_cause_of_the_same_status(void **state)
{
    (void)state;
    receive(-ENOENT, "fetch 7");
    il_fail(-ENOENT, "loading site");
    assert_string_equal(il_last_error()->message, "loading site");
    assert_non_null(il_last_error()->cause);
    assert_string_equal(il_last_error()->cause->task, "fetch 7");
    assert_null(il_last_error()->cause->cause);

    receive(-ENOENT, "fetch 8");
    il_fail(-EINVAL, "something else");
    assert_null(il_last_error()->cause);
}

static void line_tells_words_places_tasks_and_causes(void **state)
{
    (void)state;
    static const char whole[] = "loading site: no such image: a.png (fetch.c:31, task \"fetch 7\")";
    char line[200];
    il_error inner = { -ENOENT, "no such image: a.png", "fetch.c", 31, 0, 0, "fetch 7", NULL };
    il_error outer = { -ENOENT, "loading site", "", 0, 0, 0, "", &inner };
    size_t length = il_error_format(&outer, line, sizeof line);
    assert_string_equal(line, whole);
    assert_int_equal(length, strlen(whole));

    for (size_t size = 0; size < 40; size++) { /* cut, but the length is that of the whole */
        memset(line, '#', sizeof line);
        assert_int_equal(il_error_format(&outer, size ? line : NULL, size), length);
        if (!size) continue;
        assert_memory_equal(line, whole, size - 1);
        assert_int_equal(line[size - 1], 0);
        assert_int_equal(line[size], '#');
    }
}

static void long_words_are_cut(void **state)
{
    (void)state;
    char words[3000];
    memset(words, 'w', sizeof words);
    words[sizeof words - 1] = 0;
    il_fail(-EINVAL, "%s", words);
    assert_true(strlen(il_last_error()->message) > 400);
    assert_true(strlen(il_last_error()->message) < sizeof words);
}

static void chain_of_causes_is_freed_without_recursion(void **state)
{
    (void)state;
    for (int i = 0; i < 200000; i++) {
        il_fail(-EIO, "level %d", i);
        il__store(&il__self()->note->fresh, false); /* as if it had come from another task */
    }
    assert_string_equal(il_last_error()->cause->message, "level 199998");
    il__agent_note(il__self(), NULL);
}

static void record_lives_as_long_as_its_last_reference(void **state)
{
    (void)state;
    il__error *error = il__error_ref(il__error_plain(-EPIPE, "t", NULL));
    il__error_unref(error);
    assert_string_equal(error->public.message, il_strerror(-EPIPE));
    il__error_unref(error);
    assert_null(il__error_ref(NULL));
    il__error_unref(NULL);
}

#ifdef IL_FAULT
static void without_memory_the_status_is_still_right(void **state)
{
    (void)state;
    receive(-ETIMEDOUT, "cause");
    il__refuse(1);
    assert_int_equal(il_fail(-ETIMEDOUT, "words %d", 1), -ETIMEDOUT);
    assert_int_equal(il_last_error()->status, -ETIMEDOUT);
    assert_string_equal(il_last_error()->message, il_strerror(-ETIMEDOUT));
    assert_string_equal(il_last_error()->file, "");
    assert_string_equal(il_last_error()->task, "");

    il__refuse(1);
    assert_int_equal(il_fail(-ENOENT, "not in the list"), -ENOENT);
    assert_int_equal(il_last_error()->status, -ENOMEM); /* no record is kept for every status */
    il__refuse(0);
}
#endif

static const il_error *seen;

static void see(const il_error *error)
{
    seen = error;
}

static void unobserved_failure_goes_to_the_handler(void **state)
{
    (void)state;
    il_error error = { .status = -EIO, .message = "lost", .file = "", .task = "" };
    il__error_unobserved(&error); /* the default does nothing */
    il_unobserved_fn *before = il_on_unobserved(see);
    il__error_unobserved(&error);
    assert_ptr_equal(seen, &error);
    assert_ptr_equal(il_on_unobserved(NULL), see);
    assert_ptr_equal(il_on_unobserved(NULL), before);
}

#define CLAIM(test) cmocka_unit_test_setup_teardown(test, forget, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(nothing_failed_yet),
        CLAIM(failing_notes_words_and_place_and_returns_the_status),
        CLAIM(function_without_the_macro_has_no_place),
        CLAIM(note_is_replaced_by_the_next),
        CLAIM(own_note_is_no_cause_however_often_it_fails),
        CLAIM(received_note_becomes_the_cause_of_the_same_status),
        CLAIM(line_tells_words_places_tasks_and_causes),
        CLAIM(long_words_are_cut),
        CLAIM(chain_of_causes_is_freed_without_recursion),
        CLAIM(record_lives_as_long_as_its_last_reference),
#ifdef IL_FAULT
        CLAIM(without_memory_the_status_is_still_right),
#endif
        CLAIM(unobserved_failure_goes_to_the_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
