/* SPDX-License-Identifier: MIT */
/*
 * Threads as agents: how they park, and who lives.
 *
 * `list` and the names in it are guarded by `lock`. A thread that was never registered with the key
 * (no memory for thread-specific data) works, but is not in the list.
 */

#include "wait/thread_agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <interlock/thread.h>

#include "base/sanitize.h"
#include "os/futex.h"
#include "os/pages.h"
#include "os/thread.h"
#include "wait/wait.h"

enum { SPINS = 160, LUCK = 3, RETRY = 8, PATIENCE = 256 };

static il__spin lock;
static il__list list;
static pthread_key_t key;
static bool has_key;
static __thread il__thread_agent own;

/* Used by il__self of agent.h through asm, which no optimiser sees: hence `used`. */
__attribute__((used, visibility("hidden"))) __thread il__agent *il__me;

#if !defined(__x86_64__) || defined(__ILP32__)
__attribute__((noinline)) il__agent *il__self(void)
{
    __asm__ volatile("");
    return il__me ? il__me : il__agent_adopt();
}

__attribute__((noinline)) void il__self_set(il__agent *agent)
{
    __asm__ volatile("");
    il__me = agent;
}
#endif

static bool woken_soon(il__agent *self)
{
    for (int i = 0; i < SPINS; i++) {
        if ((il__load(&self->word) & IL__PHASE) == IL__WOKEN) return true;
        il__pause();
    }
    return false;
}

/* To look out for the wake-up for some two microseconds pays if it comes by then; if not, it keeps
 * the CPU from whoever is to do the waking. As a rule it comes as soon as it did the last times; if
 * it did not, look again now and then. */
static bool look_out(il__agent *self)
{
    il__thread_agent *thread = il__of((void *)self, il__thread_agent, agent);
    if (!thread->luck && self->waits % RETRY) return false;
    if (woken_soon(self)) {
        thread->luck = LUCK;
        return true;
    }
    if (thread->luck) thread->luck--;
    return false;
}

static void park(il__agent *self, il_time until)
{
    if (look_out(self)) return;
    uint32_t word = il__load(&self->word);
    while ((word & IL__PHASE) != IL__WOKEN) {
        if (!(word & IL__PARKED) && !il__cas(&self->word, &word, word | IL__PARKED)) continue;
        if (il__futex_wait(&self->word, word | IL__PARKED, until) == -ETIMEDOUT) {
            if (il__claim(self, IL__BY_DEADLINE)) il__or(&self->word, IL__WOKEN);
            until = IL_FOREVER; /* lost: the winner will deliver */
        }
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

/* A futex call and the way back cost some microseconds; 256 pauses are about three. */
static unsigned patience(il__agent *self, const il__agent *owner)
{
    (void)self, (void)owner;
    return PATIENCE;
}

static const il__agent_ops ops = {
    .park = park,
    .unpark = unpark,
    .yield = yield,
    .patience = patience,
};

static void end(void *thread)
{
    il__thread_agent *agent = thread;
    il__spin_lock(&lock);
    if (il__linked(&agent->link)) il__list_remove(&list, &agent->link);
    il__spin_unlock(&lock);
    il__agent_reset(&agent->agent);
    if (il__me == &agent->agent) il__self_set(NULL);
    agent->pthread = 0;
}

__attribute__((constructor)) static void begin(void)
{
    has_key = !pthread_key_create(&key, end);
    il__agent_adopt(); /* main: the first in the list */
    snprintf(own.name, sizeof own.name, "main");
}

__attribute__((noinline)) il__thread_agent *il__thread_agent_here(void)
{
    __asm__ volatile("");
    il__thread_agent *thread = &own;
    if (thread->pthread) return thread;

    il__agent_init(&thread->agent, &ops);
    il__tsan_in_turn(&thread->pthread, sizeof thread->pthread);
    il__tsan_in_turn(&thread->handle, sizeof thread->handle);
    thread->pthread = pthread_self();
    thread->kernel_id = il__thread_kernel_id();
    thread->agent.since = il_now();
    thread->state = IL_RUNNING;
    if (pthread_getname_np(thread->pthread, thread->name, sizeof thread->name)) thread->name[0] = 0;
    if (has_key && !pthread_setspecific(key, thread)) {
        il__spin_lock(&lock);
        il__list_append(&list, &thread->link);
        il__spin_unlock(&lock);
    }
    return thread;
}

__attribute__((noinline)) il__agent *il__agent_adopt(void)
{
    il__agent *agent = &il__thread_agent_here()->agent;
    il__self_set(agent);
    return agent;
}

void il__thread_agent_rename(const char *name)
{
    il__thread_agent *thread = il__thread_agent_here();
    size_t length = strnlen(name, sizeof thread->name);
    if (length == sizeof thread->name) {
        length--;
        while (length && ((unsigned char)name[length] & 0xc0) == 0x80) length--;
    }
    il__spin_lock(&lock);
    memcpy(thread->name, name, length);
    thread->name[length] = 0;
    il__spin_unlock(&lock);
    il__thread_set_name(name);
}

/* The list is locked, so the thread lives. */
void il__thread_agent_describe_locked(il__thread_agent *thread, il_info *out_info)
{
    void *low;
    il__agent_describe(&thread->agent, out_info);
    out_info->kind = IL_THREAD;
    out_info->kernel_id = thread->kernel_id;
    out_info->cpu_time = il__thread_cpu_time(thread->pthread);
    memcpy(out_info->name, thread->name, sizeof out_info->name);
    if (out_info->state == IL_RUNNING) out_info->state = (il_state)il__load(&thread->state);
    if (pthread_equal(thread->pthread, pthread_self()) && /* of others it may be unmapped by now */
        il__thread_stack(thread->pthread, &low, &out_info->stack_size))
        out_info->stack_used = il__pages_used_from_end(low, out_info->stack_size);
}

void il__thread_agent_describe(il__thread_agent *thread, il_info *out_info)
{
    il__spin_lock(&lock);
    il__thread_agent_describe_locked(thread, out_info);
    il__spin_unlock(&lock);
}

void il__thread_agent_disown(il__thread_agent *thread)
{
    il__spin_lock(&lock);
    thread->handle = NULL;
    il__spin_unlock(&lock);
}

void il__thread_agents_visit(void (*visit)(il__thread_agent *, void *arg), void *arg)
{
    il__spin_lock(&lock);
    for (il__link *link = il__list_first(&list); link; link = il__list_next(link))
        visit(il__of(link, il__thread_agent, link), arg);
    il__spin_unlock(&lock);
}

typedef struct il__listing {
    il_info *infos;
    size_t capacity, count;
} il__listing;

static void add_to_listing(il__thread_agent *thread, void *arg)
{
    il__listing *listing = arg;
    if (listing->count < listing->capacity)
        il__thread_agent_describe_locked(thread, &listing->infos[listing->count]);
    listing->count++;
}

size_t il_thread_list(il_info *out_infos, size_t capacity)
{
    il__listing listing = { .infos = out_infos, .capacity = capacity };
    il__thread_agents_visit(add_to_listing, &listing);
    return listing.count;
}

static void find_main(il__thread_agent *thread, void *out_info)
{
    if (thread->kernel_id == getpid()) il__thread_agent_describe_locked(thread, out_info);
}

void il_main(il_info *out_info)
{
    *out_info = (il_info){ .kind = IL_THREAD, .state = IL_DONE, .name = "main" };
    il__thread_agents_visit(find_main, out_info);
}

int il_thread_rename(const char *name)
{
    il__thread_agent_rename(name);
    return 0;
}
