/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_CHOOSE_H
#define INTERLOCK_CHOOSE_H

/*
 * Choose: where does a job run best, and is the difference more than noise? (examples/17_choose.c)
 *
 *     static int in_place(const il_candidate *c, il_executor **out) { return il_inline_new(out); }
 *     static int threads(const il_candidate *c, il_executor **out)
 *     {
 *         return il_threads_new(&(il_threads_opts){ .workers = c->workers }, out);
 *     }
 *
 *     il_job job = { .name = "square", .fn = square, .in = numbers, .in_size = sizeof *numbers,
 *                    .out_size = sizeof(long), .count = 1000 };
 *     il_candidate candidates[] = { { "inline", 1, in_place }, { "threads", 2, threads } };
 *     il_row rows[2];
 *     il_advice advice;
 *     int status = il_choose(&job, candidates, 2, NULL, rows, &advice);
 *     if (!status) puts(advice.why);  // Use threads with 2 workers: 1.94 times as fast ...
 *
 * The job runs several times with each candidate, in turn, so that what slows the machine for a
 * while slows all of them. The first candidate is what the others are compared with: usually doing
 * it in place. What comes out is a row a candidate and one sentence of advice, for which "no gain"
 * and "a tie" are good answers.
 *
 * What an interval means: it goes from the kth lowest to the kth highest of the runs, and holds the
 * median that endless runs would have with a probability that follows from k and the number of runs
 * alone, whatever the distribution (order statistics). k is as large as it can be for 95 %. That
 * takes 6 runs; of fewer, it is lowest to highest, and holds the median with 94 % (5 runs), 88 %
 * (4), 75 % (3), 50 % (2), 0 % (1): il_advice.coverage says. It knows what happened during these
 * runs, not what the machine will do tomorrow. Speed-ups are ratios of two times in the same round.
 */

#include <interlock/executor.h>

IL__BEGIN

/* What a section of a program cost the whole process, all of its threads included, and of its child
 * processes those that it waited for meanwhile.
 *
 *     il_cost cost;
 *     il_cost_begin(&cost);
 *     work();
 *     il_cost_end(&cost);
 */
typedef struct il_cost {
    int64_t wall;         /* nanoseconds */
    int64_t user, system; /* CPU time in the program and in the kernel, nanoseconds */
    int64_t voluntary;    /* context switches: it had to wait */
    int64_t involuntary;  /* it had to make room for others */
} il_cost;

/* Note the readings at the start; at the end, replace them by what was added since. Never wait.
 * Sections may overlap and be nested. */
IL_API void il_cost_begin(il_cost *cost);
IL_API void il_cost_end(il_cost *cost);

/* Run fn(in, out) as such a section. Returns what fn returned. */
IL_API int il_cost_of(il_fn *fn, void *in, void *out, il_cost *out_cost);

/* A job: one function over many items, as il_map takes it. Borrowed for the call. */
typedef struct il_job {
    const char *name; /* of the tasks; NULL: "job" */
    il_fn *fn;
    const void *in;
    size_t in_size, out_size; /* bytes an item; out_size 0: nothing is returned */
    size_t count;
    /* Of all results, to see that each candidate finds the same. NULL: of their bytes. */
    uint64_t (*checksum)(const void *out, size_t count, void *arg);
    void *arg; /* of checksum */
} il_job;

/* A candidate: an executor, how it is called and how it is made. */
typedef struct il_candidate {
    const char *on;   /* "inline", "threads"; borrowed by the rows */
    unsigned workers; /* at least 1 */
    int (*open)(const struct il_candidate *candidate, il_executor **out_executor);
    void *arg; /* for open */
    /* NULL: il_executor_free. */
    void (*close)(const struct il_candidate *candidate, il_executor *executor);
    unsigned at_once; /* tasks; 0: one a worker. More where waiting takes no worker: on a loop */
} il_candidate;

/* What was measured with one candidate. Times are in seconds, of a whole run: make the executor,
 * map, free it. */
typedef struct il_row {
    const char *on;
    unsigned workers;
    double median, low, high;                  /* wall clock */
    double speedup, speedup_low, speedup_high; /* against the first candidate; 2.0: half the time */
    double cpu;                                /* user and system time, median */
    double voluntary, involuntary;             /* context switches, median */
    int64_t peak_kib;                          /* the most memory of the process in any run;
                                                  -1: the system does not tell */
    uint64_t checksum;
    unsigned at_once; /* tasks */
    unsigned runs;    /* 1: it took longer than .long_run */
} il_row;

typedef enum il_verdict {
    IL_GAIN,    /* the chosen one is faster than the first, and that is more than noise */
    IL_NO_GAIN, /* the first; none of the others gains as much as the margin */
    IL_TIE,     /* the first; another may be faster, but these runs cannot tell */
    IL_TOO_FEW  /* the first; fewer than 3 runs tell nothing */
} il_verdict;

typedef struct il_advice {
    size_t row; /* the candidate to use */
    il_verdict verdict;
    double coverage; /* of the intervals: 0.96 */
    char why[400];   /* one sentence, with its numbers */
} il_advice;

typedef struct il_choose_opts {
    unsigned runs; /* with each candidate, after one that does not count; 0: 9 */
    double margin; /* a gain below it is not worth having, and two candidates that differ by less
                      are a tie; 0: 0.05 */
    void (*on_progress)(size_t done, size_t total, void *arg); /* after each run */
    void *progress_arg;
    /* ns. A candidate whose first run, which does not count, takes longer, is not run again: that one
     * stands for all, and its row has no interval. For what takes so long that noise is nothing beside
     * it. 0: all are run as often. */
    int64_t long_run;
} il_choose_opts;

/* Measure `count` candidates and advise. Fills rows[count] and *out_advice, all of whose pointers
 * are the candidates'. Waits for count * (runs + 1) runs.
 * Returns 0; -EBADMSG: two runs gave different checksums (il_last_error() says which); -EINVAL; the
 * failure of an .open or of the job; -ENOMEM; -ECANCELED. Unless 0, nothing is written. */
IL_API int il_choose(const il_job *job, const il_candidate *candidates, size_t count,
                     const il_choose_opts *opts, il_row *rows, il_advice *out_advice);

/* The same from times that are known already: seconds[run * count + candidate], all of them above
 * 0. Of opts it uses .runs, which must not be 0, and .margin. Of the rows it fills what follows
 * from the times; .cpu, the switches and .peak_kib are -1. 0, -EINVAL or -ENOMEM. */
IL_API int il_advise(const double *seconds, const il_candidate *candidates, size_t count,
                     const il_choose_opts *opts, il_row *rows, il_advice *out_advice);

IL__END

#endif
