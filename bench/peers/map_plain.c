/* SPDX-License-Identifier: MIT */
/* The map lines as a plain loop that calls the function of an item through a pointer. */

#include <map_work.h>

static void loop(const map_job *job)
{
    for (int64_t i = 0; i < job->n; i++) job->fn(&job->in[i], &job->out[i]);
}

int main(int argc, char **argv)
{
    map_job job = map_asked(argv);

    map_measure(&job, "plain", loop);
    return argc == 0;
}
