/* SPDX-License-Identifier: MIT */
/* Claims about il_udp. */

#include <interlock/udp.h>

#include "loop/poll.h"
#include "work.h"

static il_executor *loop;

static int open_loop(void **state)
{
    (void)state;
    threads_before = il_thread_list(NULL, 0);
    return il_loop_new(NULL, &loop);
}

static int free_loop(void **state)
{
    (void)state;
    il_executor_free(loop);
    return il_thread_list(NULL, 0) != threads_before;
}

#define WITH_LOOP(test) cmocka_unit_test_setup_teardown(test, open_loop, free_loop)

static il_udp *open_udp(const char *peer)
{
    il_udp *udp = NULL;
    il_udp_opts opts = { .loop = loop, .peer = peer };
    assert_int_equal(il_udp_open("udp:127.0.0.1:0", &opts, &udp), 0);
    return udp;
}

static il_address address_of(il_udp *udp)
{
    il_address address;
    assert_int_equal(il_udp_name(udp, &address), 0);
    return address;
}

static void text_of(il_udp *udp, char text[128])
{
    il_address address = address_of(udp);
    il_address_format(&address, text, 128);
    memcpy(text, "udp", 3);
}

static void message_arrives_whole_with_its_sender(void **state)
{
    (void)state;
    il_udp *one = open_udp(NULL), *two = open_udp(NULL);
    il_address to = address_of(two), own = address_of(one), from;
    char got[100], expected[128], found[128];
    size_t size = 0;
    assert_int_equal(il_udp_send(one, "a message", 9, &to, LATE), 0);
    assert_int_equal(il_udp_send(one, "", 0, &to, LATE), 0);
    assert_int_equal(il_udp_recv(two, got, sizeof got, LATE, &size, &from), 0);
    assert_int_equal(size, 9);
    assert_memory_equal(got, "a message", 9);
    il_address_format(&own, expected, sizeof expected);
    il_address_format(&from, found, sizeof found);
    assert_string_equal(found, expected);
    assert_int_equal(il_udp_recv(two, got, sizeof got, LATE, &size, NULL), 0);
    assert_int_equal(size, 0);
    il_udp_free(one);
    il_udp_free(two);
}

static void long_one_is_cut_and_says_how_long_it_was(void **state)
{
    (void)state;
    il_udp *one = open_udp(NULL), *two = open_udp(NULL);
    il_address to = address_of(two);
    static char huge[70000];
    char got[4];
    size_t size = 0;
    assert_int_equal(il_udp_send(one, "123456789", 9, &to, LATE), 0);
    assert_int_equal(il_udp_send(one, "next", 4, &to, LATE), 0);
    assert_int_equal(il_udp_recv(two, got, 4, LATE, &size, NULL), 0);
    assert_int_equal(size, 9);
    assert_memory_equal(got, "1234", 4);
    assert_int_equal(il_udp_recv(two, got, 4, LATE, &size, NULL), 0);
    assert_memory_equal(got, "next", 4);
    assert_int_equal(il_udp_send(one, huge, sizeof huge, &to, LATE), -EMSGSIZE);
    assert_int_equal(il_udp_send(one, "x", 1, NULL, LATE), -EDESTADDRREQ);
    il_udp_free(one);
    il_udp_free(two);
}

static int receive(void *udp, il_time until)
{
    char byte;
    size_t size;
    return il_udp_recv(udp, &byte, 1, until, &size, NULL);
}

static void wait_ends_at_deadlines_cancellations_and_close(void **state)
{
    (void)state;
    il_udp *udp = open_udp(NULL);
    for (size_t i = 0; i < sizeof crew_kinds / sizeof *crew_kinds; i++) {
        void *kind = (void *)&crew_kinds[i];
        assert_gives_up(&kind, receive, udp);
        int status = status_when_cancelled(&kind, receive, udp, &((il__poll *)udp)->gate[IL__IN]);
        assert_int_equal(status, -ECANCELED);
    }
    il_udp_close(udp);
    assert_int_equal(receive(udp, LATE), -EPIPE);
    assert_int_equal(il_udp_send(udp, "x", 1, NULL, LATE), -EPIPE);
    il_udp_free(udp);
}

static void peer_that_is_not_there_is_told_of(void **state)
{
    (void)state;
    char text[128];
    il_udp *gone = open_udp(NULL);
    text_of(gone, text);
    il_udp *udp = open_udp(text);
    il_udp_free(gone);
    assert_int_equal(il_udp_send(udp, "anybody?", 8, NULL, LATE), 0);
    assert_int_equal(receive(udp, LATE), -ECONNREFUSED);
    assert_int_equal(receive(udp, SOON), -ETIMEDOUT); /* it goes on */
    il_udp_free(udp);
}

static void nonsense_is_no_address(void **state)
{
    (void)state;
    il_udp *udp = NULL, *other = NULL;
    il_udp_opts opts = { .loop = loop };
    char text[128];
    assert_int_equal(il_udp_open("tcp:127.0.0.1:0", &opts, &udp), -EINVAL);
    assert_int_equal(il_udp_open("udp:127.0.0.1", &opts, &udp), -EINVAL);
    assert_int_equal(il_udp_open("udp:127.0.0.1:0", NULL, &udp), -EINVAL);
    opts.peer = "x";
    assert_int_equal(il_udp_open("udp:127.0.0.1:0", &opts, &udp), -EINVAL);
    opts.peer = NULL;
    assert_null(udp);
    udp = open_udp(NULL);
    text_of(udp, text);
    assert_int_equal(il_udp_open(text, &opts, &other), -EADDRINUSE);
    il_udp_free(udp);
}

enum { ROUNDS = 200 };

static int reply(void *in, void *out)
{
    (void)out;
    char word[32];
    size_t size;
    il_address from;
    int status = 0;
    for (int i = 0; i < ROUNDS && !status; i++) {
        status = il_udp_recv(in, word, sizeof word, LATE, &size, &from);
        if (!status) status = il_udp_send(in, word, size, &from, LATE);
    }
    return status;
}

static int ask(void *in, void *out)
{
    (void)out;
    int status = 0;
    for (int i = 0, got = 0; i < ROUNDS && !status; i++) {
        size_t size;
        status = il_udp_send(in, &i, sizeof i, NULL, LATE);
        if (!status) status = il_udp_recv(in, &got, sizeof got, LATE, &size, NULL);
        if (!status && got != i) status = -EBADMSG;
    }
    return status;
}

static void tasks_of_a_loop_ask_and_reply(void **state)
{
    (void)state;
    char text[128];
    il_udp *server = open_udp(NULL);
    text_of(server, text);
    il_udp *client = open_udp(text);
    il_scope *scope = NULL;
    assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = loop }, &scope), 0);
    int one = il_go(scope, reply, server, NULL), two = il_go(scope, ask, client, NULL);
    int ended = il_scope_close(scope);
    il_udp_free(client);
    il_udp_free(server);
    assert_int_equal(one || two || ended, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(message_arrives_whole_with_its_sender),
        WITH_LOOP(long_one_is_cut_and_says_how_long_it_was),
        WITH_LOOP(wait_ends_at_deadlines_cancellations_and_close),
        WITH_LOOP(peer_that_is_not_there_is_told_of),
        WITH_LOOP(nonsense_is_no_address),
        WITH_LOOP(tasks_of_a_loop_ask_and_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
