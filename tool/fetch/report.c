/* SPDX-License-Identifier: MIT */
/* What became of the files. */

#include "fetch/report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "progress.h"
#include "term.h"
#include "tool.h"

static void print(struct report *report, const char *text)
{
    progress_hide(); /* they may share a terminal */
    int status = report->write_status ? 0 : tool_write(text, strlen(text));
    if (status) report->write_status = status;
}

/* ---- Times ---- */

/* How long each step took, in seconds. */
struct steps {
    double name, connect, tls, first_byte, body, total;
};

static double between(int64_t from, int64_t to)
{
    return to > from ? (double)(to - from) / 1e9 : 0;
}

static struct steps steps_of(const struct transfer_times *at)
{
    int64_t ready = at->tls > at->connect ? at->tls : at->connect;

    return (struct steps){
        .name = between(0, at->name),
        .connect = between(at->name, at->connect),
        .tls = between(at->connect, at->tls),
        .first_byte = between(ready, at->first_byte),
        .body = at->first_byte ? between(at->first_byte, at->total) : 0,
        .total = between(0, at->total),
    };
}

static void print_times(struct report *report, const struct fetch_file *file,
                        const struct fetch_out *out)
{
    const struct steps steps = steps_of(&out->result.times);
    char line[512];

    if (!report->headed)
        print(report,
              "    name  connect      TLS    first     body    total ms       bytes  file\n");
    report->headed = true;
    snprintf(line, sizeof line, "%8.2f %8.2f %8.2f %8.2f %8.2f %11.2f %11lld  %s%s\n",
             1e3 * steps.name, 1e3 * steps.connect, 1e3 * steps.tls, 1e3 * steps.first_byte,
             1e3 * steps.body, 1e3 * steps.total, (long long)out->result.received,
             *out->name ? out->name : file->name,
             out->end == FETCH_DONE   ? ""
             : out->end == FETCH_KEPT ? " (unchanged)"
                                      : " (failed)");
    print(report, line);
}

/* ---- JSON ---- */

static json_t *times_object(const struct transfer_result *result)
{
    const struct steps steps = steps_of(&result->times);

    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "redirects",
                     (double)result->times.redirects / 1e9, "name", steps.name, "connect",
                     steps.connect, "tls", steps.tls, "first_byte", steps.first_byte, "body",
                     steps.body, "total", steps.total);
}

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text && *text) json_object_set_new(object, key, json_string(text));
}

/* Bytes that are no UTF-8 are no JSON either: '?'. */
static json_t *text_value(const char *text)
{
    json_t *value = json_string(text);
    if (value) return value;

    char plain[TRANSFER_URL];
    snprintf(plain, sizeof plain, "%s", text);
    for (char *c = plain; *c; c++)
        if ((unsigned char)*c >= 128) *c = '?';
    return json_string(plain);
}

static const char *state_of(const struct fetch_out *out, const char *words)
{
    return words ? "failed" : out->end == FETCH_KEPT ? "unchanged" : "done";
}

static void print_json(struct report *report, const struct fetch_file *file,
                       const struct fetch_out *out, const char *words)
{
    json_t *object = json_object();

    json_object_set_new(object, "url", text_value(file->url));
    json_object_set_new(object, "file", text_value(out && *out->name ? out->name : file->name));
    set_text(object, "state", state_of(out, words));
    set_text(object, "reason", words);
    json_object_set_new(object, "attempts", json_integer(file->attempts));
    if (out) {
        const struct transfer_result *result = &out->result;
        json_object_set_new(object, "status", json_integer(result->status));
        json_object_set_new(object, "bytes", json_integer(out->size));
        json_object_set_new(object, "resumed_from", json_integer(out->from));
        if (strcmp(result->url, file->url) != 0)
            json_object_set_new(object, "redirected_to", text_value(result->url));
        set_text(object, "address", result->address);
        json_object_set_new(object, "http", json_real(result->http / 10.0));
        json_object_set_new(object, "reused_connection", json_boolean(result->reused));
        json_object_set_new(object, "seconds", times_object(result));
    }
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));
    if (text) {
        print(report, text);
        print(report, "\n");
    }
    free(text);
    json_decref(object);
}

/* ---- Lines ---- */

static void count(struct report *report, const struct fetch_out *out, const char *words)
{
    if (words) report->failed++;
    else if (out->end == FETCH_KEPT) report->kept++;
    else report->done++;
}

/* What is kept is worth a word: the next run goes on with it. */
static void say_failed(const struct fetch_file *file, const struct fetch_out *out,
                       const char *words)
{
    char attempts[48] = "", kept[64] = "";

    if (file->attempts > 1) snprintf(attempts, sizeof attempts, " (%u attempts)", file->attempts);
    if (out && out->size > 0 && out->end == FETCH_FAILED)
        snprintf(kept, sizeof kept, "; %lld bytes are kept", (long long)out->size);
    tool_say("%s: %s%s%s", file->url, words, attempts, kept);
}

void report_file(struct report *report, const struct fetch_file *file, const struct fetch_out *out,
                 const char *words)
{
    count(report, out, words);
    if (report->options->json) print_json(report, file, out, words);
    else if (report->options->timing && out) print_times(report, file, out);
    if (words) say_failed(file, out, words);
}

static void put_size(char *out, size_t size, double bytes)
{
    static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB" };
    int unit = 0;

    for (; bytes >= 1000 && unit < 4; unit++) bytes /= 1000;
    snprintf(out, size, "%.*f %s", unit && bytes < 100, bytes, units[unit]);
}

void report_end(const struct report *report, size_t left)
{
    size_t total = report->done + report->kept + report->failed + left;
    double seconds = (double)(il_now() - report->began) / 1e9;
    char size[32], rate[32], number[32];

    if (left)
        tool_say("%zu of %zu files are still to be fetched; run it again to go on", left, total);
    if (report->failed && total > 1) tool_say("%zu of %zu files failed", report->failed, total);
    if (report->failed || left || report->options->no_bar || !term_is_tty(STDERR_FILENO)) return;
    put_size(size, sizeof size, (double)report->bytes);
    put_size(rate, sizeof rate, (double)report->bytes / (seconds > 0 ? seconds : 1));
    tool_say("%s file%s, %s in %.2f s, %s/s", term_count(number, report->done),
             report->done == 1 ? "" : "s", size, seconds, rate);
}
