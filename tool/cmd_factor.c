/* SPDX-License-Identifier: MIT */
/*
 * interlock factor: the prime factors of numbers, in the order of the input.
 *
 * Blocks of numbers go through il_map_stream: the main thread cuts the input (intake.c) and writes
 * the output, tasks do everything between (block.c). The stream bounds how many blocks there are,
 * and they are used again and again, so that ten million lines need the memory of a few blocks.
 *
 * Output goes to write(2) directly. A reader that went away ends the command by SIGPIPE, quietly,
 * as it ends other tools; where that signal is ignored, and on a full disk, it is one line and
 * exit 1.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <interlock.h>

#include "factor/block.h"
#include "factor/crate.h"
#include "executors.h"
#include "factor/factor.h"
#include "factor/intake.h"
#include "progress.h"
#include "tool.h"

/* The range of the book this comes from: ten thousand numbers of it, by trial division. */
#define BOOK_LOW 20000
#define BOOK_HIGH 100000000

struct run {
    struct manner manner;
    struct intake intake;
    const struct executor_kind *kind;
    unsigned workers;
    bool seeded, ranged;

    struct block *free, *made; /* lists of blocks: at rest, all */
    uint64_t numbers;
    int bad;          /* words that are no numbers */
    int write_status; /* of standard output, negative errno */
};

enum { WORKERS = 'j', ON = 256, TRIAL, RANDOM, SEED, RANGE, JSON };

static const struct argp_option options[] = {
    { "on", ON, "EXECUTOR", 0, "Where to run: inline, threads (default), processes, loop", 1 },
    { "workers", WORKERS, "N", 0, "How many workers; default: the CPUs that may be used", 1 },
    { "trial", TRIAL, NULL, 0, "Divide by 2, 3, 4, ... as the book does, for comparison", 2 },
    { "random", RANDOM, "COUNT", 0, "Factor COUNT random numbers, the same every time", 3 },
    { "seed", SEED, "S", 0, "Which random numbers; default: 1", 3 },
    { "range", RANGE, "LOW:HIGH", 0, "Random numbers from LOW to HIGH; default: 20000:100000000",
      3 },
    { "json", JSON, NULL, 0, "One JSON object a line", 4 },
    { 0 },
};

static int parse_range(struct run *run, char *arg)
{
    char *colon = strchr(arg, ':');
    if (!colon) return tool_usage("--range: '%s' is not LOW:HIGH", arg);
    *colon = 0;
    int wrong = tool_number("--range", arg, 0, UINT64_MAX, &run->manner.low);
    if (!wrong) wrong = tool_number("--range", colon + 1, 0, UINT64_MAX, &run->manner.high);
    if (!wrong && run->manner.low > run->manner.high)
        wrong = tool_usage("--range: %s is more than %s", arg, colon + 1);
    run->ranged = true;
    return wrong;
}

static int check(const struct run *run)
{
    if (run->manner.random && run->intake.words)
        return tool_usage("--random and numbers: one of them");
    if ((run->seeded || run->ranged) && !run->manner.random)
        return tool_usage("%s: needs --random", run->seeded ? "--seed" : "--range");
    if (run->workers > 1 && !run->kind->scales)
        return tool_usage("-j %u: %s has one worker", run->workers, run->kind->name);
    return 0;
}

static int parse(int key, char *arg, struct argp_state *state)
{
    struct run *run = state->input;
    uint64_t number;
    int wrong;

    switch (key) {
    case ARGP_KEY_INIT: return tool_parse_init(state);
    case ON: return executor_option(arg, &run->kind);
    case WORKERS:
        wrong = tool_number("-j", arg, 1, WORKERS_MAX, &number);
        if (!wrong) run->workers = (unsigned)number;
        return wrong;
    case TRIAL: run->manner.trial = true; return 0;
    case RANDOM:
        run->manner.random = true;
        return tool_number("--random", arg, 0, UINT64_MAX, &run->intake.count);
    case SEED:
        run->seeded = true;
        return tool_number("--seed", arg, 0, UINT64_MAX, &run->manner.seed);
    case RANGE: return parse_range(run, arg);
    case JSON: run->manner.json = true; return 0;
    case ARGP_KEY_ARGS:
        run->intake.words = state->argv + state->next;
        run->intake.words_count = state->argc - state->next;
        return 0;
    case ARGP_KEY_SUCCESS: return check(run);
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "[NUMBER...]",
    .doc = "Print the prime factors of each NUMBER, or of the numbers on standard input, in their "
           "order. A number is at most 18446744073709551615."
           "\v"
           "Examples:\n"
           "  interlock factor 12 18446744073709551557\n"
           "  seq 1000000 | interlock factor -j 4 > factors\n"
           "  interlock factor --random 10000 --seed 1 --trial --on inline\n"
           "\n"
           "Ends with 0 when all is done, 1 when a word was no number or something failed, 2 when "
           "the command line is wrong. On a terminal, standard error shows the progress of an "
           "output that goes elsewhere.",
};

/* The stream's source: a block that is free, or a new one; the stream bounds their number. */
static int take_block(void *in, void *arg)
{
    struct run *run = arg;
    struct block *block = run->free;

    if (block) {
        run->free = block->next_free;
    } else {
        block = calloc(1, sizeof *block);
        if (!block) return -ENOMEM;
        block->manner = &run->manner;
        block->next_made = run->made;
        run->made = block;
    }

    int answer = intake_fill(&run->intake, block);
    if (answer == 1) {
        *(struct block **)in = block;
    } else {
        block->next_free = run->free;
        run->free = block;
    }
    return answer;
}

/* Output and complaints, in the order of the words. */
static int write_block(struct run *run, const struct block *block)
{
    const struct complaint *places = (const void *)block->places.data;
    size_t count = block->places.size / sizeof *places, done = 0;
    int status = 0;

    for (size_t i = 0; i < count && !status; i++) {
        status = tool_write(block->output.data + done, places[i].at - done);
        done = places[i].at;
        if (!status) tool_say("%s", block->complaints.data + places[i].words);
        run->bad = 1;
    }
    if (!status) status = tool_write(block->output.data + done, block->output.size - done);
    run->write_status = status;
    return status;
}

static int put_block(const void *in, const void *out, int status, void *arg)
{
    struct run *run = arg;
    struct block *block = *(struct block *const *)in;
    struct intake *intake = &run->intake;

    (void)out;
    if (!status) status = write_block(run, block);
    run->numbers += block->numbers;
    intake_learn(intake, block);
    progress_show(intake->total ? (double)intake->taken / (double)intake->total : -1, run->numbers);
    block->next_free = run->free;
    run->free = block;
    return status;
}

/* The same where tasks do not see our blocks. */
static int pack_block(void *in, void *arg)
{
    struct block *block = NULL;
    int answer = take_block(&block, arg);
    if (answer == 1) crate_pack(in, block);
    return answer;
}

static int unpack_block(const void *in, const void *out, int status, void *arg)
{
    struct block *block = ((const struct crate_in *)in)->block;
    if (!status) status = crate_unpack(out, block);
    return put_block(&block, NULL, status, arg);
}

static void keep_small(struct intake *intake, bool random)
{
    size_t most = random ? CRATE_NUMBERS : CRATE_TEXT;
    if (intake->most > most) intake->most = most;
    if (intake->least > most) intake->least = most;
    if (intake->size > most) intake->size = most;
}

static int stream(struct run *run, il_executor *executor)
{
    il_executor_info info;
    il_executor_describe(executor, &info);

    il_stream stream = {
        .source = take_block,
        .sink = put_block,
        .arg = run,
        .in_size = sizeof(struct block *),
        .window =
            2 * (size_t)info.workers + 2, /* a block is long enough to be an item of its own */
    };
    if (run->kind->apart) {
        stream.source = pack_block;
        stream.sink = unpack_block;
        stream.in_size = sizeof(struct crate_in);
        stream.out_size = sizeof(struct crate_out);
        keep_small(&run->intake, run->manner.random);
    }
    il_fn *fn = run->kind->apart ? crate_run : block_run;
    return il_map_stream(executor, fn, &stream, &(il_map_opts){ .name = "factor" });
}

/* Where numbers are typed or answers appear, these are progress enough. */
static bool is_conversation(const struct run *run)
{
    bool typed = !run->intake.words && !run->manner.random && isatty(STDIN_FILENO);
    return typed || isatty(STDOUT_FILENO);
}

static int finish(const struct run *run, int status)
{
    if (run->write_status) {
        tool_say("cannot write the output: %s", strerror(-run->write_status));
        return TOOL_FAILED;
    }
    if (status) return tool_failed("cannot go on", status);
    if (run->intake.status) {
        tool_say("cannot read the input: %s", strerror(-run->intake.status));
        return TOOL_FAILED;
    }
    return run->bad ? TOOL_FAILED : TOOL_OK;
}

int cmd_factor(int argc, char **argv)
{
    struct run run = {
        .manner = { .spaces = true, .seed = 1, .low = BOOK_LOW, .high = BOOK_HIGH },
        .kind = executor_find("threads"),
    };
    il_executor *executor = NULL;

    int end = tool_parse(&argp, argc, argv, 0, &run);
    if (end) return end;
    run.manner.spaces = !run.intake.words;
    run.intake.manner = &run.manner;
    factor_init();

    int status = run.kind->make(run.workers, &executor);
    if (status) return tool_failed("cannot start workers", status);
    status = intake_open(&run.intake);
    if (!is_conversation(&run)) progress_begin("factor", "numbers");
    if (!status) status = stream(&run, executor);
    progress_end();
    il_executor_free(executor);
    intake_close(&run.intake);
    while (run.made) {
        struct block *block = run.made;
        run.made = block->next_made;
        block_free(block);
    }
    return finish(&run, status);
}
