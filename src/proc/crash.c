/* SPDX-License-Identifier: MIT */
/*
 * The backtrace of a crash. The child writes addresses only, as distances from where the function's
 * module lies: no more is safe in a handler. The program, where the same module lies elsewhere, makes
 * names of them. Frames in other modules (libc's abort, say) are left out: their distance means
 * nothing here.
 *
 * A handler of its own stack, so that an overflow of the stack is told too. It runs once; after it the
 * signal does what it would have done without: core file, and exit by that signal.
 */

#include "proc/crash.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic.h"

enum { STACK = 64 << 10 };

static struct {
    il__call *call;
    uintptr_t base;
    char stack[STACK];
} here;

void il__crash_prepare(void)
{
    void *none[1];
    backtrace(none, 1); /* the first call loads libgcc's unwinder */
}

static void on_crash(int number, siginfo_t *info, void *context)
{
    (void)context;
    void *at[IL__CALL_DEPTH];
    il__call *call = il__swap(&here.call, NULL); /* two threads may crash */
    int depth = call ? backtrace(at, IL__CALL_DEPTH) : 0;
    for (int i = 0; i < depth; i++) call->crashed_at[i] = (uintptr_t)at[i] - here.base;
    if (call) il__store_release(&call->depth, (uint32_t)depth); /* pairs with the acquire below */
    if (info->si_code <= 0)
        raise(number); /* it was sent; what is a fault happens again by itself */
}

void il__crash_watch(il__call *call, uintptr_t base)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
    struct sigaction before, action = {
        .sa_sigaction = on_crash,
        .sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER),
    };
    here.call = call;
    here.base = base;
    sigaltstack(&(stack_t){ .ss_sp = here.stack, .ss_size = sizeof here.stack }, NULL);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (!sigaction(signals[i], NULL, &before) && before.sa_handler == SIG_DFL)
            sigaction(signals[i], &action, NULL);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* One place, if it is in that module. */
static size_t print_place(const il__call *call, uintptr_t base, uint64_t distance, char *text,
                          size_t size)
{
    Dl_info about;
    il__module module;
    uint64_t offset;
    uintptr_t address = base + distance;
    il_fn *code = (il_fn *)address; // NOLINT: an address made of a number
    if (il__module_of(code, &module, &offset) || offset != distance) return 0;
    if (memcmp(module.id, call->module.id, sizeof module.id) != 0) return 0;
    if (!dladdr((void *)address, &about)) return 0; // NOLINT: the same
    bool named = about.dli_sname != NULL;
    int length =
        snprintf(text, size, " < %s+0x%llx", named ? about.dli_sname : last_part(about.dli_fname),
                 (unsigned long long)(named ? address - (uintptr_t)about.dli_saddr : distance));
    return length < 0 || (size_t)length >= size ? 0 : (size_t)length;
}

void il__crash_print(const il__call *call, uintptr_t base, char *text, size_t size)
{
    uint32_t depth = il__load_acquire(&call->depth);
    size_t at = 0;
    *text = 0;
    for (uint32_t i = 1; i < depth && i < IL__CALL_DEPTH; i++) /* the first is the handler's */
        at += print_place(call, base, call->crashed_at[i], text + at, size - at);
    text[at] = 0;
    if (at) memmove(text, text + 3, at - 2);
}
