/* SPDX-License-Identifier: MIT */
/* robots.txt. Patterns and paths are brought to one spelling first (percent-encoded but for what
 * needs it not; a literal * or $ as %2A, %24), then compared byte for byte. */

#include "crawl/robots.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <interlock.h>

#include "crawl/percent.h"

#define LONGEST_DELAY 3600.0

struct line {
    const char *key, *value;
    size_t key_size, value_size;
};

struct reader {
    const char *at, *end;
    const char *agent;
    size_t agent_size;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static void trim(const char **text, size_t *size)
{
    while (*size && is_space(**text)) ++*text, --*size;
    while (*size && is_space((*text)[*size - 1])) --*size;
}

static bool is_key(const struct line *line, const char *key)
{
    return strlen(key) == line->key_size && !strncasecmp(key, line->key, line->key_size);
}

/* The next line with a key and a value; comments and the rest are passed over. */
static bool next_line(struct reader *reader, struct line *line)
{
    while (reader->at < reader->end) {
        const char *start = reader->at;
        size_t size = 0, room = (size_t)(reader->end - start);
        while (size < room && start[size] != '\n' && start[size] != '\r') size++;
        reader->at = start + size + (size < room);

        const char *comment = memchr(start, '#', size);
        if (comment) size = (size_t)(comment - start);
        const char *colon = memchr(start, ':', size);
        if (!colon) continue;
        line->key = start;
        line->key_size = (size_t)(colon - start);
        line->value = colon + 1;
        line->value_size = size - line->key_size - 1;
        trim(&line->key, &line->key_size);
        trim(&line->value, &line->value_size);
        return true;
    }
    return false;
}

/* ---- One spelling ---- */

/* `out` has room for three times as much, and a 0. In a pattern * and $ keep their meaning. */
static size_t spell(char *out, const char *text, size_t size, bool pattern)
{
    char *start = out;

    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        int octet = i + 2 < size ? percent_decode(text + i) : -1;
        bool encode = c <= ' ' || c >= 0x7f || (!pattern && (c == '*' || c == '$'));
        if (octet >= 0) {
            c = (unsigned char)octet;
            encode = !percent_is_unreserved(c);
            i += 2;
        }
        if (encode) percent_encode(out, c);
        else *out = (char)c;
        out += encode ? 3 : 1;
    }
    *out = 0;
    return (size_t)(out - start);
}

/* ---- Rules ---- */

static int add_rule(struct robots *robots, const struct line *line, bool allow)
{
    if (!line->value_size) return 0; /* an empty Disallow forbids nothing */
    if (!(robots->count & (robots->count - 1))) {
        size_t room = robots->count ? 2 * robots->count : 1;
        struct robots_rule *rules = realloc(robots->rules, room * sizeof *rules);
        if (!rules) return -ENOMEM;
        robots->rules = rules;
    }
    char *pattern = malloc(3 * line->value_size + 1);
    if (!pattern) return -ENOMEM;
    size_t length = spell(pattern, line->value, line->value_size, true);
    robots->rules[robots->count++] = (struct robots_rule){ pattern, length, allow };
    return 0;
}

static void take_delay(struct robots *robots, const struct line *line)
{
    char number[32] = "", *end;

    if (line->value_size >= sizeof number) return;
    memcpy(number, line->value, line->value_size);
    double seconds = strtod(number, &end);
    if (end == number || *end || !(seconds > 0)) return; /* no number, or none that is any good */
    if (seconds > LONGEST_DELAY) seconds = LONGEST_DELAY;
    robots->delay = (int64_t)(seconds * 1e9);
}

/* Does a User-agent line mean us? The name ends at the first byte that cannot be in one. */
static bool is_for(const struct reader *reader, const struct line *line)
{
    size_t size = 0;

    while (size < line->value_size &&
           (isalpha((unsigned char)line->value[size]) || strchr("-_", line->value[size])))
        size++;
    return size == reader->agent_size && !strncasecmp(line->value, reader->agent, size);
}

/* Take the rules of all groups for us, or (`anybody`) of those for *. Returns whether there is such
 * a group, or -ENOMEM. */
static int read_groups(struct robots *robots, struct reader reader, bool anybody)
{
    bool ours = false, in_names = false, found = false;
    struct line line;
    int status = 0;

    while (!status && next_line(&reader, &line)) {
        bool allow = is_key(&line, "allow");
        if (is_key(&line, "user-agent")) {
            if (!in_names) ours = false;
            in_names = true;
            ours |= anybody ? line.value_size == 1 && *line.value == '*' : is_for(&reader, &line);
            found |= ours;
        } else if (allow || is_key(&line, "disallow")) {
            in_names = false;
            if (ours) status = add_rule(robots, &line, allow);
        } else if (is_key(&line, "crawl-delay")) {
            in_names = false;
            if (ours) take_delay(robots, &line);
        }
    }
    return status ? status : found;
}

int robots_read(struct robots *robots, const char *text, size_t size, const char *agent)
{
    if (size > ROBOTS_MOST) size = ROBOTS_MOST;
    if (size >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) text += 3, size -= 3;

    struct reader reader = { text, text + size, agent, strlen(agent) };
    *robots = (struct robots){ 0 };
    int found = size ? read_groups(robots, reader, false) : 0;
    if (!found) found = size ? read_groups(robots, reader, true) : 0;
    if (found >= 0) return 0;
    robots_free(robots);
    return found;
}

/* ---- Matching ---- */

/* Does the path begin as the pattern says? At a mismatch the last * takes one byte more. */
static bool matches(const struct robots_rule *rule, const char *path)
{
    const char *p = rule->pattern, *star = NULL, *resume = NULL;

    for (;;) {
        if (*p == '*') {
            star = ++p;
            resume = path;
        } else if (!*p || (*p == '$' && !p[1] && !*path)) {
            return true;
        } else if (*path && *p == *path) {
            p++;
            path++;
        } else if (star && *resume) {
            p = star;
            path = ++resume;
        } else {
            return false;
        }
    }
}

bool robots_allow(const struct robots *robots, const char *path)
{
    const struct robots_rule *best = NULL;
    size_t size = strlen(path);

    if (!strcmp(path, "/robots.txt")) return true;
    if (robots->forbidden) return false;
    if (!robots->count) return true;
    char *spelt = malloc(3 * size + 1);
    if (!spelt) return false; /* rather too polite */
    spell(spelt, path, size, false);
    for (size_t i = 0; i < robots->count; i++) {
        const struct robots_rule *rule = &robots->rules[i];
        if (best && (rule->length < best->length || (rule->length == best->length && !rule->allow)))
            continue;
        if (matches(rule, spelt)) best = rule;
    }
    free(spelt);
    return !best || best->allow;
}

void robots_free(struct robots *robots)
{
    for (size_t i = 0; i < robots->count; i++) free(robots->rules[i].pattern);
    free(robots->rules);
    *robots = (struct robots){ 0 };
}
