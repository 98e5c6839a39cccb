/* SPDX-License-Identifier: MIT */
#ifndef IL_LINK_ADDRESS_H
#define IL_LINK_ADDRESS_H

/* Addresses as text and as the system has them. No look-up: nothing here waits. */

#include <sys/socket.h>
#include <stdbool.h>
#include <sys/un.h>

enum { IL__ADDRESS_TEXT = sizeof(struct sockaddr_un) + 16 };

typedef struct il__address {
    socklen_t size;
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_storage storage;
    };
} il__address;

/* 0 or -EINVAL. */
int il__address_parse(const char *text, il__address *out_address);
void il__address_print(const il__address *address, char text[IL__ADDRESS_TEXT]);

#endif
