/* SPDX-License-Identifier: MIT */
/*
 * Arguments and their combinations. A combination is a number, counted with the last list fastest,
 * so a product of any size takes the memory of its lists.
 */

#include "run/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

enum { CHUNK = 64 << 10, STORE = 16 << 20 };

/* ---- Lists ---- */

static struct list *add_list(struct input *input, bool linked)
{
    struct list *lists = realloc(input->lists, ((size_t)input->count + 1) * sizeof *lists);
    if (!lists) return NULL;
    input->lists = lists;
    lists[input->count] = (struct list){ .linked = linked && input->count };
    return &lists[input->count++];
}

static int add_item(struct list *list, const char *text, size_t size)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 16;
        char **items = realloc(list->items, room * sizeof *items);
        if (!items) return -ENOMEM;
        list->items = items;
        list->room = room;
    }
    char *item = malloc(size + 1);
    if (!item) return -ENOMEM;
    memcpy(item, text, size);
    item[size] = 0;
    list->items[list->count++] = item;
    return 0;
}

static void free_list(struct list *list)
{
    while (list->count) free(list->items[--list->count]);
    free(list->items);
}

/* ---- Lines ---- */

static int keep_rest(struct input *input, const char *text, size_t size)
{
    if (input->rest_room - input->rest_size < size) {
        size_t room = input->rest_room + size + CHUNK;
        char *rest = realloc(input->rest, room);
        if (!rest) return -ENOMEM;
        input->rest = rest;
        input->rest_room = room;
    }
    if (size) memcpy(input->rest + input->rest_size, text, size);
    input->rest_size += size;
    return 0;
}

static int end_line(struct input *input, struct list *list, const char *text, size_t size)
{
    int status;

    input->bytes += input->rest_size + size;
    if (!input->rest_size) return add_item(list, text, size);
    status = keep_rest(input, text, size);
    if (!status) status = add_item(list, input->rest, input->rest_size);
    input->rest_size = 0;
    return status;
}

static int take_bytes(struct input *input, struct list *list, const char *text, size_t size)
{
    const char *end;
    int status = 0;

    while (!status && size && (end = memchr(text, input->end_of_line, size))) {
        status = end_line(input, list, text, (size_t)(end - text));
        size -= (size_t)(end - text) + 1;
        text = end + 1;
    }
    return status ? status : keep_rest(input, text, size);
}

/* One read: its size, 0 at the end (an unfinished line ends there), or a negative errno. */
static ssize_t read_some(struct input *input, struct list *list, int fd)
{
    static char chunk[CHUNK];
    ssize_t size;

    do size = read(fd, chunk, sizeof chunk);
    while (size < 0 && errno == EINTR);
    if (size < 0) return -errno;
    int status = size               ? take_bytes(input, list, chunk, (size_t)size)
                 : input->rest_size ? end_line(input, list, "", 0)
                                    : 0;
    return status ? status : size;
}

static int read_lines(struct input *input, int fd, struct list *list)
{
    ssize_t size;

    do size = read_some(input, list, fd);
    while (size > 0);
    return (int)size;
}

int input_file(struct input *input, const char *path, bool linked)
{
    bool standard = !strcmp(path, "-");
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return tool_usage("%s: %s", path, strerror(errno));
    struct list *list = add_list(input, linked);
    int status = list ? read_lines(input, fd, list) : -ENOMEM;
    if (!standard) close(fd);
    return status ? tool_usage("%s: %s", path, strerror(-status)) : 0;
}

int input_stream(struct input *input)
{
    struct stat what;

    if (!fstat(STDIN_FILENO, &what) && (S_ISFIFO(what.st_mode) || S_ISSOCK(what.st_mode))) {
        input->streams = true;
        return 0;
    }
    return input_file(input, "-", false);
}

void input_read(struct input *input)
{
    ssize_t size = read_some(input, &input->lines, STDIN_FILENO);

    if (size == -EAGAIN) return;
    if (size < 0) input->status = (int)size;
    if (size <= 0) input->ended = true;
}

bool input_is_full(const struct input *input)
{
    return input->bytes > STORE;
}

/* ---- The command line ---- */

static bool is_separator(const char *word)
{
    size_t colons = strspn(word, ":");
    return (colons == 3 || colons == 4) && (!word[colons] || !strcmp(word + colons, "+"));
}

static int take_words(struct input *input, char **words, int count, bool linked)
{
    struct list *list = add_list(input, linked);
    int status = list ? 0 : -ENOMEM;

    for (int i = 0; i < count && !status; i++) status = add_item(list, words[i], strlen(words[i]));
    return status ? tool_usage("no memory") : 0;
}

static int take_group(struct input *input, char **words, int count)
{
    size_t colons = strspn(words[0], ":");
    bool linked = words[0][colons];
    int wrong = 0;

    if (colons == 3) return take_words(input, words + 1, count - 1, linked);
    if (count == 1) return tool_usage("%s: needs a file", words[0]);
    for (int i = 1; i < count && !wrong; i++) wrong = input_file(input, words[i], linked);
    return wrong;
}

int input_words(struct input *input, char **words, int count)
{
    int command = 0;

    while (command < count && !is_separator(words[command])) command++;
    for (int at = command, next; at < count; at = next) {
        for (next = at + 1; next < count && !is_separator(words[next]);) next++;
        if (take_group(input, words + at, next - at)) return -1;
    }
    return command;
}

/* ---- Combining ---- */

/* A run of lists side by side counts as one: how long is that at `first`, and where is the next? */
static uint64_t length_of(const struct input *input, int first, int *out_next)
{
    uint64_t length = input->lists[first].count;
    int at = first + 1;

    for (; at < input->count && input->lists[at].linked; at++)
        if (input->lists[at].count < length) length = input->lists[at].count;
    *out_next = at;
    return length;
}

void input_combine(struct input *input)
{
    input->total = input->count ? 1 : 0;
    for (int at = 0; at < input->count;)
        if (__builtin_mul_overflow(input->total, length_of(input, at, &at), &input->total))
            input->total = UINT64_MAX;
}

int input_width(const struct input *input)
{
    return input->streams ? 1 : input->count;
}

static int next_line(struct input *input, char **out_args)
{
    struct list *lines = &input->lines;

    if (input->next_line) { /* what the last call lent */
        char **last = &lines->items[input->next_line - 1];
        input->bytes -= *last ? strlen(*last) : 0;
        free(*last);
        *last = NULL;
    }
    if (input->next_line == lines->count) {
        input->next_line = lines->count = 0;
        return input->ended ? 0 : -1;
    }
    out_args[0] = lines->items[input->next_line++];
    return 1;
}

int input_next(struct input *input, char **out_args)
{
    if (input->streams) return next_line(input, out_args);
    if (input->next == input->total) return 0;

    uint64_t rest = input->next++, weight = input->total;
    for (int at = 0, next; at < input->count; at = next) {
        uint64_t length = length_of(input, at, &next);
        weight /= length;
        for (int i = at; i < next; i++) out_args[i] = input->lists[i].items[rest / weight];
        rest %= weight;
    }
    return 1;
}

void input_close(struct input *input)
{
    for (int i = 0; i < input->count; i++) free_list(&input->lists[i]);
    free(input->lists);
    free_list(&input->lines);
    free(input->rest);
}
