/* SPDX-License-Identifier: MIT */
/*
 * The fork/join lines as plain recursion: nothing is forked, what the others cost on top is their
 * overhead. gcc folds several levels of such a recursion into one call. Compiled with
 * -DEVERY_CALL it may not, and makes each call: what anything that could run elsewhere must do.
 */

#include <fork_work.h>

#if defined(EVERY_CALL) && defined(__clang__)
#define VARIANT "calls"
#define RECURSION __attribute__((noinline, disable_tail_calls))
#elif defined(EVERY_CALL)
#define VARIANT "calls"
#define RECURSION __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls")))
#else
#define VARIANT "plain"
#define RECURSION
#endif

RECURSION static int64_t fib(int64_t n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

RECURSION static int64_t queens_count(queens board)
{
    queens next[QUEENS_MAX];
    int64_t sum = 0;

    if (queens_full(&board)) return 1;
    for (int i = queens_next(&board, next); i-- > 0;) sum += queens_count(next[i]);
    return sum;
}

RECURSION static int64_t skynet_sum(skynet part)
{
    int64_t sum = 0;

    if (part.size == 1) return part.first;
    for (int i = 0; i < 10; i++) sum += skynet_sum(skynet_part(&part, i));
    return sum;
}

RECURSION static void multiply(product whole)
{
    if (whole.size == PRODUCT_LEAF) {
        product_leaf(&whole);
        return;
    }
    for (int part = 0; part < 8; part++) multiply(product_part(&whole, part));
}

int main(int argc, char **argv)
{
    fork_job job = fork_asked(argv);

    fork_measure(&job, VARIANT);
    return argc == 0;
}
