/* SPDX-License-Identifier: MIT */
#ifndef TOOL_RUN_INPUT_H
#define TOOL_RUN_INPUT_H

/*
 * The arguments of `interlock run`: lists on the command line and lines of files, combined; or lines
 * of standard input, taken as they come.
 *
 *     ::: a b ::: 1 2       every combination: a 1, a 2, b 1, b 2
 *     ::: a b :::+ 1 2      side by side, as many as the shortest has: a 1, b 2
 *     :::: FILE, ::::+      the same with the lines of a file; - is standard input
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct list {
    char **items;
    size_t count, room;
    bool linked; /* side by side with the one before */
};

struct input {
    struct list *lists;
    int count;
    uint64_t next, total; /* combinations */
    char end_of_line;     /* \n, or 0 */

    /* Lines of a pipe, which come when they come. */
    bool streams, ended;
    struct list lines; /* that have come; those before `next_line` are taken, and freed */
    size_t next_line, bytes;
    char *rest; /* of a line that has not come whole */
    size_t rest_size, rest_room;
    int status; /* of reading, a negative errno */
};

/* Take the lists off the end of the words. Returns how many words are before them, or -1: said why. */
int input_words(struct input *input, char **words, int count);

/* One more list, of the lines of a file; - is standard input. 0, or EINVAL: said why. */
int input_file(struct input *input, const char *path, bool linked);

/* Standard input, as it comes if that can be waited for, else all of it. 0 or EINVAL: said why. */
int input_stream(struct input *input);

/* Count the combinations, once all lists are there. */
void input_combine(struct input *input);

/* How many arguments a job has. */
int input_width(const struct input *input);

/* The next job's arguments, borrowed until the next call: 1; 0: there is no more; -1: none yet. */
int input_next(struct input *input, char **out_args);

/* Standard input is readable: take what is there. */
void input_read(struct input *input);

/* Is there enough in store, so that reading can wait? */
bool input_is_full(const struct input *input);

void input_close(struct input *input);

#endif
