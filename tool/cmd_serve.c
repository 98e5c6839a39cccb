/* SPDX-License-Identifier: MIT */
/*
 * interlock serve: a web server to try clients against, without a network.
 *
 * What is where: serve/server.c runs, serve/request.c answers, serve/site.c knows what stands behind
 * a path, which is a file (serve/files.c), a picture (serve/picture.c) or a page (serve/pages.c);
 * serve/range.c reads conditions and ranges, serve/body.c is what is sent, serve/fault.c and
 * serve/rate.c make trouble, serve/log.c tells.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve/server.h"
#include "term.h"
#include "tool.h"

enum {
    PORT = 'p',
    VERBOSE = 'v',
    BIND = 256,
    IMAGES,
    SIZE,
    PAGES,
    HELLO,
    LATENCY,
    BANDWIDTH,
    FAULTS_,
    SEED,
    RATE,
    RETRY_AFTER,
    CONNECTIONS,
    HEADER,
    BODY,
    TLS,
    KEY,
    JSON
};

static const struct argp_option options[] = {
    { "images", IMAGES, "N", 0, "Pictures: /images/0.png ..., and /images.txt with their URLs", 1 },
    { "size", SIZE, "BYTES", 0, "Of each picture; default: 20000", 1 },
    { "pages", PAGES, "N", 0, "Pages that link one another, with circles and broken links", 1 },
    { "hello", HELLO, NULL, 0, "Greet: / and /NAME, and what is posted to /", 1 },
    { "port", PORT, "N", 0, "Default: 8080; 0: any that is free", 2 },
    { "bind", BIND, "ADDRESS", 0, "Default: 127.0.0.1, which nobody else can reach", 2 },
    { "tls-cert", TLS, "FILE", 0, "HTTPS with this certificate (PEM)", 2 },
    { "tls-key", KEY, "FILE", 0, "Its key (PEM)", 2 },
    { "latency", LATENCY, "MS", 0, "Answer so many milliseconds after the question", 3 },
    { "bandwidth", BANDWIDTH, "BYTES", 0, "A second, at most, for each connection", 3 },
    { "faults", FAULTS_, "LIST", 0,
      "Of drop, stall, short, 503, changed, norange, 429; :SHARE behind one, default 0.1", 3 },
    { "seed", SEED, "N", 0, "Which requests the faults hit; default: 1", 3 },
    { "rate", RATE, "N", 0, "Requests a second of a client; above it 429", 3 },
    { "retry-after", RETRY_AFTER, "S", 0, "What 429 and 503 ask for; default: 1", 3 },
    { "connections", CONNECTIONS, "N", 0, "At once; default: what descriptors allow", 4 },
    { "max-header", HEADER, "BYTES", 0, "Of a request; above it 431; default: 16384", 4 },
    { "max-body", BODY, "BYTES", 0, "Of a request; above it 413; default: 65536", 4 },
    { "verbose", VERBOSE, NULL, 0, "A line for each request", 5 },
    { "json", JSON, NULL, 0, "Lines are JSON objects", 5 },
    { 0 },
};

struct options {
    struct server server;
    const char *folder, *certificate, *key;
    uint64_t size;
};

static int parse_rate(struct server *server, const char *text)
{
    char *end;
    double number = strtod(text, &end);

    if (end == text || *end || !(number > 0) || number > 1e9)
        return tool_usage("--rate: '%s' is not a number above 0", text);
    server->rate.per_second = number;
    return 0;
}

static int parse_folder(struct options *given, const char *text)
{
    if (given->folder) return tool_usage("'%s': one folder at a time", text);
    given->folder = text;
    return 0;
}

static int check(const struct options *given)
{
    const struct site *site = &given->server.site;
    bool more = given->folder || site->images || site->pages;

    if (!more && !site->hello)
        return tool_usage("nothing to serve: a folder, --images N, --pages N or --hello");
    if (more && site->hello)
        return tool_usage("--hello: greets at every path, and goes with "
                          "nothing else");
    if (!given->certificate != !given->key)
        return tool_usage("--tls-cert and --tls-key: one needs the other");
    return 0;
}

static int parse_small(const char *option, const char *text, uint64_t low, uint64_t high,
                       unsigned *out)
{
    uint64_t number;
    int wrong = tool_number(option, text, low, high, &number);
    if (!wrong) *out = (unsigned)number;
    return wrong;
}

static int parse_port(struct server *server, const char *text)
{
    unsigned port = 0;
    int wrong = parse_small("--port", text, 0, 65535, &port);
    server->port = (uint16_t)port;
    return wrong;
}

static int parse_latency(struct server *server, const char *text)
{
    unsigned milliseconds = 0;
    int wrong = parse_small("--latency", text, 0, 3600000, &milliseconds);
    server->latency = IL_MS(milliseconds);
    return wrong;
}

static int parse(int key, char *arg, struct argp_state *state)
{
    struct options *given = state->input;
    struct server *server = &given->server;

    switch (key) {
    case ARGP_KEY_INIT: return tool_parse_init(state);
    case IMAGES: return tool_number("--images", arg, 1, 100000000, &server->site.images);
    case SIZE: return tool_number("--size", arg, PICTURE_LEAST, PICTURE_MOST, &given->size);
    case PAGES: return tool_number("--pages", arg, 1, 1000000000000, &server->site.pages);
    case HELLO: server->site.hello = true; return 0;
    case PORT: return parse_port(server, arg);
    case BIND: server->address = arg; return 0;
    case TLS: given->certificate = arg; return 0;
    case KEY: given->key = arg; return 0;
    case LATENCY: return parse_latency(server, arg);
    case BANDWIDTH: return tool_number("--bandwidth", arg, 1, 1000000000000, &server->bandwidth);
    case FAULTS_: return faults_parse(&server->faults, arg);
    case SEED: return tool_number("--seed", arg, 0, UINT64_MAX, &server->faults.seed);
    case RATE: return parse_rate(server, arg);
    case RETRY_AFTER: return parse_small("--retry-after", arg, 0, 86400, &server->retry_after);
    case CONNECTIONS:
        return parse_small("--connections", arg, 1, 1000000, &server->most_connections);
    case HEADER: return tool_number("--max-header", arg, 1024, 1 << 24, &server->most_header);
    case BODY: return tool_number("--max-body", arg, 0, 1 << 30, &server->most_body);
    case VERBOSE: server->verbose = true; return 0;
    case JSON: server->json = true; return 0;
    case ARGP_KEY_ARG: return parse_folder(given, arg);
    case ARGP_KEY_SUCCESS: return check(given);
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "[FOLDER]",
    .doc =
        "Serve the files below FOLDER, or a site that is made up, over HTTP: with the delays, limits "
        "and faults that are asked for, so that what fetches and crawls can be tried without a "
        "network. Ranges, entity tags and conditions are understood; nothing outside FOLDER is ever "
        "opened."
        "\v"
        "Which requests a fault hits follows from --seed, the path, and how often that was asked for: "
        "each further request for a path is hit half as often. drop resets the connection, short ends "
        "it, stall keeps silent, each in the middle of the body; changed and norange are short once, "
        "and from then on it is another picture (of FOLDER: another tag), or ranges are ignored.\n"
        "\n"
        "Examples:\n"
        "  interlock serve ~/public\n"
        "  interlock serve --images 10 --latency 200\n"
        "  interlock serve --pages 5000 --rate 5\n"
        "  interlock serve --images 50 --faults drop:0.3,stall,503 --seed 7 -v\n"
        "\n"
        "Ctrl-C or SIGTERM ends it, within a second, and prints totals. Ends with 0 then, 1 when it "
        "could not serve, 2 when the command line is wrong.",
};

/* ---- */

static char *read_file(const char *path)
{
    char *text = NULL;
    size_t room = 0;
    FILE *file = fopen(path, "re");
    ssize_t size = file ? getdelim(&text, &room, 0, file) : -1;

    if (size < 0) {
        tool_say("%s: %s", path, file && !errno ? "it is empty" : strerror(errno));
        free(text);
        text = NULL;
    }
    if (file) fclose(file);
    return text;
}

static bool open_tls(struct options *given)
{
    struct server *server = &given->server;

    if (!given->key) return true;
    if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES) {
        tool_say("--tls-cert: this libmicrohttpd was built without TLS");
        return false;
    }
    server->certificate = read_file(given->certificate);
    server->key = server->certificate ? read_file(given->key) : NULL;
    return server->key;
}

static bool open_site(struct options *given)
{
    struct site *site = &given->server.site;

    if (given->folder) {
        site->root = open(given->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (site->root < 0) tool_say("%s: %s", given->folder, strerror(errno));
        if (site->root < 0) return false;
    }
    if (site->images && !(site->pictures = pictures_new(given->size))) {
        tool_failed("pictures", -ENOMEM);
        return false;
    }
    return true;
}

/* "FOLDER, 10 pictures and 5,000 pages" */
static void describe(const struct options *given, char *out, size_t size)
{
    const struct site *site = &given->server.site;
    char number[32];
    size_t length = 0;

    if (site->hello) length = (size_t)snprintf(out, size, "greetings");
    if (given->folder) length = (size_t)snprintf(out, size, "%.200s", given->folder);
    if (site->images)
        length +=
            (size_t)snprintf(out + length, size - length, "%s%s picture%s", length ? ", " : "",
                             term_count(number, site->images), site->images == 1 ? "" : "s");
    if (site->pages)
        snprintf(out + length, size - length, "%s%s page%s", length ? ", " : "",
                 term_count(number, site->pages), site->pages == 1 ? "" : "s");
}

int cmd_serve(int argc, char **argv)
{
    struct options given = {
        .server = { .site.root = -1,
                    .faults.seed = 1,
                    .address = "127.0.0.1",
                    .port = 8080,
                    .most_header = 16384,
                    .most_body = 65536,
                    .retry_after = 1 },
        .size = 20000,
    };
    struct server *server = &given.server;
    char what[320];

    int end = tool_parse(&argp, argc, argv, 0, &given);
    if (end) return end;
    describe(&given, what, sizeof what);
    server->what = what;
    end = open_tls(&given) && open_site(&given) ? server_run(server) : TOOL_FAILED;
    faults_free(&server->faults);
    pictures_free(server->site.pictures);
    if (server->site.root >= 0) close(server->site.root);
    free(server->certificate);
    free(server->key);
    return end;
}
