/* SPDX-License-Identifier: MIT */
/*
 * The list of pools, and through it all fibers.
 *
 * In the child of a fork there are no workers, so there its pools are orphans, and off the list. The
 * fork happens with the locks held that the child needs.
 */

#include <interlock/self.h>

#include "sched/pool.h"
#include "wait/thread_agent.h"

static il__spin lock;
static il__pool *pools; /* guarded by lock */

static void before_fork(void)
{
    il__spin_lock(&lock);
    il__spin_lock(&il__in_place()->cancel.lock);
}

static void after_fork(void)
{
    il__spin_unlock(&il__in_place()->cancel.lock);
    il__spin_unlock(&lock);
}

static void after_fork_in_child(void)
{
    for (il__pool *pool = pools; pool; pool = pool->next_pool) il__pool_orphan(pool);
    pools = NULL;
    after_fork();
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

void il__pools_add(il__pool *pool)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    il__spin_lock(&lock);
    pool->next_pool = pools;
    pools = pool;
    il__spin_unlock(&lock);
}

void il__pools_remove(il__pool *pool)
{
    il__spin_lock(&lock);
    il__pool **at = &pools;
    while (*at != pool) at = &(*at)->next_pool;
    *at = pool->next_pool;
    il__spin_unlock(&lock);
}

typedef struct listing {
    il_info *infos;
    size_t capacity, count;
} listing;

static void describe(il__fiber *fiber, il_info *out_info)
{
    il__agent_describe(&fiber->agent, out_info);
    out_info->kind = IL_FIBER;
    if (out_info->state == IL_RUNNING) out_info->kernel_id = il__load(&fiber->worker->kernel_id);
    out_info->stack_size = fiber->context.size;
    out_info->stack_used = il__fiber_stack_used(fiber);
}

static void add_to_listing(il__fiber *fiber, void *arg)
{
    listing *all = arg;
    if (!il__load(&fiber->agent.task)) return;
    if (all->count < all->capacity) describe(fiber, &all->infos[all->count]);
    all->count++;
}

size_t il_fiber_list(il_info *out_infos, size_t capacity)
{
    listing all = { .infos = out_infos, .capacity = capacity };
    il__spin_lock(&lock);
    for (il__pool *pool = pools; pool; pool = pool->next_pool)
        il__stacks_visit(&pool->stacks, add_to_listing, &all);
    il__spin_unlock(&lock);
    return all.count;
}

void il_self(il_info *out_info)
{
    il__agent *self = il__self();
    if (self->ops == &il__fiber_ops) describe(il__fiber_of(self), out_info);
    else il__thread_agent_describe(il__thread_agent_here(), out_info);
}
