/* SPDX-License-Identifier: MIT */
/*
 * Pages. Huge pages are declined: one touched byte of a stack would cost 2 MiB.
 */

#include "os/pages.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/memory.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

size_t il__page_size(void)
{
    static size_t size;
    if (!il__load(&size)) il__store(&size, (size_t)sysconf(_SC_PAGESIZE));
    return il__load(&size);
}

void *il__pages_map(size_t size)
{
    if (il__refused()) return NULL;
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (pages == MAP_FAILED) return NULL;
    madvise(pages, size, MADV_NOHUGEPAGE);
    return pages;
}

void il__pages_unmap(void *pages, size_t size)
{
    munmap(pages, size);
}

/* Advice that an emulator accepts without looking at it is no guard: QEMU takes any. */
static bool advised_to_guard(void *pages, size_t size)
{
    enum { NO_SUCH_ADVICE = 0x7fffff };
    static int looks; /* atomic; 0: not known yet, 1: whoever is advised looks, -1: it does not */
    if (!il__load(&looks)) il__store(&looks, madvise(pages, size, NO_SUCH_ADVICE) ? 1 : -1);
    return il__load(&looks) > 0 && !madvise(pages, size, MADV_GUARD_INSTALL);
}

bool il__pages_guard(void *pages, size_t size)
{
    int saved = errno;
    bool guarded =
        !il__refused() && (advised_to_guard(pages, size) || !mprotect(pages, size, PROT_NONE));
    errno = saved;
    return guarded;
}

void il__pages_release(void *pages, size_t size)
{
    int saved = errno;
    madvise(pages, size, MADV_DONTNEED);
    errno = saved;
}

size_t il__pages_used_from_end(void *pages, size_t size)
{
    enum { BATCH = 64 };
    unsigned char resident[BATCH];
    size_t page = il__page_size(), used = 0, left = size / page;
    int saved = errno;

    while (left) {
        size_t count = left < BATCH ? left : BATCH;
        if (mincore((char *)pages + (left - count) * page, count * page, resident)) break;
        size_t i = count;
        while (i && (resident[i - 1] & 1)) i--, used += page;
        if (i) break;
        left -= count;
    }
    errno = saved;
    return used;
}
