/* SPDX-License-Identifier: MIT */
/*
 * Many readers or one writer, around a table that is loaded by whoever needs it first. A reader must
 * never see a table that is half changed.
 */
#include <interlock.h>
#include <stdatomic.h>
#include <stdio.h>

enum { READERS = 4, READS = 300, UPDATES = 50, CITIES = 8 };

static il_once once;
static il_rwlock lock; /* guards the table */
static int degrees[CITIES];
static int loads;

static int load_table(void *arg)
{
    loads++; /* no lock: only one runs this, and the others wait until it has ended */
    for (int i = 0; i < CITIES; i++) degrees[i] = 20;
    return 0;
}

/* Heat moves from city to city, so the sum stays: that is what a reader checks. */
static int update(void *in, void *out)
{
    int status = il_once_run(&once, load_table, NULL);
    for (int i = 0; !status && i < UPDATES; i++) {
        il_rwlock_lock(&lock);
        degrees[i % CITIES]--;
        il_yield(); /* half changed: nobody may look now */
        degrees[(i + 3) % CITIES]++;
        il_rwlock_unlock(&lock);
        il_yield();
    }
    return status;
}

static int read_all(void *in, void *out)
{
    int *consistent = out, status = il_once_run(&once, load_table, NULL);
    for (int i = 0; !status && i < READS; i++) {
        int sum = 0;
        il_rwlock_lock_shared(&lock);
        for (int city = 0; city < CITIES; city++) sum += degrees[city];
        il_rwlock_unlock_shared(&lock);
        if (sum == CITIES * 20) ++*consistent;
        if (i % 10 == 0) il_yield();
    }
    return status;
}

int main(void)
{
    int consistent[READERS] = { 0 }, sum = 0;
    il_executor *pool = NULL;
    il_scope *scope = NULL;
    int status = il_threads_new(NULL, &pool);
    if (!status) status = il_scope_open(&(il_scope_opts){ .executor = pool }, &scope);
    for (int i = 0; !status && i < READERS; i++)
        status = il_go(scope, read_all, NULL, &consistent[i]);
    if (!status) status = il_go(scope, update, NULL, NULL);
    int closed = il_scope_close(scope);
    il_executor_free(pool);
    if (!status) status = closed;

    for (int i = 0; i < READERS; i++) sum += consistent[i];
    printf("%s: loaded %d time, %d of %d reads were consistent\n", il_strerror(status), loads, sum,
           READERS * READS);
    return !(status == 0 && loads == 1 && sum == READERS * READS);
}
