/* SPDX-License-Identifier: MIT */
/* Claims about il_choose: what it measures, and what it makes of made-up times. */

#include "check.h"

#include <math.h>

#include <interlock/barrier.h>
#include <interlock/choose.h>
#include <interlock/scope.h>

#include "base/memory.h"
#include "choose/statistics.h"

enum { RUNS = 9, MOST = 6 };

/* --- Statistics ------------------------------------------------------------------------------- */

static void interval_is_the_widest_that_leaves_95_percent(void **state)
{
    static const struct {
        size_t count, outside;
        double coverage;
    } known[] = { { 1, 0, 0 },       { 2, 0, 0.5 },       { 3, 0, 0.75 },       { 4, 0, 0.875 },
                  { 5, 0, 0.9375 },  { 6, 0, 0.96875 },   { 8, 0, 0.9921875 },  { 9, 1, 0.9609375 },
                  { 12, 2, 0.9614 }, { 100, 39, 0.9648 }, { 1000, 468, 0.9537 } };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        assert_int_equal(il__outside(known[i].count), known[i].outside);
        assert_true(fabs(il__coverage(known[i].count) - known[i].coverage) < 0.0001);
    }
}

static void median_lies_in_the_middle_of_the_interval(void **state)
{
    double nine[] = { 9, 1, 8, 2, 7, 3, 6, 4, 1000 }, even[] = { 4, 1, 3, 2 }, one[] = { 5 };
    il__summary summary = il__summarize(nine, 9);
    assert_true(summary.median == 6 && summary.low == 2 && summary.high == 9);
    summary = il__summarize(even, 4);
    assert_true(summary.median == 2.5 && summary.low == 1 && summary.high == 4);
    summary = il__summarize(one, 1);
    assert_true(summary.median == 5 && summary.low == 5 && summary.high == 5);
}

/* --- Advice ----------------------------------------------------------------------------------- */

/* Times around `seconds`, `noise` (0.02: two percent) up and down, in no order. */
static void fill(double *times, size_t count, unsigned runs, size_t i, double seconds, double noise)
{
    for (unsigned run = 0; run < runs; run++) {
        double wobble = (double)((run * 7 + i * 3) % 5) / 2 - 1; /* -1 to 1 */
        times[run * count + i] = seconds * (1 + noise * wobble);
    }
}

static const il_candidate four[] = { { .on = "inline", .workers = 1 },
                                     { .on = "threads", .workers = 1 },
                                     { .on = "threads", .workers = 2 },
                                     { .on = "threads", .workers = 10 } };

struct made_up {
    double times[RUNS * MOST];
    il_row rows[MOST];
    il_advice advice;
};

/* What is advised for these medians and this noise. */
static void advise(struct made_up *made, const double seconds[4], double noise, unsigned runs)
{
    for (size_t i = 0; i < 4; i++) fill(made->times, 4, runs, i, seconds[i], noise);
    assert_int_equal(il_advise(made->times, four, 4, &(il_choose_opts){ .runs = runs }, made->rows,
                               &made->advice),
                     0);
}

static void clear_gain_is_recommended_with_its_numbers(void **state)
{
    struct made_up made;
    advise(&made, (double[]){ 0.100, 0.101, 0.050, 0.080 }, 0.01, RUNS);
    assert_int_equal(made.advice.verdict, IL_GAIN);
    assert_int_equal(made.advice.row, 2);
    assert_says(made.advice.why, "Use threads with 2 workers: ");
    assert_says(made.advice.why, " times as fast as inline (");
    assert_says(made.advice.why, "with 96% confidence, 9 runs).");
    assert_true(fabs(made.rows[2].speedup - 2) < 0.05);
    assert_true(made.rows[2].speedup_low > 1.9 && made.rows[2].speedup_high < 2.1);
    assert_true(made.rows[0].speedup == 1 && made.rows[0].speedup_high == 1);
    assert_true(fabs(made.rows[3].median - 0.080) < 0.0001);
    assert_int_equal(made.rows[3].workers, 10);
    assert_string_equal(made.rows[3].on, "threads");
    assert_true(made.rows[3].peak_kib == -1 && made.rows[3].cpu == -1);
}

static void slower_everywhere_is_no_gain(void **state)
{
    struct made_up made;
    advise(&made, (double[]){ 0.100, 0.120, 0.150, 0.200 }, 0.01, RUNS);
    assert_int_equal(made.advice.verdict, IL_NO_GAIN);
    assert_int_equal(made.advice.row, 0);
    assert_says(made.advice.why, "Use inline: there is no gain");
    assert_says(made.advice.why, "threads with 1 worker, is 0.8");
}

static void gain_below_the_margin_is_no_gain(void **state)
{
    struct made_up made;
    advise(&made, (double[]){ 0.100, 0.100, 0.098, 0.098 }, 0.001, RUNS);
    assert_int_equal(made.advice.verdict, IL_NO_GAIN);

    /* But with a margin of its own the caller may have it. */
    il_choose_opts opts = { .runs = RUNS, .margin = 0.01 };
    assert_int_equal(il_advise(made.times, four, 4, &opts, made.rows, &made.advice), 0);
    assert_int_equal(made.advice.verdict, IL_GAIN);
    assert_int_equal(made.advice.row, 2);
}

static void noise_that_hides_a_gain_is_a_tie_and_stays(void **state)
{
    struct made_up made;
    advise(&made, (double[]){ 0.100, 0.100, 0.090, 0.095 }, 0.3, RUNS);
    assert_int_equal(made.advice.verdict, IL_TIE);
    assert_int_equal(made.advice.row, 0);
    assert_says(made.advice.why, "Use inline: these runs cannot tell it from threads with ");
}

static void tie_goes_to_the_fewest_workers(void **state)
{
    struct made_up made;
    advise(&made, (double[]){ 0.100, 0.100, 0.0505, 0.050 }, 0.02, RUNS);
    assert_int_equal(made.advice.verdict, IL_GAIN);
    assert_int_equal(made.advice.row, 2);
    assert_says(made.advice.why, "; 10 workers, at 2.0");
    assert_says(made.advice.why, ", are a tie with that, so the fewer.");
}

static void equal_workers_tie_goes_to_the_first_listed(void **state)
{
    const il_candidate three[] = { { .on = "inline", .workers = 1 },
                                   { .on = "threads", .workers = 2 },
                                   { .on = "processes", .workers = 2 } };
    struct made_up made;
    fill(made.times, 3, RUNS, 0, 0.1, 0.01);
    fill(made.times, 3, RUNS, 1, 0.0502, 0.01);
    fill(made.times, 3, RUNS, 2, 0.05, 0.01);
    il_choose_opts opts = { .runs = RUNS };
    assert_int_equal(il_advise(made.times, three, 3, &opts, made.rows, &made.advice), 0);
    assert_int_equal(made.advice.row, 1);
    assert_says(made.advice.why, "; processes with 2 workers, at ");
}

static void more_workers_are_recommended_when_they_are_faster(void **state)
{
    struct made_up made;
    advise(&made, (double[]){ 0.100, 0.100, 0.050, 0.020 }, 0.02, RUNS);
    assert_int_equal(made.advice.row, 3);
    assert_says(made.advice.why, "Use threads with 10 workers: ");
}

static void two_runs_are_too_few_and_three_are_not(void **state)
{
    struct made_up made;
    double seconds[] = { 0.100, 0.100, 0.050, 0.050 };
    advise(&made, seconds, 0.001, 1);
    assert_int_equal(made.advice.verdict, IL_TOO_FEW);
    assert_int_equal(made.advice.row, 0);
    assert_says(made.advice.why, "1 run cannot tell a gain from noise");
    assert_true(made.advice.coverage == 0);
    advise(&made, seconds, 0.001, 2);
    assert_int_equal(made.advice.verdict, IL_TOO_FEW);
    advise(&made, seconds, 0.001, 3);
    assert_int_equal(made.advice.verdict, IL_GAIN);
    assert_says(made.advice.why, "75% confidence, 3 runs");
}

/* What slows all candidates of a round leaves their ratio alone. */
static void machine_that_slows_down_does_not_hide_a_gain(void **state)
{
    struct made_up made;
    for (unsigned run = 0; run < RUNS; run++) {
        double slow = 1 + run;
        for (size_t i = 0; i < 4; i++) made.times[run * 4 + i] = slow * (i == 2 ? 0.08 : 0.1);
    }
    il_choose_opts opts = { .runs = RUNS };
    assert_int_equal(il_advise(made.times, four, 4, &opts, made.rows, &made.advice), 0);
    assert_int_equal(made.advice.row, 2);
    assert_true(fabs(made.rows[2].speedup_low - 1.25) < 1e-9);
}

static void one_slow_run_of_nine_does_not_hide_a_gain(void **state)
{
    struct made_up made;
    double seconds[] = { 0.100, 0.100, 0.050, 0.060 };
    advise(&made, seconds, 0.01, RUNS);
    made.times[4 * 4 + 2] = 3;
    il_choose_opts opts = { .runs = RUNS };
    assert_int_equal(il_advise(made.times, four, 4, &opts, made.rows, &made.advice), 0);
    assert_int_equal(made.advice.row, 2);
}

static void single_candidate_has_nothing_to_be_compared_with(void **state)
{
    struct made_up made;
    fill(made.times, 1, RUNS, 0, 0.1, 0.01);
    il_choose_opts opts = { .runs = RUNS };
    assert_int_equal(il_advise(made.times, four, 1, &opts, made.rows, &made.advice), 0);
    assert_int_equal(made.advice.verdict, IL_NO_GAIN);
    assert_string_equal(made.advice.why, "Use inline: there is nothing to compare it with.");
}

static void long_names_are_cut_not_overrun(void **state)
{
    char name[600];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    const il_candidate two[] = { { .on = name, .workers = 1 }, { .on = name, .workers = 2 } };
    struct made_up made;
    fill(made.times, 2, RUNS, 0, 0.1, 0.01);
    fill(made.times, 2, RUNS, 1, 0.05, 0.01);
    il_choose_opts opts = { .runs = RUNS };
    assert_int_equal(il_advise(made.times, two, 2, &opts, made.rows, &made.advice), 0);
    assert_int_equal(strlen(made.advice.why), sizeof made.advice.why - 1);
}

static void times_that_cannot_be_are_einval(void **state)
{
    struct made_up made, before;
    memset(&made, 7, sizeof made);
    fill(made.times, 4, RUNS, 0, 0.1, 0.01);
    for (size_t i = 1; i < 4; i++) fill(made.times, 4, RUNS, i, 0.1, 0.01);
    static const double bad[] = { 0, -1, NAN };
    for (size_t i = 0; i < 3; i++) {
        made.times[5] = bad[i];
        before = made;
        il_choose_opts opts = { .runs = RUNS };
        assert_int_equal(il_advise(made.times, four, 4, &opts, made.rows, &made.advice), -EINVAL);
        assert_memory_equal(&made.rows, &before.rows, sizeof made.rows);
        assert_memory_equal(&made.advice, &before.advice, sizeof made.advice);
    }
    made.times[5] = 0.1;
    il_choose_opts opts = { .runs = 0 };
    assert_int_equal(il_advise(made.times, four, 4, &opts, made.rows, &made.advice), -EINVAL);
    opts = (il_choose_opts){ .runs = RUNS, .margin = -1 };
    assert_int_equal(il_advise(made.times, four, 4, &opts, made.rows, &made.advice), -EINVAL);
    opts.margin = 0;
    assert_int_equal(il_advise(made.times, four, 0, &opts, made.rows, &made.advice), -EINVAL);
}

/* --- A section -------------------------------------------------------------------------------- */

static int spin(void *in, void *out)
{
    il_time until = il_after(*(int64_t *)in);
    while (il_now() < until) {}
    return -7;
}

static void section_costs_time_and_cpu(void **state)
{
    int64_t duration = IL_MS(30);
    il_cost cost, outer;
    il_cost_begin(&outer);
    assert_int_equal(il_cost_of(spin, &duration, NULL, &cost), -7);
    il_cost_end(&outer);
    assert_true(cost.wall >= duration);
    assert_true(cost.user >= 0 && cost.system >= 0 && cost.user + cost.system > 0);
    assert_true(cost.voluntary >= 0 && cost.involuntary >= 0);
    assert_true(outer.wall >= cost.wall && outer.user >= cost.user);
}

/* --- Measuring -------------------------------------------------------------------------------- */

static int in_place(const il_candidate *candidate, il_executor **out_executor)
{
    return il_inline_new(out_executor);
}

static int on_threads(const il_candidate *candidate, il_executor **out_executor)
{
    return il_threads_new(&(il_threads_opts){ .workers = candidate->workers }, out_executor);
}

static int refused(const il_candidate *candidate, il_executor **out_executor)
{
    return -EAGAIN;
}

static const il_candidate real[] = {
    { .on = "inline", .workers = 1, .open = in_place },
    { .on = "threads", .workers = 1, .open = on_threads },
    { .on = "threads", .workers = 2, .open = on_threads },
};

static int square(void *in, void *out)
{
    long n = *(long *)in;
    *(long *)out = n * n;
    return 0;
}

static int fail_at_500(void *in, void *out)
{
    return *(long *)in == 500 ? -ENODATA : square(in, out);
}

/* A job whose results depend on when it runs. */
static int count(void *in, void *out)
{
    static long calls;
    *(long *)out = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    return 0;
}

static uint64_t first_and_last(const void *out, size_t items, void *arg)
{
    const long *results = out;
    *(size_t *)arg += items;
    return (uint64_t)(results[0] + results[items - 1]);
}

struct choosing {
    long in[1000];
    il_job job;
    il_row rows[3], rows_before[3];
    il_advice advice, advice_before;
};

static void choosing_init(struct choosing *choosing, il_fn *fn)
{
    memset(choosing, 5, sizeof *choosing);
    for (long i = 0; i < 1000; i++) choosing->in[i] = i;
    choosing->job = (il_job){ .name = "test",
                              .fn = fn,
                              .in = choosing->in,
                              .in_size = sizeof(long),
                              .out_size = sizeof(long),
                              .count = 1000 };
    memcpy(choosing->rows_before, choosing->rows, sizeof choosing->rows);
    choosing->advice_before = choosing->advice;
}

static int choose(struct choosing *choosing, const il_candidate *candidates, unsigned runs)
{
    il_choose_opts opts = { .runs = runs };
    return il_choose(&choosing->job, candidates, 3, &opts, choosing->rows, &choosing->advice);
}

static void assert_untouched(const struct choosing *choosing)
{
    assert_memory_equal(choosing->rows, choosing->rows_before, sizeof choosing->rows);
    assert_memory_equal(&choosing->advice, &choosing->advice_before, sizeof choosing->advice);
}

static void each_candidate_gets_a_row(void **state)
{
    struct choosing choosing;
    choosing_init(&choosing, square);
    assert_int_equal(choose(&choosing, real, 3), 0);
    for (int i = 0; i < 3; i++) {
        const il_row *row = &choosing.rows[i];
        assert_string_equal(row->on, real[i].on);
        assert_int_equal(row->workers, real[i].workers);
        assert_true(row->low > 0 && row->low <= row->median && row->median <= row->high);
        assert_true(row->speedup > 0 && row->cpu >= 0 && row->voluntary >= 0);
        assert_true(row->peak_kib == -1 || row->peak_kib > 100);
        assert_true(row->checksum == choosing.rows[0].checksum);
    }
    assert_in_range(choosing.advice.row, 0, 2);
    assert_true(choosing.advice.coverage == 0.75);
    assert_true(*choosing.advice.why);
}

static void checksum_of_ones_own_is_used(void **state)
{
    struct choosing choosing;
    size_t items = 0;
    choosing_init(&choosing, square);
    choosing.job.checksum = first_and_last;
    choosing.job.arg = &items;
    assert_int_equal(choose(&choosing, real, 2), 0);
    assert_int_equal(choosing.rows[2].checksum, 999 * 999);
    assert_int_equal(items, 1000 * 3 * (2 + 1));
}

static void different_results_are_ebadmsg(void **state)
{
    struct choosing choosing;
    choosing_init(&choosing, count);
    assert_int_equal(choose(&choosing, real, 2), -EBADMSG);
    assert_untouched(&choosing);
    assert_says(il_last_error()->message, "checksum");
}

static void failure_of_the_job_comes_out(void **state)
{
    struct choosing choosing;
    choosing_init(&choosing, fail_at_500);
    assert_int_equal(choose(&choosing, real, 2), -ENODATA);
    assert_untouched(&choosing);
}

static void failure_to_make_an_executor_comes_out(void **state)
{
    const il_candidate bad[] = { real[0],
                                 { .on = "never", .workers = 3, .open = refused },
                                 real[1] };
    struct choosing choosing;
    choosing_init(&choosing, square);
    assert_int_equal(choose(&choosing, bad, 2), -EAGAIN);
    assert_untouched(&choosing);
    assert_says(il_last_error()->message, "never");
}

static void nothing_to_measure_is_einval(void **state)
{
    struct choosing choosing;
    choosing_init(&choosing, square);
    choosing.job.count = 0;
    assert_int_equal(choose(&choosing, real, 2), -EINVAL);
    choosing_init(&choosing, NULL);
    assert_int_equal(choose(&choosing, real, 2), -EINVAL);
    choosing_init(&choosing, square);
    assert_int_equal(il_choose(&choosing.job, real, 0, NULL, choosing.rows, &choosing.advice),
                     -EINVAL);
    assert_untouched(&choosing);
}

struct seen {
    size_t calls, done, total;
    bool wrong;
};

static void see(size_t done, size_t total, void *arg)
{
    struct seen *seen = arg;
    seen->calls++;
    seen->wrong = seen->wrong || done != seen->calls || (seen->total && seen->total != total);
    seen->done = done;
    seen->total = total;
}

static void progress_counts_every_run(void **state)
{
    struct choosing choosing;
    struct seen seen = { 0 };
    choosing_init(&choosing, square);
    il_choose_opts opts = { .runs = 4, .on_progress = see, .progress_arg = &seen };
    assert_int_equal(il_choose(&choosing.job, real, 3, &opts, choosing.rows, &choosing.advice), 0);
    assert_false(seen.wrong);
    assert_int_equal(seen.calls, 3 * (4 + 1));
    assert_int_equal(seen.done, seen.total);
}

static int square_and_count(void *in, void *out)
{
    static long calls;
    if (!in) return (int)__atomic_exchange_n(&calls, 0, __ATOMIC_RELAXED);
    __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    return square(in, out);
}

static void long_run_is_done_once_and_stands_for_all(void **state)
{
    struct choosing choosing;
    choosing_init(&choosing, square_and_count);
    il_choose_opts opts = { .runs = 6, .long_run = 1 }; /* a nanosecond: all of them are long */
    square_and_count(NULL, NULL);
    assert_int_equal(il_choose(&choosing.job, real, 3, &opts, choosing.rows, &choosing.advice), 0);
    assert_int_equal(square_and_count(NULL, NULL), 3 * 1000);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(choosing.rows[i].runs, 1);
        assert_true(choosing.rows[i].median > 0 && choosing.rows[i].cpu >= 0);
        assert_true(choosing.rows[i].low == choosing.rows[i].high);
    }
    opts.long_run = IL_SEC(1000);
    assert_int_equal(il_choose(&choosing.job, real, 3, &opts, choosing.rows, &choosing.advice), 0);
    assert_int_equal(square_and_count(NULL, NULL), 3 * 1000 * (6 + 1));
    assert_int_equal(choosing.rows[1].runs, 6);
}

static void close_and_count(const il_candidate *candidate, il_executor *executor)
{
    ++*(int *)candidate->arg;
    il_executor_free(executor);
}

static void candidate_may_end_its_executor_itself(void **state)
{
    struct choosing choosing;
    int closed = 0;
    il_candidate own[] = { real[0], real[1], real[2] };
    own[1].close = close_and_count;
    own[1].arg = &closed;
    choosing_init(&choosing, square);
    assert_int_equal(choose(&choosing, own, 2), 0);
    assert_int_equal(closed, 2 + 1);
}

/* Nobody goes on until all are there. */
static int meet(void *in, void *out)
{
    int status = il_barrier_wait_until(*(il_barrier **)in, il_after(IL_SEC(100)));
    return status < 0 ? status : 0;
}

static void tasks_that_wait_may_be_more_than_workers(void **state)
{
    enum { TASKS = 20 };
    il_barrier barrier = { .parties = TASKS };
    il_barrier *in[TASKS];
    for (int i = 0; i < TASKS; i++) in[i] = &barrier;
    il_job job = { .fn = meet, .in = in, .in_size = sizeof *in, .count = TASKS };
    il_candidate one = { .on = "threads", .workers = 1, .open = on_threads, .at_once = TASKS };
    il_row row;
    il_advice advice;
    assert_int_equal(il_choose(&job, &one, 1, &(il_choose_opts){ .runs = 1 }, &row, &advice), 0);
    assert_int_equal(row.at_once, TASKS);
    assert_int_equal(row.workers, 1);
    assert_non_null(strstr(advice.why, "threads with 20 tasks at once"));
}

static void cancelled_task_stops_measuring(void **state)
{
    struct choosing choosing;
    il_scope *scope = NULL;
    choosing_init(&choosing, square);
    assert_int_equal(il_scope_open(NULL, &scope), 0);
    il_scope_cancel(scope);
    int status = choose(&choosing, real, 2);
    il_scope_close(scope);
    assert_int_equal(status, -ECANCELED);
    assert_untouched(&choosing);
}

/* Whatever the system refuses: a status, nothing lost, and outputs left alone. */
static void refused_resources_are_a_status(void **state)
{
    struct choosing choosing;
    for (unsigned long nth = 1; nth < 10000; nth++) {
        choosing_init(&choosing, square);
        il__refuse(nth);
        int status = choose(&choosing, real, 1);
        if (il__refuse(0) < nth) {
            assert_int_equal(status, 0);
            return;
        }
        if (status) assert_true(status == -ENOMEM || status == -EAGAIN);
        if (status) assert_untouched(&choosing);
    }
    fail_msg("it never had enough");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interval_is_the_widest_that_leaves_95_percent),
        cmocka_unit_test(median_lies_in_the_middle_of_the_interval),
        cmocka_unit_test(clear_gain_is_recommended_with_its_numbers),
        cmocka_unit_test(slower_everywhere_is_no_gain),
        cmocka_unit_test(gain_below_the_margin_is_no_gain),
        cmocka_unit_test(noise_that_hides_a_gain_is_a_tie_and_stays),
        cmocka_unit_test(tie_goes_to_the_fewest_workers),
        cmocka_unit_test(equal_workers_tie_goes_to_the_first_listed),
        cmocka_unit_test(more_workers_are_recommended_when_they_are_faster),
        cmocka_unit_test(two_runs_are_too_few_and_three_are_not),
        cmocka_unit_test(machine_that_slows_down_does_not_hide_a_gain),
        cmocka_unit_test(one_slow_run_of_nine_does_not_hide_a_gain),
        cmocka_unit_test(single_candidate_has_nothing_to_be_compared_with),
        cmocka_unit_test(long_names_are_cut_not_overrun),
        cmocka_unit_test(times_that_cannot_be_are_einval),
        cmocka_unit_test(section_costs_time_and_cpu),
        cmocka_unit_test(each_candidate_gets_a_row),
        cmocka_unit_test(checksum_of_ones_own_is_used),
        cmocka_unit_test(different_results_are_ebadmsg),
        cmocka_unit_test(failure_of_the_job_comes_out),
        cmocka_unit_test(failure_to_make_an_executor_comes_out),
        cmocka_unit_test(nothing_to_measure_is_einval),
        cmocka_unit_test(progress_counts_every_run),
        cmocka_unit_test(long_run_is_done_once_and_stands_for_all),
        cmocka_unit_test(candidate_may_end_its_executor_itself),
        cmocka_unit_test(tasks_that_wait_may_be_more_than_workers),
        cmocka_unit_test(cancelled_task_stops_measuring),
        cmocka_unit_test(refused_resources_are_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
