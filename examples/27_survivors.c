/* SPDX-License-Identifier: MIT */
/*
 * A pool that survives its workers. The same tasks as on threads, but each worker is a process: one
 * that crashes, hangs or exits costs the task that it ran, and the others never notice.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>
#include <stdlib.h>

enum { ITEMS = 12 };

/* Foreign code of the usual quality. */
static int decode(void *in, void *out)
{
    long n = *(long *)in;
    if (n == 3) {
        fprintf(stderr, "decode: bad magic in item %ld\n", n);
        abort();
    }
    if (n == 7)
        for (volatile long i = 0;; i++) {} /* never comes back */
    *(long *)out = n * n;
    return 0;
}

int main(void)
{
    il_executor *pool = NULL;
    il_future *futures[ITEMS] = { NULL };
    il_processes_opts opts = { .workers = 2, .grace = IL_MS(50) };
    int status = il_processes_new(&opts, &pool);
    for (long i = 0; !status && i < ITEMS; i++) {
        il_task_opts task = { .name = "decode", .deadline = il_after(IL_SEC(2)) };
        status = il_submit(pool, decode, &i, sizeof i, sizeof(long), &task, &futures[i]);
    }

    int crashed = 0, hung = 0, right = 0;
    for (long i = 0; !status && i < ITEMS; i++) {
        long result = 0;
        int outcome = il_future_get(futures[i], IL_FOREVER, &result);
        if (outcome) {
            char words[500];
            il_error_format(il_future_error(futures[i]), words, sizeof words);
            printf("item %ld: %s\n", i, words);
        }
        crashed += outcome == -EOWNERDEAD;
        hung += outcome == -ETIMEDOUT;
        right += !outcome && result == i * i;
        il_future_free(futures[i]);
    }
    il_executor_free(pool);
    printf("%d right, %d crashed, %d hung\n", right, crashed, hung);
    return status || right != ITEMS - 2 || crashed != 1 || hung != 1;
}
