/* SPDX-License-Identifier: MIT */
/*
 * A model of the parking protocol (agent.h, wait.c, gate.c, and the fiber's side in
 * ../sched/fiber.c), for Spin: `make check-models`.
 *
 * One fiber waits at one gate and then at another, each until a flag is set, with a deadline, and
 * can be cancelled. Beside it: for each gate one who sets its flag and wakes, a timer that expires, a
 * cancellation. All of them race. Checked, in every interleaving:
 *
 *   - a wait is claimed exactly once, and ends only after its winner has let it go;
 *   - a fiber is made runnable exactly once for each time that it parks;
 *   - who claims finds the fiber in a list whose lock it holds, and the wait is not over then;
 *   - no wake-up is lost: nothing gets stuck (Spin reports an invalid end state);
 *   - a cancellation that is over is not missed by a wait that begins to park.
 *
 * Steps that are one locked instruction in C are one atomic step here. Faults to plant, by -D, each
 * of which is found: NO_COMMIT_CHECK (a fiber parks without looking whether it was woken meanwhile),
 * NO_RECHECK (the flag is looked at before the gate is locked, not after), CLAIM_TWICE (a claim
 * leaves the word as it is), LEAVE_EARLY (a wait that was not woken by its gate stays in its list),
 * EARLY_LOOK (the wait looks at the status of its node before it says WAITING, as a CPU may that is
 * not told otherwise).
 */

mtype = { IDLE, WAITING, CLAIMED, WOKEN };
mtype phase = IDLE; /* bits 0 and 1 of the word */
bool parked;        /* bit 2 */

bool gate_lock[2], timer_lock, node_lock;
byte in_gate[2]; /* which wait (1, 2) the waiter in the list belongs to; guarded by gate_lock */
bool flag[2];    /* what is waited for; guarded by gate_lock */
bool in_timers;  /* guarded by timer_lock */
bool cancelled;  /* the status of the node */
bool cancel_over; /* the cancellation has done what it does */
byte runnable;   /* how often the fiber is in a run queue */
byte wait;       /* which wait is going on, 0: none */
byte claims;     /* of this wait */

inline lock(l) { atomic { !l -> l = true } }
inline unlock(l) { l = false }

/* il__claim: one compare-and-swap. */
inline claim(won)
{
    atomic {
        if
        :: phase == WAITING -> assert(wait); claims++; won = true;
#ifndef CLAIM_TWICE
           phase = CLAIMED
#endif
        :: else -> won = false
        fi
    }
}

/* il__deliver: one fetch-or, then unpark if it was parked. */
inline deliver()
{
    atomic {
        assert(phase == CLAIMED);
        phase = WOKEN;
        if
        :: parked -> runnable++; assert(runnable == 1)
        :: else
        fi
    }
}

active proctype fiber()
{
    byte n = 0;
    bool won, add, seen;

    do
    :: n < 2 ->
        /* The primitive: lock, look, begin to wait, add, unlock. */
#ifdef NO_RECHECK
        add = !flag[n];
        lock(gate_lock[n]);
#else
        lock(gate_lock[n]);
        add = !flag[n];
#endif
        if
        :: !add -> unlock(gate_lock[n])
        :: add ->
            seen = cancelled;
            d_step { claims = 0; wait = n + 1; phase = WAITING };
            in_gate[n] = wait;
            unlock(gate_lock[n]);

            /* il__wait: a cancellation that came before the word was WAITING. */
            won = false;
#ifndef EARLY_LOOK
            seen = cancelled;
#endif
            if
            :: seen -> claim(won)
            :: else
            fi;
            if
            :: won -> phase = WOKEN
            :: else
            fi;
            assert(!cancel_over || claims);
            /* park: the timer, then switch away; whoever runs next commits. */
            if
            :: phase == WOKEN
            :: else ->
                lock(timer_lock); in_timers = true; unlock(timer_lock);
                atomic {
                    if
#ifndef NO_COMMIT_CHECK
                    :: phase == WOKEN -> runnable++; assert(runnable == 1)
#endif
                    :: else -> parked = true
                    fi
                };
                atomic { runnable > 0 -> runnable-- }; /* somebody runs it */
                lock(timer_lock); in_timers = false; unlock(timer_lock)
            fi;
            assert(phase == WOKEN && claims == 1);
            d_step { phase = IDLE; parked = false };
#ifndef LEAVE_EARLY
            lock(gate_lock[n]); in_gate[n] = 0; unlock(gate_lock[n]);
#endif
            wait = 0
        fi;
        n++
    :: else -> break
    od
}

/* Sets the flag of gate g and wakes who waits there. */
active [2] proctype waker()
{
    byte g = _pid % 2, entry;
    bool won = false;
    lock(gate_lock[g]);
    flag[g] = true;
    entry = in_gate[g];
    if
    :: entry -> in_gate[g] = 0; claim(won)
    :: else
    fi;
    assert(!won || entry == wait);
    unlock(gate_lock[g]);
    if
    :: won -> deliver()
    :: else
    fi
}

/* The deadline passes once, at any time, or never. */
active proctype timer()
{
    bool won = false;
    if
    :: true ->
        lock(timer_lock);
        if
        :: in_timers -> in_timers = false; claim(won);
            if
            :: won -> deliver()
            :: else
            fi
        :: else
        fi;
        unlock(timer_lock)
    :: true
    fi
}

/* The scope is cancelled once, at any time, or never. */
active proctype canceller()
{
    bool won = false;
    if
    :: true ->
        lock(node_lock);
        cancelled = true;
        claim(won);
        cancel_over = true;
        if
        :: won -> deliver()
        :: else
        fi;
        unlock(node_lock)
    :: true
    fi
}

/* faults: NO_COMMIT_CHECK NO_RECHECK CLAIM_TWICE LEAVE_EARLY EARLY_LOOK. */
