/* SPDX-License-Identifier: MIT */
/*
 * Submit with Interlock, from a thread outside the pool: il_submit of a batch, then il_future_get
 * of each. A batch of one is a round trip.
 */

#include "il_batch.h"

int main(int argc, char **argv)
{
    batch_job job = batch_asked(argv);

    open_pool(0, &job);
    batch_measure(&job, submit_batch);
    close_pool();
    batch_line(&job, "interlock");
    return argc == 0;
}
