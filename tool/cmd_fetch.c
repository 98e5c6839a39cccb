/* SPDX-License-Identifier: MIT */
/* interlock fetch: files over HTTP. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include "fetch_job.h"
#include "tool.h"
int cmd_fetch(int argc, char **argv)
{
    il_executor *loop = NULL;
    il_future *f[100];
    static struct fetch_out out;
    char words[300];
    il_loop_new(NULL, &loop);
    for (int i = 1; i < argc; i++) {
        char path[100];
        snprintf(path, 100, "/tmp/fx/out/%d", i);
        struct fetch_in *in = calloc(1, fetch_in_size(argv[i], path));
        in->redirects = 10;
        fetch_in_words(in, argv[i], path);
        il_submit(loop, fetch_job, in, fetch_in_size(argv[i], path), sizeof out, NULL, &f[i]);
    }
    for (int i = 1; i < argc; i++) {
        int status = il_future_get(f[i], IL_FOREVER, &out);
        transfer_words(&out.result, words, 300);
        printf("%d %d %s: %s\n", status, out.end, argv[i], words);
        il_future_free(f[i]);
    }
    transfer_end(loop);
    il_executor_free(loop);
    return 0;
}
