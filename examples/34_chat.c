/* SPDX-License-Identifier: MIT */
/*
 * A chat server: what one says all hear. A guest has two fibers, one that reads and one that writes, and
 * a channel from the room to the writer. One who does not read fills its own channel, and when that is
 * full is shown out: nobody else waits for it, and nothing grows.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>
#include <string.h>

enum { GUESTS = 8, LINES = 300, LINE = 64, BACKLOG = 64 };

typedef struct guest {
    struct guest *next;
    il_socket *socket;
    il_chan *lines; /* for it */
} guest;

/* One loop, so between two waits a task has all of this to itself. */
static struct {
    guest *guests;
    int shown_out;
} room;
static char address[64];

static void say(const char *line)
{
    for (guest *one = room.guests; one; one = one->next) {
        if (il_chan_send(one->lines, line, IL_NOW) != -EAGAIN) continue;
        room.shown_out++;
        il_chan_close(one->lines);    /* it is sent nothing more */
        il_socket_reset(one->socket); /* and its two fibers find that it is over */
    }
}

/* Until its channel is closed and empty, or it has gone. */
static int write_lines(void *in, void *out)
{
    guest *self = in;
    char line[LINE];
    while (!il_chan_recv(self->lines, line, IL_FOREVER))
        if (il_socket_write(self->socket, line, LINE, IL_FOREVER, NULL)) break;
    return 0;
}

static void enter(guest *self)
{
    self->next = room.guests;
    room.guests = self;
}

static void leave(guest *self)
{
    guest **at = &room.guests;
    while (*at != self) at = &(*at)->next;
    *at = self->next;
    il_chan_close(self->lines);
}

/* A guest: hear what it says until it goes. */
static int receive(void *in, void *out)
{
    guest self = { .socket = in };
    char line[LINE];
    il_scope *scope = NULL;
    int status = il_chan_new(LINE, &(il_chan_opts){ .capacity = BACKLOG }, &self.lines);
    if (!status) status = il_scope_open(&(il_scope_opts){ .executor = il_loop_here() }, &scope);
    if (!status) status = il_go(scope, write_lines, &self, NULL);
    if (!status) {
        enter(&self);
        while (!il_socket_read_all(self.socket, line, LINE, IL_FOREVER, NULL)) say(line);
        leave(&self);
    }
    il_scope_close(scope);
    il_chan_free(self.lines);
    il_socket_free(self.socket);
    return status;
}

static int serve(void *in, void *out)
{
    il_socket *listener = *(il_socket **)in, *one = NULL;
    il_scope *scope = NULL;
    int status = il_scope_open(&(il_scope_opts){ .executor = il_loop_here() }, &scope);
    while (!status && !il_socket_accept(listener, IL_FOREVER, &one))
        status = il_go(scope, receive, one, NULL);
    int ended = il_scope_close(scope);
    return status ? status : ended;
}

/* A guest: says a line, listens until that comes round, says the next. */
static int chat(void *in, void *out)
{
    char line[LINE], heard[LINE];
    il_socket *socket = NULL;
    int status = il_socket_connect(address, NULL, il_after(IL_SEC(10)), &socket);
    for (int i = 0; i < LINES && !status; i++) {
        memset(line, 0, LINE);
        snprintf(line, LINE, "guest %ld: this is my line %d", *(long *)in, i);
        status = il_socket_write(socket, line, LINE, IL_FOREVER, NULL);
        do {
            if (!status) status = il_socket_read_all(socket, heard, LINE, IL_FOREVER, NULL);
            ++*(int *)out;
        } while (!status && memcmp(line, heard, LINE) != 0);
    }
    il_socket_free(socket);
    return status;
}

int main(void)
{
    il_executor *loop = NULL;
    il_socket *listener = NULL, *sleeper = NULL;
    il_future *server = NULL;
    il_scope *scope = NULL;
    long guests[GUESTS];
    int heard[GUESTS] = { 0 }, all = 0;
    for (long i = 0; i < GUESTS; i++) guests[i] = i;

    int status = il_loop_new(NULL, &loop);
    il_socket_opts opts = { .loop = loop, .send_buffer = 4096, .receive_buffer = 4096 };
    if (!status) status = il_socket_listen("tcp:127.0.0.1:0", &opts, &listener);
    if (status) return 1;
    snprintf(address, sizeof address, "tcp:127.0.0.1:%d", il_socket_port(listener));

    status = il_submit(loop, serve, &listener, sizeof listener, 0, NULL, &server);
    if (!status) status = il_socket_connect(address, &opts, il_after(IL_SEC(10)), &sleeper);
    if (!status) status = il_scope_open(&(il_scope_opts){ .executor = loop }, &scope);
    for (int i = 0; i < GUESTS && !status; i++) status = il_go(scope, chat, &guests[i], &heard[i]);
    int chatted = il_scope_close(scope);
    il_socket_close(listener);
    int ended = il_future_get(server, IL_FOREVER, NULL);
    for (int i = 0; i < GUESTS; i++) all += heard[i];
    printf("%s: %d guests heard %d lines; %d was shown out, as it did not listen\n",
           il_strerror(chatted), GUESTS, all, room.shown_out);
    il_socket_free(sleeper);
    il_future_free(server);
    il_socket_free(listener);
    il_executor_free(loop);
    return status || chatted || ended || all < GUESTS * LINES || room.shown_out != 1;
}
