/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_CELL_H
#define INTERLOCK_CELL_H

/*
 * Cell: a value that can be reached only while its lock is held.
 *
 *     typedef struct account { long balance, moves; } account;
 *     static IL_CELL(account) ours;            // all zero is ready to use
 *
 *     il_cell_with(&ours, a) {                 // locked from here; a is an account *
 *         a->balance += 100;
 *         a->moves++;
 *     }                                        // to here
 *     il_cell_read(&ours, a) printf("%ld\n", a->balance);      // a is a const account *
 *
 * IL_CELL has a mutex; IL_RWCELL has a readers-writer lock, under which blocks of il_cell_read run
 * beside each other. That one word is all there is to change from one to the other. Between threads,
 * fibers, and both; what holds of il_mutex and il_rwlock holds here.
 *
 * The block runs once and gives the lock back however it is left: at its end, by break or continue
 * (which leave this block, not a loop around it), return, goto, in C++ an exception. What return
 * returns is computed before. Not by longjmp. No goto into a block.
 *
 * The pointer is worth nothing after the block: do not keep it, do not return it. A block may wait,
 * and others then wait for the cell. Blocks of two cells inside each other take two locks, so
 * everybody takes them in the same order. The compiler does not know that the block always runs: a
 * variable that is set in it wants a value before, and a function that returns in it a return after.
 *
 * Each IL_CELL(...) is a type of its own. To pass one on, name it:
 *
 *     typedef IL_CELL(account) account_cell;
 *     void pay_in(account_cell *cell, long amount);
 */

#include <interlock/cond.h>
#include <interlock/mutex.h>
#include <interlock/rwlock.h>

/* A cell for a value of this type. */
#define IL_CELL(type) IL__CELL(il_mutex, type)
#define IL_RWCELL(type) IL__CELL(il_rwlock, type)

/* Its initial value, when zero is not right: static IL_CELL(account) ours = IL_CELL_INIT({ 5, 1 }); */
#define IL_CELL_INIT(...)                                                                          \
    {                                                                                              \
        { { 0, 0 }, 0 }, __VA_ARGS__                                                               \
    }

/* Run the block or statement that follows with the cell locked, and `value` a pointer to what is in
 * it. Waits until the cell is ours; cannot be cancelled. `cell` is evaluated once. A block inside
 * another of the same cell is il_fatal. */
#define il_cell_with(cell, value) IL__CELL_BLOCK(, cell, value, false, IL_FOREVER, 0)

/* The same to read: a pointer to const, and in an IL_RWCELL others may read as well. Not inside
 * another block of the same cell. */
#define il_cell_read(cell, value) IL__CELL_BLOCK(const, cell, value, true, IL_FOREVER, 0)

/* The same until a deadline. The block runs only if *out_status, an int, has become 0; otherwise it
 * is -EAGAIN, -ETIMEDOUT, -ECANCELED or -EDEADLK (we are in a block of it already, and not one that
 * reads an IL_RWCELL).
 *
 *     int status;
 *     il_cell_with_until(&ours, a, il_after(IL_MS(10)), &status) a->balance += 100;
 *     if (status) return status;
 */
#define il_cell_with_until(cell, value, until, out_status)                                         \
    IL__CELL_BLOCK(, cell, value, false, until, out_status)
#define il_cell_read_until(cell, value, until, out_status)                                         \
    IL__CELL_BLOCK(const, cell, value, true, until, out_status)

/* Inside a block of an IL_CELL: wait until `cond` (an il_cond *) is notified. As il_cond_wait_until:
 * others get to the cell meanwhile, so look again at what was waited for; 0, -EAGAIN, -ETIMEDOUT,
 * -ECANCELED; -EPERM outside a block.
 *
 *     il_cell_with(&queue, q) {
 *         while (!q->length && !status) status = il_cell_wait(&queue, &more, until);
 *         if (!status) item = take(q);
 *     }
 */
#define il_cell_wait(cell, cond, until) il_cond_wait_until((cond), &(cell)->il__lock, (until))

/* --- What the macros are made of --------------------------------------------------------------- */

#define IL__CELL(lock, type)                                                                       \
    struct {                                                                                       \
        lock il__lock; /* first */                                                                 \
        __typeof__(type) il__value;                                                                \
    }

/* The outer loop's variable holds the lock and lets go when it goes out of scope; the inner loop is
 * there for the pointer's type. Each runs once: whatever ends a round clears `inside`. */
#define IL__CELL_BLOCK(const_, cell, value, shared, until, out_status)                             \
    for (il__cell_hold il__hold_##value __attribute__((cleanup(il__cell_leave))) =                 \
             il__cell_enter(&(cell)->il__lock, shared, until, out_status,                          \
                            offsetof(__typeof__(*(cell)), il__value));                             \
         il__hold_##value.inside; il__hold_##value.inside = 0)                                     \
        for (const_ __typeof__((cell)->il__value) *const value __attribute__((unused)) =           \
                 (const_ __typeof__((cell)->il__value) *)il__hold_##value.inside;                  \
             il__hold_##value.inside; il__hold_##value.inside = 0)

IL__BEGIN

typedef struct il__cell_hold {
    il_mutex *mutex; /* one of the two while it is held, neither when it is not */
    il_rwlock *rwlock;
    bool shared;
    void *inside; /* the value; NULL: the block has run, or does not */
} il__cell_hold;

/* Always inline, so that a lock that is misused names the place of the block. */
#define IL__CELL_INLINE static inline __attribute__((always_inline))

IL__CELL_INLINE il__cell_hold il__cell_enter_mutex(il_mutex *mutex, bool shared, il_time until,
                                                   int *out_status, size_t offset)
{
    il__cell_hold hold = { mutex, 0, shared, (char *)mutex + offset };
    if (!out_status) il_mutex_lock(mutex);
    else if ((*out_status = il_mutex_lock_until(mutex, until))) hold.mutex = 0, hold.inside = 0;
    return hold;
}

IL__CELL_INLINE il__cell_hold il__cell_enter_rwlock(il_rwlock *lock, bool shared, il_time until,
                                                    int *out_status, size_t offset)
{
    il__cell_hold hold = { 0, lock, shared, (char *)lock + offset };
    if (!out_status && shared) il_rwlock_lock_shared(lock);
    else if (!out_status) il_rwlock_lock(lock);
    else if ((*out_status = shared ? il_rwlock_lock_shared_until(lock, until)
                                   : il_rwlock_lock_until(lock, until)))
        hold.rwlock = 0, hold.inside = 0;
    return hold;
}

IL__CELL_INLINE void il__cell_leave(il__cell_hold *hold)
{
    if (hold->mutex) il_mutex_unlock(hold->mutex);
    else if (hold->rwlock && hold->shared) il_rwlock_unlock_shared(hold->rwlock);
    else if (hold->rwlock) il_rwlock_unlock(hold->rwlock);
}

IL__END

/* By the type of the lock. */
#ifdef __cplusplus
IL__CELL_INLINE il__cell_hold il__cell_enter(il_mutex *mutex, bool shared, il_time until,
                                             int *out_status, size_t offset)
{
    return il__cell_enter_mutex(mutex, shared, until, out_status, offset);
}
IL__CELL_INLINE il__cell_hold il__cell_enter(il_rwlock *lock, bool shared, il_time until,
                                             int *out_status, size_t offset)
{
    return il__cell_enter_rwlock(lock, shared, until, out_status, offset);
}
#else
#define il__cell_enter(lock, ...)                                                                  \
    _Generic((lock), il_mutex *                                                                    \
             : il__cell_enter_mutex, il_rwlock *                                                   \
             : il__cell_enter_rwlock)(lock, __VA_ARGS__)
#endif

#endif
