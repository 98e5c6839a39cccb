/* SPDX-License-Identifier: MIT */
/*
 * interlock fetch: files over HTTP.
 *
 * What is where: fetch/list.c has the files that are asked for, fetch/name.c what they are called,
 * fetch/run.c decides which one when, fetch/hosts.c whose turn it is, fetch/job.c is one attempt at one
 * file, fetch/part.c the file while it is not whole, transfer.c the HTTP, fetch/report.c what is said
 * of it, fetch/bars.c what is drawn meanwhile.
 */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetch/name.h"
#include "fetch/run.h"
#include "tool.h"

enum {
    SLOTS = 'j',
    FOLDER = 'd',
    LIST = 'i',
    OUTPUT = 'o',
    ON = 256,
    PER_HOST,
    CHECKSUM,
    RETRIES,
    REDIRECTS,
    CONNECT_TIMEOUT,
    STALL_TIMEOUT,
    INSECURE,
    KEEP,
    SERVER_NAMES,
    SYNC,
    TIMING,
    JSON,
    NO_BAR
};

/* Transfers at a time that each executor can have, and has unless told. Waiting for a network needs no
 * CPU: only what each costs while it waits differs, a fiber, a thread, a process. */
enum { ON_LOOP = 64, ON_THREADS = 32, ON_PROCESSES = 8, PER_HOST_DEFAULT = 16, LISTS = 64 };

static const struct argp_option arguments[] = {
    { "directory", FOLDER, "DIR", 0, "Put the files there; it is made if it is not there", 1 },
    { "output", OUTPUT, "FILE", 0, "The name of the file, when there is one URL", 1 },
    { "list", LIST, "FILE", 0,
      "Lines of FILE are URL [NAME] [CHECKSUM]; - is standard input; again: one more", 1 },
    { "checksum", CHECKSUM, "SUM", 0,
      "sha256:... or sha512:... that the file, of one URL, must have", 1 },
    { "keep", KEEP, NULL, 0, "Leave files alone that are there; default: ask for newer ones", 1 },
    { "server-names", SERVER_NAMES, NULL, 0, "Names as the server says (Content-Disposition)", 1 },
    { "sync", SYNC, NULL, 0, "Names only for what is on the disk, should the power fail", 1 },
    { "jobs", SLOTS, "N", 0, "So many at a time; default: 64 on the loop, 32 threads, 8 processes",
      2 },
    { "per-host", PER_HOST, "N", 0, "So many at one host; default: 16", 2 },
    { "on", ON, "EXECUTOR", 0, "inline, threads, processes or loop, the default", 2 },
    { "retries", RETRIES, "N", 0, "Further attempts, after 0.5 s, 1 s, 2 s...; default: 5", 3 },
    { "stall-timeout", STALL_TIMEOUT, "S", 0, "Seconds without a byte until it is tried again; 30",
      3 },
    { "connect-timeout", CONNECT_TIMEOUT, "S", 0, "Seconds to get connected in; 30", 3 },
    { "redirects", REDIRECTS, "N", 0, "To follow at most; 10", 3 },
    { "insecure", INSECURE, NULL, 0, "Believe any certificate", 3 },
    { "timing", TIMING, NULL, 0, "Print how long each step of each transfer took", 4 },
    { "json", JSON, NULL, 0, "Print an object of JSON about each file", 4 },
    { "no-progress", NO_BAR, NULL, 0, "Nothing is drawn on a terminal", 4 },
    { 0 },
};

struct fetch {
    struct fetch_options options;
    char **urls;
    int urls_count;
    const char *lists[LISTS];
    int lists_count;
    const char *output, *checksum;
    char *folder; /* of the output */
};

static int parse_number(const char *option, const char *text, uint64_t low, uint64_t high,
                        unsigned *out)
{
    uint64_t number;
    int wrong = tool_number(option, text, low, high, &number);
    if (!wrong) *out = (unsigned)number;
    return wrong;
}

static int parse_seconds(const char *option, const char *text, int64_t *out)
{
    uint64_t number;
    int wrong = tool_number(option, text, 1, 86400, &number);
    if (!wrong) *out = IL_SEC((int64_t)number);
    return wrong;
}

static int add_list(struct fetch *fetch, const char *path)
{
    if (fetch->lists_count == LISTS) return tool_usage("-i: at most %d lists", LISTS);
    fetch->lists[fetch->lists_count++] = path;
    return 0;
}

static int check(struct fetch *fetch)
{
    struct fetch_options *options = &fetch->options;
    bool one = fetch->urls_count == 1 && !fetch->lists_count;

    if (!fetch->urls_count && !fetch->lists_count) return tool_usage("no URL; --help has examples");
    if (fetch->output && !one) return tool_usage("-o: for one URL; for more there is -d");
    if (fetch->output && *options->folder != '.') return tool_usage("-o and -d: one of them");
    if (fetch->checksum && !one) return tool_usage("--checksum: for one URL; for more there is -i");
    if (options->json && options->timing) return tool_usage("--json has the times, too");
    if (!options->kind->scales && strcmp(options->kind->name, "loop") != 0 && options->slots > 1)
        return tool_usage("-j %u: %s has one worker", options->slots, options->kind->name);
    return 0;
}

static int parse(int key, char *arg, struct argp_state *state)
{
    struct fetch *fetch = state->input;
    struct fetch_options *options = &fetch->options;

    switch (key) {
    case ARGP_KEY_INIT: return tool_parse_init(state);
    case FOLDER: options->folder = arg; return 0;
    case OUTPUT: fetch->output = arg; return 0;
    case LIST: return add_list(fetch, arg);
    case CHECKSUM: fetch->checksum = arg; return 0;
    case KEEP: options->keep = true; return 0;
    case SERVER_NAMES: options->server_names = true; return 0;
    case SYNC: options->sync = true; return 0;
    case SLOTS: return parse_number("-j", arg, 1, WORKERS_MAX, &options->slots);
    case PER_HOST: return parse_number("--per-host", arg, 1, WORKERS_MAX, &options->per_host);
    case ON: return executor_option(arg, &options->kind);
    case RETRIES: return parse_number("--retries", arg, 0, 1000, &options->retries);
    case REDIRECTS: return parse_number("--redirects", arg, 0, 100, &options->redirects);
    case CONNECT_TIMEOUT: return parse_seconds("--connect-timeout", arg, &options->connect_time);
    case STALL_TIMEOUT: return parse_seconds("--stall-timeout", arg, &options->stall_time);
    case INSECURE: options->insecure = true; return 0;
    case TIMING: options->timing = true; return 0;
    case JSON: options->json = true; return 0;
    case NO_BAR: options->no_bar = true; return 0;
    case ARGP_KEY_ARGS:
        fetch->urls = state->argv + state->next;
        fetch->urls_count = state->argc - state->next;
        return 0;
    case ARGP_KEY_SUCCESS: return check(fetch);
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = arguments,
    .parser = parse,
    .args_doc = "URL...\n-i FILE",
    .doc =
        "Download files over HTTP and HTTPS, many at a time. A file has its name only when it is "
        "whole; until then it is NAME.part, and the next run goes on with it if the server still has "
        "that version. What breaks off, stalls or comes short is tried again, after a delay that "
        "grows, or that the server asks for."
        "\v"
        "Examples:\n"
        "  interlock fetch https://example.org/a.iso --checksum sha256:...\n"
        "  interlock fetch -d images -i urls\n"
        "  interlock fetch --timing --on threads -j4 -i - < urls\n"
        "\n"
        "Ends with 0 when all files are there, 1 when one is not (a line on standard error says "
        "why), 2 when the command line is wrong; nothing was done then. By a signal it ends as that "
        "signal does, within a second.",
};

bool fetch_path(const struct fetch_options *options, const char *name, char *path, size_t size)
{
    bool here = !strcmp(options->folder, ".");
    int length = here ? snprintf(path, size, "%s", name)
                      : snprintf(path, size, "%s/%s", options->folder, name);

    return length >= 0 && (size_t)length < size && length < PATH_MAX - 16;
}

/* -o a/b is the file b in the folder a. */
static int split_output(struct fetch *fetch, char **out_name)
{
    char *slash = strrchr(fetch->output, '/');

    *out_name = (char *)fetch->output;
    if (slash) {
        fetch->folder =
            strndup(fetch->output, slash > fetch->output ? (size_t)(slash - fetch->output) : 1);
        if (!fetch->folder) return tool_usage("%s", il_strerror(-ENOMEM));
        fetch->options.folder = fetch->folder;
        *out_name = slash + 1;
    }
    return fetch_name_is_fine(*out_name) ? 0
                                         : tool_usage("-o: '%s' is no name for a file", *out_name);
}

static int make_list(struct fetch *fetch, struct fetch_list *list)
{
    char *name = NULL;
    int wrong = fetch->output ? split_output(fetch, &name) : 0;

    for (int i = 0; i < fetch->lists_count && !wrong; i++) wrong = list_read(list, fetch->lists[i]);
    for (int i = 0; i < fetch->urls_count && !wrong; i++)
        wrong = list_add(list, "", fetch->urls[i], name, fetch->checksum);
    return wrong;
}

/* Where nothing is, no file need be looked for. */
static bool is_empty(DIR *folder)
{
    const struct dirent *entry;

    while ((entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) return false;
    return true;
}

static int make_folder(struct fetch_options *options)
{
    DIR *folder = NULL;

    if (!mkdir(options->folder, 0777) || errno == EEXIST) folder = opendir(options->folder);
    if (!folder) {
        tool_say("%s: %s", options->folder, strerror(errno));
        return TOOL_FAILED;
    }
    options->empty = is_empty(folder);
    closedir(folder);
    return 0;
}

static void set_defaults(struct fetch_options *options)
{
    const char *on = options->kind->name;

    if (!options->slots)
        options->slots = !strcmp(on, "loop")        ? ON_LOOP
                         : !strcmp(on, "threads")   ? ON_THREADS
                         : !strcmp(on, "processes") ? ON_PROCESSES
                                                    : 1;
    if (!options->per_host) options->per_host = PER_HOST_DEFAULT;
}

/* Each transfer may have a connection, a file, and the two ends by which a name is asked for. */
static int get_descriptors(const struct fetch_options *options)
{
    rlim_t wanted = 4 * (rlim_t)options->slots + 64;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted) return 0;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (!setrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur >= wanted) return 0;
    return tool_usage("-j %u: the limit of open files, %llu, is too low for that (ulimit -n)",
                      options->slots, (unsigned long long)limit.rlim_max);
}

static int finish(const struct report *report, int status)
{
    if (report->write_status) {
        tool_say("cannot write the output: %s", strerror(-report->write_status));
        return TOOL_FAILED;
    }
    if (status) return tool_failed("cannot go on", status);
    return report->failed ? TOOL_FAILED : TOOL_OK;
}

int cmd_fetch(int argc, char **argv)
{
    struct fetch fetch = {
        .options = { .kind = executor_find("loop"), .folder = ".", .retries = 5, .redirects = 10 },
    };
    struct report report = { .options = &fetch.options };
    struct fetch_list list;

    int end = tool_parse(&argp, argc, argv, 0, &fetch);
    if (end) return end;
    int status = list_init(&list);
    if (status) return tool_failed("cannot begin", status);
    if (make_list(&fetch, &list)) end = TOOL_USAGE;
    set_defaults(&fetch.options);
    if (!end && get_descriptors(&fetch.options)) end = TOOL_USAGE;
    if (!end) end = make_folder(&fetch.options);
    if (!end) {
        status = fetch_run(&fetch.options, &list, &report);
        end = finish(&report, status);
    }
    if (fetch_stopped()) {
        fflush(stdout);
        signal(fetch_stopped(), SIG_DFL);
        raise(fetch_stopped());
    }
    list_free(&list);
    free(fetch.folder);
    return end;
}
