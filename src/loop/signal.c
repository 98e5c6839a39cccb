/* SPDX-License-Identifier: MIT */
/*
 * Signals: libuv catches them, here they go to a channel, a callback or a scope.
 *
 * The handles are the loop's thread's; the last of them that libuv has closed takes the rest along, so
 * that whoever frees a signal need not wait for it.
 *
 * The second Ctrl-C must work also when the loop is held by a task, and libuv's handler only writes
 * to a pipe that the loop reads. So ours stands before it, and counts.
 */

#include <interlock/signal.h>

#include <errno.h>
#include <signal.h>

#include "base/memory.h"
#include "loop/loop.h"

enum { KEPT = 16 };

struct il_signal {
    il__loop *loop;   /* set at init, as are the next four */
    il_chan *chan;    /* NULL: for callbacks */
    il_signal_fn *fn; /* or NULL */
    void *arg;
    bool interrupts;
    size_t count;    /* handles that were started */
    size_t closing;  /* handles that libuv has not closed yet */
    size_t capacity; /* set at init */
    uv_signal_t handles[];
};

/* --- Interrupts ------------------------------------------------------------------------------ */

static const int interrupt_numbers[] = { SIGINT, SIGTERM };
enum { INTERRUPTS = 2 };

static struct {
    bool taken;    /* atomic */
    uint32_t seen; /* atomic */
    il_executor *executor;
    il_scope *scope;
    struct sigaction libuv[INTERRUPTS]; /* what stands behind ours */
} interrupt;

/* In a signal handler. */
static void on_interrupt(int number)
{
    if (il__add(&interrupt.seen, 1)) { /* when this returns, it is no longer blocked */
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    for (int i = 0; i < INTERRUPTS; i++)
        if (interrupt_numbers[i] == number) interrupt.libuv[i].sa_handler(number);
}

static void stand_before_libuv(void)
{
    for (int i = 0; i < INTERRUPTS; i++) {
        struct sigaction ours;
        sigaction(interrupt_numbers[i], NULL, &ours);
        interrupt.libuv[i] = ours;
        ours.sa_handler = on_interrupt;
        sigaction(interrupt_numbers[i], &ours, NULL);
    }
}

static void step_aside(void)
{
    for (int i = 0; i < INTERRUPTS; i++) sigaction(interrupt_numbers[i], &interrupt.libuv[i], NULL);
    il__store_release(&interrupt.taken, false);
}

static void cancel_all(int number, void *arg)
{
    (void)number, (void)arg;
    if (interrupt.scope) il_scope_cancel(interrupt.scope);
    else il__cancel_fire(&interrupt.executor->cancel, -ECANCELED);
}

/* --- On the loop ----------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *handle, int number)
{
    il_signal *signal = handle->data;
    if (signal->fn) signal->fn(number, signal->arg);
    else il_chan_send(signal->chan, &number, IL_NOW); /* no room: dropped */
}

static void release(il_signal *signal)
{
    il_chan_free(signal->chan);
    il__free(signal);
}

static void on_closed(uv_handle_t *handle)
{
    il_signal *signal = handle->data;
    if (!--signal->closing) release(signal);
}

static void close_here(void *arg)
{
    il_signal *signal = arg;
    if (signal->interrupts) step_aside();
    signal->closing = signal->count;
    for (size_t i = 0; i < signal->count; i++)
        uv_close((uv_handle_t *)&signal->handles[i], on_closed);
    if (!signal->count) release(signal);
}

struct opening {
    il_signal *signal;
    const int *numbers;
    int status;
};

static void open_here(void *arg)
{
    struct opening *one = arg;
    il_signal *signal = one->signal;
    for (size_t i = 0; !one->status && i < signal->capacity; i++) {
        uv_signal_t *handle = &signal->handles[i];
        one->status = il__refused() ? -ENOMEM : uv_signal_init(&signal->loop->uv, handle);
        if (one->status) break;
        handle->data = signal;
        signal->count++;
        one->status = uv_signal_start(handle, on_signal, one->numbers[i]);
    }
    if (!one->status && signal->interrupts) stand_before_libuv();
}

/* --- Those who ask --------------------------------------------------------------------------- */

static int open_signal(const il_signal *like, const int *numbers, size_t count,
                       il_signal **out_signal)
{
    if (!like->loop || !count) return -EINVAL;
    il_signal *signal = il__alloc(sizeof *signal + count * sizeof *signal->handles);
    if (!signal) return -ENOMEM;
    *signal = *like;
    signal->capacity = count;
    struct opening one = { .signal = signal, .numbers = numbers };
    if (!signal->fn)
        one.status = il_chan_new(sizeof(int), &(il_chan_opts){ .capacity = KEPT }, &signal->chan);
    if (one.status) {
        il__free(signal);
        return one.status;
    }
    il__loop_visit(signal->loop, open_here, &one);
    if (one.status) {
        signal->interrupts = false; /* it stands before nobody yet */
        il_signal_free(signal);
        return one.status;
    }
    *out_signal = signal;
    return 0;
}

int il_signal_open(il_executor *executor, const int *numbers, size_t count, il_signal **out_signal)
{
    return open_signal(&(il_signal){ .loop = il__loop_of(executor) }, numbers, count, out_signal);
}

int il_signal_on(il_executor *executor, const int *numbers, size_t count, il_signal_fn *fn,
                 void *arg, il_signal **out_signal)
{
    if (!fn) return -EINVAL;
    il_signal like = { .loop = il__loop_of(executor), .fn = fn, .arg = arg };
    return open_signal(&like, numbers, count, out_signal);
}

int il_signal_interrupt(il_executor *executor, il_scope *scope, il_signal **out_signal)
{
    il_signal like = { .loop = il__loop_of(executor), .fn = cancel_all, .interrupts = true };
    if (!like.loop) return -EINVAL;
    if (il__swap(&interrupt.taken, true)) return -EBUSY;
    interrupt.executor = executor;
    interrupt.scope = scope;
    il__store(&interrupt.seen, 0);
    int status = open_signal(&like, interrupt_numbers, INTERRUPTS, out_signal);
    if (status) il__store_release(&interrupt.taken, false);
    return status;
}

int il_signal_wait(il_signal *signal, il_time until, int *out_number)
{
    return signal->chan ? il_chan_recv(signal->chan, out_number, until) : -EPIPE;
}

il_chan *il_signal_chan(il_signal *signal)
{
    return signal->chan;
}

void il_signal_free(il_signal *signal)
{
    if (signal) il__loop_visit(signal->loop, close_here, signal);
}
