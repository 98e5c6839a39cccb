/* SPDX-License-Identifier: MIT */
/* Random bytes of the kernel's. */

#include "os/random.h"

#include <errno.h>
#include <interlock/time.h>
#include <stdint.h>
#include <sys/random.h>

void il__random(void *bytes, size_t size)
{
    int saved = errno;
    /* Up to 256 bytes come whole, or not at all; never wait for a kernel that has just booted. */
    if (getrandom(bytes, size, GRND_NONBLOCK) != (ssize_t)size) {
        uint64_t state = (uint64_t)il_now() ^ (uint64_t)(uintptr_t)&state; /* ASLR */
        for (size_t i = 0; i < size; i++) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            ((unsigned char *)bytes)[i] = (unsigned char)(state >> 56);
        }
    }
    errno = saved;
}
