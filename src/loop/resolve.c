/* SPDX-License-Identifier: MIT */
/*
 * Names: getaddrinfo on a lane of its own. A lookup is an errand with copies of the words; who gives
 * up leaves it.
 */

#include "loop/resolve.h"

#include <errno.h>
#include <string.h>

#include <interlock/resolve.h>

#include "base/memory.h"
#include "loop/address.h"
#include "loop/lane.h"

int (*il__resolver)(const char *, const char *, const struct addrinfo *,
                    struct addrinfo **) = getaddrinfo;

typedef struct lookup {
    il__errand errand; /* first */
    int failed;        /* of getaddrinfo, and errno with it */
    int system;
    struct addrinfo *found;
    bool has_host, has_service;
    char host[IL__HOST_MAX], service[IL__SERVICE_MAX];
} lookup;

static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };

/* --- The errand ------------------------------------------------------------------------------ */

static void run(il__errand *errand)
{
    lookup *one = (lookup *)errand;
    one->failed = il__resolver(one->has_host ? one->host : NULL,
                               one->has_service ? one->service : NULL, &hints, &one->found);
    one->system = errno;
}

static void release(il__errand *errand)
{
    lookup *one = (lookup *)errand;
    if (!one->failed && one->found) freeaddrinfo(one->found);
    il__free(one);
}

static int status_of(int failed, int system)
{
    switch (failed) {
    case 0: return 0;
    case EAI_NONAME:
    case EAI_SERVICE:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
        return -ENOENT;
    case EAI_AGAIN: return -EHOSTUNREACH;
    case EAI_MEMORY: return -ENOMEM;
    case EAI_SYSTEM: return system ? -system : -EIO;
    default: return -EIO;
    }
}

static size_t take(const struct addrinfo *found, il_address *out, size_t capacity)
{
    size_t count = 0;
    for (; found && count < capacity; found = found->ai_next) {
        if (found->ai_addrlen > sizeof out->at) continue;
        out[count] = (il_address){ .size = found->ai_addrlen };
        memcpy(&out[count].at, found->ai_addr, found->ai_addrlen);
        count++;
    }
    return count;
}

static bool copy(char *to, size_t size, const char *from)
{
    return !from || memccpy(to, from, 0, size);
}

static int new_lookup(const char *host, const char *service, lookup **out)
{
    lookup *one = il__zalloc(sizeof *one);
    if (!one) return -ENOMEM;
    one->errand.run = run;
    one->errand.release = release;
    one->has_host = host;
    one->has_service = service;
    if (copy(one->host, sizeof one->host, host) &&
        copy(one->service, sizeof one->service, service)) {
        *out = one;
        return 0;
    }
    il__free(one);
    return il_fail(-EINVAL, "a name of more than %d bytes", IL__HOST_MAX - 1);
}

/* --- Asking ---------------------------------------------------------------------------------- */

/* Numbers need nobody to be asked. False: it is a name. */
static bool resolve_number(const char *host, const char *service, il_address *out, size_t capacity,
                           size_t *out_count)
{
    struct addrinfo wanted = hints, *found = NULL;
    wanted.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    if (getaddrinfo(host, service, &wanted, &found)) return false;
    *out_count = take(found, out, capacity);
    freeaddrinfo(found);
    return true;
}

static int begin(const char *host, const char *service, lookup **out)
{
    int status = new_lookup(host, service, out);
    if (!status) status = il__lane_start(&il__lane_names, &(*out)->errand);
    if (status && *out) {
        il__free(*out);
        *out = NULL;
    }
    return status;
}

static int end(lookup *one, il_time until, il_address *out, size_t capacity, size_t *out_count)
{
    int status = il__lane_wait(&one->errand, "name", one, until);
    if (status) return status;
    status = status_of(one->failed, one->system);
    size_t count = status ? 0 : take(one->found, out, capacity);
    if (!status && !count) status = -ENOENT;
    if (status)
        il_fail(status, "%s%s%s: %s", one->host, one->has_service ? ":" : "", one->service,
                one->failed == EAI_SYSTEM ? strerror(one->system) : gai_strerror(one->failed));
    else *out_count = count;
    release(&one->errand);
    return status;
}

int il_resolve(const char *host, const char *service, il_time until, il_address *out_addresses,
               size_t capacity, size_t *out_count)
{
    if ((!host && !service) || !capacity) return -EINVAL;
    if (resolve_number(host, service ? service : "0", out_addresses, capacity, out_count)) return 0;
    if (until == IL_NOW) return -EAGAIN;
    lookup *one = NULL;
    int status = begin(host, service, &one);
    return status ? status : end(one, until, out_addresses, capacity, out_count);
}

static il_time first(il_time own, il_time all)
{
    return own && own < all ? own : all;
}

static void begin_one(il_lookup *one, lookup **out)
{
    one->count = 0;
    one->status = (!one->host && !one->service) ? -EINVAL : 0;
    if (one->status) return;
    if (resolve_number(one->host, one->service ? one->service : "0", one->addresses,
                       sizeof one->addresses / sizeof *one->addresses, &one->count))
        return;
    one->status = begin(one->host, one->service, out);
}

size_t il_resolve_many(il_lookup *lookups, size_t count, il_time until)
{
    size_t found = 0;
    lookup **begun = il__zalloc((count ? count : 1) * sizeof *begun);
    for (size_t i = 0; i < count; i++) {
        if (begun) begin_one(&lookups[i], &begun[i]);
        else lookups[i].status = -ENOMEM;
    }
    for (size_t i = 0; begun && i < count; i++) {
        il_lookup *one = &lookups[i];
        if (begun[i])
            one->status = end(begun[i], first(one->until, until), one->addresses,
                              sizeof one->addresses / sizeof *one->addresses, &one->count);
        found += !one->status;
    }
    il__free(begun);
    return found;
}
