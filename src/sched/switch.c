/* SPDX-License-Identifier: MIT */
/*
 * The switch between stacks, and telling the sanitizers.
 *
 * Under ThreadSanitizer neither this floor nor `os` is instrumented, so that what the worker does
 * on behalf of one fiber and of the next is not taken for a race, and a race between two fibers is
 * one also when the same worker runs both. The floor says itself where it hands something over
 * (base/sanitize.h). A stack keeps its TSan fiber for life: tasks that it runs one after the other
 * are in order, as they use the same memory.
 *
 * The switch itself is a few lines of assembly in switch_<cpu>.S: it saves what a called function
 * must preserve, and nothing else. The floating-point environment (rounding mode) belongs to the
 * thread: who changes it restores it before it waits.
 */

#include "sched/switch.h"

#include <pthread.h>

#if IL_TSAN
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
/* That one fiber runs after the other on a worker does not order what they do. */
enum { NO_SYNC = 1 };
#endif
#if IL_ASAN
void __sanitizer_start_switch_fiber(void **save, const void *low, size_t size);
void __sanitizer_finish_switch_fiber(void *save, const void **out_low, size_t *out_size);
void __asan_unpoison_memory_region(void const volatile *address, size_t size);
#endif

/* Lay out a stack so that switching to it calls entry(arg). Returns its stack pointer. */
void *il__lay_out_stack(char *top, void (*entry)(void *), void *arg);

struct start {
    il__context *context;
    void (*entry)(void *);
    void *arg;
};

static void begin(void *at)
{
    struct start start = *(struct start *)at;
#if IL_ASAN
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
    start.entry(start.arg);
    __builtin_unreachable();
}

void il__context_make(il__context *context, char *low, size_t size, void (*entry)(void *),
                      void *arg)
{
    char *top = (char *)((size_t)(low + size) & ~(size_t)15);
#if IL_ASAN
    __asan_unpoison_memory_region(low, size);
    context->asan = NULL;
#endif
#if IL_TSAN
    if (!context->tsan) context->tsan = __tsan_create_fiber(0);
#endif
    top -= (sizeof(struct start) + 15) & ~(size_t)15;
    struct start *start = (void *)top;
    start->context = context;
    start->entry = entry;
    start->arg = arg;
    context->low = low;
    context->size = size;
    context->sp = il__lay_out_stack(top, begin, start);
}

void il__context_adopt(il__context *context)
{
    *context = (il__context){ 0 };
#if IL_TSAN
    context->tsan = __tsan_get_current_fiber();
#endif
#if IL_ASAN
    pthread_attr_t attributes;
    void *low;
    if (!pthread_getattr_np(pthread_self(), &attributes)) {
        if (!pthread_attr_getstack(&attributes, &low, &context->size)) context->low = low;
        pthread_attr_destroy(&attributes);
    }
#endif
}

#if IL_ASAN || IL_TSAN
void il__context_switch(il__context *from, il__context *to, bool for_good)
{
#if IL_ASAN
    __sanitizer_start_switch_fiber(for_good ? NULL : &from->asan, to->low, to->size);
#endif
#if IL_TSAN
    __tsan_switch_to_fiber(to->tsan, NO_SYNC);
#endif
    (void)for_good;
    il__switch_stacks(&from->sp, to->sp);
#if IL_ASAN
    __sanitizer_finish_switch_fiber(from->asan, NULL, NULL);
#endif
}
#endif

void il__context_drop(il__context *context)
{
#if IL_TSAN
    if (context->tsan) __tsan_destroy_fiber(context->tsan);
#endif
#if IL_ASAN
    __asan_unpoison_memory_region(context->low, context->size);
#endif
    context->tsan = NULL;
}
