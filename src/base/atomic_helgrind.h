/* SPDX-License-Identifier: MIT */
#ifndef IL_BASE_ATOMIC_HELGRIND_H
#define IL_BASE_ATOMIC_HELGRIND_H

/*
 * Atomic access as Helgrind has to be told of it. It knows pthreads and takes every other atomic
 * access for a plain one. So in a build for it (meson setup -Dhelgrind=true) the atomics say what
 * they promise and no more: an access to such a word is no race; one that acquires comes after those
 * that released the same word before; a relaxed one orders nothing. What is plain is checked as ever.
 *
 * Coarser than the truth in one way: what was once released to a word is seen by all who acquire it
 * later, also after others have overwritten it. And a fence is nothing to it.
 */

#include <stddef.h>

#include <valgrind/helgrind.h>

static inline void il__hg_unchecked(const volatile void *word, size_t size)
{
    VALGRIND_HG_DISABLE_CHECKING(word, size);
}

static inline void il__hg_before(const volatile void *word)
{
    ANNOTATE_HAPPENS_BEFORE(word);
}

static inline void il__hg_acquire(const volatile void *word)
{
    ANNOTATE_HAPPENS_AFTER(word);
}

#define il__hg_word(p) il__hg_unchecked((p), sizeof *(p))
#define il__hg_release(p) (il__hg_word(p), il__hg_before(p))

/* A value that is read, with what is to be said before and after. */
#define il__hg_read(p, before, access, after)                                                      \
    __extension__({                                                                                \
        before;                                                                                    \
        __auto_type il__hg_value = (access);                                                       \
        after;                                                                                     \
        il__hg_value;                                                                              \
    })
#define il__hg_load(p, access) il__hg_read(p, il__hg_word(p), access, il__hg_acquire(p))
#define il__hg_change(p, access) il__hg_read(p, il__hg_release(p), access, il__hg_acquire(p))
#define il__hg_store(p, access) (il__hg_release(p), access)

#define il__load(p) il__hg_read(p, il__hg_word(p), __atomic_load_n((p), __ATOMIC_RELAXED), (void)0)
#define il__load_acquire(p) il__hg_load(p, __atomic_load_n((p), __ATOMIC_ACQUIRE))
#define il__load_seq(p) il__hg_load(p, __atomic_load_n((p), __ATOMIC_SEQ_CST))
#define il__store(p, v) (il__hg_word(p), __atomic_store_n((p), (v), __ATOMIC_RELAXED))
#define il__store_release(p, v) il__hg_store(p, __atomic_store_n((p), (v), __ATOMIC_RELEASE))
#define il__store_seq(p, v) il__hg_store(p, __atomic_store_n((p), (v), __ATOMIC_SEQ_CST))
#define il__swap_acquire(p, v)                                                                     \
    il__hg_read(p, il__hg_word(p), __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE),                \
                il__hg_acquire(p))
#define il__swap(p, v) il__hg_change(p, __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST))
#define il__add(p, v) il__hg_change(p, __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST))
#define il__sub(p, v) il__hg_change(p, __atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST))
#define il__or(p, v) il__hg_change(p, __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST))
#define il__cas(p, expected, v)                                                                    \
    il__hg_change(p, __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_SEQ_CST,    \
                                                 __ATOMIC_ACQUIRE))
#define il__cas_weak(p, expected, v) il__cas(p, expected, v)

#endif
