/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a descriptor on a loop. poll.h says how it stands; README.md why it is so.
 *
 * Guarded by each gate: its bits. The handle and what it is watched for are the loop's thread's.
 * libuv is never called with a gate locked. The bit ARMED is set before the handle is started, and
 * cleared before it is stopped, so in between it may say more than is so, but only while the loop's
 * thread is on its way to make it true.
 */

#include "loop/poll.h"

#include <errno.h>
#include <unistd.h>

#include "base/memory.h"

static const int events_of[] = { UV_READABLE, UV_WRITABLE };

/* --- What the loop's thread does ------------------------------------------------------------- */

/* It may be worth a try one way: one who waits is woken; the last time, all are. A reader tries at
 * once; if there is more than it takes, the next event tells another. */
static void notify(il__poll *poll, il__way way, bool last)
{
    il__gate *gate = &poll->gate[way];
    uint64_t word = il__gate_lock(gate);
    il__waiter *chain = last ? il__gate_claim_all(gate) : il__gate_claim(gate);
    if (chain && !last) chain->next = NULL;
    if (!chain && !last && word & IL__POLL_TRYING) { /* it is on its way: once */
        il__gate_unlock(gate, word & ~IL__POLL_TRYING);
        return;
    }
    if (chain && chain->mode == IL__POLL_TRIES) word |= IL__POLL_TRYING;
    if (chain && chain->agent->executor == &poll->loop->pool.executor) il__bump(&poll->loop->due);
    if (last || !chain || chain->mode != IL__POLL_TRIES) word |= IL__POLL_READY;
    if (last || !chain || way == IL__OUT) word &= ~IL__POLL_ARMED;
    il__gate_unlock(gate, word);
    il__deliver_all(chain);
}

static void on_event(uv_poll_t *handle, int status, int events);

/* Have libuv watch for what is armed. */
static void watch_armed(il__poll *poll)
{
    int events = 0;
    for (il__way way = IL__IN; way <= IL__OUT; way++)
        if (il__load(&poll->gate[way].word) & IL__POLL_ARMED) events |= events_of[way];
    if (events == poll->events || uv_is_closing((uv_handle_t *)&poll->handle)) return;
    poll->events = events;
    if (events) uv_poll_start(&poll->handle, events, on_event);
    else uv_poll_stop(&poll->handle);
}

static void on_event(uv_poll_t *handle, int status, int events)
{
    il__poll *poll = il__of((void *)handle, il__poll, handle);
    if (status < 0) { /* an error waits to be taken, and libuv has ceased to watch */
        poll->events = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    for (il__way way = IL__IN; way <= IL__OUT; way++) {
        if (!(events & events_of[way])) continue;
        if (poll->tell) poll->tell(poll, way);
        else notify(poll, way, status < 0);
    }
    watch_armed(poll);
}

static int open_handle(il__poll *poll)
{
    if (poll->opened) return 0;
    int status = il__refused() ? -ENOMEM : uv_poll_init(&poll->loop->uv, &poll->handle, poll->fd);
    poll->opened = !status;
    return status;
}

static void watch(il__poll *poll)
{
    il__loop_enter_uv(poll->loop);
    int status = open_handle(poll);
    if (!status) watch_armed(poll);
    il__loop_leave_uv(poll->loop);
    if (!status) return;
    il__store_release(&poll->status, status); /* pairs with the acquire in il__poll_wait */
    for (il__way way = IL__IN; way <= IL__OUT; way++) notify(poll, way, true);
}

static void watch_posted(il__post *post)
{
    il__poll *poll = il__of((void *)post, il__poll, post);
    (void)il__swap(&poll->posted, false); /* who arms it from here on posts again */
    watch(poll);
}

void il__poll_init(il__poll *poll, il__loop *loop, int fd)
{
    poll->loop = loop;
    poll->fd = fd;
    poll->post.fn = watch_posted;
    poll->gate[IL__IN].word = poll->gate[IL__OUT].word = IL__POLL_READY;
}

/* --- What all do ----------------------------------------------------------------------------- */

/* It was tried: nobody is TRYING any more, and it is READY or not. */
static void tried(il__gate *gate, uint64_t ready)
{
    uint64_t word = il__load(&gate->word);
    if ((word & (IL__POLL_READY | IL__POLL_TRYING)) == ready) return;
    word = il__gate_lock(gate);
    il__gate_unlock(gate, (word & ~(IL__POLL_READY | IL__POLL_TRYING)) | ready);
}

void il__poll_exhausted(il__poll *poll, il__way way)
{
    tried(&poll->gate[way], 0);
}

void il__poll_more(il__poll *poll, il__way way)
{
    tried(&poll->gate[way], IL__POLL_READY);
}

static bool set_armed(il__gate *gate)
{
    uint64_t word = il__gate_lock(gate);
    il__gate_unlock(gate, word | IL__POLL_ARMED);
    return !(word & IL__POLL_ARMED);
}

void il__poll_arm(il__poll *poll, il__way way)
{
    if (!set_armed(&poll->gate[way])) return;
    if (il__loop_here() == poll->loop) {
        watch(poll);
        return;
    }
    if (!il__swap(&poll->posted, true)) il__loop_post(poll->loop, &poll->post);
}

int il__poll_wait(il__poll *poll, il__way way, const char *what, const void *on, il_time until)
{
    il__gate *gate = &poll->gate[way];
    if (until == IL_NOW) return il__poll_is_shut(poll, way) ? -EPIPE : -EAGAIN;
    if (!(il__load(&gate->word) & IL__POLL_ARMED)) il__poll_arm(poll, way);
    uint64_t word = il__gate_lock(gate);
    if (word & (IL__POLL_SHUT | IL__POLL_READY) || !(word & IL__POLL_ARMED)) {
        il__gate_unlock(gate, word);
        return word & IL__POLL_SHUT ? -EPIPE : il__load_acquire(&poll->status);
    }
    int status = il__gate_wait(gate, word, what, on, IL__POLL_TRIES, IL__CANCELS, until);
    unsigned due = il__load(&poll->loop->due);
    if (due && il__loop_here() == poll->loop) il__store(&poll->loop->due, due - 1);
    return status;
}

void il__poll_disarm(il__poll *poll, il__way way)
{
    uint64_t word = il__gate_lock(&poll->gate[way]);
    il__gate_unlock(&poll->gate[way], word & ~IL__POLL_ARMED);
    if (!poll->opened) return;
    il__loop_enter_uv(poll->loop);
    watch_armed(poll);
    il__loop_leave_uv(poll->loop);
}

void il__poll_shut(il__poll *poll, il__way way)
{
    il__gate *gate = &poll->gate[way];
    uint64_t word = il__gate_lock(gate);
    il__waiter *chain = il__gate_claim_all(gate);
    il__gate_unlock(gate, word | IL__POLL_SHUT);
    il__deliver_all(chain);
}

/* --- The end --------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    il__poll *poll = il__of((void *)handle, il__poll, handle);
    poll->released(poll);
}

/* libuv finds handles by their descriptors, so it lets go first. */
static void close_here(void *arg)
{
    il__poll *poll = arg;
    il__loop_enter_uv(poll->loop);
    if (poll->opened) uv_close((uv_handle_t *)&poll->handle, on_closed);
    il__loop_leave_uv(poll->loop);
    close(poll->fd);
    if (!poll->opened) poll->released(poll);
}

void il__poll_close(il__poll *poll, void (*released)(il__poll *poll))
{
    il__loop *loop = poll->loop;
    poll->released = released;
    if (il__loop_visit(loop, close_here, poll)) return;
    close(poll->fd); /* the loop is that of the process that forked this one */
    released(poll);
}
