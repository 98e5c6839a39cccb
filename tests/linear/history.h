/* SPDX-License-Identifier: MIT */
#ifndef HISTORY_H
#define HISTORY_H

/*
 * Recording: a few members make random calls on one object, all at the same time, and write down
 * what they saw. Many short histories rather than one long, each on a fresh object, so that the
 * checker has no trouble with them; IL_STRESS says how many.
 */

#include "../stress/chaos.h"
#include "linear.h"

#include <interlock/barrier.h>

enum { MEMBERS = 4, EACH = 6, CALLS = MEMBERS * EACH };

/* What is recorded: an object, calls to it, and what they should amount to. */
struct subject {
    const struct model *model;
    void *(*make)(void);
    void (*release)(void *object);
    /* Choose a call; do it and fill in the result. `random` is the member's own. Before, `member` and
     * `value`, another for each call of a history, are filled in. */
    void (*choose)(uint64_t *random, struct call *call);
    void (*perform)(void *object, struct call *call);
    bool (*holds)(const struct call *calls, int count); /* of the whole besides; NULL: nothing */
};

struct history {
    const struct subject *subject;
    void *object;
    uint64_t clock;   /* atomic: tickets given out */
    unsigned arrived; /* atomic */
    struct call calls[MEMBERS][EACH];
};

struct recording {
    struct history *histories;
    int count;
    il_barrier start; /* of each history */
};

struct recorder {
    struct recording *recording;
    uint64_t random;
    int index;
};

/* From the barrier they come back one after the other: wait awake for the last. */
static void start_together(struct history *history)
{
    il__add(&history->arrived, 1);
    for (int i = 0; il__load(&history->arrived) < MEMBERS; i++) {
        if (i % 64 == 63) il_yield();
        else il__pause();
    }
}

static void dawdle(uint64_t *random)
{
    unsigned how = below(random, 8);
    if (how == 0) il_yield();
    else if (how < 4)
        for (unsigned i = below(random, 100); i; i--) il__pause();
}

static void record_history(struct recorder *self, struct history *history)
{
    for (int i = 0; i < EACH; i++) {
        struct call *call = &history->calls[self->index][i];
        call->member = self->index;
        call->value = 1 + self->index * EACH + i;
        history->subject->choose(&self->random, call);
        dawdle(&self->random);
        call->begin = il__add(&history->clock, 1) + 1;
        history->subject->perform(history->object, call);
        call->end = il__add(&history->clock, 1) + 1;
    }
}

static int record(void *in, void *out)
{
    struct recorder *self = in;
    for (int i = 0; i < self->recording->count; i++) {
        il_barrier_wait(&self->recording->start);
        start_together(&self->recording->histories[i]);
        record_history(self, &self->recording->histories[i]);
    }
    return 0;
}

static bool is_good(const struct history *history)
{
    const struct subject *subject = history->subject;
    const struct call *calls = history->calls[0];
    return is_linearizable(subject->model, calls, CALLS) &&
           (!subject->holds || subject->holds(calls, CALLS));
}

/* Record some histories; returns the index of the first that is not good, or -1. */
static int find_fault(void **state, const struct subject *subject, struct history *histories,
                      int count, uint64_t salt)
{
    struct recording recording = { .histories = histories, .count = count };
    struct recorder recorders[MEMBERS];
    struct crew crew;
    int found = -1;
    recording.start.parties = MEMBERS;
    for (int i = 0; i < count; i++)
        histories[i] = (struct history){ .subject = subject, .object = subject->make() };

    fuzz_begin();
    crew_open(&crew, state);
    for (int i = 0; i < MEMBERS; i++) {
        recorders[i] = (struct recorder){ .recording = &recording, .index = i };
        recorders[i].random = seed + salt * MEMBERS + (uint64_t)i;
        crew_add(&crew, record, &recorders[i]);
    }
    int failed = crew_join(&crew);
    fuzz_end();

    for (int i = 0; i < count; i++) {
        if (found < 0 && !is_good(&histories[i])) found = i;
        subject->release(histories[i].object);
    }
    assert_int_equal(failed, 0);
    return found;
}

enum { BATCH = 100 };

/* Every history of `rounds` is linearizable. */
UNUSED static void assert_linearizable(void **state, const struct subject *subject)
{
    static struct history histories[BATCH];
    for (long done = 0; done < rounds; done += BATCH) {
        int found = find_fault(state, subject, histories, BATCH, (uint64_t)done);
        if (found < 0) continue;
        print_history(subject->model, histories[found].calls[0], CALLS);
        fail_msg("not linearizable; IL_SEED=%llu", (unsigned long long)seed);
    }
}

/* One of many is not. */
UNUSED static void assert_fault_is_found(void **state, const struct subject *subject)
{
    static struct history histories[BATCH];
    for (long done = 0; done < 200 * BATCH; done += BATCH)
        if (find_fault(state, subject, histories, BATCH, (uint64_t)done) >= 0) return;
    fail_msg("the planted fault was not found; IL_SEED=%llu", (unsigned long long)seed);
}

UNUSED static int announce(void **state)
{
    read_environment(1000);
    return 0;
}

#endif
