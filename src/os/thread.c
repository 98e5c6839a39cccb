/* SPDX-License-Identifier: MIT */
/* Kernel threads, through pthreads. */

#include "os/thread.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"

int il__thread_create(pthread_t *out_thread, size_t stack_size, bool detached, void *(*run)(void *),
                      void *arg)
{
    pthread_attr_t attributes;
    if (il__refused()) return -EAGAIN;
    int failed = pthread_attr_init(&attributes);
    if (failed) return -failed;
    if (stack_size) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        failed = pthread_attr_setstacksize(&attributes, (stack_size + page - 1) & ~(page - 1));
    }
    if (!failed && detached)
        failed = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (!failed) failed = pthread_create(out_thread, &attributes, run, arg);
    pthread_attr_destroy(&attributes);
    return -failed;
}

void il__thread_set_name(const char *name)
{
    char cut[16];
    size_t length = strnlen(name, sizeof cut);
    if (length == sizeof cut) {
        length = sizeof cut - 1;
        while (length && ((unsigned char)name[length] & 0xc0) == 0x80) length--;
    }
    memcpy(cut, name, length);
    cut[length] = 0;
    pthread_setname_np(pthread_self(), cut);
}

long il__thread_kernel_id(void)
{
    return syscall(SYS_gettid);
}

void il__thread_signal(long kernel_id, int number)
{
    syscall(SYS_tgkill, getpid(), kernel_id, number);
}

void il__thread_yield(void)
{
    sched_yield();
}

int64_t il__thread_cpu_time(pthread_t thread)
{
    clockid_t clock;
    struct timespec used;
    if (pthread_getcpuclockid(thread, &clock) || clock_gettime(clock, &used)) return -1;
    return used.tv_sec * INT64_C(1000000000) + used.tv_nsec;
}

int il__thread_stack(pthread_t thread, void **out_low, size_t *out_size)
{
    pthread_attr_t attributes;
    if (pthread_getattr_np(thread, &attributes)) return 0;
    int found = !pthread_attr_getstack(&attributes, out_low, out_size);
    pthread_attr_destroy(&attributes);
    return found;
}
