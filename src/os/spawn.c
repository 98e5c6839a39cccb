/* SPDX-License-Identifier: MIT */
/*
 * Starting programs. clone() with CLONE_VM and CLONE_VFORK: no page table is copied, so the price
 * does not grow with the program, and nothing of malloc or of other threads' locks is in the way,
 * since the child makes system calls and nothing else until it is another program. Only the thread
 * that starts it waits, for the exec. The child has a stack of its own, and its failure comes back
 * as a word in the memory that both see.
 *
 * posix_spawn does the same, but knows neither a pidfd nor a parent-death signal nor which step it
 * was that failed.
 *
 * All signals are blocked meanwhile: a handler of ours must not run in the child, which would be in
 * our memory. Before it lets them in again, the child puts every handler back to the default.
 */

#include "os/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/sanitize.h"

/* TSan takes clone() for a fork, and would have the child report to it. */
#if IL_TSAN
int __clone(int (*fn)(void *arg), void *stack, int flags, void *arg, ...);
#define clone __clone
#endif

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

enum { STACK = 32 << 10, SIGNALS = 64, SIGSET = SIGNALS / 8 };

/* The kernel's, which differs from libc's; libc's calls also hide two signals. */
struct kernel_sigaction {
    uintptr_t handler;
    unsigned long flags;
    uintptr_t restorer; /* some have none: then this is the mask, and what follows is not used */
    uint64_t mask;
};

struct child {
    const il__spawn *spawn;
    pid_t parent;
    int failed;       /* errno, 0: it runs */
    const char *step; /* that failed */
};

/* In the memory of the parent, on another stack: sanitizers have nothing to look for here. */
#define IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))

IN_CHILD static long fail(struct child *child, const char *step)
{
    child->failed = errno;
    child->step = step;
    return -1;
}

IN_CHILD static void forget_handlers(void)
{
    for (int number = 1; number <= SIGNALS; number++) {
        struct kernel_sigaction action = { 0 };
        if (syscall(SYS_rt_sigaction, number, NULL, &action, SIGSET)) continue;
        if (action.handler == (uintptr_t)SIG_DFL || action.handler == (uintptr_t)SIG_IGN) continue;
        action = (struct kernel_sigaction){ .handler = (uintptr_t)SIG_DFL };
        syscall(SYS_rt_sigaction, number, &action, NULL, SIGSET);
    }
}

/* Out of the way of 0, 1 and 2 first: what becomes 1 may be our 0. */
IN_CHILD static long place_descriptors(struct child *child)
{
    int away[3];
    for (int i = 0; i < 3; i++) {
        away[i] = child->spawn->fds[i];
        if (away[i] == i || away[i] > 2) continue;
        away[i] = (int)syscall(SYS_fcntl, away[i], F_DUPFD, 3);
        if (away[i] < 0) return fail(child, "pass a descriptor");
    }
    for (int i = 0; i < 3; i++) {
        long done =
            away[i] == i ? syscall(SYS_fcntl, i, F_SETFD, 0) : syscall(SYS_dup3, away[i], i, 0);
        if (done < 0) return fail(child, "pass a descriptor");
    }
    if (syscall(SYS_close_range, 3, UINT_MAX, 0)) return fail(child, "close descriptors");
    return 0;
}

IN_CHILD static long place_itself(struct child *child)
{
    const il__spawn *spawn = child->spawn;

    if (spawn->daemon) {
        if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
            return fail(child, "be a daemon");
        if (syscall(SYS_getppid) != child->parent) syscall(SYS_exit, 127); /* ended just before */
    }
    if (spawn->session && syscall(SYS_setsid) < 0) return fail(child, "open a session");
    if (spawn->group && !spawn->session && syscall(SYS_setpgid, 0, 0))
        return fail(child, "open a process group");
    if (spawn->directory && syscall(SYS_chdir, spawn->directory))
        return fail(child, "enter its directory");
    return 0;
}

/* As execvp looks along PATH: what is not there or may not be run is passed over, and remembered. */
IN_CHILD static void become_program(struct child *child)
{
    int worst = ENOENT;

    for (char *const *path = child->spawn->paths; *path; path++) {
        syscall(SYS_execve, *path, child->spawn->argv, child->spawn->env);
        if (errno == EACCES) worst = EACCES;
        else if (errno != ENOENT && errno != ENOTDIR) {
            worst = errno;
            break;
        }
    }
    errno = worst;
    fail(child, "run it");
}

/* Returning is _exit(127), which nobody gets to see: whoever started it is told by `child`. */
IN_CHILD static int run_child(void *arg)
{
    struct child *child = arg;
    uint64_t none = 0;

    if (!place_descriptors(child) && !place_itself(child)) {
        forget_handlers();
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, SIGSET);
        become_program(child);
    }
    return 127;
}

int il__spawn_start(const il__spawn *spawn, pid_t *out_pid, int *out_pidfd, const char **out_step)
{
    struct child child = { .spawn = spawn, .parent = getpid() };
    uint64_t all = UINT64_MAX, before;
    int pidfd = -1, kept = errno;

    *out_step = "start a process";
    if (il__refused()) return -EAGAIN;
    char *stack = il__alloc(STACK);
    if (!stack) return -ENOMEM;

    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, SIGSET);
    pid_t pid = clone(run_child, stack + STACK, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
                      &child, &pidfd);
    int failed = pid < 0 ? errno : child.failed;
    if (pid > 0 && child.failed) {
        *out_step = child.step;
        syscall(SYS_waitid, P_PID, pid, NULL, WEXITED, NULL);
        close(pidfd);
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, SIGSET);
    il__free(stack);
    errno = kept;
    if (failed) return -failed;
    *out_pid = pid;
    *out_pidfd = pidfd;
    return 0;
}

bool il__spawn_has_ended(int pidfd)
{
    siginfo_t info = { 0 };
    int kept = errno;
    long failed = syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED | WNOHANG | WNOWAIT, NULL);
    errno = kept;
    return failed || info.si_pid;
}

int il__spawn_reap(int pidfd, il__ended *out_ended)
{
    siginfo_t info = { 0 };
    struct rusage usage;
    int kept = errno, failed = 0;

    if (syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED | WNOHANG, &usage)) failed = errno;
    errno = kept;
    if (failed) return -failed;
    if (!info.si_pid) return -EAGAIN;
    *out_ended = (il__ended){
        .code = info.si_code == CLD_EXITED ? info.si_status : 0,
        .signal = info.si_code == CLD_EXITED ? 0 : info.si_status,
        .core = info.si_code == CLD_DUMPED,
        .usage = usage,
    };
    return 0;
}

int il__spawn_signal(int pidfd, int number)
{
    int kept = errno, failed = 0;
    if (syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0)) failed = errno;
    errno = kept;
    return -failed;
}
