/* SPDX-License-Identifier: MIT */
/* What a file is called. */

#include "fetch/name.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static int digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %41 is A. Returns the bytes, at most `room`. */
static size_t decode(const char *from, size_t size, char *out, size_t room)
{
    size_t length = 0;

    for (size_t i = 0; i < size && length < room; i++) {
        bool escaped =
            from[i] == '%' && i + 2 < size && digit(from[i + 1]) >= 0 && digit(from[i + 2]) >= 0;
        out[length++] = escaped ? (char)(digit(from[i + 1]) << 4 | digit(from[i + 2])) : from[i];
        if (escaped) i += 2;
    }
    return length;
}

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && !strcasecmp(name + length - tail, end);
}

static bool is_taken(const char *name)
{
    return ends_with(name, FETCH_PART) || ends_with(name, FETCH_NOTE);
}

/* A cut in the middle of a character of UTF-8 takes all of it away. */
static size_t cut(const char *name, size_t length, size_t room)
{
    if (length <= room) return length;
    while (room && ((unsigned char)name[room] & 0xc0) == 0x80) room--;
    return room;
}

static void clean(char *raw, size_t length, char out[FETCH_NAME])
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)raw[i];
        if (c < ' ' || c == 127 || c == '/' || c == '\\') raw[i] = '_';
    }
    if (*raw == '.' || *raw == '-' || *raw == '~') *raw = '_';
    length = cut(raw, length, FETCH_NAME - 2);
    memcpy(out, raw, length);
    out[length] = 0;
    if (is_taken(out)) memcpy(out + length, "_", 2);
}

void fetch_name_of_url(const char *url, char out[FETCH_NAME])
{
    char raw[3 * FETCH_NAME];
    const char *path = strstr(url, "://");

    path = path ? path + 3 : url;
    size_t size = strcspn(path, "?#"), from = size;
    while (from && path[from - 1] != '/') from--;
    size_t length = from ? decode(path + from, size - from, raw, sizeof raw) : 0;
    if (!length) {
        snprintf(out, FETCH_NAME, "index.html");
        return;
    }
    clean(raw, length, out);
}

/* attachment; filename="a b.png"; filename*=UTF-8''a%20b.png. The second says more. */
bool fetch_name_of_disposition(const char *field, char out[FETCH_NAME])
{
    char raw[3 * FETCH_NAME];
    size_t length = 0;
    const char *at = strcasestr(field, "filename*=");

    if (at) {
        const char *quote = strchr(at, '\'');
        quote = quote ? strchr(quote + 1, '\'') : NULL;
        if (quote) length = decode(quote + 1, strcspn(quote + 1, "; "), raw, sizeof raw);
    }
    at = length ? NULL : strcasestr(field, "filename=");
    if (at) {
        at += strlen("filename=");
        length = *at == '"' ? strcspn(at + 1, "\"") : strcspn(at, "; ");
        if (length > sizeof raw) length = sizeof raw;
        memcpy(raw, at + (*at == '"'), length);
    }
    if (!length) return false;
    clean(raw, length, out);
    return true;
}

bool fetch_name_is_fine(const char *name)
{
    return *name && strlen(name) < FETCH_NAME && !strchr(name, '/') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0 && !is_taken(name);
}

void fetch_name_number(const char *name, unsigned number, char out[FETCH_NAME])
{
    const char *dot = strrchr(name, '.');
    size_t stem = dot && dot != name ? (size_t)(dot - name) : strlen(name);
    char tail[FETCH_NAME];
    size_t length = (size_t)snprintf(tail, sizeof tail, "-%u%.16s", number, name + stem);

    stem = cut(name, stem, FETCH_NAME - 1 - length);
    memcpy(out, name, stem);
    memcpy(out + stem, tail, length);
    out[stem + length] = 0;
}
