/* SPDX-License-Identifier: MIT */
/*
 * The sieve of linked processes (McIlroy 1968, Hoare 1978): each task holds one prime, passes on what
 * it does not divide, and starts the next task for the first number that comes through. Numbers
 * travel in batches, as many as there are. The thousandth has its prime and closes its channel:
 * poison, which runs back through all of them to the one that counts.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>

enum { PRIMES = 1000, THOUSANDTH = 7919, ROOM = 64 };

struct filter {
    il_scope *scope;
    il_chan *from;
    long prime;
};

static struct filter filters[PRIMES + 1];

static int link_next(struct filter *self, il_fn *fn)
{
    struct filter *next = self + 1;
    next->scope = self->scope;
    int status = il_chan_new(sizeof(long), &(il_chan_opts){ .capacity = ROOM }, &next->from);
    return status ? status : il_go(next->scope, fn, next, NULL);
}

static int sieve(void *in, void *out)
{
    struct filter *self = in, *next = self + 1;
    long batch[ROOM];
    size_t got;
    int status = il_chan_recv(self->from, &self->prime, IL_FOREVER);
    if (!status && self != &filters[PRIMES]) status = link_next(self, sieve);
    if (status || self == &filters[PRIMES]) return il_poison(status, self->from);

    while (!status && !(status = il_chan_recv_many(self->from, batch, ROOM, IL_FOREVER, &got))) {
        size_t kept = 0;
        for (size_t i = 0; i < got; i++)
            if (batch[i] % self->prime) batch[kept++] = batch[i];
        status = il_chan_send_many(next->from, batch, kept, IL_FOREVER, NULL);
    }
    return il_poison(status, self->from, next->from);
}

static int count(void *in, void *out)
{
    struct filter *self = in;
    int status = link_next(self, sieve);
    for (long n = 2; !status; n++) status = il_chan_send(self[1].from, &n, IL_FOREVER);
    return il_poison(status, self[1].from);
}

int main(void)
{
    il_executor *pool = NULL;
    il_scope *scope = NULL;
    if (il_threads_new(&(il_threads_opts){ .stack_size = 32768 }, &pool)) return 1;

    int status = il_scope_open(&(il_scope_opts){ .executor = pool, .name = "sieve" }, &scope);
    filters[0].scope = scope;
    if (!status) status = il_go(scope, count, &filters[0], NULL);
    int closed = il_scope_close(scope); /* until the poison has reached everybody */

    for (int i = 1; i <= PRIMES; i += i < 10 ? 1 : i < 100 ? 90 : 900)
        printf("prime %4d: %ld\n", i, filters[i].prime);
    printf("%s\n", il_strerror(status ? status : closed));
    for (int i = 1; i <= PRIMES; i++) il_chan_free(filters[i].from);
    il_executor_free(pool);
    return status || closed || filters[PRIMES].prime != THOUSANDTH;
}
