/* SPDX-License-Identifier: MIT */
/* A text that grows, and the two ways of quoting in it: for JSON and for the shell. */

#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_room(struct text *text, size_t more)
{
    if (text->broken) return false;
    if (text->room - text->size > more) return true;
    size_t room = text->room ? text->room : 64;
    while (room - text->size <= more) room *= 2;
    char *data = realloc(text->data, room);
    if (!data) {
        text->broken = true;
        return false;
    }
    text->data = data;
    text->room = room;
    return true;
}

void text_add(struct text *text, const char *bytes, size_t size)
{
    if (!text_room(text, size)) return;
    if (size) memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = 0;
}

void text_put(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

void text_print(struct text *text, const char *format, ...)
{
    va_list words;

    va_start(words, format);
    int size = vsnprintf(NULL, 0, format, words);
    va_end(words);
    if (size < 0 || !text_room(text, (size_t)size + 1)) return;
    va_start(words, format);
    vsnprintf(text->data + text->size, (size_t)size + 1, format, words);
    va_end(words);
    text->size += (size_t)size;
}

/* Bytes of the UTF-8 character at `at`, 0: it is none. */
static size_t utf8(const unsigned char *at, size_t size)
{
    static const struct {
        unsigned char from, to, low, high; /* first byte; second byte */
        unsigned char length;
    } forms[] = {
        { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
        { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
        { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };

    if (*at < 0x80) return 1;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (*at < forms[i].from || *at > forms[i].to) continue;
        if (size < forms[i].length || at[1] < forms[i].low || at[1] > forms[i].high) return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((at[k] & 0xc0) != 0x80) return 0;
        return forms[i].length;
    }
    return 0;
}

void text_json(struct text *text, const char *bytes, size_t size)
{
    const unsigned char *at = (const unsigned char *)bytes, *end = at + size;

    text_put(text, "\"");
    while (at < end) {
        size_t length = utf8(at, (size_t)(end - at));
        if (!length) text_put(text, "\xef\xbf\xbd");
        else if (*at == '"' || *at == '\\') text_print(text, "\\%c", *at);
        else if (*at == '\n') text_put(text, "\\n");
        else if (*at == '\t') text_put(text, "\\t");
        else if (*at < 0x20 || *at == 0x7f) text_print(text, "\\u%04x", *at);
        else text_add(text, (const char *)at, length);
        at += length ? length : 1;
    }
    text_put(text, "\"");
}

void text_quote(struct text *text, const char *word)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789_./:@%+,-";

    if (*word && !word[strspn(word, plain)]) {
        text_put(text, word);
        return;
    }
    text_put(text, "'");
    for (; *word; word++) {
        if (*word == '\'') text_put(text, "'\\''");
        else text_add(text, word, 1);
    }
    text_put(text, "'");
}

void text_drop(struct text *text, size_t size)
{
    if (!size) return;
    text->size -= size;
    memmove(text->data, text->data + size, text->size + 1);
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){ 0 };
}
