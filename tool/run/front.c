/* SPDX-License-Identifier: MIT */
/*
 * The process that the user starts, and kills, is not the one that runs the jobs. It waits for the
 * runner and passes signals on. Each looks after the other:
 *
 * - The front is killed, by SIGKILL too: the runner sees its pidfd become readable. Without a log it
 *   ends all jobs, so nothing is left. With a log it starts nothing more, but lets those that run
 *   come to their end and writes that down. Only so can --resume know: a job killed in the moment
 *   after it did its work and before it said so would have to be done twice.
 * - The runner is killed: its jobs go with it (they are daemons of it), and whatever else descended
 *   from it falls to the front, which is a subreaper, and is killed there.
 *
 * The runner has a session of its own. Ctrl-C and what is sent to the front's group reach the front
 * only; and jobs, which are in the runner's session, have no terminal that could stop them when
 * they want to read from it.
 */

#include "run/front.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run/sweep.h"
#include "tool.h"

enum { PATIENCE_MS = 700, BY_SIGNAL = 128 };

static const int passed_on[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
enum { PASSED_ON = sizeof passed_on / sizeof *passed_on };

/* One that is ignored stays so: nohup, or a shell's background job. */
bool front_ignores(int number)
{
    struct sigaction action;
    return !sigaction(number, NULL, &action) && action.sa_handler == SIG_IGN;
}

static sigset_t signals_of_both(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (int i = 0; i < PASSED_ON; i++)
        if (!front_ignores(passed_on[i])) sigaddset(&set, passed_on[i]);
    sigaddset(&set, SIGTSTP);
    sigaddset(&set, SIGCONT);
    return set;
}

_Noreturn void front_end_by(int number)
{
    _exit(BY_SIGNAL + number);
}

void front_open_missing(void)
{
    int fd;

    do fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= 2);
    if (fd > 2) close(fd);
}

/* ---- In front ---- */

static _Noreturn void end_by(int number)
{
    sigset_t one;

    setrlimit(RLIMIT_CORE,
              &(struct rlimit){ 0 }); /* SIGQUIT: the core would be ours, not a job's */
    signal(number, SIG_DFL);
    raise(number);
    sigemptyset(&one);
    sigaddset(&one, number);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
    _exit(BY_SIGNAL + number);
}

/* Gone? Then how it ended. A stop is not looked at. */
static bool has_ended(pid_t runner, int *out_status)
{
    return waitpid(runner, out_status, WNOHANG) == runner;
}

/* Stop together: first the jobs, by way of the runner, then this process. A runner that is stuck in a
 * write is stopped as it is. */
static void stop_all(pid_t runner)
{
    siginfo_t info = { 0 };

    kill(runner, SIGTSTP);
    for (int i = 0; i < 20 && !info.si_pid; i++) {
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
        waitid(P_PID, (id_t)runner, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT);
    }
    if (info.si_pid && info.si_code != CLD_STOPPED) return; /* it has ended */
    if (!info.si_pid) kill(runner, SIGSTOP);
    raise(SIGSTOP);
    kill(runner, SIGCONT);
}

static int conclude(int status, int asked)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) < BY_SIGNAL) return WEXITSTATUS(status);
    int number = WIFEXITED(status) ? WEXITSTATUS(status) - BY_SIGNAL : WTERMSIG(status);
    sweep_descendants();
    if (WIFEXITED(status)) end_by(number);
    if (asked) end_by(asked);
    tool_say("the runner was ended by signal %d; its jobs were ended, too", number);
    return 102;
}

/* Nothing that was asked for with a signal may take longer than a second, whatever the runner is
 * busy with, be it a reader of its output that does not read. */
static int wait_for(pid_t runner, const sigset_t *set)
{
    struct timespec left = { .tv_sec = 3600 };
    int status, asked = 0;

    while (!has_ended(runner, &status)) {
        int number = sigtimedwait(set, NULL, &left);
        if (number == SIGTSTP) {
            stop_all(runner);
        } else if (number > 0 && number != SIGCHLD && number != SIGCONT) {
            kill(runner, number);
            if (!asked) left = (struct timespec){ .tv_nsec = PATIENCE_MS * 1000000L };
            asked = number;
        } else if (number < 0 && errno == EAGAIN && asked) {
            kill(runner, SIGKILL);
            waitpid(runner, &status, 0);
            break;
        }
    }
    return conclude(status, asked);
}

/* ---- Behind ---- */

/* The front is gone, and with it, maybe, who read what we write: a write that waits for a reader ends
 * now, and what goes to a file still goes there. In a signal handler, since it is that write which must
 * be woken. */
static void front_gone(int number)
{
    struct stat what;
    int kept = errno, null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)number;
    for (int fd = 1; fd <= 2; fd++)
        if (null >= 0 && !fstat(fd, &what) && !S_ISREG(what.st_mode)) dup2(null, fd);
    errno = kept;
}

static void become_runner(struct front *front, const sigset_t *set, pid_t front_pid)
{
    sigset_t pipe;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE); /* a reader that went away is seen by the write */
    sigprocmask(SIG_BLOCK, &pipe, NULL);
    sigaction(SIGALRM, &(struct sigaction){ .sa_handler = front_gone }, NULL);
    prctl(PR_SET_PDEATHSIG, SIGALRM, 0, 0, 0);
    if (getppid() != front_pid) front_gone(0);
    setsid();
    sweep_adopt_orphans();
    front->signals = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
}

bool front_split(struct front *front, int *out_end)
{
    sigset_t set = signals_of_both(), waited = set;

    *out_end = TOOL_FAILED;
    front->gone = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (front->gone < 0) {
        tool_say("needs Linux 5.9 or later");
        return false;
    }
    fflush(NULL);
    sigaddset(&waited, SIGCHLD);
    sigprocmask(SIG_BLOCK, &waited, NULL);
    sweep_adopt_orphans();
    pid_t self = getpid(), runner = fork();
    if (!runner) {
        become_runner(front, &set, self);
        return true;
    }
    close(front->gone);
    if (runner < 0) tool_say("cannot start: %s", "no more processes");
    else *out_end = wait_for(runner, &waited);
    return false;
}
