/* SPDX-License-Identifier: MIT */
/*
 * Two programs that meet by a key, both in this one: a hall that lets in who knows the key, and its
 * guests: two who know it, one who does not, and one who connects and says nothing. The last one holds
 * up nobody.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const unsigned char right_key[32] = "thirty-two bytes that none knows";
static const unsigned char wrong_key[32] = "thirty-two bytes of someone else";

typedef struct guest {
    const char *address;
    const unsigned char *key;
    const char *name;
    int expected;
} guest;

static bool keys; /* does this build have any? */

static il_connection_opts opts_with(const unsigned char *key)
{
    il_connection_opts opts = { .key = key, .key_size = 32 };
    return keys ? opts : (il_connection_opts){ .key = NULL };
}

/* A fiber for each who came in: greet him by his name. */
static int greet(void *in, void *out)
{
    il_connection *visitor = *(il_connection **)in;
    char name[32], words[64];
    size_t size = 0;
    int status = il_connection_receive(visitor, name, sizeof name, il_after(IL_SEC(10)), &size);
    int length = snprintf(words, sizeof words, "welcome, %.*s", (int)size, name);
    if (!status) status = il_connection_send(visitor, words, (size_t)length, il_after(IL_SEC(10)));
    il_connection_free(visitor);
    return status;
}

struct hall {
    il_listener *listener;
    il_executor *pool;
};

/* Until it is closed. */
static int keep_hall(void *in, void *out)
{
    struct hall *hall = in;
    il_connection *visitor = NULL;
    int status;
    while (!(status = il_listener_accept(hall->listener, IL_FOREVER, &visitor))) {
        il_future *greeting = NULL;
        status = il_submit(hall->pool, greet, &visitor, sizeof visitor, 0, NULL, &greeting);
        if (status) il_connection_free(visitor);
        il_future_free(greeting);
    }
    return status == -EPIPE ? 0 : status;
}

static int visit(void *in, void *out)
{
    guest *self = in;
    char words[64] = "";
    il_connection *hall = NULL;
    il_connection_opts opts = opts_with(self->key);
    int status = il_connect(self->address, &opts, il_after(IL_SEC(10)), &hall);
    if (!status) status = il_connection_send(hall, self->name, strlen(self->name), IL_FOREVER);
    if (!status)
        status = il_connection_receive(hall, words, sizeof words - 1, il_after(IL_SEC(10)), NULL);
    printf("%s: %s\n", self->name, status ? il_strerror(status) : words);
    il_connection_free(hall);
    return status != self->expected;
}

/* He has no key and says nothing; 0 is a socket that is connected. */
static int be_silent(const char *address)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    snprintf(name.sun_path, sizeof name.sun_path, "%s", address + strlen("unix:"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect(fd, (struct sockaddr *)&name, sizeof name) ? -1 : fd;
}

int main(void)
{
    char address[64];
    snprintf(address, sizeof address, "unix:/tmp/interlock-hall-%d", (int)getpid());
    struct hall hall = { NULL, NULL };
    il_connection_opts opts = { .key = right_key, .key_size = 32 };
    int status = il_listener_new(address, &opts, &hall.listener), wrong = 0;
    keys = status != -ENOTSUP;
    if (!keys) status = il_listener_new(address, NULL, &hall.listener);
    if (!status) status = il_threads_new(&(il_threads_opts){ .workers = 1 }, &hall.pool);
    il_thread keeper = { 0 };
    if (!status) status = il_thread_start(&keeper, keep_hall, &hall, NULL, NULL);
    if (status) {
        fprintf(stderr, "%s\n", il_strerror(status));
        return 1;
    }

    guest guests[] = {
        { address, right_key, "Ada", 0 },
        { address, wrong_key, "Mallory", keys ? -EACCES : 0 },
        { address, right_key, "Grace", 0 },
    };
    int silent = be_silent(address);
    for (int i = 0; i < 3; i++) wrong += visit(&guests[i], NULL);
    il_listener_close(hall.listener);
    status = il_thread_join(&keeper, IL_FOREVER);
    il_executor_free(hall.pool);
    il_listener_free(hall.listener);
    if (silent >= 0) close(silent);
    return status || wrong || silent < 0;
}
