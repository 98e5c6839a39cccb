/* SPDX-License-Identifier: MIT */
/*
 * The loop: making one, how it sleeps, driving it, closing it.
 *
 * The scheduler is that of src/sched; here is only how its worker idles. Everything libuv knows is
 * the loop's thread's. Others reach it by the inbox of the pool, and by `nudge`, which ends its sleep.
 *
 * A callback that makes a fiber runnable must keep libuv from going to sleep afterwards, as it would
 * after callbacks of timers: so a wake-up by the loop's own thread is uv_stop, which makes the poll
 * that follows a look, and ends that round.
 *
 * Deadlines of fibers are a timerfd's, which rings to the nanosecond; libuv's own timers count
 * milliseconds. It is set when the first deadline is earlier than what it is set to. One that was
 * taken back rings once, for nothing: cheaper than to set it at every wait that has a deadline.
 */

#include "loop/loop.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <interlock/latch.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "base/sanitize.h"
#include "os/futex.h"
#include "os/spin.h"

enum { MAPPED = 1024 }; /* items of a map under way: they wait, as a rule */
#define PATIENCE IL_MS(10)

static il__loop *of(il__pool *pool)
{
    return il__of((void *)pool, il__loop, pool);
}

/* --- Callbacks ------------------------------------------------------------------------------- */

/* A callback waits. For a plain lock the thread does, as threads do. */
static void park_thread(il__agent *self, il_time until)
{
    uint32_t word = il__load(&self->word);
    if (word & IL__CANCELLABLE && (word & IL__PHASE) != IL__WOKEN)
        il__fatal("a callback of loop \"%s\" waits for a %s: only a task may",
                  il__fiber_of(self)->pool->name, self->what);
    while ((word & IL__PHASE) != IL__WOKEN) {
        if (!(word & IL__PARKED) && !il__cas(&self->word, &word, word | IL__PARKED)) continue;
        il__futex_wait(&self->word, word | IL__PARKED, until);
        word = il__load(&self->word);
    }
}

static void unpark_thread(il__agent *agent)
{
    il__futex_wake(&agent->word, 1);
}

static void yield_nothing(il__agent *self)
{
    (void)self;
}

static const il__agent_ops callback_ops = {
    .park = park_thread,
    .unpark = unpark_thread,
    .yield = yield_nothing,
};

/* Let libuv run its callbacks, on the stack of the scheduler. */
static void run_uv(il__loop *loop, uv_run_mode mode)
{
    il__agent *self = il__self();
    const il__agent_ops *ops = self->ops;
    self->ops = &callback_ops;
    self->executor = &loop->pool.executor;
    il__store(&self->cancel, &loop->callbacks);
    il__store(&self->name, "callback");
    /* One thread: what its fibers did is seen by callbacks, and the other way round. */
    il__tsan_receive(&loop->pool.workers->native);
    il__bump(&loop->rounds);
    if (il__unlikely(loop->watch != NULL)) il__hold_look(loop);
    il__store(&loop->due, 0);
    il__loop_enter_uv(loop);
    uv_run(&loop->uv, mode);
    il__timers_fire(loop);
    il__store(&loop->polled, il_now());
    if (il__unlikely(loop->watch != NULL)) il__hold_looked(loop);
    il__loop_leave_uv(loop);
    il__tsan_hand_over(loop->pool.workers);
    il__store(&self->cancel, NULL);
    self->executor = NULL;
    self->ops = ops;
    il__agent_reset(self);
}

/* --- Sleeping -------------------------------------------------------------------------------- */

static il__post *take_post(il__loop *loop)
{
    il__spin_lock(&loop->posts_lock);
    il__post *post = loop->first_post;
    if (post && !(loop->first_post = post->next)) loop->last_post = NULL;
    il__spin_unlock(&loop->posts_lock);
    return post;
}

static void run_posts(il__loop *loop)
{
    for (il__post *post; (post = take_post(loop));) post->fn(post);
}

static void on_nudge(uv_async_t *nudge)
{
    run_posts(il__of((void *)nudge, il__loop, nudge));
}

static void on_alarm(uv_poll_t *alarm, int status, int events)
{
    (void)status, (void)events;
    il__of((void *)alarm, il__loop, alarm)->alarm_rang = true;
}

static void set_alarm(il__loop *loop, il_time until)
{
    if (!loop->alarm_rang && until >= loop->alarm_at) return;
    if (until == IL_FOREVER) until = 0; /* of a timerfd: never */
    struct itimerspec at = {
        .it_value = { .tv_sec = until / IL_SEC(1), .tv_nsec = until % IL_SEC(1) },
    };
    timerfd_settime(loop->alarm_fd, TFD_TIMER_ABSTIME, &at, NULL);
    loop->alarm_at = until ? until : IL_FOREVER;
    loop->alarm_rang = false;
}

static bool has_passed(il_time until)
{
    return until != IL_FOREVER && until <= il_now();
}

static bool is_closed(il__loop *loop)
{
    return il__load_acquire(&loop->pool.executor.closing) && il__pool_is_quiet(&loop->pool);
}

/* Driven by hand: is it to leave, whatever there is to do? */
static bool is_called_back(il__loop *loop)
{
    return il__load(&loop->stop) || (loop->awaited && il_future_done(loop->awaited));
}

static bool sleep_in_uv(il__pool *pool, il_time until)
{
    il__loop *loop = of(pool);
    if (loop->manual && (is_called_back(loop) || is_closed(loop))) return false;
    if (loop->until < until) until = loop->until;
    il_time timer = il__load_seq(&loop->next_timer); /* see timer.c */
    if (timer < until) until = timer;
    bool waits = !has_passed(until);
    if (waits) set_alarm(loop, until);
    run_uv(loop, waits ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    if (is_called_back(loop)) return false;
    return !has_passed(loop->until) || il__pool_has_work(pool);
}

/* Not before those that were woken last time have had their turn, unless that takes long: a look tells
 * of every descriptor again that a task is on its way to read. */
static bool poll_uv(il__pool *pool)
{
    il__loop *loop = of(pool);
    bool due = il__load(&loop->due) && il_now() - il__load(&loop->polled) < PATIENCE;
    if (!due) run_uv(loop, UV_RUN_NOWAIT);
    return !is_called_back(loop) && !has_passed(loop->until);
}

void il__loop_wake(il__loop *loop)
{
    if (il__worker_here() == loop->pool.workers) uv_stop(&loop->uv);
    else uv_async_send(&loop->nudge);
}

static void wake(il__pool *pool)
{
    il__loop_wake(of(pool));
}

/* --- What is libuv's, opened and closed ------------------------------------------------------ */

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static void close_uv(il__loop *loop)
{
    do {
        uv_walk(&loop->uv, close_handle, NULL);
        uv_run(&loop->uv, UV_RUN_DEFAULT);
    } while (uv_loop_close(&loop->uv) == UV_EBUSY);
    if (loop->alarm_fd >= 0) close(loop->alarm_fd);
    il__free(loop->scratch);
}

static int open_handles(il__loop *loop)
{
    if (il__refused()) return -EMFILE;
    loop->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->alarm_fd < 0) return -errno;
    int status = uv_async_init(&loop->uv, &loop->nudge, on_nudge);
    if (!status) status = uv_poll_init(&loop->uv, &loop->alarm, loop->alarm_fd);
    if (!status) status = uv_poll_start(&loop->alarm, UV_READABLE, on_alarm);
    return status;
}

static int open_uv(il__loop *loop)
{
    loop->alarm_fd = -1;
    loop->alarm_at = IL_FOREVER;
    loop->until = loop->next_timer = IL_FOREVER;
    il__cancel_init(&loop->callbacks, NULL, 0);
    int status = il__refused() ? -ENOMEM : uv_loop_init(&loop->uv);
    if (status) return status;
    status = open_handles(loop);
    if (status) close_uv(loop);
    return status;
}

static void end(il__pool *pool)
{
    il__hold_unwatch(of(pool));
    il__timers_drop(of(pool));
    close_uv(of(pool));
}

/* libuv's memory may be in the midst of a change, and to close its handles would take them off the
 * list of descriptors in the kernel, which is the parent's as well. So close no more than that. */
static void orphan(il__pool *pool)
{
    il__loop *loop = of(pool);
    close(uv_backend_fd(&loop->uv));
    close(loop->alarm_fd);
    loop->posts_lock = (il__spin){ 0 };
    loop->turn = (il__gate){ 0 };
    loop->fires = NULL;
    il__hold_orphan(loop);
    il__free(loop->scratch);
    loop->scratch = NULL;
}

/* What libuv has allocated stays, in sight of those who search for leaks. */
static void free_orphan(il__pool *pool)
{
    static il__loop *left;
    il__timers_drop(of(pool));
    of(pool)->next_left = left;
    left = of(pool);
}

static const il__idler idler = {
    .kind = "loop",
    .sleep = sleep_in_uv,
    .poll = poll_uv,
    .wake = wake,
    .end = end,
    .orphan = orphan,
    .free_orphan = free_orphan,
};

/* --- Driving by hand ------------------------------------------------------------------------- */

/* False: somebody drives it. A visit is short, so who is to drive it waits for its end; who would
 * visit leaves it to the other. */
static bool take(il__loop *loop, uint32_t as)
{
    if (!loop->manual) return false;
    for (unsigned round = 0;; round++) {
        uint32_t now = IL__ALONE;
        if (il__cas(&loop->driven, &now, as)) return true;
        if (now == IL__DRIVEN || as == IL__VISITED) return false;
        il__relax(round);
    }
}

static bool has_posts(il__loop *loop)
{
    il__spin_lock(&loop->posts_lock);
    bool some = loop->first_post;
    il__spin_unlock(&loop->posts_lock);
    return some;
}

/* Whoever posted before the store found it taken, and left the post to us. */
static void hand_back(il__loop *loop)
{
    for (;;) {
        il__store_seq(&loop->driven, IL__ALONE);
        il__futex_wake(&loop->driven, INT32_MAX);
        if (!has_posts(loop) || !take(loop, IL__VISITED)) return;
        run_posts(loop);
    }
}

/* Taken over: run until something calls back. True: it was il_loop_stop. */
static bool drive(il__loop *loop, il_time until)
{
    void *stack = il__overflow_stack_new(); /* without memory for it an overflow has no name */
    loop->until = until;
    if (loop->watch) il__hold_begin(loop);
    il__worker_be(loop->pool.workers);
    if (loop->watch) il__hold_look(loop);
    loop->until = IL_FOREVER;
    il__overflow_stack_free(stack);
    return il__swap(&loop->stop, 0);
}

static bool is_task(void)
{
    return il__worker_here();
}

static int begin_to_drive(il__loop *loop)
{
    if (!loop) return il_fail(-EINVAL, "not a loop");
    if (!loop->manual || il__load(&loop->driven) == IL__DRIVEN)
        return il_fail(-EBUSY, "loop \"%s\" runs already", loop->pool.name);
    if (is_task()) return il_fail(-EINVAL, "a loop is driven by a thread, not by a task");
    if (!take(loop, IL__DRIVEN))
        return il_fail(-EBUSY, "loop \"%s\" runs already", loop->pool.name);
    return 0;
}

static int late(il_time until)
{
    return until == IL_NOW ? -EAGAIN : -ETIMEDOUT;
}

int il_loop_run(il_executor *executor, il_time until)
{
    il__loop *loop = il__loop_of(executor);
    int status = begin_to_drive(loop);
    if (status) return status;
    bool over = drive(loop, until) || is_closed(loop);
    hand_back(loop);
    return over ? 0 : late(until);
}

static int await_future(void *in, void *out)
{
    (void)out;
    return il_futures_wait(in, 1, IL_ALL, IL_FOREVER);
}

/* A task of the loop waits for the future, and the loop is driven until that task has ended. */
int il_loop_run_until(il_executor *executor, il_future *future, il_time until)
{
    il__loop *loop = il__loop_of(executor);
    il_future *waiter = NULL;
    int status = begin_to_drive(loop);
    if (status) return status;

    status = il_submit(executor, await_future, &future, sizeof(void *), 0, NULL, &waiter);
    if (!status) {
        loop->awaited = waiter;
        bool stopped = drive(loop, until), ended = il_future_done(waiter);
        il_future_cancel(waiter);
        while (!il_future_done(waiter)) drive(loop, IL_FOREVER);
        loop->awaited = NULL;
        int refused = il_future_get(waiter, IL_NOW, NULL);
        il_future_free(waiter);
        if (!il_future_done(future)) status = ended ? refused : stopped ? -ECANCELED : late(until);
    }
    hand_back(loop);
    return status;
}

int il_loop_stop(il_executor *executor)
{
    il__loop *loop = il__loop_of(executor);
    if (!loop || !loop->manual) return -EINVAL;
    il__store_seq(&loop->stop, 1);
    il__loop_wake(loop);
    return 0;
}

bool il_loop_closed(il_executor *executor)
{
    il__loop *loop = il__loop_of(executor);
    return loop && is_closed(loop);
}

/* --- The executor ---------------------------------------------------------------------------- */

/* Manual: drive it until nothing is left. */
static int drive_until_quiet(il__loop *loop, il_time until)
{
    while (!is_closed(loop))
        if (!drive(loop, until) && !is_closed(loop)) return late(until);
    return 0;
}

/* What is left in it would wait for ever. */
static bool needs_driver(il__loop *loop)
{
    return loop->manual && is_task() && il__load(&loop->driven) != IL__DRIVEN &&
           !il__pool_is_quiet(&loop->pool);
}

static int close_loop(il_executor *executor, il_time until)
{
    il__loop *loop = il__loop_of(executor);
    if (il__loop_here() == loop)
        return il_fail(-EDEADLK, "an executor cannot be closed by a callback of its own");
    if (needs_driver(loop)) return il_fail(-EINVAL, "a loop is driven by a thread, not by a task");
    il__pool_shut(&loop->pool);
    if (loop->manual && !is_task() && take(loop, IL__DRIVEN)) {
        int status = drive_until_quiet(loop, until);
        hand_back(loop);
        return status;
    }
    if (loop->manual) uv_async_send(&loop->nudge); /* who drives it returns when it is quiet */
    return il__pool_close(executor, until);
}

static void free_loop(il_executor *executor)
{
    il__loop *loop = il__loop_of(executor);
    if (il__loop_here() == loop)
        il__fatal("il_executor_free called by a callback that runs on that executor (loop)");
    if (needs_driver(loop))
        il__fatal("il_executor_free of loop \"%s\", which nobody drives, by a task",
                  loop->pool.name);
    if (loop->manual) {
        il__cancel_fire(&executor->cancel, -ECANCELED);
        close_loop(executor, IL_FOREVER);
        for (uint32_t now; (now = il__load_seq(&loop->driven));)
            il__futex_wait(&loop->driven, now, IL_FOREVER);
    }
    il__pool_free(executor);
}

static const il__executor_ops ops = {
    .kind = "loop",
    .start = il__pool_enter,
    .close = close_loop,
    .free = free_loop,
    .describe = il__pool_describe,
};

il__loop *il__loop_of(il_executor *executor)
{
    return executor && executor->ops == &ops ? of((il__pool *)executor) : NULL;
}

il__loop *il__loop_here(void)
{
    il__worker *worker = il__worker_here();
    return worker && worker->pool->idler == &idler ? of(worker->pool) : NULL;
}

il_executor *il_loop_here(void)
{
    il__loop *loop = il__loop_here();
    return loop ? &loop->pool.executor : NULL;
}

int il_loop_describe(il_executor *executor, il_loop_info *out_info)
{
    il__loop *loop = il__loop_of(executor);
    if (!loop) return -EINVAL;
    *out_info = (il_loop_info){ .rounds = il__load(&loop->rounds) };
    if (loop->watch) il__hold_describe(loop, out_info);
    return 0;
}

struct uv_loop_s *il_loop_uv(il_executor *executor)
{
    il__loop *loop = il__loop_of(executor);
    return loop ? &loop->uv : NULL;
}

int il_loop_new(const il_loop_opts *opts, il_executor **out_executor)
{
    static const il_loop_opts defaults;
    if (!opts) opts = &defaults;
    il__loop *loop = il__aligned_zalloc(64, sizeof *loop);
    if (!loop) return -ENOMEM;
    int status = open_uv(loop);
    if (status) {
        il__free(loop);
        return status;
    }
    loop->manual = opts->manual;
    loop->pool.idler = &idler;
    status = il__pool_init(&loop->pool, &ops,
                           &(il_threads_opts){
                               .name = opts->name ? opts->name : "loop",
                               .stack_size = opts->stack_size,
                               .queue_limit = opts->queue_limit,
                           },
                           1);
    loop->pool.executor.at_once = MAPPED;
    if (!status) status = il__hold_watch(loop, opts);
    if (!status && !loop->manual) status = il__pool_start(&loop->pool);
    if (status) {
        il__pool_destroy(&loop->pool);
        return status;
    }
    *out_executor = &loop->pool.executor;
    return 0;
}

/* --- Getting there --------------------------------------------------------------------------- */

struct call {
    il_fn *fn;
    void *in, *out;
};

static int call(void *in, void *out)
{
    struct call *one = in;
    (void)out;
    return one->fn(one->in, one->out);
}

/* Driving the loop, if nobody else does. */
static int wait_driving(il_executor *executor, il_future *future, il_time until)
{
    int status = il_loop_run_until(executor, future, until);
    if (status != -EBUSY && status != -EINVAL) return status;
    return il_futures_wait(&future, 1, IL_ALL, until);
}

static int call_driving(il_executor *executor, struct call *one, il_time until)
{
    il_future *future = NULL;
    int status = il_submit(executor, call, one, sizeof *one, 0, NULL, &future);
    if (status) return status;
    int late = wait_driving(executor, future, until);
    if (late) il_future_cancel(future);
    while (!il_future_done(future)) wait_driving(executor, future, IL_FOREVER);
    status = il_future_get(future, IL_NOW, NULL);
    il_future_free(future);
    return late && status == -ECANCELED ? late : status;
}

static int call_in_scope(il_executor *executor, const struct call *one, il_time until)
{
    il_scope *scope = NULL;
    int status = il_scope_open(&(il_scope_opts){ .executor = executor, .deadline = until }, &scope);
    if (status) return status;
    status = il_go(scope, one->fn, one->in, one->out);
    int ended = il_scope_close(scope);
    return status ? status : ended;
}

int il_loop_call(il_executor *executor, il_fn *fn, void *in, void *out, il_time until)
{
    il__loop *loop = il__loop_of(executor);
    struct call one = { fn, in, out };
    if (!loop) return -EINVAL;
    if (il__loop_here() == loop) return fn(in, out);
    if (until == IL_NOW) return -EAGAIN;
    bool driving = loop->manual && il__load(&loop->driven) != IL__DRIVEN && !is_task();
    return driving ? call_driving(executor, &one, until) : call_in_scope(executor, &one, until);
}

static bool is_orphan(const il__loop *loop)
{
    return loop->pool.executor.ops != &ops;
}

void il__loop_post(il__loop *loop, il__post *post)
{
    if (is_orphan(loop)) return;
    post->next = NULL;
    il__spin_lock(&loop->posts_lock);
    if (loop->last_post) loop->last_post->next = post;
    else loop->first_post = post;
    loop->last_post = post;
    il__spin_unlock(&loop->posts_lock);
    if (take(loop, IL__VISITED)) hand_back(loop);
    else uv_async_send(&loop->nudge);
}

struct visit {
    il__post post;
    void (*fn)(void *arg);
    void *arg;
    il_latch done;
};

static void be_visited(il__post *post)
{
    struct visit *visit = il__of((void *)post, struct visit, post);
    visit->fn(visit->arg);
    il_latch_count_down(&visit->done, 1);
}

bool il__loop_visit(il__loop *loop, void (*fn)(void *arg), void *arg)
{
    struct visit visit = { { .fn = be_visited }, fn, arg, { .count = 1 } };
    if (il__loop_here() == loop) {
        fn(arg);
        return true;
    }
    if (is_orphan(loop)) return false;
    il__loop_post(loop, &visit.post);
    il_latch_wait(&visit.done);
    return true;
}
