/* SPDX-License-Identifier: MIT */
/* The table line with Interlock: il_table between tasks of a pool, a task a worker. */

#include "table_work.h"
#include <errno.h>
#include <interlock.h>

static il_table *table;
static il_executor *pool;

static bool table_get(uint64_t key, uint64_t *value)
{
    return il_table_get(table, &key, value);
}

static bool table_add(uint64_t key, uint64_t value)
{
    int status = il_table_add(table, &key, &value);
    if (status != -EALREADY) bench_must(status, "add");
    return !status;
}

static bool table_remove(uint64_t key)
{
    return il_table_remove(table, &key, NULL);
}

static int64_t table_count(void)
{
    return (int64_t)il_table_count(table);
}

static int body(void *in, void *out)
{
    table_run(in);
    return 0;
}

static int64_t table_run_all(void)
{
    il_scope *scope = NULL;
    int64_t start = bench_now();
    bench_must(il_scope_open(&(il_scope_opts){ .executor = pool }, &scope), "scope");
    for (int i = 0; i < the_job.workers; i++) {
        bench_must(il_go(scope, body, &table_workers[i], NULL), "go");
    }
    bench_must(il_scope_close(scope), "close");
    return bench_now() - start;
}

int main(int argc, char **argv)
{
    unsigned workers = (unsigned)bench_number(argv, "workers", 1);

    bench_must(il_threads_new(&(il_threads_opts){ .workers = workers }, &pool), "pool");
    bench_must(il_table_new(sizeof(uint64_t), sizeof(uint64_t), NULL, &table), "table");
    table_measure(argv, "interlock");
    il_table_free(table);
    il_executor_free(pool);
    return argc == 0;
}
