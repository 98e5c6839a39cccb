/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_H
#define INTERLOCK_H

/*
 * Interlock: write a job once, as int fn(void *in, void *out), and run it in place or on threads.
 *
 * Two ideas carry it. One way to run: a task runs on an executor, gives a future, belongs to a
 * scope. One way to wait: whatever waits parks the task, a fiber by switching, a thread by
 * sleeping, with a deadline, and can be cancelled. Each noun has its header:
 */

#include <interlock/status.h> /* 0 or a negative errno; errors with words, place and cause */
#include <interlock/time.h>   /* absolute deadlines */
#include <interlock/cpu.h>    /* how many CPUs are ours */

#include <interlock/executor.h>   /* where tasks run */
#include <interlock/processes.h>  /* the same in worker processes */
#include <interlock/loop.h>       /* the same on one thread that watches descriptors */
#include <interlock/timer.h>      /* calls at a time, or every so often */
#include <interlock/signal.h>     /* SIGINT and its like, as values to wait for */
#include <interlock/future.h>     /* what comes back */
#include <interlock/map.h>        /* one function over many items */
#include <interlock/scope.h>      /* what tasks belong to */
#include <interlock/fork.h>       /* divide and conquer inside a pool */
#include <interlock/thread.h>     /* one thread, by hand */
#include <interlock/process.h>    /* a program beside this one */
#include <interlock/frames.h>     /* messages through pipes and sockets */
#include <interlock/connection.h> /* the same between programs that share a key */
#include <interlock/self.h>       /* who am I, who else lives */

#include <interlock/mutex.h>   /* one at a time */
#include <interlock/rmutex.h>  /* the same, re-entrant */
#include <interlock/rwlock.h>  /* many readers or one writer */
#include <interlock/cond.h>    /* wait for a condition under a mutex */
#include <interlock/sem.h>     /* so many at a time */
#include <interlock/event.h>   /* a flag to wait for */
#include <interlock/barrier.h> /* meet, then go on together */
#include <interlock/latch.h>   /* wait for a count to reach zero */
#include <interlock/once.h>    /* exactly once */
#include <interlock/cell.h>    /* a value that is reached only under its lock */

#include <interlock/chan.h>      /* items go in here and come out there: queue, rendezvous */
#include <interlock/select.h>    /* wait for several things, do one of them */
#include <interlock/broadcast.h> /* publish and subscribe: each item to each */
#include <interlock/csp.h>       /* processes in parallel, in sequence, and how a network ends */
#include <interlock/generator.h> /* a function that yields values, to be asked for the next */
#include <interlock/table.h>     /* values by key, for many at once */
#include <interlock/set.h>       /* keys, for many at once */

#include <interlock/socket.h>  /* connections, over TCP or a Unix socket */
#include <interlock/udp.h>     /* messages, each for itself */
#include <interlock/resolve.h> /* names and addresses */
#include <interlock/file.h>    /* bytes on a disk */
#include <interlock/emitter.h> /* events by name, and who wants to hear of them */

#include <interlock/arena.h>       /* memory that processes share and allocate from */
#include <interlock/shared_chan.h> /* a channel between processes */
#include <interlock/shared_sem.h>  /* so many at a time, of several processes */
#include <interlock/space.h>       /* values by name, for several processes */

#include <interlock/log.h>    /* lines of several processes in one file, each whole */
#include <interlock/choose.h> /* measure where a job runs best */

#define IL_VERSION "0.1.0"

#endif
