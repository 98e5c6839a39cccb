/* SPDX-License-Identifier: MIT */
/*
 * Stack overflow. A worker that touches a guard gets SIGSEGV, on a signal stack of its own; if the
 * address is in the guard of the fiber that runs here, that is said by name. Any other fault is
 * passed on to whoever handled SIGSEGV before.
 */

#include <signal.h>
#include <stdlib.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "sched/pool.h"

enum { SIGNAL_STACK = 64 * 1024 };

static struct sigaction before;

static void on_fault(int number, siginfo_t *info, void *context)
{
    il__worker *worker = il__worker_here();
    il__fiber *fiber = worker ? worker->current : NULL;
    if (fiber && il__stacks_in_guard(fiber, info->si_addr)) {
        const char *name = fiber->agent.name;
        il__fatal("fiber \"%s\" overflowed its stack of %zu KiB (il_threads_opts.stack_size)",
                  name ? name : "", fiber->context.size / 1024);
    }
    if (before.sa_flags & SA_SIGINFO && before.sa_sigaction) {
        before.sa_sigaction(number, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(number);
    } else { /* as if we had not been here: it faults again */
        struct sigaction plain = { .sa_handler = SIG_DFL };
        sigaction(number, &plain, NULL);
    }
}

static void install(void)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigaction(SIGSEGV, NULL, &before);
    sigaction(SIGSEGV, &action, NULL);
}

void il__overflow_watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
}

/* What lies at the end of the stack that is made. */
static stack_t *before_of(void *memory)
{
    return (stack_t *)((char *)memory + SIGNAL_STACK);
}

void *il__overflow_stack_new(void)
{
    void *memory = il__alloc(SIGNAL_STACK + sizeof(stack_t));
    stack_t stack = { .ss_sp = memory, .ss_size = SIGNAL_STACK };
    if (memory) sigaltstack(&stack, before_of(memory));
    return memory;
}

void il__overflow_stack_free(void *memory)
{
    if (!memory) return;
    sigaltstack(before_of(memory), NULL);
    il__free(memory);
}
