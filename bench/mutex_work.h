/* SPDX-License-Identifier: MIT */
#ifndef MUTEX_WORK_H
#define MUTEX_WORK_H

/*
 * The mutex lines as far as they do not lock: contestants that lock, count and unlock, and what
 * they found. Each variant supplies the lock, and how contestants are started and released.
 *   mutex-alone       one contestant
 *   mutex-2           two, for a time
 *   mutex-1000        a thousand, so many rounds each; all are there before the first begins
 *   mutex-1000-hold   the same, but every 16th time the holder lets others run before it unlocks,
 *                     so that those who come find it locked and queue up
 * Contests are held twice: once for the rate, without a look at a clock, and once for the longest
 * wait.
 */

#include "bench.h"

#include <stdatomic.h>
#include <stdbool.h>

#define HOLD_EVERY 16

typedef struct contest {
    const char *line;
    int64_t contestants;
    int64_t rounds;   /* of each; 0: until `stop` */
    int64_t duration; /* nanoseconds, when rounds is 0 */
    bool hold, timed;
    _Atomic bool stop;
} contest;

typedef struct contestant {
    _Alignas(128) int64_t rounds; /* done; no two in a cache line */
    int64_t longest_wait;
} contestant;

static contest the_contest;
static contestant *contestants;
static int64_t counted; /* guarded by the variant's lock, and beside it in memory as a rule */

/* What a variant supplies. take and give also guard `counted`. */
static void take(void);
static void give(void);
static void let_others_run(void);

/* Start all contestants, each of which calls compete(itself) when all are there; sleep for
 * the_contest.duration and call contest_stop(), if there is one; wait for all. Returns the time
 * from the release to the last end, nanoseconds. */
static int64_t contest_hold(void);

static inline void compete_until(contestant *me, bool timed, bool hold)
{
    int64_t rounds = 0, longest = 0;

    while (the_contest.rounds ? rounds < the_contest.rounds
                              : !atomic_load_explicit(&the_contest.stop, memory_order_relaxed)) {
        int64_t start = timed ? bench_now() : 0;
        take();
        if (timed) {
            int64_t wait = bench_now() - start;
            if (wait > longest) longest = wait;
        }
        counted++;
        if (hold && rounds % HOLD_EVERY == 0) let_others_run();
        give();
        rounds++;
    }
    me->rounds = rounds;
    me->longest_wait = longest;
}

static inline void compete(contestant *me)
{
    if (the_contest.hold) {
        if (the_contest.timed) compete_until(me, true, true);
        else compete_until(me, false, true);
    } else if (the_contest.timed) {
        compete_until(me, true, false);
    } else {
        compete_until(me, false, false);
    }
}

static inline void contest_stop(void)
{
    atomic_store(&the_contest.stop, true);
}

static inline void contest_measure(char **argv, const char *variant, int workers)
{
    const char *line = bench_word(argv, "what");
    char wait_line[64];

    the_contest.line = line ? line : "mutex-alone";
    the_contest.hold = !strcmp(the_contest.line, "mutex-1000-hold");
    the_contest.contestants = bench_number(argv, "contestants", 1);
    the_contest.rounds = bench_number(argv, "rounds", 0);
    the_contest.duration = bench_number(argv, "ms", 100) * 1000000;
    contestants =
        (contestant *)aligned_alloc(128, sizeof *contestants * (size_t)the_contest.contestants);
    if (!contestants) bench_die("no memory");

    for (int timed = 0; timed < (the_contest.contestants > 1 ? 2 : 1); timed++) {
        int64_t time, rounds = 0, longest = 0;

        the_contest.timed = timed;
        the_contest.stop = false;
        counted = 0;
        time = contest_hold();
        for (int64_t i = 0; i < the_contest.contestants; i++) {
            rounds += contestants[i].rounds;
            if (contestants[i].longest_wait > longest) longest = contestants[i].longest_wait;
        }
        bench_expect(the_contest.line, counted, rounds);
        if (!timed) {
            bench_line(the_contest.line, variant, workers, (double)rounds * 1e3 / (double)time,
                       "Mop/s", the_contest.rounds ? counted : 1);
        } else {
            snprintf(wait_line, sizeof wait_line, "%s-wait", the_contest.line);
            bench_line(wait_line, variant, workers, (double)longest / 1e3, "us",
                       the_contest.rounds ? counted : 1);
        }
    }
    free(contestants);
}

#endif
