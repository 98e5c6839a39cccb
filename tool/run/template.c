/* SPDX-License-Identifier: MIT */
/*
 * The command and its replacement words. Read once, into pieces: plain bytes, or one replacement and
 * where it stands, which decides how it is quoted. Where that is follows from reading the command line
 * as the shell would: quotes, and $( ) that begin afresh inside of them.
 */

#include "run/template.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "tool.h"

enum form { PLAIN, NO_EXTENSION, FOLDER, BASE, BASE_NO_EXTENSION, NUMBER };
enum place { OPEN, DOUBLE, SINGLE, RAW };

struct piece {
    const char *text; /* NULL: a replacement */
    size_t size;
    enum form form;
    enum place place;
    int source; /* from 1; 0: all, with a blank between */
};

/* A word of a program's arguments, or the whole command line. */
struct word {
    struct piece *pieces;
    int count;
};

struct template
{
    struct word line;    /* one word was given */
    struct word *words;  /* to run without a shell */
    int count;           /* of words */
    bool is_line;        /* one word was given */
    bool each_is_a_line; /* no word was given */
};

/* ---- Reading ---- */

/* The replacement at `text`: its length, 0 if there is none. */
static size_t read_replacement(const char *text, struct piece *out)
{
    static const struct {
        const char *mark;
        enum form form;
    } forms[] = { { "}", PLAIN },    { ".}", NO_EXTENSION },
                  { "//}", FOLDER }, { "/.}", BASE_NO_EXTENSION },
                  { "/}", BASE },    { "#}", NUMBER } };
    const char *at = text + 1;
    int source = 0;

    while (*at >= '0' && *at <= '9' && source < 1000) source = source * 10 + *at++ - '0';
    bool numbered = at > text + 1;
    if (numbered && !source) return 0;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t length = strlen(forms[i].mark);
        if (strncmp(at, forms[i].mark, length) != 0) continue;
        if (numbered && forms[i].form >= NUMBER) return 0;
        *out = (struct piece){ .form = forms[i].form, .source = source };
        return (size_t)(at - text) + length;
    }
    return 0;
}

static int add_piece(struct word *word, struct piece piece)
{
    struct piece *pieces = realloc(word->pieces, ((size_t)word->count + 1) * sizeof *pieces);
    if (!pieces) return -ENOMEM;
    word->pieces = pieces;
    pieces[word->count++] = piece;
    return 0;
}

static int add_bytes(struct word *word, const char *from, const char *to)
{
    if (from == to) return 0;
    return add_piece(word, (struct piece){ .text = from, .size = (size_t)(to - from) });
}

/* How the shell reads a command line, byte by byte. */
struct reader {
    enum place open[64]; /* OPEN: the line itself or a ( ; DOUBLE: "..." */
    int depth;
    bool single, backtick;
};

static enum place place_now(const struct reader *reader)
{
    return reader->single ? SINGLE : reader->open[reader->depth];
}

static void enter(struct reader *reader, enum place place)
{
    if (reader->depth < 63) reader->open[++reader->depth] = place;
}

/* Takes one byte, or two with a backslash; returns how many. */
static size_t read_byte(struct reader *reader, const char *at)
{
    if (reader->single) {
        if (*at == '\'') reader->single = false;
        return 1;
    }
    enum place place = reader->open[reader->depth];
    if (*at == '\\' && at[1]) return 2;
    if (*at == '"') {
        if (place == DOUBLE) reader->depth--;
        else enter(reader, DOUBLE);
    } else if (*at == '`') {
        reader->backtick = !reader->backtick;
    } else if (*at == '$' && at[1] == '(') {
        enter(reader, OPEN);
        return 2;
    } else if (place == OPEN) {
        if (*at == '\'') reader->single = true;
        else if (*at == '(') enter(reader, OPEN);
        else if (*at == ')' && reader->depth) reader->depth--;
    }
    return 1;
}

static int read_line(struct word *word, const char *text)
{
    struct reader reader = { .open = { OPEN } };
    const char *from = text;
    int status = 0;

    while (*text && !status) {
        struct piece piece;
        size_t length = *text == '{' ? read_replacement(text, &piece) : 0;
        if (!length) {
            text += read_byte(&reader, text);
            continue;
        }
        if (reader.backtick)
            return tool_usage("a replacement word inside `...`: write $(...) instead");
        piece.place = place_now(&reader);
        status = add_bytes(word, from, text);
        if (!status) status = add_piece(word, piece);
        from = text += length;
    }
    return status ? status : add_bytes(word, from, text);
}

/* `end` may lie before the end of the string. */
static int read_word(struct word *word, const char *text, const char *end)
{
    const char *from = text;
    int status = 0;

    while (text < end && !status) {
        struct piece piece;
        size_t length = *text == '{' ? read_replacement(text, &piece) : 0;
        if (!length) {
            text++;
            continue;
        }
        piece.place = RAW;
        status = add_bytes(word, from, text);
        if (!status) status = add_piece(word, piece);
        from = text += length;
    }
    return status ? status : add_bytes(word, from, end);
}

static struct word *add_word(struct template *template)
{
    struct word *words = realloc(template->words, ((size_t) template->count + 1) * sizeof *words);
    if (!words) return NULL;
    template->words = words;
    words[template->count] = (struct word){ 0 };
    return &words[template->count++];
}

/* Is there anything in the line that a shell reads otherwise than as words between blanks? */
static bool needs_shell(const struct word *line)
{
    bool first_word = true;

    for (int i = 0; i < line->count; i++) {
        const struct piece *piece = &line->pieces[i];
        for (size_t k = 0; piece->text && k < piece->size; k++) {
            char c = piece->text[k];
            if (strchr("|&;<>()$`\\\"'*?[]#~!{}\n", c) || (first_word && c == '=')) return true;
            if (c == ' ' || c == '\t') first_word = first_word && i == 0 && k == 0;
        }
    }
    return false;
}

static int split_line(struct template *template, const char *text)
{
    while (*(text += strspn(text, " \t"))) {
        size_t size = strcspn(text, " \t");
        struct word *word = add_word(template);
        int status = word ? read_word(word, text, text + size) : -ENOMEM;
        if (status) return status;
        text += size;
    }
    return 0;
}

static bool names_argument(const struct word *word)
{
    for (int i = 0; i < word->count; i++)
        if (!word->pieces[i].text && word->pieces[i].form < NUMBER) return true;
    return false;
}

static int check(const struct word *word, int sources)
{
    for (int i = 0; i < word->count; i++) {
        const struct piece *piece = &word->pieces[i];
        if (piece->text) continue;
        if (piece->source > sources)
            return tool_usage("{%d}: there %s %d source%s of arguments", piece->source,
                              sources == 1 ? "is" : "are", sources, sources == 1 ? "" : "s");
    }
    return 0;
}

/* A command that names no argument gets them at its end. */
static int append_argument(struct template *template)
{
    static const struct piece blank = { .text = " ", .size = 1 };
    struct word *word = add_word(template);
    int status = word ? add_piece(word, (struct piece){ .place = RAW }) : -ENOMEM;
    if (status || !template->is_line) return status;
    status = add_piece(&template->line, blank);
    return status ? status : add_piece(&template->line, (struct piece){ .place = OPEN });
}

static int read_all(struct template *template, char **words, int count, int sources)
{
    int status = 0;
    bool named = false;

    template->each_is_a_line = !count;
    template->is_line = count == 1;
    if (template->is_line) {
        status = read_line(&template->line, words[0]);
        if (!status) status = check(&template->line, sources);
        if (!status) status = split_line(template, words[0]);
    }
    for (int i = 0; count > 1 && i < count && !status; i++) {
        struct word *word = add_word(template);
        status = word ? read_word(word, words[i], words[i] + strlen(words[i])) : -ENOMEM;
        if (!status) status = check(&template->words[i], sources);
    }
    for (int i = 0; i < template->count; i++) named |= names_argument(&template->words[i]);
    if (!status && count && !named && sources) status = append_argument(template);
    return status;
}

struct template *template_new(char **words, int count, int sources)
{
    struct template *template = calloc(1, sizeof *template);
    int status = template ? read_all(template, words, count, sources) : -ENOMEM;

    if (status == -ENOMEM) tool_say("no memory");
    if (status) {
        template_free(template);
        return NULL;
    }
    return template;
}

void template_free(struct template *template)
{
    if (!template) return;
    for (int i = 0; i < template->count; i++) free(template->words[i].pieces);
    free(template->words);
    free(template->line.pieces);
    free(template);
}

/* ---- Expanding ---- */

struct values {
    char *const *args;
    int count;
    unsigned number;
};

/* The part of an argument that a form means, as dirname and basename see it, but for the extension:
 * .profile has none. */
static void add_part(struct text *text, const char *arg, enum form form)
{
    const char *slash = strrchr(arg, '/'), *base = slash ? slash + 1 : arg;
    const char *dot = strrchr(base, '.'), *end = arg + strlen(arg);

    if (form == FOLDER) {
        if (!slash) text_put(text, ".");
        else text_add(text, arg, slash == arg ? 1 : (size_t)(slash - arg));
        return;
    }
    const char *from = form == BASE || form == BASE_NO_EXTENSION ? base : arg;
    bool cut = (form == NO_EXTENSION || form == BASE_NO_EXTENSION) && dot && dot > base;
    text_add(text, from, (size_t)((cut ? dot : end) - from));
}

static void add_value(struct text *text, const struct piece *piece, int source,
                      const struct values *values)
{
    if (piece->form == NUMBER) text_print(text, "%u", values->number);
    else add_part(text, values->args[source], piece->form);
}

/* In "..." a backslash takes the meaning of these; in '...' only ' has one. */
static void add_quoted(struct text *text, const char *value, enum place place)
{
    if (place == RAW) text_put(text, value);
    else if (place == OPEN) text_quote(text, value);
    else
        for (; *value; value++) {
            if (place == SINGLE && *value == '\'') text_put(text, "'\\''");
            else if (place == DOUBLE && strchr("$`\"\\", *value)) text_print(text, "\\%c", *value);
            else text_add(text, value, 1);
        }
}

static void add_replacement(struct text *text, const struct piece *piece, int source,
                            const struct values *values)
{
    struct text value = { 0 };

    add_value(&value, piece, source, values);
    if (value.size) add_quoted(text, value.data, piece->place);
    else add_quoted(text, "", piece->place);
    text->broken |= value.broken;
    text_free(&value);
}

static void add_pieces(struct text *text, const struct word *word, const struct values *values)
{
    for (int i = 0; i < word->count; i++) {
        const struct piece *piece = &word->pieces[i];
        if (piece->text) {
            text_add(text, piece->text, piece->size);
        } else if (piece->source || piece->form >= NUMBER) {
            add_replacement(text, piece, piece->source - 1, values);
        } else {
            for (int source = 0; source < values->count; source++) {
                if (source) text_put(text, " ");
                add_replacement(text, piece, source, values);
            }
        }
    }
}

/* {} alone is as many words as there are sources. */
static bool is_all(const struct word *word)
{
    const struct piece *piece = word->pieces;
    return word->count == 1 && !piece->text && !piece->source && piece->form < NUMBER;
}

/* The words one after the other, each ended by 0; returns how many. */
static int add_words(struct text *text, const struct template *template,
                     const struct values *values)
{
    int count = 0;

    for (int i = 0; i < template->count; i++) {
        const struct word *word = &template->words[i];
        int times = is_all(word) ? values->count : 1;
        for (int source = 0; source < times; source++, count++) {
            if (is_all(word)) add_replacement(text, word->pieces, source, values);
            else add_pieces(text, word, values);
            text_add(text, "", 1);
        }
    }
    return count;
}

/* Pointers and words in one piece of memory. */
static char **make_argv(const struct text *words, int count)
{
    char **argv = malloc(((size_t)count + 1) * sizeof *argv + words->size);
    if (!argv) return NULL;
    char *at = (char *)(argv + count + 1);
    memcpy(at, words->data, words->size);
    for (int i = 0; i < count; i++) {
        argv[i] = at;
        at += strlen(at) + 1;
    }
    argv[count] = NULL;
    return argv;
}

static void quote_words(struct text *text, char **argv)
{
    for (char **word = argv; *word; word++) {
        if (word > argv) text_put(text, " ");
        text_quote(text, *word);
    }
}

static int split_plain(const char *line, struct text *words)
{
    int count = 0;

    if (line[strcspn(line, "|&;<>()$`\\\"'*?[]#~!{}=\n")]) return 0;
    while (*(line += strspn(line, " \t"))) {
        size_t size = strcspn(line, " \t");
        text_add(words, line, size);
        text_add(words, "", 1);
        line += size;
        count++;
    }
    return count;
}

int template_expand(const struct template *template, char *const *args, int count, unsigned number,
                    struct command_line *out)
{
    const struct values values = { args, count, number };
    struct text text = { 0 }, words = { 0 };
    int words_count = 0;

    *out = (struct command_line){ .sure = !template->is_line && !template->each_is_a_line };
    if (template->each_is_a_line) {
        for (int i = 0; i < count; i++) {
            if (i) text_put(&text, " ");
            text_put(&text, args[i]);
        }
        if (text.size) words_count = split_plain(text.data, &words);
    } else if (!template->is_line || !needs_shell(&template->line)) {
        words_count = add_words(&words, template, &values);
    }
    if (words_count && !words.broken) out->argv = make_argv(&words, words_count);
    if (template->is_line) add_pieces(&text, &template->line, &values);
    else if (!template->each_is_a_line && out->argv) quote_words(&text, out->argv);
    text_put(&text, "");
    out->text = text.data;
    bool failed = text.broken || words.broken || (words_count && !out->argv);
    text_free(&words);
    if (failed) command_line_free(out);
    return failed ? -ENOMEM : 0;
}

void command_line_free(struct command_line *line)
{
    free(line->text);
    free(line->argv);
    *line = (struct command_line){ 0 };
}
