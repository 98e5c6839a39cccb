/* SPDX-License-Identifier: MIT */
#ifndef LOOPS_H
#define LOOPS_H

/* Tests on a loop of their own, which is *state: with its thread, or driven by hand. */

#include <interlock/loop.h>

#include "work.h"

static int open_loop(void **state)
{
    il_executor *loop = NULL;
    threads_before = il_thread_list(NULL, 0);
    int status = il_loop_new(*state, &loop);
    *state = loop;
    return status;
}

static const il_loop_opts by_hand = { .manual = true };

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, open_loop, free_executor)
#define MANUAL(test)                                                                               \
    {                                                                                              \
#test " (manual)", test, open_loop, free_executor, (void *)&by_hand                        \
    }

#endif
