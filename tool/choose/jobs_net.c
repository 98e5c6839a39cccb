/* SPDX-License-Identifier: MIT */
/*
 * The jobs of `interlock-net`: pictures over HTTP, as many as in the book and a hundred times as many.
 * They come from a server of our own, `interlock serve`, that is started for it: another process, so
 * that what it costs is not counted here, and on this machine, so that nothing but its latency is
 * between us. What was transferred is compared with what the server must have sent, byte by byte.
 */

#include "choose/jobs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "serve/picture.h"
#include "transfer/transfer.h"

enum { FEW = 10, MANY = 1000, PICTURE = 20000, FEW_LATENCY = 200, MANY_LATENCY = 20 };

/* FNV-1a. */
#define SUM_BEGIN UINT64_C(0xcbf29ce484222325)
static uint64_t sum_add(uint64_t sum, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) sum = (sum ^ bytes[i]) * 0x100000001b3;
    return sum;
}

/* ---- One picture: what runs, here or in another process ---- */

struct want {
    uint64_t sum; /* that it must have */
    uint32_t number;
    uint16_t port;
};

static int add_body(void *arg, const void *data, size_t size)
{
    uint64_t *sum = arg;
    *sum = sum_add(*sum, data, size);
    return 0;
}

static int get_picture(void *in, void *out)
{
    const struct want *want = in;
    struct transfer_result result;
    uint64_t sum = SUM_BEGIN;
    char url[80], words[300];

    snprintf(url, sizeof url, "http://127.0.0.1:%u/images/%u.png", want->port, want->number);
    int status =
        transfer_run(&(struct transfer){ .url = url, .on_body = add_body, .arg = &sum }, &result);
    if (!status && result.status == 200 && sum == want->sum) {
        *(uint64_t *)out = sum;
        return 0;
    }
    transfer_words(&result, words, sizeof words);
    if (status || result.status != 200) return il_fail(status ? status : -EPROTO, "%s", words);
    return il_fail(-EBADMSG, "%s: it came with other bytes than were sent", url);
}

/* ---- The server ---- */

struct pictures_job {
    il_process *server;
    struct want wants[];
};

/* The first line that it prints has the port. */
static int find_port(il_process *server, uint16_t *out_port)
{
    char line[256];
    size_t length = 0, more;
    int status = 0;

    while (!status && length < sizeof line - 1 && !memchr(line, '\n', length)) {
        status = il_process_read(server, 1, line + length, sizeof line - 1 - length,
                                 il_after(IL_SEC(20)), &more);
        if (!status && !more) status = -EPIPE;
        if (!status) length += more;
    }
    if (status) return il_fail(status, "the server did not start");
    json_t *about = json_loadb(line, length, JSON_DISABLE_EOF_CHECK, NULL);
    json_int_t port = json_integer_value(json_object_get(about, "port"));
    json_decref(about);
    if (port <= 0) return il_fail(-EPROTO, "the server did not say where it is");
    *out_port = (uint16_t)port;
    return 0;
}

static int start_server(unsigned count, unsigned latency, il_process **out_server,
                        uint16_t *out_port)
{
    char images[16], milliseconds[16], size[16];
    const char *const words[] = { "/proc/self/exe", "serve",     "--images",   images,
                                  "--size",         size,        "--port",     "0",
                                  "--json",         "--latency", milliseconds, NULL };
    const il_process_opts opts = { .in = IL_NULL, .out = IL_PIPE, .daemon = true };

    snprintf(images, sizeof images, "%u", count);
    snprintf(size, sizeof size, "%d", PICTURE);
    snprintf(milliseconds, sizeof milliseconds, "%u", latency);
    int status = il_process_start(words, &opts, out_server);
    return status ? status : find_port(*out_server, out_port);
}

/* ---- The job ---- */

static int sum_pictures(struct want *wants, unsigned count, uint16_t port)
{
    struct pictures *pictures = pictures_new(PICTURE);
    char *bytes = malloc(PICTURE);
    int status = pictures && bytes ? 0 : -ENOMEM;

    for (unsigned i = 0; i < count && !status; i++) {
        struct content picture;
        picture_open(pictures, i, 0, &picture);
        status = picture.read(&picture, 0, bytes, PICTURE);
        wants[i] =
            (struct want){ .sum = sum_add(SUM_BEGIN, bytes, PICTURE), .number = i, .port = port };
    }
    free(bytes);
    pictures_free(pictures);
    return status;
}

static struct pictures_job *job_of(const il_job *job)
{
    return (struct pictures_job *)((char *)job->in - offsetof(struct pictures_job, wants));
}

static void fetch_close(il_job *job)
{
    struct pictures_job *pictures = job_of(job);

    il_process_terminate(pictures->server, IL_SEC(2), NULL);
    il_process_free(pictures->server);
    free(pictures);
}

static int fetch_open(const struct job_kind *kind, il_job *job, json_t **out_input)
{
    bool few = kind == job_kinds;
    unsigned count = few ? FEW : MANY, latency = few ? FEW_LATENCY : MANY_LATENCY;
    struct pictures_job *pictures = calloc(1, sizeof *pictures + count * sizeof *pictures->wants);
    uint16_t port = 0;

    if (!pictures) return -ENOMEM;
    int status = start_server(count, latency, &pictures->server, &port);
    if (!status) status = sum_pictures(pictures->wants, count, port);
    *out_input = status ? NULL
                        : json_pack("{s:i, s:i, s:i}", "count", (int)count, "latency_ms",
                                    (int)latency, "size", PICTURE);
    *job = (il_job){
        .name = "fetch",
        .fn = get_picture,
        .in = pictures->wants,
        .in_size = sizeof *pictures->wants,
        .out_size = sizeof(uint64_t),
        .count = count,
    };
    if (!status && *out_input) return 0;
    fetch_close(job);
    return status ? status : -ENOMEM;
}

/* Ten at once are the book's. A loop has so many on one thread. */
static const struct trial few_trials[] = {
    { "inline", 1 }, { "threads", 10 }, { "processes", 10 }, { "loop", 10 }, { 0 },
};
static const struct trial many_trials[] = {
    { "inline", 1 },     { "threads", 10 }, { "threads", 100 },
    { "processes", 10 }, { "loop", 100 },   { 0 },
};

const struct job_kind job_kinds[] = {
    { .name = "fetch-10",
      .summary = "10 pictures of 20 kB from a server that takes 200 ms to answer",
      .open = fetch_open,
      .close = fetch_close,
      .leave = transfer_end,
      .trials = few_trials,
      .long_run = IL_SEC(1) },
    { .name = "fetch-1000",
      .summary = "1,000 pictures of 20 kB from a server that takes 20 ms to answer",
      .open = fetch_open,
      .close = fetch_close,
      .leave = transfer_end,
      .trials = many_trials,
      .long_run = IL_SEC(1) },
    { 0 },
};
