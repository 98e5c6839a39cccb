/* SPDX-License-Identifier: MIT */
/*
 * Every resource refused in turn: the nth allocation, mapping, guard, stack or thread start, for
 * every n until none was refused. Whatever is refused, a status comes back, nothing hangs, what has
 * begun has ended, and the pool works as if nothing had happened. (Leaks are AddressSanitizer's.)
 */

#include "base/memory.h"
#include "../unit/work.h"

/* What an operation notes while it runs, on whatever stack; the test asserts. */
static int begun, ended, broken;

static int note(void *in, void *out)
{
    il__add(&begun, 1);
    il_yield();
    il__add(&ended, 1);
    return 0;
}

static bool is_refusal(int status)
{
    return status == -ENOMEM || status == -EAGAIN || status == -ECANCELED || status == -EMFILE;
}

/* A status that an operation may end with when something was refused. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) broken = __LINE__;                                                       \
    } while (0)

/* --- Operations ------------------------------------------------------------------------------ */

typedef int operation(il_executor *pool);

enum { TASKS = 20 };

static int submit_and_get(il_executor *pool)
{
    il_future *futures[TASKS] = { NULL };
    int first = 0;
    for (int i = 0; i < TASKS; i++) {
        int status = il_submit(pool, note, NULL, 0, 0, NULL, &futures[i]);
        CHECK(!status || !futures[i]);
        if (status && !first) first = status;
    }
    for (int i = 0; i < TASKS; i++) {
        int status = futures[i] ? il_future_get(futures[i], LATE, NULL) : 0;
        CHECK(!status || il_future_error(futures[i]));
        if (status && !first) first = status;
        il_future_free(futures[i]);
    }
    return first;
}

/* Tasks that park: each needs a stack that the next can go on with. */
static int submit_and_park(il_executor *pool)
{
    il_event event = { 0 };
    il_event *pointer = &event;
    il_future *futures[TASKS] = { NULL };
    int first = 0;
    for (int i = 0; i < TASKS; i++) {
        int status = il_submit(pool, await, &pointer, sizeof pointer, 0, NULL, &futures[i]);
        if (status && !first) first = status;
    }
    il_yield();
    il_event_set(&event);
    for (int i = 0; i < TASKS; i++) {
        int status = futures[i] ? il_future_get(futures[i], LATE, NULL) : 0;
        if (status && !first) first = status;
        il_future_free(futures[i]);
    }
    return first;
}

struct depth {
    il_executor *pool;
    int left;
};

static int go_deeper(void *in, void *out)
{
    struct depth self = *(struct depth *)in;
    il_future *inner = NULL;
    il__add(&begun, 1);
    int status = 0;
    if (self.left--) {
        status = il_submit(self.pool, go_deeper, &self, sizeof self, 0, NULL, &inner);
        if (!status) status = il_future_get(inner, LATE, NULL);
        il_future_free(inner);
    }
    il__add(&ended, 1);
    return status;
}

static int nest_tasks(il_executor *pool)
{
    struct depth top = { pool, 40 };
    il_future *future = NULL;
    int status = il_submit(pool, go_deeper, &top, sizeof top, 0, NULL, &future);
    if (!status) status = il_future_get(future, LATE, NULL);
    il_future_free(future);
    return status;
}

static int go_in_a_scope(il_executor *pool)
{
    il_scope *scope = NULL;
    int status = il_scope_open(&(il_scope_opts){ .executor = pool }, &scope), first = 0;
    CHECK(!status || !scope);
    if (status) return status;
    for (int i = 0; i < TASKS; i++) {
        status = il_go(scope, note, NULL, NULL);
        if (status && !first) first = status;
    }
    status = il_scope_close(scope);
    return status ? status : first;
}

struct tree {
    int depth;
};

static int grow_tree(void *in, void *out)
{
    struct tree child = { ((struct tree *)in)->depth - 1 };
    il_scope *scope = NULL;
    il__add(&begun, 1);
    int status = child.depth < 0 ? 0 : il_scope_open(NULL, &scope), first = status;
    for (int i = 0; scope && i < 3; i++) {
        status = il_go(scope, grow_tree, &child, NULL);
        if (status && !first) first = status;
    }
    status = il_scope_close(scope);
    il__add(&ended, 1);
    return first ? first : status;
}

static int grow_scopes(il_executor *pool)
{
    struct tree root = { 4 };
    il_scope *scope = NULL;
    int status = il_scope_open(&(il_scope_opts){ .executor = pool }, &scope);
    if (status) return status;
    int first = il_go(scope, grow_tree, &root, NULL);
    status = il_scope_close(scope);
    return first ? first : status;
}

enum { ITEMS = 300 };

static int map_items(il_executor *pool)
{
    static long in[ITEMS], out[ITEMS];
    for (long i = 0; i < ITEMS; i++) in[i] = i, out[i] = -1;
    int status = il_map(pool, square, in, out, ITEMS, &(il_map_opts){ .chunk = 10 });
    for (long i = 0; !status && i < ITEMS; i++) CHECK(out[i] == i * i);
    return status;
}

static long streamed;

static int source(void *in, void *arg)
{
    if (*(long *)arg == ITEMS) return 0;
    *(long *)in = (*(long *)arg)++;
    return 1;
}

static int sink(const void *in, const void *out, int status, void *arg)
{
    CHECK(status || *(const long *)out == *(const long *)in * *(const long *)in);
    CHECK(*(const long *)in == streamed);
    streamed++;
    return status;
}

static int stream_items(il_executor *pool)
{
    long next = streamed = 0;
    il_stream stream = {
        .source = source,
        .sink = sink,
        .arg = &next,
        .in_size = sizeof(long),
        .out_size = sizeof(long),
    };
    int status = il_map_stream(pool, square, &stream, NULL);
    CHECK(status || streamed == ITEMS);
    return status;
}

static int fail_one(void *in, void *out)
{
    return *(long *)in == 7 ? il_fail(-ENOENT, "item %d", 7) : 0;
}

static int map_with_a_failure(il_executor *pool)
{
    static long in[ITEMS], out[ITEMS];
    for (long i = 0; i < ITEMS; i++) in[i] = i;
    int status = il_map(pool, fail_one, in, out, ITEMS, NULL);
    CHECK(status < 0);
    return status == -ENOENT ? 0 : status;
}

static void called(il_future *future, void *arg)
{
    il__add((int *)arg, 1);
}

static int chain_promises(il_executor *pool)
{
    il_future *promise = NULL, *first = NULL, *second = NULL;
    il_chain chain = { .then = note };
    int calls = 0, callbacks = 0;
    int status = il_promise_new(8, &promise);
    if (status) return status;
    status = il_future_then(promise, pool, &chain, &first);
    if (!status) status = il_future_then(first, pool, &chain, &second);
    if (!status) {
        status = il_future_on_done(second, called, &calls);
        callbacks = !status;
    }
    CHECK(il_promise_set(promise, NULL) == 0);
    if (first) il_future_get(first, LATE, NULL);
    int outcome = second ? il_future_get(second, LATE, NULL) : 0;
    while (callbacks && !il__load_acquire(&calls)) sched_yield();
    il_future_free(promise);
    il_future_free(first);
    il_future_free(second);
    return status ? status : outcome;
}

static int wait_for_many(il_executor *pool)
{
    enum { MANY = 40 };
    il_future *futures[MANY] = { NULL }, *done;
    int first = 0;
    for (int i = 0; i < MANY; i++) {
        int status = il_submit(pool, note, NULL, 0, 0, NULL, &futures[i]);
        if (status && !first) first = status;
    }
    int status = il_futures_wait(futures, MANY, IL_ANY, LATE);
    if (!status) status = il_futures_wait(futures, MANY, IL_FIRST_ERROR, LATE);
    while (!status && !(status = il_futures_next(futures, MANY, LATE, &done, NULL))) {
        int outcome = il_future_get(done, IL_NOW, NULL);
        if (outcome && !first) first = outcome;
        il_future_free(done);
    }
    if (status == -EPIPE) status = 0;
    for (int i = 0; i < MANY; i++) { /* those that could not be waited for */
        if (futures[i]) il_future_get(futures[i], LATE, NULL);
        il_future_free(futures[i]);
    }
    return first ? first : status;
}

static int fork_and_wait(void *in, void *out)
{
    int depth = *(int *)in - 1;
    il__add(&begun, 1);
    int status = 0;
    if (depth >= 0) {
        il_fork left;
        il_fork_start(&left, fork_and_wait, &depth, NULL);
        il_yield();
        status = fork_and_wait(&depth, NULL);
        int joined = il_fork_join(&left);
        if (!status) status = joined;
    }
    il__add(&ended, 1);
    return status;
}

static int fork_tree(il_executor *pool)
{
    int depth = 5;
    il_future *future = NULL;
    int status = il_submit(pool, fork_and_wait, &depth, sizeof depth, 0, NULL, &future);
    if (!status) status = il_future_get(future, LATE, NULL);
    il_future_free(future);
    return status;
}

static int fail_with_words(void *in, void *out)
{
    return il_fail(-ENOENT, "a rather long message that has to be copied: %d", 5);
}

/* A failure stays the failure that it was, when there is no memory for its words. */
static int fail_without_memory(il_executor *pool)
{
    il_future *future = NULL;
    int status = il_submit(pool, fail_with_words, NULL, 0, 0, NULL, &future);
    if (status) return status;
    status = il_future_get(future, LATE, NULL);
    const il_error *error = il_future_error(future);
    CHECK(status == -ENOENT || status == -ENOMEM);
    CHECK(error && error->message && error->file && error->task);
    il_future_free(future);
    return status == -ENOENT ? 0 : status;
}

static int make_a_pool(il_executor *pool)
{
    il_executor *another = NULL;
    int status = il_threads_new(&(il_threads_opts){ .workers = 3 }, &another);
    CHECK(!status == !!another);
    if (!status) status = submit_and_get(another);
    il_executor_free(another);
    return status;
}

static int tick(const il_beat *beat, void *arg)
{
    il__add((int *)arg, 1);
    return 0;
}

/* A loop with all that it can have: somebody who watches over it, a timer, a signal, tasks. */
static int use_loop(const il_loop_opts *opts)
{
    il_executor *loop = NULL;
    il_timer *timer = NULL;
    il_signal *caught = NULL;
    int ticks = 0, number = 0, usr1 = SIGUSR1;
    int status = il_loop_new(opts, &loop);
    CHECK(!status == !!loop);
    if (status) return status;
    status = il_timer_start(loop, IL_FOREVER, 0, tick, &ticks, &timer);
    CHECK(!status == !!timer);
    if (!status) status = il_signal_open(loop, &usr1, 1, &caught);
    CHECK(status || caught);
    if (!status) raise(SIGUSR1);
    if (!status) status = il_loop_call(loop, note, NULL, NULL, LATE);
    if (!status && !opts->manual) status = il_signal_wait(caught, LATE, &number);
    CHECK(status || opts->manual || number == SIGUSR1);
    if (!status && !opts->manual) status = submit_and_park(loop);
    il_signal_free(caught);
    il_timer_free(timer);
    il_executor_free(loop);
    return status;
}

static int make_a_loop(il_executor *pool)
{
    return use_loop(&(il_loop_opts){ .hold_limit = IL_SEC(100) });
}

static int drive_a_loop(il_executor *pool)
{
    return use_loop(&(il_loop_opts){ .manual = true });
}

static int run_in_place(il_executor *pool)
{
    il_executor *here = NULL;
    int status = il_inline_new(&here);
    if (!status) status = submit_and_get(here);
    if (!status) status = map_items(here);
    il_executor_free(here);
    return status;
}

static int start_threads(il_executor *pool)
{
    il_thread threads[3];
    int first = 0;
    memset(threads, 0, sizeof threads);
    for (int i = 0; i < 3; i++) {
        int status =
            il_thread_start(&threads[i], note, NULL, NULL, &(il_thread_opts){ .name = "refused?" });
        CHECK(!status || il_thread_state(&threads[i]) == IL_NEW);
        if (status && !first) first = status;
    }
    for (int i = 0; i < 3; i++)
        if (il_thread_state(&threads[i]) != IL_NEW) CHECK(il_thread_join(&threads[i], LATE) == 0);
    return first;
}

/* Send in one of three ways until nothing more goes in; what went in comes out, in order. */
static int send_items(il_chan *chan, int way, long *sent)
{
    long item = *sent;
    size_t count = 0, index = 9;
    il_case cases[] = { IL_SEND(chan, &item) };
    int status = way == 0   ? il_chan_send(chan, &item, LATE)
                 : way == 1 ? il_select(cases, 1, LATE, &index)
                            : il_chan_send_many(chan, &item, 1, LATE, &count);
    CHECK(way != 2 || count == !status);
    CHECK(way != 1 || !index);
    *sent += !status;
    return status;
}

static int by_number(const void *a, const void *b)
{
    return *(const long *)a < *(const long *)b ? -1 : *(const long *)a > *(const long *)b;
}

static int fill_channels(il_executor *pool)
{
    int first = 0;
    for (int way = 0; way < 6; way++) {
        il_chan *chan = NULL;
        il_chan_opts opts = {
            .capacity = IL_UNBOUNDED,
            .order = way < 3 ? IL_FIFO : IL_PRIORITY,
            .compare = by_number,
        };
        int status = il_chan_new(sizeof(long), &opts, &chan);
        CHECK(!status || !chan);
        long sent = 0, got = 0, item;
        while (!status && sent < ITEMS) status = send_items(chan, way % 3, &sent);
        if (status && !first) first = status;
        if (!chan) continue;
        CHECK(il_chan_length(chan) == (size_t)sent);
        for (; !il_chan_recv(chan, &item, IL_NOW); got++) CHECK(item == got);
        CHECK(got == sent);
        il_chan_free(chan);
    }
    return first;
}

enum { VALUES = 5, LISTENERS = 3 };

static bool all_sent; /* before the broadcast is closed */

static int hear_all(void *in, void *out)
{
    long item, sum = 0;
    int status;
    il__add(&begun, 1);
    while (!(status = il_subscriber_recv(in, &item, LATE))) sum += item;
    CHECK(status != -EPIPE || !all_sent || sum == VALUES * (VALUES - 1) / 2);
    il__add(&ended, 1);
    return status == -EPIPE ? 0 : status;
}

static int broadcast_to_tasks(il_executor *pool)
{
    il_broadcast *broadcast = NULL;
    il_subscriber *subscribers[LISTENERS] = { NULL };
    il_scope *scope = NULL;
    int status = il_broadcast_new(sizeof(long), &(il_broadcast_opts){ .capacity = 2 }, &broadcast);
    CHECK(!status == !!broadcast);
    if (!status) status = il_scope_open(&(il_scope_opts){ .executor = pool }, &scope);
    for (int i = 0; !status && i < LISTENERS; i++) {
        status = il_broadcast_subscribe(broadcast, NULL, &subscribers[i]);
        CHECK(!status == !!subscribers[i]);
        if (!status) status = il_go(scope, hear_all, subscribers[i], NULL);
        if (status && subscribers[i]) il_subscriber_close(subscribers[i]); /* nobody listens */
    }
    /* Cancelled with the scope when a listener's task was refused. */
    for (long n = 0; !status && n < VALUES; n++) status = il_broadcast_send(broadcast, &n, LATE);
    CHECK(status != -ETIMEDOUT);
    all_sent = !status;
    il_broadcast_free(broadcast); /* those that listen drain it */
    int closed = il_scope_close(scope);
    for (int i = 0; i < LISTENERS; i++) il_subscriber_free(subscribers[i]);
    return closed ? closed : status;
}

static int count_up(void *in, void *out)
{
    int status = 0;
    il__add(&begun, 1);
    for (long n = 0; !status && n < VALUES; n++) status = il_generator_yield(out, &n);
    il__add(&ended, 1);
    return status;
}

/* One to its end, one closed early, one left to the scope. */
static int ask_generators(il_executor *pool)
{
    il_generator *generators[3] = { NULL };
    il_scope *scope = NULL;
    long value = -1, next;
    int status = il_scope_open(&(il_scope_opts){ .executor = pool }, &scope);
    for (int i = 0; !status && i < 3; i++) {
        status = il_generator_new(NULL, count_up, NULL, sizeof(long), NULL, &generators[i]);
        CHECK(!status == !!generators[i]);
        if (!status) status = il_generator_next(generators[i], &next, LATE);
    }
    if (!status)
        for (value = 0; !(status = il_generator_next(generators[0], &next, LATE));)
            CHECK(next == ++value);
    if (status == -EPIPE && value == VALUES - 1) status = 0;
    il_generator_free(generators[1]);
    int closed = il_scope_close(scope);
    CHECK(!generators[2] || il_generator_next(generators[2], &next, LATE) < 0);
    il_generator_free(generators[0]);
    il_generator_free(generators[2]);
    return status ? status : closed;
}

struct ends {
    il_chan *from, *to;
};

static int pass_on(void *in, void *out)
{
    struct ends *ends = in;
    int status = 0;
    il__add(&begun, 1);
    for (long n = 0; !status && (ends->from || n < VALUES); n++) {
        if (ends->from) status = il_chan_recv(ends->from, &n, LATE);
        if (!status && ends->to) status = il_chan_send(ends->to, &n, LATE);
    }
    il__add(&ended, 1);
    return il_poison(status, ends->from, ends->to);
}

static int run_network(il_executor *pool)
{
    struct ends ends[3] = { { NULL, NULL } };
    il_csp_process processes[3];
    int status = 0;
    for (int i = 0; !status && i < 2; i++) {
        status = il_chan_new(sizeof(long), &(il_chan_opts){ .capacity = (size_t)i }, &ends[i].to);
        ends[i + 1].from = ends[i].to;
    }
    for (int i = 0; i < 3; i++) processes[i] = IL_PROCESS(pass_on, &ends[i]);
    if (!status) status = il_par_many(pool, processes, 3);
    for (int i = 0; i < 2; i++) il_chan_free(ends[i].to);
    return status;
}

/* --- Refusing -------------------------------------------------------------------------------- */

static void assert_works(il_executor *pool)
{
    long n = 7, result = 0;
    il_future *future = NULL;
    assert_int_equal(il_submit(pool, square, &n, sizeof n, sizeof n, NULL, &future), 0);
    assert_int_equal(il_future_get(future, LATE, &result), 0);
    assert_int_equal(result, 49);
    il_future_free(future);
    assert_int_equal(go_in_a_scope(pool), 0);
}

static il_executor *loop_of_one(void)
{
    il_executor *loop = NULL;
    assert_int_equal(il_loop_new(NULL, &loop), 0);
    return loop;
}

/* --- Sockets, names, files ------------------------------------------------------------------- */

static void on_talk_end(il_socket *socket, int status, void *arg)
{
    (void)status;
    il_socket_free(socket);
    il_event_set(arg);
}

/* A word there and back; the other end is a fiber's, or follows callbacks. */
static int talk(il_socket *one, il_socket *two, bool follow)
{
    static const il_protocol protocol = { .on_close = on_talk_end };
    char back[5] = "";
    il_event over = { 0 };
    int status = il_socket_write(one, "word", 4, LATE, NULL);
    if (!status && !follow) status = il_socket_read_all(two, back, 4, LATE, NULL);
    CHECK(status || follow || !strcmp(back, "word"));
    int followed = follow ? il_socket_follow(two, &protocol, &over) : -EINVAL;
    il_socket_free(one);
    if (followed) il_socket_free(two);
    else il_event_wait(&over);
    return status ? status : follow ? followed : 0;
}

static int meet_and_talk(il_executor *loop, il_socket *listener, bool follow)
{
    il_socket_opts opts = { .loop = loop };
    il_socket *one = NULL, *two = NULL;
    char address[64];
    snprintf(address, sizeof address, "tcp:127.0.0.1:%d", il_socket_port(listener));
    int status = il_socket_connect(address, &opts, LATE, &one);
    if (!status) status = il_socket_accept(listener, LATE, &two);
    CHECK(status || (one && two));
    if (!status) return talk(one, two, follow);
    il_socket_free(one);
    return status;
}

static int use_sockets(il_executor *pool)
{
    (void)pool;
    il_executor *loop = NULL;
    il_socket *listener = NULL;
    il_udp *udp = NULL;
    int status = il_loop_new(NULL, &loop);
    if (status) return status;
    il_socket_opts opts = { .loop = loop };
    status = il_socket_listen("tcp:127.0.0.1:0", &opts, &listener);
    for (int i = 0; i < 2 && !status; i++) status = meet_and_talk(loop, listener, i);
    if (!status) status = il_udp_open("udp:127.0.0.1:0", &(il_udp_opts){ .loop = loop }, &udp);
    il_udp_free(udp);
    il_socket_free(listener);
    il_executor_free(loop);
    return status;
}

static int load_files(il_executor *pool)
{
    (void)pool;
    void *data = NULL;
    size_t size = 0;
    int status = il_file_load("/proc/self/cmdline", 1 << 20, LATE, &data, &size);
    CHECK(!status == !!data);
    free(data);
    return status;
}

/* A child with pipes, read and waited for by a thread; nothing of it is left. */
static int run_a_process(il_executor *pool)
{
    const char *const argv[] = { "/bin/sh", "-c", "read x; echo $x", NULL };
    il_process_opts opts = { .in = IL_PIPE, .out = IL_PIPE, .err = IL_NULL, .group = true };
    il_process *process = NULL;
    char word[8] = "";
    size_t size = 0;
    int status = il_process_start(argv, &opts, &process);
    CHECK(!status || !process);
    if (!status) status = il_process_write(process, "word\n", 5, LATE, NULL);
    if (!status) status = il_process_read(process, 1, word, sizeof word, LATE, &size);
    CHECK(status || (size == 5 && !memcmp(word, "word\n", 5)));
    if (!status) status = il_process_wait(process, LATE, NULL);
    il_process_free(process);
    CHECK(il_process_list(NULL, 0) == 0);
    return status;
}

/* workers 0: on a loop. */
static void refuse_each(operation *operate, unsigned workers)
{
    size_t threads = il_thread_list(NULL, 0);
    unsigned long n = 0, asked;
    int failures = 0;
    do { /* until fewer are asked for than the one to be refused */
        n++;
        il_executor *pool = workers ? pool_of(workers) : loop_of_one();
        begun = ended = broken = 0;

        il__refuse(n);
        int status = operate(pool);
        asked = il__refuse(0);

        assert_int_equal(broken, 0); /* else the line where */
        if (status) assert_true(is_refusal(status));
        if (asked < n) assert_int_equal(status, 0);
        failures += status != 0;
        assert_works(pool);
        il_executor_free(pool);
        assert_int_equal(begun, ended);
        assert_int_equal(il_thread_list(NULL, 0), threads);
        assert_true(n < 5000);
    } while (asked >= n);
    assert_true(failures > 0);
}

#define REFUSED(operation)                                                                         \
    static void operation##_survives_each_refusal(void **state)                                    \
    {                                                                                              \
        refuse_each(operation, 0);                                                                 \
        refuse_each(operation, 1);                                                                 \
        refuse_each(operation, 2);                                                                 \
    }

REFUSED(make_a_pool)
REFUSED(make_a_loop)
REFUSED(drive_a_loop)
REFUSED(submit_and_get)
REFUSED(run_a_process)
REFUSED(use_sockets)
REFUSED(load_files)
REFUSED(submit_and_park)
REFUSED(nest_tasks)
REFUSED(go_in_a_scope)
REFUSED(grow_scopes)
REFUSED(map_items)
REFUSED(map_with_a_failure)
REFUSED(stream_items)
REFUSED(chain_promises)
REFUSED(wait_for_many)
REFUSED(fork_tree)
REFUSED(fail_without_memory)
REFUSED(run_in_place)
REFUSED(start_threads)
REFUSED(fill_channels)
REFUSED(broadcast_to_tasks)
REFUSED(ask_generators)
REFUSED(run_network)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(make_a_pool_survives_each_refusal),
        cmocka_unit_test(make_a_loop_survives_each_refusal),
        cmocka_unit_test(drive_a_loop_survives_each_refusal),
        cmocka_unit_test(run_a_process_survives_each_refusal),
        cmocka_unit_test(use_sockets_survives_each_refusal),
        cmocka_unit_test(load_files_survives_each_refusal),
        cmocka_unit_test(submit_and_get_survives_each_refusal),
        cmocka_unit_test(submit_and_park_survives_each_refusal),
        cmocka_unit_test(nest_tasks_survives_each_refusal),
        cmocka_unit_test(go_in_a_scope_survives_each_refusal),
        cmocka_unit_test(grow_scopes_survives_each_refusal),
        cmocka_unit_test(map_items_survives_each_refusal),
        cmocka_unit_test(map_with_a_failure_survives_each_refusal),
        cmocka_unit_test(stream_items_survives_each_refusal),
        cmocka_unit_test(chain_promises_survives_each_refusal),
        cmocka_unit_test(wait_for_many_survives_each_refusal),
        cmocka_unit_test(fork_tree_survives_each_refusal),
        cmocka_unit_test(fail_without_memory_survives_each_refusal),
        cmocka_unit_test(run_in_place_survives_each_refusal),
        cmocka_unit_test(start_threads_survives_each_refusal),
        cmocka_unit_test(fill_channels_survives_each_refusal),
        cmocka_unit_test(broadcast_to_tasks_survives_each_refusal),
        cmocka_unit_test(ask_generators_survives_each_refusal),
        cmocka_unit_test(run_network_survives_each_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
