/* SPDX-License-Identifier: MIT */
/* The executors by name. */

#include "executors.h"

#include <stdio.h>
#include <string.h>

#include "tool.h"

static int make_inline(unsigned workers, il_executor **out_executor)
{
    (void)workers;
    return il_inline_new(out_executor);
}

static int make_threads(unsigned workers, il_executor **out_executor)
{
    return il_threads_new(&(il_threads_opts){ .workers = workers }, out_executor);
}

static int make_processes(unsigned workers, il_executor **out_executor)
{
    return il_processes_new(&(il_processes_opts){ .workers = workers }, out_executor);
}

static int make_loop(unsigned workers, il_executor **out_executor)
{
    (void)workers;
    return il_loop_new(NULL, out_executor);
}

const struct executor_kind executor_kinds[] = {
    { "inline", make_inline, false, false },
    { "threads", make_threads, true, false },
    { "processes", make_processes, true, true },
    { "loop", make_loop, false, false },
    { 0 },
};

const struct executor_kind *executor_find(const char *name)
{
    for (const struct executor_kind *kind = executor_kinds; kind->name; kind++) {
        if (!strcmp(kind->name, name)) return kind;
    }
    return NULL;
}

int executor_option(const char *name, const struct executor_kind **out_kind)
{
    const struct executor_kind *kind = executor_find(name);
    char names[256] = "";
    size_t length = 0;

    if (kind) {
        *out_kind = kind;
        return 0;
    }
    for (kind = executor_kinds; kind->name && length < sizeof names; kind++)
        length += (size_t)snprintf(names + length, sizeof names - length, "%s%s",
                                   length ? ", " : "", kind->name);
    return tool_usage("--on: '%s' is no executor; there are: %s", name, names);
}
