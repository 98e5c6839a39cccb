/* SPDX-License-Identifier: MIT */
/*
 * A model of waiting between processes that may be killed at any step (ledger.c, bell.c,
 * shared_chan.c), for Spin: `make check-models`.
 *
 * A sender sends ITEMS items, two receivers take items, hold them and say that they are done; the first
 * may give up waiting. Each process has a second thread, its watcher, which buries the others when they
 * have died. KILLS of them are killed, wherever they are; with a process its lock stays taken, and
 * the next one to lock undoes what it has not committed. Checked, in every interleaving: when nothing
 * moves any more, no item is lost or made twice, nothing is half done, and no living receiver sleeps
 * while there is an item. Each change of a word is one step; sending changes two, receiving two.
 *
 * Faults to plant, by -D, each of which is found: NO_UNDO (who locks after a death does not undo),
 * NO_RETURN (a burial does not return what the dead one held), NO_RING_AT_BURIAL (nor does it ring),
 * RING_SOFTLY (or only those who say that they sleep), NO_PASS_ON (who gives up does not ring the next), HEARD_LATE (who waits reads its bell after the
 * unlock), NO_CROWD (it does not say that it waits).
 */

#define ITEMS 2
#ifndef KILLS
#define KILLS 1
#endif
#define SENDER 0 /* processes; their watchers are threads 3, 4, 5 */
#define NOBODY 99
#define PROCESSES 3

bool dead[PROCESSES];
bool member[PROCESSES];
byte kills;
bool over;

byte owner = NOBODY;          /* of the lock: a process */
byte inside, sent;            /* guarded by it, as is: */
byte held[PROCESSES], done;
bool waits[PROCESSES];        /* the crowd of receivers */

bool dirty;                   /* the record of old values is valid */
byte old_inside, old_sent, old_done;
byte old_held[PROCESSES];
bool old_waits[PROCESSES];

byte bell[PROCESSES];         /* futex, and who sleeps at it */
bool asleep[PROCESSES], sleeping[PROCESSES];
bool ended[PROCESSES];        /* of a receiver: it gave up */

inline remember()
{
    d_step {
        old_inside = inside; old_sent = sent; old_done = done;
        old_held[0] = held[0]; old_held[1] = held[1]; old_held[2] = held[2];
        old_waits[1] = waits[1]; old_waits[2] = waits[2];
        dirty = true
    }
}

/* The record is made at once here; ledger.c makes it entry by entry, each before its word changes. */
inline lock(me)
{
    atomic {
        owner == NOBODY || dead[owner];
        if
        :: owner != NOBODY && dirty ->
#ifndef NO_UNDO
            inside = old_inside; sent = old_sent; done = old_done;
            held[0] = old_held[0]; held[1] = old_held[1]; held[2] = old_held[2];
            waits[1] = old_waits[1]; waits[2] = old_waits[2];
#endif
            dirty = false
        :: else
        fi;
        owner = me
    }
    remember()
}

inline unlock(me)
{
    dirty = false;            /* the commit */
    assert(owner == me);
    owner = NOBODY
}

inline ring(whom)
{
    bell[whom]++;
    if
    :: asleep[whom] -> asleep[whom] = false; sleeping[whom] = false
    :: else
    fi
}

/* Also if nobody says that he sleeps: a ringer may have died when it had taken that word down. */
inline ring_surely(whom)
{
#ifdef RING_SOFTLY
    ring(whom)
#else
    bell[whom]++;
    asleep[whom] = false;
    sleeping[whom] = false
#endif
}

/* Who is to be rung; the lock is held. */
inline tell_one(whom)
{
    if
    :: waits[1] -> whom = 1; waits[1] = false
    :: !waits[1] && waits[2] -> whom = 2; waits[2] = false
    :: else -> whom = NOBODY
    fi
}

proctype Sender() provided (!dead[SENDER])
{
    byte told, i;
    do
    :: i < ITEMS ->
        lock(SENDER);
        inside++;
        sent++;
        tell_one(told);
        unlock(SENDER);
        if
        :: told != NOBODY -> ring(told)
        :: else
        fi;
        i++
    :: else -> break
    od
}

proctype Receiver(byte me; bool patient) provided (!dead[me])
{
    byte heard, told;
again:
    lock(me);
look:
    if
    :: inside > 0 ->
        inside--;
        held[me]++;
        unlock(me);
        lock(me);
        held[me]--;
        done++;
        unlock(me);
        goto again
    :: else
    fi;
#ifndef NO_CROWD
    waits[me] = true;
#endif
#ifndef HEARD_LATE
    heard = bell[me];
#endif
    unlock(me);
#ifdef HEARD_LATE
    heard = bell[me];
#endif
    asleep[me] = true;
    atomic { /* the kernel looks once more */
        if
        :: bell[me] == heard -> sleeping[me] = true
        :: else
        fi
    }
    if
    :: !sleeping[me] ->
        lock(me);
        waits[me] = false;
        goto look
    :: !patient -> skip
    fi;
    lock(me);
    waits[me] = false;
    told = NOBODY;
#ifndef NO_PASS_ON
    if
    :: inside > 0 -> tell_one(told)
    :: else
    fi;
#endif
    ended[me] = true;
    unlock(me);
    if
    :: told != NOBODY -> ring(told)
    :: else
    fi
}

/* A thread of process `me` that learns of each death. */
proctype Watcher(byte me) provided (!dead[me])
{
    byte whom;
    do
    :: atomic { dead[0] && member[0] && me != 0 -> whom = 0 } goto bury
    :: atomic { dead[1] && member[1] && me != 1 -> whom = 1 } goto bury
    :: atomic { dead[2] && member[2] && me != 2 -> whom = 2 } goto bury
    od;
bury:
    lock(me);
    if
    :: member[whom] ->
#ifdef NO_RETURN
        held[whom] = 0;
#else
        do
        :: held[whom] > 0 -> held[whom]--; inside++
        :: else -> break
        od;
#endif
        waits[whom] = false;
        unlock(me);
        /* Not undone: who dies here is buried in turn, and rings all. */
        member[whom] = false
    :: else -> unlock(me)
    fi;
#ifndef NO_RING_AT_BURIAL
    ring_surely(1);
    ring_surely(2);
#endif
    goto end_watch;
end_watch:
    do
    :: atomic { dead[0] && member[0] && me != 0 -> whom = 0 } goto bury
    :: atomic { dead[1] && member[1] && me != 1 -> whom = 1 } goto bury
    :: atomic { dead[2] && member[2] && me != 2 -> whom = 2 } goto bury
    od
}

proctype Killer()
{
    do
    :: kills < KILLS && !dead[0] -> atomic { dead[0] = true; kills++ }
    :: kills < KILLS && !dead[1] -> atomic { dead[1] = true; kills++ }
    :: kills < KILLS && !dead[2] -> atomic { dead[2] = true; kills++ }
    :: break
    od
}

#define LOOKS(r) (!dead[r] && !ended[r])

init
{
    atomic {
        member[0] = true; member[1] = true; member[2] = true;
        run Sender(); run Receiver(1, false); run Receiver(2, true);
        run Watcher(0); run Watcher(1); run Watcher(2);
        run Killer()
    }
    timeout;
    /* Nothing moves any more. What a dead one left half done nobody need have touched. */
    if
    :: !dirty -> assert(sent == inside + held[0] + held[1] + held[2] + done)
    :: else -> assert(owner != NOBODY && dead[owner])
    fi;
    assert(!(LOOKS(1) || LOOKS(2)) || (!dirty && inside == 0));
    assert(!(LOOKS(1) || LOOKS(2)) || (held[1] == 0 && held[2] == 0));
    assert(!(LOOKS(1) || LOOKS(2)) || owner == NOBODY);
    do
    :: over = !over /* for ever: that the dead stand still is no error */
    od
}

/* faults: NO_UNDO NO_RETURN NO_RING_AT_BURIAL RING_SOFTLY NO_PASS_ON HEARD_LATE NO_CROWD. */
