/* SPDX-License-Identifier: MIT */
/*
 * A model of closing a pool (threads.c), for Spin: `make check-models`.
 *
 * One task has entered from outside; each task, while it runs, may start more on its own worker, TASKS
 * in all. Each worker counts alone what it began and what it ended. One closes, and waits until the
 * sums say that it is quiet. Checked, in every interleaving: it is quiet when the close returns, and
 * the close returns.
 *
 * Faults to plant, by -D, each of which is found: BEGUN_FIRST (the sum of the begun is read first),
 * COUNT_LATE (a task is visible before it is counted), NO_SWAP (who ends a task adds up before the
 * others can see that it has ended), NO_FENCE (it looks whether somebody closes before that).
 */

#define WORKERS 2
#ifndef TASKS
#define TASKS 4
#endif

byte begun[WORKERS], ended[WORKERS];
byte runnable = 1, made = 1; /* the one from outside, which is counted: hence the 1 in look() */
byte running;
bool closing, closed;
bool gate_lock, waits; /* the closer is in the gate's list; guarded by gate_lock */
bool woken;

inline lock(l) { atomic { !l -> l = true } }
inline unlock(l) { l = false }

/* is_quiet: e and b are the sums, each counter read in a step of its own. `own` is what this worker has
 * ended and the others cannot see yet. */
inline look(own)
{
#ifdef BEGUN_FIRST
    b = 1 + begun[0];
    b = b + begun[1];
#endif
    e = own + ended[0];
    e = e + ended[1];
#ifndef BEGUN_FIRST
    b = 1 + begun[0];
    b = b + begun[1];
#endif
}

active [WORKERS] proctype worker()
{
    byte e, b;
    bool closes;

end:
    do
    :: atomic { runnable > 0 -> runnable--; running++ };
        do
        :: atomic { made < TASKS -> made++ };
#ifndef COUNT_LATE
            begun[_pid]++;
#endif
            atomic { runnable++ };
#ifdef COUNT_LATE
            begun[_pid]++
#endif
        :: break
        od;
        atomic { running-- };

        /* il__pool_task_ended */
#ifdef NO_FENCE
        closes = closing;
#endif
#ifdef NO_SWAP
        look(1);
#endif
        ended[_pid]++;
#ifndef NO_FENCE
        closes = closing;
#endif
        if
        :: closes ->
#ifndef NO_SWAP
            look(0);
#endif
            if
            :: e == b ->
                lock(gate_lock);
                if
                :: waits -> waits = false; woken = true
                :: else
                fi;
                unlock(gate_lock)
            :: else
            fi
        :: else
        fi;
        d_step { e = 0; b = 0; closes = false }
    od
}

active proctype closer()
{
    byte e, b;
    closing = true;
    do
    :: lock(gate_lock);
        look(0);
        if
        :: e == b -> unlock(gate_lock); break
        :: else ->
            waits = true;
            unlock(gate_lock);
            woken;
            woken = false
        fi
    od;
    assert(runnable == 0 && running == 0);
    closed = true
}

/* faults: BEGUN_FIRST COUNT_LATE NO_SWAP NO_FENCE. */
