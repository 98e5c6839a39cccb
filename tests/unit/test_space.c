/* SPDX-License-Identifier: MIT */
/* Spaces: versions, watching, listing, and what a kill leaves behind. */

#include "killed.h"

#include <interlock/processes.h>
#include <interlock/space.h>

#include "share/arena.h"

static il_arena *arena;
static il_space *space;

static int set_up(void **state)
{
    (void)state;
    return il_arena_new(NULL, &arena) || il_space_new(arena, NULL, &space);
}

/* With every test: nothing is left in the arena. */
static int tear_down(void **state)
{
    (void)state;
    il_arena_info info;
    il_space_free(space);
    il_arena_describe(arena, &info);
    il_arena_free(arena);
    return info.used != 0 || info.processes != 1;
}

static void what_was_set_is_read(void **state)
{
    (void)state;
    char out[20] = "";
    size_t size = 0;
    uint64_t version = 0, read = 0;
    assert_int_equal(il_space_get(space, "a", out, sizeof out, &size, &read), -ENOENT);
    assert_int_equal(il_space_set(space, "a", "hello", 6, IL_ANY_VERSION, &version), 0);
    assert_int_equal(il_space_get(space, "a", out, sizeof out, &size, &read), 0);
    assert_string_equal(out, "hello");
    assert_int_equal(size, 6);
    assert_int_equal(read, version);
    size = 0;
    assert_int_equal(il_space_get(space, "a", out, 5, &size, NULL), -ENOBUFS);
    assert_int_equal(size, 6);
    assert_int_equal(il_space_set(space, "a", NULL, 0, IL_ANY_VERSION, NULL), 0);
    assert_int_equal(il_space_get(space, "a", NULL, 0, &size, NULL), 0);
    assert_int_equal(size, 0);
    assert_int_equal(il_space_set(space, "", "x", 1, IL_ANY_VERSION, NULL), -EINVAL);
    char long_key[300];
    memset(long_key, 'k', sizeof long_key);
    long_key[256] = 0;
    assert_int_equal(il_space_set(space, long_key, "x", 1, IL_ANY_VERSION, NULL), -EINVAL);
    long_key[255] = 0;
    assert_int_equal(il_space_set(space, long_key, "x", 1, IL_ANY_VERSION, NULL), 0);
    assert_int_equal(il_space_count(space), 2);
}

static void another_version_is_a_conflict(void **state)
{
    (void)state;
    uint64_t first = 0, second = 0;
    assert_int_equal(il_space_set(space, "a", "1", 1, 7, NULL), -ESTALE);
    assert_int_equal(il_space_set(space, "a", "1", 1, 0, &first), 0);
    assert_int_equal(il_space_set(space, "a", "2", 1, 0, NULL), -ESTALE); /* it is there */
    assert_int_equal(il_space_set(space, "a", "2", 1, first, &second), 0);
    assert_true(second > first);
    assert_int_equal(il_space_set(space, "a", "3", 1, first, NULL), -ESTALE);
    assert_int_equal(il_space_delete(space, "a", first), -ESTALE);
    assert_int_equal(il_space_delete(space, "a", second), 0);
    assert_int_equal(il_space_delete(space, "a", IL_ANY_VERSION), -ENOENT);
    assert_int_equal(il_space_set(space, "a", "4", 1, second, NULL), -ESTALE);
    assert_int_equal(il_space_set(space, "a", "4", 1, 0, &first), 0);
    assert_true(first > second);
}

static void a_full_arena_is_enomem_and_changes_nothing(void **state)
{
    (void)state;
    static char much[12 << 20];
    char out[8] = "";
    uint64_t version = 0, read = 0;
    assert_int_equal(il_space_set(space, "a", "old", 4, IL_ANY_VERSION, &version), 0);
    assert_int_equal(il_space_set(space, "b", much, sizeof much, IL_ANY_VERSION, NULL), 0);
    assert_int_equal(il_space_set(space, "a", much, sizeof much, IL_ANY_VERSION, NULL), -ENOMEM);
    assert_int_equal(il_space_get(space, "a", out, sizeof out, NULL, &read), 0);
    assert_string_equal(out, "old");
    assert_int_equal(read, version);
}

struct listed {
    int count, total;
    bool odd;
};

static int see(const char *key, size_t size, uint64_t version, void *arg)
{
    struct listed *listed = arg;
    listed->count++;
    listed->total += atoi(strchr(key, '/') + 1);
    listed->odd |= size != 3 || !version;
    il_space_delete(space, key, version); /* it may */
    return listed->count == 150 ? 17 : 0;
}

static void a_list_is_of_one_moment_and_by_prefix(void **state)
{
    (void)state;
    struct listed listed = { 0 };
    char key[20];
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "n/%d", i);
        assert_int_equal(il_space_set(space, key, "abc", 3, IL_ANY_VERSION, NULL), 0);
        snprintf(key, sizeof key, "m/%d", i);
        assert_int_equal(il_space_set(space, key, "abc", 3, IL_ANY_VERSION, NULL), 0);
    }
    assert_int_equal(il_space_list(space, "n/", see, &listed), 0);
    assert_int_equal(listed.count, 100);
    assert_int_equal(listed.total, 4950);
    assert_false(listed.odd);
    assert_int_equal(il_space_count(space), 100);
    assert_int_equal(il_space_list(space, NULL, see, &listed), 17);
    assert_int_equal(il_space_count(space), 50);
}

static int wait_for_key(void *arg, il_time until)
{
    return il_space_wait(arg, "key", 0, until, NULL);
}

static void waiting_for_a_key_ends_as_any_wait(void **state)
{
    assert_gives_up(state, wait_for_key, space);
}

static void a_deleted_key_ends_the_wait(void **state)
{
    (void)state;
    uint64_t version = 0;
    assert_int_equal(il_space_set(space, "key", "1", 1, 0, &version), 0);
    assert_int_equal(il_space_wait(space, "key", version, IL_NOW, NULL), -EAGAIN);
    assert_int_equal(il_space_delete(space, "key", version), 0);
    assert_int_equal(il_space_wait(space, "key", version, LATE, NULL), -ENOENT);
}

/* --- Between processes ------------------------------------------------------------------------------- */

/* Adds one to "sum" n times, with others at it. */
static int add_up(void *in, void *out)
{
    il_space *there = NULL;
    (void)out;
    int status = il_space_open(in, &there);
    for (int i = 0; !status && i < 300; i++) {
        do {
            long sum = 0;
            uint64_t version = 0;
            status = il_space_get(there, "sum", &sum, sizeof sum, NULL, &version);
            sum++;
            if (!status) status = il_space_set(there, "sum", &sum, sizeof sum, version, NULL);
        } while (status == -ESTALE);
    }
    il_space_free(there);
    return status;
}

static void no_change_is_lost_between_processes(void **state)
{
    (void)state;
    enum { TASKS = 4 };
    il_handle handle = il_space_handle(space);
    il_executor *pool = NULL;
    il_future *futures[TASKS];
    long sum = 0;
    assert_int_equal(il_space_set(space, "sum", &sum, sizeof sum, 0, NULL), 0);
    assert_int_equal(il_processes_new(&(il_processes_opts){ .workers = 2 }, &pool), 0);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(il_submit(pool, add_up, &handle, sizeof handle, 0, NULL, &futures[i]), 0);
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(il_future_get(futures[i], LATE, NULL), 0);
        il_future_free(futures[i]);
    }
    assert_int_equal(il_space_get(space, "sum", &sum, sizeof sum, NULL, NULL), 0);
    assert_int_equal(sum, TASKS * 300);
    il_executor_free(pool);
}

/* Answers each change of "question" by one of "answer", until it is deleted. */
static int answer(void *in, void *out)
{
    il_space *there = NULL;
    uint64_t version = 0;
    int status = il_space_open(in, &there);
    (void)out;
    while (!status && !(status = il_space_wait(there, "question", version, LATE, &version))) {
        long question = 0;
        status = il_space_get(there, "question", &question, sizeof question, NULL, NULL);
        question++;
        if (!status)
            status =
                il_space_set(there, "answer", &question, sizeof question, IL_ANY_VERSION, NULL);
    }
    il_space_free(there);
    return status == -ENOENT ? 0 : status;
}

static int ask(void *in, void *out)
{
    il_space *here = in;
    uint64_t version = 0;
    (void)out;
    for (long i = 0; i < 200; i++) {
        long found = 0;
        EXPECT(!il_space_set(here, "question", &i, sizeof i, IL_ANY_VERSION, NULL));
        EXPECT(!il_space_wait(here, "answer", version, LATE, &version));
        EXPECT(!il_space_get(here, "answer", &found, sizeof found, NULL, NULL));
        EXPECT(found == i + 1);
    }
    return il_space_delete(here, "question", IL_ANY_VERSION);
}

static void a_change_wakes_who_watches_in_another_process(void **state)
{
    il_handle handle = il_space_handle(space);
    il_executor *pool = NULL;
    il_future *future = NULL;
    struct crew crew;
    assert_int_equal(il_processes_new(&(il_processes_opts){ .workers = 1 }, &pool), 0);
    assert_int_equal(il_submit(pool, answer, &handle, sizeof handle, 0, NULL, &future), 0);
    crew_open(&crew, state);
    crew_add(&crew, ask, space);
    int failed = crew_join(&crew);
    assert_int_equal(il_future_get(future, LATE, NULL), 0);
    assert_int_equal(failed, 0);
    il_future_free(future);
    il_executor_free(pool);
}

/* --- Killed at each step ------------------------------------------------------------------------------ */

struct scene {
    il_handle handle;
    il_space *there;
};

static int open_there(void *arg)
{
    struct scene *scene = arg;
    return il_space_open(&scene->handle, &scene->there);
}

static int set_and_delete(void *arg)
{
    struct scene *scene = arg;
    if (il_space_set(scene->there, "a", "new", 4, IL_ANY_VERSION, NULL)) return 1;
    if (il_space_set(scene->there, "b", "more", 5, IL_ANY_VERSION, NULL)) return 2;
    return il_space_delete(scene->there, "b", IL_ANY_VERSION) ? 3 : 0;
}

static int look(void *arg)
{
    char words[8] = "";
    (void)arg;
    il_arena_orphans(arena, NULL, 0);
    il__ledger_lock(&arena->head->ledger);
    bool sound = il__pieces_sound(arena->head);
    il__ledger_unlock(&arena->head->ledger);
    EXPECT(sound);
    EXPECT(!il_space_get(space, "a", words, sizeof words, NULL, NULL));
    EXPECT(!strcmp(words, "old") || !strcmp(words, "new"));
    int status = il_space_get(space, "b", words, sizeof words, NULL, NULL);
    EXPECT(status == -ENOENT || (!status && !strcmp(words, "more")));
    EXPECT(il_space_count(space) == (status ? 1 : 2));
    if (!status) EXPECT(!il_space_delete(space, "b", IL_ANY_VERSION));
    EXPECT(!il_space_set(space, "a", "old", 4, IL_ANY_VERSION, NULL));
    return 0;
}

static void a_change_killed_at_any_step_has_happened_or_not(void **state)
{
    (void)state;
    struct scene scene = { .handle = il_space_handle(space) };
    assert_int_equal(il_space_set(space, "a", "old", 4, 0, NULL), 0);
    assert_true(killed_at_each_step(open_there, set_and_delete, look, &scene) > 40);
}

#define TEST(test)                                                                                 \
    {                                                                                              \
#test, test, set_up, tear_down, NULL                                                       \
    }
#define KIND(test, n, words)                                                                       \
    {                                                                                              \
#test " (" words ")", test, set_up, tear_down, (void *)&crew_kinds[n]                      \
    }
#define EACH_KIND(test)                                                                            \
    KIND(test, 0, "threads"), KIND(test, 1, "fibers of one worker"),                               \
        KIND(test, 2, "fibers of two workers"), KIND(test, 3, "threads and fibers")

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_set_is_read),
        TEST(another_version_is_a_conflict),
        TEST(a_full_arena_is_enomem_and_changes_nothing),
        TEST(a_list_is_of_one_moment_and_by_prefix),
        EACH_KIND(waiting_for_a_key_ends_as_any_wait),
        TEST(a_deleted_key_ends_the_wait),
        TEST(no_change_is_lost_between_processes),
        EACH_KIND(a_change_wakes_who_watches_in_another_process),
        TEST(a_change_killed_at_any_step_has_happened_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
