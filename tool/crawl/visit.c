/* SPDX-License-Identifier: MIT */
/*
 * One visit. What is no page is not read to its end, unless it is short: to end it costs the connection.
 *
 * Reading a page is work for a CPU, so a visit on a loop hands it to a pool and parks, and the
 * loop goes on with the others. That pays for a page of a kilobyte already.
 */

#include "crawl/visit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "crawl/links.h"
#include "crawl/robots.h"
#include "crawl/url.h"
#include "text.h"

#define PAGE_MOST ((size_t)8 << 20)   /* what a page has beyond that is not read */
#define IGNORED_MOST ((int64_t)65536) /* of a body that nobody wants: as much as ending it costs */

enum { ROBOTS_REDIRECTS = 5, CHARSET = 64, ENOUGH = -EFBIG };

struct visit {
    const struct visit_order *order;
    struct visit_answer *answer;
    struct text body, links;
    char charset[CHARSET];
    bool wanted; /* the body */
    int status;
};

static bool is_html(const char *type)
{
    size_t size = strcspn(type, "; \t");

    return (size == 9 && !strncasecmp(type, "text/html", 9)) ||
           (size == 21 && !strncasecmp(type, "application/xhtml+xml", 21));
}

static int on_head(void *arg, const struct transfer_head *head)
{
    struct visit *visit = arg;
    struct visit_answer *answer = visit->answer;
    bool good = head->status >= 200 && head->status < 300;

    snprintf(answer->type, sizeof answer->type, "%.*s", (int)strcspn(head->type, "; \t"),
             head->type);
    answer->html = good && visit->order->page && is_html(head->type);
    visit->wanted = answer->html || (good && visit->order->robots);
    links_charset(head->type, visit->charset, sizeof visit->charset);
    if (visit->wanted || visit->order->head) return 0;
    return head->size < 0 || head->size > IGNORED_MOST ? ENOUGH : 0;
}

static int on_body(void *arg, const void *data, size_t size)
{
    struct visit *visit = arg;
    size_t most = visit->order->robots ? ROBOTS_MOST : PAGE_MOST;

    if (!visit->wanted) return 0;
    if (size > most - visit->body.size) size = most - visit->body.size;
    text_add(&visit->body, data, size);
    if (visit->body.broken) return -ENOMEM;
    return visit->body.size == most ? ENOUGH : 0;
}

static int read_page(void *in, void *out)
{
    struct visit *visit = in;

    (void)out;
    visit->status = links_read(visit->body.data, visit->body.size, visit->order->url,
                               visit->charset, visit->order->anchors, &visit->links);
    return 0;
}

/* A scope, since its end is waited for also when the visit is cancelled: the page is on our stack. */
static int hand_over(struct visit *visit)
{
    il_scope *scope = NULL;
    int status = il_scope_open(&(il_scope_opts){ .executor = visit->order->readers }, &scope);

    if (status) return status;
    status = il_go(scope, read_page, visit, NULL);
    int ended = il_scope_close(scope);
    return status ? status : ended;
}

static int read_links(struct visit *visit)
{
    int status = visit->order->readers ? hand_over(visit) : read_page(visit, NULL);

    return status ? status : visit->status;
}

static void take_result(struct visit_answer *answer, const struct transfer_result *result)
{
    answer->end = result->end;
    answer->status = result->status;
    answer->retry_after = result->retry_after;
    answer->retry = transfer_may_retry(result);
    snprintf(answer->location, sizeof answer->location, "%s", result->location);
    transfer_words(result, answer->words, sizeof answer->words);
}

int visit_here(void *in, void *out)
{
    const struct visit_order *order = in;
    struct visit_answer *answer = out;
    struct visit visit = { .order = order, .answer = answer };
    struct transfer_result result;

    transfer_run(&(struct transfer){ .url = order->url,
                                     .head_only = order->head,
                                     .insecure = order->insecure,
                                     .redirects = order->robots ? ROBOTS_REDIRECTS : 0,
                                     .on_head = on_head,
                                     .on_body = on_body,
                                     .arg = &visit },
                 &result);
    if (result.end == TRANSFER_REJECTED && result.failure == ENOUGH) result.end = TRANSFER_DONE;
    if (result.end == TRANSFER_REJECTED) answer->failure = result.failure;
    take_result(answer, &result);
    if (result.end == TRANSFER_DONE && answer->html) answer->failure = read_links(&visit);
    if (result.end != TRANSFER_DONE) answer->html = false;
    if (result.end == TRANSFER_DONE && !answer->failure) { /* given to who asked */
        struct text *bytes = order->robots ? &visit.body : &visit.links;
        answer->bytes = bytes->data;
        answer->size = bytes->size;
        *bytes = (struct text){ 0 };
    }
    text_free(&visit.body);
    text_free(&visit.links);
    return result.end == TRANSFER_CANCELED ? -ECANCELED : 0;
}

int visit_apart(void *in, void *out)
{
    const struct visit_order *order = in;
    struct visit_answer *answer = out;
    int status = visit_here(in, out);

    if (answer->size && answer->size <= order->room)
        memcpy(answer + 1, answer->bytes, answer->size);
    free(answer->bytes);
    answer->bytes = NULL;
    return status;
}

const char *visit_bytes(const struct visit_answer *answer, bool apart)
{
    return apart ? (const char *)(answer + 1) : answer->bytes;
}

size_t visit_order_size(const struct visit_order *order)
{
    return offsetof(struct visit_order, url) + strlen(order->url) + 1;
}
