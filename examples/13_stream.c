/* SPDX-License-Identifier: MIT */
/*
 * A stream: items come from a source, go through a function on many workers, and arrive at a sink in
 * the order in which they came, with a bounded number of them in memory however many there are.
 */
#include <interlock.h>
#include <stdio.h>

enum { ITEMS = 10000, WINDOW = 256 };

struct search {
    long given, taken; /* items that the source gave, results that the sink took */
    long most;         /* under way at a time */
    long longest, steps;
    bool out_of_order;
};

/* 3n + 1 or n / 2, until it is 1: how many steps? */
static int collatz(void *in, void *out)
{
    unsigned long n = (unsigned long)*(long *)in;
    long steps = 0;
    for (; n > 1; steps++) n = n % 2 ? 3 * n + 1 : n / 2;
    *(long *)out = steps;
    return 0;
}

/* Source and sink are called by the one who called il_map_stream, never both at a time: what they
 * share needs no lock. */
static int next_number(void *in, void *arg)
{
    struct search *search = arg;
    if (search->given == ITEMS) return 0;
    *(long *)in = ++search->given;
    if (search->given - search->taken > search->most) search->most = search->given - search->taken;
    return 1;
}

static int keep_longest(const void *in, const void *out, int status, void *arg)
{
    struct search *search = arg;
    long n = *(const long *)in, steps = *(const long *)out;
    if (status) return status;
    if (n != ++search->taken) search->out_of_order = true;
    if (steps <= search->steps) return 0;
    search->longest = n;
    search->steps = steps;
    return 0;
}

int main(void)
{
    struct search search = { 0 };
    il_stream stream = {
        .source = next_number,
        .sink = keep_longest,
        .arg = &search,
        .in_size = sizeof(long),
        .out_size = sizeof(long),
        .window = WINDOW,
    };
    il_executor *pool = NULL;
    int status = il_threads_new(NULL, &pool);
    if (!status) status = il_map_stream(pool, collatz, &stream, NULL);
    il_executor_free(pool);

    printf("%s: of 1 to %ld, %ld takes the longest, %ld steps\n", il_strerror(status), search.taken,
           search.longest, search.steps);
    printf("in order: %s; never more than %d under way: %s\n", search.out_of_order ? "no" : "yes",
           WINDOW, search.most <= WINDOW ? "yes" : "no");
    return !(status == 0 && search.taken == ITEMS && search.longest == 6171 &&
             search.steps == 261 && !search.out_of_order && search.most <= WINDOW);
}
