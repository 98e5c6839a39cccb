/* SPDX-License-Identifier: MIT */
/*
 * Timers that call. A heap of ours, since libuv's is its own thread's and counts milliseconds; it is
 * seen to whenever libuv is, and the loop sleeps no longer than until its first.
 *
 * The lock of the gate `turn` guards the heap, the timers, and `fires`, the timer whose callback runs;
 * who frees that one waits at the gate. `next_timer` mirrors the key of the top for the loop that goes
 * to sleep: it says so in `sleeping` and then reads; who sets a timer writes and then reads `sleeping`.
 *
 * A timer has an owner for its handle and one for being in the heap or called; the last one frees it.
 */

#include <interlock/timer.h>

#include <errno.h>

#include "base/memory.h"
#include "loop/loop.h"

enum { BATCH = 1024 }; /* calls before others have their turn */

struct il_timer {
    il__heap_node node; /* first; key: when to look at it next */
    il__loop *loop;     /* set at init */
    il_timer_fn *fn;
    void *arg;
    il_time first;
    int64_t period;
    uint64_t next; /* the number of the beat that comes next */
    unsigned refs;
    bool restarted; /* set or stopped during its callback, whose answer does not count then */
};

/* --- The heap, locked ------------------------------------------------------------------------ */

static void mirror(il__loop *loop)
{
    il__heap_node *top = loop->timers.top;
    il__store_seq(&loop->next_timer, top ? top->key : IL_FOREVER);
}

static bool unref(il_timer *timer)
{
    return !--timer->refs;
}

static void insert(il_timer *timer, il_time key)
{
    timer->refs++;
    il__heap_insert(&timer->loop->timers, &timer->node, key);
}

/* Out of the heap; false: it was not in it. */
static bool take_out(il_timer *timer)
{
    if (!timer->node.inside) return false;
    il__heap_remove(&timer->loop->timers, &timer->node);
    timer->refs--; /* the caller has another */
    return true;
}

static il_time due_at(const il_timer *timer, uint64_t number)
{
    il_time span, due;
    if (__builtin_mul_overflow((int64_t)number, timer->period, &span) ||
        __builtin_add_overflow(timer->first, span, &due))
        return IL_FOREVER;
    return due;
}

static void set(il_timer *timer, il_time first, int64_t period)
{
    il_time now = il_now(); /* so that one that is due already waits for its turn all the same */
    timer->first = first;
    timer->period = period;
    timer->next = 0;
    timer->restarted = true;
    insert(timer, first > now ? first : now);
}

/* --- Calling --------------------------------------------------------------------------------- */

/* The beat that is due now: the last one whose time has come. */
static il_beat beat_of(il_timer *timer, il_time now)
{
    uint64_t number = timer->next;
    if (timer->period && now > timer->first)
        number = (uint64_t)(now - timer->first) / (uint64_t)timer->period;
    if (number < timer->next) number = timer->next;
    il_beat beat = {
        .number = number,
        .missed = number - timer->next,
        .due = due_at(timer, number),
    };
    timer->next = number + 1;
    return beat;
}

/* Call the first, whose time has come. The gate is locked, and locked again afterwards. */
static uint64_t fire(il__loop *loop, il_timer *timer, il_time now, uint64_t word)
{
    il__heap_remove(&loop->timers, &timer->node);
    mirror(loop);
    il_beat beat = beat_of(timer, now);
    loop->fires = timer;
    timer->restarted = false;
    il__gate_unlock(&loop->turn, word);
    int status = timer->fn(&beat, timer->arg);

    word = il__gate_lock(&loop->turn);
    loop->fires = NULL;
    il__waiter *waiters = il__gate_claim_all(&loop->turn);
    if (!timer->restarted && timer->period && status >= 0)
        insert(timer, due_at(timer, timer->next));
    bool last = unref(timer);
    if (waiters || last) {
        il__gate_unlock(&loop->turn, word);
        il__deliver_all(waiters);
        if (last) il__free(timer);
        word = il__gate_lock(&loop->turn);
    }
    return word;
}

void il__timers_fire(il__loop *loop)
{
    if (il__load(&loop->next_timer) == IL_FOREVER) return;
    il_time now = il_now();
    if (il__load(&loop->next_timer) > now) return;
    uint64_t word = il__gate_lock(&loop->turn);
    unsigned left = BATCH;
    for (il__heap_node *top; left && (top = loop->timers.top) && top->key <= now; left--)
        word = fire(loop, (il_timer *)top, now, word);
    mirror(loop);
    il__gate_unlock(&loop->turn, word);
}

void il__timers_drop(il__loop *loop)
{
    uint64_t word = il__gate_lock(&loop->turn);
    while (loop->timers.top) {
        il_timer *timer = (il_timer *)loop->timers.top;
        il__heap_remove(&loop->timers, &timer->node);
        if (unref(timer)) il__free(timer);
    }
    il__gate_unlock(&loop->turn, word);
}

/* --- Those who set them ---------------------------------------------------------------------- */

/* It may be the first now: a loop that sleeps is to know. Unlocks. */
static void announce(il__loop *loop, uint64_t word)
{
    il_time before = il__load(&loop->next_timer);
    mirror(loop);
    il__gate_unlock(&loop->turn, word);
    il__fence_full(); /* pairs with the one before the pool sleeps */
    if (il__load(&loop->next_timer) < before && il__load(&loop->pool.sleeping)) il__loop_wake(loop);
}

static int check(il__loop *loop, int64_t period)
{
    if (!loop || period < 0) return -EINVAL;
    return il__load(&loop->pool.executor.closing) && il__loop_here() != loop ? -ESHUTDOWN : 0;
}

int il_timer_start(il_executor *executor, il_time first, int64_t period, il_timer_fn *fn, void *arg,
                   il_timer **out_timer)
{
    il__loop *loop = il__loop_of(executor);
    int status = check(loop, period);
    if (status) return status;
    il_timer *timer = il__alloc(sizeof *timer);
    if (!timer) return -ENOMEM;
    *timer = (il_timer){ .loop = loop, .fn = fn, .arg = arg, .refs = out_timer ? 1 : 0 };
    if (out_timer) *out_timer = timer; /* before it is called */
    uint64_t word = il__gate_lock(&loop->turn);
    set(timer, first, period);
    announce(loop, word);
    return 0;
}

int il_timer_set(il_timer *timer, il_time first, int64_t period)
{
    il__loop *loop = timer->loop;
    int status = check(loop, period);
    if (status) return status;
    uint64_t word = il__gate_lock(&loop->turn);
    take_out(timer);
    set(timer, first, period);
    announce(loop, word);
    return 0;
}

/* Locked: it had not ended. */
static bool stop(il_timer *timer)
{
    bool repeats = timer->loop->fires == timer && timer->period && !timer->restarted;
    timer->restarted = true;
    return take_out(timer) || repeats;
}

int il_timer_stop(il_timer *timer)
{
    il__loop *loop = timer->loop;
    uint64_t word = il__gate_lock(&loop->turn);
    bool was_set = stop(timer);
    mirror(loop);
    il__gate_unlock(&loop->turn, word);
    return was_set ? 0 : -EALREADY;
}

void il_timer_free(il_timer *timer)
{
    if (!timer) return;
    il__loop *loop = timer->loop;
    uint64_t word = il__gate_lock(&loop->turn);
    stop(timer);
    mirror(loop);
    while (loop->fires == timer && il__loop_here() != loop) {
        il__gate_wait(&loop->turn, word, "timer", timer, 0, IL__PLAIN, IL_FOREVER);
        word = il__gate_lock(&loop->turn);
        stop(timer); /* its callback may have set it again */
    }
    bool last = unref(timer);
    mirror(loop);
    il__gate_unlock(&loop->turn, word);
    if (last) il__free(timer);
}
