/* SPDX-License-Identifier: MIT */
/* Parts, one behind the other. */

#include "serve/body.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* It cannot stand in what we make; in a file it would take somebody who wants it to. */
#define BOUNDARY "interlock-5f0e2b7c9a4d1368"

void body_whole(struct body *body, const struct content *content)
{
    body_range(body, content, (struct range){ 0, content->size });
}

void body_range(struct body *body, const struct content *content, struct range range)
{
    *body = (struct body){
        .content = content,
        .parts = { { .range = range } },
        .count = 1,
        .size = range.size,
    };
}

static int add_part(struct body *body, char *text, struct range range)
{
    if (!text) return -ENOMEM;
    body->parts[body->count++] = (struct part){ text, strlen(text), range };
    body->size += strlen(text) + range.size;
    return 0;
}

static char *part_head(const struct content *content, struct range range)
{
    char *text;
    int size = asprintf(&text,
                        "\r\n--" BOUNDARY "\r\nContent-Type: %s\r\n"
                        "Content-Range: bytes %llu-%llu/%llu\r\n\r\n",
                        content->type, (unsigned long long)range.at,
                        (unsigned long long)(range.at + range.size - 1),
                        (unsigned long long)content->size);
    return size < 0 ? NULL : text;
}

int body_ranges(struct body *body, const struct content *content, const struct range *ranges,
                unsigned count)
{
    *body = (struct body){ .content = content };
    snprintf(body->type, sizeof body->type, "multipart/byteranges; boundary=" BOUNDARY);
    int status = 0;
    for (unsigned i = 0; i < count && !status; i++)
        status = add_part(body, part_head(content, ranges[i]), ranges[i]);
    if (!status)
        status = add_part(body, strdup("\r\n--" BOUNDARY "--\r\n"), (struct range){ 0, 0 });
    return status;
}

static size_t least(uint64_t a, uint64_t b)
{
    return (size_t)(a < b ? a : b);
}

int body_read(const struct body *body, uint64_t at, char *out, size_t size)
{
    for (unsigned i = 0; i < body->count && size; i++) {
        const struct part *part = &body->parts[i];
        if (at < part->text_size) {
            size_t some = least(part->text_size - at, size);
            memcpy(out, part->text + at, some);
            at += some, out += some, size -= some;
        }
        at -= part->text_size;
        if (at >= part->range.size) {
            at -= part->range.size;
            continue;
        }
        size_t some = least(part->range.size - at, size);
        int status = some ? body->content->read(body->content, part->range.at + at, out, some) : 0;
        if (status) return status;
        at = 0, out += some, size -= some;
    }
    return 0;
}

void body_close(struct body *body)
{
    for (unsigned i = 0; i < body->count; i++) free(body->parts[i].text);
    body->count = 0;
}
