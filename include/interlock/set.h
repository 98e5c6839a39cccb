/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_SET_H
#define INTERLOCK_SET_H

/*
 * Set: which keys have been seen, for many tasks at once. A table without values; what table.h says
 * of keys, moments and memory holds here.
 *
 *     il_set *seen = NULL;
 *     int status = il_set_new(IL_STRINGS, NULL, &seen);
 *     ...
 *     status = il_set_add(seen, url);
 *     if (status == -EALREADY) return 0;      // another has it: of all who add it one is told 0
 */

#include <interlock/table.h>

IL__BEGIN

typedef struct il_set il_set;

/* Gives a set of keys of key_size bytes, or IL_STRINGS. 0, -ENOMEM, -EINVAL. */
IL_API int il_set_new(size_t key_size, const il_table_opts *opts, il_set **out_set);

/* Nobody uses it any more. NULL is fine. */
IL_API void il_set_free(il_set *set);

/* Put it in. 0, -EALREADY (it was in) or -ENOMEM. */
IL_API int il_set_add(il_set *set, const void *key);

/* Take it out. Was it in? */
IL_API bool il_set_remove(il_set *set, const void *key);

/* Is it in? */
IL_API bool il_set_contains(il_set *set, const void *key);

/* How many are in: as il_table_count. */
IL_API size_t il_set_count(il_set *set);

/* All that were in at one moment: as il_table_snapshot, with values NULL. 0 or -ENOMEM. */
IL_API int il_set_snapshot(il_set *set, il_snapshot *out_snapshot);

IL__END

#endif
