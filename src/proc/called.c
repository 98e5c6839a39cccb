/* SPDX-License-Identifier: MIT */
/*
 * The zygote of il_process_call, and what its children do.
 *
 * The children must be the program's: it is to wait for them, be told of their end, and be the parent
 * at whose end a daemon dies. So the zygote makes them its siblings (CLONE_PARENT). libc has no call
 * for that, and does three things in the child of its fork that a bare clone leaves undone: the
 * kernel writes the new thread's number where libc keeps it (the address is known to the kernel:
 * PR_GET_TID_ADDRESS), the list of robust mutexes is registered again, and the handlers of
 * pthread_atfork run. The first two are done here. The third is for programs with threads, and this one
 * has a single thread and is before main.
 *
 * It has no children, so it reaps none, and nothing ends with it. It is gone when its socket is.
 */

#include "proc/call.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/shared.h"
#include "os/thread.h"
#include "proc/crash.h"
#include "task/task.h"
#include "wait/thread_agent.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

enum { CONTROL = 3, PROGRAM, BLOCK = 0, DIRECTORY, STREAMS, DESCRIPTORS = STREAMS + 3 };

_Static_assert((int)DESCRIPTORS <= (int)IL__MOST_DESCRIPTORS, "they go in one message");

/* --- The child ------------------------------------------------------------------------------- */

static void place_itself(const il__call_order *order, const int *descriptors)
{
    sigset_t none;
    if (order->daemon) prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (order->daemon && getppid() != order->program) _exit(127); /* it ended just before */
    for (int i = 0; i < 3; i++) dup2(descriptors[STREAMS + i], i);
    if (order->session) setsid();
    else if (order->group) setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int enter_directory(int directory)
{
    int failed = fchdir(directory) ? errno : 0;
    return failed ? il_fail(-failed, "cannot enter its directory: %s", strerror(failed)) : 0;
}

static int take_environment(il__call *call)
{
    char **variables = il__alloc((call->env_count + 1) * sizeof *variables);
    char *at = (char *)call + call->env_at;
    if (!variables) return -ENOMEM;
    for (uint64_t i = 0; i < call->env_count; i++, at += strlen(at) + 1) variables[i] = at;
    variables[call->env_count] = NULL;
    environ = variables;
    return 0;
}

static int call_function(il__call *call)
{
    uintptr_t base;
    int status = il__module_find(&call->module, &base);
    if (status) return status;
    il__crash_watch(call, base);
    il_fn *fn = (il_fn *)(base + call->offset); // NOLINT: an address made of a number
    return fn((char *)call + call->in_at, (char *)call + call->out_at);
}

static void note_failure(il__call *call, const il_error *error)
{
    snprintf(call->words, sizeof call->words, "%s", error->message);
    snprintf(call->file, sizeof call->file, "%s", error->file);
    if (error->cause) il_error_format(error->cause, call->cause, sizeof call->cause);
    call->line = error->line;
}

static void run(il__call *call, int directory)
{
    il__frame frame;
    il__task task = { .name = call->name };
    il__thread_agent *thread = il__thread_agent_here();

    thread->kernel_id = il__thread_kernel_id(); /* that of the zygote, before */
    il__thread_agent_rename(call->name);        /* in ps too */
    snprintf(thread->name, sizeof thread->name, "main");
    il__cancel_init(&task.cancel, NULL, 0);
    il__frame_enter(&frame, &task);
    int status = take_environment(call);
    if (!status) status = enter_directory(directory);
    close(directory);
    if (!status) status = call_function(call);
    call->status = status;
    if (status < 0) {
        il__error *error = il__frame_error(&frame, status);
        note_failure(call, &error->public);
        il__error_unref(error);
    }
    il__frame_leave(&frame);
}

static _Noreturn void become_child(const il__call_order *order, const int *descriptors)
{
    place_itself(order, descriptors);
    il__call *call = il__shared_map(descriptors[BLOCK], order->size, NULL);
    int directory = fcntl(descriptors[DIRECTORY], F_DUPFD_CLOEXEC, CONTROL);
    if (!call || directory < 0) _exit(ENOMEM);
    for (int fd = CONTROL; fd < directory; fd++) close(fd);
    syscall(SYS_close_range, (unsigned)directory + 1, ~0U, 0);
    run(call, directory);
    fflush(NULL);
    bool failed = call->status < 0;
    il__store_release(&call->done, 1); /* pairs with the acquire in outcome */
    _exit(failed);
}

/* --- The zygote ------------------------------------------------------------------------------ */

/* As fork(), but a child of our parent. */
static long fork_sibling(int *out_pidfd)
{
    unsigned long flags = CLONE_PARENT | CLONE_PIDFD | SIGCHLD;
    void *number = NULL, *robust = NULL;
    size_t robust_size = 0;

    if (!prctl(PR_GET_TID_ADDRESS, &number, 0, 0, 0) && number)
        flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    syscall(SYS_get_robust_list, 0, &robust, &robust_size);
    /* The fourth and the fifth argument are this address and one that is not used, or the other way
     * round, as the machine has it. */
    long pid = syscall(SYS_clone, flags, NULL, out_pidfd, number, number);
    if (!pid && robust) syscall(SYS_set_robust_list, robust, robust_size);
    return pid;
}

static void fork_child(int control, const il__call_order *order, const int *descriptors)
{
    int pidfd = -1;
    long pid = fork_sibling(&pidfd);
    if (!pid) become_child(order, descriptors);
    il__call_answer answer = { pid < 0 ? -errno : pid };
    il__message_send(control, &answer, sizeof answer, &pidfd, pid > 0);
    if (pid > 0) close(pidfd);
}

static void obey(int control)
{
    il__call_order order;
    int descriptors[DESCRIPTORS];
    int length = il__message_receive(control, &order, sizeof order, descriptors, DESCRIPTORS);
    if (length == -EAGAIN) return;
    if (length != (int)sizeof order) _exit(0);
    fork_child(control, &order, descriptors);
    for (int i = 0; i < DESCRIPTORS; i++)
        if (descriptors[i] >= 0) close(descriptors[i]);
}

/* The descriptors: nothing at 0, 1 and 2, the socket, the program, and no other. */
static void settle(int control, pid_t program)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL); /* the terminal's are for the program */
    if (control != CONTROL && dup2(control, CONTROL) < 0) _exit(EMFILE);
    fcntl(CONTROL, F_SETFD, FD_CLOEXEC);
    syscall(SYS_close_range, CONTROL + 1, ~0U, 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) _exit(EMFILE);
    for (int i = 0; i < 3; i++)
        if (null != i) dup2(null, i);
    if (null > CONTROL) close(null);
    if (syscall(SYS_pidfd_open, program, 0) != PROGRAM || getppid() != program) _exit(0);
}

_Noreturn void il__called_serve(int control, long program)
{
    settle(control, (pid_t)program);
    prctl(PR_SET_NAME, "il-zygote");
    il__crash_prepare();
    struct pollfd watched[] = {
        { .fd = CONTROL, .events = POLLIN },
        { .fd = PROGRAM, .events = POLLIN },
    };
    for (;;) {
        if (poll(watched, 2, -1) < 0) continue;
        if (watched[1].revents) _exit(0);
        if (watched[0].revents) obey(CONTROL);
    }
}
