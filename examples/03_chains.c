/* SPDX-License-Identifier: MIT */
/*
 * What happens when a future is done: a callback, a chain of tasks (then, rescue, finally), and a
 * promise, which is a future that somebody completes by hand.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct text {
    char word[16];
} text;

static int parse(void *in, void *out)
{
    char *word = ((text *)in)->word, *end;
    long n = strtol(word, &end, 10);
    if (*end) return il_fail(-EINVAL, "not a number: \"%s\"", word);
    *(long *)out = n;
    return 0;
}

/* .then gets the result of the task before it. */
static int twice(void *in, void *out)
{
    *(long *)out = 2 * *(long *)in;
    return 0;
}

/* .rescue gets its error, and may put a result in the place of the failure. */
static int use_minus_one(void *in, void *out)
{
    const il_error *error = in;
    printf("rescued from: %s\n", error->message);
    *(long *)out = -1;
    return 0;
}

static void count(void *arg)
{
    ++*(int *)arg;
}

static void announce(il_future *future, void *arg)
{
    long n = 0;
    int status = il_future_get(future, IL_NOW, &n); /* it is done: this never waits */
    printf("%s: %ld (%s)\n", (const char *)arg, n, il_strerror(status));
}

/* parse(word), then twice; returns the result. */
static long run(il_executor *pool, const text *word, int *ended)
{
    il_future *parsed = NULL, *doubled = NULL;
    il_chain chain = {
        .then = twice,
        .rescue = use_minus_one,
        .finally = count,
        .arg = ended,
        .out_size = sizeof(long),
    };
    long result = 0;
    int status = il_submit(pool, parse, word, sizeof *word, sizeof result, NULL, &parsed);
    if (!status) status = il_future_then(parsed, pool, &chain, &doubled);
    if (!status) status = il_future_get(doubled, IL_FOREVER, &result);
    if (!status) status = il_future_on_done(doubled, announce, (void *)word->word);
    il_future_free(doubled);
    il_future_free(parsed);
    return status ? status : result;
}

/* The producer's half of a promise: it sets it, or goes away and says so. */
static int deliver(void *in, void *out)
{
    il_future *promise = *(il_future **)in;
    long answer = 42;
    int status = il_promise_set(promise, &answer);
    il_promise_drop(promise); /* had it not been set, the one who waits would get -EPIPE */
    return status;
}

static long ask(il_executor *pool)
{
    il_future *promise = NULL;
    long answer = 0;
    int status = il_promise_new(sizeof answer, &promise);
    if (status) return status;
    il_future *theirs = il_future_ref(promise); /* two owners: each frees its own */
    status = il_submit(pool, deliver, &theirs, sizeof theirs, 0, NULL, NULL);
    if (status) il_promise_drop(theirs);
    status = il_future_get(promise, IL_FOREVER, &answer);
    il_future_free(promise);
    return status ? status : answer;
}

int main(void)
{
    il_executor *pool = NULL;
    int ended = 0;
    if (il_threads_new(NULL, &pool)) return 1;
    long good = run(pool, &(text){ "21" }, &ended), bad = run(pool, &(text){ "2l" }, &ended);
    long answer = ask(pool);
    il_executor_free(pool);
    printf("%ld and %ld, %d chains ended; the promise brought %ld\n", good, bad, ended, answer);
    return !(good == 42 && bad == -1 && ended == 2 && answer == 42);
}
