/* SPDX-License-Identifier: MIT */
#ifndef IL_PROC_PROCESS_H
#define IL_PROC_PROCESS_H

/* What starting a process and using it share. */

#include <sys/types.h>
#include <sys/uio.h>

#include <interlock/process.h>

#include "base/error.h"
#include "base/list.h"
#include "os/spin.h"
#include "proc/watcher.h"

struct il__call;

struct il_process {
    /* Set at the start. */
    pid_t pid;
    int pidfd;
    bool group, daemon;
    bool kept; /* the watcher stays for it */
    il_time started;
    char *name;

    il__spin lock; /* of what follows */
    bool ended;    /* atomic as well: the rest does not change any more */
    int status;    /* of the end: 0 or -ECHILD */
    il_exit exit;

    il__link link;     /* in the list of all; guarded by its lock */
    il__watch end;     /* of the pidfd */
    il__watch pipe[3]; /* fd -1: none */

    /* Of a function (call.c); NULL: it is a program. Set at the start. */
    struct il__call *call;
    size_t call_size, out_size;
    void *out;
    uintptr_t base;   /* of the function's module, here */
    il__error *error; /* atomic: of its failure, made when it is first asked for */
};

/* The child's descriptors, and where they lie on our side. Gives what is to be closed here once the
 * child has it. */
typedef struct il__stdio {
    int child[3], ours[3];
    bool close_child[3];
} il__stdio;

/* 0, or a negative errno and nothing is open. */
int il__stdio_open(il__stdio *stdio, const il_process_opts *opts);
void il__stdio_close_child(il__stdio *stdio);
void il__stdio_close_ours(il__stdio *stdio);

/* It runs: note what it is and enter it into the list of all. Takes our ends of its pipes. */
void il__process_enter(il_process *process, const il_process_opts *opts, const il__stdio *stdio);

/* Release what call.c has of it; it has ended. */
void il__process_forget_call(il_process *process);

/* writev() without SIGPIPE, which is for programs whose only reader went away. */
ssize_t il__write_quietly(int fd, const struct iovec *parts, int count);

#endif
