/* SPDX-License-Identifier: MIT */
/* Channels between processes: the verbs, waiting, and what a kill leaves behind. */

#include <limits.h>

#include "killed.h"

#include <interlock/processes.h>
#include <interlock/select.h>
#include <interlock/shared_chan.h>

#include "share/arena.h"

static il_arena *arena;

static int set_up(void **state)
{
    (void)state;
    return il_arena_new(NULL, &arena);
}

/* With every test: nothing is left in the arena. */
static int tear_down(void **state)
{
    (void)state;
    il_arena_info info;
    il_arena_dealloc_orphans(arena);
    il_arena_describe(arena, &info);
    il_arena_free(arena);
    return info.used != 0 || info.processes != 1;
}

static il_chan *new_chan(size_t capacity)
{
    il_chan *chan = NULL;
    il_shared_chan_opts opts = { .capacity = capacity, .attempts = UINT_MAX, .name = "test" };
    assert_int_equal(il_shared_chan_new(arena, sizeof(long), &opts, &chan), 0);
    return chan;
}

static void items_come_out_in_the_order_in_which_they_were_sent(void **state)
{
    (void)state;
    il_chan *chan = new_chan(4);
    long out[4] = { 0 };
    size_t got = 0;
    for (long i = 0; i < 1000; i++) {
        long item = -1;
        assert_int_equal(il_chan_send(chan, &i, IL_NOW), 0);
        assert_int_equal(il_chan_length(chan), 1);
        assert_int_equal(il_chan_recv(chan, &item, IL_NOW), 0);
        assert_int_equal(item, i);
        il_chan_done(chan);
    }
    assert_int_equal(il_chan_send_many(chan, (long[]){ 1, 2, 3, 4, 5 }, 5, IL_NOW, &got), -EAGAIN);
    assert_int_equal(got, 4);
    assert_int_equal(il_chan_recv_many(chan, out, 4, IL_NOW, &got), 0);
    assert_int_equal(got, 4);
    assert_memory_equal(out, ((long[]){ 1, 2, 3, 4 }), sizeof out);
    assert_int_equal(il_chan_capacity(chan), 4);
    assert_true(il__shared_chan_sound(chan));
    il_chan_free(chan);
}

static void a_received_item_keeps_its_room_until_it_is_done(void **state)
{
    (void)state;
    il_chan *chan = new_chan(1);
    il_shared_chan_info info;
    long item = 1;
    assert_int_equal(il_chan_send(chan, &item, IL_NOW), 0);
    assert_int_equal(il_chan_recv(chan, &item, IL_NOW), 0);
    assert_int_equal(il_chan_send(chan, &item, IL_NOW), -EAGAIN);
    assert_int_equal(il_chan_join(chan, IL_NOW), -EAGAIN);
    il_shared_chan_describe(chan, &info);
    assert_int_equal(info.held, 1);
    il_chan_done(chan);
    assert_int_equal(il_chan_join(chan, IL_NOW), 0);
    assert_int_equal(il_chan_send(chan, &item, IL_NOW), 0);
    il_chan_free(chan);
}

static void at_most_once_needs_no_done(void **state)
{
    (void)state;
    il_chan *chan = NULL;
    il_shared_chan_opts opts = { .capacity = 1, .at_most_once = true };
    assert_int_equal(il_shared_chan_new(arena, 0, &opts, &chan), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(il_chan_send(chan, NULL, IL_NOW), 0);
        assert_int_equal(il_chan_send(chan, NULL, IL_NOW), -EAGAIN);
        assert_int_equal(il_chan_recv(chan, NULL, IL_NOW), 0);
        il_chan_done(chan); /* nothing */
    }
    assert_int_equal(il_chan_join(chan, IL_NOW), 0);
    il_chan_free(chan);
}

static void a_closed_one_is_drained_first(void **state)
{
    (void)state;
    il_chan *chan = new_chan(4);
    long item = 7;
    assert_int_equal(il_chan_send(chan, &item, IL_NOW), 0);
    assert_false(il_chan_closed(chan));
    il_chan_close(chan);
    il_chan_close(chan);
    assert_true(il_chan_closed(chan));
    assert_int_equal(il_chan_send(chan, &item, IL_NOW), -EPIPE);
    assert_int_equal(il_chan_recv(chan, &item, IL_NOW), 0);
    assert_int_equal(il_chan_recv(chan, &item, IL_FOREVER), -EPIPE);
    il_chan_done(chan);
    assert_int_equal(il_chan_recv(chan, &item, IL_FOREVER), -EPIPE);
    assert_int_equal(il_chan_join(chan, IL_FOREVER), 0);
    il_chan_free(chan);
}

static void done_without_an_item(void)
{
    il_chan *chan = NULL;
    if (il_arena_new(NULL, &arena) || il_shared_chan_new(arena, 8, NULL, &chan)) return;
    il_chan_done(chan);
}

static void done_without_an_item_is_fatal(void **state)
{
    (void)state;
    assert_fatal(done_without_an_item, "no item of it that is not done");
}

static void handles_lead_to_the_same_channel_or_nowhere(void **state)
{
    (void)state;
    il_chan *chan = new_chan(4), *again = NULL;
    il_handle handle = il_shared_chan_handle(chan), of_arena = il_arena_handle(arena);
    assert_int_equal(il_shared_chan_open(&handle, &again), 0);
    assert_ptr_equal(again, chan);
    il_chan_free(again);
    assert_int_equal(il_shared_chan_open(&of_arena, &again), -EINVAL);
    il_chan_free(chan);
    assert_int_equal(il_shared_chan_open(&handle, &again), -ENOENT);
    il_shared_chan_opts opts = { .capacity = 1 << 20 };
    assert_int_equal(il_shared_chan_new(arena, 1000, &opts, &chan), -ENOMEM);
}

static void select_says_that_it_cannot(void **state)
{
    (void)state;
    il_chan *chan = new_chan(4);
    long item = 0;
    size_t index = 9;
    il_case cases[] = { IL_RECV(chan, &item), IL_SEND(chan, &item) };
    assert_int_equal(il_select(cases, 2, IL_NOW, &index), -EINVAL);
    assert_int_equal(il_select(&cases[1], 1, IL_NOW, &index), -EINVAL);
    il_chan_free(chan);
}

/* --- Waiting within a process -------------------------------------------------------------------- */

static int receive(void *chan, il_time until)
{
    long item;
    return il_chan_recv(chan, &item, until);
}

static int send(void *chan, il_time until)
{
    long item = 0;
    return il_chan_send(chan, &item, until);
}

static int join(void *chan, il_time until)
{
    return il_chan_join(chan, until);
}

static void every_wait_can_end_without_success(void **state)
{
    il_chan *chan = new_chan(1);
    assert_gives_up(state, receive, chan);
    assert_int_equal(send(chan, IL_NOW), 0);
    assert_gives_up(state, send, chan);
    assert_gives_up(state, join, chan);
    il_chan_free(chan);
}

static void cancel(void *wait)
{
    il__cancel_fire(&((struct cancelled_wait *)wait)->node, -ECANCELED);
}

/* Just before it parks. */
static int be_cancelled(void *in, void *out)
{
    (void)out;
    struct cancelled_wait wait;
    cancellable_begin(&wait, 0);
    step_in(IL__PROBE_WAIT, NULL, cancel, &wait);
    int status = receive(in, LATE);
    cancellable_end(&wait);
    EXPECT(status == -ECANCELED);
    return 0;
}

static void a_wait_is_cancelled_by_another(void **state)
{
    il_chan *chan = new_chan(1);
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, be_cancelled, chan);
    int failed = crew_join(&crew);
    il__store(&il__probe_listener, NULL);
    assert_int_equal(failed, 0);
    il_chan_free(chan);
}

enum { EACH = 500, SIDES = 4 };

static int produce(void *in, void *out)
{
    (void)out;
    for (long i = 1; i <= EACH; i++) {
        int status = il_chan_send(in, &i, LATE);
        if (status) return status;
    }
    return 0;
}

static long sum; /* atomic */

static int consume(void *in, void *out)
{
    long item;
    int status;
    (void)out;
    while (!(status = il_chan_recv(in, &item, LATE))) {
        il__add(&sum, item);
        il_chan_done(in);
    }
    return status == -EPIPE ? 0 : status;
}

static void many_in_one_process_hand_over_every_item_once(void **state)
{
    il_chan *chan = new_chan(3);
    struct crew crew;
    il__store(&sum, 0);
    crew_open(&crew, state);
    for (int i = 0; i < SIDES; i++) {
        crew_add(&crew, consume, chan);
        crew_add(&crew, produce, chan);
    }
    while (il__load(&sum) < SIDES * EACH * (EACH + 1L) / 2) il_yield();
    int joined = il_chan_join(chan, LATE);
    il_chan_close(chan);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(joined, 0);
    assert_int_equal(il__load(&sum), SIDES * EACH * (EACH + 1L) / 2);
    assert_true(il__shared_chan_sound(chan));
    il_chan_free(chan);
}

/* --- Between processes ------------------------------------------------------------------------------ */

struct roads {
    il_handle there, back;
};

static int echo(void *in, void *out)
{
    struct roads *roads = in;
    il_chan *from = NULL, *to = NULL;
    long item;
    (void)out;
    int status = il_shared_chan_open(&roads->there, &from);
    if (!status) status = il_shared_chan_open(&roads->back, &to);
    while (!status && !(status = il_chan_recv(from, &item, LATE))) {
        item++;
        status = il_chan_send(to, &item, LATE);
        il_chan_done(from);
    }
    il_chan_free(from);
    il_chan_free(to);
    return status == -EPIPE ? 0 : status;
}

static il_executor *new_pool(unsigned workers)
{
    il_executor *pool = NULL;
    assert_int_equal(il_processes_new(&(il_processes_opts){ .workers = workers }, &pool), 0);
    return pool;
}

static int play(void *in, void *out)
{
    il_chan **roads = in;
    (void)out;
    for (long i = 0; i < EACH; i++) {
        long item = i;
        int status = il_chan_send(roads[0], &item, LATE);
        if (!status) status = il_chan_recv(roads[1], &item, LATE);
        if (status) return status;
        if (item != i + 1) return 1;
        il_chan_done(roads[1]);
    }
    return 0;
}

static void ping_pong_with_a_worker_process(void **state)
{
    il_chan *roads[] = { new_chan(1), new_chan(1) };
    struct roads handles = { il_shared_chan_handle(roads[0]), il_shared_chan_handle(roads[1]) };
    il_executor *pool = new_pool(1);
    il_future *future = NULL;
    struct crew crew;
    assert_int_equal(il_submit(pool, echo, &handles, sizeof handles, 0, NULL, &future), 0);
    crew_open(&crew, state);
    crew_add(&crew, play, roads);
    int failed = crew_join(&crew);
    il_chan_close(roads[0]);
    assert_int_equal(failed, 0);
    assert_int_equal(il_future_get(future, LATE, NULL), 0);
    il_future_free(future);
    il_executor_free(pool);
    il_chan_free(roads[0]);
    il_chan_free(roads[1]);
}

/* Receives one item and is killed with it. */
static int receive_and_die(void *in, void *out)
{
    il_chan *chan = NULL;
    long item;
    (void)out;
    int status = il_shared_chan_open(in, &chan);
    if (!status) status = il_chan_recv(chan, &item, LATE);
    if (!status) kill(getpid(), SIGKILL);
    return status;
}

static void an_item_of_a_killed_receiver_is_delivered_again_and_first(void **state)
{
    (void)state;
    il_chan *chan = new_chan(8);
    il_handle handle = il_shared_chan_handle(chan);
    il_executor *pool = new_pool(1);
    il_future *future = NULL;
    il_shared_chan_info info;
    long item = 0;
    for (long i = 1; i <= 3; i++) assert_int_equal(il_chan_send(chan, &i, IL_NOW), 0);
    assert_int_equal(il_submit(pool, receive_and_die, &handle, sizeof handle, 0, NULL, &future), 0);
    assert_int_equal(il_future_get(future, LATE, NULL), -EOWNERDEAD);
    il_future_free(future);
    il_arena_orphans(arena, NULL, 0); /* look now */
    for (long i = 1; i <= 3; i++) {
        assert_int_equal(il_chan_recv(chan, &item, LATE), 0);
        assert_int_equal(item, i);
        il_chan_done(chan);
    }
    il_shared_chan_describe(chan, &info);
    assert_int_equal(info.returned, 1);
    assert_int_equal(info.done, 3);
    il_executor_free(pool);
    il_chan_free(chan);
}

/* The death is noticed by the one who waits. */
static void who_waits_gets_what_a_killed_receiver_held(void **state)
{
    il_chan *chan = new_chan(1);
    il_handle handle = il_shared_chan_handle(chan);
    il_executor *pool = new_pool(1);
    il_future *future = NULL;
    struct crew crew;
    long item = 5;
    assert_int_equal(il_chan_send(chan, &item, IL_NOW), 0);
    assert_int_equal(il_submit(pool, receive_and_die, &handle, sizeof handle, 0, NULL, &future), 0);
    while (il_chan_length(chan)) il_yield();
    il__store(&sum, 0);
    crew_open(&crew, state);
    crew_add(&crew, consume, chan);
    int joined = il_chan_join(chan, LATE);
    il_chan_close(chan);
    assert_int_equal(crew_join(&crew), 0);
    assert_int_equal(joined, 0);
    assert_int_equal(il__load(&sum), 5);
    il_future_get(future, LATE, NULL);
    il_future_free(future);
    il_executor_free(pool);
    il_chan_free(chan);
}

static void an_item_that_kills_is_dropped_after_its_attempts(void **state)
{
    (void)state;
    il_chan *chan = NULL;
    il_shared_chan_opts opts = { .attempts = 3 };
    assert_int_equal(il_shared_chan_new(arena, sizeof(long), &opts, &chan), 0);
    il_handle handle = il_shared_chan_handle(chan);
    il_executor *pool = new_pool(1);
    il_shared_chan_info info;
    long item = 5;
    assert_int_equal(il_chan_send(chan, &item, IL_NOW), 0);
    for (int i = 0; i < 3; i++) {
        il_future *future = NULL;
        assert_int_equal(il_submit(pool, receive_and_die, &handle, sizeof handle, 0, NULL, &future),
                         0);
        assert_int_equal(il_future_get(future, LATE, NULL), -EOWNERDEAD);
        il_future_free(future);
    }
    assert_int_equal(il_chan_join(chan, LATE), 0);
    il_shared_chan_describe(chan, &info);
    assert_int_equal(info.returned, 2);
    assert_int_equal(info.dropped, 1);
    assert_int_equal(il_chan_recv(chan, &item, IL_NOW), -EAGAIN);
    il_executor_free(pool);
    il_chan_free(chan);
}

static int let_go(void *in, void *out)
{
    il_chan *chan = NULL;
    long item;
    (void)out;
    int status = il_shared_chan_open(in, &chan);
    if (!status) status = il_chan_recv(chan, &item, LATE);
    il_chan_free(chan);
    return status;
}

static void an_item_of_a_process_that_lets_go_is_delivered_again(void **state)
{
    (void)state;
    il_chan *chan = new_chan(1);
    il_handle handle = il_shared_chan_handle(chan);
    il_executor *pool = new_pool(1);
    il_future *future = NULL;
    long item = 5;
    assert_int_equal(il_chan_send(chan, &item, IL_NOW), 0);
    assert_int_equal(il_submit(pool, let_go, &handle, sizeof handle, 0, NULL, &future), 0);
    assert_int_equal(il_future_get(future, LATE, NULL), 0);
    il_future_free(future);
    item = 0;
    assert_int_equal(il_chan_recv(chan, &item, IL_NOW), 0);
    assert_int_equal(item, 5);
    il_executor_free(pool);
    il_chan_free(chan);
}

static int wait_for_an_item(void *in, void *out)
{
    il_chan *chan = NULL;
    long item;
    (void)out;
    int status = il_shared_chan_open(in, &chan);
    if (!status) status = il_chan_recv(chan, &item, IL_FOREVER);
    il_chan_free(chan);
    return status;
}

static void a_cancelled_worker_stops_waiting(void **state)
{
    (void)state;
    il_chan *chan = new_chan(1);
    il_handle handle = il_shared_chan_handle(chan);
    il_executor *pool = NULL;
    il_future *future = NULL;
    il_processes_opts opts = { .workers = 1, .grace = IL_SEC(60) };
    il_task_opts task = { .deadline = il_after(IL_MS(50)) };
    assert_int_equal(il_processes_new(&opts, &pool), 0);
    assert_int_equal(il_submit(pool, wait_for_an_item, &handle, sizeof handle, 0, &task, &future),
                     0);
    assert_int_equal(il_future_get(future, LATE, NULL), -ETIMEDOUT);
    il_future_free(future);
    il_arena_info info;
    il_arena_describe(arena, &info);
    assert_int_equal(info.deaths, 0); /* it was not killed, but returned */
    il_executor_free(pool);
    il_chan_free(chan);
}

/* --- Killed at each step ----------------------------------------------------------------------------- */

struct scene {
    il_handle handle;
    il_chan *chan, *there;
    long before;
};

static int open_there(void *arg)
{
    struct scene *scene = arg;
    return il_shared_chan_open(&scene->handle, &scene->there);
}

static int send_there(void *arg)
{
    long item = 42;
    return il_chan_send(((struct scene *)arg)->there, &item, IL_NOW) ? 1 : 0;
}

/* The item is there, or it was not sent. Leaves the channel with one item. */
static int look_at_send(void *arg)
{
    struct scene *scene = arg;
    long item = 0;
    il_arena_orphans(arena, NULL, 0);
    EXPECT(il__shared_chan_sound(scene->chan));
    EXPECT(!il_chan_recv(scene->chan, &item, IL_NOW) && item == 1);
    il_chan_done(scene->chan);
    while (!il_chan_recv(scene->chan, &item, IL_NOW)) {
        EXPECT(item == 42);
        il_chan_done(scene->chan);
    }
    item = 1;
    EXPECT(!il_chan_send(scene->chan, &item, IL_NOW));
    return 0;
}

static int receive_there(void *arg)
{
    struct scene *scene = arg;
    long item;
    if (il_chan_recv(scene->there, &item, IL_NOW) || item != 1) return 1;
    il_chan_done(scene->there);
    return 0;
}

/* The item is there again, or was done. */
static int look_at_receive(void *arg)
{
    struct scene *scene = arg;
    long item = 1;
    il_arena_orphans(arena, NULL, 0);
    EXPECT(il__shared_chan_sound(scene->chan));
    EXPECT(il_chan_length(scene->chan) <= 1);
    if (!il_chan_length(scene->chan)) EXPECT(!il_chan_send(scene->chan, &item, IL_NOW));
    return 0;
}

static int open_and_close(void *arg)
{
    int status = open_there(arg);
    il_chan_free(((struct scene *)arg)->there);
    return status;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static struct scene new_scene(void)
{
    struct scene scene = { .chan = new_chan(3) };
    long item = 1;
    scene.handle = il_shared_chan_handle(scene.chan);
    assert_int_equal(il_chan_send(scene.chan, &item, IL_NOW), 0);
    return scene;
}

static void a_sender_killed_at_any_step_has_sent_or_not(void **state)
{
    (void)state;
    struct scene scene = new_scene();
    assert_true(killed_at_each_step(open_there, send_there, look_at_send, &scene) > 12);
    il_chan_free(scene.chan);
}

static void a_receiver_killed_at_any_step_loses_nothing(void **state)
{
    (void)state;
    struct scene scene = new_scene();
    assert_true(killed_at_each_step(open_there, receive_there, look_at_receive, &scene) > 20);
    il_chan_free(scene.chan);
}

static void one_killed_while_it_opens_or_closes_leaves_the_channel_whole(void **state)
{
    (void)state;
    struct scene scene = new_scene();
    assert_true(killed_at_each_step(nothing, open_and_close, look_at_receive, &scene) > 10);
    il_chan_free(scene.chan);
}

/* The burial of a dead receiver of two items, killed at each step, done again by the next. */
static int hold_two_and_die(void *arg)
{
    struct scene *scene = arg;
    long item;
    if (open_there(scene)) return 1;
    for (int i = 0; i < 2; i++)
        if (il_chan_recv(scene->there, &item, IL_NOW)) return 2;
    kill(getpid(), SIGKILL);
    return 3;
}

static int bury_there(void *arg)
{
    struct scene *scene = arg;
    il_arena *own = NULL;
    if (il_arena_open(&scene->handle, &own)) return 1;
    il_arena_orphans(own, NULL, 0);
    return 0;
}

static int look_at_burial(void *arg)
{
    struct scene *scene = arg;
    long first = 0, second = 0;
    il_arena_orphans(arena, NULL, 0);
    EXPECT(il__shared_chan_sound(scene->chan));
    EXPECT(!il_chan_recv(scene->chan, &first, IL_NOW) && first == 1);
    EXPECT(!il_chan_recv(scene->chan, &second, IL_NOW) && second == 2);
    il_chan_done(scene->chan);
    il_chan_done(scene->chan);
    EXPECT(!il_chan_send(scene->chan, &first, IL_NOW));
    EXPECT(!il_chan_send(scene->chan, &second, IL_NOW));
    EXPECT(in_a_child(hold_two_and_die, scene) == -SIGKILL);
    return 0;
}

static void a_burial_killed_at_any_step_is_done_by_the_next(void **state)
{
    (void)state;
    struct scene scene = new_scene();
    long item = 2;
    assert_int_equal(il_chan_send(scene.chan, &item, IL_NOW), 0);
    assert_int_equal(in_a_child(hold_two_and_die, &scene), -SIGKILL);
    assert_true(killed_at_each_step(nothing, bury_there, look_at_burial, &scene) > 20);
    il_chan_free(scene.chan);
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
        TEST(items_come_out_in_the_order_in_which_they_were_sent),
        TEST(a_received_item_keeps_its_room_until_it_is_done),
        TEST(at_most_once_needs_no_done),
        TEST(a_closed_one_is_drained_first),
        cmocka_unit_test(done_without_an_item_is_fatal),
        TEST(handles_lead_to_the_same_channel_or_nowhere),
        TEST(select_says_that_it_cannot),
        EACH_KIND(every_wait_can_end_without_success),
        KIND(a_wait_is_cancelled_by_another, 0, "threads"),
        KIND(a_wait_is_cancelled_by_another, 1, "fibers of one worker"),
        EACH_KIND(many_in_one_process_hand_over_every_item_once),
        EACH_KIND(ping_pong_with_a_worker_process),
        TEST(an_item_of_a_killed_receiver_is_delivered_again_and_first),
        EACH_KIND(who_waits_gets_what_a_killed_receiver_held),
        TEST(an_item_that_kills_is_dropped_after_its_attempts),
        TEST(an_item_of_a_process_that_lets_go_is_delivered_again),
        TEST(a_cancelled_worker_stops_waiting),
        TEST(a_sender_killed_at_any_step_has_sent_or_not),
        TEST(a_receiver_killed_at_any_step_loses_nothing),
        TEST(one_killed_while_it_opens_or_closes_leaves_the_channel_whole),
        TEST(a_burial_killed_at_any_step_is_done_by_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
