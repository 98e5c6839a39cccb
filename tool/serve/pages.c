/* SPDX-License-Identifier: MIT */
/* Pages that link pages. */

#include "serve/pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BELOW = 8, ANYWHERE = 3, LOOP_PAGE = 1, PARAGRAPHS = 4, WORDS = 60 };

/* Things that a page in `each` has, the one whose remainder is `rest`. */
static const struct odd {
    const char *what;
    unsigned each, rest;
} odds[] = { { "old", 10, 3 }, { "missing", 25, 7 }, { "error", 200, 19 }, { "private", 50, 11 } };
enum { ODDS = sizeof odds / sizeof *odds };

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * 0x9fb21c651e98df25;
    x = (x ^ x >> 29) * 0xd6e8feb86659fd93;
    return x ^ x >> 32;
}

static uint64_t how_many(const struct odd *odd, uint64_t pages)
{
    return (pages + odd->each - 1 - odd->rest) / odd->each;
}

static void print_page_url(FILE *page, uint64_t number)
{
    if (number) fprintf(page, "/page/%llu", (unsigned long long)number);
    else fputc('/', page);
}

static void print_link(FILE *page, uint64_t number, const char *words)
{
    fputs("<li><a href=\"", page);
    print_page_url(page, number);
    fprintf(page, "\">%s %llu</a>\n", words, (unsigned long long)number);
}

static void print_links(FILE *page, uint64_t number, uint64_t pages)
{
    for (uint64_t i = 1; i <= BELOW && number * BELOW + i < pages; i++)
        print_link(page, number * BELOW + i, "Below: page");
    if (number) print_link(page, (number - 1) / BELOW, "Above: page");
    print_link(page, (number + 1) % pages, "Next: page");
    print_link(page, (number + pages - 1) % pages, "Before: page");
    for (uint64_t i = 1; i <= ANYWHERE; i++)
        print_link(page, mix(number * ANYWHERE + i) % pages, "See also page");
    /* The same again in other words: a fragment, a relative path with dots in it. */
    fprintf(page, "<li><a href=\"#top\">Top</a>\n<li><a href=\"/page/../\">Home</a>\n");
}

static void print_odds(FILE *page, uint64_t number)
{
    for (int i = 0; i < ODDS; i++) {
        if (number % odds[i].each != odds[i].rest) continue;
        fprintf(page, "<li><a href=\"/%s/%llu\">%s %llu</a>\n", odds[i].what,
                (unsigned long long)number, odds[i].what, (unsigned long long)number);
    }
    if (number == LOOP_PAGE) fputs("<li><a href=\"/loop/a\">For ever</a>\n", page);
    if (!number)
        fputs("<li><a href=\"mailto:nobody@example.org\">Mail</a>\n"
              "<li><a href=\"javascript:void(0)\">Nothing</a>\n",
              page);
}

static void print_words(FILE *page, uint64_t number)
{
    static const char *const words[] = {
        "points", "lever", "train",  "signal", "track",   "box", "waits",  "until",
        "clear",  "and",   "no",     "other",  "crosses", "the", "frame",  "holds",
        "two",    "lines", "before", "each",   "passes",  "on",  "course", "never"
    };
    uint64_t from = mix(number + 1);

    for (int paragraph = 0; paragraph < PARAGRAPHS; paragraph++) {
        fputs("<p>", page);
        for (int word = 0; word < WORDS; word++) {
            from = from * 6364136223846793005 + 1442695040888963407;
            fputs(words[(from >> 33) % (sizeof words / sizeof *words)], page);
            fputc(' ', page);
        }
        fputs("</p>\n", page);
    }
}

static void answer_page(const struct site *site, uint64_t number, struct answer *answer)
{
    char *text = NULL;
    size_t size = 0;
    FILE *page = open_memstream(&text, &size);

    if (page) {
        fprintf(page,
                "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Page "
                "%llu</title></head>\n<body id=\"top\">\n<h1>Page %llu</h1>\n<ul>\n",
                (unsigned long long)number, (unsigned long long)number);
        print_links(page, number, site->pages);
        print_odds(page, number);
        fputs("</ul>\n", page);
        if (site->images)
            fprintf(page, "<img src=\"/images/%llu.png\" alt=\"\">\n",
                    (unsigned long long)(number % site->images));
        print_words(page, number);
        fputs("</body>\n</html>\n", page);
        if (fclose(page)) free(text), text = NULL;
    }
    answer_text(answer, "text/html; charset=utf-8", text, size);
    answer->may_fail = true;
}

/* A private page is like any other, but that nobody should have come here. */
static void answer_private(uint64_t number, bool deeper, struct answer *answer)
{
    char *text;
    int size =
        asprintf(&text,
                 "<!doctype html>\n<title>Private</title>\n"
                 "<p><a href=\"/private/%llu%s\">%s</a>\n",
                 (unsigned long long)number, deeper ? "" : "/deeper", deeper ? "Back" : "Deeper");

    answer_text(answer, "text/html; charset=utf-8", size < 0 ? NULL : text, (size_t)size);
}

static void answer_odd(const struct site *site, const struct odd *odd, uint64_t number, bool deeper,
                       struct answer *answer)
{
    char location[32];
    unsigned long long to;

    switch (*odd->what) {
    case 'o':
        to = 1 + mix(number) % (site->pages - 1);
        snprintf(location, sizeof location, "/page/%llu", to);
        answer_redirect(answer, location);
        return;
    case 'e': answer_words(answer, 500, "this page always fails"); return;
    case 'p': answer_private(number, deeper, answer); return;
    default: answer_words(answer, 404, NULL); return;
    }
}

/* /old/3, /private/11/deeper */
static bool route_odd(const struct site *site, const char *path, struct answer *answer)
{
    for (int i = 0; i < ODDS; i++) {
        size_t size = strlen(odds[i].what);
        uint64_t number;
        if (strncmp(path + 1, odds[i].what, size) != 0 || path[size + 1] != '/') continue;
        const char *from = path + size + 2, *end = from + strcspn(from, "/");
        bool deeper = *odds[i].what == 'p' && !strcmp(end, "/deeper");
        if ((*end && !deeper) || !site_number(from, end, site->pages, &number)) return false;
        if (number % odds[i].each != odds[i].rest) return false;
        answer_odd(site, &odds[i], number, deeper, answer);
        return true;
    }
    return false;
}

static void answer_about(const struct site *site, struct answer *answer)
{
    char *text = NULL;
    size_t size = 0;
    FILE *about = open_memstream(&text, &size);

    if (about) {
        fprintf(about, "{\"pages\": %llu", (unsigned long long)site->pages);
        for (int i = 0; i < ODDS; i++)
            fprintf(about, ", \"%s\": %llu", odds[i].what,
                    (unsigned long long)how_many(&odds[i], site->pages));
        fprintf(about, ", \"loops\": %d}\n", site->pages > LOOP_PAGE);
        if (fclose(about)) free(text), text = NULL;
    }
    answer_text(answer, "application/json", text, size);
}

bool route_pages(const struct site *site, const struct question *question, struct answer *answer)
{
    static const char robots[] = "User-agent: *\nDisallow: /private/\n";
    const char *path = question->path;
    uint64_t number = 0;

    if (!strcmp(path, "/robots.txt"))
        answer_text(answer, "text/plain; charset=utf-8", strdup(robots), sizeof robots - 1);
    else if (!strcmp(path, "/site.json")) answer_about(site, answer);
    else if (!strcmp(path, "/loop/a")) answer_redirect(answer, "/loop/b");
    else if (!strcmp(path, "/loop/b")) answer_redirect(answer, "/loop/a");
    else if (!strcmp(path, "/page/0")) answer_redirect(answer, "/");
    else if ((site->root < 0 && !strcmp(path, "/")) ||
             (!strncmp(path, "/page/", 6) &&
              site_number(path + 6, path + strlen(path), site->pages, &number) && number))
        answer_page(site, number, answer);
    else return route_odd(site, path, answer);
    return true;
}
