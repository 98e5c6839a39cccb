/* SPDX-License-Identifier: MIT */
/*
 * Finding processes through /proc and ending them. A pidfd is taken first and the process looked at
 * after that, so that the one that is killed is the one that was looked at. What forks while it is
 * being killed is found by the next round; rounds end when one finds nothing.
 */

#include "run/sweep.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 1000 };

struct process {
    pid_t pid, parent, group;
    char state;
    uint64_t resident;
    bool doomed;
};

struct census {
    struct process *all;
    size_t count, room;
};

void sweep_adopt_orphans(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/* ---- Looking ---- */

static ssize_t read_file(pid_t pid, const char *name, char *buffer, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    size_t got = 0;
    ssize_t more;
    while (got < size && (more = read(fd, buffer + got, size - got)) > 0) got += (size_t)more;
    close(fd);
    return (ssize_t)got;
}

/* The name of a program stands in parentheses and may contain some. */
static bool look_at(pid_t pid, struct process *out)
{
    char line[1024];
    ssize_t size = read_file(pid, "stat", line, sizeof line - 1);
    if (size <= 0) return false;
    line[size] = 0;
    const char *rest = strrchr(line, ')');
    int parent, group;
    char state;
    long pages;
    if (!rest || sscanf(rest + 1,
                        " %c %d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
                        "%*u %*u %ld",
                        &state, &parent, &group, &pages) != 4)
        return false;
    *out = (struct process){ .pid = pid, .parent = parent, .group = group, .state = state };
    out->resident = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

static void add(struct census *census, struct process one)
{
    if (census->count == census->room) {
        size_t room = census->room ? 2 * census->room : 256;
        struct process *all = realloc(census->all, room * sizeof *all);
        if (!all) return;
        census->all = all;
        census->room = room;
    }
    census->all[census->count++] = one;
}

static struct census take_census(void)
{
    struct census census = { 0 };
    DIR *proc = opendir("/proc");
    struct dirent *entry;

    while (proc && (entry = readdir(proc))) {
        struct process one;
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        if (look_at((pid_t)atoi(entry->d_name), &one)) add(&census, one);
    }
    if (proc) closedir(proc);
    return census;
}

void sweep_look(void (*see)(pid_t pid, pid_t group, uint64_t resident, void *arg), void *arg)
{
    struct census census = take_census();
    for (size_t i = 0; i < census.count; i++)
        see(census.all[i].pid, census.all[i].group, census.all[i].resident, arg);
    free(census.all);
}

/* ---- Choosing ---- */

static bool is_doomed(const struct census *census, pid_t pid)
{
    for (size_t i = 0; i < census->count; i++)
        if (census->all[i].pid == pid) return census->all[i].doomed;
    return false;
}

/* Parents may come after their children in the list: until there is nothing new. */
static void doom_below(struct census *census, pid_t root)
{
    for (bool more = root > 0; more;) {
        more = false;
        for (size_t i = 0; i < census->count; i++) {
            struct process *one = &census->all[i];
            if (one->doomed || (one->parent != root && !is_doomed(census, one->parent))) continue;
            one->doomed = more = true;
        }
    }
}

static bool carries(pid_t pid, const char *mark)
{
    enum { MOST = 256 << 10 };
    size_t length = strlen(mark) + 1;
    char *environment = malloc(MOST);
    ssize_t size = environment ? read_file(pid, "environ", environment, MOST) : -1;
    bool found = false;

    for (const char *at = environment; size > 0 && !found;) {
        found = (size_t)size >= length && !memcmp(at, mark, length);
        size_t step = strnlen(at, (size_t)size) + 1;
        at += step;
        size -= (ssize_t)step;
    }
    free(environment);
    return found;
}

static void doom_marked(struct census *census, const char *mark)
{
    pid_t self = getpid(), parent = getppid();

    for (size_t i = 0; i < census->count; i++) {
        struct process *one = &census->all[i];
        if (one->pid == self || one->pid == parent || one->doomed) continue;
        one->doomed = carries(one->pid, mark);
    }
}

/* ---- Ending ---- */

/* True if there may be more to do: it was killed, or is no longer what was seen. */
static bool kill_one(const struct process *seen)
{
    struct process now;
    bool more = false;
    int pidfd = (int)syscall(SYS_pidfd_open, seen->pid, 0);
    if (pidfd < 0) return false;
    if (look_at(seen->pid, &now) && now.state != 'Z' && now.state != 'X')
        more =
            now.parent != seen->parent || !syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    close(pidfd);
    return more;
}

static bool kill_doomed(const struct census *census)
{
    bool some = false;
    for (size_t i = 0; i < census->count; i++)
        if (census->all[i].doomed && census->all[i].state != 'Z') some |= kill_one(&census->all[i]);
    return some;
}

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static int nobody_is(pid_t pid, void *arg)
{
    (void)pid, (void)arg;
    return 0;
}

void sweep_descendants(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct census census = take_census();
        doom_below(&census, getpid());
        bool some = kill_doomed(&census);
        free(census.all);
        sweep_zombies(nobody_is, NULL);
        if (!some) return;
        pause_briefly();
    }
}

void sweep_job(const char *mark, pid_t root)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct census census = take_census();
        doom_below(&census, root);
        doom_marked(&census, mark);
        bool some = kill_doomed(&census);
        free(census.all);
        if (!some) return;
        pause_briefly();
    }
}

void sweep_zombies(int (*is_ours)(pid_t pid, void *arg), void *arg)
{
    for (;;) {
        siginfo_t info = { 0 };
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid) return;
        if (is_ours(info.si_pid, arg)) return; /* it is seen to next, and then the others */
        waitpid(info.si_pid, NULL, 0);
    }
}
