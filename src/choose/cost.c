/* SPDX-License-Identifier: MIT */
/* What a section cost: the clock, and what the kernel keeps of the process and of the children that it
 * has waited for (getrusage). */

#include <interlock/choose.h>

#include <sys/resource.h>

static int64_t nanoseconds(struct timeval time)
{
    return IL_SEC(time.tv_sec) + IL_US(time.tv_usec);
}

static il_cost readings(void)
{
    struct rusage usage = { 0 }, children = { 0 };
    getrusage(RUSAGE_SELF, &usage);
    getrusage(RUSAGE_CHILDREN, &children);
    return (il_cost){
        .wall = il_now(),
        .user = nanoseconds(usage.ru_utime) + nanoseconds(children.ru_utime),
        .system = nanoseconds(usage.ru_stime) + nanoseconds(children.ru_stime),
        .voluntary = usage.ru_nvcsw + children.ru_nvcsw,
        .involuntary = usage.ru_nivcsw + children.ru_nivcsw,
    };
}

void il_cost_begin(il_cost *cost)
{
    *cost = readings();
}

void il_cost_end(il_cost *cost)
{
    il_cost now = readings();
    cost->wall = now.wall - cost->wall;
    cost->user = now.user - cost->user;
    cost->system = now.system - cost->system;
    cost->voluntary = now.voluntary - cost->voluntary;
    cost->involuntary = now.involuntary - cost->involuntary;
}

int il_cost_of(il_fn *fn, void *in, void *out, il_cost *out_cost)
{
    il_cost cost;
    il_cost_begin(&cost);
    int status = fn(in, out);
    il_cost_end(&cost);
    *out_cost = cost;
    return status;
}
