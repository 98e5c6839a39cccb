/* SPDX-License-Identifier: MIT */
/*
 * Generators. The body is a task that is suspended unless somebody asks; the consumers that wait are
 * the list of the gate, whose lock guards everything here.
 *
 *     RUNNING    somebody asked, or it is about to be suspended at its beginning
 *     SUSPENDED  in `suspend`: `body` may be claimed
 *     ENDED      the task's future is done
 *
 * A value goes straight to the consumer that has waited longest; when that one has given up, into
 * `item`, and the body is not asked again before it is fetched.
 *
 * A suspended body is a ward of its scope, not a child: nobody might ask it again, and the scope
 * would wait for ever. So it leaves the scope when it is suspended, and whoever ends that state
 * enters it again, under the gate's lock. While it is SUSPENDED its scope exists: closing that
 * ends its wards, and waits for them, as they are children then. Lock order: generator, scope.
 */

#include <interlock/generator.h>

#include <errno.h>
#include <string.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "task/executor.h"
#include "task/future.h"
#include "task/scope.h"

typedef enum state { RUNNING, SUSPENDED, ENDED } state;

struct il_generator {
    il__gate gate; /* consumers that wait; guards: */
    state state;
    bool asked;      /* at least once */
    bool full;       /* a value waits in `item` */
    bool closing;    /* atomic: written with the lock held */
    unsigned refs;   /* atomic: the owner's, the task's, its scope's while that ends it */
    il__agent *body; /* set when it begins */

    il__ward ward;
    il_scope *scope; /* set at init, as is the rest; NULL: in none */
    il_future *future;
    il_fn *fn;
    void *in;
    size_t item_size;
    unsigned char item[];
};

/* One that waits for a value, or (item NULL) for the end. */
struct client {
    il__waiter waiter; /* first */
    void *item;
    bool served; /* set by who claims it */
};

static void unref(il_generator *generator)
{
    if (il__sub(&generator->refs, 1) == 1) il__free(generator);
}

/* --- The body ---------------------------------------------------------------------------------- */

/* It is suspended no more: a child of its scope again. */
static void set_running(il_generator *generator)
{
    generator->state = RUNNING;
    if (generator->scope) il__scope_enter(generator->scope);
}

/* Let the body go on if it is suspended. Returns whom to deliver to, or NULL. Locked. */
static il__agent *resume(il_generator *generator)
{
    if (generator->state != SUSPENDED) return NULL;
    set_running(generator);
    /* One that cannot be claimed has been cancelled: it is on its way. */
    return il__claim(generator->body, 0) ? generator->body : NULL;
}

/* Wait to be asked. Locked; unlocks, then delivers to the consumer that has been served, if any. */
static int suspend(il_generator *generator, uint64_t word, il__waiter *served)
{
    il__agent *self = generator->body;
    il_scope *scope = generator->scope;
    generator->state = SUSPENDED;
    il__wait_begin(self, "generator", generator, IL__CANCELS);
    il__gate_unlock(&generator->gate, word);
    if (served) il__deliver(served->agent);
    if (scope) il__scope_leave(scope);

    int status = il__wait(self, IL_FOREVER);
    if (!status) return il__load(&generator->closing) ? -ECANCELED : 0;
    word = il__gate_lock(&generator->gate);
    if (generator->state == SUSPENDED) set_running(generator);
    il__gate_unlock(&generator->gate, word);
    return status;
}

static void check_body(il_generator *generator)
{
    if (generator->body != il__self() || generator->state != RUNNING)
        il__fatal("il_generator_yield of generator %p by somebody else than its body",
                  (void *)generator);
}

int il_generator_yield(il_generator *generator, const void *item)
{
    check_body(generator);
    uint64_t word = il__gate_lock(&generator->gate);
    if (generator->closing) {
        il__gate_unlock(&generator->gate, word);
        return -ECANCELED;
    }
    struct client *client = (struct client *)il__gate_claim(&generator->gate);
    memcpy(client ? client->item : generator->item, item, generator->item_size);
    if (client) client->served = true;
    else generator->full = true;
    if (!client || !generator->gate.waiters)
        return suspend(generator, word, client ? &client->waiter : NULL);

    il__gate_unlock(&generator->gate, word); /* the next one waits already */
    il__deliver(client->waiter.agent);
    return 0;
}

static int run(void *in, void *out)
{
    il_generator *generator = in;
    int status = 0;
    uint64_t word = il__gate_lock(&generator->gate);
    generator->body = il__self();
    if (generator->asked || generator->closing) il__gate_unlock(&generator->gate, word);
    else status = suspend(generator, word, NULL);
    if (!status && il__load(&generator->closing)) status = -ECANCELED;
    return status ? status : generator->fn(generator->in, generator);
}

/* Called in any case, also when the task never ran. The scope still counts it. */
static void ended(il_future *future, void *arg)
{
    il_generator *generator = arg;
    if (generator->scope) il__scope_remove_ward(generator->scope, &generator->ward);
    uint64_t word = il__gate_lock(&generator->gate);
    generator->state = ENDED;
    il__waiter *waiters = il__gate_claim_all(&generator->gate);
    il__gate_unlock(&generator->gate, word);
    il__deliver_all(waiters);
    unref(generator);
}

/* --- Consumers --------------------------------------------------------------------------------- */

/* Wait to be served, or for the end. Locked; unlocks, then lets the body go on if it is suspended. */
static int wait_for(il_generator *generator, uint64_t word, struct client *client,
                    il__cancels cancels, il_time until)
{
    il__agent *self = il__self(), *body = resume(generator);
    if (until != IL_NOW) {
        client->waiter.agent = self;
        il__wait_begin(self, "generator", generator, cancels);
        il__gate_add(&generator->gate, &client->waiter);
    }
    il__gate_unlock(&generator->gate, word);
    if (body) il__deliver(body);
    if (until == IL_NOW) return -EAGAIN;

    int status = il__wait(self, until);
    if (status) il__gate_leave(&generator->gate, &client->waiter);
    return status;
}

/* What its end says. */
static int outcome(il_generator *generator)
{
    int status = il_future_get(generator->future, IL_NOW, NULL);
    return status == -ECANCELED && il__load(&generator->closing) ? 0 : status;
}

int il_generator_next(il_generator *generator, void *out_item, il_time until)
{
    struct client client = { .item = out_item };
    uint64_t word = il__gate_lock(&generator->gate);
    if (generator->full) {
        generator->full = false;
        memcpy(out_item, generator->item, generator->item_size);
        il__gate_unlock(&generator->gate, word);
        return 0;
    }
    if (generator->state != ENDED) {
        if (generator->state == RUNNING && generator->body == il__self()) {
            il__gate_unlock(&generator->gate, word);
            return il_fail(-EDEADLK, "a generator's body asked for its own next value");
        }
        generator->asked = true;
        int status = wait_for(generator, word, &client, IL__CANCELS, until);
        if (status || client.served) return status;
    } else {
        il__gate_unlock(&generator->gate, word);
    }
    int status = outcome(generator);
    return status ? status : -EPIPE;
}

static int close_until(il_generator *generator, il__cancels cancels, il_time until)
{
    struct client client = { .item = NULL };
    uint64_t word = il__gate_lock(&generator->gate);
    il__store(&generator->closing, true);
    generator->full = false;
    if (generator->state == ENDED) {
        il__gate_unlock(&generator->gate, word);
        return 0;
    }
    return wait_for(generator, word, &client, cancels, until);
}

static bool is_body(il_generator *generator)
{
    uint64_t word = il__gate_lock(&generator->gate);
    bool is = generator->state == RUNNING && generator->body == il__self();
    il__gate_unlock(&generator->gate, word);
    return is;
}

int il_generator_close(il_generator *generator, il_time until)
{
    if (is_body(generator)) return il_fail(-EDEADLK, "a generator was closed by its own body");
    int status = close_until(generator, IL__CANCELS, until);
    return status ? status : outcome(generator);
}

void il_generator_free(il_generator *generator)
{
    if (!generator) return;
    if (is_body(generator)) il__fatal("generator %p freed by its own body", (void *)generator);
    close_until(generator, IL__PLAIN, IL_FOREVER);
    il_future_free(generator->future);
    unref(generator);
}

/* --- As a ward of its scope -------------------------------------------------------------------- */

static il_generator *of_ward(il__ward *ward)
{
    return il__of((void *)ward, il_generator, ward);
}

static void hold(il__ward *ward)
{
    il__add(&of_ward(ward)->refs, 1);
}

static void end(il__ward *ward)
{
    il_generator *generator = of_ward(ward);
    uint64_t word = il__gate_lock(&generator->gate);
    il__store(&generator->closing, true);
    generator->full = false;
    il__agent *body = resume(generator);
    il__gate_unlock(&generator->gate, word);
    if (body) il__deliver(body);
    unref(generator);
}

/* --- Making one -------------------------------------------------------------------------------- */

static il_executor *executor_for(il_executor *executor)
{
    il__agent *self = il__self();
    il_scope *scope = self->scope;
    if (!executor) executor = scope ? scope->executor : self->executor;
    return executor && executor->ops != il__in_place()->ops ? executor : NULL;
}

/* Make its task, and start that. The callback is there before, so that it is told in any case. */
static int start(il_generator *generator, il_executor *executor, const il_generator_opts *opts)
{
    il_task_opts task_opts = { .name = opts ? opts->name : NULL,
                               .deadline = opts ? opts->deadline : 0 };
    il_scope *scope = generator->scope;
    il_future *future = il__future_new(0, 0);
    if (!future) return -ENOMEM;
    int status = il__task_init(&future->task, executor, scope, run, generator, NULL, &task_opts);
    if (status) goto free_future;
    future->task.future = future;
    generator->future = il_future_ref(future);
    if (scope) il__scope_add_ward(scope, &generator->ward);
    status = il_future_on_done(future, ended, generator);
    if (!status) status = executor->ops->start(executor, &future->task);
    if (!status) return 0;

    if (scope) il__scope_remove_ward(scope, &generator->ward);
    il__task_undo(&future->task);
    il_future_free(future);
free_future:
    il_future_free(future);
    return status;
}

int il_generator_new(il_executor *executor, il_fn *body, void *in, size_t item_size,
                     const il_generator_opts *opts, il_generator **out_generator)
{
    executor = executor_for(executor);
    if (!executor || !body) return -EINVAL;
    il_generator *generator = il__alloc(sizeof *generator + item_size);
    if (!generator) return -ENOMEM;
    *generator = (il_generator){
        .refs = 2,
        .ward = { .hold = hold, .end = end },
        .scope = il__self()->scope,
        .fn = body,
        .in = in,
        .item_size = item_size,
    };
    int status = start(generator, executor, opts);
    if (status) il__free(generator);
    else *out_generator = generator;
    return status;
}
