/* SPDX-License-Identifier: MIT */
/*
 * Claims about il_resolve. No resolver is asked: one of the test's own takes its place. It hangs at
 * names that begin with "hang", until it is let go, and knows those that begin with "host".
 */

#include <interlock/file.h>
#include <interlock/resolve.h>

#include "loop/lane.h"
#include "loop/resolve.h"
#include "work.h"

static il_event go_on;
static int asked, hanging;

static int resolve_here(const char *host, const char *service, const struct addrinfo *hints,
                        struct addrinfo **out_found)
{
    il__add(&asked, 1);
    if (!strncmp(host, "hang", 4)) {
        il__add(&hanging, 1);
        il_event_wait(&go_on);
        il__sub(&hanging, 1);
    } else if (!strcmp(host, "again")) return EAI_AGAIN;
    else if (strncmp(host, "host", 4)) return EAI_NONAME;
    struct addrinfo wanted = *hints;
    wanted.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    return getaddrinfo("127.0.0.7", service, &wanted, out_found);
}

static int open_resolver(void **state)
{
    (void)state;
    go_on = (il_event){ 0 };
    asked = hanging = 0;
    il__resolver = resolve_here;
    return 0;
}

static int close_resolver(void **state)
{
    (void)state;
    il_event_set(&go_on);
    while (il__load_acquire(&hanging)) il_yield();
    return 0;
}

#define RESOLVED(test) cmocka_unit_test_setup_teardown(test, open_resolver, close_resolver)

static void assert_is(const il_address *address, const char *expected)
{
    char text[128];
    il_address_format(address, text, sizeof text);
    assert_string_equal(text, expected);
}

static void numbers_are_not_looked_up(void **state)
{
    (void)state;
    il_address found[2];
    size_t count = 0;
    assert_int_equal(il_resolve("127.0.0.1", "80", IL_NOW, found, 2, &count), 0);
    assert_int_equal(count, 1);
    assert_is(&found[0], "tcp:127.0.0.1:80");
    assert_int_equal(il_resolve("::1", NULL, IL_NOW, found, 2, &count), 0);
    assert_is(&found[0], "tcp:[::1]:0");
    assert_int_equal(asked, 0);
}

static void name_gives_its_addresses(void **state)
{
    (void)state;
    il_address found[2];
    size_t count = 0;
    assert_int_equal(il_resolve("host", "81", LATE, found, 2, &count), 0);
    assert_int_equal(count, 1);
    assert_is(&found[0], "tcp:127.0.0.7:81");
}

static void failures_have_a_status_and_words(void **state)
{
    (void)state;
    il_address found;
    size_t count = 7;
    char name[400], words[300];
    assert_int_equal(il_resolve("nobody", "1", LATE, &found, 1, &count), -ENOENT);
    il_error_format(il_last_error(), words, sizeof words);
    assert_says(words, "nobody:1: ");
    assert_int_equal(il_resolve("again", "1", LATE, &found, 1, &count), -EHOSTUNREACH);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(il_resolve(name, "1", LATE, &found, 1, &count), -EINVAL);
    assert_int_equal(il_resolve(NULL, NULL, LATE, &found, 1, &count), -EINVAL);
    assert_int_equal(il_resolve("host", "1", IL_NOW, &found, 1, &count), -EAGAIN);
    assert_int_equal(count, 7);
}

static int resolve_hanging(void *object, il_time until)
{
    il_address found;
    size_t count;
    return il_resolve(object, "1", until, &found, 1, &count);
}

static void name_that_hangs_is_given_up(void **state)
{
    (void)state;
    static char name[] = "hang";
    for (size_t i = 0; i < sizeof crew_kinds / sizeof *crew_kinds; i++) {
        void *kind = (void *)&crew_kinds[i];
        assert_gives_up(&kind, resolve_hanging, name);
    }
}

enum { HANGING = 24, NAMES = 8 }; /* more than there are threads */

static void each_of_many_has_its_own_deadline_and_outcome(void **state)
{
    (void)state;
    il_lookup lookups[NAMES];
    for (int i = 0; i < NAMES; i++) {
        lookups[i] = (il_lookup){ .host = i % 2 ? "host" : "hang", .service = "9" };
        if (i == 0) lookups[i].until = SOON;
        if (i == 1) lookups[i].host = "127.0.0.1";
        if (i == 3) lookups[i].host = "nobody";
    }
    assert_int_equal(il_resolve_many(lookups, NAMES, il_after(IL_MS(50))), 3);
    for (int i = 0; i < NAMES; i++) {
        int expected = i % 2 == 0 ? -ETIMEDOUT : i == 3 ? -ENOENT : 0;
        assert_int_equal(lookups[i].status, expected);
        assert_int_equal(lookups[i].count, !expected);
    }
    assert_is(&lookups[5].addresses[0], "tcp:127.0.0.7:9");
    assert_int_equal(il_resolve_many(NULL, 0, LATE), 0);
}

static int resolve_all(void *in, void *out)
{
    (void)out;
    return il_resolve_many(in, HANGING, LATE) == HANGING ? 0 : -EIO;
}

/* Names that hang occupy their own lane only; and what was given up waiting for a thread is never
 * begun. */
static void names_that_hang_hold_up_no_file(void **state)
{
    il_lookup lookups[HANGING];
    void *data = NULL;
    size_t size = 0;
    il_address found;
    struct crew crew;
    for (int i = 0; i < HANGING; i++) lookups[i] = (il_lookup){ .host = "hang", .service = "9" };
    crew_open(&crew, state);
    crew_add(&crew, resolve_all, lookups);
    while (il__load_acquire(&hanging) < (int)il__lane_names.most) il_yield();
    int loaded = il_file_load("/proc/self/status", 1 << 20, LATE, &data, &size);
    int given_up = il_resolve("host", "1", SOON, &found, 1, &size);
    int begun = il__load(&asked);
    il_event_set(&go_on);
    int failed = crew_join(&crew);
    free(data);
    assert_int_equal(loaded, 0);
    assert_int_equal(given_up, -ETIMEDOUT);
    assert_int_equal(begun, il__lane_names.most);
    assert_int_equal(failed, 0);
    assert_int_equal(asked, HANGING); /* and not one more */
}

static void addresses_are_written_as_they_are_read(void **state)
{
    (void)state;
    char small[8];
    il_address address;
    size_t count;
    assert_int_equal(il_resolve("127.0.0.1", "80", IL_NOW, &address, 1, &count), 0);
    assert_int_equal(il_address_format(&address, small, sizeof small), 16);
    assert_string_equal(small, "tcp:127");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RESOLVED(numbers_are_not_looked_up),
        RESOLVED(name_gives_its_addresses),
        RESOLVED(failures_have_a_status_and_words),
        RESOLVED(name_that_hangs_is_given_up),
        RESOLVED(each_of_many_has_its_own_deadline_and_outcome),
        RESOLVED(names_that_hang_hold_up_no_file),
        RESOLVED(addresses_are_written_as_they_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
