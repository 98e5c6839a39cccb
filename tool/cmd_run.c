/* SPDX-License-Identifier: MIT */
/*
 * interlock run: command lines in parallel.
 *
 * What is where: run/template.c makes commands of words and arguments, run/input.c has the arguments,
 * run/job.c the jobs and who waits for whom, run/front.c the two processes, run/loop.c runs,
 * run/output.c writes, run/log.c remembers, run/sweep.c leaves nothing behind.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <interlock.h>

#include "progress.h"
#include "run/loop.h"
#include "term.h"
#include "tool.h"

enum { MOST_SLOTS = 4096, MOST_SOURCES = 64, MANY = 100, MORE = 101, BROKEN = 102 };

enum {
    SLOTS = 'j',
    FILE_ = 'a',
    NULLS = '0',
    KEEP_ORDER = 'k',
    DRY_RUN = 'n',
    TAG = 256,
    TIMEOUT,
    RETRIES,
    MEMORY,
    HALT,
    LOG,
    RESUME,
    JOB,
    JOBS,
    AFTER,
    JSON,
    NO_BAR
};

static const struct argp_option options[] = {
    { "workers", SLOTS, "N", 0, "So many at a time; default: the CPUs that may be used", 1 },
    { "arg-file", FILE_, "FILE", 0, "Arguments are the lines of FILE; again: combined", 1 },
    { "null", NULLS, NULL, 0, "Lines end with a 0 byte, as of find -print0", 1 },
    { "dry-run", DRY_RUN, NULL, 0, "Print the commands, run none", 1 },
    { "keep-order", KEEP_ORDER, NULL, 0, "Output in the order of the arguments", 2 },
    { "tag", TAG, NULL, 0, "Begin each line with the arguments, or the name, of its job", 2 },
    { "json", JSON, NULL, 0, "One JSON object a job, with its output in it", 2 },
    { "no-progress", NO_BAR, NULL, 0, "No progress line on a terminal", 2 },
    { "timeout", TIMEOUT, "TIME", 0, "End a job that runs longer: 10, 1.5s, 5m, 2h", 3 },
    { "retries", RETRIES, "N", 0, "Try a job that failed again, N times, after 0.2 s, 0.4 s, ...",
      3 },
    { "memory", MEMORY, "SIZE", 0, "End a job with more memory resident: 500M, 2G", 3 },
    { "halt", HALT, "WHEN", 0,
      "At a failure start nothing more (soon), or end all (now); soon,fail=3: at the third", 3 },
    { "job", JOB, "NAME: COMMAND", 0, "A job with a name; again: one more", 4 },
    { "after", AFTER, "NAMES", 0, "The --job before this waits for those to succeed", 4 },
    { "jobs", JOBS, "FILE", 0, "Lines are NAME: COMMAND, or NAME after NAMES: COMMAND", 4 },
    { "log", LOG, "FILE", 0, "Write a JSON line about each job that is over", 5 },
    { "resume", RESUME, NULL, 0, "Leave out what succeeded, says the log, and go on with it", 5 },
    { 0 },
};

struct options {
    struct runner runner;
    char **words;
    int words_count;
    const char *files[MOST_SOURCES];
    int files_count;
    const char *log;
    bool resume, dry_run, no_bar;
};

/* A number with a unit behind it: 1.5m. 0 or EINVAL. */
static int parse_scaled(const char *option, const char *text, const char *units,
                        const double *factors, double *out)
{
    char *end;
    double number = strtod(text, &end);
    const char *unit = *end ? strchr(units, *end) : NULL;
    bool wrong = end == text || !(number > 0) || number > 1e15 || strpbrk(text, "xXnNiI") ||
                 (*end && (!unit || end[1]));

    if (wrong)
        return tool_usage("%s: '%s' is not a number with one of the units %s", option, text, units);
    *out = number * (unit ? factors[unit - units] : 1);
    return 0;
}

static int parse_timeout(struct runner *runner, const char *text)
{
    static const double seconds[] = { 1, 60, 3600, 86400 };
    double number = 0;
    int wrong = parse_scaled("--timeout", text, "smhd", seconds, &number);
    if (!wrong) runner->timeout = number > 1e9 ? 0 : (int64_t)(number * 1e9);
    return wrong;
}

static int parse_memory(struct runner *runner, const char *text)
{
    static const double bytes[] = { 1024, 1024, 1048576, 1073741824, 1099511627776.0 };
    double number = 0;
    int wrong = parse_scaled("--memory", text, "KkMGT", bytes, &number);
    if (!wrong) runner->memory = (uint64_t)number;
    return wrong;
}

/* never, soon, now; soon,fail=N, now,fail=N */
static int parse_halt(struct runner *runner, const char *text)
{
    static const char *const words[] = { "never", "soon", "now" };
    size_t size = strcspn(text, ",");
    uint64_t times = 1;
    int wrong = 0;

    if (text[size]) {
        if (strncmp(text + size, ",fail=", 6) != 0)
            return tool_usage("--halt: '%s' is not never, soon, now or soon,fail=N", text);
        wrong = tool_number("--halt", text + size + 6, 1, UINT32_MAX, &times);
    }
    for (unsigned i = 0; i < 3 && !wrong; i++) {
        if (strlen(words[i]) != size || strncmp(text, words[i], size) != 0) continue;
        runner->halt = (enum halt)i;
        runner->halt_after = (unsigned)times;
        return 0;
    }
    return wrong ? wrong : tool_usage("--halt: '%s' is not never, soon, now or soon,fail=N", text);
}

static int parse_number(const char *option, const char *text, uint64_t low, uint64_t high,
                        unsigned *out)
{
    uint64_t number;
    int wrong = tool_number(option, text, low, high, &number);
    if (!wrong) *out = (unsigned)number;
    return wrong;
}

static int add_file(struct options *options_, const char *path)
{
    if (options_->files_count == MOST_SOURCES)
        return tool_usage("-a: at most %d files", MOST_SOURCES);
    options_->files[options_->files_count++] = path;
    return 0;
}

static int check(const struct options *given)
{
    if (given->resume && !given->log) return tool_usage("--resume: needs --log");
    if (given->runner.graph.count && (given->words_count || given->files_count))
        return tool_usage("--job and --jobs: the command stands there");
    if (given->runner.tag && given->runner.output.json)
        return tool_usage("--tag and --json: one of them");
    return 0;
}

static int parse(int key, char *arg, struct argp_state *state)
{
    struct options *given = state->input;
    struct runner *runner = &given->runner;

    switch (key) {
    case ARGP_KEY_INIT: return tool_parse_init(state);
    case SLOTS: return parse_number("-j", arg, 1, MOST_SLOTS, &runner->slots);
    case FILE_: return add_file(given, arg);
    case NULLS: runner->input.end_of_line = 0; return 0;
    case DRY_RUN: given->dry_run = true; return 0;
    case KEEP_ORDER: runner->output.keep_order = true; return 0;
    case TAG: runner->tag = runner->output.tag = true; return 0;
    case JSON: runner->output.json = true; return 0;
    case NO_BAR: given->no_bar = true; return 0;
    case TIMEOUT: return parse_timeout(runner, arg);
    case RETRIES: return parse_number("--retries", arg, 0, 1000000, &runner->retries);
    case MEMORY: return parse_memory(runner, arg);
    case HALT: return parse_halt(runner, arg);
    case JOB: return graph_add(&runner->graph, "--job", arg);
    case AFTER: return graph_after(&runner->graph, arg);
    case JOBS: return graph_read(&runner->graph, arg);
    case LOG: given->log = arg; return 0;
    case RESUME: given->resume = true; return 0;
    case ARGP_KEY_ARG: /* the rest is the command and its arguments */
        given->words = state->argv + state->next - 1;
        given->words_count = state->argc - state->next + 1;
        state->next = state->argc;
        return 0;
    case ARGP_KEY_SUCCESS: return check(given);
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "[COMMAND [WORD...]] [::: ARGUMENT...]",
    .doc =
        "Run COMMAND once for each ARGUMENT, several at a time. Arguments are those behind :::, the "
        "lines of files (-a, ::::), or the lines of standard input. One word is a command line of "
        "the shell, several are a program and its arguments; without any, each argument is a "
        "command line."
        "\v"
        "In a command {} is the argument, {.} without its extension, {/} without its folder, {//} "
        "the folder, {/.} without both, {#} the number of the job; {2}, {2.}... are of the second "
        "source. ::: again: every combination; :::+: side by side.\n"
        "\n"
        "Examples:\n"
        "  interlock run -j4 'convert {} {.}.png' ::: *.jpg\n"
        "  find . -name '*.c' -print0 | interlock run -0 wc -l\n"
        "  interlock run --log L --resume --retries 2 'curl -fsSO {}' < urls\n"
        "  interlock run --job 'a: make lib' --job 'b: make test' --after a\n"
        "\n"
        "Ends with 0 when all jobs succeeded, with 1 to 100 when so many were not done, 101 when "
        "more; 102 when the run itself failed, 2 also when the command line is wrong (nothing was "
        "run then). By a signal it ends as that signal does, and nothing is left running.",
};

/* ---- Before ---- */

static int open_input(struct options *given)
{
    struct runner *runner = &given->runner;
    struct input *input = &runner->input;
    int wrong = 0;

    if (runner->graph.count) return graph_link(&runner->graph);
    for (int i = 0; i < given->files_count && !wrong; i++)
        wrong = input_file(input, given->files[i], false);
    int words = wrong ? -1 : input_words(input, given->words, given->words_count);
    if (words < 0) return EINVAL;
    if (!input->count) {
        if (!words && isatty(STDIN_FILENO)) return tool_usage("no command; --help has examples");
        wrong = input_stream(input);
    }
    if (!wrong && input_width(input) > MOST_SOURCES)
        wrong = tool_usage("at most %d sources of arguments", MOST_SOURCES);
    if (wrong) return wrong;
    input_combine(input);
    runner->template = template_new(given->words, words, input_width(input));
    return runner->template ? 0 : EINVAL;
}

/* Each running job takes three descriptors here. */
static int check_descriptors(const struct runner *runner)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= 3 * (rlim_t)runner->slots + 32)
        return 0;
    return tool_usage("-j %u: the limit of open files, %llu, is too low for that (ulimit -n)",
                      runner->slots, (unsigned long long)limit.rlim_cur);
}

static int print_commands(struct runner *runner)
{
    struct command_line line = { 0 };
    struct text text = { 0 };
    char *args[MOST_SOURCES];
    int got, status = 0;

    for (unsigned i = 0; i < runner->graph.count; i++)
        text_print(&text, "%s: %s\n", runner->graph.jobs[i]->name,
                   runner->graph.jobs[i]->line.text);
    for (unsigned i = 1; !status && (got = input_next(&runner->input, args)); i++) {
        if (got < 0) {
            input_read(&runner->input);
            i--;
            continue;
        }
        status = template_expand(runner->template, args, input_width(&runner->input), i, &line);
        if (!status) text_print(&text, "%s\n", line.text);
        command_line_free(&line);
        if (!status && !text.broken) status = tool_write(text.data, text.size);
        text.size = 0;
    }
    if (!status && text.size) status = tool_write(text.data, text.size);
    text_free(&text);
    if (!status) return TOOL_OK;
    tool_say("cannot write the output: %s", strerror(-status));
    return BROKEN;
}

/* ---- Afterwards ---- */

static void print_line(const char *line, size_t size)
{
    if (write(STDERR_FILENO, line, size) < 0) return; /* nobody left to tell */
}

void run_loop_report(const struct runner *runner)
{
    struct text text = { 0 };
    unsigned all = runner->done + runner->failed + runner->skipped;

    if (runner->report.size) print_line(runner->report.data, runner->report.size);
    if (!runner->failed && !runner->skipped && !runner->not_started) return;
    text_print(&text, "interlock run: %u of %u jobs failed", runner->failed,
               all + runner->not_started);
    if (runner->skipped) text_print(&text, ", %u skipped", runner->skipped);
    if (runner->not_started) text_print(&text, ", %u not started", runner->not_started);
    if (runner->known) text_print(&text, "; %u were done before", runner->known);
    text_put(&text, "\n");
    if (!text.broken) print_line(text.data, text.size);
    text_free(&text);
}

static int finish(struct runner *runner)
{
    unsigned undone = runner->failed + runner->skipped;
    int status = runner->status ? runner->status : runner->input.status;

    run_loop_report(runner);
    if (runner->output.status)
        tool_say("cannot write the output: %s", strerror(-runner->output.status));
    else if (runner->log.status)
        tool_say("%s: cannot write the log: %s", runner->log.path, strerror(-runner->log.status));
    else if (runner->input.status)
        tool_say("cannot read the input: %s", strerror(-runner->input.status));
    else if (status) tool_failed("cannot go on", status);
    if (status) return BROKEN;
    return undone > MANY ? MORE : (int)undone;
}

static void close_runner(struct runner *runner)
{
    for (unsigned i = 0; i < runner->graph.count; i++) job_free(runner->graph.jobs[i]);
    graph_free(&runner->graph);
    run_log_forget(&runner->log);
    input_close(&runner->input);
    template_free(runner->template);
    text_free(&runner->report);
}

/* The runner's part: never returns to the front's. */
static _Noreturn void be_runner(struct runner *runner, bool bar)
{
    runner->bar = bar && term_is_tty(STDERR_FILENO);
    if (runner->bar) progress_begin("run", "jobs");
    run_loop(runner);
    progress_end();
    run_log_close(&runner->log);
    int end = finish(runner);
    close_runner(runner);
    exit(end);
}

int cmd_run(int argc, char **argv)
{
    struct options given = { .runner = { .input.end_of_line = '\n', .log.fd = -1 } };
    struct runner *runner = &given.runner;

    front_open_missing();
    int end = tool_parse(&argp, argc, argv, ARGP_IN_ORDER, &given);

    if (end) {
        close_runner(runner);
        return end;
    }
    if (!runner->slots) runner->slots = il_cpu_count(NULL);
    int wrong = check_descriptors(runner);
    if (!wrong) wrong = open_input(&given);
    if (!wrong && given.dry_run) {
        end = print_commands(runner);
    } else if (!wrong) {
        if (given.log) wrong = run_log_open(&runner->log, given.log, given.resume);
        if (!wrong && front_split(&runner->front, &end)) be_runner(runner, !given.no_bar);
    }
    close_runner(runner);
    return wrong ? TOOL_USAGE : end;
}
