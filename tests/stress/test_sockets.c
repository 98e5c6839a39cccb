/* SPDX-License-Identifier: MIT */
/*
 * A server among strangers: connections that reset, stall, flood, send garbage or leave at once, by
 * chance, beside polite ones. Each costs itself and nothing else: the polite ones are all served, right
 * to the byte, and afterwards no descriptor and no task is left.
 */

#include "chaos.h"

#include <dirent.h>

#include <interlock/socket.h>

enum { GUESTS = 150, MESSAGE = 300, MESSAGES = 8 };

static il_executor *server_loop, *guest_loop;
static char address[64];
static long served, live;

static int count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    while (dir && readdir(dir)) count++;
    if (dir) closedir(dir);
    return count;
}

/* --- The server ------------------------------------------------------------------------------ */

/* It has patience, but not without end. */
static il_time patience(void)
{
    return il_after(IL_SEC(20));
}

static il_time little_patience(void)
{
    return il_after(IL_MS(30));
}

static int echo(void *in, void *out)
{
    (void)out;
    char buffer[512];
    size_t size = 1;
    int status = 0;
    bool strange = false; /* a first byte of 0 says: do not wait long for me */
    while (!status && size) {
        il_time until = strange ? little_patience() : patience();
        status = il_socket_read(in, buffer, sizeof buffer, until, &size);
        strange |= !status && size && !buffer[0];
        until = strange ? little_patience() : patience();
        if (!status) status = il_socket_write(in, buffer, size, until, NULL);
    }
    il_socket_free(in);
    il__sub(&live, 1);
    return 0;
}

static int serve(void *in, void *out)
{
    (void)out;
    il_socket *one;
    il_scope *scope = NULL;
    int status = il_scope_open(&(il_scope_opts){ .executor = il_loop_here() }, &scope);
    while (!status && !(status = il_socket_accept(in, LATE, &one))) {
        served++;
        il__add(&live, 1);
        status = il_go(scope, echo, one, NULL);
    }
    int ended = il_scope_close(scope);
    return status == -EPIPE ? ended : status;
}

/* --- The guests ------------------------------------------------------------------------------ */

static int be_polite(il_socket *socket, uint64_t *random)
{
    char message[MESSAGE], back[MESSAGE];
    int status = 0;
    for (int i = 0; i < MESSAGES && !status; i++) {
        size_t size = 1 + below(random, MESSAGE - 1);
        for (size_t j = 0; j < size; j++) message[j] = (char)(1 + below(random, 100));
        status = il_socket_write(socket, message, size, LATE, NULL);
        if (!status) status = il_socket_read_all(socket, back, size, LATE, NULL);
        if (!status && memcmp(message, back, size) != 0) status = -EBADMSG;
        if (!below(random, 3))
            il_sleep(il_after(IL_US(below(random, 500)))); /* sleeps: a schedule */
    }
    return status;
}

/* Write without reading, until nobody takes it any more. */
static void flood(il_socket *socket)
{
    char much[8192] = { 0 };
    while (!il_socket_write(socket, much, sizeof much, LATE, NULL)) {}
}

static void send_garbage(il_socket *socket, uint64_t *random)
{
    char garbage[1000];
    for (size_t i = 0; i < sizeof garbage; i++) garbage[i] = (char)draw(random);
    garbage[0] = 0;
    il_socket_write(socket, garbage, 1 + below(random, sizeof garbage - 1), LATE, NULL);
}

/* Say that one is strange, then nothing: until the server has had enough. */
static void stall(il_socket *socket)
{
    char byte = 0;
    size_t size;
    il_socket_write(socket, &byte, 1, LATE, NULL);
    il_socket_read(socket, &byte, 1, LATE, &size);
    il_socket_read(socket, &byte, 1, LATE, &size);
}

struct guest {
    uint64_t random;
    int status;
    bool polite;
};

static int visit(void *in, void *out)
{
    (void)out;
    struct guest *guest = in;
    uint64_t *random = &guest->random;
    il_socket *socket = NULL;
    unsigned kind = below(random, 8);
    guest->polite = kind < 3;
    guest->status = il_socket_connect(address, NULL, LATE, &socket);
    if (guest->status) return 0;
    switch (kind) {
    case 3: flood(socket); break;
    case 4: send_garbage(socket, random); break;
    case 5: stall(socket); break;
    case 6:
        send_garbage(socket, random);
        il_socket_reset(socket);
        break;
    case 7: il_socket_reset(socket); break;
    default: guest->status = be_polite(socket, random); break;
    }
    il_socket_free(socket);
    return 0;
}

static int visit_all(void *in, void *out)
{
    struct guest *guests = in;
    il_scope *scope = NULL;
    int status = il_scope_open(&(il_scope_opts){ .executor = il_loop_here() }, &scope);
    for (int i = 0; i < GUESTS && !status; i++) status = il_go(scope, visit, &guests[i], NULL);
    int ended = il_scope_close(scope);
    return status ? status : ended;
}

static void strangers_cost_nothing_but_themselves(void **state)
{
    (void)state;
    static struct guest guests[GUESTS];
    uint64_t random = seed;
    int before = count_fds();
    for (long round = 0; round < rounds; round++) {
        il_socket *listener = NULL;
        il_socket_opts opts = { .send_buffer = 8192, .receive_buffer = 8192 };
        assert_int_equal(il_loop_new(NULL, &server_loop), 0);
        assert_int_equal(il_loop_new(NULL, &guest_loop), 0);
        opts.loop = server_loop;
        const char *at = round % 3 == 2 ? "unix:@il-test-strangers" : "tcp:127.0.0.1:0";
        assert_int_equal(il_socket_listen(at, &opts, &listener), 0);
        if (round % 3 == 2) snprintf(address, sizeof address, "%s", at);
        else snprintf(address, sizeof address, "tcp:127.0.0.1:%d", il_socket_port(listener));
        served = live = 0;
        for (int i = 0; i < GUESTS; i++) guests[i] = (struct guest){ .random = draw(&random) };

        il_scope *scope = NULL;
        assert_int_equal(il_scope_open(&(il_scope_opts){ .executor = server_loop }, &scope), 0);
        int began = il_go(scope, serve, listener, NULL);
        int visited = il_loop_call(guest_loop, visit_all, guests, NULL, LATE);
        il_socket_close(listener);
        int ended = il_scope_close(scope);
        il_socket_free(listener);
        il_executor_free(guest_loop);
        il_executor_free(server_loop);

        assert_int_equal(began || visited || ended, 0);
        for (int i = 0; i < GUESTS; i++)
            if (guests[i].polite) assert_int_equal(guests[i].status, 0);
        assert_true(served > 0);
        assert_int_equal(live, 0);
        assert_int_equal(count_fds(), before);
        count_uses(served);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(strangers_cost_nothing_but_themselves),
    };
    read_environment(IL_TSAN || IL_ASAN ? 3 : 9);
    il_loop_new(NULL, &server_loop); /* libuv opens what it keeps for good */
    il_executor_free(server_loop);
    return RUN(tests);
}
