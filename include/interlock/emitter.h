/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_EMITTER_H
#define INTERLOCK_EMITTER_H

/*
 * Emitter: events by name, and the handlers that want to hear of them.
 *
 *     static int greet(il_emitter *emitter, const char *event, void *data, void *arg)
 *     {
 *         printf("%s: %s\n", event, (const char *)data);
 *         return 0;
 *     }
 *
 *     il_emitter *door = NULL;
 *     int status = il_emitter_new(&door);
 *     if (!status) status = il_emitter_on(door, "visitor", greet, NULL);
 *     if (!status) status = il_emitter_emit(door, "visitor", "Ada", NULL);
 *     il_emitter_free(door);
 *
 * An emit calls the handlers of its event one after the other, on the stack of whoever emits, in
 * the order in which they were added, and returns when the last has. What changes meanwhile:
 *
 *   added during a dispatch      hears from the next emit on
 *   removed during a dispatch    is not called any more, in this dispatch either
 *   once                         is removed before it is called, so an emit from inside it, or one
 *                                at the same time, does not call it again
 *   emit inside a handler        runs to its end at once, like any call
 *   free inside a handler        no further handler is called; the memory goes with the last emit
 *
 * A handler that returns a negative status has failed; the handlers after it are called all the
 * same. The failure goes to the handlers of IL_EMITTER_ERROR, with an il_emitter_failure as their
 * data. If there are none, or one of those fails too, the emit returns the first such status.
 *
 * Any thread or fiber may use an emitter, several at once. No lock is held while a handler runs, so
 * it may wait, emit, add and remove. But for that a handler removed by another thread may still be
 * in the middle of a call when il_emitter_off returns.
 */

#include <interlock/status.h>

IL__BEGIN

typedef struct il_emitter il_emitter;

/* The event that failures of handlers become. */
#define IL_EMITTER_ERROR "error"

/* What an error handler gets as `data`: borrowed for the call. */
typedef struct il_emitter_failure {
    const char *event;     /* at which it failed */
    int status;            /* what its handler returned */
    const il_error *error; /* what it noted with that status, or NULL */
} il_emitter_failure;

/* Called with what was emitted: `event` and `data` are borrowed for the call. 0, or a negative
 * status: it has failed. */
typedef int il_handler(il_emitter *emitter, const char *event, void *data, void *arg);

/* Give an emitter without handlers. 0 or -ENOMEM. */
IL_API int il_emitter_new(il_emitter **out_emitter);

/* Add a handler, after those that are there. Copies the name; borrows `arg` until it is removed. The
 * same handler may be added several times, and is called as often. Never waits. 0 or -ENOMEM. */
IL_API int il_emitter_on(il_emitter *emitter, const char *event, il_handler *handler, void *arg);

/* The same, for the next emit only. */
IL_API int il_emitter_once(il_emitter *emitter, const char *event, il_handler *handler, void *arg);

/* Remove the handler that was added last of those that are `handler` with `arg`. Never waits. False:
 * there is none. */
IL_API bool il_emitter_off(il_emitter *emitter, const char *event, il_handler *handler, void *arg);

/* Remove all handlers of an event; NULL: of every event. Returns how many. */
IL_API size_t il_emitter_clear(il_emitter *emitter, const char *event);

/* Call the handlers of `event`; waits as long as they do. *out_called (may be NULL), also on failure:
 * how many were called, those of errors not counted. Returns 0 or, as said above, the status of the
 * first failure that no error handler took. */
IL_API int il_emitter_emit(il_emitter *emitter, const char *event, void *data, size_t *out_called);

/* How many handlers an event has now; how often it was emitted since it had its first. */
IL_API size_t il_emitter_handlers(il_emitter *emitter, const char *event);
IL_API uint64_t il_emitter_emits(il_emitter *emitter, const char *event);

/* Let go of it. Inside a handler that is allowed too. NULL is fine. */
IL_API void il_emitter_free(il_emitter *emitter);

IL__END

#endif
