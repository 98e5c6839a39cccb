/* SPDX-License-Identifier: MIT */
/* The files to get. Used by the main thread only, before anything is started. */

#include "fetch/list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/name.h"
#include "tool.h"

enum { NUMBERS = 100000 };

int list_init(struct fetch_list *list)
{
    *list = (struct fetch_list){ 0 };
    return il_set_new(IL_STRINGS, NULL, &list->names);
}

void list_free(struct fetch_list *list)
{
    for (size_t i = 0; i < list->texts_count; i++) free(list->texts[i]);
    free(list->texts);
    free(list->files);
    il_set_free(list->names);
}

/* Gives the text to the list. False: no memory, it was freed. */
static bool keep_text(struct fetch_list *list, char *text)
{
    char **grown = text ? realloc(list->texts, (list->texts_count + 1) * sizeof *grown) : NULL;

    if (grown) {
        list->texts = grown;
        list->texts[list->texts_count++] = text;
        return true;
    }
    free(text);
    return false;
}

static struct fetch_file *append(struct fetch_list *list)
{
    if (list->count == list->room) {
        size_t room = 2 * list->room + 16;
        struct fetch_file *grown = realloc(list->files, room * sizeof *grown);
        if (!grown) return NULL;
        list->files = grown;
        list->room = room;
    }
    struct fetch_file *file = &list->files[list->count++];
    *file = (struct fetch_file){ 0 };
    return file;
}

static int out_of_memory(void)
{
    return tool_usage("%s", il_strerror(-ENOMEM));
}

/* A name that nobody has, made of the URL. NULL: no memory. */
static char *make_name(struct fetch_list *list, const char *url)
{
    char wanted[FETCH_NAME] = "", name[FETCH_NAME];
    int status = -EALREADY;

    fetch_name_of_url(url, wanted);
    memcpy(name, wanted, sizeof name);
    for (unsigned number = 2; number < NUMBERS; number++) {
        status = il_set_add(list->names, name);
        if (status != -EALREADY) break;
        fetch_name_number(wanted, number, name);
    }
    char *kept = status ? NULL : strdup(name);
    return keep_text(list, kept) ? kept : NULL;
}

static bool has_scheme(const char *url)
{
    return !strncasecmp(url, "http://", 7) || !strncasecmp(url, "https://", 8);
}

static int check(struct fetch_list *list, const char *where, const char *url, const char *name)
{
    if (!has_scheme(url)) return tool_usage("%s'%s' is no URL of http or https", where, url);
    if (strlen(url) >= TRANSFER_URL)
        return tool_usage("%sa URL of more than %d bytes: %.60s...", where, TRANSFER_URL - 1, url);
    if (!name) return 0;
    if (!fetch_name_is_fine(name)) return tool_usage("%s'%s' is no name for a file", where, name);
    int status = il_set_add(list->names, name);
    if (status == -EALREADY) return tool_usage("%s'%s' is the name of another file", where, name);
    return status ? out_of_memory() : 0;
}

int list_add(struct fetch_list *list, const char *where, char *url, char *name, const char *sum)
{
    struct digest digest = { 0 };

    if (sum && !digest_parse(sum, &digest))
        return tool_usage("%s'%s' is no sha256:... or sha512:...", where, sum);
    int wrong = check(list, where, url, name);
    if (wrong) return wrong;
    if (!name) name = make_name(list, url);
    struct fetch_file *file = name ? append(list) : NULL;
    if (!file) return out_of_memory();
    file->url = url;
    file->name = name;
    file->digest = digest;
    return 0;
}

static int add_line(struct fetch_list *list, const char *where, char *line)
{
    static const char space[] = " \t\r\n";
    char *next, *words[3] = { NULL };
    struct digest digest;
    int count = 0;

    for (char *word = strtok_r(line, space, &next); word; word = strtok_r(NULL, space, &next)) {
        if (count == 3) return tool_usage("%smore than URL, name and checksum", where);
        words[count++] = word;
    }
    if (!count || *words[0] == '#') return 0;
    if (count == 2 && digest_parse(words[1], &digest)) { /* no name, a checksum */
        words[2] = words[1];
        words[1] = NULL;
    }
    return list_add(list, where, words[0], words[1], words[2]);
}

static int read_lines(struct fetch_list *list, const char *path, FILE *file)
{
    char where[128], *text = NULL, *end;
    size_t room = 0;

    ssize_t size = getdelim(&text, &room, 0, file);
    if (size < 0 && !ferror(file)) size = 0;
    if (size < 0) {
        free(text);
        return tool_usage("-i: %s: %s", path, strerror(errno));
    }
    if (!size) {
        free(text);
        return 0;
    }
    if (!keep_text(list, text)) return out_of_memory();
    int wrong = 0;
    unsigned number = 1;
    for (char *line = text; line && !wrong; line = end, number++) {
        end = strchr(line, '\n');
        if (end) *end++ = 0;
        snprintf(where, sizeof where, "%s:%u: ", path, number);
        wrong = add_line(list, where, line);
    }
    return wrong;
}

int list_read(struct fetch_list *list, const char *path)
{
    bool standard = !strcmp(path, "-");
    FILE *file = standard ? stdin : fopen(path, "re");

    if (!file) return tool_usage("-i: %s: %s", path, strerror(errno));
    int wrong = read_lines(list, path, file);
    if (!standard) fclose(file);
    return wrong;
}
