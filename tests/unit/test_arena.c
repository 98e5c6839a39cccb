/* SPDX-License-Identifier: MIT */
/* Arenas: blocks, places, members, and what a kill leaves behind. */

#include "killed.h"

#include <fcntl.h>

#include <interlock/arena.h>
#include <interlock/processes.h>
#include <interlock/shared_chan.h>
#include <interlock/shared_sem.h>
#include <interlock/space.h>

#include "base/memory.h"

#include "share/arena.h"

static il_arena *new_arena(size_t size)
{
    il_arena *arena = NULL;
    assert_int_equal(il_arena_new(&(il_arena_opts){ .size = size }, &arena), 0);
    return arena;
}

static bool sound(il_arena *arena)
{
    il__ledger_lock(&arena->head->ledger);
    bool sound = il__pieces_sound(arena->head);
    il__ledger_unlock(&arena->head->ledger);
    return sound;
}

static void blocks_do_not_overlap_and_come_back(void **state)
{
    (void)state;
    enum { BLOCKS = 200 };
    il_arena *arena = new_arena(1 << 20);
    unsigned char *blocks[BLOCKS] = { NULL };
    size_t sizes[BLOCKS];
    il_arena_info info;
    uint32_t random = 1;
    for (int round = 0; round < 5000; round++) {
        random = random * 1664525 + 1013904223;
        int i = (int)(random >> 16) % BLOCKS;
        for (size_t k = 0; blocks[i] && k < sizes[i]; k++) assert_int_equal(blocks[i][k], i);
        il_arena_dealloc(arena, blocks[i]);
        sizes[i] = (random >> 4) % 3000;
        blocks[i] = il_arena_alloc(arena, sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], i, sizes[i]);
    }
    assert_true(sound(arena));
    for (int i = 0; i < BLOCKS; i++) il_arena_dealloc(arena, blocks[i]);
    il_arena_describe(arena, &info);
    assert_int_equal(info.used, 0);
    assert_int_equal(info.blocks, 0);
    assert_true(info.peak > 0);
    assert_true(info.largest > info.size - sizeof(il__arena_head) - 4096); /* one piece again */
    assert_true(sound(arena));
    il_arena_free(arena);
}

static void a_full_arena_gives_null_and_stays_whole(void **state)
{
    (void)state;
    il_arena *arena = new_arena(200000);
    size_t count = 0;
    void *blocks[1000] = { NULL };
    il_arena_info info;
    il_arena_describe(arena, &info);
    assert_null(il_arena_alloc(arena, info.largest + 1));
    void *all = il_arena_alloc(arena, info.largest);
    assert_non_null(all);
    il_arena_dealloc(arena, all);
    while (count < 1000 && (blocks[count] = il_arena_alloc(arena, 1000))) count++;
    assert_true(count > 50 && count < 200);
    assert_null(il_arena_alloc(arena, 1000));
    assert_null(il_arena_alloc(arena, SIZE_MAX - 10));
    assert_true(sound(arena));
    il_arena_dealloc(arena, blocks[7]);
    assert_ptr_equal(il_arena_alloc(arena, 1000), blocks[7]);
    il_arena_free(arena);
}

static void a_place_leads_back_to_its_address(void **state)
{
    (void)state;
    il_arena *arena = new_arena(0);
    char *block = il_arena_alloc(arena, 10), outside;
    uint64_t place = il_arena_place(arena, block + 3);
    assert_ptr_equal(il_arena_at(arena, place), block + 3);
    assert_int_equal(il_arena_place(arena, NULL), 0);
    assert_int_equal(il_arena_place(arena, &outside), 0);
    assert_null(il_arena_at(arena, 0));
    assert_null(il_arena_at(arena, UINT64_MAX));
    il_arena_dealloc(arena, block);
    il_arena_free(arena);
}

static void an_arena_opened_twice_is_the_same(void **state)
{
    (void)state;
    il_arena *arena = new_arena(0), *again = NULL;
    il_handle handle = il_arena_handle(arena), other = handle;
    il_arena_info info;
    assert_int_equal(il_arena_open(&handle, &again), 0);
    assert_ptr_equal(again, arena);
    il_arena_free(again);
    il_arena_describe(arena, &info);
    assert_int_equal(info.processes, 1);
    other.words[3]++; /* that of another arena */
    assert_int_equal(il_arena_open(&other, &again), -EOWNERDEAD);
    other.words[4] = 1;
    assert_int_equal(il_arena_open(&other, &again), -EINVAL);
    il_arena_free(arena);
    assert_int_equal(il_arena_open(&handle, &again), -EOWNERDEAD);
    assert_int_equal(il_arena_new(&(il_arena_opts){ .size = 100 }, &again), -EINVAL);
    il_arena_free(NULL);
}

static void release_twice(void)
{
    il_arena *arena = NULL;
    if (il_arena_new(NULL, &arena)) return;
    void *block = il_arena_alloc(arena, 10);
    il_arena_dealloc(arena, block);
    il_arena_dealloc(arena, block);
}

static void releasing_a_block_twice_is_fatal(void **state)
{
    (void)state;
    assert_fatal(release_twice, "is no block of the arena");
}

/* --- In other processes ------------------------------------------------------------------------ */

struct letter {
    il_handle arena;
    uint64_t place;
};

static int write_there(void *in, void *out)
{
    struct letter *letter = in;
    il_arena *arena = NULL;
    int status = il_arena_open(&letter->arena, &arena);
    if (status) return status;
    char *mine = il_arena_alloc(arena, 100);
    strcpy(il_arena_at(arena, letter->place), "written in a worker");
    strcpy(mine, "allocated in a worker");
    il_arena_disown(arena, mine);
    *(uint64_t *)out = il_arena_place(arena, mine);
    il_arena_free(arena);
    return 0;
}

static void a_worker_process_reads_writes_and_allocates(void **state)
{
    (void)state;
    il_arena *arena = new_arena(0);
    il_executor *pool = NULL;
    il_future *future = NULL;
    uint64_t place = 0;
    char *block = il_arena_alloc(arena, 100);
    struct letter letter = { il_arena_handle(arena), il_arena_place(arena, block) };
    assert_int_equal(il_processes_new(&(il_processes_opts){ .workers = 1 }, &pool), 0);
    assert_int_equal(
        il_submit(pool, write_there, &letter, sizeof letter, sizeof place, NULL, &future), 0);
    assert_int_equal(il_future_get(future, LATE, &place), 0);
    il_future_free(future);
    assert_string_equal(block, "written in a worker");
    assert_string_equal(il_arena_at(arena, place), "allocated in a worker");
    assert_int_equal(il_arena_orphans(arena, NULL, 0), 0);
    il_executor_free(pool);
    il_arena_free(arena);
}

static int take_blocks_and_die(void *arg)
{
    struct letter *letter = arg;
    il_arena *arena = NULL;
    if (il_arena_open(&letter->arena, &arena)) return 1;
    for (int i = 0; i < 3; i++) strcpy(il_arena_alloc(arena, 64), "left");
    il_arena_disown(arena, il_arena_alloc(arena, 64));
    il_arena_adopt(arena, il_arena_at(arena, letter->place));
    kill(getpid(), SIGKILL);
    return 2;
}

static void what_a_dead_process_held_is_found_and_released(void **state)
{
    (void)state;
    il_arena *arena = new_arena(0);
    uint64_t places[8] = { 0 };
    il_arena_info info;
    char *ours = il_arena_alloc(arena, 10), *given = il_arena_alloc(arena, 10);
    struct letter letter = { il_arena_handle(arena), il_arena_place(arena, given) };
    assert_int_equal(in_a_child(take_blocks_and_die, &letter), -SIGKILL);

    assert_int_equal(il_arena_orphans(arena, places, 8), 4);
    int left = 0;
    for (int i = 0; i < 4; i++) left += !strcmp(il_arena_at(arena, places[i]), "left");
    assert_int_equal(left, 3);
    il_arena_adopt(arena, il_arena_at(arena, places[3]));
    assert_int_equal(il_arena_orphans(arena, NULL, 0), 3);
    assert_int_equal(il_arena_dealloc_orphans(arena), 3);
    il_arena_describe(arena, &info);
    assert_int_equal(info.blocks, 3); /* ours, what was adopted, what is nobody's */
    assert_int_equal(info.orphans, 0);
    assert_int_equal(info.deaths, 1);
    assert_int_equal(info.processes, 1);
    assert_true(sound(arena));
    il_arena_dealloc(arena, ours);
    il_arena_free(arena);
}

static int use_what_the_parent_has(void *arg)
{
    il_arena *arena = arg, *own = NULL;
    il_handle handle = il_arena_handle(arena);
    EXPECT(!il_arena_alloc(arena, 10));
    EXPECT(il_last_error()->status == -EPERM);
    il_arena_free(arena); /* nothing */
    handle.words[0] = (uint64_t)getppid();
    EXPECT(il_arena_open(&handle, &own) == 0);
    EXPECT(own != arena);
    EXPECT(il_arena_alloc(own, 10));
    il_arena_free(own);
    return 0;
}

static void a_child_of_fork_opens_it_itself(void **state)
{
    (void)state;
    il_arena *arena = new_arena(0);
    il_arena_info info;
    assert_int_equal(in_a_child(use_what_the_parent_has, arena), 0);
    il_arena_describe(arena, &info);
    assert_int_equal(info.deaths, 0);
    assert_int_equal(info.orphans, 1);
    assert_int_equal(info.processes, 1);
    il_arena_free(arena);
}

/* --- Killed at each step -------------------------------------------------------------------------- */

struct scene {
    il_handle handle;
    il_arena *arena;
    il_arena *there; /* in the child */
    uint64_t places[4];
    size_t used;
};

static int open_there(void *arg)
{
    struct scene *scene = arg;
    return il_arena_open(&scene->handle, &scene->there);
}

static int alloc_there(void *arg)
{
    struct scene *scene = arg;
    char *block = il_arena_alloc(scene->there, 500);
    if (!block) return 1;
    memset(block, 0xee, 500);
    return 0;
}

static int look_at_alloc(void *arg)
{
    struct scene *scene = arg;
    il_arena_dealloc_orphans(scene->arena);
    EXPECT(sound(scene->arena));
    EXPECT(scene->arena->head->used == scene->used);
    return 0;
}

static void an_allocation_killed_at_any_step_leaves_nothing_half_done(void **state)
{
    (void)state;
    struct scene scene = { .arena = new_arena(0) };
    void *blocks[4];
    scene.handle = il_arena_handle(scene.arena);
    for (int i = 0; i < 4; i++) blocks[i] = il_arena_alloc(scene.arena, 700);
    il_arena_dealloc(scene.arena, blocks[1]); /* one that fits, and must be divided */
    scene.used = scene.arena->head->used;
    long steps = killed_at_each_step(open_there, alloc_there, look_at_alloc, &scene);
    assert_true(steps > 20);
    assert_true(scene.arena->head->ledger.repairs > 10);
    il_arena_free(scene.arena);
}

static int dealloc_there(void *arg)
{
    struct scene *scene = arg;
    il_arena_dealloc(scene->there, il_arena_at(scene->there, scene->places[1]));
    return 0;
}

/* It is there or not; then again. */
static int look_at_dealloc(void *arg)
{
    struct scene *scene = arg;
    il_arena_dealloc_orphans(scene->arena);
    EXPECT(sound(scene->arena));
    il__ledger_lock(&scene->arena->head->ledger);
    bool there = scene->arena->head->used == scene->used;
    il__ledger_unlock(&scene->arena->head->ledger);
    void *block = there ? NULL : il_arena_alloc(scene->arena, 700);
    EXPECT(there || il_arena_place(scene->arena, block) == scene->places[1]);
    EXPECT(scene->arena->head->used == scene->used);
    return 0;
}

static void a_release_killed_at_any_step_leaves_nothing_half_done(void **state)
{
    (void)state;
    struct scene scene = { .arena = new_arena(0) };
    void *blocks[4];
    scene.handle = il_arena_handle(scene.arena);
    for (int i = 0; i < 4; i++) {
        blocks[i] = il_arena_alloc(scene.arena, 700);
        scene.places[i] = il_arena_place(scene.arena, blocks[i]);
    }
    scene.used = scene.arena->head->used;
    assert_true(killed_at_each_step(open_there, dealloc_there, look_at_dealloc, &scene) > 10);
    il_arena_free(scene.arena);
}

static int open_only(void *arg)
{
    (void)arg;
    return 0;
}

static int enter_and_leave(void *arg)
{
    struct scene *scene = arg;
    int status = il_arena_open(&scene->handle, &scene->there);
    il_arena_free(scene->there);
    return status;
}

static int look_at_members(void *arg)
{
    struct scene *scene = arg;
    il_arena_info info;
    il_arena_describe(scene->arena, &info);
    EXPECT(info.processes == 1);
    EXPECT(sound(scene->arena));
    return 0;
}

static void a_member_killed_while_it_enters_or_leaves_is_gone(void **state)
{
    (void)state;
    struct scene scene = { .arena = new_arena(0) };
    scene.handle = il_arena_handle(scene.arena);
    assert_true(killed_at_each_step(open_only, enter_and_leave, look_at_members, &scene) > 10);
    il_arena_free(scene.arena);
}

/* --- Semaphores --------------------------------------------------------------------------------------- */

struct permits {
    il_handle handle;
    il_arena *arena;
    il_shared_sem *sem, *there;
};

static int open_permits(void *arg)
{
    struct permits *permits = arg;
    return il_shared_sem_open(&permits->handle, &permits->there);
}

static int take_and_give(void *arg)
{
    struct permits *permits = arg;
    if (il_shared_sem_acquire(permits->there, IL_NOW)) return 1;
    return il_shared_sem_release(permits->there) ? 2 : 0;
}

static int look_at_permits(void *arg)
{
    struct permits *permits = arg;
    il_arena_orphans(permits->arena, NULL, 0); /* look who has died */
    EXPECT(il_shared_sem_value(permits->sem) == 2);
    return 0;
}

static void a_permit_of_a_killed_process_comes_back(void **state)
{
    (void)state;
    il_arena *arena = new_arena(0);
    struct permits permits = { .arena = arena };
    assert_int_equal(il_shared_sem_new(arena, 2, NULL, &permits.sem), 0);
    permits.handle = il_shared_sem_handle(permits.sem);
    long steps = killed_at_each_step(open_permits, take_and_give, look_at_permits, &permits);
    assert_true(steps > 8);
    il_shared_sem_free(permits.sem);
    il_arena_free(arena);
}

static int take_and_die(void *in, void *out)
{
    (void)out;
    il_shared_sem *sem = NULL;
    int status = il_shared_sem_open(in, &sem);
    if (!status) status = il_shared_sem_acquire(sem, IL_NOW);
    if (!status) kill(getpid(), SIGKILL);
    return status;
}

static void who_takes_what_a_dead_holder_had_may_be_told(void **state)
{
    (void)state;
    il_arena *arena = new_arena(0);
    il_shared_sem *sem = NULL;
    il_executor *pool = NULL;
    il_future *future = NULL;
    il_shared_sem_opts opts = { .max = 1, .tell_deaths = true };
    assert_int_equal(il_shared_sem_new(arena, 2, &opts, &sem), -EINVAL);
    assert_int_equal(il_shared_sem_new(arena, 1, &opts, &sem), 0);
    il_handle handle = il_shared_sem_handle(sem);
    assert_int_equal(il_processes_new(&(il_processes_opts){ .workers = 1 }, &pool), 0);
    assert_int_equal(il_submit(pool, take_and_die, &handle, sizeof handle, 0, NULL, &future), 0);
    assert_int_equal(il_future_get(future, LATE, NULL), -EOWNERDEAD);
    il_future_free(future);
    assert_int_equal(il_shared_sem_acquire(sem, LATE), -EOWNERDEAD);
    assert_int_equal(il_shared_sem_acquire(sem, IL_NOW), -EAGAIN);
    assert_int_equal(il_shared_sem_acquire(sem, SOON), -ETIMEDOUT);
    assert_int_equal(il_shared_sem_release(sem), 0);
    assert_int_equal(il_shared_sem_release(sem), -EOVERFLOW);
    assert_int_equal(il_shared_sem_acquire(sem, IL_NOW), 0);
    il_executor_free(pool);
    il_shared_sem_free(sem);
    il_arena_free(arena);
}

static int acquire(void *sem, il_time until)
{
    return il_shared_sem_acquire(sem, until);
}

static void waiting_for_a_permit_ends_as_any_wait(void **state)
{
    il_arena *arena = new_arena(0);
    il_shared_sem *sem = NULL;
    assert_int_equal(il_shared_sem_new(arena, 0, NULL, &sem), 0);
    assert_gives_up(state, acquire, sem);
    il_shared_sem_free(sem);
    il_arena_free(arena);
}

/* --- Refused --------------------------------------------------------------------------------------------- */

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    for (int i = 0; i < 200; i++) count += fcntl(i, F_GETFD) >= 0;
    return count;
}

static int stop_there(const char *key, size_t size, uint64_t version, void *arg)
{
    (void)key, (void)size, (void)version, (void)arg;
    return 0;
}

/* All that there is, made and let go of. */
static int make_all(void)
{
    il_arena *own = NULL;
    il_chan *chan = NULL;
    il_space *space = NULL;
    il_shared_sem *sem = NULL;
    int status = il_arena_new(NULL, &own);
    if (!status) status = il_shared_chan_new(own, 8, NULL, &chan);
    if (!status) status = il_space_new(own, NULL, &space);
    if (!status) status = il_space_set(space, "key", "value", 6, 0, NULL);
    if (!status) status = il_space_list(space, NULL, stop_there, NULL);
    if (!status) status = il_shared_sem_new(own, 1, NULL, &sem);
    if (!status && !il_arena_alloc(own, 10)) status = -ENOMEM;
    if (!status) status = il_shared_sem_acquire(sem, il_after(IL_MS(1))); /* it is to be had */
    if (own) {
        il_arena_info info;
        il_chan_free(chan);
        il_space_free(space);
        il_shared_sem_free(sem);
        il_arena_dealloc_orphans(own);
        il_arena_describe(own, &info);
        if (info.blocks > 1 || !sound(own)) status = -EBADMSG;
    }
    il_arena_free(own);
    return status;
}

static void whatever_is_refused_nothing_is_left(void **state)
{
    (void)state;
    assert_int_equal(make_all(), 0);
    unsigned before = open_descriptors();
    unsigned long nth = 1;
    int status;
    do {
        il__refuse(nth++);
        status = make_all();
        if (status) assert_true(status == -ENOMEM || status == -EMFILE);
        assert_int_equal(open_descriptors(), before);
    } while (il__refuse(0) >= nth - 1 && nth < 1000);
    assert_int_equal(status, 0);
    assert_true(nth > 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_do_not_overlap_and_come_back),
        cmocka_unit_test(a_full_arena_gives_null_and_stays_whole),
        cmocka_unit_test(a_place_leads_back_to_its_address),
        cmocka_unit_test(an_arena_opened_twice_is_the_same),
        cmocka_unit_test(releasing_a_block_twice_is_fatal),
        cmocka_unit_test(a_worker_process_reads_writes_and_allocates),
        cmocka_unit_test(what_a_dead_process_held_is_found_and_released),
        cmocka_unit_test(a_child_of_fork_opens_it_itself),
        cmocka_unit_test(an_allocation_killed_at_any_step_leaves_nothing_half_done),
        cmocka_unit_test(a_release_killed_at_any_step_leaves_nothing_half_done),
        cmocka_unit_test(a_member_killed_while_it_enters_or_leaves_is_gone),
        cmocka_unit_test(a_permit_of_a_killed_process_comes_back),
        cmocka_unit_test(who_takes_what_a_dead_holder_had_may_be_told),
        cmocka_unit_test(whatever_is_refused_nothing_is_left),
        EACH_CREW(waiting_for_a_permit_ends_as_any_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
