/* SPDX-License-Identifier: MIT */
/*
 * The emitter: a hash table of events, each with the list of its handlers.
 *
 * `lock` guards all of it and is never held while a handler runs. A dispatch walks the list with
 * its current handler pinned: a pinned one stays linked, removed or not, so that its successor can be
 * found when it returns. Whoever lets go of the last pin of a removed one unlinks it. Handlers are
 * numbered as they are added; a dispatch stops at those that are younger than itself.
 *
 * Emitter and dispatches count references, so that it may be freed inside a handler. Events stay
 * until the end, since they count emits.
 */

#include <interlock/emitter.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/memory.h"
#include "os/random.h"
#include "os/spin.h"

enum { BUCKETS = 32 };

struct listener {
    il__link link;
    struct event *of;
    il_handler *handler;
    void *arg;
    uint64_t number;
    unsigned pins; /* dispatches that are at it */
    bool once, removed;
};

struct event {
    struct event *next; /* in its bucket */
    il__list listeners;
    size_t live; /* not removed */
    uint64_t emits;
    char name[];
};

struct il_emitter {
    uint64_t key[2]; /* set at init */
    il__spin lock;   /* guards what follows */
    bool freed;
    unsigned refs;   /* the owner's, and one a dispatch */
    uint64_t number; /* of the listener that was added last */
    il__list dead;   /* listeners to be released after unlocking */
    struct event *buckets[BUCKETS];
};

int il_emitter_new(il_emitter **out_emitter)
{
    il_emitter *emitter = il__zalloc(sizeof *emitter);
    if (!emitter) return -ENOMEM;
    emitter->refs = 1;
    il__random(emitter->key, sizeof emitter->key);
    *out_emitter = emitter;
    return 0;
}

/* --- Events and their listeners, locked ------------------------------------------------------ */

static struct event **bucket_of(il_emitter *emitter, const char *name)
{
    return &emitter->buckets[il__hash_bytes(emitter->key, name, strlen(name)) % BUCKETS];
}

static struct event *find(il_emitter *emitter, const char *name)
{
    struct event *event = *bucket_of(emitter, name);
    while (event && strcmp(event->name, name) != 0) event = event->next;
    return event;
}

static void release_all(il__list *dead)
{
    for (il__link *link; (link = il__list_take(dead));)
        il__free(il__of(link, struct listener, link));
}

static void unlock(il_emitter *emitter)
{
    il__list dead = emitter->dead;
    emitter->dead = (il__list){ 0 };
    il__spin_unlock(&emitter->lock);
    release_all(&dead);
}

static void bury(il_emitter *emitter, struct listener *listener)
{
    il__list_remove(&listener->of->listeners, &listener->link);
    il__list_append(&emitter->dead, &listener->link);
}

static void remove_listener(il_emitter *emitter, struct listener *listener)
{
    listener->removed = true;
    listener->of->live--;
    if (!listener->pins) bury(emitter, listener);
}

static size_t clear(il_emitter *emitter, struct event *event)
{
    size_t count = event->live;
    il__link *next;
    for (il__link *link = il__list_first(&event->listeners); link; link = next) {
        next = il__list_next(link);
        struct listener *one = il__of(link, struct listener, link);
        if (!one->removed) remove_listener(emitter, one);
    }
    return count;
}

/* --- Adding and removing --------------------------------------------------------------------- */

static struct event *new_event(const char *name)
{
    size_t size = strlen(name) + 1;
    struct event *event = il__zalloc(sizeof *event + size);
    if (event) memcpy(event->name, name, size);
    return event;
}

/* Puts *made into the table, and forgets it, if the event is not there yet. */
static struct event *find_or_put(il_emitter *emitter, const char *name, struct event **made)
{
    struct event *found = find(emitter, name);
    if (found || !*made) return found;
    struct event **bucket = bucket_of(emitter, name);
    found = *made;
    *made = NULL;
    found->next = *bucket;
    return *bucket = found;
}

static int add(il_emitter *emitter, const char *name, il_handler *handler, void *arg, bool once)
{
    struct listener *one = il__zalloc(sizeof *one);
    struct event *made = one ? new_event(name) : NULL; /* no memory is asked for under the lock */
    il__spin_lock(&emitter->lock);
    struct event *event = one ? find_or_put(emitter, name, &made) : NULL;
    if (event) {
        one->of = event;
        one->handler = handler;
        one->arg = arg;
        one->once = once;
        one->number = ++emitter->number;
        event->live++;
        il__list_append(&event->listeners, &one->link);
    }
    unlock(emitter);
    if (!event) il__free(one);
    il__free(made);
    return event ? 0 : -ENOMEM;
}

int il_emitter_on(il_emitter *emitter, const char *event, il_handler *handler, void *arg)
{
    return add(emitter, event, handler, arg, false);
}

int il_emitter_once(il_emitter *emitter, const char *event, il_handler *handler, void *arg)
{
    return add(emitter, event, handler, arg, true);
}

bool il_emitter_off(il_emitter *emitter, const char *name, il_handler *handler, void *arg)
{
    struct listener *last = NULL;
    il__spin_lock(&emitter->lock);
    struct event *event = find(emitter, name);
    for (il__link *link = event ? il__list_first(&event->listeners) : NULL; link;
         link = il__list_next(link)) {
        struct listener *one = il__of(link, struct listener, link);
        if (!one->removed && one->handler == handler && one->arg == arg) last = one;
    }
    if (last) remove_listener(emitter, last);
    unlock(emitter);
    return last;
}

static size_t clear_all(il_emitter *emitter)
{
    size_t count = 0;
    for (int i = 0; i < BUCKETS; i++)
        for (struct event *event = emitter->buckets[i]; event; event = event->next)
            count += clear(emitter, event);
    return count;
}

size_t il_emitter_clear(il_emitter *emitter, const char *name)
{
    il__spin_lock(&emitter->lock);
    struct event *event = name ? find(emitter, name) : NULL;
    size_t count = !name ? clear_all(emitter) : event ? clear(emitter, event) : 0;
    unlock(emitter);
    return count;
}

/* --- Emitting -------------------------------------------------------------------------------- */

/* Give up a reference, and unlock; the last one ends the emitter. */
static void unref_and_unlock(il_emitter *emitter)
{
    bool last = !--emitter->refs;
    if (last) clear_all(emitter); /* nothing is pinned any more */
    unlock(emitter);
    if (!last) return;
    for (int i = 0; i < BUCKETS; i++)
        for (struct event *event = emitter->buckets[i], *next; event; event = next) {
            next = event->next;
            il__free(event);
        }
    il__free(emitter);
}

/* The next one to be called after `link`, up to number `youngest`; NULL: there is none. Locked. */
static struct listener *next_listener(const struct event *event, const il__link *link,
                                      uint64_t youngest)
{
    link = link ? il__list_next(link) : il__list_first(&event->listeners);
    for (; link; link = il__list_next(link)) {
        struct listener *one = il__of(link, struct listener, link);
        if (one->number > youngest) return NULL;
        if (!one->removed) return one;
    }
    return NULL;
}

static void pin(il_emitter *emitter, struct listener *listener)
{
    listener->pins++;
    if (listener->once) remove_listener(emitter, listener); /* it stays linked: it is pinned */
}

static void unpin(il_emitter *emitter, struct listener *listener)
{
    if (!--listener->pins && listener->removed) bury(emitter, listener);
}

static int pass_failure(il_emitter *emitter, const char *event, int status);

/* Call the handlers that are there now. Returns the first failure that nobody took. */
static int dispatch(il_emitter *emitter, struct event *event, void *data, bool errors,
                    size_t *called)
{
    uint64_t youngest = emitter->number;
    struct listener *one = next_listener(event, NULL, youngest);
    int failure = 0;
    while (one) {
        pin(emitter, one);
        unlock(emitter);
        int status = one->handler(emitter, event->name, data, one->arg);
        ++*called;
        if (status < 0 && !errors) status = pass_failure(emitter, event->name, status);
        if (status < 0 && !failure) failure = status;
        il__spin_lock(&emitter->lock);
        struct listener *next = emitter->freed ? NULL : next_listener(event, &one->link, youngest);
        unpin(emitter, one);
        one = next;
    }
    return failure;
}

static int emit(il_emitter *emitter, const char *name, void *data, bool errors, size_t *called)
{
    int status = 0;
    il__spin_lock(&emitter->lock);
    struct event *event = emitter->freed ? NULL : find(emitter, name);
    if (event) {
        event->emits++;
        emitter->refs++;
        status = dispatch(emitter, event, data, errors, called);
        unref_and_unlock(emitter);
    } else {
        unlock(emitter);
    }
    return status;
}

/* To the error handlers: 0, they took it. */
static int pass_failure(il_emitter *emitter, const char *event, int status)
{
    const il_error *noted = il_last_error();
    il__error *error = noted && noted->status == status ? il__error_ref((il__error *)noted) : NULL;
    il_emitter_failure failure = {
        .event = event,
        .status = status,
        .error = error ? &error->public : NULL,
    };
    size_t called = 0;
    int own = emit(emitter, IL_EMITTER_ERROR, &failure, true, &called);
    il__error_unref(error);
    return called ? own : status;
}

int il_emitter_emit(il_emitter *emitter, const char *event, void *data, size_t *out_called)
{
    size_t called = 0;
    bool errors = strcmp(event, IL_EMITTER_ERROR) == 0; /* a failure in there has nowhere to go */
    int status = emit(emitter, event, data, errors, &called);
    if (out_called) *out_called = called;
    return status;
}

/* --- Looking at it --------------------------------------------------------------------------- */

size_t il_emitter_handlers(il_emitter *emitter, const char *name)
{
    il__spin_lock(&emitter->lock);
    struct event *event = find(emitter, name);
    size_t count = event ? event->live : 0;
    unlock(emitter);
    return count;
}

uint64_t il_emitter_emits(il_emitter *emitter, const char *name)
{
    il__spin_lock(&emitter->lock);
    struct event *event = find(emitter, name);
    uint64_t count = event ? event->emits : 0;
    unlock(emitter);
    return count;
}

void il_emitter_free(il_emitter *emitter)
{
    if (!emitter) return;
    il__spin_lock(&emitter->lock);
    emitter->freed = true;
    unref_and_unlock(emitter);
}
