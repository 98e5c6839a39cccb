/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_LATCH_H
#define INTERLOCK_LATCH_H

/*
 * Latch: wait until a count has gone down to zero, once.
 *
 *     il_latch latch = { .count = 10 };
 *
 *     il_latch_count_down(&latch, 1);   // by each of ten tasks
 *     il_latch_wait(&latch);            // by any number of others
 *
 * It may be freed as soon as a wait has returned.
 */

#include <interlock/api.h>
#include <interlock/time.h>

IL__BEGIN

typedef struct il_latch {
    uint32_t count; /* set before use, then the library's */
    il__gate gate;
} il_latch;

/* Count down by n. Below zero is il_fatal. Never waits. */
IL_API void il_latch_count_down(il_latch *latch, uint32_t n);

/* Wait for zero. _until: 0, -EAGAIN, -ETIMEDOUT, -ECANCELED. */
IL_API void il_latch_wait(il_latch *latch);
IL_API int il_latch_wait_until(il_latch *latch, il_time until);

/* Is it zero? Who sees true may not free the latch for that reason alone: only a wait tells that
 * the last count_down has let go of it. */
IL_API bool il_latch_open(const il_latch *latch);

IL__END

#endif
