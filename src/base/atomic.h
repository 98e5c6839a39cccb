/* SPDX-License-Identifier: MIT */
#ifndef IL_BASE_ATOMIC_H
#define IL_BASE_ATOMIC_H

/*
 * Atomic access to plain objects, in the few orders that are used here. Plain types rather than
 * _Atomic, since some of the words lie in public headers that C++ reads too.
 *
 * Without a suffix an access is relaxed: it orders nothing. Each other use names its partner.
 */

#ifdef IL_HELGRIND
#include "base/atomic_helgrind.h"
#else

#define il__load(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define il__load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define il__load_seq(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define il__store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define il__store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define il__store_seq(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define il__swap_acquire(p, v) __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define il__swap(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define il__add(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define il__sub(p, v) __atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST)
#define il__or(p, v) __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)

/* If *p is *expected, make it v; else put what it is into *expected. Acquire and release. */
#define il__cas(p, expected, v)                                                                    \
    __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE)
#define il__cas_weak(p, expected, v)                                                               \
    __atomic_compare_exchange_n((p), (expected), (v), true, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE)

#endif

/* A counter that one thread writes and others read: no locked instruction. */
#define il__bump(p) il__store((p), il__load(p) + 1)

/* The line at this address will be needed soon. The address need not be valid. */
#define il__prefetch(address) __builtin_prefetch(address)

#define il__likely(x) __builtin_expect(!!(x), 1)
#define il__unlikely(x) __builtin_expect(!!(x), 0)

#endif
