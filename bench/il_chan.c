/* SPDX-License-Identifier: MIT */
/*
 * The chan lines with Interlock: fibers of a pool (variant "interlock"), or threads of the system
 * (on=thread) to stand beside peers that have nothing else.
 */

#include "bench.h"
#include <interlock.h>

enum { CAPACITY = 128, SIDES = 4, SELECTED = 8, STAGES = 100, MEMBERS = 256 };

/* Who takes part: each runs fn with its own number of items and its own channels. */
typedef struct member {
    il_fn *fn;
    int64_t items, sum;
    il_chan *from, *to;
} member;

static member members[MEMBERS];
static int member_count;
static il_chan *chans[MEMBERS];
static int chan_count;
static il_executor *pool; /* NULL: threads */

static il_chan *new_chan(size_t capacity)
{
    il_chan **chan = &chans[chan_count++];

    bench_must(il_chan_new(sizeof(int64_t), &(il_chan_opts){ .capacity = capacity }, chan),
               "channel");
    return *chan;
}

static void add(il_fn *fn, int64_t items, il_chan *from, il_chan *to)
{
    members[member_count++] = (member){ .fn = fn, .items = items, .from = from, .to = to };
}

static void run_fibers(void)
{
    il_scope *scope = NULL;

    bench_must(il_scope_open(&(il_scope_opts){ .executor = pool }, &scope), "scope");
    for (int i = 0; i < member_count; i++)
        bench_must(il_go(scope, members[i].fn, &members[i], NULL), "go");
    bench_must(il_scope_close(scope), "fibers");
}

static void run_threads(void)
{
    static il_thread threads[MEMBERS];

    memset(threads, 0, sizeof threads);
    for (int i = 0; i < member_count; i++)
        bench_must(il_thread_start(&threads[i], members[i].fn, &members[i], NULL, NULL), "thread");
    for (int i = 0; i < member_count; i++)
        bench_must(il_thread_join(&threads[i], IL_FOREVER), "thread");
}

/* Run all members; returns nanoseconds. What they computed is in members[].sum. */
static int64_t run(void)
{
    int64_t start = bench_now();

    if (pool) run_fibers();
    else run_threads();
    int64_t time = bench_now() - start;
    for (; chan_count; chan_count--) il_chan_free(chans[chan_count - 1]);
    return time;
}

/* --- The parts ------------------------------------------------------------------------------- */

static int serve(void *in, void *out)
{
    member *me = in;

    for (int64_t ball = 0, i = 0; i < me->items; i++) {
        ball++;
        bench_must(il_chan_send(me->to, &ball, IL_FOREVER), "send");
        bench_must(il_chan_recv(me->from, &ball, IL_FOREVER), "receive");
        me->sum = ball;
    }
    return 0;
}

static int reply(void *in, void *out)
{
    member *me = in;

    for (int64_t ball, i = 0; i < me->items; i++) {
        bench_must(il_chan_recv(me->from, &ball, IL_FOREVER), "receive");
        ball++;
        bench_must(il_chan_send(me->to, &ball, IL_FOREVER), "send");
    }
    return 0;
}

static int produce(void *in, void *out)
{
    member *me = in;

    for (int64_t i = 0; i < me->items; i++)
        bench_must(il_chan_send(me->to, &i, IL_FOREVER), "send");
    return 0;
}

static int consume(void *in, void *out)
{
    member *me = in;

    for (int64_t item, i = 0; i < me->items; i++) {
        bench_must(il_chan_recv(me->from, &item, IL_FOREVER), "receive");
        me->sum += item;
    }
    return 0;
}

static int pass_on(void *in, void *out)
{
    member *me = in;

    for (int64_t item, i = 0; i < me->items; i++) {
        bench_must(il_chan_recv(me->from, &item, IL_FOREVER), "receive");
        item++;
        bench_must(il_chan_send(me->to, &item, IL_FOREVER), "send");
    }
    return 0;
}

static int consume_any(void *in, void *out)
{
    member *me = in;
    il_case cases[SELECTED];
    int64_t item;
    size_t which;

    for (int i = 0; i < SELECTED; i++) cases[i] = IL_RECV(chans[i], &item);
    for (int64_t i = 0; i < me->items; i++) {
        bench_must(il_select_fair(cases, SELECTED, IL_FOREVER, &which), "select");
        me->sum += item;
    }
    return 0;
}

/* --- The lines ------------------------------------------------------------------------------- */

static int64_t sum_below(int64_t n)
{
    return n * (n - 1) / 2;
}

static double ping(int64_t n)
{
    il_chan *there = new_chan(0), *back = new_chan(0);

    add(serve, n / 2, back, there);
    add(reply, n / 2, there, back);
    double time = (double)run();
    bench_expect("chan-ping", members[0].sum, n / 2 * 2);
    return time / (double)n;
}

static double many(const char *line, int64_t n, int sides)
{
    il_chan *chan = new_chan(CAPACITY);
    int64_t each = n / sides, sum = 0;

    for (int i = 0; i < sides; i++) {
        add(produce, each, NULL, chan);
        add(consume, each, chan, NULL);
    }
    double time = (double)run();
    for (int i = 0; i < member_count; i++) sum += members[i].sum;
    bench_expect(line, sum, sides * sum_below(each));
    return time / (double)(each * sides);
}

static double selected(int64_t n)
{
    int64_t each = n / SELECTED;

    for (int i = 0; i < SELECTED; i++) add(produce, each, NULL, new_chan(0));
    add(consume_any, each * SELECTED, NULL, NULL);
    double time = (double)run();
    bench_expect("chan-select", members[SELECTED].sum, SELECTED * sum_below(each));
    return time / (double)(each * SELECTED);
}

static double pipeline(int64_t n)
{
    il_chan *from = new_chan(0), *to;

    n /= STAGES;
    add(produce, n, NULL, from);
    for (int i = 1; i < STAGES - 1; i++, from = to) {
        to = new_chan(0);
        add(pass_on, n, from, to);
    }
    add(consume, n, from, NULL);
    double time = (double)run();
    bench_expect("chan-pipeline", members[STAGES - 1].sum, sum_below(n) + n * (STAGES - 2));
    return time / (double)(n * STAGES);
}

static double memory(int64_t n)
{
    il_chan **all = bench_array((size_t)n, sizeof *all);
    int64_t before = bench_resident();

    for (int64_t i = 0; i < n; i++)
        bench_must(il_chan_new(sizeof(int64_t), NULL, &all[i]), "channel");
    int64_t bytes = bench_resident() - before;
    for (int64_t i = 0; i < n; i++) il_chan_free(all[i]);
    free(all);
    return (double)bytes / (double)n;
}

static double measure(const char *line, int64_t n)
{
    member_count = 0;
    if (!strcmp(line, "chan-ping")) return ping(n);
    if (!strcmp(line, "chan-one")) return many(line, n, 1);
    if (!strcmp(line, "chan-four")) return many(line, n, SIDES);
    if (!strcmp(line, "chan-select")) return selected(n);
    if (!strcmp(line, "chan-pipeline")) return pipeline(n);
    if (!strcmp(line, "chan-memory")) return memory(n);
    bench_die("what=%s: not a line of chan", line);
}

int main(int argc, char **argv)
{
    int workers = (int)bench_number(argv, "workers", 1);
    int64_t n = bench_number(argv, "n", 1000000);
    const char *what = bench_word(argv, "what"), *on = bench_word(argv, "on");
    bool threads = on && !strcmp(on, "thread"), bytes;

    if (!what) bench_die("what=LINE is missing");
    if (!threads)
        bench_must(il_threads_new(&(il_threads_opts){ .workers = (unsigned)workers }, &pool),
                   "pool");
    bytes = !strcmp(what, "chan-memory");
    if (!bytes) measure(what, n / 100);
    bench_line(what, threads ? "interlock-thread" : "interlock", workers, measure(what, n),
               bytes ? "bytes" : "ns", 1);
    il_executor_free(pool);
    return argc == 0;
}
