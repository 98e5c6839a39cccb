/* SPDX-License-Identifier: MIT */
/*
 * How many workers? For computing, as many as there are CPUs: the default. What waits in this
 * library gives its worker up, so one is enough. What blocks in the kernel holds its worker: for
 * that take more workers than CPUs, as many as shall block at a time.
 */
#include <interlock.h>
#include <stdio.h>
#include <time.h>

enum { CALLS = 10, EACH = 20 /* milliseconds */ };

/* Foreign code that blocks: the library cannot know. */
static int block(void *in, void *out)
{
    struct timespec duration = { .tv_nsec = EACH * 1000000L };
    nanosleep(&duration, NULL);
    *(int *)out = 1;
    return 0;
}

/* The same wait by this library: the task parks, its worker goes on with others. */
static int park(void *in, void *out)
{
    *(int *)out = 1;
    return il_sleep(il_after(IL_MS(EACH)));
}

/* Ten calls on so many workers: how many milliseconds, or negative. */
static double measure(unsigned workers, il_fn *fn)
{
    int in[CALLS] = { 0 }, out[CALLS] = { 0 }, sum = 0;
    il_executor *pool = NULL;
    il_scope *scope = NULL;
    int status = il_threads_new(&(il_threads_opts){ .workers = workers }, &pool);
    if (!status) status = il_scope_open(&(il_scope_opts){ .executor = pool }, &scope);
    il_time begin = il_now();
    for (int i = 0; !status && i < CALLS; i++) status = il_go(scope, fn, &in[i], &out[i]);
    int closed = il_scope_close(scope);
    double took = (double)(il_now() - begin) / (double)IL_MS(1);
    il_executor_free(pool);
    for (int i = 0; i < CALLS; i++) sum += out[i];
    return status || closed || sum != CALLS ? -1 : took;
}

int main(void)
{
    il_cpus cpus;
    il_cpu_count(&cpus);
    printf("%d CPUs online, %d by affinity, quota %.1f (0: none): %d usable\n", cpus.online,
           cpus.affinity, cpus.quota, cpus.usable);

    double blocked_1 = measure(1, block), blocked_10 = measure(CALLS, block);
    double parked_1 = measure(1, park);
    printf("%d calls of %d ms:\n", CALLS, EACH);
    printf("  blocking, 1 worker    %4.0f ms\n", blocked_1);
    printf("  blocking, %d workers  %4.0f ms\n", CALLS, blocked_10);
    printf("  parking, 1 worker     %4.0f ms\n", parked_1);
    return !(blocked_1 > 0 && blocked_10 > 0 && blocked_10 < blocked_1 && parked_1 > 0 &&
             parked_1 < blocked_1);
}
