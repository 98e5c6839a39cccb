/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_SPACE_H
#define INTERLOCK_SPACE_H

/*
 * Space: a namespace that processes share. Bytes by name, each with a version, in an arena.
 *
 *     il_space_new(arena, NULL, &space);
 *     il_handle handle = il_space_handle(space);             // bytes: into the input of a task
 *
 *     il_space_open(&handle, &space);                        // in another process
 *     il_space_set(space, "limit", &limit, sizeof limit, IL_ANY_VERSION, &version);
 *
 *     while (!il_space_wait(space, "limit", version, IL_FOREVER, &version))
 *         il_space_get(space, "limit", &limit, sizeof limit, NULL, NULL);   // at each change
 *
 * Each change in a space gives what was changed a version greater than any before, so that also what
 * was deleted and made anew has another. Version 0 is that of what is not there. To change what was
 * read, and only if nobody else has changed it since, say the version that was read:
 *
 *     do {
 *         il_space_get(space, "sum", &sum, sizeof sum, NULL, &version);
 *         sum += mine;
 *     } while (il_space_set(space, "sum", &sum, sizeof sum, version, NULL) == -ESTALE);
 *
 * A key is a string of 1 to 255 bytes. Every operation happens whole or not at all, whenever a process is
 * killed; what a dead process has set stays. Any thread or fiber.
 */

#include <interlock/arena.h>

IL__BEGIN

typedef struct il_space il_space;

/* Whatever version it has now, also none. */
#define IL_ANY_VERSION UINT64_MAX

/* All zero is each default; NULL means all defaults. */
typedef struct il_space_opts {
    size_t keys; /* about how many there will be: more are slower to find; 0: 256 */
} il_space_opts;

/* Gives a space in an arena, which it keeps open, and which bounds its memory. 0, -ENOMEM. */
IL_API int il_space_new(il_arena *arena, const il_space_opts *opts, il_space **out_space);

/* Names it to others; opens it here: as il_shared_chan_handle and il_shared_chan_open. */
IL_API il_handle il_space_handle(const il_space *space);
IL_API int il_space_open(const il_handle *handle, il_space **out_space);

/* Let go of it, as often as it was made or opened here. With the last process that does, what is inside
 * is gone. NULL is fine. */
IL_API void il_space_free(il_space *space);

/* Set a key to a copy of `size` bytes, if its version is `expected`: 0 (it must not be there), the
 * version that was read, or IL_ANY_VERSION. *out_version (may be NULL) is its new one. Never waits.
 * 0; -ESTALE: it has another version; -ENOMEM: the arena is full; -EINVAL, -EPERM: nothing was
 * changed. */
IL_API int il_space_set(il_space *space, const char *key, const void *data, size_t size,
                        uint64_t expected, uint64_t *out_version);

/* Copy what a key has. *out_size, *out_version (may be NULL): how much, and its version. Never waits.
 * 0; -ENOENT; -ENOBUFS: it is more than `capacity`, *out_size says how much, nothing was copied. */
IL_API int il_space_get(il_space *space, const char *key, void *out_data, size_t capacity,
                        size_t *out_size, uint64_t *out_version);

/* Delete a key, if its version is `expected`. 0, -ENOENT, -ESTALE. */
IL_API int il_space_delete(il_space *space, const char *key, uint64_t expected);

/* Wait until the version of a key exceeds `above`: *out_version (may be NULL) says what it is. `above` 0
 * waits for it to be there; else one that is not there, or has been deleted meanwhile, is -ENOENT.
 * 0, -ENOENT, -EAGAIN, -ETIMEDOUT, -ECANCELED. Of several changes in a row the last is seen. */
IL_API int il_space_wait(il_space *space, const char *key, uint64_t above, il_time until,
                         uint64_t *out_version);

/* Call visit for each key that begins with `prefix` (NULL: each), in no order, as they were at one
 * moment; it may use the space, and ends the list by returning something else than 0, which is then
 * returned. 0, -ENOMEM. */
typedef int il_space_visit(const char *key, size_t size, uint64_t version, void *arg);
IL_API int il_space_list(il_space *space, const char *prefix, il_space_visit *visit, void *arg);

/* How many keys there are. */
IL_API size_t il_space_count(const il_space *space);

IL__END

#endif
