/* SPDX-License-Identifier: MIT */
/*
 * The loop of the runner: one thread, one epoll for all that can happen. Between two events there
 * are a few microseconds of work, so tasks that wait would only add switches; the library's part
 * is the processes, whose pidfds and pipes are polled here.
 *
 * A job goes from the input, or the graph, to a slot; from there to its end, or to a pause and back to
 * the queue. It is freed when it is over and what it said is written, unless others wait for it.
 *
 * What is to be ended is ended in two steps: SIGTERM to its process group, and after a grace SIGKILL
 * to it and to all that carries its mark in their environment, wherever they have hidden.
 */

#include "run_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"
#include "run_sweep.h"
#include "tool.h"

enum { BATCH = 64, ZOMBIES_EVERY = 256, ARGUMENTS = 64 };
enum happening { ENDED, SAID, SAID_ERRORS, SIGNAL, FRONT_GONE, INPUT };

#define GRACE IL_MS(300)
#define MEMORY_EVERY IL_MS(100)
#define PAUSE_FIRST IL_MS(200)
#define PAUSE_MOST IL_SEC(30)

struct slot {
    struct job *job; /* NULL: free */
    uint32_t turn;   /* changes with the job: an event for the one before is known by it */
};

/* Jobs in a row. */
struct queue {
    struct job *first, **end;
};

static struct {
    struct runner *run;
    int epoll, null;
    struct slot *slots;
    unsigned running, free_slot; /* free_slot: none below it is free */
    struct queue ready, paused;
    struct job *speaks, **last_to_speak; /* --keep-order: all that are not through */
    unsigned numbered;
    bool input_over, input_waits, input_watched;
    bool closing;  /* nothing starts any more */
    bool orphaned; /* the front is gone, and what still runs comes to its end */
    int ending;    /* the signal that ends the run, or 0 */
    char **environment, *mark;
    il_time memory_at, kill_all_at;
    unsigned rounds;
} now;

/* ---- Queues ---- */

static void put_last(struct queue *queue, struct job *job)
{
    if (!queue->first) queue->end = &queue->first;
    job->next = NULL;
    *queue->end = job;
    queue->end = &job->next;
}

static struct job *take_first(struct queue *queue)
{
    struct job *job = queue->first;
    if (job) queue->first = job->next;
    return job;
}

/* ---- Marks ---- */

enum { MARK = 64 };

/* Every process below a job has INTERLOCK_JOB=<run>.<job> in its environment, unless it took it out. */
static void make_mark(char mark[MARK], unsigned number)
{
    snprintf(mark, MARK, "INTERLOCK_JOB=%d.%u", (int)getpid(), number);
}

static int copy_environment(void)
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

/* ---- Epoll ---- */

static uint64_t name_event(unsigned slot, enum happening what)
{
    uint32_t turn = slot < now.run->slots ? now.slots[slot].turn : 0;
    return (uint64_t)turn << 32 | (uint64_t)slot << 3 | what;
}

static void watch(int fd, unsigned slot, enum happening what)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = name_event(slot, what) };
    if (epoll_ctl(now.epoll, EPOLL_CTL_ADD, fd, &event) && errno != EEXIST)
        now.run->status = -errno;
}

static void mute(struct job *job, int which, bool muted)
{
    struct epoll_event event = { .events = muted ? 0 : EPOLLIN };
    if (job->muted[which] == muted) return;
    event.data.u64 = name_event(job->slot, which ? SAID_ERRORS : SAID);
    epoll_ctl(now.epoll, EPOLL_CTL_MOD, il_process_pipe(job->process, which + 1), &event);
    job->muted[which] = muted;
}

static void hear_again(struct job *job)
{
    for (int which = 0; which < 2; which++)
        if (job->state == JOB_RUNS) mute(job, which, false);
}

/* ---- The end of a job ---- */

/* Waits its turn no longer, is needed by nobody. */
static void let_go(struct job *job)
{
    if (!now.run->graph.count) job_free(job);
}

static void finish_output(struct job *job)
{
    if (now.run->output.json && job->state != JOB_KNOWN) output_report(&now.run->output, job);
    let_go(job);
}

static void line_up(struct job *job)
{
    if (!now.speaks) now.last_to_speak = &now.speaks;
    job->speaks_next = NULL;
    *now.last_to_speak = job;
    now.last_to_speak = &job->speaks_next;
}

/* The one whose turn it is may need one of those that are not read: until it runs, read all. */
static void hear_all(void)
{
    if (now.run->output.held <= OUTPUT_HELD) return;
    for (unsigned i = 0; i < now.run->slots; i++)
        if (now.slots[i].job) hear_again(now.slots[i].job);
}

/* --keep-order: the word goes to the first that is not over, and past those that are. */
static void pass_word(void)
{
    struct output *output = &now.run->output;

    while (now.speaks) {
        struct job *first = now.speaks;
        if (output->speaks != first) {
            output_give_turn(output, first);
            hear_again(first);
        }
        if (first->state != JOB_RUNS) hear_all();
        if (!job_is_over(first)) return;
        if (!output->json) output_write(output, first, true);
        now.speaks = first->speaks_next;
        output->speaks = NULL;
        finish_output(first);
    }
}

static void job_is_through(struct job *job)
{
    struct output *output = &now.run->output;

    if (output->keep_order) {
        pass_word();
    } else {
        if (!output->json) output_write(output, job, true);
        finish_output(job);
    }
}

static void report(const struct job *job)
{
    struct text *text = &now.run->report;

    text_print(text, "interlock run: ");
    if (job->name) text_print(text, "%s: %s: ", job->name, job->line.text);
    else text_print(text, "job %u: %s: ", job->number, job->line.text);
    job_reason(job, text);
    text_put(text, "\n");
}

static void make_ready(struct job *job)
{
    job->state = JOB_READY;
    put_last(&now.ready, job);
}

/* Who waited for it may run, or never will; and so on, without recursion: `over` is a list. */
static void tell_dependents(struct job *job)
{
    struct queue over = { 0 };

    for (struct job *one = job; one; one = take_first(&over)) {
        bool well = one->state == JOB_DONE || one->state == JOB_KNOWN;
        for (unsigned i = 0; i < one->dependents_count; i++) {
            struct job *other = one->dependents[i];
            if (other->state != JOB_WAITS) continue;
            if (well && --other->waits_for) continue;
            if (well) {
                make_ready(other);
                continue;
            }
            other->state = JOB_SKIPPED;
            other->blame = one->state == JOB_SKIPPED ? one->blame : one;
            now.run->skipped++;
            report(other);
            run_log_add(&now.run->log, other);
            put_last(&over, other);
            if (!now.run->output.keep_order) job_is_through(other); /* else passing the word does */
        }
    }
}

static void end_all(enum verdict verdict);

static void stop_starting(void)
{
    now.closing = true;
    now.run->halted = true;
}

static void consider_halt(void)
{
    struct runner *run = now.run;

    if (run->halt == HALT_NEVER || run->failed < run->halt_after || now.ending) return;
    if (!now.closing) stop_starting();
    if (run->halt == HALT_NOW) end_all(HALTED);
}

static void conclude(struct job *job, bool well)
{
    struct runner *run = now.run;

    job->state = well ? JOB_DONE : JOB_FAILED;
    if (well) run->done++;
    else run->failed++;
    if (!well) report(job);
    run_log_add(&run->log, job);
    tell_dependents(job);
    if (!well) consider_halt();
    job_is_through(job);
}

/* 0.2 s, then twice as long each time, up to half a minute. */
static il_time pause_before(unsigned tries)
{
    int64_t pause = PAUSE_FIRST;
    for (unsigned i = 1; i < tries && pause < PAUSE_MOST; i++) pause *= 2;
    return il_after(pause < PAUSE_MOST ? pause : PAUSE_MOST);
}

static void try_again(struct job *job)
{
    if (output_hears(&now.run->output, job)) output_write(&now.run->output, job, true);
    job->state = JOB_PAUSES;
    job->again_at = pause_before(job->tries);
    put_last(&now.paused, job);
}

static bool may_try_again(const struct job *job)
{
    return job->tries <= now.run->retries && !now.closing && !now.ending && job->verdict < HALTED;
}

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

static void job_ended(struct job *job)
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
    if (!well && may_try_again(job)) try_again(job);
    else conclude(job, well);
}

/* ---- Ending jobs ---- */

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

static void end_all(enum verdict verdict)
{
    il_time kill_at = il_after(GRACE);
    for (unsigned i = 0; i < now.run->slots; i++)
        if (now.slots[i].job) end_job(now.slots[i].job, verdict, kill_at);
}

/* The whole run ends, by a signal or because its output has nowhere to go. The second time there is no
 * grace. */
static void end_run(int number)
{
    if (now.ending) now.kill_all_at = IL_NOW;
    else now.kill_all_at = il_after(GRACE);
    now.ending = number;
    now.closing = true;
    end_all(INTERRUPTED);
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

static void start_job(struct job *job)
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
        if (may_try_again(job) && job->status != -ENOENT) try_again(job);
        else conclude(job, false);
        return;
    }
    settle(job);
    job->state = JOB_RUNS;
    job->deadline = now.run->timeout ? il_after(now.run->timeout) : IL_FOREVER;
    watch(il_process_fd(job->process), job->slot, ENDED);
    watch(il_process_pipe(job->process, 1), job->slot, SAID);
    watch(il_process_pipe(job->process, 2), job->slot, SAID_ERRORS);
}

/* ---- Where jobs come from ---- */

static char *join(char *const *args, int count)
{
    struct text text = { 0 };
    for (int i = 0; i < count; i++) {
        if (i) text_put(&text, "\t");
        text_put(&text, args[i]);
    }
    text_put(&text, "");
    return text.data;
}

static int fill_job(struct job *job, char *const *args, int count)
{
    struct runner *run = now.run;
    int status = template_expand(run->template, args, count, job->number, &job->line);
    if (!status && run->tag && !(job->tag = join(args, count))) status = -ENOMEM;
    return status;
}

static struct job *make_job(char *const *args, int count)
{
    struct job *job = job_new(++now.numbered);
    int status = job ? fill_job(job, args, count) : -ENOMEM;
    if (!status) return job;
    now.run->status = status;
    job_free(job);
    return NULL;
}

/* The next of the input that was not done before; NULL: none now. */
static struct job *next_of_input(void)
{
    struct runner *run = now.run;
    char *args[ARGUMENTS];

    while (!now.input_over && !run->status) {
        int got = input_next(&run->input, args);
        now.input_waits = got < 0;
        if (got == 0) now.input_over = true;
        if (got <= 0) return NULL;
        struct job *job = make_job(args, input_width(&run->input));
        if (!job) return NULL;
        if (!run_log_knows(&run->log, job)) {
            if (run->output.keep_order) line_up(job);
            return job;
        }
        run->known++;
        job_free(job);
    }
    return NULL;
}

static struct job *next_job(void)
{
    struct job *job = take_first(&now.ready);
    return job ? job : next_of_input();
}

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
           (job = next_job()))
        start_job(job);
    if (now.run->output.keep_order) pass_word();
}

/* All of the graph that waits for nobody is ready, in the order of the file. */
static void enter_graph(void)
{
    struct runner *run = now.run;

    now.input_over = run->graph.count;
    for (unsigned i = 0; i < run->graph.count; i++) {
        struct job *job = run->graph.jobs[i];
        if (run_log_knows(&run->log, job)) {
            job->state = JOB_KNOWN;
            run->known++;
        }
    }
    for (unsigned i = 0; i < run->graph.count; i++) {
        struct job *job = run->graph.jobs[i];
        if (job->state == JOB_KNOWN) tell_dependents(job);
        if (run->tag) job->tag = strdup(job->name);
        if (run->output.keep_order) line_up(job);
    }
    now.ready = (struct queue){ 0 };
    for (unsigned i = 0; i < run->graph.count; i++) {
        struct job *job = run->graph.jobs[i];
        if (job->state == JOB_READY) put_last(&now.ready, job);
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

static void wake_paused(il_time time)
{
    struct queue paused = now.paused;
    struct job *job;

    now.paused = (struct queue){ 0 };
    while ((job = take_first(&paused))) {
        if (now.closing) conclude(job, false);
        else if (job->again_at <= time) make_ready(job);
        else put_last(&now.paused, job);
    }
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

static void see_to_time(void)
{
    il_time time = il_now();

    for (unsigned i = 0; i < now.run->slots; i++) {
        struct job *job = now.slots[i].job;
        if (!job) continue;
        if (job->deadline <= time) end_job(job, TIMED_OUT, time + GRACE);
        if (job->kill_at <= time) kill_job(job);
    }
    if (now.paused.first) wake_paused(time);
    if (now.run->memory && now.running && now.memory_at <= time) check_memory(time);
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
    if (now.run->log.fd >= 0) now.closing = now.orphaned = true; /* run_front.c says why */
    else end_run(SIGKILL);
}

static void see_said(struct job *job, int which)
{
    if (output_read(&now.run->output, job, which) < 0)
        epoll_ctl(now.epoll, EPOLL_CTL_DEL, il_process_pipe(job->process, which + 1), NULL);
    else if (output_is_full(&now.run->output, job)) mute(job, which, true);
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
        if (what == ENDED) job_ended(job);
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
    watch(STDIN_FILENO, now.run->slots, INPUT);
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
    return now.slots ? copy_environment() : -ENOMEM;
}

static void close_all(void)
{
    close(now.epoll);
    close(now.null);
    free(now.slots);
    free(now.environment);
    free(now.mark);
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
        end_all(HALTED);
    }
}

void run_loop(struct runner *run)
{
    run->status = open_all(run);
    if (run->status) return;
    watch(run->front.signals, run->slots, SIGNAL);
    watch(run->front.gone, run->slots, FRONT_GONE);
    enter_graph();
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
