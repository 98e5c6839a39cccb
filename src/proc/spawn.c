/* SPDX-License-Identifier: MIT */
/*
 * Starting the zygote, from a program full of threads: posix_spawn, which neither copies our memory
 * nor runs anything of ours in between.
 *
 * The program recognises the mark in the constructor of this library (zygote.c). Where the library
 * is a shared one, it is preloaded: then it is there in any case, also where the program itself
 * loads it late (as an interpreter does), and its constructor comes after those of the others.
 */

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/shared.h"
#include "proc/module.h"
#include "proc/zygote.h"
#include "proc/lane.h"

/* Here, so that who links the static library and makes pools has it too. There the constructors of the
 * program have run, as they come before those of an archive; where we are preloaded they have not. */
__attribute__((constructor)) static void look_at_mark(int argc, char **argv)
{
    il__zygote_become_if_asked(getenv(IL__ZYGOTE_PRELOAD) ? il__run_constructors : NULL, argc,
                               argv);
}

/* The path of the shared library that this is in; "": it is part of the program. */
static void own_library(char *path, size_t size)
{
    static int inside;
    il__module module;
    uint64_t offset;
    *path = 0;
    if (il__module_of((il_fn *)(void *)&inside, &module, &offset)) return;
    if (dlsym(RTLD_DEFAULT, "__asan_init")) return; /* it insists on being the first */
    snprintf(path, size, "%s", module.path);
}

static bool is_ours(const char *variable)
{
    static const char *const names[] = { IL__ZYGOTE_MARK "=", IL__ZYGOTE_PRELOAD "=",
                                         "LD_PRELOAD=" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strncmp(variable, names[i], strlen(names[i]))) return true;
    return false;
}

/* The environment with our marks in it. The strings of ours are in `room`. */
static char **marked_environment(int control, char kind, char *room, size_t size)
{
    char library[IL__PATH];
    const char *preload = getenv("LD_PRELOAD");
    size_t count = 0, kept = 0, used;
    own_library(library, sizeof library);
    while (environ[count]) count++;
    char **marked = il__alloc((count + 4) * sizeof *marked);
    if (!marked) return NULL;
    for (size_t i = 0; i < count; i++)
        if (!is_ours(environ[i])) marked[kept++] = environ[i];

    marked[kept++] = room;
    used =
        (size_t)snprintf(room, size, IL__ZYGOTE_MARK "=%d:%ld:%c", control, (long)getpid(), kind) +
        1;
    if (*library && used < size) {
        marked[kept++] = room + used;
        used += (size_t)snprintf(room + used, size - used, IL__ZYGOTE_PRELOAD "=%s",
                                 preload ? preload : "") +
                1;
    }
    if (used < size && (*library || preload)) {
        marked[kept++] = room + used;
        used +=
            (size_t)snprintf(room + used, size - used, "LD_PRELOAD=%s%s%s", library,
                             *library && preload && *preload ? ":" : "", preload ? preload : "") +
            1;
    }
    marked[kept] = NULL;
    if (used <= size) return marked;
    il__free(marked);
    return NULL;
}

static int spawn(int control, const char *name, char **environment, pid_t *out_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    char *const arguments[] = { (char *)(size_t)name, NULL };
    if (il__refused()) return -EAGAIN;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed) return -failed;
    failed = posix_spawnattr_init(&attributes);
    if (failed) {
        posix_spawn_file_actions_destroy(&actions);
        return -failed;
    }
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    failed = posix_spawn_file_actions_adddup2(&actions, control, control); /* keep it on exec */
    if (!failed)
        failed =
            posix_spawn(out_pid, "/proc/self/exe", &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -failed;
}

int il__zygote_start(const char *name, char kind, int *out_control, pid_t *out_pid)
{
    int ends[2];
    il__zygote_become_if_asked(NULL, 0, NULL); /* a constructor makes a pool: it would for ever */
    int status = il__message_pair(ends);
    if (status) return status;
    const char *preload = getenv("LD_PRELOAD");
    size_t size = (size_t)4 * IL__PATH + (preload ? 2 * strlen(preload) : 0);
    char *room = il__alloc(size);
    char **environment = room ? marked_environment(ends[1], kind, room, size) : NULL;
    status = environment ? spawn(ends[1], name, environment, out_pid) : -ENOMEM;
    il__free(environment);
    il__free(room);
    close(ends[1]);
    if (status) close(ends[0]);
    else *out_control = ends[0];
    return status;
}
