/* SPDX-License-Identifier: MIT */
/*
 * The echo server once more, with callbacks instead of fibers: what happens to a connection is told
 * by calls. If the other side does not read what it gets back, we stop reading what it sends, until the
 * queue has drained. A client, plain tasks, sends a megabyte, and reads nothing before that happens.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>

enum { TOTAL = 1 << 20 };

static struct {
    int opened, paused, drained, closed;
    il_event over;
} seen;

static void on_open(il_socket *socket, void *arg)
{
    seen.opened++;
}

static void on_data(il_socket *socket, const void *data, size_t size, void *arg)
{
    if (il_socket_send(socket, data, size) <= 0) return;
    seen.paused++;
    il_socket_pause(socket); /* above the high-water mark */
}

static void on_drain(il_socket *socket, void *arg)
{
    seen.drained++;
    il_socket_resume(socket);
}

/* The client has sent all; there may still be something for it in the queue. */
static void on_end(il_socket *socket, void *arg)
{
    il_socket_finish(socket);
}

static void on_close(il_socket *socket, int status, void *arg)
{
    seen.closed++;
    il_socket_free(socket);
    il_event_set(&seen.over);
}

static const il_protocol echo = {
    .on_open = on_open,
    .on_data = on_data,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_close = on_close,
};

static int send_all(void *in, void *out)
{
    char piece[4096] = "what goes round comes round";
    int status = 0;
    for (int sent = 0; sent < TOTAL && !status; sent += (int)sizeof piece)
        status = il_socket_write(in, piece, sizeof piece, IL_FOREVER, NULL);
    return status ? status : il_socket_shutdown(in);
}

static int receive_all(void *in, void *out)
{
    char piece[1000];
    size_t size = 1;
    int status = 0;
    while (!status && !seen.paused) status = il_sleep(il_after(IL_MS(1))); /* not in a hurry */
    while (!status && size) {
        status = il_socket_read(in, piece, sizeof piece, IL_FOREVER, &size);
        *(size_t *)out += size;
    }
    return status;
}

int main(void)
{
    char address[64];
    il_executor *loop = NULL;
    il_socket *listener = NULL, *client = NULL;
    il_scope *scope = NULL;
    size_t received = 0;

    int status = il_loop_new(NULL, &loop);
    il_socket_opts opts = {
        .loop = loop,
        .send_buffer = 8192, /* small, so that the queues fill up */
        .receive_buffer = 8192,
        .high_water = 16384,
    };
    if (!status) status = il_socket_listen("tcp:127.0.0.1:0", &opts, &listener);
    if (!status) status = il_socket_serve(listener, &echo, NULL);
    if (status) return 1;
    snprintf(address, sizeof address, "tcp:127.0.0.1:%d", il_socket_port(listener));
    status = il_socket_connect(address, &opts, il_after(IL_SEC(10)), &client);
    if (!status) status = il_scope_open(&(il_scope_opts){ .executor = loop }, &scope);
    if (!status) status = il_go(scope, send_all, client, NULL);
    if (!status) status = il_go(scope, receive_all, client, &received);
    int ended = il_scope_close(scope);
    if (!status && !ended) il_event_wait(&seen.over);
    il_socket_free(client);
    il_socket_free(listener);
    il_executor_free(loop);

    printf("%s: %zu bytes came back; the server paused, and drained\n",
           il_strerror(status ? status : ended), received);
    return status || ended || received != TOTAL || seen.closed != 1 || seen.paused != seen.drained;
}
