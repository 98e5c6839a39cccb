/* SPDX-License-Identifier: MIT */
#ifndef IL_WAIT_WAIT_H
#define IL_WAIT_WAIT_H

/*
 * The one waiter and the one parking call.
 *
 * To wait: il__wait_begin; put a waiter into one list or several, each under its lock and after one
 * more look at what is waited for; il__wait; leave the lists that one was not taken from.
 * To wake: under the list's lock il__claim, and take the waiter off; after unlocking, hand over
 * what there is to hand over, and il__deliver. Until then the claimed one holds still, so its
 * stack, and with it the waiter, may be used. An il__waiter is one agent in one list, on the stack
 * of the one who waits; it is declared in interlock/api.h, since that of a select lies in its case.
 */

#include "wait/agent.h"

typedef enum il__cancels { IL__PLAIN, IL__CANCELS } il__cancels;

/* Begin to wait for `what` (a literal) at the address `on`. */
void il__wait_begin(il__agent *self, const char *what, const void *on, il__cancels cancels);

/* Wait until claimed. Returns the index of the waiter that was claimed, or -ETIMEDOUT or -ECANCELED.
 * The thread may be another one. */
int il__wait(il__agent *self, il_time until);

/* Win the agent's wait, or lose it. The lock of the list it was found in is held. */
bool il__claim(il__agent *agent, uint32_t reason);

/* Let a claimed agent go on. It, and the waiter, may be gone on return. */
void il__deliver(il__agent *agent);

#endif
