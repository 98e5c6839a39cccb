/* SPDX-License-Identifier: MIT */
/*
 * A model of waiting between processes that may be killed at any step (ledger.c, bell.c,
 * shared_chan.c), for Spin: `make check-models`.
 *
 * A sender sends ITEMS items, two receivers take items, hold them and say that they are done; the first
 * may give up waiting. A watcher, a thread of some process that
 * lives, buries the dead. KILLS of them are killed, wherever they are; with a process its lock stays taken, and
 * the next one to lock undoes what it has not committed. Checked, in every interleaving: when nothing
 * moves any more, no item is lost or made twice, nothing is half done, and no living receiver sleeps
 * while there is an item. Each change of a word is one step; sending changes two, receiving two.
 *
 * Faults to plant, by -D, each of which is found: NO_UNDO (who locks after a death does not undo),
 * NO_RETURN (a burial does not return what the dead one held), NO_RING_AT_BURIAL (nor does it ring),
 * RINGER_CLEARS (the word that says that somebody sleeps), NO_PASS_ON (who gives up does not ring the
 * next), HEARD_LATE (who waits reads its bell after the unlock), NO_CROWD (it does not say that it
 * waits).
 */

#ifndef ITEMS
#define ITEMS 1
#endif
#ifndef KILLS
#define KILLS 1
#endif
#define SENDER 0
#define NOBODY 99
#define WATCHER 3
#define PROCESSES 4 /* the last is of the watcher, which lives */

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

bool rung[PROCESSES];         /* has the bell since its owner read its count? */
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

/* Not valid any more; what is in it would only make one state into many. */
inline forget()
{
    d_step {
        dirty = false;
        old_inside = 0; old_sent = 0; old_done = 0;
        old_held[0] = 0; old_held[1] = 0; old_held[2] = 0;
        old_waits[1] = false; old_waits[2] = false
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
            forget()
        :: else
        fi;
        owner = me;
        remember()
    }
}

inline unlock(me)
{
    forget();                 /* the commit */
    assert(owner == me);
    owner = NOBODY
}

inline ring(whom)
{
    rung[whom] = true;
    if
#ifdef RINGER_CLEARS
    :: asleep[whom] -> asleep[whom] = false; sleeping[whom] = false
#else
    :: asleep[whom] -> sleeping[whom] = false
#endif
    :: else
    fi
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
    byte told = NOBODY, i;
    do
    :: i < ITEMS ->
        lock(SENDER);
        inside++;
        sent++;
        tell_one(told);
        unlock(SENDER);
        if
        :: told != NOBODY -> ring(told); told = NOBODY
        :: else
        fi;
        i++
    :: else -> break
    od
}

proctype Receiver(byte me; bool patient) provided (!dead[me])
{
    byte told = NOBODY;
again:
    lock(me);
look:
    if
    :: inside > 0 ->
        inside--;
        held[me]++;
        unlock(me);
        lock(me);
        atomic { held[me]--; done++ }
        unlock(me);
        goto again
    :: else
    fi;
#ifndef NO_CROWD
    waits[me] = true;
#endif
#ifndef HEARD_LATE
    rung[me] = false;
#endif
    unlock(me);
#ifdef HEARD_LATE
    rung[me] = false;
#endif
    asleep[me] = true;
    atomic { /* the kernel looks once more */
        if
        :: !rung[me] -> sleeping[me] = true
        :: else
        fi
    }
    if
    :: !sleeping[me] ->
        asleep[me] = false;
        lock(me);
        waits[me] = false;
        goto look
    :: !patient -> sleeping[me] = false
    fi;
    asleep[me] = false;
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
    :: told != NOBODY -> ring(told); told = NOBODY
    :: else
    fi
}

/* A thread of whichever process lives. */
proctype Watcher()
{
    byte whom;
wait:
    whom = 0;
    do
    :: atomic { dead[0] && member[0] -> whom = 0 } break
    :: atomic { dead[1] && member[1] -> whom = 1 } break
    :: atomic { dead[2] && member[2] -> whom = 2 } break
    od;
    atomic { /* one step: that what is under the lock is whole, the others show */
        lock(WATCHER);
#ifndef NO_RETURN
        inside = inside + held[whom];
#endif
        held[whom] = 0;
        waits[whom] = false;
        unlock(WATCHER);
        member[whom] = false
    }
#ifndef NO_RING_AT_BURIAL
    ring(1);
    ring(2);
#endif
    goto wait
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
        run Watcher();
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

/* faults: NO_UNDO NO_RETURN NO_RING_AT_BURIAL RINGER_CLEARS NO_PASS_ON HEARD_LATE NO_CROWD. */
