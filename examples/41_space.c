/* SPDX-License-Identifier: MIT */
/*
 * A namespace that processes share, as the Namespace of Python's Manager, without a server in between.
 * Workers follow a key by watching it, and add up into one sum without a lock: whoever finds that
 * another was quicker reads again.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>

enum { WORKERS = 2, STEPS = 5 };

/* What a worker is given: plain bytes. */
struct desk {
    il_handle space;
    char name[16];
};

static int add(il_space *space, long amount)
{
    int status;
    do {
        long sum = 0;
        uint64_t version = 0;
        status = il_space_get(space, "sum", &sum, sizeof sum, NULL, &version);
        sum += amount;
        if (!status) status = il_space_set(space, "sum", &sum, sizeof sum, version, NULL);
    } while (status == -ESTALE);
    return status;
}

/* Add "step" to "sum" at each change of it, and say so; until it is deleted. */
static int follow(void *in, void *out)
{
    struct desk *desk = in;
    il_space *space = NULL;
    uint64_t version = 0;
    int status = il_space_open(&desk->space, &space);
    while (!status && !(status = il_space_wait(space, "step", version, IL_FOREVER, &version))) {
        long step = 0;
        status = il_space_get(space, "step", &step, sizeof step, NULL, &version);
        if (!status) status = add(space, step);
        if (!status)
            status = il_space_set(space, desk->name, &step, sizeof step, IL_ANY_VERSION, NULL);
    }
    il_space_free(space);
    return status == -ENOENT ? 0 : status; /* deleted: that is how it ends */
}

static int show(const char *key, size_t size, uint64_t version, void *arg)
{
    long value = 0;
    int status = il_space_get(arg, key, &value, sizeof value, NULL, NULL);
    printf("  %-10s %4ld   version %llu\n", key, value, (unsigned long long)version);
    return status;
}

int main(void)
{
    il_arena *arena = NULL;
    il_space *space = NULL;
    il_executor *pool = NULL;
    il_future *futures[WORKERS] = { NULL };
    uint64_t seen[WORKERS] = { 0 };
    long sum = 0;
    int failed = 0;

    int status = il_arena_new(NULL, &arena);
    if (!status) status = il_space_new(arena, NULL, &space);
    if (!status) status = il_space_set(space, "sum", &sum, sizeof sum, 0, NULL);
    if (!status) status = il_processes_new(&(il_processes_opts){ .workers = WORKERS }, &pool);
    for (int i = 0; !status && i < WORKERS; i++) {
        struct desk desk = { .space = il_space_handle(space) };
        snprintf(desk.name, sizeof desk.name, "worker %d", i);
        status = il_submit(pool, follow, &desk, sizeof desk, 0, NULL, &futures[i]);
    }
    for (long step = 1; !status && step <= STEPS; step++) {
        status = il_space_set(space, "step", &step, sizeof step, IL_ANY_VERSION, NULL);
        for (int i = 0; !status && i < WORKERS; i++) { /* until each has said so */
            char name[16];
            snprintf(name, sizeof name, "worker %d", i);
            status = il_space_wait(space, name, seen[i], il_after(IL_SEC(60)), &seen[i]);
        }
    }
    if (!status) status = il_space_list(space, NULL, show, space);
    if (!status) status = il_space_get(space, "sum", &sum, sizeof sum, NULL, NULL);
    if (space) il_space_delete(space, "step", IL_ANY_VERSION);
    for (int i = 0; i < WORKERS; i++) {
        if (futures[i]) failed += il_future_get(futures[i], IL_FOREVER, NULL) != 0;
        il_future_free(futures[i]);
    }
    il_executor_free(pool);
    il_space_free(space);
    il_arena_free(arena);
    printf("%s: the sum is %ld\n", il_strerror(status), sum);
    return status || failed || sum != WORKERS * STEPS * (STEPS + 1) / 2;
}
