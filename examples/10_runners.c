/* SPDX-License-Identifier: MIT */
/*
 * Meeting: an event is the starting gun, a barrier is where all wait for all at the end of each lap,
 * a latch tells that everybody is through.
 */
#include <errno.h>
#include <interlock.h>
#include <stdatomic.h>
#include <stdio.h>

enum { RUNNERS = 3, LAPS = 3 };

static il_event gun;
static il_latch in_position = { .count = RUNNERS }, through = { .count = RUNNERS };
static atomic_int lapped; /* runners at the end of the lap */
static int wrong_laps;    /* written by the barrier's action only */

/* Called by the last to arrive, before anybody goes on: it has the track for itself. */
static void end_of_lap(void *arg)
{
    int *lap = arg, here = atomic_exchange(&lapped, 0);
    printf("lap %d: %d of %d are here\n", ++*lap, here, RUNNERS);
    if (here != RUNNERS) wrong_laps++;
}

static int lap; /* the action's */
static il_barrier line = { .parties = RUNNERS, .action = end_of_lap, .arg = &lap };

static int run(void *in, void *out)
{
    int *pace = in, *last = out;
    il_latch_count_down(&in_position, 1);
    int status = il_event_wait_until(&gun, IL_FOREVER);
    for (int i = 0; status >= 0 && i < LAPS; i++) {
        status = il_sleep(il_after(IL_MS(*pace)));
        atomic_fetch_add(&lapped, 1);
        if (!status) status = il_barrier_wait_until(&line, IL_FOREVER);
        if (status == IL_SERIAL) ++*last; /* one of them each time */
    }
    il_latch_count_down(&through, 1);
    return status < 0 ? status : 0;
}

int main(void)
{
    int paces[RUNNERS] = { 1, 2, 3 }, last[RUNNERS] = { 0 }, sum = 0;
    il_executor *pool = NULL;
    il_scope *race = NULL;
    if (il_threads_new(NULL, &pool)) return 1;
    int status = il_scope_open(&(il_scope_opts){ .executor = pool, .name = "race" }, &race);
    for (int i = 0; !status && i < RUNNERS; i++) status = il_go(race, run, &paces[i], &last[i]);
    if (status) goto end;

    il_latch_wait(&in_position);
    printf("ready\n");
    il_event_set(&gun);
    il_latch_wait(&through);
    printf("all through\n");
end:
    if (status && race) il_scope_cancel(race); /* those who would wait for one that never came */
    int closed = il_scope_close(race);
    il_executor_free(pool);
    if (!status) status = closed;

    for (int i = 0; i < RUNNERS; i++) sum += last[i];
    printf("%s: %d laps, one was the last %d times\n", il_strerror(status), lap, sum);
    return !(status == 0 && lap == LAPS && wrong_laps == 0 && sum == LAPS);
}
