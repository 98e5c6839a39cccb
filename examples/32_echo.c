/* SPDX-License-Identifier: MIT */
/*
 * A TCP echo server and its clients, in straight-line code: a fiber a connection, on one loop. The
 * server stops gracefully: it lets nobody in any more, and ends when the last one has gone.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>
#include <string.h>

enum { CLIENTS = 100, ROUNDS = 10 };

static char address[64];

/* One connection: send back what comes, until the other side has no more. */
static int echo(void *in, void *out)
{
    il_socket *socket = in;
    char buffer[1024];
    size_t size = 1;
    int status = 0;
    while (!status && size) {
        status = il_socket_read(socket, buffer, sizeof buffer, il_after(IL_SEC(10)), &size);
        if (!status) status = il_socket_write(socket, buffer, size, il_after(IL_SEC(10)), NULL);
    }
    il_socket_free(socket);
    return status;
}

static int serve(void *in, void *out)
{
    il_socket *listener = *(il_socket **)in, *one = NULL;
    il_scope *scope = NULL;
    int status = il_scope_open(&(il_scope_opts){ .executor = il_loop_here() }, &scope);
    while (!status && !(status = il_socket_accept(listener, IL_FOREVER, &one))) {
        status = il_go(scope, echo, one, NULL);
        ++*(int *)out;
    }
    int ended = il_scope_close(scope); /* waits for those that still talk */
    return status == -EPIPE ? ended : status;
}

static int talk(void *in, void *out)
{
    char word[32], back[32];
    il_socket *socket = NULL;
    int n = snprintf(word, sizeof word, "client %ld", *(long *)in);
    int status = il_socket_connect(address, NULL, il_after(IL_SEC(10)), &socket);
    for (int i = 0; i < ROUNDS && !status; i++) {
        status = il_socket_write(socket, word, (size_t)n, IL_FOREVER, NULL);
        if (!status) status = il_socket_read_all(socket, back, (size_t)n, IL_FOREVER, NULL);
        if (!status && memcmp(word, back, (size_t)n) != 0) status = -EBADMSG;
    }
    il_socket_free(socket);
    return status;
}

int main(void)
{
    il_executor *loop = NULL;
    il_socket *listener = NULL;
    il_future *server = NULL;
    il_scope *scope = NULL;
    long clients[CLIENTS];
    int served = 0;
    for (long i = 0; i < CLIENTS; i++) clients[i] = i;

    int status = il_loop_new(NULL, &loop);
    il_socket_opts opts = { .loop = loop };
    if (!status) status = il_socket_listen("tcp:127.0.0.1:0", &opts, &listener);
    if (status) return 1;
    snprintf(address, sizeof address, "tcp:127.0.0.1:%d", il_socket_port(listener));

    status = il_submit(loop, serve, &listener, sizeof listener, sizeof served, NULL, &server);
    if (!status) status = il_scope_open(&(il_scope_opts){ .executor = loop }, &scope);
    for (int i = 0; i < CLIENTS && !status; i++) status = il_go(scope, talk, &clients[i], NULL);
    int talked = il_scope_close(scope);
    il_socket_close(listener);
    int ended = il_future_get(server, IL_FOREVER, &served);
    printf("%s: %d of %d clients served; the server: %s\n", il_strerror(talked), served, CLIENTS,
           il_strerror(ended));
    il_future_free(server);
    il_socket_free(listener);
    il_executor_free(loop);
    return status || talked || ended || served != CLIENTS;
}
