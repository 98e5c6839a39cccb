/* SPDX-License-Identifier: MIT */
#ifndef TOOL_TRANSFER_DRIVE_H
#define TOOL_TRANSFER_DRIVE_H

/*
 * Who moves the bytes of a transfer: the thread that wants it (transfer/thread.c), or the loop that
 * its fiber is on. What is between take and give belongs to the task.
 */

#include <curl/curl.h>
#include <interlock.h>

enum { TRANSFER_CONNECTIONS = 1024 }; /* kept for the next transfer, at most */

/* When the last byte came. libcurl's own watch over slow transfers looks at the mean of five seconds. */
struct pulse {
    il_time begun, last;
    int64_t longest; /* ns without a byte */
};

/* 0, or -ETIMEDOUT: it is connected, and nothing came for too long. Gives the moment to look again. */
int transfer_look(CURL *easy, struct pulse *pulse, il_time *out_next);

struct transfer_driver {
    /* A handle with the defaults of curl_easy_init, or NULL: no memory. */
    CURL *(*take)(void);
    /* Do what it is set up for, and wait. 0 with libcurl's word in *out, or -ECANCELED, -ENOMEM,
     * -ETIMEDOUT (transfer_look). */
    int (*perform)(CURL *easy, struct pulse *pulse, CURLcode *out);
    void (*give)(CURL *easy);
};

extern const struct transfer_driver transfer_on_thread;
extern const struct transfer_driver transfer_on_loop;

#endif
