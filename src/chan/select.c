/* SPDX-License-Identifier: MIT */
/*
 * Select. Two looks at the cases, then one wait with a waiter in each list.
 *
 * The first look takes one gate at a time, and only of cases that look promising. If nothing is to
 * be had, all gates are locked, in the order of their addresses, and looked at once more: so nothing
 * can become ready between the look and the waiters being in place, and a select that finds another
 * one waiting is not waiting itself: it cannot be claimed while it claims. That is what lets two
 * selects meet in a rendezvous, and none meet itself. (Claiming oneself first, gate by gate, was
 * considered: then two that look at each other both fail.)
 *
 * The agent has one word, so one claim wins; what it won was handed over, and the waiters of the
 * other cases leave their lists. All of a case but .off is the select's while it runs.
 */

#include <interlock/select.h>

#include <errno.h>

#include "wait/choice.h"

static const il__choice *const choices[IL__KINDS] = {
    [IL__RECV] = &il__choice_recv,         [IL__SEND] = &il__choice_send,
    [IL__HEAR] = &il__choice_hear,         [IL__DONE] = &il__choice_done,
    [IL__ACQUIRE] = &il__choice_acquire,   [IL__LOCK] = &il__choice_lock,
    [IL__SET] = &il__choice_set,           [IL__OPEN] = &il__choice_open,
    [IL__READ] = &il__choice_read,         [IL__WRITE] = &il__choice_write,
    [IL__EMPTY] = &il__choice_empty,       [IL__ENDED] = &il__choice_ended,
    [IL__READABLE] = &il__choice_readable, [IL__WRITABLE] = &il__choice_writable,
    [IL__EXITED] = &il__choice_exited,
};

typedef struct selection {
    il_case *cases, *end;
    il_case *first;  /* to be looked at; then in the order of the array, and around */
    il_case *sorted; /* those on that have a gate, by its address, linked by il__next */
    il_case *timed;  /* of those on that only wait for a time the one whose comes first, or NULL */
    bool any;        /* is on */
} selection;

/* --- Looking ------------------------------------------------------------------------------- */

static const il__choice *choice_of(const il_case *what)
{
    return choices[what->il__kind];
}

static bool is_due(const il_case *what)
{
    return what->il__at <= IL_NOW || (what->il__at != IL_FOREVER && what->il__at <= il_now());
}

/* Take this one alone, if it can be had now; -EAGAIN: it cannot. */
static int take_alone(il_case *what)
{
    const il__choice *choice = choice_of(what);
    if (!choice) return is_due(what) ? 0 : -EAGAIN;
    if (choice->promising && !choice->promising(what)) return -EAGAIN;
    il__waiter *woken = NULL;
    il__gate *gate = choice->gate(what);
    il__gate_lock(gate);
    int status = choice->take(what, &woken);
    il__gate_unlock(gate, il__gate_state(gate));
    il__deliver_all(woken);
    return status;
}

static int take_locked(il_case *what, il__waiter **woken)
{
    const il__choice *choice = choice_of(what);
    return choice ? choice->take(what, woken) : -EAGAIN;
}

static il_case *after(const selection *all, il_case *what)
{
    return ++what == all->end ? all->cases : what;
}

/* The first case that can be had now, taken, with its status; NULL: none can. *woken: NULL, or with
 * all gates locked the place for those to be delivered to. */
static il_case *take_first(const selection *all, il__waiter **woken, int *status)
{
    il_case *what = all->first;
    if (what == all->end) return NULL;
    do {
        if (what->off) continue;
        *status = woken ? take_locked(what, woken) : take_alone(what);
        if (*status != -EAGAIN) return what;
    } while ((what = after(all, what)) != all->first);
    return NULL;
}

/* --- All gates ----------------------------------------------------------------------------- */

static il__gate *gate_of(const il_case *what)
{
    return choice_of(what)->gate(what);
}

static il_case *merge(il_case *a, il_case *b)
{
    il_case *merged = NULL, **end = &merged;
    while (a && b) {
        il_case **least = (uintptr_t)gate_of(a) <= (uintptr_t)gate_of(b) ? &a : &b;
        *end = *least;
        end = &(*end)->il__next;
        *least = *end;
    }
    *end = a ? a : b;
    return merged;
}

/* Link those that are on and have a gate by its address. */
static il_case *sort(il_case *cases, size_t count)
{
    if (count > 1) return merge(sort(cases, count / 2), sort(cases + count / 2, count - count / 2));
    if (!count || cases->off || !choice_of(cases)) return NULL;
    cases->il__next = NULL;
    return cases;
}

/* The next that has another gate. */
static il_case *next_gate(const il_case *what)
{
    il_case *next = what->il__next;
    while (next && gate_of(next) == gate_of(what)) next = next->il__next;
    return next;
}

static void lock_all(const selection *all)
{
    for (il_case *what = all->sorted; what; what = next_gate(what)) il__gate_lock(gate_of(what));
}

static void unlock_all(const selection *all)
{
    for (il_case *what = all->sorted; what; what = next_gate(what))
        il__gate_unlock(gate_of(what), il__gate_state(gate_of(what)));
}

/* --- Waiting ------------------------------------------------------------------------------- */

static void enter_all(const selection *all, il__agent *self)
{
    for (il_case *what = all->sorted; what; what = what->il__next) {
        what->il__waiter = (il__waiter){
            .agent = self,
            .index = (uint32_t)(what - all->cases),
            .mode = choice_of(what)->mode,
            .item = what->il__item,
        };
        il__gate_add(gate_of(what), &what->il__waiter);
    }
}

static void leave_all(const selection *all, const il_case *chosen)
{
    for (il_case *what = all->sorted; what; what = what->il__next) {
        if (what == chosen) continue;
        if (choice_of(what)->leave) choice_of(what)->leave(what);
        else il__gate_leave(gate_of(what), &what->il__waiter);
    }
}

/* Wait for the first that can be had. Gates are locked; *out_chosen: who, or NULL. */
static int wait_for_one(const selection *all, il_time until, il_case **out_chosen)
{
    il__agent *self = il__self();
    bool timed = all->timed && all->timed->il__at <= until;

    il__wait_begin(self, "select", all->cases, IL__CANCELS);
    enter_all(all, self);
    unlock_all(all);
    int status = il__wait(self, timed ? all->timed->il__at : until);

    il_case *chosen = status >= 0 ? &all->cases[status] : NULL;
    leave_all(all, chosen);
    if (chosen) status = choice_of(chosen)->outcome ? choice_of(chosen)->outcome(chosen) : 0;
    if (timed && status == -ETIMEDOUT) {
        chosen = all->timed;
        status = 0;
    }
    *out_chosen = chosen;
    return status;
}

/* All gates at once: take the first that can be had, or wait. */
static int take_or_wait(const selection *all, il_time until, il_case **out_chosen)
{
    il__waiter *woken = NULL;
    int status = -EAGAIN;
    lock_all(all);
    il_case *chosen = take_first(all, &woken, &status);
    if (!chosen) return wait_for_one(all, until, out_chosen);
    unlock_all(all);
    il__deliver_all(woken);
    *out_chosen = chosen;
    return status;
}

/* --- Select -------------------------------------------------------------------------------- */

static void survey(selection *all)
{
    for (il_case *what = all->cases; what != all->end; what++) {
        if (what->off) continue;
        all->any = true;
        if (!choice_of(what) && (!all->timed || what->il__at < all->timed->il__at))
            all->timed = what;
    }
}

static int choose(selection *all, il_time until, il_case **out_chosen)
{
    int status = -EAGAIN;
    *out_chosen = take_first(all, NULL, &status);
    if (*out_chosen || until == IL_NOW) return status;
    all->sorted = sort(all->cases, (size_t)(all->end - all->cases));
    return take_or_wait(all, until, out_chosen);
}

static int select_from(il_case *cases, size_t count, size_t first, il_time until, size_t *out_index,
                       const void *place)
{
    selection all = { .cases = cases, .end = cases + count, .first = cases + first };
    il_case *chosen = NULL;
    survey(&all);
    if ((!all.any && until == IL_FOREVER) || count >= IL__BY_DEADLINE) return -EINVAL;
    for (;;) {
        int status = choose(&all, until, &chosen);
        if (!chosen) return status;
        const il__choice *choice = choice_of(chosen);
        if (status == -ENOMEM && choice->make_room && !choice->make_room(chosen)) continue;
        if (!status && choice && choice->taken) choice->taken(chosen, place);
        if (out_index) *out_index = (size_t)(chosen - cases);
        return status;
    }
}

int il_select(il_case *cases, size_t count, il_time until, size_t *out_index)
{
    return select_from(cases, count, 0, until, out_index, __builtin_return_address(0));
}

int il_select_fair(il_case *cases, size_t count, il_time until, size_t *out_index)
{
    il__agent *self = il__self();
    self->luck =
        self->luck * 1664525 + 1013904223; /* Numerical Recipes' generator: the high bits */
    size_t first = count ? (size_t)((uint64_t)self->luck * count >> 32) : 0;
    return select_from(cases, count, first, until, out_index, __builtin_return_address(0));
}
