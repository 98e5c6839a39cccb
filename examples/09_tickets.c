/* SPDX-License-Identifier: MIT */
/*
 * Semaphores: so many at a time. Two hundred tickets are sold by four sellers at two counters; and a
 * bounded semaphore notices when one is given back that was never taken.
 */
#include <errno.h>
#include <interlock.h>
#include <stdatomic.h>
#include <stdio.h>

enum { TICKETS = 200, SELLERS = 4, COUNTERS = 2 };

static il_sem tickets = { .count = TICKETS };
static il_sem counters = { .count = COUNTERS, .max = COUNTERS };
static atomic_int at_counter, most_at_counter;

static void note_most(int now)
{
    int most = most_at_counter;
    while (now > most && !atomic_compare_exchange_weak(&most_at_counter, &most, now)) {}
}

/* Wait for a counter; sell one if there is one left. */
static int sell(void *in, void *out)
{
    int *sold = out, status;
    do {
        status = il_sem_acquire_until(&counters, IL_FOREVER);
        if (status) return status;
        note_most(atomic_fetch_add(&at_counter, 1) + 1);

        status = il_sem_acquire_until(&tickets, IL_NOW); /* not: look, then take */
        if (!status) ++*sold;
        il_yield(); /* the customer counts the change */

        atomic_fetch_sub(&at_counter, 1);
        il_sem_release(&counters);
    } while (!status);
    return status == -EAGAIN ? 0 : status; /* -EAGAIN: sold out */
}

int main(void)
{
    int sold[SELLERS] = { 0 }, sum = 0;
    il_executor *pool = NULL;
    il_scope *scope = NULL;
    int status = il_threads_new(NULL, &pool);
    if (!status) status = il_scope_open(&(il_scope_opts){ .executor = pool }, &scope);
    for (int i = 0; !status && i < SELLERS; i++) status = il_go(scope, sell, NULL, &sold[i]);
    int closed = il_scope_close(scope);
    il_executor_free(pool);
    if (!status) status = closed;

    for (int i = 0; i < SELLERS; i++) {
        printf("seller %d sold %d\n", i + 1, sold[i]);
        sum += sold[i];
    }
    printf("%s: %d tickets of %d sold, at most %d at %d counters, %u tickets left\n",
           il_strerror(status), sum, TICKETS, most_at_counter, COUNTERS, il_sem_value(&tickets));

    int once_too_often = il_sem_release(&counters);
    printf("a counter too many: %s\n", il_strerror(once_too_often));
    return !(status == 0 && sum == TICKETS && most_at_counter <= COUNTERS &&
             once_too_often == -EOVERFLOW);
}
