/* SPDX-License-Identifier: MIT */
/*
 * A program as a child, whose output a fiber reads with a deadline: it parks, the worker does not.
 * Then one that does not end by itself, and one that is not there.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>

/* Read all that a child says, within a second, and learn how it ended. */
static int count_lines(void *in, void *out)
{
    const char *const argv[] = { "/bin/sh", "-c", *(const char **)in, NULL };
    il_process_opts opts = { .in = IL_NULL, .out = IL_PIPE, .err = IL_NULL, .group = true };
    il_time until = il_after(IL_SEC(1));
    il_process *child = NULL;
    int lines = 0, status = il_process_start(argv, &opts, &child);

    for (size_t size = 1; !status && size;) {
        char text[256];
        status = il_process_read(child, 1, text, sizeof text, until, &size);
        for (size_t i = 0; !status && i < size; i++) lines += text[i] == '\n';
    }

    il_exit end;
    if (!status) status = il_process_wait(child, until, &end);
    if (status == -ETIMEDOUT) il_process_terminate(child, IL_MS(100), &end);
    if (!status && end.code) status = il_fail(-EIO, "exit code %d", end.code);
    il_process_free(child); /* nothing is left of it, or of those it started */
    *(int *)out = lines;
    return status;
}

int main(void)
{
    const char *scripts[] = { "seq 1000", "echo one; sleep 60", "echo two; exit 3" };
    const int expected[] = { 0, -ETIMEDOUT, -EIO };
    il_future *futures[3] = { NULL };
    il_executor *pool = NULL;
    int wrong = 0, lines = 0;

    int status = il_threads_new(&(il_threads_opts){ .workers = 1 }, &pool);
    for (int i = 0; i < 3 && !status; i++)
        status = il_submit(pool, count_lines, &scripts[i], sizeof scripts[i], sizeof(int), NULL,
                           &futures[i]);
    for (int i = 0; i < 3 && !status; i++) {
        int one = il_future_get(futures[i], IL_FOREVER, &lines);
        printf("%-20s %s\n", scripts[i], il_strerror(one));
        wrong += one != expected[i] || (!one && lines != 1000);
        il_future_free(futures[i]);
    }
    il_executor_free(pool);

    il_process *none = NULL;
    int missing = il_process_start((const char *[]){ "/no/such/program", NULL }, NULL, &none);
    printf("%s\n", il_last_error()->message);
    return status || wrong || missing != -ENOENT;
}
