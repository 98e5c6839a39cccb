/* SPDX-License-Identifier: MIT */
/* Set: a table without values, under a type of its own. An il_set is never looked into: it is the
 * il_table at that address. */

#include <interlock/set.h>

static il_table *table_of(il_set *set)
{
    return (il_table *)(void *)set;
}

int il_set_new(size_t key_size, const il_table_opts *opts, il_set **out_set)
{
    il_table *table = NULL;
    int status = il_table_new(key_size, 0, opts, &table);
    if (!status) *out_set = (il_set *)(void *)table;
    return status;
}

void il_set_free(il_set *set)
{
    il_table_free(table_of(set));
}

int il_set_add(il_set *set, const void *key)
{
    return il_table_add(table_of(set), key, NULL);
}

bool il_set_remove(il_set *set, const void *key)
{
    return il_table_remove(table_of(set), key, NULL);
}

bool il_set_contains(il_set *set, const void *key)
{
    return il_table_get(table_of(set), key, NULL);
}

size_t il_set_count(il_set *set)
{
    return il_table_count(table_of(set));
}

int il_set_snapshot(il_set *set, il_snapshot *out_snapshot)
{
    return il_table_snapshot(table_of(set), out_snapshot);
}
