/* SPDX-License-Identifier: MIT */
/*
 * interlock choose: run a job in place and on every executor there is, with several numbers of
 * workers, and say which is worth it. Measuring and advising are the library's (il_choose); here
 * are the candidates, and what is shown. It is in both programs, each with its own jobs (jobs.h).
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <interlock.h>
#include <jansson.h>

#include "executors.h"
#include "choose/jobs.h"
#include "progress.h"
#include "choose/table.h"
#include "term.h"
#include "tool.h"

/* Each number of workers up to this many CPUs, then powers of two: a table that can be read. */
#define EACH_UP_TO 8
#define BOOK_WORKERS 10
#define CANDIDATES_MAX 100

struct asked {
    const char *job; /* NULL: all */
    unsigned runs;
    bool json;
};

/* One job, measured. */
struct choice {
    const struct asked *asked;
    const struct job_kind *kind;

    il_job job;
    json_t *input;
    int cpus;
    il_candidate candidates[CANDIDATES_MAX];
    il_row rows[CANDIDATES_MAX];
    size_t count;
    il_advice advice;
};

enum { RUNS = 256, JSON };

static const struct argp_option options[] = {
    { "runs", RUNS, "N", 0, "Times that each is measured; default: 9", 0 },
    { "json", JSON, NULL, 0, "Print JSON: an object, on a line, for each table", 0 },
    { 0 },
};

/* Is it `name`, or a part of that, or what has that as a part? */
static bool is_meant(const struct job_kind *kind, const char *name)
{
    size_t ours = strlen(kind->name), theirs = strlen(name);

    if (ours == theirs) return !strcmp(kind->name, name);
    if (ours > theirs) return kind->name[theirs] == '-' && !strncmp(kind->name, name, theirs);
    return kind->apart && name[ours] == '-' && !strncmp(kind->name, name, ours);
}

static int parse_job(struct asked *asked, const char *name)
{
    char names[256] = "";
    size_t length = 0;

    if (asked->job) return tool_usage("'%s': one job at a time", name);
    for (const struct job_kind *kind = job_kinds; kind->name && length < sizeof names; kind++) {
        if (is_meant(kind, name)) asked->job = name;
        length += (size_t)snprintf(names + length, sizeof names - length, "%s%s",
                                   length ? ", " : "", kind->name);
    }
    return asked->job ? 0 : tool_usage("'%s' is no job; there are: %s", name, names);
}

static int parse(int key, char *arg, struct argp_state *state)
{
    struct asked *asked = state->input;
    uint64_t number;
    int wrong;

    switch (key) {
    case ARGP_KEY_INIT: return tool_parse_init(state);
    case RUNS:
        wrong = tool_number("--runs", arg, 1, 1000, &number);
        if (!wrong) asked->runs = (unsigned)number;
        return wrong;
    case JSON: asked->json = true; return 0;
    case ARGP_KEY_ARG: return parse_job(asked, arg);
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "[JOB]",
    .doc =
        "Measure a job in place and on each executor, with 1, 2, ... workers up to the CPUs "
        "that may be used and with 10, in turn and several times; check that all of them find "
        "the same; and say which is worth it, in one sentence with its reason. \"No gain\" and "
        "\"a tie\" are answers. Jobs are factor, which computes: the prime factors of 10,000 numbers "
        "by trial division; and fetch, which waits: 10 pictures from a server that takes 200 ms for "
        "each, and 1,000 that take 20 ms. Without a job: all of them, in a minute."
        "\v"
        "Examples:\n"
        "  interlock choose\n"
        "  interlock choose factor --runs 20\n"
        "  interlock choose fetch\n"
        "  interlock choose factor --json | python3 -m json.tool\n"
        "\n"
        "A time is that of a whole run: starting the executor, the work, ending it. The interval "
        "holds the median that endless runs would have, with the confidence that is printed; what "
        "takes longer than a second to fetch is run once, and has none. The memory is the most that "
        "the process had in any run, the CPU time that of worker processes too.\n"
        "\n"
        "Ends with 0 when all is done, 1 when something failed, differing results among it, 2 "
        "when the command line is wrong.",
};

/* One at a time: what a candidate has with it is its executor. */
static const struct job_kind *measured;

static int open_candidate(const il_candidate *candidate, il_executor **out_executor)
{
    const struct executor_kind *kind = candidate->arg;
    return kind->make(candidate->workers, out_executor);
}

static void close_candidate(const il_candidate *candidate, il_executor *executor)
{
    (void)candidate;
    if (measured->leave) measured->leave(executor);
    il_executor_free(executor);
}

static void add_candidate(struct choice *choice, const struct executor_kind *kind, unsigned at_once)
{
    for (size_t i = 0; i < choice->count; i++) {
        const il_candidate *other = &choice->candidates[i];
        if (other->arg == kind && other->at_once == at_once) return;
    }
    if (choice->count == CANDIDATES_MAX) return;
    choice->candidates[choice->count++] = (il_candidate){
        .on = kind->name,
        .workers = kind->scales ? at_once : 1,
        .open = open_candidate,
        .close = close_candidate,
        .arg = (void *)kind,
        .at_once = at_once,
    };
}

/* For what computes. */
static void scale_to_cpus(struct choice *choice)
{
    unsigned cpus = (unsigned)choice->cpus;

    for (const struct executor_kind *kind = executor_kinds; kind->name; kind++) {
        add_candidate(choice, kind, 1);
        if (!kind->scales) continue;
        for (unsigned workers = 2; workers <= cpus; workers += workers < EACH_UP_TO ? 1 : workers)
            add_candidate(choice, kind, workers);
        add_candidate(choice, kind, cpus);
        add_candidate(choice, kind, BOOK_WORKERS);
    }
}

static void find_candidates(struct choice *choice)
{
    if (!choice->kind->trials) scale_to_cpus(choice);
    else
        for (const struct trial *trial = choice->kind->trials; trial->on; trial++)
            add_candidate(choice, executor_find(trial->on), trial->at_once);
}

static void show(size_t done, size_t total, void *arg)
{
    (void)arg;
    progress_show((double)done / (double)total, done);
}

static json_t *row_object(const il_row *row)
{
    char checksum[20];

    snprintf(checksum, sizeof checksum, "%016llx", (unsigned long long)row->checksum);
    return json_pack(
        "{s:s, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:s}", "on",
        row->on, "workers", (int)row->workers, "at_once", (int)row->at_once, "runs", (int)row->runs,
        "median_s", row->median, "low_s", row->low, "high_s", row->high, "speedup", row->speedup,
        "speedup_low", row->speedup_low, "speedup_high", row->speedup_high, "cpu_s", row->cpu,
        "voluntary_switches", row->voluntary, "involuntary_switches", row->involuntary, "peak_kib",
        row->peak_kib < 0 ? json_null() : json_integer(row->peak_kib), "checksum", checksum);
}

static const char *verdict_name(il_verdict verdict)
{
    static const char *const names[] = {
        [IL_GAIN] = "gain",
        [IL_NO_GAIN] = "no gain",
        [IL_TIE] = "tie",
        [IL_TOO_FEW] = "too few runs",
    };
    return names[verdict];
}

/* Others at work on the same CPUs leave less to gain: worth knowing before the advice is believed.
 * They show where the first row had to make room for them more often than it waited by itself. */
static bool write_note(const struct choice *choice, char *out, size_t size)
{
    const il_row *first = &choice->rows[0];
    double share = first->cpu / first->median;

    if (share > 0.85 || first->involuntary <= first->voluntary) return false;
    snprintf(out, size,
             "The CPUs were busy with other work: %s had one for %.0f%% of its time. A quiet "
             "machine may give other answers.",
             first->on, share * 100);
    return true;
}

/* What the job does with its time, in place, is what decides. Whoever has to make room for others is
 * not one that waits. */
static void write_reason(const struct choice *choice, char *out, size_t size)
{
    const il_row *first = &choice->rows[0];
    double share = first->cpu / first->median;

    if (share < 0.5 && first->voluntary >= first->involuntary)
        snprintf(
            out, size,
            "In place, it waits for %.0f%% of its time, and waiting needs no CPU: many can wait "
            "at once.",
            100 - share * 100);
    else
        snprintf(out, size,
                 "In place, it computes: more CPUs help, more workers than CPUs do not.");
}

static char *write_json(const struct choice *choice)
{
    const il_row *chosen = &choice->rows[choice->advice.row];
    json_t *runs = json_array();

    for (size_t i = 0; i < choice->count; i++)
        json_array_append_new(runs, row_object(&choice->rows[i]));
    json_t *whole = json_pack(
        "{s:s, s:O, s:i, s:i, s:f, s:o, s:{s:s, s:i, s:i, s:s, s:s}}", "job", choice->kind->name,
        "input", choice->input, "cpus", choice->cpus, "runs_each", (int)choice->asked->runs,
        "confidence", choice->advice.coverage, "runs", runs, "choice", "on", chosen->on, "workers",
        (int)chosen->workers, "at_once", (int)chosen->at_once, "verdict",
        verdict_name(choice->advice.verdict), "why", choice->advice.why);
    char note[256];
    if (write_note(choice, note, sizeof note))
        json_object_set_new(whole, "note", json_string(note));
    char *text = whole ? json_dumps(whole, JSON_REAL_PRECISION(6)) : NULL;
    char *line = NULL;
    if (text && asprintf(&line, "%s\n", text) < 0) line = NULL;
    free(text);
    json_decref(whole);
    return line;
}

static void write_method(const struct choice *choice, char *out, size_t size)
{
    unsigned runs = choice->asked->runs;
    bool once = false;

    for (size_t i = 0; i < choice->count; i++) once = once || choice->rows[i].runs < runs;
    snprintf(
        out, size,
        "%d CPU%s to use. %u run%s of each, in turn%s; the interval holds the median with %.0f%% "
        "confidence.",
        choice->cpus, choice->cpus == 1 ? "" : "s", runs, runs == 1 ? "" : "s",
        once ? ", but one of what takes long" : "", choice->advice.coverage * 100);
}

static char *write_table(const struct choice *choice)
{
    unsigned width = term_width(STDOUT_FILENO) - 1;
    char *text = NULL, about[256];
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) return NULL;

    snprintf(about, sizeof about, "%s: %s", choice->kind->name, choice->kind->summary);
    table_wrap(stream, about, width);
    write_method(choice, about, sizeof about);
    table_wrap(stream, about, width);
    fputc('\n', stream);
    table_print(stream, choice->rows, choice->count, choice->advice.row);
    fprintf(stream, "All runs found the same (checksum %016llx).\n\n",
            (unsigned long long)choice->rows[0].checksum);
    if (write_note(choice, about, sizeof about)) table_wrap(stream, about, width);
    write_reason(choice, about, sizeof about);
    table_wrap(stream, about, width);
    table_wrap(stream, choice->advice.why, width);
    if (fclose(stream)) {
        free(text);
        return NULL;
    }
    return text;
}

static int print(const struct choice *choice)
{
    char *text = choice->asked->json ? write_json(choice) : write_table(choice);
    if (!text) return tool_failed("cannot print", -ENOMEM);
    int status = tool_write(text, strlen(text));
    free(text);
    if (!status) return TOOL_OK;
    tool_say("cannot write the output: %s", strerror(-status));
    return TOOL_FAILED;
}

static int measure(struct choice *choice)
{
    il_choose_opts opts = {
        .runs = choice->asked->runs,
        .on_progress = show,
        .long_run = choice->kind->long_run,
    };

    measured = choice->kind;
    choice->cpus = il_cpu_count(NULL);
    find_candidates(choice);
    progress_begin("measuring", "runs");
    int status = il_choose(&choice->job, choice->candidates, choice->count, &opts, choice->rows,
                           &choice->advice);
    progress_end();
    return status;
}

static int choose(const struct asked *asked, const struct job_kind *kind)
{
    struct choice choice = { .asked = asked, .kind = kind };
    int status = kind->open(kind, &choice.job, &choice.input);

    if (status) return tool_failed(kind->name, status);
    status = measure(&choice);
    int end = status ? tool_failed(kind->name, status) : print(&choice);
    kind->close(&choice.job);
    json_decref(choice.input);
    return end;
}

/* What was asked for, of the other program. Returns when that fails. */
static int go_apart(const struct asked *asked, const struct job_kind *kind, char **argv)
{
    char name[32], runs[32], json[] = "--json";
    char *words[] = { argv[-1], argv[0], name, runs, asked->json ? json : NULL, NULL };

    snprintf(name, sizeof name, "%s", asked->job ? asked->job : kind->name);
    snprintf(runs, sizeof runs, "--runs=%u", asked->runs);
    return kind->apart(asked->json ? 4 : 3, words + 1);
}

int cmd_choose(int argc, char **argv)
{
    struct asked asked = { .runs = 9 };
    bool first = true;

    int end = tool_parse(&argp, argc, argv, 0, &asked);
    for (const struct job_kind *kind = job_kinds; kind->name && !end; kind++) {
        if (asked.job && !is_meant(kind, asked.job)) continue;
        if (!first && !asked.json) end = tool_write("\n\n", 2) ? TOOL_FAILED : TOOL_OK;
        if (!end) end = kind->apart ? go_apart(&asked, kind, argv) : choose(&asked, kind);
        first = false;
    }
    return end;
}
