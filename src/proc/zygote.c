/* SPDX-License-Identifier: MIT */
/*
 * The zygote: the program executed once more, which turns into this before main. It has one thread,
 * so forking it is safe whatever the program does; it forks workers when told to, reaps them, and
 * reports what became of them. Nothing of the program has run in it but what the loader runs.
 *
 * What a worker leaves behind ends with it. Each worker leads a session, whose group is killed
 * when it dies, before it is reaped: so its number cannot mean another group yet. Whatever left the
 * group becomes our child (we are its subreaper) and is killed when it turns up among our children.
 *
 * It watches the parent by its end of the socket and by a pidfd, since a child that the parent forked
 * may hold the other end. When the parent is gone, everything here is killed, and it ends. If it
 * is killed itself, the kernel kills the workers (PR_SET_PDEATHSIG; we have but one thread, so that
 * "the thread that forked" is us).
 */

#include "proc/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <interlock/time.h>

#include "base/memory.h"
#include "os/shared.h"
#include "proc/call.h"
#include "proc/lane.h"

enum { STRAYS = 20 /* milliseconds that their end may hold up the report of a worker's */ };

struct child {
    pid_t pid; /* 0: none */
    uint32_t index, serial;
};

static struct zygote {
    int control, parent, signals, event;
    pid_t pid, program;
    il__board *board;
    struct child *children;
    size_t capacity;
} here;

/* --- Ending what workers leave ---------------------------------------------------------------- */

static struct child *find_child(pid_t pid)
{
    for (size_t i = 0; i < here.capacity; i++)
        if (here.children[i].pid == pid) return &here.children[i];
    return NULL;
}

static struct child *find_worker(uint32_t index, uint32_t serial)
{
    for (size_t i = 0; i < here.capacity; i++) {
        struct child *child = &here.children[i];
        if (child->pid && child->index == index && child->serial == serial) return child;
    }
    return NULL;
}

static void kill_worker(pid_t pid, int signal)
{
    if (signal == SIGKILL) kill(-pid, signal); /* it may not lead its group yet */
    kill(pid, signal);
}

/* Kill and reap what has become our child without being a worker, unless it is of a session whose
 * worker lives. True: there was something. */
static bool kill_strays(void)
{
    bool found = false;
    char name[64];
    snprintf(name, sizeof name, "/proc/self/task/%d/children", here.pid);
    FILE *file = fopen(name, "re");
    int pid;
    while (file && fscanf(file, "%d", &pid) == 1) {
        if (find_child(pid)) continue;
        pid_t session = getsid(pid);
        if (session > 0 && find_child(session)) continue;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, WNOHANG);
        found = true;
    }
    if (file) fclose(file);
    return found;
}

/* --- Reaping ---------------------------------------------------------------------------------- */

static void report(const il__report *report)
{
    struct pollfd room = { .fd = here.control, .events = POLLOUT };
    while (il__message_send(here.control, report, sizeof *report, NULL, 0) == -EAGAIN)
        if (poll(&room, 1, 1000) > 0 && room.revents & (POLLERR | POLLHUP)) return;
}

static void reap_worker(struct child *child)
{
    int status = 0;
    struct rusage used = { 0 };
    kill(-child->pid, SIGKILL);
    wait4(child->pid, &status, 0, &used);
    il__report ended = {
        .kind = IL__REPORT_ENDED,
        .index = child->index,
        .serial = child->serial,
        .status = status,
        .pid = child->pid,
        .peak = used.ru_maxrss * 1024,
    };
    child->pid = 0;
    il_time until = il_after(IL_MS(STRAYS));
    while (kill_strays() && il_now() < until) sched_yield();
    report(&ended);
}

static void reap(void)
{
    for (;;) {
        siginfo_t info = { 0 };
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid) return;
        struct child *child = find_child(info.si_pid);
        if (child) reap_worker(child);
        else waitpid(info.si_pid, NULL, 0);
    }
}

/* Kill everything below us, and wait until it is gone. */
static _Noreturn void end(void)
{
    for (size_t i = 0; i < here.capacity; i++)
        if (here.children[i].pid) kill_worker(here.children[i].pid, SIGKILL);
    for (;;) {
        pid_t pid = waitpid(-1, NULL, 0);
        if (pid < 0 && errno == ECHILD) _exit(0);
        struct child *child = pid > 0 ? find_child(pid) : NULL;
        if (child) child->pid = 0;
        kill_strays();
    }
}

/* --- Forking ---------------------------------------------------------------------------------- */

static struct child *room_for_child(void)
{
    struct child *free = find_child(0);
    if (free) return free;
    size_t capacity = here.capacity ? 2 * here.capacity : 16;
    struct child *grown = il__realloc(here.children, capacity * sizeof *grown);
    if (!grown) return NULL;
    memset(grown + here.capacity, 0, (capacity - here.capacity) * sizeof *grown);
    here.children = grown;
    free = &grown[here.capacity];
    here.capacity = capacity;
    return free;
}

static _Noreturn void become_worker(const il__order *order, const int *descriptors)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != here.pid) _exit(0); /* it died before we asked */
    setsid();
    dup2(descriptors[2], STDERR_FILENO);
    close(descriptors[2]);
    close(here.control);
    close(here.signals);
    il__lane *lane = il__shared_map(descriptors[0], il__lane_size(), NULL);
    close(descriptors[0]);
    if (!lane) _exit(ENOMEM);
    il__worker_setup setup = {
        .index = order->index,
        .lane = lane,
        .board = here.board,
        .socket = descriptors[1],
        .event = here.event,
        .parent = here.program,
        .parent_fd = here.parent,
    };
    il__worker_main(&setup);
}

static void fork_worker(const il__order *order, const int *descriptors)
{
    struct child *child = room_for_child();
    pid_t pid = child ? fork() : -1;
    if (!pid) become_worker(order, descriptors);
    if (pid > 0) {
        child->pid = pid;
        child->index = order->index;
        child->serial = order->serial;
    }
    report(&(il__report){
        .kind = pid > 0 ? IL__REPORT_STARTED : IL__REPORT_ENDED,
        .index = order->index,
        .serial = order->serial,
        .status = pid > 0 ? 0
                  : child ? -errno
                          : -ENOMEM,
        .pid = pid > 0 ? pid : 0,
    });
}

/* --- The loop --------------------------------------------------------------------------------- */

static void say_hello(const il__order *order, const int *descriptors)
{
    here.board = il__shared_map(descriptors[0], order->board_size, NULL);
    here.event = descriptors[1];
    close(descriptors[0]);
    if (!here.board) _exit(ENOMEM);
    prctl(PR_SET_NAME, here.board->name);
}

/* False: the parent has closed its end. */
static bool obey(void)
{
    il__order order;
    int descriptors[IL__MOST_DESCRIPTORS];
    int length =
        il__message_receive(here.control, &order, sizeof order, descriptors, IL__MOST_DESCRIPTORS);
    if (length == -EAGAIN) return true;
    if (length != (int)sizeof order) return false;
    if (order.kind == IL__ORDER_HELLO) {
        say_hello(&order, descriptors);
        return true;
    }
    if (order.kind == IL__ORDER_FORK) fork_worker(&order, descriptors);
    struct child *worker = find_worker(order.index, order.serial);
    if (worker && order.kind == IL__ORDER_KILL) kill_worker(worker->pid, SIGKILL);
    if (worker && order.kind == IL__ORDER_SIGNAL) kill_worker(worker->pid, SIGURG);
    for (int i = 0; i < IL__MOST_DESCRIPTORS; i++)
        if (descriptors[i] >= 0) close(descriptors[i]);
    return true;
}

static _Noreturn void run(void)
{
    struct pollfd watched[] = {
        { .fd = here.control, .events = POLLIN },
        { .fd = here.signals, .events = POLLIN },
        { .fd = here.parent, .events = POLLIN },
    };
    for (;;) {
        struct signalfd_siginfo told;
        if (poll(watched, 3, -1) < 0) continue;
        if (watched[2].revents) end();
        if (watched[1].revents) {
            ssize_t length = read(here.signals, &told, sizeof told);
            (void)length; /* that there was one is all we need to know */
            reap();
        }
        if (watched[0].revents && !obey()) end();
    }
}

/* --- Becoming one ----------------------------------------------------------------------------- */

/* Was the socket made by the one who is said to be our parent? Then the mark is meant for us, also
 * if that one is dead by now. */
static bool is_meant_for_us(int control, pid_t parent)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return !getsockopt(control, SOL_SOCKET, SO_PEERCRED, &peer, &size) && peer.pid == parent;
}

static void leave_no_marks(void)
{
    const char *preload = getenv(IL__ZYGOTE_PRELOAD);
    if (preload && *preload) setenv("LD_PRELOAD", preload, 1);
    else if (preload) unsetenv("LD_PRELOAD");
    unsetenv(IL__ZYGOTE_PRELOAD);
    unsetenv(IL__ZYGOTE_MARK);
}

static void take_over(int control, pid_t parent)
{
    sigset_t children;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    here.control = control;
    here.pid = getpid();
    here.program = parent;
    here.parent = (int)syscall(SYS_pidfd_open, parent, 0);
    if (getppid() != parent) _exit(0); /* so that the pidfd is of the right one */
    fcntl(control, F_SETFD, FD_CLOEXEC);
    setsid();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        if (i == STDIN_FILENO || fcntl(i, F_GETFD) < 0) dup2(null, i);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    signal(SIGCHLD, SIG_DFL); /* ignored, it would reap behind our back */
    sigprocmask(SIG_SETMASK, &children, NULL);
    here.signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    if (null < 0 || here.signals < 0) _exit(EMFILE);
    close(null);
}

/* Close whatever the parent left open for its children: a pipe that stays open here would never end
 * for those who read it. */
static void close_the_rest(void)
{
    int kept[] = { here.control, here.parent, here.signals };
    unsigned from = STDERR_FILENO + 1;
    for (int i = 0; i < 3; i++) /* three numbers in order */
        for (int k = i + 1; k < 3; k++)
            if (kept[k] < kept[i]) {
                int swap = kept[i];
                kept[i] = kept[k];
                kept[k] = swap;
            }
    for (int i = 0; i < 3; i++) {
        if (kept[i] < (int)from) continue;
        if ((unsigned)kept[i] > from) syscall(SYS_close_range, from, (unsigned)kept[i] - 1, 0);
        from = (unsigned)kept[i] + 1;
    }
    syscall(SYS_close_range, from, ~0U, 0);
}

void il__zygote_become_if_asked(il__prepare *prepare, int argc, char **argv)
{
    const char *mark = getenv(IL__ZYGOTE_MARK);
    int control;
    long parent;
    char kind;
    if (!mark || sscanf(mark, "%d:%ld:%c", &control, &parent, &kind) != 3) return;
    bool ours = is_meant_for_us(control, (pid_t)parent);
    if (ours && prepare) prepare(argc, argv, environ);
    leave_no_marks();
    if (!ours) return;
    if (kind == IL__ZYGOTE_OF_CALLS) il__called_serve(control, parent);
    take_over(control, (pid_t)parent);
    close_the_rest();
    run();
}
