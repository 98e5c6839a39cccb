/* SPDX-License-Identifier: MIT */
/* Futex: FUTEX_WAIT_BITSET, since its timeout is absolute. errno is left as it was. */

#include "os/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int wait_on(uint32_t *word, uint32_t value, il_time until, int operation)
{
    if (until < 0) until = 0; /* the kernel refuses a negative time; it is as past as any */
    struct timespec deadline = { .tv_sec = until / IL_SEC(1), .tv_nsec = until % IL_SEC(1) };
    int saved = errno;
    long failed = syscall(SYS_futex, word, operation, value, until == IL_FOREVER ? NULL : &deadline,
                          NULL, FUTEX_BITSET_MATCH_ANY);
    int status = failed && errno == ETIMEDOUT ? -ETIMEDOUT : 0;
    errno = saved;
    return status;
}

static void wake_up(uint32_t *word, int count, int operation)
{
    int saved = errno;
    syscall(SYS_futex, word, operation, count, NULL, NULL, 0);
    errno = saved;
}

int il__futex_wait(uint32_t *word, uint32_t value, il_time until)
{
    return wait_on(word, value, until, FUTEX_WAIT_BITSET_PRIVATE);
}

void il__futex_wake(uint32_t *word, int count)
{
    wake_up(word, count, FUTEX_WAKE_PRIVATE);
}

int il__futex_wait_across(uint32_t *word, uint32_t value, il_time until)
{
    return wait_on(word, value, until, FUTEX_WAIT_BITSET);
}

void il__futex_wake_across(uint32_t *word, int count)
{
    wake_up(word, count, FUTEX_WAKE);
}

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449 /* the same on every architecture */
#endif

/* As the kernel has it, whose header may be older than the kernel. */
struct two_words {
    uint64_t value, address;
    uint32_t flags, reserved;
};

static long wait_on_two(const struct two_words *words, const struct timespec *deadline)
{
    return syscall(SYS_futex_waitv, words, 2, 0, deadline, CLOCK_MONOTONIC);
}

bool il__futex_can_wait_either(void)
{
    int saved = errno;
    bool knows = wait_on_two(NULL, NULL) < 0 && errno != ENOSYS && errno != EPERM;
    errno = saved;
    return knows;
}

int il__futex_wait_either(uint32_t *own, uint32_t own_value, uint32_t *shared,
                          uint32_t shared_value, il_time until)
{
    enum { SIZE_32 = 2, PRIVATE = 128 };
    const struct two_words words[] = {
        { .value = own_value, .address = (uintptr_t)own, .flags = SIZE_32 | PRIVATE },
        { .value = shared_value, .address = (uintptr_t)shared, .flags = SIZE_32 },
    };
    if (until < 0) until = 0;
    struct timespec deadline = { .tv_sec = until / IL_SEC(1), .tv_nsec = until % IL_SEC(1) };
    int saved = errno;
    long woken = wait_on_two(words, until == IL_FOREVER ? NULL : &deadline);
    int status = woken < 0 && errno == ETIMEDOUT ? -ETIMEDOUT : 0;
    errno = saved;
    return status;
}
