/* SPDX-License-Identifier: MIT */
/*
 * Timers of a pool: a heap of the fibers whose wait has a deadline. `next_timer` mirrors its top for
 * those who only want to look. One sleeping worker, the keeper, sleeps no longer than until then;
 * workers that are busy look in passing.
 *
 * No timer goes unwatched: before a worker begins a job while there are timers and no keeper, it
 * wakes a sleeper, which becomes one (il__worker_mind_timers in pool.h). If nobody sleeps, everybody looks.
 */

#include "sched/pool.h"

static void mirror(il__pool *pool)
{
    il__heap_node *top = pool->timers.top;
    il__store_seq(&pool->next_timer, top ? top->key : IL_FOREVER);
}

void il__timer_set(il__pool *pool, il__fiber *fiber, il_time until)
{
    il__spin_lock(&pool->timers_lock);
    il__heap_insert(&pool->timers, &fiber->timer, until);
    mirror(pool);
    il__spin_unlock(&pool->timers_lock);

    il__fence_light(); /* pairs with the heavy fence of the keeper, before it sleeps */
    if (until >= il__load_acquire(&pool->keeper_until)) return;
    il__worker *keeper = il__load(&pool->keeper);
    if (keeper) il__worker_wake(keeper);
}

void il__timer_clear(il__pool *pool, il__fiber *fiber)
{
    il__spin_lock(&pool->timers_lock);
    if (fiber->timer.inside) {
        il__heap_remove(&pool->timers, &fiber->timer);
        mirror(pool);
    }
    il__spin_unlock(&pool->timers_lock);
}

void il__timers_expire(il__pool *pool)
{
    if (il__load(&pool->next_timer) == IL_FOREVER) return;
    il_time now = il_now();
    if (il__load(&pool->next_timer) > now) return;

    il__spin_lock(&pool->timers_lock);
    for (il__heap_node *top; (top = pool->timers.top) && top->key <= now;) {
        il__agent *agent = &il__of((void *)top, il__fiber, timer)->agent;
        il__heap_remove(&pool->timers, top);
        if (il__claim(agent, IL__BY_DEADLINE)) il__deliver(agent);
    }
    mirror(pool);
    il__spin_unlock(&pool->timers_lock);
}

void il__timers_find_keeper(il__pool *pool)
{
    if (!il__load(&pool->keeper) && il__load(&pool->sleeping)) il__pool_wake_one(pool, 1);
}
