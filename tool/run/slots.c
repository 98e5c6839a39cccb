/* SPDX-License-Identifier: MIT */
/*
 * The jobs that run, each in a slot: starting one, ending one before its time, and clearing up after it.
 *
 * What is to be ended is ended in two steps: SIGTERM to its process group, and after a grace SIGKILL
 * to it and to all that carries its mark in their environment, wherever they have hidden.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "run/now.h"
#include "run/sweep.h"

enum { MARK = 64 };

#define MEMORY_EVERY IL_MS(100)

/* ---- Marks ---- */

/* Every process below a job has INTERLOCK_JOB=<run>.<job> in its environment, unless it took it out. */
static void make_mark(char mark[MARK], unsigned number)
{
    snprintf(mark, MARK, "INTERLOCK_JOB=%d.%u", (int)getpid(), number);
}

int slots_environment(void)
{
    size_t count = 0, kept = 0;

    while (environ[count]) count++;
    now.environment = calloc(count + 2, sizeof(char *));
    now.mark = malloc(MARK);
    if (!now.environment || !now.mark) return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "INTERLOCK_JOB=", 14) != 0) now.environment[kept++] = environ[i];
    now.environment[kept] = now.mark;
    return 0;
}

/* ---- Being told ---- */

static uint64_t name_event(unsigned slot, enum happening what)
{
    uint32_t turn = slot < now.run->slots ? now.slots[slot].turn : 0;
    return (uint64_t)turn << 32 | (uint64_t)slot << 3 | what;
}

void slot_watch(int fd, unsigned slot, enum happening what)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = name_event(slot, what) };
    if (epoll_ctl(now.epoll, EPOLL_CTL_ADD, fd, &event) && errno != EEXIST)
        now.run->status = -errno;
}

void slot_mute(struct job *job, int which, bool muted)
{
    struct epoll_event event = { .events = muted ? 0 : EPOLLIN };
    if (job->muted[which] == muted) return;
    event.data.u64 = name_event(job->slot, which ? SAID_ERRORS : SAID);
    epoll_ctl(now.epoll, EPOLL_CTL_MOD, il_process_pipe(job->process, which + 1), &event);
    job->muted[which] = muted;
}

void slot_hear(struct job *job)
{
    for (int which = 0; which < 2; which++)
        if (job->state == JOB_RUNS) slot_mute(job, which, false);
}

/* ---- Starting ---- */

static int start_process(struct job *job, const char *const *argv)
{
    il_process_opts opts = {
        .env = (const char *const *)now.environment,
        .in = now.null,
        .out = IL_PIPE,
        .err = IL_PIPE,
        .group = true,
        .daemon = true,
    };
    make_mark(now.mark, job->number);
    return il_process_start(argv, &opts, &job->process);
}

/* Without a shell if that gives the same: what cannot be run so may still be a word of the shell. */
static int start_command(struct job *job)
{
    const struct command_line *line = &job->line;
    const char *const shell[] = { "/bin/sh", "-c", line->text, NULL };
    int status = line->argv ? start_process(job, (const char *const *)line->argv) : -ENOEXEC;

    if (status != -ENOEXEC && status != -ENOENT && status != -EACCES) return status;
    return line->sure ? status : start_process(job, shell);
}

static double wall_clock(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void settle(struct job *job)
{
    unsigned slot = now.free_slot;
    while (now.slots[slot].job) slot++;
    now.free_slot = slot + 1;
    job->slot = slot;
    now.slots[slot].job = job;
    now.running++;
}

void slot_start(struct job *job)
{
    il_time began = il_now();

    job->tries++;
    job->status = 0;
    job->verdict = NO_VERDICT;
    job->muted[0] = job->muted[1] = false;
    job->kill_at = IL_FOREVER;
    job->started = wall_clock();
    job->exit = (il_exit){ .started = began, .ended = began };
    job->status = start_command(job);
    if (job->status) {
        if (job_may_try_again(job) && job->status != -ENOENT) job_try_again(job);
        else job_conclude(job, false);
        return;
    }
    settle(job);
    job->state = JOB_RUNS;
    job->deadline = now.run->timeout ? il_after(now.run->timeout) : IL_FOREVER;
    slot_watch(il_process_fd(job->process), job->slot, ENDED);
    slot_watch(il_process_pipe(job->process, 1), job->slot, SAID);
    slot_watch(il_process_pipe(job->process, 2), job->slot, SAID_ERRORS);
}

/* ---- Ending ---- */

static void end_job(struct job *job, enum verdict verdict, il_time kill_at)
{
    if (job->verdict) return;
    job->verdict = verdict;
    job->deadline = IL_FOREVER;
    job->kill_at = kill_at;
    il_process_signal(job->process, SIGTERM);
    il_process_signal(job->process, SIGCONT);
}

static void kill_job(struct job *job)
{
    char mark[MARK];

    job->kill_at = IL_FOREVER;
    make_mark(mark, job->number);
    il_process_signal(job->process, SIGKILL);
    sweep_job(mark, (pid_t)il_process_id(job->process));
}

void slots_end(enum verdict verdict)
{
    il_time kill_at = il_after(GRACE);
    for (unsigned i = 0; i < now.run->slots; i++)
        if (now.slots[i].job) end_job(now.slots[i].job, verdict, kill_at);
}

/* Resident memory, summed by process group. */
static void weigh(pid_t pid, pid_t group, uint64_t resident, void *sums)
{
    uint64_t *sum = sums;
    for (unsigned i = 0; i < now.run->slots; i++) {
        const struct job *job = now.slots[i].job;
        if (job && il_process_id(job->process) == group) sum[i] += resident;
    }
}

static void check_memory(il_time time)
{
    uint64_t *sums = calloc(now.run->slots + 1, sizeof *sums);

    now.memory_at = time + MEMORY_EVERY;
    if (!sums) return;
    sweep_look(weigh, sums);
    for (unsigned i = 0; i < now.run->slots; i++) {
        struct job *job = now.slots[i].job;
        if (!job || sums[i] <= now.run->memory) continue;
        end_job(job, TOO_LARGE, time);
        kill_job(job);
    }
    free(sums);
}

/* Deadlines, the grace after them, and memory. */
void slots_see_to_time(il_time time)
{
    for (unsigned i = 0; i < now.run->slots; i++) {
        struct job *job = now.slots[i].job;
        if (!job) continue;
        if (job->deadline <= time) end_job(job, TIMED_OUT, time + GRACE);
        if (job->kill_at <= time) kill_job(job);
    }
    if (now.run->memory && now.running && now.memory_at <= time) check_memory(time);
}

/* ---- The end ---- */

static void free_slot(struct job *job)
{
    now.slots[job->slot].job = NULL;
    now.slots[job->slot].turn++;
    if (job->slot < now.free_slot) now.free_slot = job->slot;
    now.running--;
}

/* What is left in its pipe; one that lives on with the other end in its hand is not waited for. */
static void drain(struct job *job, int which)
{
    for (int most = 32; most && output_read(&now.run->output, job, which) > 0; most--) {}
}

void slot_ended(struct job *job)
{
    char mark[MARK];
    int status = il_process_wait(job->process, IL_NOW, &job->exit);

    if (status == -EAGAIN) return;
    if (status) job->status = status;
    drain(job, 0);
    drain(job, 1);
    make_mark(mark, job->number);
    if (job->verdict) sweep_job(mark, 0);
    free_slot(job);
    il_process_free(job->process);
    job->process = NULL;

    bool well = !job->status && !job->verdict && !job->exit.code && !job->exit.signal;
    if (!well && job_may_try_again(job)) job_try_again(job);
    else job_conclude(job, well);
}
