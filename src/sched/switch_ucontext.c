/* SPDX-License-Identifier: MIT */
/*
 * Switching stacks where we have no assembly: ucontext. Each switch saves the signal mask, two
 * system calls, so this is for correctness, not for speed. A ucontext lies on its own stack.
 */

#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

void il__switch_stacks(void **save, void *sp);
void *il__lay_out_stack(char *top, void (*entry)(void *), void *arg);

typedef struct layout {
    ucontext_t context;
    void (*entry)(void *);
    void *arg;
} layout;

void il__switch_stacks(void **save, void *sp)
{
    ucontext_t here;
    *save = &here;
    swapcontext(&here, sp);
}

/* makecontext passes ints only. */
static void first_call(unsigned high, unsigned low)
{
    layout *at = (layout *)(uintptr_t)((uint64_t)high << 32 | low);
    at->entry(at->arg);
}

void *il__lay_out_stack(char *top, void (*entry)(void *), void *arg)
{
    enum { ROOM = 32 * 1024 }; /* makecontext wants to know a size; the real stack is larger */
    layout *at = (layout *)((uintptr_t)(top - sizeof *at) & ~(uintptr_t)63);
    getcontext(&at->context);
    at->entry = entry;
    at->arg = arg;
    at->context.uc_stack.ss_sp = (char *)at - ROOM;
    at->context.uc_stack.ss_size = ROOM;
    at->context.uc_link = NULL;
    uint64_t address = (uintptr_t)at;
    makecontext(&at->context, (void (*)(void))first_call, 2, (unsigned)(address >> 32),
                (unsigned)address);
    return &at->context;
}
