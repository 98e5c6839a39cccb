/* SPDX-License-Identifier: MIT */
/*
 * A transfer on a loop: libcurl says what it waits for, libuv watches that, and the fiber waits for
 * the event of its transfer. One multi handle a loop, so that its transfers share the connections.
 *
 * All of it is the loop's thread's, but for the list of drivers, which `mutex` guards: a loop may be
 * driven by one thread now and by another later, so a thread-local would not find it.
 *
 * A watch belongs to the number of a descriptor and is kept for good: libcurl loses interest at the end
 * of each transfer, and comes back with the next one on the same connection. While it has none, the
 * watch is stopped, and of no harm to whoever else has that number.
 */

#include "transfer/drive.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "transfer/transfer.h"

struct watch {
    uv_poll_t poll;
    struct driver *driver;
    curl_socket_t socket;
    int events; /* that libcurl waits for */
};

struct driver {
    struct driver *next;
    il_executor *loop;
    CURLM *multi;
    uv_timer_t timer;
    CURL **idle; /* easy handles that nobody has */
    size_t idle_count, idle_room;
    struct watch **watches; /* by descriptor */
    size_t watches_room;
};

/* On the stack of who waits for it. */
struct waiter {
    il_event over;
    CURLcode code;
};

static il_mutex mutex;
static struct driver *drivers; /* guarded by mutex */

/* ---- Between libcurl and libuv ---- */

static void tell_ended(struct driver *driver)
{
    CURLMsg *message;
    int queued;

    while ((message = curl_multi_info_read(driver->multi, &queued))) {
        struct waiter *waiter = NULL;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result; /* the message is gone with the handle */
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &waiter);
        curl_multi_remove_handle(driver->multi, easy);
        waiter->code = code;
        il_event_set(&waiter->over);
    }
}

/* An error comes alone, and ends the watch. There may be bytes before it that are to be read, and which
 * error it is libcurl finds out by reading. */
static void on_ready(uv_poll_t *poll, int failed, int events)
{
    struct watch *watch = IL_CONTAINER(poll, struct watch, poll);
    int flags = 0, running;

    if (failed) events = watch->events;
    if (events & UV_READABLE) flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE) flags |= CURL_CSELECT_OUT;
    curl_multi_socket_action(watch->driver->multi, watch->socket, flags, &running);
    tell_ended(watch->driver);
    if (failed && watch->events) uv_poll_start(poll, watch->events, on_ready);
}

static void on_time(uv_timer_t *timer)
{
    struct driver *driver = timer->data;
    int running;

    curl_multi_socket_action(driver->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    tell_ended(driver);
}

static int set_time(CURLM *multi, long milliseconds, void *arg)
{
    struct driver *driver = arg;

    (void)multi;
    if (milliseconds < 0) uv_timer_stop(&driver->timer);
    else uv_timer_start(&driver->timer, on_time, (uint64_t)milliseconds, 0);
    return 0;
}

static void free_watch(uv_handle_t *handle)
{
    free(IL_CONTAINER(handle, struct watch, poll));
}

static struct watch **place_of(struct driver *driver, curl_socket_t socket)
{
    size_t at = (size_t)socket;

    if (at >= driver->watches_room) {
        size_t room = 2 * at + 64;
        struct watch **grown = realloc(driver->watches, room * sizeof *grown);
        if (!grown) return NULL;
        for (size_t i = driver->watches_room; i < room; i++) grown[i] = NULL;
        driver->watches = grown;
        driver->watches_room = room;
    }
    return &driver->watches[at];
}

static struct watch *find_watch(struct driver *driver, curl_socket_t socket)
{
    struct watch **place = place_of(driver, socket);
    if (!place || *place) return place ? *place : NULL;

    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch) return NULL;
    if (uv_poll_init_socket(il_loop_uv(driver->loop), &watch->poll, socket)) {
        free(watch);
        return NULL;
    }
    watch->driver = driver;
    watch->socket = socket;
    return *place = watch;
}

static int set_watch(CURL *easy, curl_socket_t socket, int what, void *arg, void *unused)
{
    struct driver *driver = arg;

    (void)easy, (void)unused;
    struct watch *watch = find_watch(driver, socket);
    if (!watch) return what == CURL_POLL_REMOVE ? 0 : -1;
    watch->events = 0;
    if (what != CURL_POLL_REMOVE) {
        if (what & CURL_POLL_IN) watch->events |= UV_READABLE;
        if (what & CURL_POLL_OUT) watch->events |= UV_WRITABLE;
    }
    if (watch->events) uv_poll_start(&watch->poll, watch->events, on_ready);
    else uv_poll_stop(&watch->poll);
    return 0;
}

/* ---- Drivers ---- */

static void free_driver(struct driver *driver)
{
    curl_multi_cleanup(driver->multi);
    free(driver->idle);
    free(driver->watches);
    free(driver);
}

/* With the mutex held. */
static struct driver *make_driver(il_executor *loop)
{
    struct driver *driver = calloc(1, sizeof *driver);
    if (!driver) return NULL;

    driver->loop = loop;
    driver->multi = curl_multi_init();
    if (!driver->multi || uv_timer_init(il_loop_uv(loop), &driver->timer)) {
        free_driver(driver);
        return NULL;
    }
    driver->timer.data = driver;
    curl_multi_setopt(driver->multi, CURLMOPT_SOCKETFUNCTION, set_watch);
    curl_multi_setopt(driver->multi, CURLMOPT_SOCKETDATA, driver);
    /* Else it keeps four times as many as there are transfers at that moment, and closes the rest
     * whenever there are few. */
    curl_multi_setopt(driver->multi, CURLMOPT_MAXCONNECTS, (long)TRANSFER_CONNECTIONS);
    curl_multi_setopt(driver->multi, CURLMOPT_TIMERFUNCTION, set_time);
    curl_multi_setopt(driver->multi, CURLMOPT_TIMERDATA, driver);
    driver->next = drivers;
    drivers = driver;
    return driver;
}

static struct driver *find_driver(il_executor *loop, bool make)
{
    il_mutex_lock(&mutex);
    struct driver *driver = drivers;
    while (driver && driver->loop != loop) driver = driver->next;
    if (!driver && make) driver = make_driver(loop);
    il_mutex_unlock(&mutex);
    return driver;
}

static CURL *take(void)
{
    struct driver *driver = find_driver(il_loop_here(), true);
    if (!driver) return NULL;

    return driver->idle_count ? driver->idle[--driver->idle_count] : curl_easy_init();
}

static void give(CURL *easy)
{
    struct driver *driver = find_driver(il_loop_here(), true);

    if (driver && driver->idle_count == driver->idle_room) {
        size_t room = 2 * driver->idle_room + 16;
        CURL **grown = realloc(driver->idle, room * sizeof *grown);
        if (grown) {
            driver->idle = grown;
            driver->idle_room = room;
        }
    }
    if (!driver || driver->idle_count == driver->idle_room) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_reset(easy);
    driver->idle[driver->idle_count++] = easy;
}

static int wait_for_end(CURL *easy, struct waiter *waiter, struct pulse *pulse)
{
    il_time next;
    int status;

    do {
        if (transfer_look(easy, pulse, &next)) return -ETIMEDOUT;
        status = il_event_wait_until(&waiter->over, next);
    } while (status == -ETIMEDOUT);
    return status && il_event_is_set(&waiter->over) ? 0 : status;
}

static int perform(CURL *easy, struct pulse *pulse, CURLcode *out)
{
    struct driver *driver = find_driver(il_loop_here(), true);
    struct waiter waiter = { .code = CURLE_OK };

    curl_easy_setopt(easy, CURLOPT_PRIVATE, &waiter);
    if (!driver || curl_multi_add_handle(driver->multi, easy)) return -ENOMEM;
    int status = wait_for_end(easy, &waiter, pulse);
    if (status) curl_multi_remove_handle(driver->multi, easy);
    *out = waiter.code;
    return status;
}

const struct transfer_driver transfer_on_loop = { take, perform, give };

/* ---- The end ---- */

static void on_closed(uv_handle_t *timer)
{
    struct driver *driver = timer->data;

    free_driver(driver);
}

static int end_here(void *in, void *out)
{
    struct driver *driver = in;

    (void)out;
    for (size_t i = 0; i < driver->idle_count; i++) curl_easy_cleanup(driver->idle[i]);
    curl_multi_cleanup(driver->multi); /* closes the connections, whose watches it stops */
    driver->multi = NULL;
    for (size_t i = 0; i < driver->watches_room; i++)
        if (driver->watches[i]) uv_close((uv_handle_t *)&driver->watches[i]->poll, free_watch);
    uv_close((uv_handle_t *)&driver->timer, on_closed);
    return 0;
}

static struct driver *unlink_driver(il_executor *loop)
{
    struct driver **at = &drivers;

    il_mutex_lock(&mutex);
    while (*at && (*at)->loop != loop) at = &(*at)->next;
    struct driver *driver = *at;
    if (driver) *at = driver->next;
    il_mutex_unlock(&mutex);
    return driver;
}

void transfer_end(il_executor *executor)
{
    struct driver *driver = unlink_driver(executor);

    if (driver) il_loop_call(executor, end_here, driver, NULL, IL_FOREVER);
}
