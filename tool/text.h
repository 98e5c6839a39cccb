/* SPDX-License-Identifier: MIT */
#ifndef TOOL_TEXT_H
#define TOOL_TEXT_H

/*
 * A text that grows. One that could not grow is `broken`: what is added after that is lost, and
 * whoever made it looks at the end.
 */

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data; /* ends with a 0 that is not counted; NULL: empty */
    size_t size, room;
    bool broken;
};

/* Room for so many more; false: there is none. */
bool text_room(struct text *text, size_t more);
void text_add(struct text *text, const char *bytes, size_t size);
void text_put(struct text *text, const char *string);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As a string of JSON, quotes and all. What is no UTF-8 becomes U+FFFD. */
void text_json(struct text *text, const char *bytes, size_t size);

/* As one word of a shell command. */
void text_quote(struct text *text, const char *word);

/* Take so many away at the start. */
void text_drop(struct text *text, size_t size);
void text_free(struct text *text);

#endif
