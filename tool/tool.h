/* SPDX-License-Identifier: MIT */
#ifndef TOOL_TOOL_H
#define TOOL_TOOL_H

/*
 * What the commands share. A command is one cmd_<verb>.c and a row of a table: commands.c is that of
 * `interlock`, commands_net.c that of `interlock-net`, the program with what speaks HTTP. Those have
 * a row in both: apart.c goes over to the other program.
 */

#include <argp.h>
#include <stdint.h>

/* How a command ends; the manual promises these. By a signal it ends as that signal does. */
enum {
    TOOL_OK = 0,
    TOOL_FAILED = 1, /* something could not be done; a line on standard error says what */
    TOOL_USAGE = 2   /* the command line is wrong; nothing was done */
};

struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is "interlock <name>"; returns how it ends */
    const char *summary;               /* a line for --help */
};

extern const struct command commands[]; /* of this program; ends with .name NULL */

int cmd_apart(int argc, char **argv); /* whatever interlock-net does */
int cmd_choose(int argc, char **argv);
int cmd_crawl(int argc, char **argv);
int cmd_factor(int argc, char **argv);
int cmd_fetch(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_serve(int argc, char **argv); /* where libmicrohttpd is */

/* Read options with argp, but answer what is wrong with one line. Returns TOOL_OK or TOOL_USAGE;
 * --help and --version do not return. Every parser starts with
 *
 *     case ARGP_KEY_INIT: return tool_parse_init(state);
 */
int tool_parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *input);
int tool_parse_init(struct argp_state *state);

/* One line on standard error, "interlock factor: <words>". */
void tool_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same; returns EINVAL, so that an option parser can return it. */
int tool_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same about a failed call of the library, with its reason; returns TOOL_FAILED. */
int tool_failed(const char *what, int status);

/* A whole number from low to high in all of `text`, decimal. For an option, says what is wrong. */
int tool_number(const char *option, const char *text, uint64_t low, uint64_t high, uint64_t *out);

/* Write all of it to standard output. 0 or a negative errno. */
int tool_write(const char *text, size_t size);

#endif
