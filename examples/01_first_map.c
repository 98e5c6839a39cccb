/* SPDX-License-Identifier: MIT */
/* The first program: square a thousand numbers on every CPU there is. */
#include <interlock.h>
#include <stdio.h>

static int square(void *in, void *out)
{
    *(long *)out = *(long *)in * *(long *)in;
    return 0;
}

int main(void)
{
    long in[1000], out[1000];
    for (long i = 0; i < 1000; i++) in[i] = i;

    il_executor *pool = NULL;
    int status = il_threads_new(NULL, &pool); /* or il_processes_new, il_loop_new, ... */
    if (!status) status = il_map(pool, square, in, out, 1000, NULL);
    il_executor_free(pool);
    printf("%s: %ld\n", il_strerror(status), out[999]);
    return status != 0;
}
