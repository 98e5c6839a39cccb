/* SPDX-License-Identifier: MIT */
/*
 * Claims about il_socket. Most are made of the test's own thread, which is as good a user of a socket
 * as a task is; those that are about tasks say so. Each test has a loop, and at its end no descriptor
 * and no thread is left that was not there.
 */

#include <dirent.h>

#include <interlock/socket.h>

#include "base/memory.h"
#include "loop/socket.h"
#include "work.h"

static int count_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = 0;
    while (dir && readdir(dir)) count++;
    if (dir) closedir(dir);
    return count;
}

static il_executor *loop;
static int fds_before;

static int open_loop(void **state)
{
    (void)state;
    threads_before = il_thread_list(NULL, 0);
    fds_before = count_entries("/proc/self/fd");
    return il_loop_new(NULL, &loop);
}

static int free_loop(void **state)
{
    (void)state;
    il_executor_free(loop);
    if (count_entries("/proc/self/fd") != fds_before) return -1;
    return il_thread_list(NULL, 0) != threads_before;
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, open_loop, free_loop)

/* --- Meeting --------------------------------------------------------------------------------- */

/* Two sockets that are connected to each other, and a listener, if there is one. */
struct pair {
    il_socket *listener, *one, *two;
};

static il_socket *listen_at(const char *address)
{
    il_socket *listener = NULL;
    assert_int_equal(il_socket_listen(address, &(il_socket_opts){ .loop = loop }, &listener), 0);
    return listener;
}

static void address_of(il_socket *listener, char text[128])
{
    il_address address;
    assert_int_equal(il_socket_name(listener, &address), 0);
    assert_true(il_address_format(&address, text, 128) < 128);
}

static void connect_pair(struct pair *pair, const char *address, const il_socket_opts *more)
{
    il_socket_opts opts = more ? *more : (il_socket_opts){ 0 };
    char text[128];
    opts.loop = loop;
    *pair = (struct pair){ 0 };
    assert_int_equal(il_socket_listen(address, &opts, &pair->listener), 0);
    address_of(pair->listener, text);
    assert_int_equal(il_socket_connect(text, &opts, LATE, &pair->one), 0);
    assert_int_equal(il_socket_accept(pair->listener, LATE, &pair->two), 0);
}

static void free_pair(struct pair *pair)
{
    il_socket_free(pair->one);
    il_socket_free(pair->two);
    il_socket_free(pair->listener);
}

static void assert_sends(il_socket *from, il_socket *to, const char *words)
{
    char got[100] = "";
    size_t size = strlen(words), read = 0;
    assert_int_equal(il_socket_write(from, words, size, LATE, NULL), 0);
    assert_int_equal(il_socket_read_all(to, got, size, LATE, &read), 0);
    assert_int_equal(read, size);
    assert_string_equal(got, words);
}

static void assert_ends(il_socket *socket)
{
    char byte;
    size_t size = 9;
    assert_int_equal(il_socket_read(socket, &byte, 1, LATE, &size), 0);
    assert_int_equal(size, 0);
}

static char path[64];

static const char *unix_address(void)
{
    static char address[80];
    snprintf(path, sizeof path, "/tmp/il-test-%ld", (long)getpid());
    snprintf(address, sizeof address, "unix:%s", path);
    return address;
}

static void both_ways_over_each_kind_of_address(void **state)
{
    (void)state;
    const char *addresses[] = { "tcp:127.0.0.1:0", "tcp:*:0", "unix:@il-test-both",
                                unix_address() };
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct pair pair;
        if (i == 1) {
            il_socket *listener = listen_at(addresses[i]);
            char text[64];
            snprintf(text, sizeof text, "tcp:127.0.0.1:%d", il_socket_port(listener));
            pair = (struct pair){ .listener = listener };
            il_socket_opts opts = { .loop = loop };
            assert_int_equal(il_socket_connect(text, &opts, LATE, &pair.one), 0);
            assert_int_equal(il_socket_accept(listener, LATE, &pair.two), 0);
        } else connect_pair(&pair, addresses[i], NULL);
        assert_sends(pair.one, pair.two, "there");
        assert_sends(pair.two, pair.one, "and back");
        free_pair(&pair);
    }
    assert_int_equal(access(path, F_OK), -1); /* it is removed with its listener */
}

static void names_say_who_is_where(void **state)
{
    (void)state;
    struct pair pair;
    il_address near, far;
    char a[128], b[128];
    connect_pair(&pair, "tcp:127.0.0.1:0", NULL);
    assert_int_equal(il_socket_name(pair.one, &near), 0);
    assert_int_equal(il_socket_peer(pair.two, &far), 0);
    il_address_format(&near, a, sizeof a);
    il_address_format(&far, b, sizeof b);
    assert_string_equal(a, b);
    assert_int_equal(strncmp(a, "tcp:127.0.0.1:", 14), 0);
    assert_int_equal(il_socket_peer(pair.listener, &far), -ENOTCONN);
    assert_ptr_equal(il_socket_loop(pair.two), loop);
    free_pair(&pair);
}

static void nonsense_is_no_address(void **state)
{
    (void)state;
    static const char *const nonsense[] = { "",      "tcp",          "tcp:",      "tcp:1.2.3.4",
                                            "unix:", "udp:host:1",   "tcp:::1:5", "tcp:host:",
                                            "1:2",   "http://host/", "tcp::80" };
    il_socket *socket = NULL;
    il_socket_opts opts = { .loop = loop };
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        assert_int_equal(il_socket_listen(nonsense[i], &opts, &socket), -EINVAL);
        assert_int_equal(il_socket_connect(nonsense[i], &opts, LATE, &socket), -EINVAL);
    }
    assert_int_equal(il_socket_listen("tcp:127.0.0.1:0", NULL, &socket), -EINVAL); /* no loop */
    assert_null(socket);
}

static void failures_to_meet_say_why(void **state)
{
    (void)state;
    char text[128], words[300];
    il_socket *listener = listen_at("tcp:127.0.0.1:0"), *other = NULL;
    il_socket_opts opts = { .loop = loop };
    address_of(listener, text);
    assert_int_equal(il_socket_listen(text, &opts, &other), -EADDRINUSE);
    il_socket_free(listener);
    assert_int_equal(il_socket_connect(text, &opts, LATE, &other), -ECONNREFUSED);
    il_error_format(il_last_error(), words, sizeof words);
    assert_says(words, text);
    assert_int_equal(il_socket_connect("unix:/no/such/file", &opts, LATE, &other), -ENOENT);
    assert_null(other);
}

static void left_over_file_is_replaced_and_a_used_one_is_not(void **state)
{
    (void)state;
    il_socket *listener = listen_at(unix_address()), *other = NULL;
    il_socket_opts opts = { .loop = loop };
    assert_int_equal(il_socket_listen(unix_address(), &opts, &other), -EADDRINUSE);
    char kept[70];
    snprintf(kept, sizeof kept, "%s+", path);
    assert_int_equal(link(path, kept), 0); /* as if its program had died */
    il_socket_free(listener);
    assert_int_equal(rename(kept, path), 0);
    listener = listen_at(unix_address());
    il_socket_free(listener);
}

/* --- Reading and writing --------------------------------------------------------------------- */

static void end_is_read_again_and_again_and_the_other_way_goes_on(void **state)
{
    (void)state;
    struct pair pair;
    connect_pair(&pair, "tcp:127.0.0.1:0", NULL);
    assert_int_equal(il_socket_shutdown(pair.one), 0);
    assert_ends(pair.two);
    assert_ends(pair.two);
    assert_sends(pair.two, pair.one, "still here");
    il_socket_free(pair.two);
    pair.two = NULL;
    assert_ends(pair.one);
    free_pair(&pair);
}

static void end_in_the_middle_is_enodata(void **state)
{
    (void)state;
    struct pair pair;
    char got[10];
    size_t size = 0;
    connect_pair(&pair, "tcp:127.0.0.1:0", NULL);
    assert_int_equal(il_socket_write(pair.one, "half", 4, LATE, NULL), 0);
    assert_int_equal(il_socket_read_all(pair.two, got, 10, SOON, &size), -ETIMEDOUT);
    assert_int_equal(size, 4);
    il_socket_shutdown(pair.one);
    assert_int_equal(il_socket_read_all(pair.two, got, 10, LATE, &size), -ENODATA);
    assert_int_equal(size, 0);
    free_pair(&pair);
}

static int read_one(void *socket, il_time until)
{
    char byte;
    size_t size;
    return il_socket_read(socket, &byte, 1, until, &size);
}

static int accept_one(void *listener, il_time until)
{
    il_socket *socket = NULL;
    int status = il_socket_accept(listener, until, &socket);
    il_socket_free(socket);
    return status;
}

/* More than fits. */
static int write_much(void *socket, il_time until)
{
    static char much[1 << 20];
    int status = 0;
    for (int i = 0; i < 64 && !status; i++)
        status = il_socket_write(socket, much, sizeof much, until, NULL);
    return status;
}

/* In each crew: threads, fibers of pools and both, none of which runs on the loop. */
static void waits_end_at_deadlines_and_cancellations(void **state)
{
    struct pair pair;
    connect_pair(&pair, "tcp:127.0.0.1:0", NULL);
    for (size_t i = 0; i < sizeof crew_kinds / sizeof *crew_kinds; i++) {
        void *kind = (void *)&crew_kinds[i];
        assert_gives_up(&kind, read_one, pair.one);
        assert_gives_up(&kind, accept_one, pair.listener);
        assert_gives_up(&kind, write_much, pair.one);
        int status = status_when_cancelled(&kind, accept_one, pair.listener,
                                           &pair.listener->poll.gate[IL__IN]);
        assert_int_equal(status, -ECANCELED);
        status = status_when_cancelled(&kind, read_one, pair.one, &pair.one->poll.gate[IL__IN]);
        assert_int_equal(status, -ECANCELED);
    }
    (void)state;
    free_pair(&pair);
}

static int give_up_on_the_loop(void *in, void *out)
{
    (void)out;
    struct pair *pair = in;
    int line = waits_and_gives_up(read_one, pair->one);
    if (!line) line = waits_and_gives_up(accept_one, pair->listener);
    return line ? line : waits_and_gives_up(write_much, pair->one);
}

static void waits_of_tasks_of_the_loop_end_so_too(void **state)
{
    (void)state;
    struct pair pair;
    connect_pair(&pair, "tcp:127.0.0.1:0", NULL);
    assert_int_equal(il_loop_call(loop, give_up_on_the_loop, &pair, NULL, LATE), 0);
    free_pair(&pair);
}

struct transfer {
    il_socket *socket;
    size_t size;
    uint64_t sum;
};

static char pattern(size_t i)
{
    return (char)(i * 31 + (i >> 11));
}

static int write_pattern(void *in, void *out)
{
    (void)out;
    struct transfer *transfer = in;
    char piece[7001];
    int status = 0;
    for (size_t done = 0; done < transfer->size && !status; done += sizeof piece) {
        size_t size = transfer->size - done < sizeof piece ? transfer->size - done : sizeof piece;
        for (size_t i = 0; i < size; i++) piece[i] = pattern(done + i);
        status = il_socket_write(transfer->socket, piece, size, LATE, NULL);
    }
    return status ? status : il_socket_shutdown(transfer->socket);
}

static int read_pattern(void *in, void *out)
{
    (void)out;
    struct transfer *transfer = in;
    char piece[5000];
    size_t size = 1, done = 0;
    while (size) {
        int status = il_socket_read(transfer->socket, piece, sizeof piece, LATE, &size);
        if (status) return status;
        for (size_t i = 0; i < size; i++)
            if (piece[i] != pattern(done + i)) return -EBADMSG;
        done += size;
        if (done % 3 == 0) il_yield();
    }
    return done == transfer->size ? 0 : -ENODATA;
}

/* A writer that is faster than the reader waits; every byte arrives, once and in order: between
 * tasks of one loop, of two, of a pool, and threads. */
static void every_byte_arrives_in_order(void **state)
{
    (void)state;
    il_executor *pool = pool_of(2), *other = NULL;
    assert_int_equal(il_loop_new(NULL, &other), 0);
    il_executor *const on[][2] = {
        { loop, loop }, { loop, pool }, { pool, loop }, { other, loop }
    };
    for (size_t i = 0; i < sizeof on / sizeof *on; i++) {
        struct pair pair;
        connect_pair(&pair, "tcp:127.0.0.1:0", &(il_socket_opts){ .send_buffer = 8192 });
        struct transfer there = { pair.one, 3000000, 0 }, here = { pair.two, 3000000, 0 };
        il_scope *scope = NULL;
        assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = on[i][0] }, &scope), 0);
        int status = il_go(scope, write_pattern, &there, NULL);
        il_scope *second = NULL;
        assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = on[i][1] }, &second), 0);
        int other_status = il_go(second, read_pattern, &here, NULL);
        assert_int_equal(status || other_status, 0);
        assert_int_equal(il_scope_close(second), 0);
        assert_int_equal(il_scope_close(scope), 0);
        free_pair(&pair);
    }
    il_executor_free(other);
    il_executor_free(pool);
}

static void who_writes_more_than_is_read_waits(void **state)
{
    (void)state;
    struct pair pair;
    static char much[8 << 20];
    size_t sent = 0, sent_now = 0, got = 0, size;
    connect_pair(&pair, "tcp:127.0.0.1:0", NULL);
    assert_int_equal(il_socket_write(pair.one, much, sizeof much, SOON, &sent), -ETIMEDOUT);
    assert_true(sent > 0 && sent < sizeof much);
    assert_int_equal(il_socket_write(pair.one, much, sizeof much, IL_NOW, &sent_now), -EAGAIN);
    sent += sent_now;
    while (got < sent) {
        assert_int_equal(il_socket_read(pair.two, much, sizeof much, LATE, &size), 0);
        got += size;
    }
    assert_int_equal(got, sent);
    assert_sends(pair.one, pair.two, "and on");
    free_pair(&pair);
}

/* --- The end --------------------------------------------------------------------------------- */

static void reset_is_told_to_both_ways(void **state)
{
    (void)state;
    struct pair pair;
    connect_pair(&pair, "tcp:127.0.0.1:0", NULL);
    il_socket_reset(pair.one);
    assert_int_equal(read_one(pair.one, LATE), -EPIPE);
    il_socket_free(pair.one);
    pair.one = NULL;
    assert_int_equal(read_one(pair.two, LATE), -ECONNRESET);
    assert_int_equal(il_socket_write(pair.two, "x", 1, LATE, NULL), -EPIPE); /* and no SIGPIPE */
    free_pair(&pair);
}

struct closing {
    int (*call)(void *socket, il_time until);
    il_socket *socket;
    int status;
};

static int wait_for_close(void *in, void *out)
{
    (void)out;
    struct closing *closing = in;
    closing->status = closing->call(closing->socket, LATE);
    return 0;
}

static void close_lets_go_of_who_waits(void **state)
{
    (void)state;
    struct pair pair;
    for (size_t i = 0; i < sizeof crew_kinds / sizeof *crew_kinds; i++) {
        void *kind = (void *)&crew_kinds[i];
        connect_pair(&pair, "tcp:127.0.0.1:0", NULL);
        struct closing closings[] = {
            { read_one, pair.one, 0 },
            { write_much, pair.one, 0 },
            { accept_one, pair.listener, 0 },
        };
        struct crew crew;
        crew_open(&crew, &kind);
        for (int j = 0; j < 3; j++) crew_add(&crew, wait_for_close, &closings[j]);
        until_waiting(&pair.one->poll.gate[IL__IN], 1);
        until_waiting(&pair.one->poll.gate[IL__OUT], 1);
        until_waiting(&pair.listener->poll.gate[IL__IN], 1);
        il_socket_close(pair.one);
        il_socket_close(pair.one);
        il_socket_close(pair.listener);
        assert_int_equal(crew_join(&crew), 0);
        for (int j = 0; j < 3; j++) assert_int_equal(closings[j].status, -EPIPE);
        assert_int_equal(read_one(pair.one, LATE), -EPIPE);
        assert_int_equal(il_socket_write(pair.one, "x", 1, LATE, NULL), -EPIPE);
        free_pair(&pair);
    }
}

static void what_was_written_before_a_close_arrives(void **state)
{
    (void)state;
    struct pair pair;
    char got[10];
    connect_pair(&pair, "tcp:127.0.0.1:0", NULL);
    assert_int_equal(il_socket_write(pair.one, "last words", 10, LATE, NULL), 0);
    il_socket_close(pair.one);
    assert_int_equal(il_socket_read_all(pair.two, got, 10, LATE, NULL), 0);
    assert_ends(pair.two);
    free_pair(&pair);
}

static void closed_listener_gives_what_has_come_in_and_no_more(void **state)
{
    (void)state;
    il_socket *clients[3], *one = NULL;
    il_socket_opts opts = { .loop = loop };
    char text[128];
    il_socket *listener = listen_at("tcp:127.0.0.1:0");
    address_of(listener, text);
    for (int i = 0; i < 3; i++)
        assert_int_equal(il_socket_connect(text, &opts, LATE, &clients[i]), 0);
    il_socket_close(listener);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(il_socket_accept(listener, LATE, &one), 0);
        assert_sends(clients[i], one, "hello");
        il_socket_free(one);
        il_socket_free(clients[i]);
    }
    assert_int_equal(il_socket_accept(listener, LATE, &one), -EPIPE);
    assert_int_equal(il_socket_connect(text, &opts, LATE, &one), -ECONNREFUSED);
    assert_int_equal(il_socket_accept(listener, LATE, &one), -EPIPE);
    il_socket_free(listener);
}

static void connection_that_finds_no_descriptor_stays_where_it_is(void **state)
{
    (void)state;
    il_socket *client = NULL, *one = NULL;
    il_socket_opts opts = { .loop = loop };
    char text[128];
    il_socket *listener = listen_at("tcp:127.0.0.1:0");
    address_of(listener, text);
    assert_int_equal(il_socket_connect(text, &opts, LATE, &client), 0);
    il__refuse(1);
    int status = il_socket_accept(listener, LATE, &one);
    il__refuse(0);
    assert_int_equal(status, -EMFILE);
    assert_int_equal(il_socket_accept(listener, LATE, &one), 0);
    assert_sends(one, client, "welcome");
    il_socket_free(one);
    il_socket_free(client);
    il_socket_free(listener);
}

/* --- Many ------------------------------------------------------------------------------------ */

static int echo(void *in, void *out)
{
    (void)out;
    char buffer[64];
    size_t size = 1;
    int status = 0;
    while (!status && size) {
        status = il_socket_read(in, buffer, sizeof buffer, LATE, &size);
        if (!status) status = il_socket_write(in, buffer, size, LATE, NULL);
    }
    il_socket_free(in);
    return status;
}

struct server {
    il_socket *listener;
    int served;
};

static int serve(void *in, void *out)
{
    (void)out;
    struct server *server = in;
    il_scope *scope = NULL;
    il_socket *one;
    int status = il_scope_open(&(il_scope_opts){ .executor = il_loop_here() }, &scope);
    while (!status && !(status = il_socket_accept(server->listener, LATE, &one))) {
        status = il_go(scope, echo, one, NULL);
        server->served++;
    }
    int ended = il_scope_close(scope);
    return status == -EPIPE ? ended : status;
}

struct visitor {
    const char *address;
    int index;
};

static int visit(void *in, void *out)
{
    (void)out;
    struct visitor *visitor = in;
    char word[20], back[20];
    il_socket *socket = NULL;
    size_t size = (size_t)snprintf(word, sizeof word, "visitor %d", visitor->index);
    int status = il_socket_connect(visitor->address, NULL, LATE, &socket);
    for (int i = 0; i < 5 && !status; i++) {
        status = il_socket_write(socket, word, size, LATE, NULL);
        if (!status) status = il_socket_read_all(socket, back, size, LATE, NULL);
        if (!status && memcmp(word, back, size) != 0) status = -EBADMSG;
    }
    il_socket_free(socket);
    return status;
}

enum { VISITORS = 300 };

static int visit_all(void *in, void *out)
{
    (void)out;
    static struct visitor visitors[VISITORS];
    il_scope *scope = NULL;
    int status = il_scope_open(&(il_scope_opts){ .executor = il_loop_here() }, &scope);
    for (int i = 0; i < VISITORS && !status; i++) {
        visitors[i] = (struct visitor){ in, i };
        status = il_go(scope, visit, &visitors[i], NULL);
    }
    int ended = il_scope_close(scope);
    return status ? status : ended;
}

static void hundreds_talk_at_once_on_one_loop(void **state)
{
    (void)state;
    char text[128];
    struct server server = { listen_at("tcp:127.0.0.1:0"), 0 };
    address_of(server.listener, text);
    struct server *pointer = &server;
    il_scope *scope = NULL;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = loop }, &scope), 0);
    int status = il_go(scope, serve, pointer, NULL);
    int visited = il_loop_call(loop, visit_all, text, NULL, LATE);
    il_socket_close(server.listener);
    int ended = il_scope_close(scope);
    il_socket_free(server.listener);
    assert_int_equal(status, 0);
    assert_int_equal(visited, 0);
    assert_int_equal(ended, 0);
    assert_int_equal(server.served, VISITORS);
}

static void two_loops_share_a_port(void **state)
{
    (void)state;
    il_executor *other = NULL;
    char text[128];
    struct server servers[2] = { { 0 } };
    assert_int_equal(il_loop_new(NULL, &other), 0);
    il_executor *loops[] = { loop, other };
    il_scope *scopes[2];
    for (int i = 0; i < 2; i++) {
        il_socket_opts opts = { .loop = loops[i], .share = true };
        assert_int_equal(
            il_socket_listen(i ? text : "tcp:127.0.0.1:0", &opts, &servers[i].listener), 0);
        address_of(servers[0].listener, text);
        assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = loops[i] }, &scopes[i]), 0);
        assert_int_equal(il_go(scopes[i], serve, &servers[i], NULL), 0);
    }
    int visited = il_loop_call(loop, visit_all, text, NULL, LATE);
    for (int i = 0; i < 2; i++) il_socket_close(servers[i].listener);
    for (int i = 1; i >= 0; i--) assert_int_equal(il_scope_close(scopes[i]), 0);
    for (int i = 0; i < 2; i++) il_socket_free(servers[i].listener);
    il_executor_free(other);
    assert_int_equal(visited, 0);
    assert_true(servers[0].served && servers[1].served); /* but for once in 2^299 */
    assert_int_equal(servers[0].served + servers[1].served, VISITORS);
}

/* --- Select ---------------------------------------------------------------------------------- */

static void select_waits_for_what_comes_first(void **state)
{
    (void)state;
    struct pair a, b;
    size_t which = 9;
    connect_pair(&a, "tcp:127.0.0.1:0", NULL);
    connect_pair(&b, "tcp:127.0.0.1:0", NULL);
    /* A new socket may be ready, as far as anybody knows: try it. */
    assert_int_equal(read_one(a.two, IL_NOW), -EAGAIN);
    assert_int_equal(read_one(b.two, IL_NOW), -EAGAIN);
    assert_int_equal(accept_one(a.listener, IL_NOW), -EAGAIN);
    il_case cases[] = { IL_READABLE(a.two), IL_READABLE(b.two), IL_READABLE(a.listener) };
    assert_int_equal(il_select(cases, 3, IL_NOW, &which), -EAGAIN);
    assert_int_equal(il_select(cases, 3, SOON, &which), -ETIMEDOUT);
    assert_int_equal(il_socket_write(b.one, "b", 1, LATE, NULL), 0);
    assert_int_equal(il_select(cases, 3, LATE, &which), 0);
    assert_int_equal(which, 1);
    assert_int_equal(read_one(b.two, LATE), 0);
    assert_int_equal(read_one(b.two, IL_NOW), -EAGAIN);

    char text[128];
    il_socket *more = NULL, *came = NULL;
    address_of(a.listener, text);
    assert_int_equal(il_socket_connect(text, &(il_socket_opts){ .loop = loop }, LATE, &more), 0);
    assert_int_equal(il_select(cases, 3, LATE, &which), 0);
    assert_int_equal(which, 2);
    assert_int_equal(il_socket_accept(a.listener, LATE, &came), 0);
    il_socket_close(a.two);
    assert_int_equal(il_select(cases, 3, LATE, &which), 0);
    assert_int_equal(which, 0);
    cases[0] = IL_WRITABLE(b.one);
    assert_int_equal(il_select(cases, 1, LATE, NULL), 0);
    il_socket_free(more);
    il_socket_free(came);
    free_pair(&a);
    free_pair(&b);
}

/* --- Callbacks ------------------------------------------------------------------------------- */

struct heard {
    int opened, ended, drained, closed, status, above;
    size_t size;
    uint64_t wrong;
    il_event over;
    int (*on_data)(il_socket *socket, struct heard *heard);
};

static void hear_open(il_socket *socket, void *arg)
{
    (void)socket;
    ((struct heard *)arg)->opened++;
}

static void hear_data(il_socket *socket, const void *data, size_t size, void *arg)
{
    struct heard *heard = arg;
    for (size_t i = 0; i < size; i++)
        heard->wrong += ((const char *)data)[i] != pattern(heard->size + i);
    heard->size += size;
    if (heard->on_data && heard->on_data(socket, heard)) return;
    int above = il_socket_send(socket, data, size);
    if (above < 0) heard->wrong++;
    if (above <= 0) return;
    heard->above++;
    il_socket_pause(socket);
}

static void hear_drain(il_socket *socket, void *arg)
{
    ((struct heard *)arg)->drained++;
    il_socket_resume(socket);
}

static void hear_end(il_socket *socket, void *arg)
{
    ((struct heard *)arg)->ended++;
    il_socket_finish(socket);
}

static void hear_close(il_socket *socket, int status, void *arg)
{
    struct heard *heard = arg;
    heard->closed++;
    heard->status = status;
    il_socket_free(socket);
    il_event_set(&heard->over);
}

static const il_protocol protocol = {
    .on_open = hear_open,
    .on_data = hear_data,
    .on_end = hear_end,
    .on_drain = hear_drain,
    .on_close = hear_close,
};

static void callbacks_echo_and_a_reader_that_is_slow_holds_them_back(void **state)
{
    (void)state;
    struct pair pair;
    struct heard heard = { 0 };
    connect_pair(&pair, "tcp:127.0.0.1:0",
                 &(il_socket_opts){ .send_buffer = 8192, .receive_buffer = 8192 });
    il_scope *scope = NULL;
    struct transfer there = { pair.one, 6000000, 0 };
    assert_int_equal(il_socket_follow(pair.two, &protocol, &heard), 0);
    assert_int_equal(il_socket_follow(pair.two, &protocol, &heard), -EALREADY);
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = loop }, &scope), 0);
    int status = il_go(scope, write_pattern, &there, NULL);
    until_waiting(&pair.one->poll.gate[IL__OUT], 1); /* the writer has to wait: nobody reads */
    int read = read_pattern(&there, NULL);
    int ended = il_scope_close(scope);
    il_event_wait(&heard.over);
    pair.two = NULL;
    free_pair(&pair);
    assert_int_equal(status || ended || read, 0);
    assert_int_equal(heard.size, 6000000);
    assert_int_equal(heard.wrong, 0);
    assert_true(heard.above > 0);
    assert_int_equal(heard.drained, heard.above);
    assert_int_equal(heard.opened, 1);
    assert_int_equal(heard.ended, 1);
    assert_int_equal(heard.closed, 1);
    assert_int_equal(heard.status, 0);
}

static int close_it(il_socket *socket, struct heard *heard)
{
    (void)heard;
    il_socket_close(socket);
    return 1;
}

static int free_it(il_socket *socket, struct heard *heard)
{
    il_socket_free(socket);
    il_event_set(&heard->over);
    return 1;
}

static void on_close_says_why(void **state)
{
    (void)state;
    struct pair pair;
    for (int way = 0; way < 4; way++) {
        struct heard heard = { .on_data = way == 2 ? close_it : way == 3 ? free_it : NULL };
        connect_pair(&pair, "tcp:127.0.0.1:0", NULL);
        assert_int_equal(il_socket_follow(pair.two, &protocol, &heard), 0);
        if (way == 0) il_socket_close(pair.two);
        else if (way == 1) il_socket_reset(pair.one);
        else assert_int_equal(il_socket_write(pair.one, "x", 1, LATE, NULL), 0);
        if (way == 1) {
            il_socket_free(pair.one);
            pair.one = NULL;
        }
        il_event_wait(&heard.over);
        assert_int_equal(heard.closed, way != 3);
        if (way != 3) assert_int_equal(heard.status, way == 1 ? -ECONNRESET : -EPIPE);
        pair.two = NULL;
        free_pair(&pair);
    }
}

static void free_ends_a_socket_that_is_followed(void **state)
{
    (void)state;
    struct pair pair;
    struct heard heard = { 0 };
    connect_pair(&pair, "tcp:127.0.0.1:0", NULL);
    assert_int_equal(il_socket_follow(pair.two, &protocol, &heard), 0);
    il_socket_close(pair.two);
    il_socket_free(pair.one);
    il_socket_free(pair.listener); /* off the loop: so the close was told before this returns */
    assert_int_equal(heard.closed, 1);

    connect_pair(&pair, "tcp:127.0.0.1:0", NULL);
    heard.closed = 0;
    assert_int_equal(il_socket_follow(pair.two, &protocol, &heard), 0);
    il_socket_free(pair.two); /* before the other end, whose end would be a reason to close */
    pair.two = NULL;
    free_pair(&pair);
    assert_int_equal(heard.closed, 0);
}

static struct heard each; /* of all connections together */
static il_latch all_closed;

static void count_close(il_socket *socket, int status, void *arg)
{
    (void)arg;
    each.closed += !status;
    il_socket_free(socket);
    il_latch_count_down(&all_closed, 1);
}

static void send_back(il_socket *socket, const void *data, size_t size, void *arg)
{
    (void)arg;
    each.wrong += il_socket_send(socket, data, size) < 0;
}

static void served_listener_follows_each_that_comes_in(void **state)
{
    (void)state;
    static const il_protocol serving = { .on_data = send_back, .on_close = count_close };
    char text[128];
    il_socket *listener = listen_at("tcp:127.0.0.1:0");
    address_of(listener, text);
    each = (struct heard){ 0 };
    all_closed = (il_latch){ .count = VISITORS };
    assert_int_equal(il_socket_serve(listener, &serving, NULL), 0);
    int visited = il_loop_call(loop, visit_all, text, NULL, LATE);
    il_latch_wait(&all_closed);
    il_socket_close(listener);
    il_socket_free(listener);
    assert_int_equal(visited, 0);
    assert_int_equal(each.closed, VISITORS);
    assert_int_equal(each.wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(both_ways_over_each_kind_of_address),
        WITH_LOOP(names_say_who_is_where),
        WITH_LOOP(nonsense_is_no_address),
        WITH_LOOP(failures_to_meet_say_why),
        WITH_LOOP(left_over_file_is_replaced_and_a_used_one_is_not),
        WITH_LOOP(end_is_read_again_and_again_and_the_other_way_goes_on),
        WITH_LOOP(end_in_the_middle_is_enodata),
        WITH_LOOP(waits_end_at_deadlines_and_cancellations),
        WITH_LOOP(waits_of_tasks_of_the_loop_end_so_too),
        WITH_LOOP(every_byte_arrives_in_order),
        WITH_LOOP(who_writes_more_than_is_read_waits),
        WITH_LOOP(reset_is_told_to_both_ways),
        WITH_LOOP(close_lets_go_of_who_waits),
        WITH_LOOP(what_was_written_before_a_close_arrives),
        WITH_LOOP(closed_listener_gives_what_has_come_in_and_no_more),
        WITH_LOOP(connection_that_finds_no_descriptor_stays_where_it_is),
        WITH_LOOP(hundreds_talk_at_once_on_one_loop),
        WITH_LOOP(two_loops_share_a_port),
        WITH_LOOP(select_waits_for_what_comes_first),
        WITH_LOOP(callbacks_echo_and_a_reader_that_is_slow_holds_them_back),
        WITH_LOOP(on_close_says_why),
        WITH_LOOP(free_ends_a_socket_that_is_followed),
        WITH_LOOP(served_listener_follows_each_that_comes_in),
    };
    il_loop_new(NULL, &loop); /* libuv opens what it keeps for good */
    il_executor_free(loop);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
