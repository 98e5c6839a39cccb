/* SPDX-License-Identifier: MIT */
/*
 * Ctrl-C in good order: the first one cancels, so that each task cleans up; a second one would end the
 * program at once. Here the program presses the key itself. The loop has no thread of its own: main
 * drives it.
 */
#include <errno.h>
#include <interlock.h>
#include <signal.h>
#include <stdio.h>

static int works, cleaned; /* one thread: no two tasks touch them at once */

static int serve(void *in, void *out)
{
    works++;
    int status = il_sleep(IL_FOREVER);
    cleaned++; /* close files, take back what is half done */
    return status;
}

static int press(const il_beat *beat, void *arg)
{
    return raise(SIGINT);
}

int main(void)
{
    il_executor *loop = NULL;
    il_signal *interrupt = NULL;
    il_future *future = NULL;

    int status = il_loop_new(&(il_loop_opts){ .manual = true }, &loop);
    if (!status) status = il_signal_interrupt(loop, NULL, &interrupt);
    for (int i = 0; !status && i < 9; i++) status = il_submit(loop, serve, NULL, 0, 0, NULL, NULL);
    if (!status) status = il_submit(loop, serve, NULL, 0, 0, NULL, &future);
    if (!status) status = il_timer_start(loop, il_after(IL_MS(20)), 0, press, NULL, NULL);

    if (!status) status = il_loop_run_until(loop, future, il_after(IL_SEC(60)));
    int ended = future ? il_future_get(future, IL_NOW, NULL) : 0;
    if (!status) status = il_executor_close(loop, il_after(IL_SEC(60)));
    printf("%d worked, %d cleaned up: %s\n", works, cleaned, il_strerror(ended));

    il_future_free(future);
    il_signal_free(interrupt);
    il_executor_free(loop);
    return status || ended != -ECANCELED || cleaned != 10;
}
