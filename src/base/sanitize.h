/* SPDX-License-Identifier: MIT */
#ifndef IL_BASE_SANITIZE_H
#define IL_BASE_SANITIZE_H

/* Which sanitizer this is built with: gcc and clang tell it in different words. The sources that
 * must not be instrumented themselves are told by the build. */

#include <stddef.h>

#if defined(__SANITIZE_THREAD__)
#define IL_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define IL_TSAN 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#define IL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IL_ASAN 1
#endif
#endif

#ifndef IL_TSAN
#define IL_TSAN 0
#endif
#ifndef IL_ASAN
#define IL_ASAN 0
#endif

/*
 * What ThreadSanitizer cannot see by itself: code that it does not instrument hands memory over, and
 * whoever receives it sees what the other did before.
 */
#if IL_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
void AnnotateBenignRaceSized(const char *file, int line, const volatile void *address, size_t size,
                             const char *what);
#define il__tsan_hand_over(address) __tsan_release(address)
#define il__tsan_receive(address) __tsan_acquire(address)
/* Memory of a thread (errno) that the fibers on it use in turn, and save where it matters. */
#define il__tsan_in_turn(address, size)                                                            \
    AnnotateBenignRaceSized(__FILE__, __LINE__, (address), (size), "of a thread")
#else
#define il__tsan_hand_over(address) ((void)(address))
#define il__tsan_receive(address) ((void)(address))
#define il__tsan_in_turn(address, size) ((void)(address))
#endif

/* Memory in which the search for leaks at exit is to look as well: the stacks of fibers, which may
 * be parked then. */
#if IL_ASAN
void __lsan_register_root_region(const void *memory, size_t size);
void __lsan_unregister_root_region(const void *memory, size_t size);
#define il__asan_root(memory, size) __lsan_register_root_region((memory), (size))
#define il__asan_unroot(memory, size) __lsan_unregister_root_region((memory), (size))
#else
#define il__asan_root(memory, size) ((void)(memory), (void)(size))
#define il__asan_unroot(memory, size) ((void)(memory), (void)(size))
#endif

#endif
