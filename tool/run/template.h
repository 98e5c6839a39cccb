/* SPDX-License-Identifier: MIT */
#ifndef TOOL_RUN_TEMPLATE_H
#define TOOL_RUN_TEMPLATE_H

/*
 * The command of `interlock run` with its replacement words:
 *
 *     {} {.} {/} {//} {/.}       the argument; without extension, folder, all but the folder, both
 *     {2} {2.} ...               the same of the second source
 *     {#}                        the number of the job
 *
 * One word is a command line: with an argument put where {} stands, quoted so that the shell reads
 * it as the one word that it is, be it in the open, in "..." or in '...'. If nothing in it is for
 * the shell, none is started. Several words are a program and its arguments, and no shell looks at
 * them. No word at all: each argument is a command line.
 */

#include <stdbool.h>
#include <stddef.h>

struct template;

/* One job's command. */
struct command_line {
    char *text;  /* for people, the log, and sh -c */
    char **argv; /* to run without a shell, or NULL: sh -c text. One piece of memory */
    bool sure;   /* no shell would make more of it: a failure to run it is final */
};

/* `sources`: how many there are. Borrows the words. NULL: said why. */
struct template *template_new(char **words, int count, int sources);
void template_free(struct template *template);

/* 0 or -ENOMEM. */
int template_expand(const struct template *template, char *const *args, int count, unsigned number,
                    struct command_line *out);
void command_line_free(struct command_line *line);

#endif
