/* SPDX-License-Identifier: MIT */
/*
 * interlock crawl: every page of a site once, and what is wrong with its links.
 *
 * What is where: crawl.c crawls, crawl/frontier.c knows what is still to do, crawl/pace.c how fast a
 * host may be asked, crawl/robots.c what it wants left alone, crawl/visit.c asks, crawl/links.c reads
 * pages, crawl/url.c URLs, crawl/report.c says what came of it.
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <interlock.h>

#include "crawl/crawl.h"
#include "crawl/report.h"
#include "crawl/url.h"
#include "progress.h"
#include "term.h"
#include "tool.h"

enum { FLIGHT = 32, PER_HOST = 8, MOST_FLIGHT = 1024, MOST_WORDS = 64 };

struct options {
    struct crawl_opts crawl;
    bool flight_given;
    char *urls[MOST_WORDS], *hosts[MOST_WORDS];
    size_t url_count, host_count;
    enum report_form form;
};

enum {
    IN_FLIGHT = 'j',
    ON = 256,
    PER_HOST_,
    DEPTH,
    PAGES,
    HOST,
    NO_EXTERNAL,
    NOFOLLOW,
    FRAGMENTS,
    NO_ROBOTS,
    INSECURE,
    LIST,
    JSON
};

static const struct argp_option argp_options[] = {
    { "jobs", IN_FLIGHT, "N", 0, "So many requests under way at once; default: 32", 1 },
    { "per-host", PER_HOST_, "N", 0, "At most N of them to one host; default: 8", 1 },
    { "on", ON, "EXECUTOR", 0, "Where to run: loop (default), inline, threads, processes", 1 },
    { "depth", DEPTH, "N", 0, "Pages at most N clicks away; default: all", 2 },
    { "pages", PAGES, "N", 0, "Visit at most N pages, the nearest first; default: all", 2 },
    { "host", HOST, "NAME", 0, "This host belongs to the site, too; again: more", 2 },
    { "no-external", NO_EXTERNAL, NULL, 0, "Leave links to other sites unchecked", 2 },
    { "nofollow", NOFOLLOW, NULL, 0, "Check links that are marked nofollow, but do not follow them",
      2 },
    { "no-robots", NO_ROBOTS, NULL, 0, "Do not ask for robots.txt: the site is yours", 2 },
    { "fragments", FRAGMENTS, NULL, 0, "Check that a page has the #fragment that a link points to",
      3 },
    { "insecure", INSECURE, NULL, 0, "Take any certificate", 3 },
    { "list", LIST, NULL, 0, "Print each URL with its state and status, sorted", 4 },
    { "json", JSON, NULL, 0, "One JSON object a URL, sorted, and one that sums up", 4 },
    { 0 },
};

static int add_url(struct options *given, const char *typed)
{
    char *url = url_typed(typed);

    if (!url) return tool_usage("'%s' is no URL of http or https", typed);
    if (given->url_count == MOST_WORDS) {
        free(url);
        return tool_usage("at most %d URLs to start from", MOST_WORDS);
    }
    given->urls[given->url_count++] = url;
    return 0;
}

static int add_host(struct options *given, char *host)
{
    char *url = url_typed(host);
    bool fits = url && !strpbrk(host, "/?#@");

    free(url);
    if (!fits) return tool_usage("--host: '%s' is no name of a host", host);
    if (given->host_count == MOST_WORDS) return tool_usage("--host: at most %d", MOST_WORDS);
    given->hosts[given->host_count++] = host;
    return 0;
}

static int check(struct options *given)
{
    struct crawl_opts *crawl = &given->crawl;

    if (!given->url_count) return tool_usage("no URL; --help has examples");
    if (!strcmp(crawl->kind->name, "inline")) {
        if (given->flight_given && crawl->in_flight > 1)
            return tool_usage("-j %u: inline has one worker", crawl->in_flight);
        crawl->in_flight = 1;
    }
    return 0;
}

static int parse(int key, char *arg, struct argp_state *state)
{
    struct options *given = state->input;
    struct crawl_opts *crawl = &given->crawl;
    uint64_t number = 0;
    int wrong;

    switch (key) {
    case ARGP_KEY_INIT: return tool_parse_init(state);
    case ON: return executor_option(arg, &crawl->kind);
    case IN_FLIGHT:
        wrong = tool_number("-j", arg, 1, MOST_FLIGHT, &number);
        crawl->in_flight = (unsigned)number;
        given->flight_given = true;
        return wrong;
    case PER_HOST_:
        wrong = tool_number("--per-host", arg, 1, MOST_FLIGHT, &number);
        crawl->per_host = (unsigned)number;
        return wrong;
    case DEPTH:
        wrong = tool_number("--depth", arg, 0, CRAWL_ENDLESS - 2, &number);
        crawl->depth = (uint16_t)number;
        return wrong;
    case PAGES: return tool_number("--pages", arg, 1, UINT64_MAX, &crawl->pages);
    case HOST: return add_host(given, arg);
    case NO_EXTERNAL: crawl->external = false; return 0;
    case NOFOLLOW: crawl->nofollow = true; return 0;
    case NO_ROBOTS: crawl->robots = false; return 0;
    case FRAGMENTS: crawl->fragments = true; return 0;
    case INSECURE: crawl->insecure = true; return 0;
    case LIST: given->form = REPORT_LIST; return 0;
    case JSON: given->form = REPORT_JSON; return 0;
    case ARGP_KEY_ARG: return add_url(given, arg);
    case ARGP_KEY_SUCCESS: return check(given);
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = argp_options,
    .parser = parse,
    .args_doc = "URL...",
    .doc =
        "Visit every page of the site at URL once, check every link on it, and report by page which "
        "are broken, redirected or unknown. The site is the host of URL, and the one that URL "
        "redirects to; links to others are checked, not followed."
        "\v"
        "Polite: robots.txt is kept to, a host is asked by a few connections at once, and one that "
        "answers 429 or 503 at the rate that it turns out to allow. What it would not tell is unknown, "
        "not broken.\n"
        "\n"
        "Examples:\n"
        "  interlock crawl https://example.org\n"
        "  interlock crawl --fragments --no-external http://localhost:8000/\n"
        "  interlock crawl --depth 2 --json example.org > links.json\n"
        "\n"
        "Ends with 0 when no link is broken, 1 when one is or the crawl failed, 2 when the command line "
        "is wrong. Interrupted, it reports what it knows, says that this is a part, and ends by the "
        "signal. On a terminal, standard error shows the progress.",
};

/* ---- Signals: the first ends the crawl and leaves the report, the second ends the program ---- */

static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
enum { ENDS = sizeof ends / sizeof *ends };

static void on_signal(int number)
{
    crawl_signal = number;
}

static void catch_signals(void)
{
    for (int i = 0; i < ENDS; i++) {
        struct sigaction before,
            action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
        if (!sigaction(ends[i], NULL, &before) && before.sa_handler != SIG_IGN)
            sigaction(ends[i], &action, NULL);
    }
}

static void end_by_signal(void)
{
    if (!crawl_signal) return;
    signal(crawl_signal, SIG_DFL);
    raise(crawl_signal);
}

/* ---- The whole ---- */

/* Without one page the reason is that of where it was to start. */
static void say_why_none(const struct crawl *crawl)
{
    const struct link *link = crawl->frontier.links;

    tool_say("no page was visited: %s: %s", frontier_url(&crawl->frontier, 0),
             crawl->frontier.reasons[link->reason]);
}

static int say_report(const struct options *given, struct crawl *crawl, bool partial)
{
    struct report report;
    bool text = given->form == REPORT_TEXT;

    int status = report_make(&report, crawl, partial);
    if (!status)
        status = report_write(&report, given->form, text && term_has_colour(STDOUT_FILENO));
    if (status == -ENOMEM) tool_failed("cannot report", status);
    else if (status) tool_say("cannot write the output: %s", strerror(-status));
    if (partial) tool_say("interrupted: this report is of a part of the site");
    else if (!status && !crawl->pages) say_why_none(crawl);
    bool broken = report.counts[FATE_BROKEN] > 0 || !crawl->pages;
    report_free(&report);
    return status || broken ? TOOL_FAILED : TOOL_OK;
}

static int crawl_as_given(const struct options *given)
{
    struct crawl crawl;
    int end;

    progress_begin("crawl", "pages");
    catch_signals();
    int status = crawl_run(&crawl, &given->crawl, given->urls, given->url_count, given->hosts,
                           given->host_count);
    progress_end();
    if (status && status != -EINTR) end = tool_failed("cannot go on", status);
    else end = say_report(given, &crawl, status == -EINTR);
    crawl_free(&crawl);
    return end;
}

int cmd_crawl(int argc, char **argv)
{
    struct options given = { .crawl = { .kind = executor_find("loop"),
                                        .in_flight = FLIGHT,
                                        .per_host = PER_HOST,
                                        .depth = CRAWL_ENDLESS,
                                        .external = true,
                                        .robots = true } };

    if (!given.crawl.kind) given.crawl.kind = executor_find("threads");
    int end = tool_parse(&argp, argc, argv, 0, &given);
    if (!end) end = crawl_as_given(&given);
    for (size_t i = 0; i < given.url_count; i++) free(given.urls[i]);
    end_by_signal();
    return end;
}
