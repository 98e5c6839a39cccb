/* SPDX-License-Identifier: MIT */
/*
 * Is it worth it? One job, measured in place and on threads, and advice in a sentence. Which it
 * gives depends on the machine; that all of them find the same does not.
 */
#include <interlock.h>
#include <stdio.h>

enum { ITEMS = 2000 };

/* 3n + 1 or n / 2, until it is 1: how many steps? */
static int collatz(void *in, void *out)
{
    unsigned long n = (unsigned long)*(long *)in;
    long steps = 0;
    for (; n > 1; steps++) n = n % 2 ? 3 * n + 1 : n / 2;
    *(long *)out = steps;
    return 0;
}

static int in_place(const il_candidate *candidate, il_executor **out_executor)
{
    (void)candidate;
    return il_inline_new(out_executor);
}

static int on_threads(const il_candidate *candidate, il_executor **out_executor)
{
    return il_threads_new(&(il_threads_opts){ .workers = candidate->workers }, out_executor);
}

int main(void)
{
    static long numbers[ITEMS];
    for (long i = 0; i < ITEMS; i++) numbers[i] = 1000001 + i;

    il_job job = {
        .name = "collatz",
        .fn = collatz,
        .in = numbers,
        .in_size = sizeof *numbers,
        .out_size = sizeof(long),
        .count = ITEMS,
    };
    il_candidate candidates[] = {
        { .on = "inline", .workers = 1, .open = in_place },
        { .on = "threads", .workers = 2, .open = on_threads },
        { .on = "threads", .workers = 10, .open = on_threads },
    };
    il_row rows[3];
    il_advice advice;

    int status = il_choose(&job, candidates, 3, NULL, rows, &advice);
    if (status) {
        fprintf(stderr, "choose: %s\n", il_strerror(status));
        return 1;
    }
    for (int i = 0; i < 3; i++)
        printf("%-8s %2u  %.3f ms  %.2f times as fast\n", rows[i].on, rows[i].workers,
               rows[i].median * 1e3, rows[i].speedup);
    printf("%s\n", advice.why);

    /* The same for a section of one's own: */
    il_cost cost;
    long out;
    il_cost_begin(&cost);
    for (int i = 0; i < ITEMS; i++) collatz(&numbers[i], &out);
    il_cost_end(&cost);
    printf("a plain loop: %.3f ms, %.3f ms of it in the program\n", (double)cost.wall / 1e6,
           (double)cost.user / 1e6);
    return 0;
}
