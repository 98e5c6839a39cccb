/* SPDX-License-Identifier: MIT */
/* The interlock command: finds the command that is asked for, and runs it. */

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <interlock.h>

#include "tool.h"

static const struct command *find(const char *name)
{
    for (const struct command *one = commands; one->name; one++) {
        if (!strcmp(one->name, name)) return one;
    }
    return NULL;
}

static int unknown(const char *name)
{
    char names[256] = "";
    size_t length = 0;

    for (const struct command *one = commands; one->name && length < sizeof names; one++)
        length += (size_t)snprintf(names + length, sizeof names - length, "%s%s",
                                   length ? ", " : "", one->name);
    return tool_usage("'%s' is no command; there are: %s", name, names);
}

struct call {
    int at; /* of the command in argv, 0: none */
};

static int parse(int key, char *arg, struct argp_state *state)
{
    struct call *call = state->input;

    switch (key) {
    case ARGP_KEY_INIT: return tool_parse_init(state);
    case ARGP_KEY_ARG:
        call->at = state->next - 1;
        state->next = state->argc; /* the rest belongs to the command */
        return 0;
    case ARGP_KEY_NO_ARGS: return tool_usage("no command; 'interlock --help' lists them");
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* The list of commands goes where argp would print its table of options. */
static char *with_commands(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_PRE_DOC) return (char *)text;

    char *whole = NULL;
    size_t size;
    FILE *stream = open_memstream(&whole, &size);
    if (!stream) return (char *)text;
    fprintf(stream, "%s\n\nCommands:\n", text);
    for (const struct command *one = commands; one->name; one++)
        fprintf(stream, "  %-10s %s\n", one->name, one->summary);
    fprintf(stream, "\n'interlock COMMAND --help' tells more about each.\n\nOptions:");
    fclose(stream);
    return whole;
}

static const struct argp argp = {
    .parser = parse,
    .args_doc = "COMMAND [ARGUMENT...]",
    .doc =
        "Run work concurrently, and find out whether it is worth it."
        "\v"
        "Examples:\n"
        "  interlock choose\n"
        "  interlock crawl https://example.org\n"
        "  interlock factor 12 18446744073709551557\n"
        "  interlock fetch -i urls -d downloads\n"
        "  interlock run -j4 'gzip -k {}' ::: *.txt\n"
        "\n"
        "Ends with 0 when all is done, 1 when something failed, 2 when the command line is wrong.",
    .help_filter = with_commands,
};

static void version(FILE *stream, struct argp_state *state)
{
    (void)state;
    fprintf(stream, "interlock %s\n", IL_VERSION);
}

/* What stdio could not write, --help for instance, has failed too. */
static void flush(void)
{
    bool failed = ferror(stdout);

    if (fflush(stdout) && errno != EBADF) failed = true;
    if (!failed) return;
    tool_say("cannot write the output: %s", strerror(errno));
    _exit(TOOL_FAILED);
}

int main(int argc, char **argv)
{
    char name[64] = "interlock";
    struct call call = { 0 };

    setlocale(LC_CTYPE, "");
    argp_program_version_hook = version;
    atexit(flush);
    if (argc == 0) return TOOL_USAGE;
    argv[0] = name;
    int end = tool_parse(&argp, argc, argv, ARGP_IN_ORDER, &call);
    if (end) return end;

    const struct command *command = find(argv[call.at]);
    if (!command) {
        unknown(argv[call.at]);
        return TOOL_USAGE;
    }
    snprintf(name, sizeof name, "interlock %s", command->name);
    argv[call.at] = name;
    return command->run(argc - call.at, argv + call.at);
}
