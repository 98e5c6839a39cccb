/* SPDX-License-Identifier: MIT */
/* How to pass a moment. */

#include "os/spin.h"

#include <sched.h>
#include <time.h>

enum { SPINS = 64, YIELDS = 16 };

void il__relax(unsigned round)
{
    if (round < SPINS) {
        il__pause();
    } else if (round < SPINS + YIELDS) {
        sched_yield();
    } else {
        unsigned step = round - SPINS - YIELDS;
        struct timespec moment = { .tv_nsec = 1000L << (step < 10 ? step : 10) };
        nanosleep(&moment, 0);
    }
}
