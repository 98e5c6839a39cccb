/* SPDX-License-Identifier: MIT */
/*
 * Getting the files.
 *
 * One task decides everything (conduct): it starts what may start, waits for an end or for the moment
 * of a next attempt, and judges what ended. On a loop it is one of its tasks, so that nothing ever
 * changes threads; inline it has a thread to itself, since there each attempt is a plain call;
 * otherwise it is the main thread.
 *
 * What ended comes as a slot through a channel that has room for all slots, so that whoever completes
 * a future never waits.
 */

#include "fetch/run.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fetch/hosts.h"
#include "fetch/bars.h"
#include "tool.h"

#define LOOK IL_MS(100)  /* how often the terminal and the signals are looked after */
#define STOP IL_MS(700)  /* what is under way gets so long to put its part away */
#define DELAY IL_MS(500) /* before the second attempt, and double before each next */
#define DELAY_MOST IL_SEC(30)
#define PATIENCE IL_SEC(300) /* a server that asks for more is not waited for */
#define PROGRESS (1 << 20)   /* an attempt that brought that much was not in vain */

struct run {
    const struct fetch_options *options;
    struct fetch_list *list;
    struct report *report;
    il_executor *executor;
    struct hosts hosts;
    struct fetch_file **later; /* those with a next attempt: a heap, the first due on top */
    size_t later_count;
    struct slot *slots, *free; /* free: singly linked */
    unsigned running;
    il_chan *ended;      /* of struct slot * */
    struct fetch_in *in; /* the input of the next, while it is written */
    size_t over;
    uint64_t random;
    bool no_more; /* start nothing: the disk is full */
    int status;
};

static atomic_int stopped; /* the number of the signal; set by its handler */

int fetch_stopped(void)
{
    return stopped;
}

/* ---- Attempts that lie ahead ---- */

static void swap(struct fetch_file **a, struct fetch_file **b)
{
    struct fetch_file *kept = *a;
    *a = *b;
    *b = kept;
}

/* The heap has room for all files. */
static void put_later(struct run *run, struct fetch_file *file)
{
    size_t at = run->later_count++;

    run->later[at] = file;
    while (at && run->later[(at - 1) / 2]->due > run->later[at]->due) {
        swap(&run->later[(at - 1) / 2], &run->later[at]);
        at = (at - 1) / 2;
    }
}

static struct fetch_file *take_due(struct run *run, il_time now)
{
    if (!run->later_count || run->later[0]->due > now) return NULL;

    struct fetch_file *file = run->later[0];
    size_t at = 0, count = --run->later_count;
    run->later[0] = run->later[count];
    while (true) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child < 2 * at + 3 && child < count; child++)
            if (run->later[child]->due < run->later[least]->due) least = child;
        if (least == at) return file;
        swap(&run->later[at], &run->later[least]);
        at = least;
    }
}

/* From half of it to one and a half, so that those who failed together do not return together. */
static int64_t jitter(struct run *run, int64_t delay)
{
    run->random ^= run->random << 13;
    run->random ^= run->random >> 7;
    run->random ^= run->random << 17;
    return delay / 2 + (int64_t)(run->random % (uint64_t)delay);
}

/* ---- Starting ---- */

static void on_done(il_future *future, void *arg)
{
    struct slot *slot = arg;

    (void)future;
    il_chan_send(slot->ended, &slot, IL_NOW);
}

static int fill_in(struct run *run, struct slot *slot)
{
    const struct fetch_options *options = run->options;
    struct fetch_file *file = slot->file;
    char path[PATH_MAX];

    if (!fetch_path(options, file->name, path, sizeof path)) return -ENAMETOOLONG;
    *run->in = (struct fetch_in){
        .live = options->kind->apart ? NULL : &slot->live,
        .connect_time = options->connect_time,
        .stall_time = options->stall_time,
        .redirects = options->redirects,
        .insecure = options->insecure,
        .sync = options->sync,
        .empty = options->empty && !file->attempts,
        .server_names = options->server_names,
        .digest = file->digest,
    };
    fetch_in_words(run->in, file->url, path);
    return 0;
}

static int start(struct run *run, struct fetch_file *file)
{
    struct slot *slot = run->free;

    slot->file = file;
    slot->began = il_now();
    slot->future = NULL;
    atomic_store_explicit(&slot->live.size, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->live.from, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->live.whole, -1, memory_order_relaxed);
    int status = fill_in(run, slot);
    if (!status)
        status =
            il_submit(run->executor, fetch_job, run->in,
                      fetch_in_size(file->url, run->in->text + run->in->path),
                      sizeof(struct fetch_out), &(il_task_opts){ .name = "fetch" }, &slot->future);
    if (status) {
        slot->file = NULL;
        return status;
    }
    file->attempts++;
    run->free = slot->next_free;
    run->running++;
    return il_future_on_done(slot->future, on_done, slot);
}

static void over(struct run *run, struct fetch_file *file, const struct fetch_out *out,
                 const char *words)
{
    run->over++;
    report_file(run->report, file, out, words);
}

/* Whatever may start. Gives the moment to look again, if nothing ends before. */
static il_time start_all(struct run *run)
{
    il_time now = il_now(), when = IL_FOREVER;
    struct fetch_file *file;

    while ((file = take_due(run, now))) hosts_push_first(&run->hosts, file);
    while (!run->no_more && !stopped && run->free && (file = hosts_take(&run->hosts, now, &when))) {
        int status = start(run, file);
        if (!status) continue;
        hosts_end(&run->hosts, file->host, HOST_SILENT, 0);
        over(run, file, NULL, il_strerror(status));
    }
    if (run->later_count && run->later[0]->due < when) when = run->later[0]->due;
    return when;
}

/* ---- Judging ---- */

static void say_why(const struct fetch_out *out, char *words, size_t size)
{
    switch (out->end) {
    case FETCH_DIGEST: snprintf(words, size, "the checksum is another: thrown away"); return;
    case FETCH_CHANGED: snprintf(words, size, "it changed while it came, each time"); return;
    case FETCH_FILE:
        if (out->error == -EBUSY) snprintf(words, size, "another program is fetching it");
        else if (out->error == -ENOSPC) snprintf(words, size, "the disk is full");
        else snprintf(words, size, "cannot write the file: %s", strerror(-out->error));
        return;
    default: transfer_words(&out->result, words, size); return;
    }
}

static bool may_retry(const struct run *run, const struct fetch_file *file,
                      const struct fetch_out *out)
{
    if (stopped || file->fruitless > run->options->retries) return false;
    if (out->end == FETCH_CHANGED) return true;
    return out->end == FETCH_FAILED && transfer_may_retry(&out->result) &&
           out->result.retry_after <= PATIENCE;
}

static void retry(struct run *run, struct fetch_file *file, const struct fetch_out *out)
{
    unsigned doubled = file->fruitless ? file->fruitless - 1 : 0;
    int64_t delay = doubled < 6 ? DELAY << doubled : DELAY_MOST;

    delay = out->end == FETCH_CHANGED ? 0 : jitter(run, delay);
    if (delay < out->result.retry_after) delay = out->result.retry_after;
    file->due = il_after(delay);
    put_later(run, file);
}

static bool is_busy(const struct fetch_out *out)
{
    return out->result.end == TRANSFER_DONE &&
           (out->result.status == 429 || out->result.status == 503);
}

static void tell_host(struct run *run, struct fetch_file *file, const struct fetch_out *out)
{
    bool served = out->end == FETCH_DONE || out->end == FETCH_KEPT;
    enum host_word word = is_busy(out) ? HOST_BUSY : served ? HOST_SERVED : HOST_SILENT;

    hosts_end(&run->hosts, file->host, word, out->result.retry_after);
}

static void judge(struct run *run, struct fetch_file *file, const struct fetch_out *out)
{
    char words[512];
    bool well = out->end == FETCH_DONE || out->end == FETCH_KEPT;

    tell_host(run, file, out);
    run->report->bytes += out->result.received;
    if (stopped && out->result.end == TRANSFER_CANCELED) return; /* the next run will get it */
    file->fruitless = out->result.received >= PROGRESS ? 1 : file->fruitless + 1;
    if (!well && may_retry(run, file, out)) {
        retry(run, file, out);
        return;
    }
    if (out->end == FETCH_FILE && (out->error == -ENOSPC || out->error == -EDQUOT))
        run->no_more = true;
    if (!well) say_why(out, words, sizeof words);
    over(run, file, out, well ? NULL : words);
}

/* The job itself did not come to an end: its worker died, there was no memory. */
static void read_failure(struct slot *slot, int status, struct fetch_out *out)
{
    const il_error *error = il_future_error(slot->future);

    memset(out, 0, sizeof *out);
    out->end = FETCH_FAILED;
    out->result.end = status == -ECANCELED ? TRANSFER_CANCELED : TRANSFER_OTHER;
    if (error) il_error_format(error, out->result.detail, sizeof out->result.detail);
    else snprintf(out->result.detail, sizeof out->result.detail, "%s", il_strerror(status));
}

static void end(struct run *run, struct slot *slot, struct fetch_out *out)
{
    struct fetch_file *file = slot->file;
    int status = il_future_get(slot->future, IL_FOREVER, out);

    if (status) read_failure(slot, status, out);
    il_future_free(slot->future);
    slot->future = NULL;
    slot->file = NULL;
    slot->next_free = run->free;
    run->free = slot;
    run->running--;
    judge(run, file, out);
}

/* ---- The task that decides ---- */

/* All that ended; waits for one. False: it is cancelled itself. */
static bool take_ended(struct run *run, il_time until, struct fetch_out *out)
{
    struct slot *slot;
    int status;

    while (!(status = il_chan_recv(run->ended, &slot, until))) {
        end(run, slot, out);
        until = IL_NOW;
    }
    return status != -ECANCELED;
}

static void draw(const struct run *run)
{
    progress_files(run->slots, run->options, run->over, run->list->count, run->report->bytes);
}

/* Those under way are cancelled, and put away what they have. */
static void put_away(struct run *run, struct fetch_out *out)
{
    il_time until = il_after(STOP);

    for (unsigned i = 0; i < run->options->slots; i++)
        if (run->slots[i].future) il_future_cancel(run->slots[i].future);
    while (run->running && il_now() < until && take_ended(run, il_after(LOOK), out)) continue;
}

static int conduct(void *in, void *unused)
{
    struct run *run = in;
    struct fetch_out *out = malloc(sizeof *out);

    (void)unused;
    while (out && !stopped) {
        il_time when = start_all(run);
        if (!run->running && (when == IL_FOREVER || run->no_more)) break;
        if (when > il_after(LOOK)) when = il_after(LOOK);
        take_ended(run, when, out);
        draw(run);
    }
    if (out && run->running) put_away(run, out);
    if (!run->running) transfer_end(run->executor);
    free(out);
    return out ? 0 : -ENOMEM;
}

static int conduct_task(void *in, void *out)
{
    return conduct(*(struct run **)in, out);
}

static int conduct_on_loop(struct run *run)
{
    il_future *future = NULL;
    int status = il_submit(run->executor, conduct_task, &run, sizeof run, 0,
                           &(il_task_opts){ .name = "fetch" }, &future);

    if (!status) status = il_loop_run_until(run->executor, future, IL_FOREVER);
    if (!status) status = il_future_get(future, IL_NOW, NULL);
    il_future_free(future);
    return status;
}

static int conduct_inline(struct run *run)
{
    il_thread thread = { 0 };
    int status = il_thread_start(&thread, conduct, run, NULL, &(il_thread_opts){ .name = "fetch" });

    while (!status) {
        status = il_thread_join(&thread, il_after(LOOK));
        if (status != -ETIMEDOUT) break;
        if (stopped) il_thread_cancel(&thread);
        status = 0;
    }
    return status;
}

static int conduct_here(struct run *run)
{
    return conduct(run, NULL);
}

/* ---- All of it ---- */

static void on_signal(int number)
{
    if (stopped) { /* a second one does not wait */
        signal(number, SIG_DFL);
        raise(number);
    }
    stopped = number;
}

static void catch_signals(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };

    for (int i = 0; i < 3; i++) {
        struct sigaction before, action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
        if (!sigaction(numbers[i], NULL, &before) && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on files is an error as any other */
}

static int make_executor(struct run *run)
{
    const struct executor_kind *kind = run->options->kind;
    bool on_loop = !strcmp(kind->name, "loop");

    if (on_loop) return il_loop_new(&(il_loop_opts){ .manual = true }, &run->executor);
    return kind->make(run->options->slots, &run->executor);
}

/* Where the attempts are plain calls, somebody else has to look after the signals. */
static int conduct_where(struct run *run)
{
    if (!strcmp(run->options->kind->name, "loop")) return conduct_on_loop(run);
    return run->options->kind->scales ? conduct_here(run) : conduct_inline(run);
}

static bool is_kept(const struct run *run, const struct fetch_file *file)
{
    char path[PATH_MAX];

    return run->options->keep && fetch_path(run->options, file->name, path, sizeof path) &&
           !access(path, F_OK);
}

static int line_up_files(struct run *run)
{
    static const struct fetch_out kept = { .end = FETCH_KEPT };

    for (size_t i = 0; i < run->list->count; i++) {
        struct fetch_file *file = &run->list->files[i];
        if (is_kept(run, file)) {
            over(run, file, &kept, NULL);
            continue;
        }
        file->host = hosts_find(&run->hosts, file->url);
        if (!file->host) return -ENOMEM;
        hosts_push(&run->hosts, file);
    }
    return 0;
}

static int prepare(struct run *run)
{
    unsigned slots = run->options->slots;

    run->later = calloc(run->list->count + 1, sizeof(struct fetch_file *));
    run->slots = calloc(slots, sizeof *run->slots);
    run->in = malloc(sizeof *run->in + TRANSFER_URL + PATH_MAX);
    if (!run->later || !run->slots || !run->in) return -ENOMEM;
    int status =
        il_chan_new(sizeof(struct slot *), &(il_chan_opts){ .capacity = slots }, &run->ended);
    for (unsigned i = slots; i-- > 0 && !status;) {
        run->slots[i].ended = run->ended;
        run->slots[i].next_free = run->free;
        run->free = &run->slots[i];
    }
    if (!status) status = line_up_files(run);
    if (!status) status = make_executor(run);
    return status;
}

/* What still runs, after a stop, ends with the program: its future and its slot are left to it. */
static void clean_up(struct run *run)
{
    hosts_free(&run->hosts);
    free(run->later);
    free(run->in);
    if (run->running) return;
    il_executor_free(run->executor);
    il_chan_free(run->ended);
    free(run->slots);
}

int fetch_run(const struct fetch_options *options, struct fetch_list *list, struct report *report)
{
    struct run run = {
        .options = options,
        .list = list,
        .report = report,
        .random = (uint64_t)il_now() | 1,
    };

    report->began = il_now();
    int status = hosts_init(&run.hosts, options->per_host);
    if (!options->no_bar) progress_begin("fetch", "files");
    catch_signals(); /* after the line of progress, which catches some of them too */
    if (!status) status = prepare(&run);
    if (!status) status = conduct_where(&run);
    progress_end();
    report_end(report, list->count - run.over);
    clean_up(&run);
    return status;
}
