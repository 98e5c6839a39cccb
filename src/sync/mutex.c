/* SPDX-License-Identifier: MIT */
/*
 * Mutex.
 *
 *     bits    name      meaning
 *     0       LOCKED    the gate's
 *     1       WAITERS   the gate's
 *     2       WOKEN     a waiter was woken and has not tried its luck yet
 *     3       STARVING  the next unlock hands over instead of letting everybody try
 *     4..63   owner     the address of the agent that holds it; 0: free
 *
 * Free is 0 in all bits but WOKEN and, when more than the woken one wait, WAITERS.
 *
 * Who comes takes a free mutex at once, also past those who wait: a holder that locks again while
 * the woken one is still being scheduled costs nothing, whereas handing over would make every
 * round wait for the scheduler (the "lock convoy"). An unlock wakes one waiter, and no other
 * before that one has tried. If it fails it goes back to the front, and if it has been waiting for
 * PATIENCE by then it sets STARVING. From then on the mutex is handed over in the order of the
 * queue, as far as the queue went at that moment (its last one bears LAST): those behind have been
 * overtaken as well, and need not starve first. After LAST everybody may try again.
 *
 * Invariants: free and WAITERS implies WOKEN, so no wake-up is lost; STARVING implies owned and not
 * WOKEN. WOKEN is set by the unlock that wakes and cleared by the one who was woken, when it takes
 * the mutex or goes back to the list: both under LOCKED or by compare-and-swap, so an unlock sees
 * either WOKEN, and then the woken one sees the unlock, or not, and then it wakes the next.
 *
 * Before it parks, a task or thread stays and looks again, if that may help: see spin_take, and
 * `patience` of the agent's kind. How long between two looks is learned from its last locks.
 *
 * The clock is read once a call that has to park, and once a failed wake-up. Starting it only at the
 * first failure was tried: then those deep in the queue wait a thousand times as long, since only
 * the first of them is ever woken.
 *
 * Mullender, Cox: Semaphores in Plan 9 (2008), and the mutex of nsync, for the word; the starvation
 * rule is that of Go's (Vyukov, 2016).
 */

#include "sync/mutex.h"

#include <errno.h>
#include <interlock/cpu.h>

#include "base/fatal.h"
#include "os/spin.h"
#include "sync/who.h"
#include "wait/gate.h"

#define WOKEN (UINT64_C(1) << IL__GATE_SHIFT)
#define STARVING (UINT64_C(2) << IL__GATE_SHIFT)
#define OWNER (~(IL__GATE_BITS | WOKEN | STARVING))

enum {
    LAST = 1,           /* waiter.mode: the last of those who are handed the mutex */
    PATIENCE = 1000000, /* nanoseconds */
    OFTEN = 256,        /* locks */
    MAX_PAUSES = 1024,  /* before the second look */
};

static inline uint64_t word_of(il__agent *agent)
{
    return (uint64_t)(uintptr_t)agent;
}

il__agent *il__mutex_owner(const il_mutex *mutex)
{
    return (il__agent *)(uintptr_t)(il__load(&mutex->gate.word) & OWNER);
}

bool il_mutex_held(const il_mutex *mutex)
{
    return il__mutex_owner(mutex) == il__self();
}

/* Take it if it is free. `woken` is WOKEN when we are the one who was woken. */
static bool try_take(il_mutex *mutex, il__agent *self, uint64_t woken)
{
    uint64_t word = il__load(&mutex->gate.word);
    while (!(word & (OWNER | IL__GATE_LOCKED))) /* acquire: pairs with the release in unlock */
        if (il__cas_weak(&mutex->gate.word, &word, (word & ~woken) | word_of(self))) return true;
    return false;
}

/* With one CPU, whoever holds it cannot give it back while we look. */
static bool may_spin(void)
{
    static int cpus;
    int count = il__load(&cpus);
    if (il__unlikely(!count)) {
        int saved = errno;
        count = il_cpu_count(NULL);
        il__store(&cpus, count);
        errno = saved;
    }
    return count > 1;
}

/* How long to stay away before the second look. Each look takes the cache line away from a holder,
 * and a lock that goes to and fro at every turn makes both slow. So one who met a holder a short
 * while ago, counted in locks taken, stays away for longer, up to some ten microseconds; in return
 * it has many turns in a row when it is back. */
static unsigned learn(il__agent *self)
{
    uint16_t since = self->locks - self->met;
    self->met = self->locks;
    if (since >= OFTEN) self->backoff /= 2;
    else if (self->backoff < MAX_PAUSES) self->backoff = 2 * self->backoff + 1;
    return self->backoff + 1u;
}

/* Try, and look again a few times, ever more rarely. */
static bool spin_take(il_mutex *mutex, il__agent *self, uint64_t woken)
{
    bool patient = self->ops->patience && may_spin();
    unsigned pauses = 0;
    for (unsigned spent = 0;; spent += pauses) {
        if (try_take(mutex, self, woken)) return true;
        if (!patient || il__load(&mutex->gate.word) & STARVING) return false;
        if (spent >= self->ops->patience(self, il__mutex_owner(mutex)) + 2 * self->backoff) break;
        pauses = pauses ? 2 * pauses : learn(self);
        for (unsigned i = 0; i < pauses; i++) il__pause();
    }
    self->backoff /= 4; /* it was in vain */
    return false;
}

/* Without waiting, and yet not fooled by somebody who is busy with the list. */
static int take_now(il_mutex *mutex, il__agent *self)
{
    if (il__mutex_owner(mutex)) return -EAGAIN;
    uint64_t word = il__gate_lock(&mutex->gate);
    bool free = !(word & OWNER);
    il__gate_unlock(&mutex->gate, free ? word | word_of(self) : word);
    return free ? 0 : -EAGAIN;
}

/* A waiter gives up. If it was the one who starved, others may try again. */
static void leave(il_mutex *mutex, il__waiter *waiter)
{
    uint64_t word = il__gate_lock(&mutex->gate);
    il__gate_remove(&mutex->gate, waiter);
    il__gate_unlock(&mutex->gate, word & ~STARVING);
}

/* Get into the list, or take it if it has become free. True: it is ours. Unlocked. */
static bool enqueue(il_mutex *mutex, il__waiter *waiter, uint64_t woken, bool starving,
                    il__cancels cancels)
{
    il__agent *self = waiter->agent;
    il__gate *gate = &mutex->gate;
    uint64_t word = il__gate_lock(gate);
    if (!(word & OWNER)) {
        il__gate_unlock(gate, (word & ~woken) | word_of(self));
        return true;
    }
    il__wait_begin(self, "mutex", mutex, cancels);
    if (woken) il__gate_add_first(gate, waiter);
    else il__gate_add(gate, waiter);
    if (starving) {
        gate->waiters->prev->mode = LAST;
        word |= STARVING;
    }
    il__gate_unlock(gate, word & ~woken);
    return false;
}

static __attribute__((noinline)) int lock_slow(il_mutex *mutex, il__agent *self,
                                               il__cancels cancels, il_time until)
{
    il_time since = 0; /* it began to wait; 0: not yet */
    uint64_t woken = 0;
    bool starving = false;

    if (il__mutex_owner(mutex) == self) return -EDEADLK;
    if (until == IL_NOW) return take_now(mutex, self);
    for (;;) {
        il__waiter waiter = { .agent = self };
        if (spin_take(mutex, self, woken)) return 0;
        il_time now = il_now();
        if (woken) starving = now - since >= PATIENCE;
        else since = now;
        if (enqueue(mutex, &waiter, woken, starving, cancels)) return 0;

        int status = il__wait(self, until);
        if (status) {
            leave(mutex, &waiter);
            return status;
        }
        if (il__mutex_owner(mutex) == self) return 0; /* handed over */
        woken = WOKEN;
    }
}

/* The fast path: it is free. */
static inline bool take_free(il_mutex *mutex, il__agent *self, const void *place)
{
    uint64_t word = 0;
    /* acquire: pairs with the release in unlock */
    while (!il__cas(&mutex->gate.word, &word, word | word_of(self)))
        if (word & (OWNER | IL__GATE_LOCKED)) return false;
    il__store(&mutex->place, place);
    self->held++;
    self->locks++;
    return true;
}

int il__mutex_lock_at(il_mutex *mutex, il__cancels cancels, il_time until, const void *place)
{
    il__agent *self = il__self();
    if (take_free(mutex, self, place)) return 0;
    int status = lock_slow(mutex, self, cancels, until);
    if (status) return status;
    il__store(&mutex->place, place);
    self->held++;
    self->locks++;
    return 0;
}

static _Noreturn void relocked(il_mutex *mutex, const void *place)
{
    char who[80], here[160], there[160];
    il__fatal("mutex %p locked at %s by %s, which holds it already, since %s", (void *)mutex,
              il__place(place, here, sizeof here), il__who(il__self(), who, sizeof who),
              il__place(il__load(&mutex->place), there, sizeof there));
}

static _Noreturn void not_ours(il_mutex *mutex, il__agent *owner, const void *place)
{
    char who[80], holder[80], here[160], there[160];
    il__fatal("mutex %p unlocked at %s by %s, but held by %s%s%s", (void *)mutex,
              il__place(place, here, sizeof here), il__who(il__self(), who, sizeof who),
              il__who(owner, holder, sizeof holder), owner ? ", since " : "",
              owner ? il__place(il__load(&mutex->place), there, sizeof there) : "");
}

static __attribute__((noinline)) void lock_or_die(il_mutex *mutex, const void *place)
{
    if (il__mutex_lock_at(mutex, IL__PLAIN, IL_FOREVER, place)) relocked(mutex, place);
}

void il_mutex_lock(il_mutex *mutex)
{
    il__agent *self = il__self_or_null();
    const void *place = __builtin_return_address(0);
    if (il__likely(self && take_free(mutex, self, place))) return;
    lock_or_die(mutex, place);
}

int il_mutex_lock_until(il_mutex *mutex, il_time until)
{
    return il__mutex_lock_at(mutex, IL__CANCELS, until, __builtin_return_address(0));
}

/* Somebody waits. Wake one, or hand over. The unlocking of the gate is the last access. */
static void wake(il_mutex *mutex)
{
    il__gate *gate = &mutex->gate;
    uint64_t word = il__gate_lock(gate), next = word & WOKEN;
    il__waiter *waiter = next ? NULL : il__gate_claim(gate);
    il__agent *agent = waiter ? waiter->agent : NULL;

    if (agent && word & STARVING) next = word_of(agent) | (waiter->mode == LAST ? 0 : STARVING);
    else if (agent) next = WOKEN;
    il__gate_unlock(gate, next); /* release: pairs with the acquire in lock */
    if (agent) il__deliver(agent);
}

static __attribute__((noinline)) void unlock_slow(il_mutex *mutex, il__agent *self,
                                                  const void *place)
{
    uint64_t word = il__load(&mutex->gate.word);
    if (!self || (word & OWNER) != word_of(self))
        not_ours(mutex, (il__agent *)(uintptr_t)(word & OWNER), place);
    self->held--;
    /* Nobody to wake while the woken one has not tried yet. */
    while (word & WOKEN && !(word & IL__GATE_LOCKED)) /* release: pairs with the acquire in lock */
        if (il__cas_weak(&mutex->gate.word, &word, word & ~OWNER)) return;
    wake(mutex);
}

/* The fast path: nobody waits. */
static inline void unlock(il_mutex *mutex, il__agent *self, const void *place)
{
    uint64_t word = word_of(self);
    /* release: pairs with the acquire in lock */
    if (il__likely(self && il__cas(&mutex->gate.word, &word, 0))) self->held--;
    else unlock_slow(mutex, self, place);
}

void il_mutex_unlock(il_mutex *mutex)
{
    unlock(mutex, il__self_or_null(), __builtin_return_address(0));
}

void il__mutex_unlock_held(il_mutex *mutex, il__agent *self)
{
    unlock(mutex, self, NULL);
}
