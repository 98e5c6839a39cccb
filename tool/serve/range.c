/* SPDX-License-Identifier: MIT */
/* Ranges, entity tags and dates. */

#include "serve/range.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* ---- Ranges ---- */

/* Digits, of which there may be any number. False: there is none. */
static bool parse_digits(const char **text, uint64_t *out)
{
    const char *begin = *text;
    uint64_t number = 0;

    for (; isdigit((unsigned char)**text); ++*text) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(**text - '0'), &number))
            number = UINT64_MAX;
    }
    *out = number;
    return *text > begin;
}

enum kind { WRONG, NOT_THERE, THERE };

/* "5-9", "5-", "-5" */
static enum kind parse_one(const char **text, uint64_t size, struct range *out)
{
    uint64_t first, last;
    bool has_first = parse_digits(text, &first);

    if (**text != '-') return WRONG;
    ++*text;
    bool has_last = parse_digits(text, &last);
    if (!has_first) {
        if (!has_last) return WRONG;
        *out = last < size ? (struct range){ size - last, last } : (struct range){ 0, size };
        return out->size ? THERE : NOT_THERE;
    }
    if (has_last && last < first) return WRONG;
    if (first >= size) return NOT_THERE;
    if (!has_last || last >= size) last = size - 1;
    *out = (struct range){ first, last - first + 1 };
    return THERE;
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

int range_parse(const char *header, uint64_t size, struct range out[RANGES_MOST])
{
    uint64_t sum = 0;
    int count = 0, seen = 0;

    if (strncasecmp(header, "bytes=", 6) != 0) return 0;
    for (header += 6; *header;) {
        struct range range;
        header = skip_blanks(header);
        if (*header && *header != ',') {
            enum kind kind = parse_one(&header, size, &range);
            if (kind == WRONG || ++seen > RANGES_MOST) return 0;
            if (kind == THERE) sum += range.size;
            if (kind == THERE) out[count++] = range;
            header = skip_blanks(header);
        }
        if (*header == ',') header++;
        else if (*header) return 0;
    }
    if (!seen || (count > 1 && sum > size)) return 0;
    return count ? count : -1;
}

/* ---- Dates ---- */

char *http_date(time_t time, char out[HTTP_DATE])
{
    struct tm tm;

    strftime(out, HTTP_DATE, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&time, &tm));
    return out;
}

/* One of the three forms of RFC 9110, 5.6.7; -1: none of them. */
static time_t parse_date(const char *text)
{
    static const char *const forms[] = { "%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                         "%a %b %d %H:%M:%S %Y" };

    for (int i = 0; i < 3; i++) {
        struct tm tm = { 0 };
        const char *end = strptime(text, forms[i], &tm);
        if (end && !*end) return timegm(&tm);
    }
    return -1;
}

/* ---- Conditions ---- */

static bool is_weak(const char *tag)
{
    return !strncmp(tag, "W/", 2);
}

/* Is `etag` in a list of them? A weak one is like a strong one for If-None-Match, and like none for
 * If-Match; ours are strong. */
static bool in_list(const char *list, const char *etag, bool weakly)
{
    size_t size = strlen(etag);

    if (!strcmp(skip_blanks(list), "*")) return true;
    while (*(list += strspn(list, " \t,"))) {
        bool weak = is_weak(list);
        if (weak) list += 2;
        if (size && (weakly || !weak) && !strncmp(list, etag, size)) return true;
        if (*list == '"') list = strchr(list + 1, '"');
        if (!list || *list != '"') return false;
        list++;
    }
    return false;
}

/* In the order of RFC 9110, 13.2.2. */
unsigned conditions_check(const struct conditions *given, const char *etag, time_t modified)
{
    if (given->match) {
        if (!in_list(given->match, etag, false)) return 412;
    } else if (given->unmodified_since && modified) {
        time_t since = parse_date(given->unmodified_since);
        if (since >= 0 && modified > since) return 412;
    }
    if (given->none_match) return in_list(given->none_match, etag, true) ? 304 : 200;
    if (given->modified_since && modified) {
        time_t since = parse_date(given->modified_since);
        if (since >= 0 && modified <= since) return 304;
    }
    return 200;
}

bool is_unchanged(const char *if_range, const char *etag, time_t modified)
{
    if (*if_range == '"' || is_weak(if_range)) return *etag && !strcmp(if_range, etag);
    return modified && parse_date(if_range) == modified;
}
