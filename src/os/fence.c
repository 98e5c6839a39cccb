/* SPDX-License-Identifier: MIT */
/*
 * membarrier. A process registers once and stays registered; a forked child inherits it. The flag
 * goes up after registering; a light fence that still sees it down is a full one, which pairs with
 * either kind.
 */

#include "os/fence.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

bool il__fence_asymmetric;

void il__fence_init(void)
{
    int saved = errno;
    if (!il__load(&il__fence_asymmetric) &&
        syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0)
        il__store_seq(&il__fence_asymmetric, true);
    errno = saved;
}

void il__fence_heavy(void)
{
    int saved = errno;
    static unsigned char fence;
    (void)il__swap(&fence, 0);
    if (il__load(&il__fence_asymmetric))
        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    errno = saved;
}
