/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_ONCE_H
#define INTERLOCK_ONCE_H

/*
 * Once: whoever comes first does it, the others wait until it is done.
 *
 *     static il_once once;
 *
 *     int status = il_once_run(&once, load_tables, NULL);
 */

#include <interlock/api.h>
#include <interlock/time.h>

IL__BEGIN

typedef struct il_once {
    il__gate gate;
    uint64_t runner; /* who runs it, while one does */
} il_once;

/* Call fn(arg) unless it has succeeded before. If it fails, its status is returned and the next
 * caller, or one of those who wait, tries again. Returns 0, that status, or -EDEADLK (from inside
 * fn itself). _until also -EAGAIN, -ETIMEDOUT, -ECANCELED while another runs it. */
IL_API int il_once_run(il_once *once, int (*fn)(void *arg), void *arg);
IL_API int il_once_run_until(il_once *once, int (*fn)(void *arg), void *arg, il_time until);

/* Has it succeeded? */
IL_API bool il_once_done(const il_once *once);

IL__END

#endif
