/* SPDX-License-Identifier: MIT */
/*
 * The loop of the runner: one thread, one epoll for all that can happen. Between two events there
 * are a few microseconds of work, so tasks that wait would only add switches; the library's part
 * is the processes, whose pidfds and pipes are polled here.
 *
 * A job goes from its source (run/source.c) to a slot (run/slots.c); from there to its end, or to a
 * pause and back to the queue (run/fate.c). It is freed when it is over and what it said is written
 * (run/turn.c), unless others wait for it.
 */

#include "run/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "progress.h"
#include "run/now.h"
#include "run/sweep.h"

enum { BATCH = 64, ZOMBIES_EVERY = 256 };

struct now now;

/* ---- Starting ---- */

/* With too much held for the job whose turn it is, others would only add to it. */
static bool is_held_up(void)
{
    const struct output *output = &now.run->output;
    return output->keep_order && output->held > OUTPUT_HELD && output->speaks &&
           output->speaks->state == JOB_RUNS;
}

static void start_jobs(void)
{
    struct job *job;

    while (!now.closing && !now.run->status && now.running < now.run->slots && !is_held_up() &&
           (job = source_next()))
        slot_start(job);
    if (now.run->output.keep_order) turn_pass();
}

/* ---- The end of the run ---- */

/* The whole run ends, by a signal or because its output has nowhere to go. The second time there is no
 * grace. */
static void end_run(int number)
{
    if (now.ending) now.kill_all_at = IL_NOW;
    else now.kill_all_at = il_after(GRACE);
    now.ending = number;
    now.closing = true;
    slots_end(INTERRUPTED);
}

static void count_rest(void)
{
    struct runner *run = now.run;

    if (run->graph.count)
        run->not_started = run->graph.count - run->done - run->failed - run->skipped - run->known;
    else if (run->input.streams)
        run->not_started = (unsigned)(run->input.lines.count - run->input.next_line);
    else run->not_started = (unsigned)(run->input.total - run->input.next);
}

/* By signal: nothing is left, and the log, written job by job, is complete. */
static _Noreturn void end_now(void)
{
    progress_end();
    sweep_descendants();
    count_rest();
    run_loop_report(now.run);
    front_end_by(now.ending);
}

/* Output that cannot be written ends the run: quietly when the reader went away. */
static void check_output(void)
{
    struct runner *run = now.run;

    int status = run->output.status ? run->output.status : run->log.status;
    if (!status || now.ending || now.orphaned || run->status) return;
    if (run->output.status == -EPIPE && !front_ignores(SIGPIPE)) {
        end_run(SIGPIPE);
    } else {
        run->status = status;
        now.closing = true;
        slots_end(HALTED);
    }
}

/* ---- Time ---- */

static void earlier(il_time *a, il_time b)
{
    if (b < *a) *a = b;
}

static il_time next_time(void)
{
    il_time next = now.ending ? now.kill_all_at : IL_FOREVER;

    for (unsigned i = 0; i < now.run->slots; i++) {
        const struct job *job = now.slots[i].job;
        if (!job) continue;
        earlier(&next, job->deadline);
        earlier(&next, job->kill_at);
    }
    for (const struct job *job = now.paused.first; job; job = job->next)
        earlier(&next, now.closing ? IL_NOW : job->again_at);
    if (now.run->memory && now.running) earlier(&next, now.memory_at);
    if (now.run->bar) earlier(&next, il_after(IL_MS(250)));
    return next;
}

static void see_to_time(void)
{
    il_time time = il_now();

    slots_see_to_time(time);
    if (now.paused.first) jobs_wake_paused(time);
    if (now.ending && now.kill_all_at <= time) end_now();
}

/* ---- Events ---- */

static void pause_run(void)
{
    for (unsigned i = 0; i < now.run->slots; i++)
        if (now.slots[i].job) il_process_signal(now.slots[i].job->process, SIGSTOP);
    progress_hide();
    raise(SIGSTOP);
    for (unsigned i = 0; i < now.run->slots; i++)
        if (now.slots[i].job) il_process_signal(now.slots[i].job->process, SIGCONT);
}

static void see_signal(void)
{
    struct signalfd_siginfo info;

    while (read(now.run->front.signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGTSTP) pause_run();
        else if (info.ssi_signo != SIGCONT) end_run((int)info.ssi_signo);
    }
}

static void see_front_gone(void)
{
    epoll_ctl(now.epoll, EPOLL_CTL_DEL, now.run->front.gone, NULL);
    if (now.run->log.fd >= 0) now.closing = now.orphaned = true; /* run/front.c says why */
    else end_run(SIGKILL);
}

static void see_said(struct job *job, int which)
{
    if (output_read(&now.run->output, job, which) < 0)
        epoll_ctl(now.epoll, EPOLL_CTL_DEL, il_process_pipe(job->process, which + 1), NULL);
    else if (output_is_full(&now.run->output, job)) slot_mute(job, which, true);
}

static void see_input(void)
{
    struct input *input = &now.run->input;

    input_read(input);
    if (!input->ended && !input_is_full(input)) return;
    epoll_ctl(now.epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    now.input_watched = false;
    if (input->ended) input->total = input->lines.count - input->next_line;
}

static void see(uint64_t data)
{
    enum happening what = data & 7;
    unsigned slot = (uint32_t)data >> 3;

    if (what == SIGNAL) see_signal();
    else if (what == FRONT_GONE) see_front_gone();
    else if (what == INPUT) see_input();
    else {
        struct job *job = now.slots[slot].job;
        if (!job || now.slots[slot].turn != data >> 32) return;
        if (what == ENDED) slot_ended(job);
        else see_said(job, what == SAID ? 0 : 1);
    }
}

static int is_a_job(pid_t pid, void *arg)
{
    for (unsigned i = 0; i < now.run->slots; i++)
        if (now.slots[i].job && il_process_id(now.slots[i].job->process) == pid) return 1;
    return 0;
}

static void wait_for_events(void)
{
    struct epoll_event events[BATCH];
    il_time until = next_time();
    int64_t left = until == IL_FOREVER ? -1 : until - il_now();
    int timeout = until == IL_FOREVER ? -1 : left <= 0 ? 0 : (int)(left / 1000000 + 1);

    int count = epoll_wait(now.epoll, events, BATCH, timeout);
    for (int i = 0; i < count; i++) see(events[i].data.u64);
    if (++now.rounds % ZOMBIES_EVERY == 0) sweep_zombies(is_a_job, NULL);
}

/* ---- The run ---- */

static void show_progress(void)
{
    const struct runner *run = now.run;
    uint64_t over = run->done + run->failed + run->skipped + run->known, total = 0;

    if (run->graph.count) total = run->graph.count;
    else if (!run->input.streams) total = run->input.total;
    else if (run->input.ended) total = now.numbered + run->input.lines.count - run->input.next_line;
    progress_show(total ? (double)over / (double)total : -1, over);
}

static void watch_input(void)
{
    struct input *input = &now.run->input;

    if (!input->streams || input->ended || now.input_watched || input_is_full(input)) return;
    slot_watch(STDIN_FILENO, now.run->slots, INPUT);
    now.input_watched = true;
}

static bool is_over(void)
{
    bool no_more =
        now.closing || now.run->status || (now.input_over && !now.ready.first && !now.paused.first);
    return !now.running && no_more && !now.paused.first;
}

static int open_all(struct runner *run)
{
    now.run = run;
    now.epoll = epoll_create1(EPOLL_CLOEXEC);
    now.null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    now.slots = calloc(run->slots, sizeof *now.slots);
    if (now.epoll < 0 || now.null < 0) return -errno;
    return now.slots ? slots_environment() : -ENOMEM;
}

static void close_all(void)
{
    close(now.epoll);
    close(now.null);
    free(now.slots);
    free(now.environment);
    free(now.mark);
}

void run_loop(struct runner *run)
{
    run->status = open_all(run);
    if (run->status) return;
    slot_watch(run->front.signals, run->slots, SIGNAL);
    slot_watch(run->front.gone, run->slots, FRONT_GONE);
    source_enter_graph();
    while (!is_over()) {
        start_jobs();
        if (is_over()) break;
        watch_input();
        wait_for_events();
        see_to_time();
        check_output();
        if (run->bar) show_progress();
    }
    if (now.ending) end_now();
    count_rest();
    close_all();
}
