/* SPDX-License-Identifier: MIT */
/* Addresses: from text, and to text. */

#include "loop/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* --- From text ------------------------------------------------------------------------------- */

static int parse_local(const char *path, il__place *out)
{
    struct sockaddr_un *at = (struct sockaddr_un *)&out->address.at;
    size_t length = strlen(path);
    if (!length || length >= sizeof at->sun_path)
        return il_fail(-EINVAL, "not a path of a Unix socket: \"%s\"", path);
    out->local = true;
    at->sun_family = AF_UNIX;
    memcpy(at->sun_path, path, length + 1);
    if (*path == '@') at->sun_path[0] = 0;
    out->address.size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (*path != '@'));
    return 0;
}

static bool copy(char *to, size_t size, const char *from, size_t length)
{
    if (length >= size) return false;
    memcpy(to, from, length);
    to[length] = 0;
    return true;
}

/* HOST:PORT, or [HOST]:PORT. */
static int parse_network(const char *text, const char *rest, il__place *out)
{
    const char *colon = strrchr(rest, ':');
    size_t length = colon ? (size_t)(colon - rest) : 0;
    bool bracket = length > 2 && rest[0] == '[' && rest[length - 1] == ']';
    const char *host = rest + bracket;
    if (bracket) length -= 2;
    if (!length || !colon[1] || (!bracket && memchr(host, ':', length)) ||
        !copy(out->host, sizeof out->host, host, length) ||
        !copy(out->service, sizeof out->service, colon + 1, strlen(colon + 1)))
        return il_fail(-EINVAL, "not an address: \"%s\"", text);
    out->any = strcmp(out->host, "*") == 0;
    return 0;
}

static const char *after_kind(const char *text, const char *kind)
{
    size_t length = strlen(kind);
    return strncmp(text, kind, length) == 0 && text[length] == ':' ? text + length + 1 : NULL;
}

int il__place_parse(const char *text, const char *kind, il__place *out_place)
{
    *out_place = (il__place){ 0 };
    if (!text) return -EINVAL;
    const char *rest = after_kind(text, kind ? kind : "tcp");
    if (rest) return parse_network(text, rest, out_place);
    rest = kind ? NULL : after_kind(text, "unix");
    if (rest) return parse_local(rest, out_place);
    return il_fail(-EINVAL, "not an address, as %s would be: \"%s\"",
                   kind ? "\"udp:127.0.0.1:53\"" : "\"tcp:127.0.0.1:80\" or \"unix:PATH\"", text);
}

int il__place_resolve(const il__place *place, bool listen, il_time until,
                      il_address out_addresses[IL__ADDRESSES], size_t *out_count)
{
    if (place->local) {
        out_addresses[0] = place->address;
        *out_count = 1;
        return 0;
    }
    const char *host = !place->any ? place->host : listen ? "::" : "localhost";
    int status = il_resolve(host, place->service, until, out_addresses, IL__ADDRESSES, out_count);
    if (status || !place->any || !listen) return status;
    /* "::" takes IPv4 in as well; where there is no IPv6 the other one is for. */
    size_t more = 0;
    if (!il_resolve("0.0.0.0", place->service, until, &out_addresses[*out_count], 1, &more))
        *out_count += more;
    return 0;
}

/* --- To text --------------------------------------------------------------------------------- */

static size_t format_local(const il_address *address, char *buffer, size_t size)
{
    const struct sockaddr_un *at = (const struct sockaddr_un *)&address->at;
    size_t length = address->size - offsetof(struct sockaddr_un, sun_path);
    if (address->size <= offsetof(struct sockaddr_un, sun_path)) length = 0;
    bool abstract = length && !at->sun_path[0];
    if (!abstract) length = strnlen(at->sun_path, length);
    return (size_t)snprintf(buffer, size, "unix:%s%.*s", abstract ? "@" : "",
                            (int)(length - abstract), at->sun_path + abstract);
}

size_t il__address_format(const il_address *address, const char *kind, char *buffer, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (il__family_of(address) == AF_UNIX) return format_local(address, buffer, size);
    if (il__family_of(address) == AF_INET) {
        const struct sockaddr_in *at = (const struct sockaddr_in *)&address->at;
        inet_ntop(AF_INET, &at->sin_addr, host, sizeof host);
        return (size_t)snprintf(buffer, size, "%s:%s:%u", kind, host, ntohs(at->sin_port));
    }
    const struct sockaddr_in6 *at = (const struct sockaddr_in6 *)&address->at;
    inet_ntop(AF_INET6, &at->sin6_addr, host, sizeof host);
    return (size_t)snprintf(buffer, size, "%s:[%s]:%u", kind, host, ntohs(at->sin6_port));
}

size_t il_address_format(const il_address *address, char *buffer, size_t size)
{
    return il__address_format(address, "tcp", buffer, size);
}
