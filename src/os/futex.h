/* SPDX-License-Identifier: MIT */
#ifndef IL_OS_FUTEX_H
#define IL_OS_FUTEX_H

/* Sleeping on a word. Franke, Russell, Kirkwood: Fuss, futexes and furwocks (2002). */

#include <stdbool.h>

#include <interlock/time.h>

/* Sleep as long as *word is `value`, until the deadline. 0: woken, for whatever reason, or not
 * slept at all; -ETIMEDOUT. Look at the word again. */
int il__futex_wait(uint32_t *word, uint32_t value, il_time until);

/* Wake up to `count` of those who sleep. The address need not be valid any more. */
void il__futex_wake(uint32_t *word, int count);

/* The same for a word in memory that processes share. */
int il__futex_wait_across(uint32_t *word, uint32_t value, il_time until);
void il__futex_wake_across(uint32_t *word, int count);

/* Can the system do what follows? Linux 5.16, and no sandbox that knows less. */
bool il__futex_can_wait_either(void);

/* Sleep as long as *own, a word of this process, and *shared both have these values. 0 and -ETIMEDOUT
 * as above. */
int il__futex_wait_either(uint32_t *own, uint32_t own_value, uint32_t *shared,
                          uint32_t shared_value, il_time until);

#endif
