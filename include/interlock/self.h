/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_SELF_H
#define INTERLOCK_SELF_H

/*
 * Who am I, and who else lives: threads, and the fibers that run tasks.
 *
 *     il_info me;
 *     char line[200];
 *     il_self(&me);
 *     il_info_format(&me, line, sizeof line);  // thread 4 "reader" (kernel 31415) running for 1.2 s
 */

#include <interlock/time.h>

IL__BEGIN

typedef enum il_state {
    IL_NEW,      /* made, not started */
    IL_STARTING, /* the system is making it */
    IL_RUNNABLE, /* could run, waits for a CPU or a worker */
    IL_RUNNING,
    IL_BLOCKED, /* waits; .waits_for says for what */
    IL_DONE,
    IL_FAILED,
    IL_CANCELED
} il_state;

typedef enum il_kind { IL_THREAD, IL_FIBER } il_kind;

typedef struct il_info {
    il_kind kind;
    il_state state;
    uint64_t id;           /* unique in this process, never used again */
    uint64_t parent;       /* who started it, 0: unknown */
    long kernel_id;        /* of the thread, or of the worker it runs on; 0: on none */
    char name[48];         /* cut; of a fiber: its task's */
    const char *waits_for; /* "mutex", "future", ...; NULL when it does not wait */
    const void *waits_on;  /* the address of that object */
    il_time since;         /* of its start */
    uint64_t waits;        /* times it had to wait: voluntary switches */
    int64_t cpu_time;      /* nanoseconds used; -1: not known (fibers, other threads' may be) */
    size_t stack_size;     /* bytes; 0: not known */
    size_t stack_used;     /* the most so far, in whole pages; 0: not known */
} il_info;

/* The current thread or fiber. */
IL_API void il_self(il_info *out_info);

/* The main thread. */
IL_API void il_main(il_info *out_info);

/* A fiber that waits or runs a task, in every executor: as il_thread_list. Tasks that have not
 * started are not among them; il_executor_describe counts tasks. */
IL_API size_t il_fiber_list(il_info *out_infos, size_t capacity);

/* One line about it, snprintf-like. */
IL_API size_t il_info_format(const il_info *info, char *buffer, size_t size);

/* "blocked", ... */
IL_API const char *il_state_name(il_state state);

/* Let others run that could. A fiber goes to the end of its worker's queue. */
IL_API void il_yield(void);

/*
 * Thread-locals and fibers. A fiber may wake on another thread, and a compiler may keep the address
 * of a thread-local, and that of errno too, across the call that moved it. So after a wait:
 *  - errno itself is preserved by every call here, but a function that looked at errno before a
 *    wait should look again through il_errno();
 *  - what should belong to the task belongs into an il_local, which moves with it.
 */

/* errno, read anew: int e = *il_errno(); */
IL_API int *il_errno(void);

/* One pointer a thread or task, NULL at first. Zero-initialised is ready to use, for ever. At most
 * 16 of them in a process: more is il_fatal. A task starts with all of them NULL. */
typedef struct il_local {
    uint32_t il__index;
} il_local;
IL_API void *il_local_get(il_local *local);
IL_API void il_local_set(il_local *local, void *value);

IL__END

#endif
