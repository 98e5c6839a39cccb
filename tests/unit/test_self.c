/* SPDX-License-Identifier: MIT */
/* Who am I, and who else lives: il_self, il_main, the list of fibers, and a line about each. */

#include "work.h"

static void self_in_main_is_main(void **state)
{
    il_info me, main_info;
    il_self(&me);
    il_main(&main_info);
    assert_int_equal(me.kind, IL_THREAD);
    assert_int_equal(me.state, IL_RUNNING);
    assert_string_equal(me.name, "main");
    assert_int_equal(me.kernel_id, getpid());
    assert_true(me.cpu_time > 0);
    assert_true(me.stack_size > 0);
    assert_int_equal(main_info.id, me.id);
    assert_string_equal(main_info.name, "main");
}

static int tell_main(void *in, void *out)
{
    il_main(out);
    return 0;
}

static void main_is_known_everywhere(void **state)
{
    il_info me, there;
    il_future *future = NULL;
    il_self(&me);
    assert_int_equal(il_submit(*state, tell_main, NULL, 0, sizeof there, NULL, &future), 0);
    assert_int_equal(il_future_get(future, LATE, &there), 0);
    il_future_free(future);
    assert_int_equal(there.id, me.id);
    assert_string_equal(there.name, "main");
}

static int tell_self(void *in, void *out)
{
    il_self(out);
    return 0;
}

static void ids_are_never_used_again(void **state)
{
    uint64_t last = 0;
    for (int i = 0; i < 100; i++) {
        il_info task;
        il_future *future = NULL;
        assert_int_equal(il_submit(*state, tell_self, NULL, 0, sizeof task, NULL, &future), 0);
        assert_int_equal(il_future_get(future, LATE, &task), 0);
        il_future_free(future);
        assert_true(task.id > last);
        last = task.id;
    }
}

static void waits_are_counted(void **state)
{
    il_info before, after;
    il_self(&before);
    for (int i = 0; i < 5; i++) il_sleep(il_after(IL_US(10)));
    il_self(&after);
    assert_int_equal(after.waits, before.waits + 5);
}

static void who_has_waited_waits_for_nothing(void **state)
{
    il_info me;
    il_sleep(il_after(IL_US(10)));
    il_self(&me);
    assert_null(me.waits_for);
    assert_int_equal(me.state, IL_RUNNING);
}

/* --- The list of fibers ---------------------------------------------------------------------- */

static size_t fibers(il_info *infos, size_t capacity)
{
    size_t count = il_fiber_list(infos, capacity);
    return count < capacity ? count : capacity;
}

static void fibers_that_wait_are_listed_with_what_for(void **state)
{
    enum { FIBERS_MADE = 20 };
    static il_info infos[100];
    il_event never = { 0 };
    il_event *pointer = &never;
    il_future *futures[FIBERS_MADE];
    il_info me;
    il_self(&me);
    for (int i = 0; i < FIBERS_MADE; i++)
        assert_int_equal(il_submit(*state, await, &pointer, sizeof pointer, 0,
                                   &(il_task_opts){ .name = "patient" }, &futures[i]),
                         0);
    until_waiting(&never.gate, FIBERS_MADE);

    size_t count = fibers(infos, 100), found = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(infos[i].name, "patient")) continue;
        found++;
        assert_int_equal(infos[i].kind, IL_FIBER);
        assert_int_equal(infos[i].parent, me.id);
        assert_true(infos[i].stack_size > 0);
        assert_ptr_equal(infos[i].waits_on, &never);
        assert_string_equal(infos[i].waits_for, "event");
        assert_int_equal(infos[i].state, IL_BLOCKED);
        for (size_t k = 0; k < i; k++) assert_int_not_equal(infos[i].id, infos[k].id);
    }
    assert_int_equal(found, FIBERS_MADE);

    il_event_set(&never);
    for (int i = 0; i < FIBERS_MADE; i++) assert_int_equal(status_of(futures[i]), 0);
    assert_int_equal(il_executor_close(*state, LATE), 0);
    assert_int_equal(il_fiber_list(NULL, 0), 0);
}

static void a_list_that_is_too_short_still_says_how_many(void **state)
{
    il_event never = { 0 };
    il_info one;
    il_future *futures[5];
    for (int i = 0; i < 5; i++) futures[i] = submit_pointer(*state, await, &never);
    until_waiting(&never.gate, 5);
    assert_int_equal(il_fiber_list(&one, 1), 5);
    il_event_set(&never);
    for (int i = 0; i < 5; i++) assert_int_equal(status_of(futures[i]), 0);
}

static int list_until(void *in, void *out)
{
    static __thread il_info infos[300];
    il_info *mine = infos;
    while (!il__load_acquire((bool *)in)) {
        size_t count = fibers(mine, 300);
        for (size_t i = 0; i < count; i++)
            if (mine[i].kind != IL_FIBER) return -EINVAL;
        il_sleep(il_after(IL_US(100))); /* the list has a lock that the others need */
    }
    return 0;
}

static int wait_a_little(void *in, void *out)
{
    for (int i = 0; i < 5; i++) il_yield();
    return il_sleep(il_after(IL_US(50)));
}

static void listing_while_fibers_come_and_go_is_safe(void **state)
{
    il_thread lister = { 0 };
    bool enough = false;
    assert_int_equal(il_thread_start(&lister, list_until, &enough, NULL, NULL), 0);
    for (int round = 0; round < 20; round++) {
        il_scope *scope = NULL;
        assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = *state }, &scope), 0);
        for (int i = 0; i < 100; i++)
            assert_int_equal(il_go_with(scope, wait_a_little, NULL, NULL,
                                        &(il_task_opts){ .name = "short-lived" }),
                             0);
        assert_int_equal(il_scope_close(scope), 0);
    }
    il__store_release(&enough, true);
    assert_int_equal(il_thread_join(&lister, LATE), 0);
}

static int use_stack(void *in, void *out)
{
    volatile char space[60 * 1024];
    il_info me;
    for (size_t i = 0; i < sizeof space; i += 512) space[i] = 1;
    il_self(&me);
    *(size_t *)out = me.stack_used;
    return 0;
}

static void stack_used_is_the_most_so_far(void **state)
{
    size_t used = 0;
    il_future *future = NULL;
    assert_int_equal(il_submit(*state, use_stack, NULL, 0, sizeof used, NULL, &future), 0);
    assert_int_equal(il_future_get(future, LATE, &used), 0);
    il_future_free(future);
    assert_true(used >= 60 * 1024);
    assert_true(used < 2 * 1024 * 1024);
}

/* --- Words ----------------------------------------------------------------------------------- */

static void a_line_says_it_all(void **state)
{
    char line[200];
    int object;
    il_info info = {
        .kind = IL_FIBER,
        .state = IL_BLOCKED,
        .id = 42,
        .kernel_id = 31415,
        .name = "reader",
        .waits_for = "mutex",
        .waits_on = &object,
        .since = il_now() - IL_SEC(2),
    };
    size_t length = il_info_format(&info, line, sizeof line);
    assert_int_equal(length, strlen(line));
    assert_says(line, "fiber 42 \"reader\"");
    assert_says(line, "kernel 31415");
    assert_says(line, "blocked");
    assert_says(line, "mutex");
    assert_says(line, "2.");
}

static void a_line_is_cut_like_snprintf(void **state)
{
    char line[200], cut[10];
    il_info me;
    il_self(&me);
    me.since = 0; /* no age: the same words twice */
    size_t whole = il_info_format(&me, line, sizeof line);
    assert_int_equal(il_info_format(&me, cut, sizeof cut), whole);
    assert_int_equal(strlen(cut), sizeof cut - 1);
    assert_memory_equal(cut, line, sizeof cut - 1);
    assert_int_equal(il_info_format(&me, NULL, 0), whole);
}

static void states_have_names(void **state)
{
    assert_string_equal(il_state_name(IL_NEW), "new");
    assert_string_equal(il_state_name(IL_BLOCKED), "blocked");
    assert_string_equal(il_state_name(IL_CANCELED), "canceled");
    assert_string_equal(il_state_name((il_state)99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(self_in_main_is_main),
        EACH_POOL(main_is_known_everywhere),
        EACH_POOL(ids_are_never_used_again),
        cmocka_unit_test(waits_are_counted),
        cmocka_unit_test(who_has_waited_waits_for_nothing),
        EACH_POOL(fibers_that_wait_are_listed_with_what_for),
        EACH_POOL(a_list_that_is_too_short_still_says_how_many),
        EACH_POOL(listing_while_fibers_come_and_go_is_safe),
        EACH_POOL(stack_used_is_the_most_so_far),
        cmocka_unit_test(a_line_says_it_all),
        cmocka_unit_test(a_line_is_cut_like_snprintf),
        cmocka_unit_test(states_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
