/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_ARENA_H
#define INTERLOCK_ARENA_H

/*
 * Arena: memory that several processes share and allocate from. Channels between processes
 * (shared_chan.h), namespaces (space.h) and semaphores (shared_sem.h) lie in one.
 *
 *     il_arena *arena = NULL;
 *     int status = il_arena_new(&(il_arena_opts){ .size = 64 << 20 }, &arena);
 *     il_handle handle = il_arena_handle(arena);             // bytes: into the input of a task
 *     ...
 *     status = il_arena_open(&handle, &arena);               // there
 *     char *words = il_arena_alloc(arena, 100);              // a block, here
 *     words = il_arena_at(arena, place);                     // the same block, there
 *
 * An arena has no name in any file system: it is gone with the last process that has it open,
 * however that one ends. It is mapped at another address in each process, so what is passed on is not
 * a pointer but a place, which means the same everywhere.
 *
 * A process may be killed at any instruction, and the arena stays whole: an operation that it was in
 * the middle of has then happened or has not. Each block is held by the process that allocated it,
 * until it says otherwise; what a dead process held stays as it is, can be found and released.
 * A process that is stopped (SIGSTOP) in the middle of an operation holds up the others until it
 * goes on.
 *
 * Any thread or fiber of a process that has it open may use it. A child of fork may not use what its
 * parent has open, but may open it itself. A process that executes another program must let
 * go of it first: else it counts as alive. All processes must be of one program (or use the same
 * version of the library) and one user, and see each other in /proc. At most 256 at a time.
 */

#include <interlock/api.h>
#include <interlock/time.h>

IL__BEGIN

typedef struct il_arena il_arena;

/* Names an arena, or something in it, to another process: plain bytes, to be copied. It leads there
 * as long as the process that made it has the arena open. */
typedef struct il_handle {
    uint64_t words[8];
} il_handle;

/* All zero is each default; NULL means all defaults. */
typedef struct il_arena_opts {
    size_t size;      /* bytes, all in all; 0: 16 MiB. Pages cost memory when they are first used */
    const char *name; /* copied; shown in /proc; NULL: "interlock" */
} il_arena_opts;

typedef struct il_arena_info {
    size_t size;           /* bytes, all in all */
    size_t used, peak;     /* bytes in blocks, with what each costs; the most there ever were */
    size_t largest;        /* bytes that the largest block could have that could be had now */
    size_t blocks;         /* allocated */
    size_t orphans;        /* of them held by processes that have died or let go of the arena */
    unsigned processes;    /* that have it open */
    unsigned long deaths;  /* processes that ended without letting go */
    unsigned long repairs; /* times that one ended in the middle of an operation on the arena */
} il_arena_info;

/* Gives an arena, open here. 0, -ENOMEM, -EMFILE, -EINVAL (too small). */
IL_API int il_arena_new(const il_arena_opts *opts, il_arena **out_arena);

/* Names it to others. */
IL_API il_handle il_arena_handle(il_arena *arena);

/* Open an arena here that another process has given the handle of. Opened before in this process: the
 * same arena. 0, -ENOMEM, -EMFILE, -EAGAIN (256 processes have it), -EINVAL (no handle of one),
 * -EOWNERDEAD (who gave the handle has ended or let go of it), -EACCES (not our user). */
IL_API int il_arena_open(const il_handle *handle, il_arena **out_arena);

/* Let go of it, as often as it was opened or made here; the last time it is closed, and what this
 * process still holds counts as that of a dead one. Nobody here may be using it. NULL is fine. */
IL_API void il_arena_free(il_arena *arena);

/* A block of `size` bytes, aligned as by malloc, with what was there before; held by this process.
 * NULL: there is no room. */
IL_API void *il_arena_alloc(il_arena *arena, size_t size);

/* Release a block, whoever holds it. NULL is fine; a block that is not one is il_fatal. */
IL_API void il_arena_dealloc(il_arena *arena, void *block);

/* The place of an address in the arena, which means the same in all processes, and back. 0 is the
 * place of NULL. An address or a place outside is NULL, 0. */
IL_API uint64_t il_arena_place(const il_arena *arena, const void *address);
IL_API void *il_arena_at(const il_arena *arena, uint64_t place);

/* Say who holds a block: this process, whoever did so far; or nobody, so that it stays until it is
 * released. */
IL_API void il_arena_adopt(il_arena *arena, void *block);
IL_API void il_arena_disown(il_arena *arena, void *block);

/* Blocks whose holders have died or let go of the arena: writes up to `capacity` places, returns how
 * many there are. Or release them all; returns how many it were. */
IL_API size_t il_arena_orphans(il_arena *arena, uint64_t *out_places, size_t capacity);
IL_API size_t il_arena_dealloc_orphans(il_arena *arena);

IL_API void il_arena_describe(il_arena *arena, il_arena_info *out_info);

IL__END

#endif
