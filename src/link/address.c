/* SPDX-License-Identifier: MIT */
/* Addresses: "unix:PATH", "unix:@NAME", "tcp:HOST:PORT", "tcp:[HOST]:PORT". */

#include "link/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char local[] = "unix:", inet[] = "tcp:";

static int parse_local(const char *name, il__address *address)
{
    size_t length = strlen(name);
    if (!length || length >= sizeof address->local.sun_path) return -EINVAL;
    address->local.sun_family = AF_UNIX;
    memcpy(address->local.sun_path, name, length + 1);
    address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (*name != '@'));
    if (*name == '@') address->local.sun_path[0] = 0;
    return 0;
}

static int parse_port(const char *text, in_port_t *out_port)
{
    char *end;
    if (*text < '0' || *text > '9') return -EINVAL;
    unsigned long port = strtoul(text, &end, 10);
    if (*end || port > 65535) return -EINVAL;
    *out_port = htons((in_port_t)port);
    return 0;
}

static int parse_inet(const char *host, in_port_t port, il__address *address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address->storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address->storage;
    if (!strcmp(host, "localhost")) host = "127.0.0.1";
    if (!strcmp(host, "*")) host = "0.0.0.0";
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = port;
        address->size = sizeof *v4;
    } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = port;
        address->size = sizeof *v6;
    } else {
        return -EINVAL;
    }
    return 0;
}

int il__address_parse(const char *text, il__address *out_address)
{
    char host[INET6_ADDRSTRLEN + 1];
    in_port_t port;
    memset(out_address, 0, sizeof *out_address);
    if (!strncmp(text, local, strlen(local))) return parse_local(text + strlen(local), out_address);
    if (strncmp(text, inet, strlen(inet)) != 0) return -EINVAL;
    text += strlen(inet);
    const char *colon = strrchr(text, ':');
    if (!colon || parse_port(colon + 1, &port)) return -EINVAL;
    bool bracketed = *text == '[' && colon > text + 1 && colon[-1] == ']';
    size_t length = (size_t)(colon - text) - (bracketed ? 2 : 0);
    if (!length || length >= sizeof host) return -EINVAL;
    memcpy(host, text + bracketed, length);
    host[length] = 0;
    if (!bracketed && strchr(host, ':')) return -EINVAL; /* which of the colons is it? */
    return parse_inet(host, port, out_address);
}

static void print_local(const il__address *address, char *text)
{
    size_t length = address->size - offsetof(struct sockaddr_un, sun_path);
    const char *name = address->local.sun_path;
    if (address->size <= offsetof(struct sockaddr_un, sun_path)) length = 0;
    if (length && *name) length = strnlen(name, length);
    int at = snprintf(text, IL__ADDRESS_TEXT, "%s", local);
    memcpy(text + at, name, length);
    if (length && !*name) text[at] = '@';
    text[(size_t)at + length] = 0;
}

void il__address_print(const il__address *address, char text[IL__ADDRESS_TEXT])
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
    char host[INET6_ADDRSTRLEN] = "";
    if (address->any.sa_family == AF_UNIX) {
        print_local(address, text);
    } else if (address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(text, IL__ADDRESS_TEXT, "%s%s:%u", inet, host, ntohs(v4->sin_port));
    } else {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(text, IL__ADDRESS_TEXT, "%s[%s]:%u", inet, host, ntohs(v6->sin6_port));
    }
}
