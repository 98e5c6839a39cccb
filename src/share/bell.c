/* SPDX-License-Identifier: MIT */
/*
 * How members of an arena wait for each other, and how they hear of each other's end.
 *
 * Each member has a bell. Who wants to be told of something writes itself into a crowd, under the
 * ledger that guards what it waits for, and reads how often its bell has rung. Who changes that thing
 * takes it out of the crowd under the same ledger, and rings after unlocking. To ring is to count up
 * and, if somebody sleeps there, to wake them all: they look again. So nothing depends on whoever is
 * rung being alive; a bell that its ringer died before it could ring is rung by those who bury the ringer.
 *
 * In the process, a thread sleeps at the bell itself, together with the word of its own that a
 * cancellation changes. A fiber cannot sleep, and not every kernel lets a thread sleep at two
 * places: these wait at a gate, and a thread, the listener, sleeps at the bell for them.
 *
 * Of the end of another process the watcher learns by its pidfd. `watching` guards the peers: it
 * may be held while it is waited for a call of peer_ended, which takes only ledgers.
 */

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/memory.h"
#include "os/futex.h"
#include "os/peer.h"
#include "os/spin.h"
#include "os/thread.h"
#include "share/arena.h"
#include "wait/thread_agent.h"

enum { SPINS = 1600, LUCK = 3, RETRY = 16, BLIND = 50 /* milliseconds */ };

/* --- Crowds ------------------------------------------------------------------------------------ */

void il__crowd_set(il__ledger *ledger, il__crowd *crowd, uint32_t index, bool in)
{
    uint64_t *word = &crowd->bits[index / 64], bit = UINT64_C(1) << index % 64;
    uint64_t wanted = in ? *word | bit : *word & ~bit;
    if (*word != wanted) il__set(ledger, word, wanted);
}

bool il__crowd_has(const il__crowd *crowd, uint32_t index)
{
    return crowd->bits[index / 64] >> index % 64 & 1;
}

uint32_t il__crowd_first(const il__crowd *crowd)
{
    for (uint32_t i = 0; i < IL__MEMBERS / 64; i++)
        if (crowd->bits[i]) return i * 64 + (uint32_t)__builtin_ctzll(crowd->bits[i]);
    return IL__NOBODY;
}

/* --- Ringing ----------------------------------------------------------------------------------- */

/* One of the two sees the other: we count and look whether somebody sleeps; who is about to sleep
 * says so and looks at the count. Who said so takes it back: a ringer who did could do it to one who
 * has begun to sleep anew, or die between that and the waking (bell.pml found both). */
void il__bell_ring(il_arena *arena, uint32_t index)
{
    if (index == IL__NOBODY) return;
    il__member *member = &arena->head->members[index];
    il__add(&member->bell, 1);
    if (il__load_seq(&member->sleepers)) il__futex_wake_across(&member->bell, INT_MAX);
}

void il__bell_ring_all(il_arena *arena, const il__crowd *crowd)
{
    for (uint32_t i = 0; i < IL__MEMBERS / 64; i++)
        for (uint64_t bits = crowd->bits[i]; bits; bits &= bits - 1)
            il__bell_ring(arena, i * 64 + (uint32_t)__builtin_ctzll(bits));
}

void il__bell_ring_everybody(il_arena *arena)
{
    for (uint32_t i = 0; i < IL__MEMBERS; i++)
        if (il__load(&arena->head->members[i].serial)) il__bell_ring(arena, i);
}

uint32_t il__bell_heard(const il_arena *arena)
{
    return il__load_acquire(&arena->head->members[arena->index].bell);
}

static il__member *our_member(const il_arena *arena)
{
    return &arena->head->members[arena->index];
}

static bool has_rung(const il_arena *arena, uint32_t heard)
{
    return il__load_seq(&our_member(arena)->bell) != heard;
}

/* --- A thread at the bell ------------------------------------------------------------------------ */

static __thread struct {
    il_arena *arena;
    uint32_t heard;
} now; /* of a thread that waits: no fiber runs on it meanwhile */

/* A fiber would keep others from their worker. */
bool il__may_look_out(const il_arena *arena)
{
    return arena->spins && il__self() == &il__thread_agent_here()->agent;
}

/* To sleep and to be woken costs some microseconds, and many where a CPU has gone idle meanwhile. To
 * look out as long pays if the ring comes by then, as it does where two play ping-pong: whether it
 * does is learned, and tried again now and then. */
static void look_out(il_arena *arena, uint32_t heard, uint64_t waits)
{
    uint32_t luck = il__load(&arena->luck);
    if (!il__may_look_out(arena) || (!luck && waits % RETRY)) return;
    for (int i = 0; i < SPINS; i++) {
        if (has_rung(arena, heard)) {
            il__store(&arena->luck, LUCK);
            return;
        }
        il__pause();
    }
    if (luck) il__store(&arena->luck, luck - 1);
}

static void sleep_at_bell(il__agent *self, uint32_t word, il_time *until)
{
    il__member *member = our_member(now.arena);
    int status = 0;
    il__add(&member->sleepers, 1);
    if (!has_rung(now.arena, now.heard))
        status = il__futex_wait_either(&self->word, word, &member->bell, now.heard, *until);
    il__sub(&member->sleepers, 1);
    if (status != -ETIMEDOUT) return;
    if (il__claim(self, IL__BY_DEADLINE)) il__or(&self->word, IL__WOKEN);
    *until = IL_FOREVER; /* lost: the winner will deliver */
}

static void park(il__agent *self, il_time until)
{
    uint32_t word = il__load(&self->word);
    look_out(now.arena, now.heard, self->waits);
    while ((word & IL__PHASE) != IL__WOKEN) {
        if (has_rung(now.arena, now.heard) && il__claim(self, 0)) il__or(&self->word, IL__WOKEN);
        else if ((word & IL__PHASE) == IL__CLAIMED) il__pause(); /* about to be delivered */
        else if (!(word & IL__PARKED)) il__cas(&self->word, &word, word | IL__PARKED);
        else sleep_at_bell(self, word, &until);
        word = il__load(&self->word);
    }
}

static void unpark(il__agent *agent)
{
    il__futex_wake(&agent->word, 1); /* an address only: the thread may have ended by now */
}

static void yield(il__agent *self)
{
    (void)self;
    il__thread_yield();
}

static const il__agent_ops bell_ops = { .park = park, .unpark = unpark, .yield = yield };

static int wait_at_bell(il_arena *arena, uint32_t heard, const char *what, const void *on,
                        il_time until)
{
    il__agent *self = il__self();
    const il__agent_ops *before = self->ops;
    now.arena = arena;
    now.heard = heard;
    self->ops = &bell_ops; /* seen by whoever claims it, since the wait begins after it */
    il__wait_begin(self, what, on, IL__CANCELS);
    int status = il__wait(self, until);
    self->ops = before;
    return status;
}

/* --- Others, and their listener -------------------------------------------------------------------- */

static void *listen(void *arg)
{
    il_arena *arena = arg;
    il__member *member = our_member(arena);
    il__thread_set_name("il-listener");
    while (!il__load_acquire(&arena->stopping)) {
        uint32_t heard = il__bell_heard(arena);
        uint64_t word = il__gate_lock(&arena->gate);
        il__waiter *chain = il__gate_claim_all(&arena->gate);
        il__gate_unlock(&arena->gate, word);
        il__deliver_all(chain);
        il__add(&member->sleepers, 1);
        if (!has_rung(arena, heard)) il__futex_wait_across(&member->bell, heard, IL_FOREVER);
        il__sub(&member->sleepers, 1);
    }
    return NULL;
}

static int ensure_listener(il_arena *arena)
{
    int status = 0;
    pthread_mutex_lock(&arena->listening);
    if (!arena->listens) {
        status = il__thread_create(&arena->listener, 0, false, listen, arena);
        arena->listens = !status;
    }
    pthread_mutex_unlock(&arena->listening);
    return status;
}

/* The listener claims who waits after it has heard a ring; who finds under the lock that it has not
 * rung yet is in the list by then. */
static int wait_at_gate(il_arena *arena, uint32_t heard, const char *what, const void *on,
                        il_time until)
{
    int status = ensure_listener(arena);
    if (status) return status;
    uint64_t word = il__gate_lock(&arena->gate);
    if (!has_rung(arena, heard))
        return il__gate_wait(&arena->gate, word, what, on, 0, IL__CANCELS, until);
    il__gate_unlock(&arena->gate, word);
    return 0;
}

static int wait_for_ring(il_arena *arena, uint32_t heard, const char *what, const void *on,
                         il_time until)
{
    if (arena->direct && il__self() == &il__thread_agent_here()->agent)
        return wait_at_bell(arena, heard, what, on, until);
    return wait_at_gate(arena, heard, what, on, until);
}

int il__bell_wait(il_arena *arena, uint32_t heard, const char *what, const void *on, il_time until)
{
    if (until == IL_NOW) return -EAGAIN;
    il__peers_watch(arena);
    il_time by = until;
    if (il__load(&arena->blind) && il_after(IL_MS(BLIND)) < until) by = il_after(IL_MS(BLIND));
    int status = wait_for_ring(arena, heard, what, on, by);
    if (by == until || status != -ETIMEDOUT) return status;
    il__peers_look(arena);
    return 0;
}

/* --- The end of others ----------------------------------------------------------------------------- */

struct il__peer {
    il__agent agent; /* "waits" for its end */
    il__waiter waiter;
    il__watch watch;
    il_arena *arena;
    uint32_t index;
    uint64_t serial;
    uint32_t told; /* atomic: the watcher has made its last access */
};

/* On the watcher's thread. */
static void peer_ended(il__agent *agent)
{
    il__peer *peer = il__of(agent, il__peer, agent);
    il__member_bury(peer->arena, peer->index, peer->serial, true);
    il__store_release(&peer->told, 1); /* pairs with the acquire in forget */
}

static const il__agent_ops peer_ops = { .unpark = peer_ended };

static void forget(il__peer *peer)
{
    uint64_t word = il__gate_lock(&peer->watch.gate);
    bool waits = il__gate_remove(&peer->watch.gate, &peer->waiter);
    il__gate_unlock(&peer->watch.gate, word);
    for (unsigned round = 0; !waits && !il__load_acquire(&peer->told); round++) il__relax(round);
    il__watch_close(&peer->watch);
    close(peer->watch.fd);
    peer->arena->peers[peer->index] = NULL;
    il__free(peer);
}

static il__peer *new_peer(il_arena *arena, uint32_t index, uint64_t serial, int descriptor)
{
    il__peer *peer = il__aligned_zalloc(_Alignof(il__peer), sizeof *peer);
    if (!peer) return NULL;
    peer->arena = arena;
    peer->index = index;
    peer->serial = serial;
    peer->watch.fd = descriptor;
    peer->watch.events = EPOLLIN;
    il__agent_init(&peer->agent, &peer_ops);
    peer->agent.word = IL__WAITING | IL__PARKED;
    peer->waiter.agent = &peer->agent;
    return peer;
}

/* Watch one. 0; -ESRCH: it has ended; or why it cannot be watched. */
static int watch_peer(il_arena *arena, uint32_t index, const il__member *member)
{
    int descriptor = il__peer_open((pid_t)member->pid, member->started);
    if (descriptor < 0) return descriptor;
    il__peer *peer = new_peer(arena, index, member->serial, descriptor);
    int status = peer ? il__watch_tell(&peer->watch, &peer->waiter) : -ENOMEM;
    if (!status) {
        arena->peers[index] = peer;
        return 0;
    }
    if (peer) il__watch_close(&peer->watch);
    il__free(peer);
    close(descriptor);
    return status == -EALREADY ? -ESRCH : status;
}

/* A copy of what stands there, as one. */
static il__member member_at(il_arena *arena, uint32_t index)
{
    il__ledger_lock(&arena->head->ledger);
    il__member member = arena->head->members[index];
    il__ledger_unlock(&arena->head->ledger);
    return member;
}

static void see_to(il_arena *arena, uint32_t index)
{
    il__peer *peer = arena->peers[index];
    uint64_t serial = il__load(&arena->head->members[index].serial);
    if (peer && peer->serial == serial) return;
    if (peer) forget(peer);
    if (!serial) return;
    il__member member = member_at(arena, index);
    if (!member.serial || member.serial == arena->serial) return;
    int status = watch_peer(arena, index, &member);
    if (status == -ESRCH) il__member_bury(arena, index, member.serial, true);
    else if (status) il__store(&arena->blind, true);
}

void il__peers_watch(il_arena *arena)
{
    uint64_t arrivals = il__load_acquire(&arena->head->arrivals);
    if (il__likely(il__load(&arena->watched) == arrivals)) return;
    pthread_mutex_lock(&arena->watching);
    if (arena->watched != arrivals) {
        il__store(&arena->blind, false);
        for (uint32_t i = 0; i < IL__MEMBERS; i++) see_to(arena, i);
        il__store(&arena->watched, arrivals);
    }
    pthread_mutex_unlock(&arena->watching);
}

static bool has_ended(const il__member *member)
{
    int descriptor = il__peer_open((pid_t)member->pid, member->started);
    if (descriptor < 0) return descriptor == -ESRCH;
    bool ended = il__peer_ended(descriptor);
    close(descriptor);
    return ended;
}

void il__peers_look(il_arena *arena)
{
    for (uint32_t i = 0; i < IL__MEMBERS; i++) {
        if (!il__load(&arena->head->members[i].serial)) continue;
        il__member member = member_at(arena, i);
        if (!member.serial || member.serial == arena->serial) continue;
        if (has_ended(&member)) il__member_bury(arena, i, member.serial, true);
    }
}

void il__bell_close(il_arena *arena)
{
    il__store_release(&arena->stopping, 1);
    if (arena->listens) {
        il__bell_ring(arena, arena->index);
        pthread_join(arena->listener, NULL);
    }
    for (uint32_t i = 0; i < IL__MEMBERS; i++)
        if (arena->peers[i]) forget(arena->peers[i]);
}
