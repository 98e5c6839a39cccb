/* SPDX-License-Identifier: MIT */
/*
 * Random kills of processes that share an arena. Whatever they were in the middle of: every item that
 * was sent is worked on, the memory is whole, permits come back, and nobody waits for the dead.
 * IL_STRESS is the number of kills of each test.
 */

#include "chaos.h"

#include <limits.h>

#include <interlock/processes.h>
#include <interlock/shared_chan.h>
#include <interlock/shared_sem.h>
#include <interlock/space.h>

#include "share/arena.h"

enum { TASKS = 4, PRODUCERS = 2, MOST = 1 << 19, KEYS = 8 };

/* In the arena; each word has one writer at a time, or is atomic. */
struct board {
    uint32_t stop;
    long pids[TASKS];
    long next[PRODUCERS];           /* items that were sent, as far as their producer could say */
    uint32_t seen[PRODUCERS][MOST]; /* how often an item was worked on */
    long added[TASKS], inside, broken; /* of the second test */
};

struct part {
    il_handle chan, space, sem, arena;
    uint64_t board;
    int number;
    uint64_t seed;
};

static int enter(const struct part *part, il_arena **out_arena, struct board **out_board)
{
    int status = il_arena_open(&part->arena, out_arena);
    if (status) return status;
    *out_board = il_arena_at(*out_arena, part->board);
    il__store_seq(&(*out_board)->pids[part->number], (long)getpid());
    return 0;
}

/* --- Actors ------------------------------------------------------------------------------------ */

static int produce(const struct part *part, struct board *board, il_chan *chan)
{
    int status = 0;
    long *next = &board->next[part->number];
    while (!status && !il__load(&board->stop) && *next < MOST) {
        long item = part->number * (long)MOST + *next;
        status = il_chan_send(chan, &item, LATE);
        if (!status) il__store(next, *next + 1);
    }
    return status;
}

static int consume(struct board *board, il_chan *chan)
{
    long item;
    int status;
    while (!(status = il_chan_recv(chan, &item, LATE))) {
        if (item < 0 || item >= (long)PRODUCERS * MOST) return -EBADMSG;
        for (long i = item % 512; i; i--) il__pause(); /* so that many are killed with one */
        il__add(&board->seen[item / MOST][item % MOST], 1);
        il_chan_done(chan);
    }
    return status == -EPIPE ? 0 : status;
}

static int play(void *in, void *out)
{
    struct part *part = in;
    struct board *board;
    il_arena *arena = NULL;
    il_chan *chan = NULL;
    (void)out;
    int status = enter(part, &arena, &board);
    if (!status) status = il_shared_chan_open(&part->chan, &chan);
    if (!status)
        status = part->number < PRODUCERS ? produce(part, board, chan) : consume(board, chan);
    il_chan_free(chan);
    il_arena_free(arena);
    return status;
}

/* In this process too. */
struct home {
    struct board *board;
    il_chan *chan;
};

static int consume_at_home(void *in, void *out)
{
    struct home *home = in;
    (void)out;
    return consume(home->board, home->chan);
}

/* --- The theatre ------------------------------------------------------------------------------- */

struct theatre {
    il_executor *pool;
    il_fn *fn;
    struct part parts[TASKS];
    il_future *futures[TASKS];
    struct board *board;
    long kills, deaths;
};

static void start(struct theatre *theatre, int i)
{
    theatre->parts[i].seed++;
    assert_int_equal(il_submit(theatre->pool, theatre->fn, &theatre->parts[i],
                               sizeof theatre->parts[i], 0, NULL, &theatre->futures[i]),
                     0);
}

/* See what came of one that has ended. */
static int outcome(struct theatre *theatre, int i)
{
    int status = il_future_get(theatre->futures[i], LATE, NULL);
    il_future_free(theatre->futures[i]);
    theatre->futures[i] = NULL;
    theatre->deaths += status == -EOWNERDEAD;
    return status;
}

static void restart_the_dead(struct theatre *theatre)
{
    for (int i = 0; i < TASKS; i++) {
        if (!theatre->futures[i] || !il_future_done(theatre->futures[i])) continue;
        int status = outcome(theatre, i);
        if (status == -EOWNERDEAD) start(theatre, i);
        else if (status) fail_msg("part %d: %s", i, il_strerror(status));
    }
}

/* Kill one of them, some moments after the last. */
static void kill_one(struct theatre *theatre, uint64_t *random)
{
    long moment = 1000L * (below(random, 4) ? below(random, 300) : below(random, 6000));
    nanosleep(&(struct timespec){ .tv_nsec = moment }, NULL); /* sleeps: it is to be any moment */
    int victim = (int)below(random, TASKS);
    long pid = il__swap(&theatre->board->pids[victim], 0);
    if (pid && !kill((pid_t)pid, SIGKILL)) theatre->kills++;
}

static void run(struct theatre *theatre)
{
    uint64_t random = seed;
    assert_int_equal(il_processes_new(&(il_processes_opts){ .workers = TASKS }, &theatre->pool), 0);
    for (int i = 0; i < TASKS; i++) start(theatre, i);
    while (theatre->kills < rounds) {
        restart_the_dead(theatre);
        kill_one(theatre, &random);
    }
    il__store_seq(&theatre->board->stop, 1);
}

static int finish(struct theatre *theatre, int i)
{
    int status = 0;
    while (theatre->futures[i] && (status = outcome(theatre, i)) == -EOWNERDEAD) start(theatre, i);
    return status;
}

/* --- The channel --------------------------------------------------------------------------------- */

static void no_item_is_lost_whoever_is_killed(void **state)
{
    (void)state;
    struct theatre theatre = { .fn = play };
    il_arena *arena = NULL;
    il_shared_chan_info info;
    il_arena_info memory;
    struct home home;
    il_thread thread = { 0 };
    il_shared_chan_opts opts = { .capacity = 6, .attempts = UINT_MAX };
    assert_int_equal(il_arena_new(NULL, &arena), 0);
    assert_int_equal(il_shared_chan_new(arena, sizeof(long), &opts, &home.chan), 0);
    theatre.board = home.board = il_arena_alloc(arena, sizeof *home.board);
    assert_non_null(home.board);
    memset(home.board, 0, sizeof *home.board);
    for (int i = 0; i < TASKS; i++)
        theatre.parts[i] = (struct part){ .chan = il_shared_chan_handle(home.chan),
                                          .arena = il_arena_handle(arena),
                                          .board = il_arena_place(arena, home.board),
                                          .number = i };
    assert_int_equal(il_thread_start(&thread, consume_at_home, &home, NULL, NULL), 0);
    run(&theatre);
    int failed = 0;
    for (int i = 0; i < PRODUCERS; i++) failed += finish(&theatre, i) != 0;
    int joined = il_chan_join(home.chan, LATE);
    il_chan_close(home.chan);
    for (int i = 0; i < TASKS; i++) failed += finish(&theatre, i) != 0;
    failed += il_thread_join(&thread, LATE) != 0;
    il_executor_free(theatre.pool);

    long sent = 0, lost = 0, again = 0;
    for (int k = 0; k < PRODUCERS; k++) {
        sent += home.board->next[k];
        for (long i = 0; i < MOST; i++) {
            lost += i < home.board->next[k] && !home.board->seen[k][i];
            if (home.board->seen[k][i]) again += home.board->seen[k][i] - 1;
        }
    }
    il_shared_chan_describe(home.chan, &info);
    il_arena_describe(arena, &memory);
    print_message("%ld kills, %ld deaths, %ld items, %lu delivered again, %ld worked on again; "
                  "%lu repairs of the channel, %lu of the arena\n",
                  theatre.kills, theatre.deaths, sent, info.returned, again, info.repairs,
                  memory.repairs);
    count_uses(sent);
    assert_int_equal(failed, 0);
    assert_int_equal(joined, 0);
    assert_int_equal(lost, 0);
    assert_true(again <= theatre.kills);
    assert_true(il__shared_chan_sound(home.chan));
    assert_int_equal(info.inside + info.held, 0);
    assert_int_equal(memory.processes, 1);
    il_chan_free(home.chan);
    il_arena_dealloc(arena, home.board);
    il_arena_describe(arena, &memory);
    assert_int_equal(memory.blocks, 0);
    il_arena_free(arena);
}

/* --- Memory, space, semaphore ---------------------------------------------------------------------- */

static int add_one(il_space *space)
{
    int status;
    do {
        long sum = 0;
        uint64_t version = 0;
        status = il_space_get(space, "sum", &sum, sizeof sum, NULL, &version);
        sum++;
        if (!status) status = il_space_set(space, "sum", &sum, sizeof sum, version, NULL);
    } while (status == -ESTALE);
    return status;
}

static int use_the_seat(struct board *board, il_shared_sem *seat)
{
    int status = il_shared_sem_acquire(seat, LATE);
    if (status) return status;
    il__store(&board->inside, (long)getpid());
    for (int i = 0; i < 100; i++) il__pause();
    if (il__load(&board->inside) != getpid()) il__store(&board->broken, 1);
    return il_shared_sem_release(seat);
}

static int juggle(il_arena *arena, uint64_t *random)
{
    void *blocks[8] = { NULL };
    for (int i = 0; i < 30; i++) {
        unsigned k = below(random, 8);
        il_arena_dealloc(arena, blocks[k]);
        size_t size = below(random, 5000);
        blocks[k] = il_arena_alloc(arena, size);
        if (blocks[k]) memset(blocks[k], 0xab, size);
    }
    for (int k = 0; k < 8; k++) il_arena_dealloc(arena, blocks[k]);
    return 0;
}

static int change_a_key(il_space *space, uint64_t *random)
{
    char key[20], bytes[300];
    memset(bytes, 1, sizeof bytes);
    snprintf(key, sizeof key, "key %u", below(random, KEYS));
    if (below(random, 3))
        return il_space_set(space, key, bytes, below(random, 300), IL_ANY_VERSION, NULL);
    int status = il_space_delete(space, key, IL_ANY_VERSION);
    return status == -ENOENT ? 0 : status;
}

static int mix(void *in, void *out)
{
    struct part *part = in;
    struct board *board;
    il_arena *arena = NULL;
    il_space *space = NULL;
    il_shared_sem *seat = NULL;
    uint64_t random = part->seed * 1000 + (uint64_t)part->number;
    (void)out;
    int status = enter(part, &arena, &board);
    if (!status) status = il_space_open(&part->space, &space);
    if (!status) status = il_shared_sem_open(&part->sem, &seat);
    while (!status && !il__load(&board->stop)) {
        switch (below(&random, 4)) {
        case 0: status = use_the_seat(board, seat); break;
        case 1: status = juggle(arena, &random); break;
        case 2: status = change_a_key(space, &random); break;
        default:
            status = add_one(space);
            if (!status) il__add(&board->added[part->number], 1);
        }
    }
    il_space_free(space);
    il_shared_sem_free(seat);
    il_arena_free(arena);
    return status;
}

static bool sound(il_arena *arena)
{
    il__ledger_lock(&arena->head->ledger);
    bool sound = il__pieces_sound(arena->head);
    il__ledger_unlock(&arena->head->ledger);
    return sound;
}

static void memory_space_and_permits_stay_whole_whoever_is_killed(void **state)
{
    (void)state;
    struct theatre theatre = { .fn = mix };
    il_arena *arena = NULL;
    il_space *space = NULL;
    il_shared_sem *seat = NULL;
    il_arena_info memory;
    long sum = 0, added = 0;
    assert_int_equal(il_arena_new(NULL, &arena), 0);
    assert_int_equal(il_space_new(arena, NULL, &space), 0);
    assert_int_equal(il_shared_sem_new(arena, 1, &(il_shared_sem_opts){ .max = 1 }, &seat), 0);
    assert_int_equal(il_space_set(space, "sum", &sum, sizeof sum, 0, NULL), 0);
    theatre.board = il_arena_alloc(arena, sizeof *theatre.board);
    assert_non_null(theatre.board);
    memset(theatre.board, 0, sizeof *theatre.board);
    for (int i = 0; i < TASKS; i++)
        theatre.parts[i] = (struct part){ .space = il_space_handle(space),
                                          .sem = il_shared_sem_handle(seat),
                                          .arena = il_arena_handle(arena),
                                          .board = il_arena_place(arena, theatre.board),
                                          .number = i,
                                          .seed = seed };
    run(&theatre);
    int failed = 0;
    for (int i = 0; i < TASKS; i++) failed += finish(&theatre, i) != 0;
    il_executor_free(theatre.pool);
    il_arena_dealloc_orphans(arena);
    for (int i = 0; i < TASKS; i++) added += theatre.board->added[i];
    assert_int_equal(il_space_get(space, "sum", &sum, sizeof sum, NULL, NULL), 0);
    il_arena_describe(arena, &memory);
    print_message("%ld kills, %ld deaths, %ld added; %lu repairs\n", theatre.kills, theatre.deaths,
                  added, memory.repairs);
    count_uses(added);
    assert_int_equal(failed, 0);
    assert_int_equal(theatre.board->broken, 0);
    assert_true(sum >= added && sum <= added + theatre.kills);
    assert_int_equal(il_shared_sem_value(seat), 1);
    assert_int_equal(memory.processes, 1);
    assert_true(sound(arena));
    il_space_free(space);
    il_shared_sem_free(seat);
    il_arena_dealloc(arena, theatre.board);
    il_arena_describe(arena, &memory);
    assert_int_equal(memory.blocks, 0);
    il_arena_free(arena);
}

int main(void)
{
    read_environment(200);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_item_is_lost_whoever_is_killed),
        cmocka_unit_test(memory_space_and_permits_stay_whole_whoever_is_killed),
    };
    return RUN(tests);
}
