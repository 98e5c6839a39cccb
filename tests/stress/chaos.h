/* SPDX-License-Identifier: MIT */
#ifndef CHAOS_H
#define CHAOS_H

/*
 * What the stress tests share: random numbers from a seed that is printed, and a schedule fuzzer.
 *
 *     IL_SEED=N      the random numbers (the schedule is the machine's own, but for the fuzzer)
 *     IL_STRESS=N    rounds of each test; more finds more
 *     IL_ONLY=GLOB   only the tests whose name matches: 'mutex*fuzzed*'
 *
 * The fuzzer listens to the probes, which sit where a schedule can go wrong (about to park, claimed
 * but not let go yet, about to lock, about to sleep, about to steal), and by chance gives the CPU
 * away there or passes a moment, now and then one that is long for those who wait. It is called
 * with locks held and so uses nothing of the library.
 *
 * Each test counts how often it used what it is about; the sum is printed at the end, with
 * how many probes the fuzzer met, for scripts/check-schedules, which asks for a million uses.
 */

#include "../unit/work.h"

#include <time.h>

#include "base/probe.h"
#include "os/spin.h"

static uint64_t seed UNUSED;
static long rounds UNUSED;

UNUSED static void read_environment(long usual_rounds)
{
    const char *seed_text = getenv("IL_SEED"), *rounds_text = getenv("IL_STRESS");
    seed = seed_text ? strtoull(seed_text, NULL, 0)
                     : (uint64_t)il_now() * UINT64_C(0x9e3779b97f4a7c15);
    rounds = rounds_text ? atol(rounds_text) : usual_rounds;
    print_message("IL_SEED=%llu IL_STRESS=%ld\n", (unsigned long long)seed, rounds);
}

static long uses UNUSED; /* atomic */

UNUSED static void count_uses(long n)
{
    il__add(&uses, n);
}

/* SplitMix64: one state each, on the stack of whoever draws. */
UNUSED static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

UNUSED static unsigned below(uint64_t *state, unsigned limit)
{
    return (unsigned)(draw(state) >> 33) % limit;
}

/* --- The fuzzer ------------------------------------------------------------------------------ */

static uint64_t fuzz_count UNUSED; /* atomic: numbers the probes of all threads */

UNUSED static void fuzz(il__probe_point point, const void *object)
{
    int saved = errno;
    uint64_t state =
        seed + __atomic_fetch_add(&fuzz_count, 1, __ATOMIC_RELAXED) + (uint64_t)point * 77;
    unsigned chance = below(&state, 4096);
    if (chance == 0) nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL); /* sleeps: to delay */
    else if (chance < 64) sched_yield();
    else if (chance < 256)
        for (unsigned i = below(&state, 300); i; i--) il__pause();
    errno = saved;
}

UNUSED static void fuzz_begin(void)
{
    __atomic_store_n(&il__probe_listener, fuzz, __ATOMIC_RELEASE);
}

UNUSED static void fuzz_end(void)
{
    __atomic_store_n(&il__probe_listener, NULL, __ATOMIC_RELEASE);
}

/* Each test twice: as it is, and fuzzed. */
UNUSED static int set_up_fuzz(void **state)
{
    fuzz_begin();
    return 0;
}

UNUSED static int tear_down_fuzz(void **state)
{
    fuzz_end();
    return 0;
}

#define FUZZED(test, words, kind)                                                                  \
    {                                                                                              \
#test " (" words "fuzzed)", test, set_up_fuzz, tear_down_fuzz, (void *)(kind)              \
    }
#define BOTH(test) cmocka_unit_test(test), FUZZED(test, "", NULL)
#define EACH_CREW_BOTH(test)                                                                       \
    EACH_CREW(test), FUZZED(test, "threads, ", &crew_kinds[0]),                                    \
        FUZZED(test, "fibers of one worker, ", &crew_kinds[1]),                                    \
        FUZZED(test, "fibers of two workers, ", &crew_kinds[2]),                                   \
        FUZZED(test, "threads and fibers, ", &crew_kinds[3])

/* --- Running --------------------------------------------------------------------------------- */

UNUSED static int say_uses(int failed)
{
    print_message("uses: %ld, probes: %llu\n", il__load(&uses),
                  (unsigned long long)il__load(&fuzz_count));
    return failed;
}

#define RUN(tests)                                                                                 \
    (cmocka_set_test_filter(getenv("IL_ONLY")), say_uses(cmocka_run_group_tests(tests, NULL, NULL)))

#endif
