/* SPDX-License-Identifier: MIT */
/*
 * A struct that embeds its task: what gevent calls a Greenlet. One writes the run function of one's
 * own kind; start, start later, join and cancel are the same for all kinds.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>

/* --- For every kind ------------------------------------------------------------------------- */

typedef struct greenlet greenlet;
struct greenlet {
    int (*run)(greenlet *self);
    il_time begin; /* not before; 0: at once */
    il_future *future;
};

/* The task's input is a copy of the pointer, so the struct stays where it is. */
static int call_run(void *in, void *out)
{
    greenlet *self = *(greenlet **)in;
    int status = self->begin ? il_sleep(self->begin) : 0;
    return status ? status : self->run(self);
}

static int greenlet_start_later(greenlet *self, il_executor *pool, int64_t delay)
{
    if (self->future) return -EALREADY;
    self->begin = delay ? il_after(delay) : 0;
    return il_submit(pool, call_run, &self, sizeof self, 0, NULL, &self->future);
}

static int greenlet_start(greenlet *self, il_executor *pool)
{
    return greenlet_start_later(self, pool, 0);
}

static int greenlet_cancel(greenlet *self)
{
    return self->future ? il_future_cancel(self->future) : -EINVAL;
}

/* Once the status is that of the greenlet itself, it may be started again, or go out of scope. */
static int greenlet_join(greenlet *self, il_time until)
{
    if (!self->future) return -EINVAL;
    int status = il_future_get(self->future, until, NULL);
    if (!il_future_done(self->future)) return status;
    il_future_free(self->future);
    self->future = NULL;
    return status;
}

/* --- One kind -------------------------------------------------------------------------------- */

typedef struct greeter {
    greenlet greenlet;
    const char *name;
    int greeted;
} greeter;

static int greet(greenlet *base)
{
    greeter *self = IL_CONTAINER(base, greeter, greenlet);
    printf("hello from %s\n", self->name);
    self->greeted++;
    return 0;
}

int main(void)
{
    greeter now = { { .run = greet }, .name = "the one that starts at once" };
    greeter later = { { .run = greet }, .name = "the one that starts later" };
    greeter never = { { .run = greet }, .name = "the one that is cancelled" };
    il_executor *pool = NULL;
    if (il_threads_new(NULL, &pool)) return 1;

    int status = greenlet_start_later(&later.greenlet, pool, IL_MS(20));
    if (!status) status = greenlet_start_later(&never.greenlet, pool, IL_SEC(3600));
    if (!status) status = greenlet_start(&now.greenlet, pool);
    int first = greenlet_join(&now.greenlet, IL_FOREVER);
    int early = greenlet_join(&never.greenlet, il_after(IL_MS(1)));
    printf("joining too early: %s\n", il_strerror(early));
    greenlet_cancel(&never.greenlet);
    int second = greenlet_join(&later.greenlet, IL_FOREVER);
    int third = greenlet_join(&never.greenlet, IL_FOREVER);
    printf("the third was %s\n", il_strerror(third));
    il_executor_free(pool);
    return !(status == 0 && first == 0 && second == 0 && third == -ECANCELED &&
             early == -ETIMEDOUT && now.greeted == 1 && later.greeted == 1 && never.greeted == 0);
}
