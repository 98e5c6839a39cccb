/* SPDX-License-Identifier: MIT */
/*
 * A model of how workers sleep and are woken (worker.c), for Spin: `make check-models`.
 *
 * Somebody outside makes JOBS jobs visible, one by one; each job, when it runs, may make one more
 * visible on its own worker. Workers take, search, sleep. Checked, in every interleaving: when
 * nothing moves any more, no job is left; `searching` and `sleeping` are what they count.
 *
 * The model is sequentially consistent, which is what the light and the heavy fence together make
 * of the program where it matters. Faults to plant, by -D, each of which is found: NO_LAST_LOOK (a
 * worker sleeps without looking once more), LOOK_FIRST (it looks before it says that it sleeps),
 * NO_CHAIN (the last searcher to find something wakes nobody, which leaves jobs to one worker),
 * NO_LOOK (nor does it when all others sleep, without a look whether there is more), EARLY_ANNOUNCE
 * (who makes a job visible looks for sleepers before, as a CPU may without the light fence).
 */

#define WORKERS 2
#ifndef JOBS
#define JOBS 3
#endif

byte visible;             /* jobs that anybody may take */
byte ran;
byte made;
bool idle_lock;
bool asleep[WORKERS];     /* in the list of sleepers; guarded by idle_lock */
byte sleeping, searching; /* atomic */
bool wake[WORKERS];       /* futex */
bool busy[WORKERS];       /* runs a job that takes for ever as far as others are concerned */

inline lock(l) { atomic { !l -> l = true } }
inline unlock(l) { l = false }

inline wake_one()
{
    lock(idle_lock);
    victim = WORKERS;
    if
    :: searching == 0 && sleeping > 0 ->
        d_step {
            victim = 0;
            do
            :: !asleep[victim] -> victim++
            :: else -> break
            od;
            asleep[victim] = false;
            sleeping--;
            searching++
        }
    :: else
    fi;
    unlock(idle_lock);
    if
    :: victim < WORKERS -> wake[victim] = true
    :: else
    fi
}

/* il__pool_announce. The two looks are two steps. */
inline announce()
{
    if
    :: sleeping == 0
    :: else ->
        if
        :: searching == 0 -> wake_one()
        :: else
        fi
    fi
}

inline take(got)
{
    atomic {
        got = false;
        if
        :: visible > 0 -> visible--; got = true
        :: else
        fi
    }
}

active [WORKERS] proctype worker()
{
    byte victim;
    bool got, found;

    do
    :: take(got);
        if
        :: !got ->
            atomic { searching++ };
            do
            :: take(got);
                if
                :: got -> break
                :: else
                fi;
                atomic { searching-- };
                /* sleep_until_work */
#ifdef LOOK_FIRST
                found = visible > 0;
#endif
                lock(idle_lock);
                d_step { asleep[_pid] = true; sleeping++ };
                unlock(idle_lock);
#ifdef NO_LAST_LOOK
                found = false;
#else
#ifndef LOOK_FIRST
                found = visible > 0;
#endif
#endif
                if
                :: found
                :: else ->
end:                wake[_pid]
                fi;
                lock(idle_lock);
                if
                :: asleep[_pid] -> d_step { asleep[_pid] = false; sleeping--; searching++ }
                :: else /* who woke it has counted it as searching */
                fi;
                unlock(idle_lock);
                wake[_pid] = false
            od;
            atomic { searching--; found = searching == 0 };
#ifndef NO_CHAIN
            if
#ifdef NO_LOOK
            :: found && sleeping != WORKERS - 1 -> announce()
#else
            :: found && !(sleeping == WORKERS - 1 && visible == 0) -> announce()
#endif
            :: else
            fi
#endif
        :: else
        fi;
        /* Run it. It may make one more; it may also go on until somebody else has run the rest. */
        if
        :: made < JOBS -> atomic { made++; visible++ }; announce()
        :: true
        :: true -> busy[_pid] = true;
            (visible == 0 || busy[1 - _pid]); /* waits until the others have done the rest */
            busy[_pid] = false
        fi;
        ran++
    od
}

active proctype outside()
{
    byte victim;
    bool none;
    do
    :: made < JOBS ->
#ifdef EARLY_ANNOUNCE
        none = sleeping == 0;
#endif
        atomic { made++; visible++ };
        if
        :: none
        :: else -> announce()
        fi
    :: else -> break
    od
}

active proctype monitor()
{
    timeout -> assert(visible == 0 && searching == 0 && ran == made && sleeping == WORKERS)
}

/* faults: NO_LAST_LOOK LOOK_FIRST NO_CHAIN NO_LOOK EARLY_ANNOUNCE. */
