/* SPDX-License-Identifier: MIT */
/* The jobs of `interlock`. */

#include "choose/jobs.h"

#include <errno.h>
#include <stdlib.h>

#include "factor/block.h"
#include "factor/factor.h"
#include "tool.h"

/* ---- factor: ten thousand numbers by trial division, as in the book ---- */

enum { FACTOR_COUNT = 10000, FACTOR_SEED = 1, FACTOR_LOW = 20000, FACTOR_HIGH = 100000000 };

/* What trial division found out about a number, small enough to have ten thousand of. */
struct found {
    uint64_t steps, count, mixed; /* divisors tried; prime factors; the factors, in their order */
};

static int factor_one(void *in, void *out)
{
    struct factors factors;
    struct found *found = out;

    found->steps = factor_trial(*(const uint64_t *)in, &factors);
    found->count = factors.count;
    for (unsigned i = 0; i < factors.count; i++)
        found->mixed = (found->mixed ^ factors.prime[i]) * 0x100000001b3;
    return 0;
}

static int factor_open(const struct job_kind *kind, il_job *job, json_t **out_input)
{
    uint64_t *numbers = malloc(FACTOR_COUNT * sizeof *numbers);
    json_t *input =
        json_pack("{s:i, s:i, s:i, s:i, s:s}", "count", FACTOR_COUNT, "seed", FACTOR_SEED, "low",
                  FACTOR_LOW, "high", FACTOR_HIGH, "method", "trial");

    (void)kind;
    factor_init();
    if (!numbers || !input) {
        free(numbers);
        json_decref(input);
        return -ENOMEM;
    }
    for (uint64_t i = 0; i < FACTOR_COUNT; i++)
        numbers[i] = random_number(FACTOR_SEED, i, FACTOR_LOW, FACTOR_HIGH);
    *job = (il_job){
        .name = "factor",
        .fn = factor_one,
        .in = numbers,
        .in_size = sizeof *numbers,
        .out_size = sizeof(struct found),
        .count = FACTOR_COUNT,
    };
    *out_input = input;
    return 0;
}

static void factor_close(il_job *job)
{
    free((void *)job->in);
}

const struct job_kind job_kinds[] = {
    { .name = "factor",
      .summary = "10,000 numbers from 20,000 to 100,000,000, by trial division",
      .open = factor_open,
      .close = factor_close },
#ifdef TOOL_SERVE
    { .name = "fetch", .apart = cmd_apart },
#endif
    { 0 },
};
