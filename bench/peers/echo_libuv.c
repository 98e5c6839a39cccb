/* SPDX-License-Identifier: MIT */
/*
 * The echo lines with nothing but libuv: the yardstick for what a loop of ours adds. The cheapest
 * way that it has: one buffer for all reads of a loop, and uv_try_write, which needs no request
 * unless the kernel takes less than all. `workers` loops, each with a thread, share the port.
 *
 * As every echo server here it prints its port, and ends when its input does.
 */

#include "../bench.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <uv.h>

enum { MOST_WORKERS = 64, BACKLOG = 4096, BUFFER = 65536 };

struct server {
    uv_loop_t loop;
    uv_tcp_t listener;
    char buffer[BUFFER];
};

struct leftover {
    uv_write_t request;
    char data[];
};

static void must(int status, const char *step)
{
    if (status < 0) bench_die("echo_libuv: %s: %s", step, uv_strerror(status));
}

static void release(uv_handle_t *handle)
{
    free(handle);
}

static void wrote(uv_write_t *request, int status)
{
    free(request);
}

static void echo_rest(uv_stream_t *stream, const char *data, size_t size)
{
    struct leftover *rest = malloc(sizeof *rest + size);
    if (!rest) bench_die("no memory");
    memcpy(rest->data, data, size);
    uv_buf_t part = uv_buf_init(rest->data, (unsigned)size);
    must(uv_write(&rest->request, stream, &part, 1, wrote), "write");
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct server *server = handle->loop->data;
    *out = uv_buf_init(server->buffer, BUFFER);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    if (size < 0) {
        uv_close((uv_handle_t *)stream, release);
        return;
    }
    uv_buf_t all = uv_buf_init(buffer->base, (unsigned)size);
    int sent = size ? uv_try_write(stream, &all, 1) : 0;
    if (sent < 0) sent = 0;
    if (sent < size) echo_rest(stream, buffer->base + sent, (size_t)(size - sent));
}

static void on_connection(uv_stream_t *listener, int status)
{
    uv_tcp_t *stream = malloc(sizeof *stream);
    must(status, "listen");
    if (!stream) bench_die("no memory");
    must(uv_tcp_init(listener->loop, stream), "tcp");
    must(uv_accept(listener, (uv_stream_t *)stream), "accept");
    uv_tcp_nodelay(stream, 1);
    must(uv_read_start((uv_stream_t *)stream, give_buffer, on_read), "read");
}

/* Listen at *port; 0: at any, and say which. */
static void open_server(struct server *server, int *port)
{
    struct sockaddr_in at;
    int on = 1, length = sizeof at, fd = -1;
    uv_ip4_addr("127.0.0.1", *port, &at);
    must(uv_loop_init(&server->loop), "loop");
    server->loop.data = server;
    must(uv_tcp_init_ex(&server->loop, &server->listener, AF_INET), "tcp");
    uv_fileno((uv_handle_t *)&server->listener, &fd);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on)) bench_die("SO_REUSEPORT");
    must(uv_tcp_bind(&server->listener, (struct sockaddr *)&at, 0), "bind");
    must(uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection), "listen");
    uv_tcp_getsockname(&server->listener, (struct sockaddr *)&at, &length);
    *port = ntohs(at.sin_port);
}

static void *run(void *arg)
{
    struct server *server = arg;
    uv_run(&server->loop, UV_RUN_DEFAULT);
    return NULL;
}

int main(int argc, char **argv)
{
    static struct server *servers[MOST_WORKERS];
    int64_t workers = bench_number(argv, "workers", 1);
    int port = 0;
    if (argc < 1 || workers < 1 || workers > MOST_WORKERS) bench_die("workers: 1 to 64");
    for (int64_t i = 0; i < workers; i++) {
        pthread_t thread;
        servers[i] = bench_array(1, sizeof *servers[i]);
        open_server(servers[i], &port);
        bench_must(-pthread_create(&thread, NULL, run, servers[i]), "thread");
    }
    printf("%d\n", port);
    fflush(stdout);
    while (getchar() != EOF) {}
    return 0;
}
