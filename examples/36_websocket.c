/* SPDX-License-Identifier: MIT */
/*
 * A WebSocket echo: libwebsockets on our loop. It brings callbacks of its own and wants a libuv loop to
 * live on: il_loop_uv gives ours. Its context is made, used and ended on the loop's thread, by a task,
 * which sleeps while others work; server and client are both of this program.
 */
#include <errno.h>
#include <interlock.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

enum { MESSAGES = 100, ROOM = 64 };

/* One connection, at either end: the message that it is to write next. */
struct end {
    unsigned char bytes[LWS_PRE + ROOM]; /* libwebsockets writes its header in front */
    size_t size;
};

static struct {
    int asked, echoed, right;
    il_event over;
} seen;

static int write_message(struct lws *connection, struct end *end)
{
    if (!end->size) return 0;
    int sent = lws_write(connection, end->bytes + LWS_PRE, end->size, LWS_WRITE_TEXT);
    end->size = 0;
    return sent < 0 ? -1 : 0;
}

static void ask(struct lws *connection, struct end *end)
{
    end->size = (size_t)snprintf((char *)end->bytes + LWS_PRE, ROOM, "message %d", seen.asked++);
    lws_callback_on_writable(connection);
}

static int serve(struct lws *connection, enum lws_callback_reasons why, void *user, void *in,
                 size_t size)
{
    struct end *end = user;
    if (why == LWS_CALLBACK_SERVER_WRITEABLE) return write_message(connection, end);
    if (why != LWS_CALLBACK_RECEIVE) return 0;
    if (size > ROOM) return -1; /* and the connection is closed */
    memcpy(end->bytes + LWS_PRE, in, size);
    end->size = size;
    seen.echoed++;
    lws_callback_on_writable(connection);
    return 0;
}

/* What came back is what was asked? Then ask again. */
static int hear(struct lws *connection, struct end *end, const char *in, size_t size)
{
    char expected[ROOM];
    int length = snprintf(expected, sizeof expected, "message %d", seen.asked - 1);
    seen.right += size == (size_t)length && memcmp(in, expected, size) == 0;
    if (seen.asked == MESSAGES) return -1; /* enough: close */
    ask(connection, end);
    return 0;
}

static int be_client(struct lws *connection, enum lws_callback_reasons why, void *user, void *in,
                     size_t size)
{
    switch (why) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED: ask(connection, user); return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE: return write_message(connection, user);
    case LWS_CALLBACK_CLIENT_RECEIVE: return hear(connection, user, in, size);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
    case LWS_CALLBACK_CLIENT_CLOSED: il_event_set(&seen.over); return 0;
    default: return 0;
    }
}

static const struct lws_protocols protocols[] = {
    { .name = "echo", .callback = serve, .per_session_data_size = sizeof(struct end) },
    { .name = "ask", .callback = be_client, .per_session_data_size = sizeof(struct end) },
    { .name = NULL },
};

static struct lws_context *open_context(void)
{
    void *loops[] = { il_loop_uv(il_loop_here()) };
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .iface = "127.0.0.1",
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
    };
    return lws_create_context(&info);
}

static int connect_to(struct lws_context *context, struct lws_vhost *vhost, int port)
{
    struct lws_client_connect_info info = {
        .context = context,
        .vhost = vhost,
        .address = "127.0.0.1",
        .host = "127.0.0.1",
        .port = port,
        .path = "/",
        .protocol = "echo",
        .local_protocol_name = "ask",
    };
    return lws_client_connect_via_info(&info) ? 0 : -EIO;
}

static void count_one(uv_handle_t *handle, void *count)
{
    ++*(int *)count;
}

static int count_handles(void)
{
    int count = 0;
    uv_walk(il_loop_uv(il_loop_here()), count_one, &count);
    return count;
}

/* A task of the loop. */
static int talk(void *in, void *out)
{
    int before = count_handles();
    struct lws_context *context = open_context();
    struct lws_context_creation_info server = {
        .port = 0, /* one that is free */
        .iface = "127.0.0.1",
        .protocols = protocols,
    };
    if (!context) return il_fail(-ENOSYS, "libwebsockets was built without libuv");
    struct lws_vhost *vhost = lws_create_vhost(context, &server);
    int status = vhost ? connect_to(context, vhost, lws_get_vhost_listen_port(vhost)) : -EIO;
    if (!status) status = il_event_wait_until(&seen.over, il_after(IL_SEC(20)));
    lws_context_destroy(context); /* the loop closes its handles, soon */
    while (count_handles() > before) il_sleep(il_after(IL_MS(1)));
    lws_context_destroy(context); /* on somebody else's loop the second call releases the memory */
    return status;
}

int main(void)
{
    il_executor *loop = NULL;
    lws_set_log_level(LLL_ERR, NULL);
    int status = il_loop_new(NULL, &loop);
    if (!status) status = il_loop_call(loop, talk, NULL, NULL, IL_FOREVER);
    il_executor_free(loop);
    if (status == -ENOSYS) {
        printf("skipped: %s\n", il_last_error()->message);
        return 77;
    }
    printf("%s: %d asked, %d echoed, %d came back right\n", il_strerror(status), seen.asked,
           seen.echoed, seen.right);
    return status || seen.right != MESSAGES || seen.echoed != MESSAGES;
}
