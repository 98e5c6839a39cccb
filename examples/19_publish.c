/* SPDX-License-Identifier: MIT */
/*
 * Publish and subscribe: a weather station sends each reading to all who subscribed, and each of
 * them chose what is to happen when it cannot keep up. The archive wants everything, so the station
 * waits for it. The display wants what is new, and loses the rest. The radio wants to be told.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>

enum { READINGS = 2000, RING = 16 };

struct listener {
    const char *name;
    il_lag lag;
    int64_t pause; /* after each reading */
    il_subscriber *readings;
    long received, last;
};

static int listen(void *in, void *out)
{
    struct listener *self = in;
    int status;
    while (!(status = il_subscriber_recv(self->readings, &self->last, IL_FOREVER))) {
        self->received++;
        if (self->pause) il_sleep(il_after(self->pause));
    }
    printf("%-8s received %4ld, lost %4ld, the last was number %4ld: %s\n", self->name,
           self->received, (long)il_subscriber_lost(self->readings), self->last,
           il_strerror(status));
    return status == -EPIPE || status == -EOVERFLOW ? 0 : status;
}

int main(void)
{
    struct listener listeners[] = {
        { .name = "archive", .lag = IL_LAG_BLOCK },
        { .name = "display", .lag = IL_LAG_DROP_OLDEST, .pause = IL_US(100) },
        { .name = "radio", .lag = IL_LAG_DISCONNECT, .pause = IL_MS(10) },
    };
    enum { LISTENERS = sizeof listeners / sizeof *listeners };
    il_executor *pool = NULL;
    il_broadcast *station = NULL;
    il_scope *scope = NULL;
    if (il_threads_new(NULL, &pool)) return 1;

    int status = il_broadcast_new(sizeof(long), &(il_broadcast_opts){ .capacity = RING }, &station);
    if (!status) status = il_scope_open(&(il_scope_opts){ .executor = pool }, &scope);
    for (int i = 0; !status && i < LISTENERS; i++) {
        il_subscriber_opts opts = { .lag = listeners[i].lag };
        status = il_broadcast_subscribe(station, &opts, &listeners[i].readings);
        if (!status) status = il_go(scope, listen, &listeners[i], NULL);
    }
    for (long n = 1; !status && n <= READINGS; n++)
        status = il_broadcast_send(station, &n, IL_FOREVER); /* waits for the archive alone */
    if (station) il_broadcast_close(station); /* they drain what the ring holds, and end */
    int closed = il_scope_close(scope);

    int wrong = status || closed || listeners[0].received != READINGS;
    for (int i = 0; i < LISTENERS; i++) {
        long lost = status ? 0 : (long)il_subscriber_lost(listeners[i].readings);
        wrong |= !status && listeners[i].received + lost != READINGS;
        il_subscriber_free(listeners[i].readings);
    }
    il_broadcast_free(station);
    il_executor_free(pool);
    return wrong;
}
