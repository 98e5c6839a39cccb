/* SPDX-License-Identifier: MIT */
/*
 * An agent in words. A thread is looked up in the list of those that live, which also has its name,
 * so that one that has ended is not touched as a thread.
 */

#include "sync/who.h"

#include <stdio.h>

#include "wait/thread_agent.h"

typedef struct who_search {
    il__agent *wanted;
    char *buffer;
    size_t size;
    bool found;
} who_search;

static void look_at(il__thread_agent *thread, void *arg)
{
    who_search *search = arg;
    if (&thread->agent != search->wanted) return;
    snprintf(search->buffer, search->size, "thread %llu \"%s\"",
             (unsigned long long)il__agent_id(&thread->agent), thread->name);
    search->found = true;
}

const char *il__who(il__agent *agent, char *buffer, size_t size)
{
    if (!agent) return "nobody";
    who_search search = { .wanted = agent, .buffer = buffer, .size = size };
    il__thread_agents_visit(look_at, &search);
    if (search.found) return buffer;

    const char *name = il__load(&agent->name);
    snprintf(buffer, size, "fiber %llu \"%s\"", (unsigned long long)il__agent_id(agent),
             name ? name : "");
    return buffer;
}
