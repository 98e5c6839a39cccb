/* SPDX-License-Identifier: MIT */
/*
 * A race: four tasks count together, and some of what they count is lost. Then three ways to lose
 * nothing. The losing one runs on request only:
 *
 *     06_race          the right ways; exit 0
 *     06_race --race   the wrong one; exit 1, since updates are lost
 */
#include <interlock.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { TASKS = 4, ROUNDS = 10000 };

/* Wrong: between reading and writing, others read and write as well. This happens with a plain
 * `counter++` too; the yield makes it happen on one CPU. */
static volatile long plain;

static int count_plain(void *in, void *out)
{
    for (int i = 0; i < ROUNDS; i++) {
        long seen = plain;
        if (i % 100 == 0) il_yield();
        plain = seen + 1;
    }
    return 0;
}

/* Right, for one number: reading and writing are one step. */
static atomic_long indivisible;

static int count_atomic(void *in, void *out)
{
    for (int i = 0; i < ROUNDS; i++) atomic_fetch_add(&indivisible, 1);
    return 0;
}

/* Right, for any data: a cell whose value is reached only through these two calls, and so only
 * while its mutex is held. */
struct cell {
    il_mutex mutex;
    long hidden;
};

static long *cell_open(struct cell *cell)
{
    il_mutex_lock(&cell->mutex);
    return &cell->hidden;
}

static void cell_close(struct cell *cell)
{
    il_mutex_unlock(&cell->mutex);
}

static struct cell guarded;

static int count_guarded(void *in, void *out)
{
    for (int i = 0; i < ROUNDS; i++) {
        ++*cell_open(&guarded);
        cell_close(&guarded);
    }
    return 0;
}

/* Best: share nothing. Each counts for itself, and the sum is made at the end. */
static long own[TASKS];

static int count_own(void *in, void *out)
{
    long count = 0;
    for (int i = 0; i < ROUNDS; i++) count++;
    *(long *)out = count;
    return 0;
}

/* Run `fn` in four tasks at once; they write to own[] or to what they share. */
static int together(il_executor *pool, il_fn *fn)
{
    il_scope *scope = NULL;
    int status = il_scope_open(&(il_scope_opts){ .executor = pool }, &scope);
    if (status) return status;
    for (int i = 0; !status && i < TASKS; i++) status = il_go(scope, fn, NULL, &own[i]);
    int closed = il_scope_close(scope);
    return closed ? closed : status;
}

/* 0 when nothing was lost. */
static int report(const char *how, long observed, int status)
{
    long expected = (long)TASKS * ROUNDS;
    if (status) printf("%-8s %s\n", how, il_strerror(status));
    else printf("%-8s expected %ld, observed %ld\n", how, expected, observed);
    return status || observed != expected;
}

int main(int argc, char **argv)
{
    il_executor *pool = NULL;
    int lost = 0, status = il_threads_new(NULL, &pool);
    if (status) return 1;
    if (argc > 1 && !strcmp(argv[1], "--race")) {
        status = together(pool, count_plain);
        lost += report("plain", plain, status);
    } else {
        status = together(pool, count_atomic);
        lost += report("atomic", indivisible, status);
        status = together(pool, count_guarded);
        lost += report("mutex", *cell_open(&guarded), status);
        cell_close(&guarded);
        status = together(pool, count_own);
        lost += report("own", own[0] + own[1] + own[2] + own[3], status);
    }
    il_executor_free(pool);
    return lost != 0;
}
