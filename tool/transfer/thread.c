/* SPDX-License-Identifier: MIT */
/*
 * A transfer that holds its thread: inline, on threads, in worker processes. Each thread keeps a multi
 * handle, for the connections in it, and an easy one, since a task that holds its thread is the only
 * one there.
 *
 * curl_easy_perform would do, but that looks after a cancellation only once a second.
 */

#include "transfer/drive.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <interlock.h>

enum { LOOK_MS = 100 }; /* how often a cancellation and a stall are looked for */

struct driver {
    CURLM *multi;
    CURL *easy; /* NULL: taken */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

static void driver_free(void *arg)
{
    struct driver *driver = arg;

    curl_easy_cleanup(driver->easy);
    curl_multi_cleanup(driver->multi);
    free(driver);
}

static void make_key(void)
{
    pthread_key_create(&key, driver_free);
}

static struct driver *find_driver(void)
{
    pthread_once(&once, make_key);
    struct driver *driver = pthread_getspecific(key);
    if (driver) return driver;

    driver = calloc(1, sizeof *driver);
    if (!driver) return NULL;
    driver->multi = curl_multi_init();
    driver->easy = curl_easy_init();
    if (driver->multi && driver->easy && !pthread_setspecific(key, driver)) return driver;
    driver_free(driver);
    return NULL;
}

static CURL *take(void)
{
    struct driver *driver = find_driver();
    if (!driver) return NULL;

    CURL *easy = driver->easy;
    driver->easy = NULL;
    return easy ? easy : curl_easy_init();
}

static void give(CURL *easy)
{
    struct driver *driver = find_driver();

    if (!driver || driver->easy) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_reset(easy);
    driver->easy = easy;
}

static int wait_for_end(CURLM *multi, CURL *easy, struct pulse *pulse, CURLcode *out)
{
    int running = 1, queued;
    il_time next;

    while (!curl_multi_perform(multi, &running)) {
        if (!running) {
            CURLMsg *message = curl_multi_info_read(multi, &queued);
            *out = message ? message->data.result : CURLE_FAILED_INIT;
            return 0;
        }
        if (il_cancelled()) return -ECANCELED;
        if (transfer_look(easy, pulse, &next)) return -ETIMEDOUT;
        if (curl_multi_poll(multi, NULL, 0, LOOK_MS, NULL)) break;
    }
    return -ENOMEM;
}

static int perform(CURL *easy, struct pulse *pulse, CURLcode *out)
{
    struct driver *driver = find_driver();

    if (!driver || curl_multi_add_handle(driver->multi, easy)) return -ENOMEM;
    int status = wait_for_end(driver->multi, easy, pulse, out);
    curl_multi_remove_handle(driver->multi, easy);
    return status;
}

const struct transfer_driver transfer_on_thread = { take, perform, give };
