/* SPDX-License-Identifier: MIT */
/*
 * Scopes: tasks that belong together. None outlives its scope; the first that fails cancels the
 * rest; and the error comes out where the scope is closed, with words, place and cause.
 */
#include <errno.h>
#include <interlock.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct page {
    const char *path;
    int words;
};

static atomic_int open_connections;

/* Stands for a download: it waits, and a wait is where a cancellation arrives. */
static int receive(const char *path)
{
    if (strstr(path, "lost")) return -ENOENT;
    return il_sleep(strstr(path, "slow") ? IL_FOREVER : il_after(IL_MS(1)));
}

static int load(void *in, void *out)
{
    struct page *page = in;
    atomic_fetch_add(&open_connections, 1);
    int status = receive(page->path);
    atomic_fetch_sub(&open_connections, 1); /* also when it was cancelled: it is ordinary code */

    if (status == -ECANCELED) return status; /* somebody else's failure: nothing to add */
    if (status) return il_fail(status, "no such page: %s", page->path);
    page->words = (int)strlen(page->path);
    return 0;
}

/* All pages, or the first error. Whoever calls it need not know that tasks are at work. */
static int load_all(il_executor *pool, struct page *pages, int count)
{
    il_scope *scope = NULL;
    int status = il_scope_open(&(il_scope_opts){ .executor = pool, .name = "site" }, &scope);
    if (status) return status;
    for (int i = 0; !status && i < count; i++)
        status = il_go_with(scope, load, &pages[i], NULL, &(il_task_opts){ .name = "page" });
    int closed = il_scope_close(scope); /* waits for all of them, whatever happened */
    if (closed) return il_fail(closed, "loading %d pages", count); /* cause: the page's error */
    return status;
}

static const char *last_words(char *buffer, size_t size)
{
    const il_error *error = il_last_error();
    if (error) il_error_format(error, buffer, size);
    return error ? buffer : "no error";
}

int main(void)
{
    struct page good[] = { { .path = "index" }, { .path = "about" }, { .path = "news" } };
    struct page bad[] = { { .path = "slow/a" }, { .path = "slow/b" }, { .path = "lost/c" } };
    char words[300];
    il_executor *pool = NULL;
    if (il_threads_new(NULL, &pool)) return 1;

    int status = load_all(pool, good, 3), sum = good[0].words + good[1].words + good[2].words;
    printf("%s: %d letters\n", il_strerror(status), sum);

    /* Two would wait for ever. They do not, since the third fails. */
    int failed = load_all(pool, bad, 3);
    printf("%s: %s\n", il_strerror(failed), last_words(words, sizeof words));
    printf("%d connections left open\n", open_connections);

    const il_error *error = il_last_error();
    bool explained = error && error->status == failed && error->cause && error->line > 0;
    il_executor_free(pool);
    return !(status == 0 && sum == 14 && failed == -ENOENT && explained && open_connections == 0);
}
