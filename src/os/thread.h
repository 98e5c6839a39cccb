/* SPDX-License-Identifier: MIT */
#ifndef IL_OS_THREAD_H
#define IL_OS_THREAD_H

/* Kernel threads. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Start run(arg) in a thread, to be joined unless `detached`; stack_size 0: the system's. 0, -EAGAIN,
 * -ENOMEM or -EINVAL. */
int il__thread_create(pthread_t *out_thread, size_t stack_size, bool detached, void *(*run)(void *),
                      void *arg);

/* Give the current thread a name: the kernel gets the first 15 bytes, cut between characters. */
void il__thread_set_name(const char *name);

long il__thread_kernel_id(void);

/* Send a signal to that thread of this process; none there is fine. */
void il__thread_signal(long kernel_id, int number);

/* Let another thread have this CPU, if one wants it. */
void il__thread_yield(void);

/* CPU time of a thread that lives, nanoseconds; -1: not known. */
int64_t il__thread_cpu_time(pthread_t thread);

/* Its stack: lowest address and size. False: not known. */
int il__thread_stack(pthread_t thread, void **out_low, size_t *out_size);

#endif
