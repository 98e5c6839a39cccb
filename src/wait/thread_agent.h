/* SPDX-License-Identifier: MIT */
#ifndef IL_WAIT_THREAD_AGENT_H
#define IL_WAIT_THREAD_AGENT_H

/*
 * The agent of a thread, and the list of all threads that have one. It lives in the thread's own
 * memory, so that becoming an agent cannot fail; it leaves the list when the thread ends.
 */

#include <pthread.h>

#include "wait/agent.h"

typedef struct il__thread_agent {
    il__agent agent;
    il__link link; /* in the list of living threads; guarded by its lock */
    pthread_t pthread;
    long kernel_id;
    unsigned luck; /* of looking out for a wake-up; owner only */
    int state;     /* atomic; il_state as far as `word` does not tell */
    char name[48]; /* guarded by the list's lock, owner writes */
    void *handle;  /* the il_thread, or NULL; cleared under the list's lock */
} il__thread_agent;

/* The agent of the current thread, also while a fiber runs on it; made at the first call. */
il__thread_agent *il__thread_agent_here(void);

/* Name it, here and in the kernel. */
void il__thread_agent_rename(const char *name);

void il__thread_agent_describe(il__thread_agent *thread, il_info *out_info);

/* The same in a visit, where the list is locked. */
void il__thread_agent_describe_locked(il__thread_agent *thread, il_info *out_info);

/* Its il_thread is about to end, and may then be gone: `handle` is NULL from now on. */
void il__thread_agent_disown(il__thread_agent *thread);

/* Call visit(thread, arg) for each that lives, the list locked: it may not wait. */
void il__thread_agents_visit(void (*visit)(il__thread_agent *, void *arg), void *arg);

#endif
