/* SPDX-License-Identifier: MIT */
/*
 * From times to advice.
 *
 * A candidate is *worth it* when even the low end of its speed-up is more than the margin above 1.
 * Of those, the one with the highest speed-up is the best; those that it does not beat by more than
 * the margin, by the same kind of interval, tie with it; and of a tie the fewest workers win, since
 * what they leave free is somebody else's gain. Nothing worth it: the first candidate, and the
 * question is only whether that is known (no gain) or open (a tie).
 *
 * Each candidate is compared with the first by an interval of its own, and with many candidates one
 * of them may pass by chance; the margin is there for that too.
 */

#include <interlock/choose.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "choose/statistics.h"

enum { FEW = 3 };
#define MARGIN 0.05

struct timings {
    const double *seconds;
    size_t count;
    unsigned runs;
    double *scratch; /* one value a run */
};

static il__summary of_times(const struct timings *times, size_t i)
{
    for (unsigned run = 0; run < times->runs; run++)
        times->scratch[run] = times->seconds[run * times->count + i];
    return il__summarize(times->scratch, times->runs);
}

/* How many times as fast as `than` is `i`? */
static il__summary of_speedup(const struct timings *times, size_t i, size_t than)
{
    for (unsigned run = 0; run < times->runs; run++) {
        const double *round = times->seconds + run * times->count;
        times->scratch[run] = round[than] / round[i];
    }
    return il__summarize(times->scratch, times->runs);
}

static void fill_row(const struct timings *times, const il_candidate *candidate, size_t i,
                     il_row *row)
{
    il__summary time = of_times(times, i), speedup = of_speedup(times, i, 0);
    *row = (il_row){
        .on = candidate->on,
        .workers = candidate->workers,
        .median = time.median,
        .low = time.low,
        .high = time.high,
        .speedup = speedup.median,
        .speedup_low = speedup.low,
        .speedup_high = speedup.high,
        .cpu = -1,
        .voluntary = -1,
        .involuntary = -1,
        .peak_kib = -1,
        .at_once = candidate->at_once ? candidate->at_once : candidate->workers,
        .runs = times->runs,
    };
}

static bool is_worth(const il_row *row, double worth)
{
    return row->speedup_low > worth;
}

static bool may_be_worth(const il_row *row, double worth)
{
    return row->speedup_high > worth;
}

static bool is_any(const il_row *row, double worth)
{
    return true;
}

/* The highest speed-up of those rows after the first that `are` so; 0: there is none. */
static size_t best_of(const il_row *rows, size_t count, bool (*are)(const il_row *, double),
                      double worth)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        if (are(&rows[i], worth) && (!best || rows[i].speedup > rows[best].speedup)) best = i;
    }
    return best;
}

struct sentence {
    char *text;
    size_t size, used;
};

static void IL__PRINTF(2, 3) say(struct sentence *sentence, const char *format, ...)
{
    va_list words;
    size_t left = sentence->size - sentence->used;
    va_start(words, format);
    int length = vsnprintf(sentence->text + sentence->used, left, format, words);
    va_end(words);
    if (length > 0) sentence->used += (size_t)length < left ? (size_t)length : left - 1;
}

/* "threads with 2 workers", or "2 workers" where `like` is on the same; "inline" needs none; "loop
 * with 100 tasks at once". */
static void say_name(struct sentence *sentence, const il_row *rows, size_t count, size_t i,
                     size_t like)
{
    bool only = true;
    for (size_t other = 0; other < count; other++)
        only = only && (other == i || strcmp(rows[other].on, rows[i].on) != 0);
    if (rows[i].at_once > rows[i].workers) {
        say(sentence, "%s with %u tasks at once", rows[i].on, rows[i].at_once);
        return;
    }
    if (only && rows[i].workers < 2) {
        say(sentence, "%s", rows[i].on);
        return;
    }
    if (like == i || strcmp(rows[like].on, rows[i].on) != 0) say(sentence, "%s with ", rows[i].on);
    say(sentence, "%u worker%s", rows[i].workers, rows[i].workers == 1 ? "" : "s");
}

static void say_interval(struct sentence *sentence, const il_row *row, double coverage,
                         unsigned runs)
{
    say(sentence, "%.2f to %.2f with %.0f%% confidence, %u runs", row->speedup_low,
        row->speedup_high, coverage * 100, runs);
}

/* Of the candidates that tie with the best, the one with the fewest workers. *out_other: the
 * fastest of the rest of them, or the same. */
static size_t fewest_of_tie(const struct timings *times, const il_row *rows, size_t best,
                            double worth, size_t *out_other)
{
    size_t fewest = best, other = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 1; i < times->count; i++) {
            if (!is_worth(&rows[i], worth)) continue;
            if (i != best && of_speedup(times, best, i).low > worth) continue;
            if (!pass && (rows[i].workers < rows[fewest].workers ||
                          (rows[i].workers == rows[fewest].workers && i < fewest)))
                fewest = i;
            if (pass && i != fewest && (!other || rows[i].speedup > rows[other].speedup)) other = i;
        }
    }
    *out_other = other ? other : fewest;
    return fewest;
}

static void advise_gain(const struct timings *times, const il_row *rows, size_t best, double worth,
                        il_advice *advice, struct sentence *why)
{
    size_t other, row = fewest_of_tie(times, rows, best, worth, &other);
    advice->row = row;
    advice->verdict = IL_GAIN;
    say(why, "Use ");
    say_name(why, rows, times->count, row, row);
    say(why, ": %.2f times as fast as ", rows[row].speedup);
    say_name(why, rows, times->count, 0, row);
    say(why, " (");
    say_interval(why, &rows[row], advice->coverage, times->runs);
    say(why, ")");
    if (other != row) {
        say(why, "; ");
        say_name(why, rows, times->count, other, row);
        say(why, ", at %.2f, %s a tie with that", rows[other].speedup,
            rows[other].workers > 1 && !strcmp(rows[other].on, rows[row].on) ? "are" : "is");
        if (rows[other].workers > rows[row].workers)
            say(why, strcmp(rows[other].on, rows[row].on) ? ", but takes more workers"
                                                          : ", so the fewer");
    }
    say(why, ".");
}

static void advise_stay(const struct timings *times, const il_row *rows, double worth,
                        il_advice *advice, struct sentence *why)
{
    size_t open = best_of(rows, times->count, may_be_worth, worth);
    size_t best = open ? open : best_of(rows, times->count, is_any, worth);

    advice->row = 0;
    advice->verdict = times->runs < FEW ? IL_TOO_FEW : open ? IL_TIE : IL_NO_GAIN;
    say(why, "Use ");
    say_name(why, rows, times->count, 0, 0);
    if (!best) {
        advice->verdict = IL_NO_GAIN;
        say(why, ": there is nothing to compare it with.");
    } else if (advice->verdict == IL_TOO_FEW) {
        say(why, " until more is known: %u run%s cannot tell a gain from noise (", times->runs,
            times->runs == 1 ? "" : "s");
        say_name(why, rows, times->count, best, best);
        say(why, " looked %.2f times as fast).", rows[best].speedup);
    } else if (advice->verdict == IL_TIE) {
        say(why, ": these runs cannot tell it from ");
        say_name(why, rows, times->count, best, best);
        say(why, ", a tie: %.2f times as fast, but anywhere from ", rows[best].speedup);
        say_interval(why, &rows[best], advice->coverage, times->runs);
        say(why, ".");
    } else {
        say(why, ": there is no gain; the best of the others, ");
        say_name(why, rows, times->count, best, best);
        say(why, ", is %.2f times as fast (", rows[best].speedup);
        say_interval(why, &rows[best], advice->coverage, times->runs);
        say(why, ").");
    }
}

static bool valid(const double *seconds, size_t count, unsigned runs, double margin)
{
    if (!count || !runs || !(margin >= 0)) return false;
    for (size_t i = 0; i < count * runs; i++) {
        if (!(seconds[i] > 0)) return false;
    }
    return true;
}

int il_advise(const double *seconds, const il_candidate *candidates, size_t count,
              const il_choose_opts *opts, il_row *rows, il_advice *out_advice)
{
    double margin = opts->margin != 0 ? opts->margin : MARGIN, worth = 1 + margin;
    if (!valid(seconds, count, opts->runs, margin)) return -EINVAL;

    struct timings times = { seconds, count, opts->runs,
                             il__alloc(opts->runs * sizeof *times.scratch) };
    if (!times.scratch) return -ENOMEM;
    for (size_t i = 0; i < count; i++) fill_row(&times, &candidates[i], i, &rows[i]);

    il_advice advice = { .coverage = il__coverage(opts->runs) };
    struct sentence why = { advice.why, sizeof advice.why, 0 };
    size_t best = opts->runs < FEW ? 0 : best_of(rows, count, is_worth, worth);
    if (best) advise_gain(&times, rows, best, worth, &advice, &why);
    else advise_stay(&times, rows, worth, &advice, &why);
    *out_advice = advice;
    il__free(times.scratch);
    return 0;
}
