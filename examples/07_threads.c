/* SPDX-License-Identifier: MIT */
/*
 * Threads by hand: a kind of one's own, made by embedding il_thread; their names and states; a
 * daemon. For work that blocks in foreign code or must be alone; the rest belongs in an executor.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>

/* A kind of thread: what it is given, what it finds out, and the thread itself. */
typedef struct adder {
    il_thread thread;
    long from, to, sum;
} adder;

static il_event gun; /* the start signal */

static int run_adder(void *in, void *out)
{
    /* From the thread to what surrounds it. (`in` would do here; in a function further down, which
     * was given nothing, this does.) */
    adder *self = IL_CONTAINER(il_thread_self(), adder, thread);
    int status = il_event_wait_until(&gun, IL_FOREVER); /* this form can be cancelled */
    if (status) return status;
    for (long n = self->from; n <= self->to; n++) self->sum += n;
    return 0;
}

/* Start it, and wait until it waits for the gun: so that there is something to see. */
static int adder_start(adder *self, const char *name)
{
    il_thread_opts opts = { .name = name };
    int status = il_thread_start(&self->thread, run_adder, NULL, NULL, &opts);
    while (!status && il_thread_state(&self->thread) != IL_BLOCKED) il_yield();
    return status;
}

/* A daemon does not keep the process alive. Its object does, so it is static. */
static il_thread heart;

static int beat(void *in, void *out)
{
    while (!il_sleep(il_after(IL_MS(5)))) {}
    return -ECANCELED; /* at exit it is cancelled */
}

static void print_threads(void)
{
    il_info threads[16];
    size_t count = il_thread_list(threads, 16);
    for (size_t i = 0; i < count && i < 16; i++) {
        const il_info *one = &threads[i];
        printf("  %-8s %s%s%s\n", one->name, il_state_name(one->state),
               one->waits_for ? " on " : "", one->waits_for ? one->waits_for : "");
    }
}

int main(void)
{
    const char *names[3] = { "low", "high", "unwanted" };
    adder adders[3] = { { .from = 1, .to = 1000 }, { .from = 1001, .to = 2000 } };
    il_thread_opts daemon = { .name = "heart", .daemon = true };
    int status = il_thread_start(&heart, beat, NULL, NULL, &daemon);
    for (int i = 0; !status && i < 3; i++) status = adder_start(&adders[i], names[i]);
    print_threads();

    int again = adder_start(&adders[0], "low");
    printf("starting one twice: %s\n", il_strerror(again));
    il_thread_cancel(&adders[2].thread);
    int unwanted = il_thread_join(&adders[2].thread, IL_FOREVER);
    il_event_set(&gun);
    for (int i = 0; i < 2; i++) {
        int joined = il_thread_join(&adders[i].thread, IL_FOREVER); /* -EINVAL: was never started */
        if (!status) status = joined;
    }

    long sum = adders[0].sum + adders[1].sum;
    printf("%s: 1 + ... + 2000 = %ld; the third was %s\n", il_strerror(status), sum,
           il_strerror(unwanted));
    return !(status == 0 && sum == 2001000 && again == -EALREADY && unwanted == -ECANCELED);
}
