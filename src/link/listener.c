/* SPDX-License-Identifier: MIT */
/*
 * Listener: strangers come in, those who know the key come out.
 *
 * It has no thread. Whoever waits in accept does, in turn, all that can be done at this moment: takes
 * new strangers, moves the handshake of each who has said something on, hangs up on those who took too
 * long. Nothing of that waits, so a stranger who says nothing holds up nobody. `lock` guards all of
 * it and is not held over a wait.
 *
 * The socket, the strangers' sockets and a bell are in one epoll, and that epoll is what accepters
 * wait for (a descriptor like any other). The bell is an eventfd, rung while there is something that
 * one accepter cannot take along: a second friend, or that it is all over. Without it an accepter
 * could take the event for which the watcher was about to wake another.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <interlock/mutex.h>

#include "base/list.h"
#include "base/memory.h"
#include "link/connection.h"
#include "proc/watcher.h"

enum { STRANGERS = 64, AT_ONCE = 64, BACKLOG = 512 };

struct guest {
    il__link link; /* in strangers, the oldest first, or in friends */
    il__handshake handshake;
    il__address address;
    il_time until;
};

struct il_listener {
    /* Set at init. */
    il_connection_opts opts; /* .key is ours */
    char address[IL__ADDRESS_TEXT];
    int epoll, bell;
    il__watch watch;  /* of epoll */
    struct stat file; /* of its socket in a file system; st_ino 0: there is none */

    il_mutex lock; /* of what follows */
    int fd;        /* -1: closed */
    bool rings;
    il__list strangers, friends;
    unsigned stranger_count;
};

/* --- The bell -------------------------------------------------------------------------------- */

static void ring(il_listener *listener, bool on)
{
    uint64_t count = 1;
    if (on == listener->rings) return;
    ssize_t size = on ? write(listener->bell, &count, sizeof count)
                      : read(listener->bell, &count, sizeof count);
    if (size == sizeof count) listener->rings = on;
}

/* --- Strangers ------------------------------------------------------------------------------- */

static void send_away(il_listener *listener, struct guest *guest)
{
    il__list_remove(&listener->strangers, &guest->link);
    listener->stranger_count--;
    close(guest->handshake.fd); /* and out of epoll */
    il__free(guest);
}

static struct guest *oldest(const il_listener *listener)
{
    il__link *link = il__list_first(&listener->strangers);
    return link ? il__of(link, struct guest, link) : NULL;
}

static void move_on(il_listener *listener, struct guest *guest)
{
    int status = il__handshake_go(&guest->handshake);
    if (status == -EAGAIN) return;
    if (status) {
        send_away(listener, guest);
        return;
    }
    epoll_ctl(listener->epoll, EPOLL_CTL_DEL, guest->handshake.fd, NULL);
    il__list_remove(&listener->strangers, &guest->link);
    listener->stranger_count--;
    il__list_append(&listener->friends, &guest->link);
}

static int let_in(il_listener *listener, int fd, const il__address *address)
{
    struct guest *guest = il__alloc(sizeof *guest);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = guest };
    if (!guest || epoll_ctl(listener->epoll, EPOLL_CTL_ADD, fd, &event)) {
        il__free(guest);
        close(fd);
        return -ENOMEM;
    }
    if (listener->stranger_count == listener->opts.strangers) send_away(listener, oldest(listener));
    il__connection_tune(fd, address);
    guest->address = *address;
    guest->until = il_after(listener->opts.handshake);
    il__handshake_init(&guest->handshake, fd, true, listener->opts.key, listener->opts.key_size);
    il__list_append(&listener->strangers, &guest->link);
    listener->stranger_count++;
    return 0;
}

/* Who has come since. The rest stays in the kernel's queue until there is room among friends. */
static int let_all_in(il_listener *listener)
{
    int status = 0;
    for (int i = 0; i < AT_ONCE && !status; i++) {
        il__address address = { .size = sizeof address.storage };
        if (il__refused()) return -EMFILE;
        int fd = accept4(listener->fd, &address.any, &address.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        int failed = *il_errno();
        if (fd >= 0) status = let_in(listener, fd, &address);
        else if (failed == EAGAIN) break;
        else if (failed == EMFILE || failed == ENFILE || failed == ENOMEM) status = -failed;
    }
    return status;
}

static void send_the_late_away(il_listener *listener)
{
    il_time now = il_now();
    for (struct guest *guest; (guest = oldest(listener)) && guest->until <= now;)
        send_away(listener, guest);
}

/* --- Accepting ------------------------------------------------------------------------------- */

static int look_around(il_listener *listener)
{
    struct epoll_event events[AT_ONCE];
    int count = epoll_wait(listener->epoll, events, AT_ONCE, 0);
    bool came = false;
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == listener) came = true;
        else if (events[i].data.ptr != &listener->bell) move_on(listener, events[i].data.ptr);
    }
    send_the_late_away(listener);
    /* Last: to make room is to free strangers that events speak of. */
    return came && !il__list_first(&listener->friends) ? let_all_in(listener) : 0;
}

static int take_friend(il_listener *listener, il_connection **out_connection)
{
    il__link *link = il__list_first(&listener->friends);
    if (!link) return -EAGAIN;
    struct guest *guest = il__of(link, struct guest, link);
    il__list_remove(&listener->friends, link);
    int status =
        il__connection_new(guest->handshake.fd, &guest->address, &listener->opts, out_connection);
    if (status) close(guest->handshake.fd);
    il__free(guest);
    ring(listener, il__list_first(&listener->friends) != NULL);
    return status;
}

/* All that can be done without waiting. -EAGAIN: nobody yet; look again at *out_next, if nothing
 * happens before. */
static int take_turn(il_listener *listener, il_connection **out_connection, il_time *out_next)
{
    il_mutex_lock(&listener->lock);
    int status = listener->fd < 0 ? -EPIPE : look_around(listener);
    if (!status) status = take_friend(listener, out_connection);
    const struct guest *first = oldest(listener);
    *out_next = first ? first->until : IL_FOREVER;
    il_mutex_unlock(&listener->lock);
    return status;
}

int il_listener_accept(il_listener *listener, il_time until, il_connection **out_connection)
{
    for (;;) {
        il_time next;
        int status = take_turn(listener, out_connection, &next);
        if (status != -EAGAIN || until == IL_NOW) return status;
        status = il__watch_wait(&listener->watch, "somebody to connect", listener, IL__CANCELS,
                                next < until ? next : until);
        if (status && (status != -ETIMEDOUT || next >= until)) return status;
    }
}

/* --- Making and ending ----------------------------------------------------------------------- */

/* A socket file that nobody listens at was left by one who was killed. */
static bool is_left_over(const il__address *address)
{
    struct stat found;
    if (address->any.sa_family != AF_UNIX || !address->local.sun_path[0]) return false;
    if (stat(address->local.sun_path, &found) || !S_ISSOCK(found.st_mode)) return false;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0) return false;
    bool refused = connect(probe, &address->any, address->size) && errno == ECONNREFUSED;
    close(probe);
    return refused;
}

static int bind_to(il_listener *listener, const il__address *address)
{
    int on = 1;
    bool is_file = address->any.sa_family == AF_UNIX && address->local.sun_path[0];
    if (address->any.sa_family != AF_UNIX)
        setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener->fd, &address->any, address->size)) {
        if (errno != EADDRINUSE || !is_left_over(address)) return -errno;
        unlink(address->local.sun_path);
        if (bind(listener->fd, &address->any, address->size)) return -errno;
    }
    if (!is_file) return 0;
    /* Nobody can connect before it listens. */
    if (chmod(address->local.sun_path, 0600)) return -errno;
    return stat(address->local.sun_path, &listener->file) ? -errno : 0;
}

static int start_to_listen(il_listener *listener, const il__address *address)
{
    il__address bound = { .size = sizeof bound.storage };
    struct epoll_event came = { .events = EPOLLIN, .data.ptr = listener };
    struct epoll_event rang = { .events = EPOLLIN, .data.ptr = &listener->bell };
    if (!il__refused())
        listener->fd =
            socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (!il__refused()) listener->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!il__refused()) listener->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (listener->fd < 0 || listener->epoll < 0 || listener->bell < 0) return -EMFILE;
    int status = bind_to(listener, address);
    if (status) return status;
    if (listen(listener->fd, BACKLOG)) return -errno;
    if (getsockname(listener->fd, &bound.any, &bound.size)) return -errno;
    il__address_print(&bound, listener->address);
    if (epoll_ctl(listener->epoll, EPOLL_CTL_ADD, listener->fd, &came)) return -errno;
    if (epoll_ctl(listener->epoll, EPOLL_CTL_ADD, listener->bell, &rang)) return -errno;
    listener->watch = (il__watch){ .fd = listener->epoll, .events = EPOLLIN };
    return 0;
}

static int copy_opts(il_listener *listener, const il_connection_opts *opts)
{
    listener->opts = *opts;
    if (!opts->handshake) listener->opts.handshake = IL_SEC(IL__HANDSHAKE_SECONDS);
    if (!opts->strangers) listener->opts.strangers = STRANGERS;
    listener->opts.key = NULL;
    if (!opts->key) return 0;
    void *key = il__alloc(opts->key_size);
    if (!key) return -ENOMEM;
    memcpy(key, opts->key, opts->key_size);
    listener->opts.key = key;
    return 0;
}

int il_listener_new(const char *address, const il_connection_opts *opts, il_listener **out_listener)
{
    static const il_connection_opts defaults = { 0 };
    if (!opts) opts = &defaults;
    il__address where;
    int status = il__connection_check(opts);
    if (!status && il__address_parse(address, &where))
        status = il_fail(-EINVAL, "\"%s\" is no address", address);
    if (status) return status;

    il_listener *listener = il__zalloc(sizeof *listener);
    if (!listener) return -ENOMEM;
    listener->fd = listener->epoll = listener->bell = -1;
    status = copy_opts(listener, opts);
    if (!status) status = start_to_listen(listener, &where);
    if (status) il_listener_free(listener);
    else *out_listener = listener;
    return status;
}

const char *il_listener_address(const il_listener *listener)
{
    return listener->address;
}

/* If it is still ours: another may have put his there. */
static void remove_file(const il_listener *listener)
{
    struct stat found;
    const char *path = listener->address + strlen("unix:");
    if (!listener->file.st_ino || stat(path, &found)) return;
    if (found.st_ino == listener->file.st_ino && found.st_dev == listener->file.st_dev)
        unlink(path);
}

static void send_friends_away(il_listener *listener)
{
    for (il__link *link; (link = il__list_first(&listener->friends));) {
        struct guest *guest = il__of(link, struct guest, link);
        il__list_remove(&listener->friends, link);
        close(guest->handshake.fd);
        il__free(guest);
    }
}

void il_listener_close(il_listener *listener)
{
    il_mutex_lock(&listener->lock);
    if (listener->fd >= 0) {
        remove_file(listener);
        close(listener->fd);
        listener->fd = -1;
        while (oldest(listener)) send_away(listener, oldest(listener));
        send_friends_away(listener);
        ring(listener, true);
    }
    il_mutex_unlock(&listener->lock);
}

void il_listener_free(il_listener *listener)
{
    if (!listener) return;
    il_listener_close(listener);
    if (listener->epoll >= 0) {
        il__watch_close(&listener->watch);
        close(listener->epoll);
    }
    if (listener->bell >= 0) close(listener->bell);
    if (listener->opts.key)
        explicit_bzero((void *)(uintptr_t)listener->opts.key, listener->opts.key_size);
    il__free((void *)(uintptr_t)listener->opts.key);
    il__free(listener);
}
