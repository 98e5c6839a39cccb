/* SPDX-License-Identifier: MIT */
/* interlock fetch: files over HTTP. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"
#include "transfer.h"

static int print(void *arg, const void *data, size_t size)
{
    (void)arg;
    return tool_write(data, size);
}

int cmd_fetch(int argc, char **argv)
{
    char words[512];
    int end = TOOL_OK;

    static const struct argp argp = { .parser = NULL };
    (void)argp;
    for (int i = 1; i < argc; i++) {
        struct transfer_result result;
        transfer_run(&(struct transfer){ .url = argv[i], .on_body = print, .redirects = 10 },
                     &result);
        transfer_words(&result, words, sizeof words);
        if (result.end == TRANSFER_DONE && result.status == 200) continue;
        tool_say("%s: %s", argv[i], words);
        end = TOOL_FAILED;
    }
    return end;
}
