/* SPDX-License-Identifier: MIT */
/* The clock. */

#include "os/clock.h"

#include <time.h>

il_time il__now_coarse(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return IL_SEC(now.tv_sec) + now.tv_nsec;
}

il_time il_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return IL_SEC(now.tv_sec) + now.tv_nsec;
}

il_time il_after(int64_t duration)
{
    il_time now = il_now();
    if (duration <= 0) return now;
    return duration > IL_FOREVER - now ? IL_FOREVER : now + duration;
}
