/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_SELECT_H
#define INTERLOCK_SELECT_H

/*
 * Select: wait for several things, and do exactly one of them.
 *
 *     il_case cases[] = {
 *         IL_SET(&stop),
 *         IL_RECV(orders, &order),
 *         IL_WHEN(ready > 0, IL_SEND(waiter, &dish)),
 *         IL_AFTER(IL_SEC(10)),
 *     };
 *     size_t which;
 *     int status = il_select(cases, 4, IL_FOREVER, &which);
 *
 * A case says what to wait for and is ready when the call that it stands for would not have to
 * wait. That call is done for the case that is chosen, and for no other: of the others nothing is
 * sent, received, acquired or locked. Two selects can meet in a rendezvous; one never meets itself.
 *
 * Cases are plain values, on the stack or anywhere, good for one select or for many: write to one
 * again what has changed (a deadline, a buffer). Any number of them; nothing is allocated. During
 * the select the array belongs to it, so two threads or fibers need two.
 *
 * A case that is off (.off, or IL_WHEN) is passed over; that of a NULL is off, too.
 */

#include <interlock/broadcast.h>
#include <interlock/chan.h>
#include <interlock/event.h>
#include <interlock/future.h>
#include <interlock/latch.h>
#include <interlock/mutex.h>
#include <interlock/process.h>
#include <interlock/rwlock.h>
#include <interlock/scope.h>
#include <interlock/sem.h>
#include <interlock/thread.h>

IL__BEGIN

/* Only .off is meant to be touched. */
typedef struct il_case {
    bool off; /* pass it over */
    int il__kind;
    void *il__on;
    void *il__item;
    il_time il__at;
    struct il_case *il__next; /* in the order of gates */
    struct il__waiter il__waiter;
} il_case;

typedef enum il__kind {
    IL__TIME,
    IL__RECV,
    IL__SEND,
    IL__HEAR,
    IL__DONE,
    IL__ACQUIRE,
    IL__LOCK,
    IL__SET,
    IL__OPEN,
    IL__READ,
    IL__WRITE,
    IL__EMPTY,
    IL__ENDED,
    IL__EXITED,
    IL__READABLE,
    IL__WRITABLE,
    IL__KINDS
} il__kind;

static inline il_case il__case(il__kind kind, const void *on, const void *item)
{
    il_case made;
    made.off = !on;
    made.il__kind = kind;
    made.il__on = (void *)(uintptr_t)on;
    made.il__item = (void *)(uintptr_t)item;
    return made;
}

/* One function a kind, so that the compiler checks what it is given, and knows what is written to. */
#define IL__CASE(name, type, item_type, kind)                                                      \
    static inline il_case il__case_##name(const type *on, item_type *item)                         \
    {                                                                                              \
        return il__case(kind, on, item);                                                           \
    }
IL__CASE(recv, il_chan, void, IL__RECV)
IL__CASE(send, il_chan, const void, IL__SEND)
IL__CASE(hear, il_subscriber, void, IL__HEAR)
IL__CASE(done, il_future, const void, IL__DONE)
IL__CASE(acquire, il_sem, const void, IL__ACQUIRE)
IL__CASE(lock, il_mutex, const void, IL__LOCK)
IL__CASE(set, il_event, const void, IL__SET)
IL__CASE(open, il_latch, const void, IL__OPEN)
IL__CASE(read, il_rwlock, const void, IL__READ)
IL__CASE(write, il_rwlock, const void, IL__WRITE)
IL__CASE(empty, il_scope, const void, IL__EMPTY)
IL__CASE(ended, il_thread, const void, IL__ENDED)
IL__CASE(exited, il_process, const void, IL__EXITED)
#undef IL__CASE

static inline il_case il__case_at(il_time at)
{
    il_case made;
    made.off = false;
    made.il__kind = IL__TIME;
    made.il__at = at;
    return made;
}

static inline il_case il__case_when(bool on, il_case what)
{
    if (!on) what.off = true;
    return what;
}

/* The cases: what each waits for, and its status when it is chosen. */
#define IL_RECV(chan, out_item) il__case_recv(chan, out_item) /* il_chan_recv: 0, -EPIPE */
#define IL_SEND(chan, item) il__case_send(chan, item)         /* il_chan_send: 0, -EPIPE, -ENOMEM */
#define IL_HEAR(subscriber, out_item)                                                              \
    il__case_hear(subscriber, out_item)             /* il_subscriber_recv: 0, -EPIPE, -EOVERFLOW */
#define IL_DONE(future) il__case_done(future, NULL) /* 0: it is done; il_future_get has the rest */
#define IL_ACQUIRE(sem) il__case_acquire(sem, NULL) /* il_sem_acquire: 0, one was taken */
#define IL_LOCK(mutex) il__case_lock(mutex, NULL)   /* il_mutex_lock: 0, it is ours; -EDEADLK */
#define IL_SET(event) il__case_set(event, NULL)   /* il_event_wait: 0, an automatic one was taken */
#define IL_OPEN(latch) il__case_open(latch, NULL) /* il_latch_wait: 0 */
#define IL_READ(rwlock) il__case_read(rwlock, NULL)   /* il_rwlock_lock_shared: 0, -EDEADLK */
#define IL_WRITE(rwlock) il__case_write(rwlock, NULL) /* il_rwlock_lock: 0, -EDEADLK */
#define IL_EMPTY(scope) il__case_empty(scope, NULL)   /* 0: no child is left. The opener only */
#define IL_ENDED(thread)                                                                           \
    il__case_ended(thread, NULL) /* 0: il_thread_join has the rest. -EINVAL: was
                                                         not started; -EDEADLK: itself */
#define IL_EXITED(process) il__case_exited(process, NULL)  /* 0: il_process_wait has the rest */
#define IL_AT(time) il__case_at(time)                      /* 0: the time has come */
#define IL_AFTER(duration) il__case_at(il_after(duration)) /* so long after this line */

/* The case, if the condition holds; else one that is off. Its parts are evaluated all the same. */
#define IL_WHEN(condition, what) il__case_when(condition, what)

/* Choose the first case in the array that is ready; if none is, wait until one is. Put what must
 * not starve in front. Returns the status of the case chosen, as above, and its index in *out_index;
 * or, untouched, -EAGAIN, -ETIMEDOUT or -ECANCELED, and -EINVAL: no case is on and `until` is
 * IL_FOREVER. `until` IL_NOW makes it a look in passing. To tell a case's -ECANCELED or the like
 * from the select's own is never necessary: no case has one of those. */
IL_API int il_select(il_case *cases, size_t count, il_time until, size_t *out_index);

/* The same, but the first to be looked at is a random one, so that each case that keeps being ready
 * is chosen sooner or later. */
IL_API int il_select_fair(il_case *cases, size_t count, il_time until, size_t *out_index);

IL__END

#endif
