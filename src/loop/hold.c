/* SPDX-License-Identifier: MIT */
/*
 * Who holds the loop? A thread of its own looks four times in each limit whether the worker gets on:
 * `tick` changes with every job, and the time that libuv has slept with every sleep. If neither did
 * for the length of the limit, it sends the worker a signal, in whose handler the worker itself notes
 * what it runs and where it is; names are given to that by this thread. So the loop pays nothing but
 * two looks at the clock a round, and only with a limit.
 *
 * The signal is SIGURG: ignored by default, and hardly used. One that is not ours is passed on. The
 * worker answers in a system call, too; if it does not within a second, it is told without a place.
 *
 * The answer belongs to this thread, but while `asked` is ANSWERING to the handler. Who asks in vain
 * takes the question back by compare-and-swap, and so does who answers take it.
 */

#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "loop/loop.h"
#include "os/futex.h"
#include "os/thread.h"

enum { LOOKS = 4, DEPTH = 24, FRAMES_OF_HANDLER = 2, PLACE = 160, NAME = 64 };
enum { NOT_ASKED, ASKED, ANSWERING, ANSWERED, MOVED_ON };

typedef struct il__watch_over {
    il__loop *loop; /* set at init, as are the next four */
    int64_t limit;
    void (*on_hold)(const il_hold *hold, void *arg);
    void *arg;
    pthread_t thread;
    uint32_t ends; /* atomic, futex */

    /* The answer, and the places in words. */
    uint32_t asked; /* atomic, futex; as above */
    unsigned tick;  /* at which it was asked */
    il_fn *fn;
    char name[NAME];
    void *frames[DEPTH];
    int depth;
    char places[DEPTH][PLACE];

    /* Written by the loop's thread, and `holds` by this one; read by anyone. */
    il_time looked_at; /* the loop's thread only, as is the next */
    uint64_t slept;
    int64_t longest;
    uint64_t holds, lag[IL_LAGS];
} watch_over;

/* --- On the loop ----------------------------------------------------------------------------- */

static int class_of(int64_t nanoseconds)
{
    uint64_t us = (uint64_t)nanoseconds / 1000;
    int class = us ? 64 - __builtin_clzll(us) : 0;
    return class < IL_LAGS ? class : IL_LAGS - 1;
}

/* Before it looks, or ceases to be driven. */
void il__hold_look(il__loop *loop)
{
    watch_over *watch = loop->watch;
    il_time now = il_now();
    int64_t lag = now - watch->looked_at;
    watch->looked_at = now;
    watch->slept = uv_metrics_idle_time(&loop->uv);
    il__bump(&watch->lag[class_of(lag)]);
    if (lag > watch->longest) il__store(&watch->longest, lag);
}

/* What its callbacks took counts as if it came after the look. */
void il__hold_looked(il__loop *loop)
{
    watch_over *watch = loop->watch;
    int64_t slept = (int64_t)(uv_metrics_idle_time(&loop->uv) - watch->slept);
    watch->looked_at += slept;
}

void il__hold_begin(il__loop *loop)
{
    loop->watch->looked_at = il_now();
}

/* --- The signal ------------------------------------------------------------------------------ */

static struct sigaction before;

static void answer(watch_over *watch)
{
    il__loop *loop = watch->loop;
    il__agent *self = il__self();
    const il__task *task = self->task;
    bool same = il__load(&loop->pool.workers->tick) == watch->tick;
    watch->fn = task ? task->fn : NULL;
    strncpy(watch->name, self->name ? self->name : "", NAME - 1);
    watch->depth = backtrace(watch->frames, DEPTH);
    il__store_release(&watch->asked, same ? ANSWERED : MOVED_ON); /* pairs with ask */
    il__futex_wake(&watch->asked, 1);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    il__loop *loop = il__loop_here();
    uint32_t asked = ASKED;
    if (loop && loop->watch && il__cas(&loop->watch->asked, &asked, ANSWERING)) answer(loop->watch);
    else if (before.sa_flags & SA_SIGINFO) before.sa_sigaction(number, info, context);
    else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
        before.sa_handler(number);
    errno = saved;
}

static void install(void)
{
    struct sigaction action = {
        .sa_sigaction = on_signal,
        .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART,
    };
    void *frame;
    (void)backtrace(&frame, 1); /* it loads what it needs at the first call: not in a handler */
    sigaction(SIGURG, NULL, &before);
    sigaction(SIGURG, &action, NULL);
}

/* --- The thread that watches ----------------------------------------------------------------- */

/* What changes while the loop gets on. */
typedef struct state {
    unsigned tick;
    uint64_t slept;
    bool runs; /* a manual one only while it is driven */
} state;

static state look(il__loop *loop)
{
    return (state){
        .tick = il__load(&loop->pool.workers->tick),
        .slept = uv_metrics_idle_time(&loop->uv),
        .runs = !loop->manual || il__load(&loop->driven) == IL__DRIVEN,
    };
}

/* Have the worker say where it is. False: it has got on meanwhile. */
static bool ask(watch_over *watch, unsigned tick)
{
    watch->tick = tick;
    watch->fn = NULL;
    watch->depth = 0;
    watch->name[0] = 0;
    il__store_release(&watch->asked, ASKED); /* pairs with the swap in on_signal */
    il__thread_signal(il__load(&watch->loop->pool.workers->kernel_id), SIGURG);
    il_time until = il_after(IL_SEC(1));
    uint32_t asked;
    while ((asked = il__load_acquire(&watch->asked)) < ANSWERED) {
        bool late = il__futex_wait(&watch->asked, asked, until);
        if (late && il__cas(&watch->asked, &(uint32_t){ ASKED }, NOT_ASKED)) return true;
    }
    return asked == ANSWERED;
}

static void tell(watch_over *watch, il_time since)
{
    const char *places[DEPTH];
    size_t depth = 0;
    for (int i = FRAMES_OF_HANDLER; i < watch->depth; i++, depth++)
        places[depth] = il__place(watch->frames[i], watch->places[i], PLACE);
    il_hold hold = {
        .loop = watch->loop->pool.name,
        .task = watch->name,
        .fn = watch->fn,
        .since = since,
        .depth = depth,
        .places = places,
    };
    watch->on_hold(&hold, watch->arg);
}

static bool same(state a, state b)
{
    return a.runs && b.runs && a.tick == b.tick && a.slept == b.slept;
}

static void *keep_watch(void *arg)
{
    watch_over *watch = arg;
    state last = look(watch->loop);
    il_time since = il_now();
    bool told = false;
    il__thread_set_name("il-watch");
    while (!il__load_acquire(&watch->ends)) {
        il__futex_wait(&watch->ends, 0, il_after(watch->limit / LOOKS));
        state now = look(watch->loop);
        if (!same(last, now)) {
            last = now;
            since = il_now();
            told = false;
        } else if (!told && il_now() - since >= watch->limit) {
            told = true;
            il__bump(&watch->holds);
            if (watch->on_hold && ask(watch, now.tick)) tell(watch, since);
        }
    }
    return NULL;
}

/* --- Beginning and ending -------------------------------------------------------------------- */

int il__hold_watch(il__loop *loop, const il_loop_opts *opts)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (opts->hold_limit <= 0) return 0;
    watch_over *watch = il__zalloc(sizeof *watch);
    if (!watch) return -ENOMEM;
    watch->loop = loop;
    watch->limit = opts->hold_limit;
    watch->on_hold = opts->on_hold;
    watch->arg = opts->arg;
    watch->looked_at = il_now();
    pthread_once(&once, install);
    uv_loop_configure(&loop->uv, UV_METRICS_IDLE_TIME);
    int status = il__thread_create(&watch->thread, 0, false, keep_watch, watch);
    if (status) il__free(watch);
    else loop->watch = watch;
    return status;
}

void il__hold_unwatch(il__loop *loop)
{
    watch_over *watch = loop->watch;
    if (!watch) return;
    il__store_seq(&watch->ends, 1);
    il__futex_wake(&watch->ends, 1);
    pthread_join(watch->thread, NULL);
    loop->watch = NULL;
    il__free(watch);
}

/* In the child of a fork: its thread is not here. The memory is the loop's, which stays. */
void il__hold_orphan(il__loop *loop)
{
    if (loop->watch) il__store(&loop->watch->asked, NOT_ASKED);
}

void il__hold_describe(il__loop *loop, il_loop_info *out_info)
{
    const watch_over *watch = loop->watch;
    out_info->holds = il__load(&watch->holds);
    out_info->longest = il__load(&watch->longest);
    for (int i = 0; i < IL_LAGS; i++) out_info->lag[i] = il__load(&watch->lag[i]);
}
