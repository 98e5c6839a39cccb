/* SPDX-License-Identifier: MIT */
/*
 * The echo lines with Interlock: what=echo, a fiber a connection, as everybody would write it;
 * what=callback, the same with callbacks. `workers` loops share the port. As every echo server here
 * it prints its port, and ends when its input does.
 */

#include "bench.h"
#include <interlock.h>

enum { MOST_WORKERS = 64, BUFFER = 8192 };

static int echo(void *in, void *out)
{
    il_socket *socket = in;
    char buffer[BUFFER];
    size_t size = 1;
    int status = 0;

    while (!status && size) {
        status = il_socket_read(socket, buffer, sizeof buffer, IL_FOREVER, &size);
        if (!status) status = il_socket_write(socket, buffer, size, IL_FOREVER, NULL);
    }
    il_socket_free(socket);
    return 0;
}

static int serve(void *in, void *out)
{
    il_socket *listener = *(il_socket **)in, *one = NULL;
    il_scope *scope = NULL;

    bench_must(il_scope_open(&(il_scope_opts){ .executor = il_loop_here() }, &scope), "scope");
    while (!il_socket_accept(listener, IL_FOREVER, &one)) il_go(scope, echo, one, NULL);
    return il_scope_close(scope);
}

static void on_data(il_socket *socket, const void *data, size_t size, void *arg)
{
    if (il_socket_send(socket, data, size) > 0) il_socket_pause(socket);
}

static void on_drain(il_socket *socket, void *arg)
{
    il_socket_resume(socket);
}

static const il_protocol callbacks = { .on_data = on_data, .on_drain = on_drain };

int main(int argc, char **argv)
{
    const char *what = bench_word(argv, "what");
    int64_t workers = bench_number(argv, "workers", 1);
    char address[64] = "tcp:127.0.0.1:0";
    int port = 0;

    if (argc < 2 || !what || workers < 1 || workers > MOST_WORKERS)
        bench_die("what=echo or callback, workers=1 to 64");
    for (int64_t i = 0; i < workers; i++) {
        il_executor *loop = NULL;
        il_socket *listener = NULL;
        bench_must(il_loop_new(NULL, &loop), "loop");
        il_socket_opts opts = { .loop = loop, .share = true };
        bench_must(il_socket_listen(address, &opts, &listener), "listen");
        port = il_socket_port(listener);
        snprintf(address, sizeof address, "tcp:127.0.0.1:%d", port);
        if (!strcmp(what, "callback"))
            bench_must(il_socket_serve(listener, &callbacks, NULL), "serve");
        else bench_must(il_submit(loop, serve, &listener, sizeof listener, 0, NULL, NULL), "serve");
    }
    printf("%d\n", port);
    fflush(stdout);
    while (getchar() != EOF) {}
    _exit(0);
}
