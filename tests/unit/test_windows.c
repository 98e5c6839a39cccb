/* SPDX-License-Identifier: MIT */
/*
 * Maps over ordinary memory on processes: workers copy window by window where the kernel lets them,
 * and the monitor copies where it does not. Each claim holds both ways, and where one changes into
 * the other.
 */

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <interlock/processes.h>

#include "work.h"

enum { ITEMS = 100000 }; /* of 16 bytes and 8: several windows */

struct item {
    long n;
    int runs;
    int what;
};
enum { NOTHING, DIE, FAIL, LOSE_REACH };

static struct item *items; /* in shared memory: what a task writes there is there at once */
static long *results;

/* From here on this process may not copy from or to the memory of another. */
static int lose_reach(void *arg)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_writev, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = { .len = sizeof rules / sizeof *rules, .filter = rules };
    if (arg && !*(int *)arg) return 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return -errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) ? -errno : 0;
}

static const struct way {
    unsigned workers;
    int without_reach;
} ways[] = { { 1, 0 }, { 2, 0 }, { 1, 1 }, { 2, 1 } };

static int open_pool(void **state)
{
    const struct way *way = *state;
    il_processes_opts opts = {
        .workers = way->workers,
        .on_worker_start = lose_reach,
        .arg = &way->without_reach,
        .arg_size = sizeof way->without_reach,
    };
    il_executor *pool = NULL;
    items = il_shared_alloc(ITEMS * sizeof *items);
    results = malloc(ITEMS * sizeof *results);
    for (long i = 0; items && results && i < ITEMS; i++) {
        items[i].n = i;
        results[i] = -i;
    }
    int status = items && results ? il_processes_new(&opts, &pool) : -ENOMEM;
    *state = pool;
    return status;
}

static int free_pool(void **state)
{
    il_executor_free(*state);
    il_shared_free(items);
    free(results);
    return waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD;
}

#define ON_WAY(test, n, words)                                                                     \
    {                                                                                              \
#test " (" words ")", test, open_pool, free_pool, (void *)&ways[n]                         \
    }
#define EACH_WAY(test)                                                                             \
    ON_WAY(test, 0, "1 worker"), ON_WAY(test, 1, "2 workers"), ON_WAY(test, 2, "1, no reach"),     \
        ON_WAY(test, 3, "2, no reach")

/* Adds to what is there, so that it shows whether that came along. */
static int work(void *in, void *out)
{
    struct item *item = in;
    item->runs++;
    if (item->what == DIE) raise(SIGKILL);
    if (item->what == FAIL) return -EXDEV;
    if (item->what == LOSE_REACH && lose_reach(NULL)) return -EIO;
    *(long *)out += item->n * 3;
    return 0;
}

static void a_map_sees_what_is_in_the_array_it_writes_to(void **state)
{
    assert_int_equal(il_map(*state, work, items, results, ITEMS, NULL), 0);
    for (long i = 0; i < ITEMS; i++) assert_int_equal(results[i], 2 * i);
}

static int negate(void *in, void *out)
{
    *(long *)out = -*(long *)in;
    return 0;
}

static void both_arrays_may_be_ordinary(void **state)
{
    long *negative = calloc(ITEMS + 1, sizeof *negative);
    assert_int_equal(il_map(*state, negate, results, negative, ITEMS, NULL), 0);
    for (long i = 0; i < ITEMS; i++) assert_int_equal(negative[i], i);
    assert_int_equal(negative[ITEMS], 0);
    free(negative);
}

struct big {
    long first, rest[99999], last;
};

static int mark_ends(void *in, void *out)
{
    struct big *big = out;
    big->first += *(long *)in;
    big->last -= *(long *)in;
    return 0;
}

static void an_item_may_be_larger_than_a_window(void **state)
{
    static struct big out[5];
    long in[5] = { 1, 2, 3, 4, 5 };
    memset(out, 0, sizeof out);
    assert_int_equal(il_map(*state, mark_ends, in, out, 5, NULL), 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(out[i].first, in[i]);
        assert_int_equal(out[i].last, -in[i]);
    }
}

static void a_death_in_a_window_costs_its_item_and_repeats_none(void **state)
{
    for (long i = 77; i < ITEMS; i += 9999) items[i].what = DIE;
    assert_int_equal(il_map(*state, work, items, results, ITEMS, NULL), -EOWNERDEAD);
    for (long i = 0; i < ITEMS; i++) {
        assert_int_equal(items[i].runs, 1);
        assert_int_equal(results[i], items[i].what == DIE ? -i : 2 * i);
    }
}

static void a_failure_in_a_window_costs_its_item_and_repeats_none(void **state)
{
    for (long i = 77; i < ITEMS; i += 9999) items[i].what = FAIL;
    assert_int_equal(il_map(*state, work, items, results, ITEMS, NULL), -EXDEV);
    for (long i = 0; i < ITEMS; i++) {
        assert_int_equal(items[i].runs, 1);
        assert_int_equal(results[i], items[i].what == FAIL ? -i : 2 * i);
    }
}

static void a_worker_that_loses_its_reach_in_a_window_loses_no_result(void **state)
{
    items[ITEMS / 3].what = items[ITEMS / 3 + 1].what = items[ITEMS - 5].what = LOSE_REACH;
    assert_int_equal(il_map(*state, work, items, results, ITEMS, NULL), 0);
    for (long i = 0; i < ITEMS; i++) {
        assert_int_equal(items[i].runs, 1);
        assert_int_equal(results[i], 2 * i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_WAY(a_map_sees_what_is_in_the_array_it_writes_to),
        EACH_WAY(both_arrays_may_be_ordinary),
        EACH_WAY(an_item_may_be_larger_than_a_window),
        EACH_WAY(a_death_in_a_window_costs_its_item_and_repeats_none),
        EACH_WAY(a_failure_in_a_window_costs_its_item_and_repeats_none),
        EACH_WAY(a_worker_that_loses_its_reach_in_a_window_loses_no_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
