/* SPDX-License-Identifier: MIT */
/*
 * A model of the split deque (deque.h, deque.c, and the inline half in interlock/fork.h), for Spin:
 * `make check-models`.
 *
 * An owner starts FORKS forks, joins them in any order, shares at any time, and may park, upon which
 * what is left goes to a run queue. Thieves steal meanwhile. Checked, in every interleaving: each
 * fork runs exactly once, and no join waits for ever.
 *
 * Plain loads and stores of the owner are one step each, so is a compare-and-swap. Faults to plant,
 * by -D, each of which is found: NO_EPOCH (taking back leaves the epoch as it is), READ_AFTER (a
 * thief reads the slot after its swap), NO_SWAP (the owner takes back with a plain store).
 */

#ifndef FORKS
#define FORKS 3
#endif
#define THIEVES 2

byte slots[FORKS], top, split;    /* the owner's */
byte epoch, range_tail, range_split; /* one word */
byte runs[FORKS + 1];             /* how often each fork ran; numbered from 1 */
bool done[FORKS + 1];             /* by somebody else than the owner's join */
bool open[FORKS + 1];             /* started and not joined */
bool finished;                    /* the owner is */

#ifdef NO_EPOCH
#define NEXT_EPOCH epoch
#else
#define NEXT_EPOCH epoch + 1
#endif

inline execute(f) { atomic { runs[f]++; assert(runs[f] == 1) } }

/* Nothing is public any more. */
inline withdraw()
{
#ifdef NO_SWAP
    from = range_tail;
    d_step { epoch = NEXT_EPOCH; range_tail = from; range_split = from };
#else
    d_step { from = range_tail; epoch = NEXT_EPOCH; range_split = from };
#endif
    split = from
}

inline restart()
{
    d_step { epoch = NEXT_EPOCH; range_tail = 0; range_split = 0 };
    d_step { top = 0; split = 0 }
}

inline share()
{
    n = (top - split + 1) / 2;
    split = split + n;
    range_split = range_split + n /* fetch-and-add */
}

inline join(f)
{
    if
    :: top > split && slots[top - 1] == f -> top--; execute(f)
    :: else ->
        at = 0;
        if
        :: top == 0
        :: else ->
            withdraw();
            at = top;
            do
            :: at > from && slots[at - 1] != f -> at--
            :: else -> break
            od;
            if
            :: at == from -> at = 0
            :: else ->
                d_step {
                    n = at;
                    do
                    :: n < top -> slots[n - 1] = slots[n]; n++
                    :: else -> break
                    od;
                    n = 0
                };
                top--
            fi;
            if
            :: top == from -> restart()
            :: else
            fi
        fi;
        if
        :: at -> execute(f)
        :: else -> done[f] /* waits for who has it */
        fi
    fi;
    open[f] = false
}

/* The fiber parks: what is left goes to the run queue, where anybody runs it. */
inline empty_out()
{
    if
    :: top == 0
    :: else ->
        withdraw();
        do
        :: from < top -> f = slots[from]; execute(f); done[f] = true; from++
        :: else -> break
        od;
        restart()
    fi
}

active proctype owner()
{
    byte started, joined, f, n, at, from;
    do
    :: started < FORKS ->
        started++;
        open[started] = true;
        slots[top] = started;
        top++
    :: top > split -> share()
    :: started > 1 && top -> empty_out()
    :: joined < started ->
        f = started; /* the last one, or any other that is open */
        do
        :: !open[f] -> f--
        :: open[f] -> break
        :: open[f] && f > 1 && open[f - 1] -> f--
        od;
        join(f);
        joined++;
        f = 0
    :: joined == FORKS -> break
    od;
    f = 1;
    do
    :: f <= FORKS -> assert(runs[f] == 1); f++
    :: else -> break
    od;
    finished = true
}

active [THIEVES] proctype thief()
{
    byte e, t, s, f;
end:
    do
    :: finished -> break
    :: range_tail < range_split ->
        d_step { e = epoch; t = range_tail; s = range_split };
        if
        :: t >= s
        :: else ->
#ifndef READ_AFTER
            f = slots[t];
#endif
            if
            :: atomic { epoch == e && range_tail == t && range_split == s -> range_tail = t + 1 };
#ifdef READ_AFTER
                f = slots[t];
#endif
                execute(f);
                done[f] = true
            :: else
            fi
        fi;
        d_step { e = 0; t = 0; s = 0; f = 0 }
    od
}

/* faults: NO_EPOCH READ_AFTER NO_SWAP. */
