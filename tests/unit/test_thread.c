/* SPDX-License-Identifier: MIT */
/* Threads by hand: life cycle, joining, cancelling, names, daemons, the list of the living. */

#include "work.h"

static int wait_for_event(void *in, void *out)
{
    return il_event_wait_until(in, LATE);
}

static void until_state(const il_thread *thread, il_state state)
{
    while (il_thread_state(thread) != state) sched_yield();
}

/* --- Life ------------------------------------------------------------------------------------ */

static void a_thread_takes_and_gives_by_reference(void **state)
{
    il_thread thread = { 0 };
    long n = 12, result = 0;
    assert_int_equal(il_thread_start(&thread, square, &n, &result, NULL), 0);
    assert_int_equal(il_thread_join(&thread, LATE), 0);
    assert_int_equal(result, 144);
}

static void states_go_from_new_to_done(void **state)
{
    il_thread thread = { 0 };
    il_event go_on = { 0 };
    assert_int_equal(il_thread_state(&thread), IL_NEW);
    assert_int_equal(il_thread_start(&thread, wait_for_event, &go_on, NULL, NULL), 0);
    assert_true(il_thread_state(&thread) >= IL_STARTING);
    until_waiting(&go_on.gate, 1);
    until_state(&thread, IL_BLOCKED);
    il_event_set(&go_on);
    assert_int_equal(il_thread_join(&thread, LATE), 0);
    assert_int_equal(il_thread_state(&thread), IL_DONE);
    assert_null(il_thread_error(&thread));
}

static int run_until(void *in, void *out)
{
    while (!il__load_acquire((bool *)in)) sched_yield();
    return 0;
}

static void a_thread_that_runs_is_running(void **state)
{
    il_thread thread = { 0 };
    bool enough = false;
    assert_int_equal(il_thread_start(&thread, run_until, &enough, NULL, NULL), 0);
    until_state(&thread, IL_RUNNING);
    il__store_release(&enough, true);
    assert_int_equal(il_thread_join(&thread, LATE), 0);
}

static int fail_loudly(void *in, void *out)
{
    return il_fail(-EIO, "no disk %d", 7);
}

static void a_failure_comes_back_with_its_words(void **state)
{
    il_thread thread = { 0 };
    assert_int_equal(
        il_thread_start(&thread, fail_loudly, NULL, NULL, &(il_thread_opts){ .name = "reader" }),
        0);
    assert_int_equal(il_thread_join(&thread, LATE), -EIO);
    assert_int_equal(il_thread_state(&thread), IL_FAILED);
    assert_non_null(il_thread_error(&thread));
    assert_string_equal(il_thread_error(&thread)->message, "no disk 7");
    assert_string_equal(il_thread_error(&thread)->task, "reader");
    assert_string_equal(il_last_error()->message, "no disk 7");
}

static void starting_twice_is_ealready(void **state)
{
    il_thread thread = { 0 };
    long n = 2, result;
    assert_int_equal(il_thread_start(&thread, square, &n, &result, NULL), 0);
    assert_int_equal(il_thread_start(&thread, square, &n, &result, NULL), -EALREADY);
    assert_int_equal(il_thread_join(&thread, LATE), 0);
    assert_int_equal(il_thread_start(&thread, square, &n, &result, NULL), -EALREADY);
}

static void what_was_never_started_is_einval(void **state)
{
    il_thread thread = { 0 };
    il_info info;
    assert_int_equal(il_thread_start(&thread, NULL, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(il_thread_join(&thread, LATE), -EINVAL);
    assert_int_equal(il_thread_cancel(&thread), -EINVAL);
    assert_int_equal(il_thread_describe(&thread, &info), -EINVAL);
    assert_null(il_thread_error(&thread));
    assert_int_equal(il_thread_state(&thread), IL_NEW);
}

static void a_stack_too_small_is_einval_and_it_may_be_started_again(void **state)
{
    il_thread thread = { 0 };
    long n = 2, result = 0;
    assert_int_equal(
        il_thread_start(&thread, square, &n, &result, &(il_thread_opts){ .stack_size = 1 }),
        -EINVAL);
    assert_int_equal(il_thread_state(&thread), IL_NEW);
    assert_int_equal(il_thread_start(&thread, square, &n, &result, NULL), 0);
    assert_int_equal(il_thread_join(&thread, LATE), 0);
    assert_int_equal(result, 4);
}

static void a_daemon_refused_is_not_counted(void **state)
{
    il_thread thread = { 0 };
    long n = 2, result = 0;
    il_thread_opts opts = { .stack_size = 1, .daemon = true };
    assert_int_equal(il_thread_start(&thread, square, &n, &result, &opts), -EINVAL);
}

static size_t size_of_stack;

static int measure_stack(void *in, void *out)
{
    il_info me;
    il_self(&me);
    size_of_stack = me.stack_size;
    return 0;
}

static void a_stack_is_as_large_as_asked_for(void **state)
{
    il_thread thread = { 0 };
    il_thread_opts opts = { .stack_size = 3 << 20 };
    assert_int_equal(il_thread_start(&thread, measure_stack, NULL, NULL, &opts), 0);
    assert_int_equal(il_thread_join(&thread, LATE), 0);
    assert_true(size_of_stack >= 3 << 20); /* libc may have a larger one at hand */
}

/* --- Joining --------------------------------------------------------------------------------- */

static void joining_again_gives_the_same(void **state)
{
    il_thread thread = { 0 };
    assert_int_equal(il_thread_start(&thread, fail_loudly, NULL, NULL, NULL), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(il_thread_join(&thread, LATE), -EIO);
    assert_int_equal(il_thread_join(&thread, IL_NOW), -EIO);
}

static int join_self(void *in, void *out)
{
    return il_thread_join(il_thread_self(), LATE);
}

static void joining_itself_is_edeadlk(void **state)
{
    il_thread thread = { 0 };
    assert_int_equal(il_thread_start(&thread, join_self, NULL, NULL, NULL), 0);
    assert_int_equal(il_thread_join(&thread, LATE), -EDEADLK);
}

static int join(void *thread, il_time until)
{
    return il_thread_join(thread, until);
}

static int join_as_asked(void *thread, void *out)
{
    return waits_and_gives_up(join, thread);
}

static void a_join_gives_up_at_its_deadline_or_when_cancelled(void **state)
{
    il_thread thread = { 0 };
    il_event go_on = { 0 };
    struct crew crew;
    assert_int_equal(il_thread_start(&thread, wait_for_event, &go_on, NULL, NULL), 0);
    crew_open(&crew, state);
    crew_add(&crew, join_as_asked, &thread);
    assert_int_equal(crew_join(&crew), 0);
    il_event_set(&go_on);
    assert_int_equal(il_thread_join(&thread, LATE), 0);
}

static int join_for_eio(void *thread, void *out)
{
    return il_thread_join(thread, LATE) == -EIO ? 0 : -EINVAL;
}

static int wait_and_fail(void *in, void *out)
{
    il_event_wait(in);
    return -EIO;
}

static void several_may_join(void **state)
{
    il_thread thread = { 0 };
    il_event go_on = { 0 };
    struct crew crew;
    assert_int_equal(il_thread_start(&thread, wait_and_fail, &go_on, NULL, NULL), 0);
    crew_open(&crew, state);
    for (int i = 0; i < 6; i++) crew_add(&crew, join_for_eio, &thread);
    il_event_set(&go_on);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(il_thread_join(&thread, LATE), -EIO);
}

static void the_object_may_be_reused_after_its_join(void **state)
{
    for (int i = 0; i < 200; i++) {
        il_thread thread = { 0 };
        long n = i, result = 0;
        assert_int_equal(il_thread_start(&thread, square, &n, &result, NULL), 0);
        assert_int_equal(il_thread_join(&thread, LATE), 0);
        assert_int_equal(result, (long)i * i);
        memset(&thread, 0xa5, sizeof thread);
    }
}

/* --- Cancelling ------------------------------------------------------------------------------ */

static void cancel_ends_a_wait(void **state)
{
    il_thread thread = { 0 };
    il_event never = { 0 };
    assert_int_equal(il_thread_start(&thread, wait_for_event, &never, NULL, NULL), 0);
    assert_int_equal(il_thread_cancel(&thread), 0);
    assert_int_equal(il_thread_join(&thread, LATE), -ECANCELED);
    assert_int_equal(il_thread_state(&thread), IL_CANCELED);
    assert_int_equal(il_thread_cancel(&thread), -EALREADY);
}

static int obey(void *in, void *out)
{
    while (!il_cancelled()) sched_yield();
    return 0;
}

static void a_cancelled_thread_sees_it(void **state)
{
    il_thread thread = { 0 };
    assert_int_equal(il_thread_start(&thread, obey, NULL, NULL, NULL), 0);
    assert_int_equal(il_thread_cancel(&thread), 0);
    assert_int_equal(il_thread_join(&thread, LATE), 0);
    assert_int_equal(il_thread_state(&thread), IL_DONE);
}

struct scoped {
    il_executor *pool;
    il_event never;
};

static int open_scope_and_wait(void *in, void *out)
{
    struct scoped *self = in;
    il_scope *scope = NULL;
    int status = il_scope_open(&(il_scope_opts){ .executor = self->pool }, &scope);
    if (status) return status;
    il_go(scope, wait_for_event, &self->never, NULL);
    return il_scope_close(scope);
}

static void cancel_reaches_the_scopes_of_a_thread(void **state)
{
    il_thread thread = { 0 };
    struct scoped self = { .pool = *state };
    assert_int_equal(il_thread_start(&thread, open_scope_and_wait, &self, NULL, NULL), 0);
    until_waiting(&self.never.gate, 1);
    assert_int_equal(il_thread_cancel(&thread), 0);
    assert_int_equal(il_thread_join(&thread, LATE), -ECANCELED);
}

/* --- Names ----------------------------------------------------------------------------------- */

struct names {
    char inside[48], kernel[17], renamed[48];
};

static void kernel_name(char *name)
{
    memset(name, 0, 17);
    pthread_getname_np(pthread_self(), name, 17);
}

static int tell_names(void *in, void *out)
{
    struct names *names = in;
    il_info me;
    il_self(&me);
    memcpy(names->inside, me.name, sizeof names->inside);
    kernel_name(names->kernel);
    if (il_thread_rename("another name")) return -EINVAL;
    il_self(&me);
    memcpy(names->renamed, me.name, sizeof names->renamed);
    return 0;
}

static struct names names_of(const char *name)
{
    struct names names = { 0 };
    il_thread thread = { 0 };
    assert_int_equal(
        il_thread_start(&thread, tell_names, &names, NULL, &(il_thread_opts){ .name = name }), 0);
    assert_int_equal(il_thread_join(&thread, LATE), 0);
    return names;
}

static void a_short_name_is_kept_whole(void **state)
{
    struct names names = names_of("reader");
    assert_string_equal(names.inside, "reader");
    assert_string_equal(names.kernel, "reader");
    assert_string_equal(names.renamed, "another name");
}

static void without_a_name_it_is_thread(void **state)
{
    assert_string_equal(names_of(NULL).inside, "thread");
}

static void a_long_name_is_cut(void **state)
{
    struct names names =
        names_of("a name of more than forty-eight bytes, which is more than there is room for");
    assert_string_equal(names.inside, "a name of more than forty-eight bytes, which is");
    assert_string_equal(names.kernel, "a name of more ");
}

static void a_long_name_is_cut_between_characters(void **state)
{
    /* two bytes each; the 24th would be half inside */
    struct names names = names_of("éééééééééééééééééééééééééééééé");
    assert_int_equal(strlen(names.inside), 46);
    assert_int_equal(strlen(names.kernel), 14);
    /* three bytes each, from the second byte on */
    names = names_of("a€€€€€€€€€€€€€€€€€€€€€€€€€€");
    assert_int_equal(strlen(names.inside), 46);
    assert_int_equal(strlen(names.kernel), 13);
}

/* --- Looking at it --------------------------------------------------------------------------- */

struct embedding {
    int before;
    il_thread thread;
    bool found;
};

static int find_own_struct(void *in, void *out)
{
    struct embedding *self = IL_CONTAINER(il_thread_self(), struct embedding, thread);
    self->found = self == in;
    return 0;
}

static void a_struct_that_embeds_a_thread_is_found_from_inside(void **state)
{
    struct embedding self = { 0 };
    assert_null(il_thread_self());
    assert_int_equal(il_thread_start(&self.thread, find_own_struct, &self, NULL, NULL), 0);
    assert_int_equal(il_thread_join(&self.thread, LATE), 0);
    assert_true(self.found);
}

static int self_in_fiber(void *in, void *out)
{
    return il_thread_self() ? -EINVAL : 0;
}

static void in_a_fiber_there_is_no_thread_self(void **state)
{
    il_future *future = NULL;
    assert_int_equal(il_submit(*state, self_in_fiber, NULL, 0, 0, NULL, &future), 0);
    assert_int_equal(status_of(future), 0);
}

static void describe_tells_name_state_and_parent(void **state)
{
    il_thread thread = { 0 };
    il_event go_on = { 0 };
    il_info me, info;
    il_self(&me);
    assert_int_equal(il_thread_start(&thread, wait_for_event, &go_on, NULL,
                                     &(il_thread_opts){ .name = "waits" }),
                     0);
    until_waiting(&go_on.gate, 1);
    until_state(&thread, IL_BLOCKED);

    assert_int_equal(il_thread_describe(&thread, &info), 0);
    assert_int_equal(info.kind, IL_THREAD);
    assert_string_equal(info.name, "waits");
    assert_string_equal(info.waits_for, "event");
    assert_ptr_equal(info.waits_on, &go_on);
    assert_int_equal(info.parent, me.id);
    assert_int_not_equal(info.kernel_id, 0);
    assert_true(info.cpu_time >= 0);

    il_event_set(&go_on);
    assert_int_equal(il_thread_join(&thread, LATE), 0);
    assert_int_equal(il_thread_describe(&thread, &info), -ESRCH);
}

static size_t count_named(const char *name)
{
    static il_info infos[200];
    size_t found = 0, count = il_thread_list(infos, 200);
    for (size_t i = 0; i < count && i < 200; i++) found += !strcmp(infos[i].name, name);
    return found;
}

static void the_list_has_those_that_live(void **state)
{
    enum { THREADS_MADE = 10 };
    il_thread threads[THREADS_MADE] = { 0 };
    il_event go_on = { 0 };
    size_t before = il_thread_list(NULL, 0);
    assert_int_equal(count_named("main"), 1);
    for (int i = 0; i < THREADS_MADE; i++)
        assert_int_equal(il_thread_start(&threads[i], wait_for_event, &go_on, NULL,
                                         &(il_thread_opts){ .name = "listed" }),
                         0);
    until_waiting(&go_on.gate, THREADS_MADE);
    assert_int_equal(il_thread_list(NULL, 0), before + THREADS_MADE);
    assert_int_equal(count_named("listed"), THREADS_MADE);
    il_event_set(&go_on);
    for (int i = 0; i < THREADS_MADE; i++) assert_int_equal(il_thread_join(&threads[i], LATE), 0);
    assert_int_equal(il_thread_list(NULL, 0), before);
    assert_int_equal(count_named("listed"), 0);
}

static void a_list_that_is_too_short_still_says_how_many(void **state)
{
    il_info one;
    size_t count = il_thread_list(&one, 1);
    assert_int_equal(count, il_thread_list(NULL, 0));
}

static int list_until(void *in, void *out)
{
    il_info infos[50];
    while (!il__load_acquire((bool *)in)) {
        size_t count = il_thread_list(infos, 50);
        for (size_t i = 0; i < count && i < 50; i++)
            for (size_t k = 0; k < i; k++)
                if (infos[i].id == infos[k].id) return -EINVAL;
        il_sleep(il_after(IL_US(100))); /* the list has a lock that the others need */
    }
    return 0;
}

static void listing_while_threads_come_and_go_is_consistent(void **state)
{
    il_thread lister = { 0 };
    bool enough = false;
    assert_int_equal(il_thread_start(&lister, list_until, &enough, NULL, NULL), 0);
    for (int i = 0; i < 100; i++) {
        il_thread threads[3] = { 0 };
        for (int k = 0; k < 3; k++)
            assert_int_equal(il_thread_start(&threads[k], nothing, NULL, NULL, NULL), 0);
        for (int k = 0; k < 3; k++) assert_int_equal(il_thread_join(&threads[k], LATE), 0);
    }
    il__store_release(&enough, true);
    assert_int_equal(il_thread_join(&lister, LATE), 0);
}

static void *foreign(void *arg)
{
    il_mutex_lock(arg); /* to have used the library */
    il_mutex_unlock(arg);
    *(size_t *)((char *)arg + sizeof(il_mutex)) = il_thread_list(NULL, 0);
    return NULL;
}

static void foreign_threads_are_in_the_list_while_they_live(void **state)
{
    struct {
        il_mutex mutex;
        size_t count;
    } shared = { .count = 0 };
    pthread_t thread;
    size_t before = il_thread_list(NULL, 0);
    assert_int_equal(pthread_create(&thread, NULL, foreign, &shared), 0);
    pthread_join(thread, NULL);
    assert_int_equal(shared.count, before + 1);
    assert_int_equal(il_thread_list(NULL, 0), before);
}

/* --- Daemons, in child processes ------------------------------------------------------------- */

static il_thread daemon_thread;
static il_event daemon_runs;

static void say_unobserved(const il_error *error)
{
    fprintf(stderr, "unobserved: %s: %s\n", error->task, error->message);
}

static void start_daemon(il_fn *fn, const char *name)
{
    il_on_unobserved(say_unobserved);
    if (il_thread_start(&daemon_thread, fn, NULL, NULL,
                        &(il_thread_opts){ .name = name, .daemon = true }))
        exit(97);
    il_event_wait(&daemon_runs);
}

static int wait_until_cancelled(void *in, void *out)
{
    il_event_set(&daemon_runs);
    int status = il_sleep(LATE);
    fprintf(stderr, "daemon ends with %d\n", status == -ECANCELED);
    return status;
}

static int end_with_a_polite_daemon(void)
{
    start_daemon(wait_until_cancelled, "polite");
    return 7;
}

static void a_daemon_is_cancelled_at_exit(void **state)
{
    char words[1000];
    assert_int_equal(in_child("end_with_a_polite_daemon", words, sizeof words), 7);
    assert_says(words, "daemon ends with 1");
    assert_null(strstr(words, "unobserved"));
}

static int end_at_once(void *in, void *out)
{
    il_event_set(&daemon_runs);
    return 0;
}

static int end_after_a_daemon(void)
{
    il_thread_grace(IL_SEC(3600)); /* more than the alarm of a body leaves */
    start_daemon(end_at_once, "brief");
    return 7;
}

static void a_daemon_that_has_ended_is_not_waited_for(void **state)
{
    char words[1000];
    assert_int_equal(in_child("end_after_a_daemon", words, sizeof words), 7);
}

static int never_end(void *in, void *out)
{
    il_event_set(&daemon_runs);
    for (;;) pause();
    return 0;
}

static int end_with_a_stubborn_daemon(void)
{
    start_daemon(never_end, "stubborn");
    il_thread_grace(IL_MS(20));
    return 8;
}

static void a_daemon_that_stays_is_named_and_left_alone(void **state)
{
    char words[1000];
    assert_int_equal(in_child("end_with_a_stubborn_daemon", words, sizeof words), 8);
    assert_says(words, "unobserved: stubborn: a daemon");
}

static void grace_gives_the_one_before(void **state)
{
    int64_t before = il_thread_grace(IL_SEC(1));
    assert_int_equal(before, IL_MS(100));
    assert_int_equal(il_thread_grace(before), IL_SEC(1));
}

static const struct body bodies[] = {
    { "end_with_a_polite_daemon", end_with_a_polite_daemon },
    { "end_after_a_daemon", end_after_a_daemon },
    { "end_with_a_stubborn_daemon", end_with_a_stubborn_daemon },
    { 0 },
};

int main(int argc, char **argv)
{
    run_body_if_asked(argc, argv, bodies);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_takes_and_gives_by_reference),
        cmocka_unit_test(states_go_from_new_to_done),
        cmocka_unit_test(a_thread_that_runs_is_running),
        cmocka_unit_test(a_failure_comes_back_with_its_words),
        cmocka_unit_test(starting_twice_is_ealready),
        cmocka_unit_test(what_was_never_started_is_einval),
        cmocka_unit_test(a_stack_too_small_is_einval_and_it_may_be_started_again),
        cmocka_unit_test(a_daemon_refused_is_not_counted),
        cmocka_unit_test(a_stack_is_as_large_as_asked_for),
        cmocka_unit_test(joining_again_gives_the_same),
        cmocka_unit_test(joining_itself_is_edeadlk),
        EACH_CREW(a_join_gives_up_at_its_deadline_or_when_cancelled),
        EACH_CREW(several_may_join),
        cmocka_unit_test(the_object_may_be_reused_after_its_join),
        cmocka_unit_test(cancel_ends_a_wait),
        cmocka_unit_test(a_cancelled_thread_sees_it),
        EACH_POOL(cancel_reaches_the_scopes_of_a_thread),
        cmocka_unit_test(a_short_name_is_kept_whole),
        cmocka_unit_test(without_a_name_it_is_thread),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(a_long_name_is_cut_between_characters),
        cmocka_unit_test(a_struct_that_embeds_a_thread_is_found_from_inside),
        EACH_POOL(in_a_fiber_there_is_no_thread_self),
        cmocka_unit_test(describe_tells_name_state_and_parent),
        cmocka_unit_test(the_list_has_those_that_live),
        cmocka_unit_test(a_list_that_is_too_short_still_says_how_many),
        cmocka_unit_test(listing_while_threads_come_and_go_is_consistent),
        cmocka_unit_test(foreign_threads_are_in_the_list_while_they_live),
        cmocka_unit_test(a_daemon_is_cancelled_at_exit),
        cmocka_unit_test(a_daemon_that_has_ended_is_not_waited_for),
        cmocka_unit_test(a_daemon_that_stays_is_named_and_left_alone),
        cmocka_unit_test(grace_gives_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
