/* SPDX-License-Identifier: MIT */
/* Which path is what: the routes of each site, and answers of a few words. */

#include "serve/site.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/files.h"
#include "serve/pages.h"
#include "serve/path.h"

#define HTML "text/html; charset=utf-8"
#define TEXT "text/plain; charset=utf-8"

/* ---- Answers ---- */

void answer_close(struct answer *answer)
{
    content_close(&answer->content);
    free(answer->location);
    answer->location = NULL;
}

void answer_text(struct answer *answer, const char *type, char *text, size_t size)
{
    answer->status = content_text(&answer->content, type, text, size) ? 500 : 200;
}

static const char *meaning(unsigned status)
{
    switch (status) {
    case 301: return "it is elsewhere";
    case 400: return "that is no proper request";
    case 403: return "it may not be read";
    case 404: return "there is no such thing";
    case 405: return "that cannot be done with it";
    case 412: return "it is not as expected";
    case 413: return "that is too much";
    case 416: return "it has no such part";
    case 429: return "too many requests";
    case 503: return "not now";
    default: return "the server failed";
    }
}

void answer_words(struct answer *answer, unsigned status, const char *why)
{
    char *text;
    int size = asprintf(&text, "%u: %s\n", status, why ? why : meaning(status));

    content_close(&answer->content);
    answer_text(answer, TEXT, size < 0 ? NULL : text, (size_t)size);
    answer->status = status;
    answer->may_fail = false;
}

void answer_redirect(struct answer *answer, const char *location)
{
    answer_words(answer, 301, NULL);
    answer->location = strdup(location);
    if (!answer->location) answer_words(answer, 500, NULL);
}

bool site_number(const char *text, const char *end, uint64_t limit, uint64_t *out)
{
    uint64_t number = 0;

    if (text == end || (*text == '0' && text + 1 != end)) return false;
    for (; text < end; text++) {
        if (!isdigit((unsigned char)*text)) return false;
        number = number * 10 + (uint64_t)(*text - '0');
        if (number >= limit) return false;
    }
    *out = number;
    return true;
}

/* ---- Pictures ---- */

static void answer_list(const struct site *site, const struct question *question,
                        struct answer *answer)
{
    char *text = NULL;
    size_t size = 0;
    FILE *list = open_memstream(&text, &size);

    if (list) {
        for (uint64_t i = 0; i < site->images; i++)
            fprintf(list, "%s/images/%llu.png\n", question->base, (unsigned long long)i);
        if (fclose(list)) free(text), text = NULL;
    }
    answer_text(answer, TEXT, text, size);
}

static void answer_index(const struct site *site, struct answer *answer)
{
    char *text = NULL;
    size_t size = 0;
    FILE *page = open_memstream(&text, &size);

    if (page) {
        fprintf(page, "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Pictures</title>\n");
        fprintf(page, "<h1>%llu pictures</h1>\n<p><a href=\"/images.txt\">A list of them</a></p>\n",
                (unsigned long long)site->images);
        for (uint64_t i = 0; i < site->images; i++)
            fprintf(page,
                    "<a href=\"/images/%llu.png\"><img src=\"/images/%llu.png\" alt=\"%llu\" "
                    "width=\"64\" height=\"64\" loading=\"lazy\"></a>\n",
                    (unsigned long long)i, (unsigned long long)i, (unsigned long long)i);
        if (fclose(page)) free(text), text = NULL;
    }
    answer_text(answer, HTML, text, size);
}

static bool route_picture(const struct site *site, const struct question *question,
                          struct answer *answer)
{
    const char *name = question->path + strlen("/images/"), *end = strchr(name, '.');
    uint64_t number;

    if (!end || strcmp(end, ".png") != 0 || !site_number(name, end, site->images, &number))
        return false;
    picture_open(site->pictures, number, question->version, &answer->content);
    answer->content.modified = 1577836800 + question->version; /* 2020 began */
    answer->status = 200;
    answer->may_fail = true;
    return true;
}

static bool route_images(const struct site *site, const struct question *question,
                         struct answer *answer)
{
    const char *path = question->path;
    bool root = site->root < 0 && !site->pages && !strcmp(path, "/");

    if (root || !strcmp(path, "/images/")) answer_index(site, answer);
    else if (!strcmp(path, "/images")) answer_redirect(answer, "/images/");
    else if (!strcmp(path, "/images.txt")) answer_list(site, question, answer);
    else return !strncmp(path, "/images/", 8) && route_picture(site, question, answer);
    return true;
}

/* ---- Hello ---- */

static bool route_hello(const struct question *question, struct answer *answer)
{
    const char *name = question->path + 1;
    size_t size = strlen(name);
    char *text;

    if (strchr(name, '/')) return false;
    if (question->method == METHOD_POST) {
        if (size) return false;
        name = question->body;
        size = question->body_size;
    }
    if (!size) name = "world", size = strlen(name);
    int written = asprintf(&text, "Hello, %.*s\n", (int)size, name);
    answer_text(answer, TEXT, written < 0 ? NULL : text, (size_t)written);
    answer->may_fail = true;
    return true;
}

/* ---- Files ---- */

static void redirect_to_folder(const char *path, struct answer *answer)
{
    char *encoded = malloc(ENCODED_MOST * strlen(path) + 1), *location = NULL;

    if (encoded && asprintf(&location, "%s/", path_encode(path, encoded)) < 0) location = NULL;
    if (location) answer_redirect(answer, location);
    else answer_words(answer, 500, NULL);
    free(location);
    free(encoded);
}

static bool route_files(const struct site *site, const struct question *question,
                        struct answer *answer)
{
    unsigned status = files_open(site->root, question->path, &answer->content);

    if (status == 301) redirect_to_folder(question->path, answer);
    else if (status != 200) answer_words(answer, status, NULL);
    answer->status = status;
    if (status != 200) return true;
    answer->may_fail = true;
    if (!question->version || !*answer->content.etag) return true;
    char *end = answer->content.etag + strlen(answer->content.etag) - 1;
    snprintf(end, (size_t)(answer->content.etag + sizeof answer->content.etag - end), "-%u\"",
             question->version);
    answer->content.modified += question->version;
    return true;
}

/* ---- */

static bool route(const struct site *site, const struct question *question, struct answer *answer)
{
    if (site->hello) return route_hello(question, answer);
    return (site->images && route_images(site, question, answer)) ||
           (site->pages && route_pages(site, question, answer)) ||
           (site->root >= 0 && route_files(site, question, answer));
}

void site_answer(const struct site *site, const struct question *question,
                 struct answer *out_answer)
{
    *out_answer = (struct answer){ .content = content_none() };
    bool post = site->hello && !strcmp(question->path, "/");

    if (question->method == METHOD_OTHER || (question->method == METHOD_POST && !post)) {
        answer_words(out_answer, 405, NULL);
        out_answer->allow = post ? "GET, HEAD, POST" : "GET, HEAD";
    } else if (!route(site, question, out_answer)) {
        answer_words(out_answer, 404, NULL);
    }
}
