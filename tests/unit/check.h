/* SPDX-License-Identifier: MIT */
#ifndef CHECK_H
#define CHECK_H

/*
 * What the unit tests share.
 *
 * A crew is a few bodies that run beside the test: as threads (the library's and foreign ones in
 * turn), as fibers of one worker or of two, or as both. A body never asserts; it returns a status and writes to what it was given, and the
 * test looks at that after crew_join. A test that should hold for every kind of crew takes the kind
 * from its state and is listed with EACH_CREW.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <interlock/future.h>
#include <interlock/self.h>
#include <interlock/thread.h>

#include "base/probe.h"
#include "wait/gate.h"

#define UNUSED __attribute__((unused))

#define PAST ((il_time)1)
#define SOON il_after(IL_MS(5))
#define LATE il_after(IL_SEC(60)) /* never reached, unless something hangs */

/* --- Crews ----------------------------------------------------------------------------------- */

typedef enum crew_kind { THREADS, FIBERS, FIBERS_2, MIXED } crew_kind;

enum { CREW_MAX = 16 };

struct crew_member {
    struct crew_member *self;
    il_fn *fn;
    void *in;
    enum { OWN_THREAD, FOREIGN_THREAD, FIBER } as;
    il_thread own;
    pthread_t foreign;
    il_future *future;
    int status;
};

struct crew {
    crew_kind kind;
    il_executor *pool; /* NULL: threads only */
    int count, threads;
    int failed; /* members that could not be started */
    struct crew_member members[CREW_MAX];
};

UNUSED static void *crew_thread(void *arg)
{
    struct crew_member *member = arg;
    member->status = member->fn(member->in, NULL);
    return NULL;
}

UNUSED static int crew_task(void *in, void *out)
{
    (void)out;
    struct crew_member *member = *(struct crew_member **)in;
    member->status = member->fn(member->in, NULL);
    return 0;
}

UNUSED static void crew_open(struct crew *crew, void **state)
{
    memset(crew, 0, sizeof *crew);
    crew->kind = state && *state ? *(crew_kind *)*state : THREADS;
    if (crew->kind == THREADS) return;
    unsigned workers = crew->kind == FIBERS ? 1 : 2;
    if (il_threads_new(&(il_threads_opts){ .workers = workers }, &crew->pool)) crew->failed++;
}

/* Start fn(in, NULL) as the next member. */
UNUSED static void crew_add(struct crew *crew, il_fn *fn, void *in)
{
    struct crew_member *member = &crew->members[crew->count];
    int failed;
    *member = (struct crew_member){ .self = member, .fn = fn, .in = in };
    if (crew->pool && (crew->kind != MIXED || crew->count % 2)) member->as = FIBER;
    else if (crew->threads++ % 2) member->as = FOREIGN_THREAD;

    if (member->as == FIBER)
        failed = il_submit(crew->pool, crew_task, &member, sizeof member, 0, NULL, &member->future);
    else if (member->as == FOREIGN_THREAD)
        failed = pthread_create(&member->foreign, NULL, crew_thread, member);
    else failed = il_thread_start(&member->own, crew_task, &member->self, NULL, NULL);
    if (failed) crew->failed++;
    else crew->count++;
}

/* Wait for all; returns how many members failed to start or returned something else than 0. */
UNUSED static int crew_join(struct crew *crew)
{
    int failed = crew->failed;
    for (int i = 0; i < crew->count; i++) {
        struct crew_member *member = &crew->members[i];
        if (member->as == OWN_THREAD) il_thread_join(&member->own, IL_FOREVER);
        else if (member->as == FOREIGN_THREAD) pthread_join(member->foreign, NULL);
        else il_future_get(member->future, IL_FOREVER, NULL);
        il_future_free(member->future);
        failed += member->status != 0;
    }
    if (crew->pool) il_executor_free(crew->pool);
    crew->pool = NULL;
    return failed;
}

static const crew_kind crew_kinds[] UNUSED = { THREADS, FIBERS, FIBERS_2, MIXED };

#define CREW(test, n, words)                                                                       \
    {                                                                                              \
#test " (" words ")", test, NULL, NULL, (void *)&crew_kinds[n]                             \
    }
#define EACH_CREW(test)                                                                            \
    CREW(test, 0, "threads"), CREW(test, 1, "fibers of one worker"),                               \
        CREW(test, 2, "fibers of two workers"), CREW(test, 3, "threads and fibers")

/* --- Meeting --------------------------------------------------------------------------------- */

/* Until at least n wait at the gate. */
UNUSED static void until_waiting(il__gate *gate, unsigned n)
{
    while (il__gate_count(gate) < n) il_yield();
}

UNUSED static void until_true(const bool *flag)
{
    while (!il__load_acquire(flag)) il_yield();
}

/* --- Stepping in ------------------------------------------------------------------------------- */

/* Do act(arg) once, in whoever comes first to `point` with `object` (NULL: any), at that moment: for
 * the narrow places that a schedule finds once in a million. */
static struct step_in {
    il__probe_point point;
    const void *object;
    void (*act)(void *arg);
    void *arg;
} step_in_now UNUSED;

UNUSED static void step_in_listen(il__probe_point point, const void *object)
{
    struct step_in *now = &step_in_now;
    if (point != now->point || (now->object && object != now->object)) return;
    void (*act)(void *arg) = il__swap(&now->act, NULL); /* two may come at the same time */
    if (!act) return;
    il__store(&il__probe_listener, NULL);
    act(now->arg);
}

UNUSED static void step_in(il__probe_point point, const void *object, void (*act)(void *arg),
                           void *arg)
{
    step_in_now = (struct step_in){ point, object, act, arg };
    il__store_release(&il__probe_listener,
                      step_in_listen); /* pairs with the acquire in il__probe */
}

/* Does call(object, LATE), which must have to wait, return 0 if release(object) comes just before
 * the waiter locks `gate` to get into its list, and if it comes just before it parks? */
UNUSED static bool sees_a_late_release(int (*call)(void *object, il_time until), void *object,
                                       il__gate *gate, void (*release)(void *object))
{
    step_in(IL__PROBE_GATE, gate, release, object);
    int before_the_list = call(object, LATE);
    step_in(IL__PROBE_WAIT, NULL, release, object);
    int before_parking = call(object, LATE);
    il__store(&il__probe_listener, NULL);
    return !before_the_list && !before_parking;
}

/* --- Deadlines and cancellation --------------------------------------------------------------- */

/* A node of its own for the current agent, to be cancelled by another. */
struct cancelled_wait {
    il__cancel node;
    il__cancel *before;
};

UNUSED static void cancellable_begin(struct cancelled_wait *wait, il_time deadline)
{
    wait->before = il__self()->cancel;
    wait->node = (il__cancel){ 0 }; /* it may be fired before it enters */
    il__cancel_init(&wait->node, NULL, deadline);
    il__self()->cancel = &wait->node;
}

UNUSED static void cancellable_end(struct cancelled_wait *wait)
{
    il__cancel_leave(&wait->node);
    il__self()->cancel = wait->before;
}

/* One wait of every way to end: `call(object, until)` must have to wait. For a body: returns 0 or
 * the line at which something else than expected came back. */
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) return __LINE__;                                                         \
    } while (0)

UNUSED static int waits_and_gives_up(int (*call)(void *object, il_time until), void *object)
{
    struct cancelled_wait wait;
    il_time until = SOON;

    EXPECT(call(object, IL_NOW) == -EAGAIN);
    EXPECT(call(object, PAST) == -ETIMEDOUT);
    EXPECT(call(object, -IL_SEC(1)) == -ETIMEDOUT);
    EXPECT(call(object, until) == -ETIMEDOUT);
    EXPECT(il_now() >= until);

    cancellable_begin(&wait, 0);
    il__cancel_fire(&wait.node, -ECANCELED);
    int status = call(object, IL_FOREVER);
    cancellable_end(&wait);
    EXPECT(status == -ECANCELED);

    cancellable_begin(&wait, SOON); /* the deadline of what is around it is a cancellation */
    status = call(object, IL_FOREVER);
    int why = il__cancel_status(&wait.node);
    cancellable_end(&wait);
    EXPECT(status == -ECANCELED && why == -ETIMEDOUT);
    return 0;
}

struct giving_up {
    int (*call)(void *object, il_time until);
    void *object;
};

UNUSED static int give_up(void *in, void *out)
{
    (void)out;
    struct giving_up *giving_up = in;
    return waits_and_gives_up(giving_up->call, giving_up->object);
}

/* In a crew member, since the test itself may be the one who holds what it waits for. */
UNUSED static void assert_gives_up(void **state, int (*call)(void *object, il_time until),
                                   void *object)
{
    struct giving_up giving_up = { .call = call, .object = object };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, give_up, &giving_up);
    if (crew_join(&crew)) fail_msg("line %d of check.h", crew.members[0].status);
}

/* A wait that is cancelled by another while it is parked. */
struct outside_cancel {
    int (*call)(void *object, il_time until);
    void *object;
    struct cancelled_wait wait;
    int status;
};

UNUSED static int wait_to_be_cancelled(void *in, void *out)
{
    (void)out;
    struct outside_cancel *cancel = in;
    cancellable_begin(&cancel->wait, 0);
    cancel->status = cancel->call(cancel->object, LATE);
    cancellable_end(&cancel->wait);
    return 0;
}

/* What call(object, until) returned in a crew member that waited at `gate` when it was cancelled. */
UNUSED static int status_when_cancelled(void **state, int (*call)(void *object, il_time until),
                                        void *object, il__gate *gate)
{
    struct outside_cancel cancel = { .call = call, .object = object };
    struct crew crew;
    crew_open(&crew, state);
    crew_add(&crew, wait_to_be_cancelled, &cancel);
    until_waiting(gate, 1);
    il__cancel_fire(&cancel.wait.node, -ECANCELED);
    return crew_join(&crew) ? 1 : cancel.status;
}

/* --- Fatal ----------------------------------------------------------------------------------- */

/* Run misuse() in a child of one thread; give what it wrote to stderr. True: it aborted. */
UNUSED static bool aborts(void (*misuse)(void), char *words, size_t size)
{
    int ends[2], status = 0;
    size_t length = 0;
    ssize_t more;
    fflush(NULL);
    if (pipe(ends)) return false;
    pid_t child = fork();
    if (!child) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        misuse();
        _exit(0);
    }
    close(ends[1]);
    while ((more = read(ends[0], words + length, size - 1 - length)) > 0) length += (size_t)more;
    words[length] = 0;
    char *emulator =
        strstr(words, "qemu: uncaught"); /* that it has a word to say is not of interest */
    if (emulator) *emulator = 0;
    close(ends[0]);
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

UNUSED static void assert_says(const char *line, const char *words)
{
    if (!strstr(line, words)) fail_msg("\"%s\" is not in: %s", words, line);
}

UNUSED static void assert_fatal(void (*misuse)(void), const char *words)
{
    char line[1000];
    bool aborted = aborts(misuse, line, sizeof line);
    if (!aborted) fail_msg("it did not abort, and said: %s", line);
    assert_says(line, words);
}

/* The current thread as another agent, to be what only another can be: returns who it was. */
UNUSED static il__agent *become_another(const char *name)
{
    static il__agent another;
    il__agent *self = il__self();
    il__agent_init(&another, self->ops);
    another.name = name;
    il__self_set(&another);
    return self;
}

#endif
